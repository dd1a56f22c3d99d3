"""The language of full-text queries, as Lucene's classic parser understands it.

::

    word   "some words"   "near words"~3   begin*   w?ld   roam~   roam~1   *:*
    field:word   +must   -mustnot   a AND b   a OR b   NOT a   (a b)   word^2   \\+literal

Parts without a sign are wished for: one of them must match unless another part must. ``AND`` makes
both its neighbours parts that must match, ``NOT`` the next one a part that must not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from everwhen.errors import QueryArgumentError
from everwhen.limits import (
    TEXT_QUERY_CHARS_MAX,
    TEXT_QUERY_DEPTH_MAX,
    TEXT_QUERY_PARTS_MAX,
)


class Occur(Enum):
    """What a part means for the whole."""

    MAY = "may"
    MUST = "must"
    MUST_NOT = "must not"


@dataclass(frozen=True, slots=True)
class Part:
    """Base of the parts. ``field`` is a property, None: any of the index's."""

    field: str | None = None
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Words(Part):
    """A word as it was written (analysis may make several terms of it), or a phrase: its words one
    after the other, at most ``slop`` places moved."""

    text: str = ""
    phrase: bool = False
    slop: int = 0


@dataclass(frozen=True, slots=True)
class Pattern(Part):
    """Terms of a shape: None stands for any characters (``*``), "" for one (``?``), and the others
    for themselves; ``begin`` are those before the first of the two."""

    begin: str = ""
    shape: tuple[str | None, ...] = ()

    def matches(self, term: str) -> bool:
        """Whether a term has the shape; never more steps than its length times the shape's."""
        shape, at, here = self.shape, 0, 0
        star, resume = -1, 0
        while at < len(term):
            if here < len(shape) and shape[here] is None:
                star, resume = here, at
                here += 1
            elif here < len(shape) and shape[here] in ("", term[at]):
                at, here = at + 1, here + 1
            elif star >= 0:
                resume += 1
                at, here = resume, star + 1
            else:
                return False
        return all(one is None for one in shape[here:])


@dataclass(frozen=True, slots=True)
class Near(Part):
    """Terms that differ from a word in at most ``edits`` characters."""

    text: str = ""
    edits: int = 2


@dataclass(frozen=True, slots=True)
class All(Part):
    """Everything in the index."""


@dataclass(frozen=True, slots=True)
class Group(Part):
    """Parts and what they mean."""

    parts: tuple[tuple[Occur, Part], ...] = ()


