"""Does a value have a type? For ``IS ::`` and for type constraints.

Types arrive as normalised text (``query`` writes it): ``INTEGER``, ``STRING NOT NULL``,
``LIST<FLOAT NOT NULL>``, unions joined by `` | ``. Null belongs to every type that does not say
``NOT NULL``; ``NOTHING`` has no value at all, ``NULL`` only null.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from everwhen.errors import QueryArgumentError
from everwhen.model.value_text import type_name

_NOT_NULL: Final = " NOT NULL"
_NOT_STORABLE: Final = frozenset({"NULL", "MAP", "NODE", "RELATIONSHIP", "PATH"})
_NAMED: Final = frozenset(
    {
        "BOOLEAN",
        "STRING",
        "INTEGER",
        "FLOAT",
        "BYTES",
        "DATE",
        "LOCAL TIME",
        "ZONED TIME",
        "LOCAL DATETIME",
        "ZONED DATETIME",
        "DURATION",
        "POINT",
        "NODE",
        "RELATIONSHIP",
        "PATH",
        "MAP",
        "VECTOR",
    }
)

_Test = Callable[[Any], bool]


def matches_type(value: Any, text: str) -> bool:
    """Whether ``value`` belongs to the type.

    :raises QueryArgumentError: ``text`` is no type.
    """
    return _test(text)(value)


@lru_cache(maxsize=1_000)
def _test(text: str) -> _Test:
    members = _split(text)
    if len(members) == 1:
        return _single(text)
    tests = [_single(member) for member in members]
    return lambda value: any(test(value) for test in tests)


def _split(text: str) -> list[str]:
    """The members of a union, at the outer level only."""
    members = []
    depth = start = 0
    for at, character in enumerate(text):
        if character == "<":
            depth += 1
        elif character == ">":
            depth -= 1
        elif character == "|" and depth == 0:
            members.append(text[start:at].strip())
            start = at + 1
    members.append(text[start:].strip())
    return members


def _single(text: str) -> _Test:
    nullable = not text.endswith(_NOT_NULL)
    test = _named(text if nullable else text[: -len(_NOT_NULL)])
    if nullable and text != "NOTHING":
        return lambda value: value is None or test(value)
    return lambda value: value is not None and test(value)


def _named(name: str) -> _Test:
    if name.startswith("LIST<") and name.endswith(">"):
        inner = _test(name[5:-1])
        return lambda value: type(value) is list and all(inner(item) for item in value)
    if name == "LIST":
        return lambda value: type(value) is list
    if name == "ANY":
        return lambda value: True
    if name in ("NOTHING", "NULL"):
        return lambda value: False
    if name == "PROPERTY VALUE":
        return _is_property
    if name not in _NAMED:
        raise QueryArgumentError(f"`{name}` is not a type")
    return lambda value: type_name(value) == name


def _is_property(value: Any) -> bool:
    if type(value) is list:
        return all(
            item is not None and type(item) is not list and _is_property(item) for item in value
        )
    return type_name(value) not in _NOT_STORABLE
