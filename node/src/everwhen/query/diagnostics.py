"""Where in a query text an error is, shown so that a person finds it at once.

The parser and the binder keep plain offsets; line, column, the excerpt and the caret are made
here, only when an error is really raised. The form follows Neo4j's, which clients know::

    Invalid input 'RETRUN': expected a clause (line 1, column 11)
    MATCH (n) RETRUN n
              ^
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from everwhen.errors import Position, QuerySyntaxError

#: characters of a long line shown on each side of the caret
EXCERPT_CHARS: Final = 60
#: how alike a name must be to be worth suggesting (difflib ratio)
SIMILARITY_MIN: Final = 0.72
#: names longer than this are not compared: difflib is quadratic
SUGGEST_CHARS_MAX: Final = 64


def position(text: str, offset: int) -> Position:
    """Line and column of an offset; an offset outside the text is moved to its nearer end."""
    offset = min(max(offset, 0), len(text))
    line_start = text.rfind("\n", 0, offset) + 1
    return Position(offset, text.count("\n", 0, offset) + 1, offset - line_start + 1)


def caret(text: str, offset: int) -> str:
    """The line of the offset and a line with a caret below the place."""
    offset = min(max(offset, 0), len(text))
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    before, after = text[start:offset], text[offset:end].rstrip("\r")
    if len(before) > EXCERPT_CHARS:
        before = "…" + before[-EXCERPT_CHARS:]
    if len(after) > EXCERPT_CHARS:
        after = after[:EXCERPT_CHARS] + "…"
    shown = _printable(before)
    return f"{shown}{_printable(after)}\n{' ' * len(shown)}^"


def _printable(text: str) -> str:
    """One cell a character: a tab or control character would push the caret out of place."""
    return "".join(char if char.isprintable() else " " for char in text)


def suggest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like ``word`` (case ignored), if one is like it at all."""
    if len(word) > SUGGEST_CHARS_MAX:
        return None
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    folded = word.casefold()
    found = get_close_matches(folded, list(by_folded), n=1, cutoff=SIMILARITY_MIN)
    return by_folded[found[0]] if found else None


def query_error(
    text: str,
    offset: int,
    problem: str,
    *,
    hint: str | None = None,
    detail: str = "UnexpectedSyntax",
    error: type[QuerySyntaxError] = QuerySyntaxError,
) -> QuerySyntaxError:
    """An error at a place of a query text, ready to raise.

    ``error`` may be ``SemanticError``: the binder reports with this function too.
    """
    where = position(text, offset)
    message = f"{problem} (line {where.line}, column {where.column})\n{caret(text, offset)}"
    return error(message, hint=hint, position=where, detail=detail)