_SPECIAL: Final = '\\s+\\-!(){}\\[\\]^"~*?:\\\\/'
_TOKEN: Final = re.compile(
    rf"""\s+
    | (?P<and>AND\b|&&) | (?P<or>OR\b|\|\|) | (?P<not>NOT\b|!)
    | (?P<all>\*:\*)
    | (?P<plus>\+) | (?P<minus>-) | (?P<open>\() | (?P<close>\))
    | (?P<phrase>"(?:\\.|[^"\\])*")
    | (?P<boost>\^(?P<by>\d+(?:\.\d*)?|\.\d+))
    | (?P<near>~(?P<edits>\d+(?:\.\d+)?)?)
    | (?P<field>(?:\\.|[^{_SPECIAL}])(?:\\.|[^{_SPECIAL}]|[-+!/])*(?=:))(?::)
    | (?P<word>(?:\\.|[^{_SPECIAL}])(?:\\.|[^{_SPECIAL}]|[-+!/*?])*)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_EDITS_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int
    number: float | None = None


def parse(text: str) -> Group:
    """The parts of a query.

    :raises QueryArgumentError: it makes no sense, with the place.
    """
    if len(text) > TEXT_QUERY_CHARS_MAX:
        raise QueryArgumentError(
            f"the full-text query has {len(text):,} characters, the limit is "
            f"{TEXT_QUERY_CHARS_MAX:,}"
        )
    return _Parser(text).whole()


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(text, at)
        kind = found.lastgroup or ""
        if found["near"] is not None:
            edits = found["edits"]
            yield _Token("near", found[0], at, None if edits is None else float(edits))
        elif found["boost"] is not None:
            yield _Token("boost", found[0], at, float(found["by"]))
        elif kind:
            yield _Token(kind, found[kind], at)
        at = found.end()


def _wrong(text: str, at: int) -> QueryArgumentError:
    what = text[at]
    hint = "put a backslash before a character that is meant as it is"
    if what in "[{":
        hint = "ranges are not part of full-text queries here: compare the property in WHERE"
    elif what in "*?":
        hint = "a word cannot begin with * or ?"
    elif what == '"':
        hint = "the phrase has no end"
    return QueryArgumentError(
        f"the full-text query makes no sense from character {at + 1} on: {text[at : at + 20]!r}",
        hint=hint,
        detail="InvalidArgumentValue",
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._parts = 0

    def whole(self) -> Group:
        group = self._group(None, 0)
        if self._at < len(self._tokens):
            raise _wrong(self._text, self._tokens[self._at].at)
        return group

    def _peek(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def _take(self, *kinds: str) -> _Token | None:
        if self._peek() in kinds:
            self._at += 1
            return self._tokens[self._at - 1]
        return None

    def _group(self, field: str | None, depth: int) -> Group:
        if depth > TEXT_QUERY_DEPTH_MAX:
            raise QueryArgumentError("the full-text query nests too deep")
        parts: list[tuple[Occur, Part]] = []
        while self._peek() not in ("", "close"):
            both = self._joined(bool(parts))
            occur = self._sign()
            part = self._part(field, depth)
            if both:
                before, other = parts[-1]
                if before is Occur.MAY:
                    parts[-1] = (Occur.MUST, other)
                occur = Occur.MUST if occur is Occur.MAY else occur
            parts.append((occur, part))
            self._parts += 1
            if self._parts > TEXT_QUERY_PARTS_MAX:
                raise QueryArgumentError(
                    f"the full-text query has more than {TEXT_QUERY_PARTS_MAX:,} parts"
                )
        return Group(field, 1.0, tuple(parts))

    def _joined(self, inside: bool) -> bool:
        """Whether AND stands before the next part."""
        found = self._take("and", "or")
        if found is not None and (not inside or self._peek() in ("", "close", "and", "or")):
            raise _wrong(self._text, found.at)
        return found is not None and found.kind == "and"

    def _sign(self) -> Occur:
        found = self._take("plus", "minus", "not")
        if found is None:
            return Occur.MAY
        if self._peek() in ("", "close", "plus", "minus", "not", "and", "or"):
            raise _wrong(self._text, found.at)
        return Occur.MUST if found.kind == "plus" else Occur.MUST_NOT

    def _part(self, field: str | None, depth: int) -> Part:
        named = self._take("field")
        if named is not None:
            field = _plain(named.text)
        token = self._take("word", "phrase", "open", "all")
        if token is None:
            at = self._tokens[self._at].at if self._at < len(self._tokens) else None
            raise _wrong(self._text, len(self._text) - 1 if at is None else at)
        part: Part
        if token.kind == "open":
            part = self._group(field, depth + 1)
            if self._take("close") is None:
                raise _wrong(self._text, token.at)
        elif token.kind == "all":
            part = All(field)
        elif token.kind == "phrase":
            slop = self._take("near")
            moved = 0 if slop is None or slop.number is None else int(slop.number)
            part = Words(field, 1.0, _plain(token.text[1:-1]), True, moved)
        else:
            part = self._word(field, token)
        boost = self._take("boost")
        return part if boost is None else replace(part, boost=boost.number or 0.0)

    def _word(self, field: str | None, token: _Token) -> Part:
        near = self._take("near")
        if near is not None:
            edits = _EDITS_MAX if near.number is None else int(near.number)
            if not 0 <= edits <= _EDITS_MAX:
                raise _wrong(self._text, near.at)
            return Near(field, 1.0, _plain(token.text), edits)
        bare = _ESCAPED.sub("", token.text)
        if "*" in bare or "?" in bare:
            return _pattern(field, token.text)
        return Words(field, 1.0, _plain(token.text))


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _pattern(field: str | None, text: str) -> Pattern:
    shape: list[str | None] = []
    begin = ""
    at = 0
    while at < len(text):
        one = text[at]
        if one in "*?":
            shape.append(None if one == "*" else "")
        else:
            if one == "\\":
                at += 1
                one = text[at]
            begin += one if None not in shape and "" not in shape else ""
            shape.append(one)
        at += 1
    return Pattern(field, 1.0, begin, tuple(shape))
