"""Literals out of a text and into parameters, so that plans are cached by what texts share.

``MATCH (n:A {id: 7}) RETURN n`` and the same with 8 get the same ``key`` and one plan. The law:
putting the values back into the tree of the lifted tokens gives exactly the tree of the text
(tests/unit/query/test_literals.py), column names included; so the result is the same.

What is lifted, and why not more:

* Numbers and strings only, and only after a token that shows an operand to follow (``_BEFORE``)
  or as an argument of a function: nowhere can a parameter then mean anything else.
* Not inside square brackets (a list of constants is one constant, ``*1..3`` is grammar), not
  after a minus sign (``-5`` is one literal), not after ``=~`` (a constant pattern is compiled
  once), not in SKIP and LIMIT (checked when compiling).
* Nothing in a RETURN item without an alias: its text is the column's name.
* Equal literals get one parameter, and a literal that has to stay somewhere stays everywhere:
  ``RETURN n.x + 1 AS y ORDER BY n.x + 1`` must still compare two equal expressions.
* The name says the type (``integer 0``), so that compiling can still refuse ``1 AND true``.
* Only in statements that begin with a query clause, and only up to LITERALS_MAX literals: a text
  that carries its data is not worth a place in the cache.

A text whose lifted form does not compile has to be compiled as it stands: its error then shows
what was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from everwhen.limits import INT_MAX
from everwhen.query.lexer import END, FLOAT, INT, NAME, NAME_START, PARAM, STRING, Tokens, tokenize
from everwhen.query.pretty_words import QUOTED

LITERALS_MAX: Final = 64

_KINDS: Final = {INT: "integer", FLOAT: "float", STRING: "string"}
_STARTS: Final = frozenset((
    "MATCH", "OPTIONAL", "UNWIND", "WITH", "RETURN", "CREATE", "INSERT", "MERGE", "CALL", "FOREACH",
))  # fmt: skip
#: tokens after which an operand stands
_BEFORE: Final = frozenset((
    "=", "<>", "<", "<=", ">", ">=", "+", "*", "/", "%", "^", "||", "+=", ",", ":",
    "AND", "OR", "XOR", "NOT", "CONTAINS", "WITH", "RETURN", "DISTINCT", "CASE", "WHEN", "THEN",
    "ELSE", "UNWIND", "WHERE", "TIME", "TIMESTAMP", "VERSION", "TO",
))  # fmt: skip
_OPENERS: Final = frozenset("([{")
_CLOSERS: Final = frozenset(")]}")
#: after these a literal stays, and may differ from an equal one elsewhere
_APART: Final = frozenset(("SKIP", "OFFSET", "LIMIT", "..", "SHORTEST", "ANY"))


@dataclass(frozen=True, slots=True)
class Lifted:
    """``key`` is a text of the language itself, with parameters for the literals; ``tokens``
    (for ``parse_tokens``) keep the places of the text as it was written."""

    key: str
    parameters: dict[str, Any]
    tokens: Tokens


def lift_literals(text: str) -> Lifted:
    """Raises QuerySyntaxError for a text that has no tokens."""
    tokens = tokenize(text)
    unchanged = Lifted(text, {}, tokens)
    if not _may_lift(tokens):
        return unchanged
    places, staying = _find(tokens)
    found = [(i, kind, value) for i, kind, value in places if (kind, value) not in staying]
    if not found or len(found) > LITERALS_MAX:
        return unchanged
    names: dict[tuple[str, Any], str] = {}
    pieces: list[str] = []
    end = 0
    for i, kind, value in found:
        name = names.setdefault((kind, value), f"{_KINDS[kind]} {len(names)}")
        pieces += (text[end : tokens.starts[i]], "$`", name, "`")
        end = tokens.ends[i]
        tokens.kinds[i] = PARAM
        tokens.values[i] = name
    pieces.append(text[end:])
    return Lifted("".join(pieces), {name: value for (_, value), name in names.items()}, tokens)


def _may_lift(tokens: Tokens) -> bool:
    kinds = tokens.kinds
    if kinds[0] not in _STARTS:
        return False
    if kinds[0] == "CREATE" and kinds[1] != "(" and kinds[2:3] != ["="]:
        return False  # an index or constraint
    # no parameter of the request may have a name like ours
    return not any(
        kind == PARAM and " " in value for kind, value in zip(kinds, tokens.values, strict=True)
    )


def _find(tokens: Tokens) -> tuple[list[tuple[int, str, Any]], set[tuple[str, Any]]]:
    """Literals that may be lifted, as (index, kind, value), and those that have to stay."""
    kinds, values = tokens.kinds, tokens.values
    places: list[tuple[int, str, Any]] = []
    staying: set[tuple[str, Any]] = set()
    named = _unaliased(kinds)
    squares = 0
    for i, kind in enumerate(kinds):
        if kind == "[":
            squares += 1
        elif kind == "]":
            squares -= 1
        elif kind in _KINDS:
            value = values[i]
            if squares == 0 and i not in named and _is_operand(kinds, i, value):
                places.append((i, kind, value))
            elif kinds[i - 1] not in _APART and kinds[i + 1] != "..":
                staying.add((kind, value))
    return places, staying


def _is_operand(kinds: list[str], i: int, value: Any) -> bool:
    before = kinds[i - 1]
    if before == "," and "{" in (kinds[i - 2], kinds[i - 3]) and kinds[i - 2] in ("{", INT):
        return False  # a repetition: {1,3}
    if before in _BEFORE:
        return not (kinds[i] == INT and value > INT_MAX)
    if before == "OF":
        return kinds[i - 2] == "AS"
    if before != "(":
        return False
    function = kinds[i - 2]
    return function[0] in NAME_START and (function == NAME or function not in QUOTED)


def _unaliased(kinds: list[str]) -> set[int]:
    """Tokens of RETURN items that have no alias, in whatever query they stand."""
    found: set[int] = set()
    for start, kind in enumerate(kinds):
        if kind == "RETURN":
            _mark_items(kinds, start + 1, found)
    return found


def _mark_items(kinds: list[str], start: int, found: set[int]) -> None:
    """Walk the items after one RETURN; stop where they end."""
    depth = 0
    aliased = False
    for i in range(start, len(kinds)):
        kind = kinds[i]
        if kind in _OPENERS:
            depth += 1
        elif kind in _CLOSERS:
            depth -= 1
        ends = kind == END or depth < 0
        if depth == 0 and kind == "AS":
            aliased = True
        elif ends or (depth == 0 and kind in (",", "ORDER", "UNION", ";")):
            if not aliased:
                found.update(range(start, i))
            if ends or kind != ",":
                return
            start, aliased = i + 1, False
