"""Regular expressions (``=~``), and what one may take.

The library (``regex``) backtracks as those of Java and Python do, so what an expression may say is
what their users expect, and so is that some need for ever. It can give a match up and let other
threads run meanwhile, which both cost more than most matches take. So a match that cannot take long
runs as it is; any other holds the interpreter for a moment at most, then begins again beside other
threads, up to its limit. What it counts is the processor time of the whole process: a busy node
gives up earlier.

Groups that are repeated are laid out again for each time they must match, so that the size of what
is compiled is bounded by what the text of the expression says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import everwhen.model.values as v
from everwhen.errors import QueryArgumentError, QueryTypeError, RegularExpressionTooSlow
from everwhen.limits import REGEX_HELD_SECONDS, REGEX_KEPT, REGEX_SECONDS, REGEX_SIZE_MAX

if TYPE_CHECKING:
    import regex

_T = TypeVar("_T")

#: of a regular expression that is refused so much is shown
_SHOWN_CHARS: Final = 80
#: steps that a match may take unwatched
_STEPS: Final = 100_000
_REPEATED_GROUP: Final = re.compile(r"\)\s*(?:[*+?]|\{\s*(?P<least>\d*))")
_REPEATED: Final = re.compile(r"[*+?]|\{\s*(?P<least>\d*)")
#: of those that call parts of themselves, or take what is only similar, nothing is known
_UNKNOWN: Final = re.compile(r"\(\?(?:R|\d|&|P>|[+-]\d)|\{[^{}]*<")


class _Pattern:
    """A compiled expression, and how long a text may be for it to be certain of few steps."""

    __slots__ = ("fullmatch", "quick_chars")

    def __init__(self, text: str, compiled: regex.Pattern[str]) -> None:
        self.fullmatch = compiled.fullmatch
        self.quick_chars = _quick_chars(text)


def _quick_chars(text: str) -> int:
    """Characters that a pattern is sure to go through in few steps: where no group is repeated, each
    repeat may begin and end anywhere and each choice be taken either way. Negative if none are."""
    if _REPEATED_GROUP.search(text) or _UNKNOWN.search(text):
        return -1
    steps = _STEPS >> min(text.count("|"), _STEPS.bit_length())
    return int(steps ** (1 / (len(_REPEATED.findall(text)) + 1))) - 1


def matches(left: Any, right: Any, check: Callable[[], None] | None = None) -> bool | None:
    """``left =~ right``. ``check`` is called before it takes long, and raises if it must not.

    :raises QueryTypeError: the pattern is no text.
    :raises QueryArgumentError: it is no regular expression, or too large a one.
    :raises RegularExpressionTooSlow: the match was given up.
    """
    if left is None or right is None:
        return None
    if type(right) is not str:
        raise QueryTypeError(f"=~ needs a string pattern, got {v.type_name(right)}")
    if type(left) is not str:
        return None
    pattern = _compiled(right)
    if len(left) <= pattern.quick_chars:
        return pattern.fullmatch(left) is not None
    try:
        return pattern.fullmatch(left, timeout=REGEX_HELD_SECONDS) is not None
    except TimeoutError:
        if check is not None:
            check()
    try:
        return pattern.fullmatch(left, timeout=REGEX_SECONDS, concurrent=True) is not None
    except TimeoutError as error:
        raise RegularExpressionTooSlow(
            f"the regular expression {_shown(right)} needs more than {REGEX_SECONDS:g} s "
            f"for a text of {len(left):,} characters",
            hint="repeats within repeats try everything: say the same without, or make them "
            "possessive (a++)",
        ) from error


def stoppable(
    operation: Callable[[Any, Any], _T], check: Callable[[], None]
) -> Callable[[Any, Any], _T]:
    """An operator that calls ``check`` before it takes long, if it may."""
    return partial(operation, check=check) if operation is matches else operation


@lru_cache(maxsize=REGEX_KEPT)
def _compiled(text: str) -> _Pattern:
    if _size(text) > REGEX_SIZE_MAX:
        raise _refusal(text, f"it is larger than {REGEX_SIZE_MAX:,} once its repeats are laid out")
    import regex  # a start need not wait for its tables

    try:
        return _Pattern(text, regex.compile(text, cache_pattern=False))
    except (regex.error, OverflowError) as error:
        raise _refusal(text, str(error)) from error
    except RecursionError as error:
        raise _refusal(text, "it nests too deep") from error


def _size(text: str) -> int:
    """An upper bound of what is compiled, in characters: as if each repeated group stood in all
    others. Nothing is made of repeats that may be left out."""
    chars = len(text) + sum(_least(found) for found in _REPEATED.finditer(text))
    for found in _REPEATED_GROUP.finditer(text):
        chars *= _least(found) + 1
        if chars > REGEX_SIZE_MAX:
            break
    return chars


def _least(repeat: re.Match[str]) -> int:
    """How often it must match at least."""
    if repeat["least"] is None:
        return 1 if repeat[0].endswith("+") else 0
    return min(int(repeat["least"][:9] or 0), REGEX_SIZE_MAX)


def _refusal(text: str, why: str) -> QueryArgumentError:
    return QueryArgumentError(
        f"invalid regular expression {_shown(text)}: {why}", detail="InvalidRegularExpression"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…")
