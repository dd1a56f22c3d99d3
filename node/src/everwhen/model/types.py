"""Types as text: ``x IS :: INTEGER NOT NULL``, property type constraints, ``valueType()``.

Type texts come normalised from the parser: ``LIST<STRING NOT NULL>``, ``ANY<INTEGER | FLOAT>``.
A type includes null unless it says NOT NULL; ``ANY<…>`` includes what a member includes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from everwhen.errors import QueryArgumentError
from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.spatial import Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.value_text import TYPE_NAMES
from everwhen.model.vector import Vector

Test = Callable[[Any], bool]

_STORABLE: Final = frozenset(
    {
        bool,
        int,
        float,
        str,
        bytes,
        Date,
        LocalTime,
        Time,
        LocalDateTime,
        DateTime,
        Duration,
        Point,
        Vector,
    }
)
_CLASSES: Final[dict[str, type]] = {name: kind for kind, name in TYPE_NAMES.items()}


def matches_type(value: Any, text: str) -> bool:
    """Whether a value belongs to a type.

    :raises QueryArgumentError: the text is no type.
    """
    return _test_of(text)(value)


def storable(value: Any) -> bool:
    """Whether a value can be a property: a scalar, or a list of scalars of any storable type."""
    kind = type(value)
    if kind is list:
        return all(type(item) in _STORABLE for item in value)
    return kind in _STORABLE


def _no_type(text: str) -> QueryArgumentError:
    return QueryArgumentError(f"`{text}` is not a type", detail="InvalidArgumentValue")


@lru_cache(maxsize=512)
def _test_of(text: str) -> Test:
    reader = _Reader(text)
    test = reader.type()
    if reader.rest:
        raise _no_type(text)
    return test


class _Reader:
    """Reads a normalised type from the front of ``rest``."""

    def __init__(self, text: str) -> None:
        self.rest = text.strip()

    def take(self, token: str) -> bool:
        if not self.rest.startswith(token):
            return False
        self.rest = self.rest[len(token) :].lstrip()
        return True

    def type(self) -> Test:
        members = [self.member()]
        while self.take("|"):
            members.append(self.member())
        if len(members) == 1:
            return members[0]
        return lambda value: any(member(value) for member in members)

    def member(self) -> Test:
        for name in _NAMES:
            if self.take(name):
                break
        else:
            raise _no_type(self.rest)
        inner = None
        if name in ("LIST", "ANY") and self.take("<"):
            inner = self.type()
            if not self.take(">"):
                raise _no_type(self.rest)
        if name == "ANY" and inner is not None:
            return inner
        test = _list_of(inner) if inner is not None else _TESTS[name]
        nullable = not (self.take("NOT NULL") or self.take("!"))
        if name in ("NOTHING", "NULL"):
            return test
        return lambda value: nullable if value is None else test(value)


def _is_class(kind: type) -> Test:
    return lambda value: type(value) is kind


def _list_of(inner: Test) -> Test:
    return lambda value: type(value) is list and all(inner(item) for item in value)


_TESTS: Final[dict[str, Test]] = {
    **{name: _is_class(kind) for name, kind in _CLASSES.items()},
    "NULL": lambda value: value is None,
    "NOTHING": lambda value: False,
    "PROPERTY VALUE": storable,
    "ANY": lambda value: True,
}
#: longest first, so that LOCAL DATETIME is not read as another type
_NAMES: Final = sorted(_TESTS, key=len, reverse=True)


# --- valueType() ---------------------------------------------------------------------------

#: order of the members of a union (Neo4j manual, "valueType()")
_UNION_ORDER: Final = [
    bool,
    str,
    int,
    float,
    Date,
    LocalTime,
    Time,
    LocalDateTime,
    DateTime,
    Duration,
    Point,
    bytes,
    Vector,
    Node,
    Relationship,
    dict,
    list,
    Path,
]


def value_type(value: Any) -> str:
    """``INTEGER NOT NULL``, ``LIST<INTEGER NOT NULL | STRING NOT NULL> NOT NULL``, ``NULL``."""
    if value is None:
        return "NULL"
    return f"{_bare_type(value)} NOT NULL"


def _bare_type(value: Any) -> str:
    kind = type(value)
    if kind is Vector:
        return str(value.type_text())
    if kind is not list:
        return TYPE_NAMES[kind]
    if not value:
        return "LIST<NOTHING>"
    nullable = any(item is None for item in value)
    found: dict[str, int] = {}
    for item in value:
        if item is not None:
            found.setdefault(_bare_type(item), _UNION_ORDER.index(type(item)))
    if not found:
        return "LIST<NULL>"
    suffix = "" if nullable else " NOT NULL"
    members = sorted(found, key=lambda text: (found[text], text))
    return f"LIST<{' | '.join([member + suffix for member in members])}>"
