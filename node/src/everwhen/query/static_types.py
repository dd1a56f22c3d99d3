"""Types known before running: just enough for openCypher's compile-time errors.

Cypher is dynamically typed; the kit (TCK) demands errors before running only where literals,
pattern variables and a few functions make the type obvious. ``ANY`` is the answer everywhere
else, and nothing is ever refused because of ``ANY`` or ``NULL``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class StaticType:
    """A type; ``inner`` is the element type of a LIST."""

    name: str
    inner: StaticType | None = None

    @property
    def known(self) -> bool:
        return self.name not in ("ANY", "NULL")

    def __str__(self) -> str:
        return self.name if self.inner is None else f"{self.name}<{self.inner}>"


ANY: Final = StaticType("ANY")
NULL: Final = StaticType("NULL")
BOOLEAN: Final = StaticType("BOOLEAN")
INTEGER: Final = StaticType("INTEGER")
FLOAT: Final = StaticType("FLOAT")
STRING: Final = StaticType("STRING")
MAP: Final = StaticType("MAP")
NODE: Final = StaticType("NODE")
RELATIONSHIP: Final = StaticType("RELATIONSHIP")
PATH: Final = StaticType("PATH")
LIST: Final = StaticType("LIST", ANY)

NUMBERS: Final = frozenset({"INTEGER", "FLOAT"})
#: values without properties, labels or elements of their own
SCALARS: Final = frozenset({"BOOLEAN", "INTEGER", "FLOAT", "STRING"})

_OF_VALUE: Final[dict[type, StaticType]] = {
    type(None): NULL,
    bool: BOOLEAN,
    int: INTEGER,
    float: FLOAT,
    str: STRING,
}


def list_of(inner: StaticType) -> StaticType:
    return StaticType("LIST", inner)


def of_value(value: Any) -> StaticType:
    """Type of a literal's value (also of one that was lifted to a parameter)."""
    if isinstance(value, list):
        return list_of(common([of_value(item) for item in value]))
    if isinstance(value, dict):
        return MAP
    return _OF_VALUE.get(type(value), ANY)


def common(types: list[StaticType]) -> StaticType:
    """The one type all have (nulls aside), else ANY."""
    known = {t for t in types if t.name != "NULL"}
    if len(known) == 1:
        return known.pop()
    return NULL if types and not known else ANY


def element_of(container: StaticType) -> StaticType:
    """What one gets out of a list of that type."""
    return container.inner or ANY if container.name == "LIST" else ANY


def arithmetic(operator: str, left: StaticType, right: StaticType) -> StaticType | None:
    """Result type; None if the operands can never go together."""
    if operator == "||":
        return left if left.name in ("STRING", "LIST") else right
    if operator == "+":
        if left.name == "LIST" or right.name == "LIST":
            return LIST
        if "STRING" in (left.name, right.name):
            return ANY if not (left.known and right.known) else STRING
    elif any(t.name in _NOT_ARITHMETIC for t in (left, right)):
        return None
    if left.name in NUMBERS and right.name in NUMBERS:
        both_integers = left.name == right.name == "INTEGER" and operator != "^"
        return INTEGER if both_integers else FLOAT
    return ANY


_NOT_ARITHMETIC: Final = frozenset(
    {"BOOLEAN", "STRING", "LIST", "MAP", "NODE", "RELATIONSHIP", "PATH"}
)

#: what some functions return, where a later compile-time error depends on it
FUNCTION_RESULTS: Final[dict[str, StaticType]] = {
    "nodes": list_of(NODE),
    "relationships": list_of(RELATIONSHIP),
    "startnode": NODE,
    "endnode": NODE,
    "labels": list_of(STRING),
    "keys": list_of(STRING),
    "type": STRING,
    "id": INTEGER,
    "size": INTEGER,
    "length": INTEGER,
    "count": INTEGER,
    "exists": BOOLEAN,
    "properties": MAP,
    "range": list_of(INTEGER),
    "tostring": STRING,
    "tointeger": INTEGER,
    "tofloat": FLOAT,
    "toboolean": BOOLEAN,
}

#: first-argument types that can never work
FUNCTION_REFUSES: Final[dict[str, frozenset[str]]] = {
    "properties": SCALARS | {"LIST", "PATH"},
    "length": SCALARS | {"NODE", "RELATIONSHIP", "MAP", "LIST"},
    "size": frozenset({"BOOLEAN", "INTEGER", "FLOAT", "NODE", "RELATIONSHIP", "PATH", "MAP"}),
    "type": SCALARS | {"NODE", "PATH", "MAP", "LIST"},
    "labels": SCALARS | {"RELATIONSHIP", "PATH", "MAP", "LIST"},
    "nodes": SCALARS | {"NODE", "RELATIONSHIP", "MAP", "LIST"},
    "relationships": SCALARS | {"NODE", "RELATIONSHIP", "MAP", "LIST"},
    "startnode": SCALARS | {"NODE", "PATH", "MAP", "LIST"},
    "endnode": SCALARS | {"NODE", "PATH", "MAP", "LIST"},
}

#: declared procedure argument types and the static types they can never take
_ACCEPTS: Final[dict[str, frozenset[str]]] = {
    "INTEGER": frozenset({"INTEGER"}),
    "FLOAT": frozenset({"INTEGER", "FLOAT"}),
    "NUMBER": frozenset({"INTEGER", "FLOAT"}),
    "STRING": frozenset({"STRING"}),
    "BOOLEAN": frozenset({"BOOLEAN"}),
    "MAP": frozenset({"MAP", "NODE", "RELATIONSHIP"}),
    "NODE": frozenset({"NODE"}),
    "RELATIONSHIP": frozenset({"RELATIONSHIP"}),
    "PATH": frozenset({"PATH"}),
}


def accepts(declared: str, given: StaticType) -> bool:
    """Whether an argument declared as ``declared`` may be ``given``."""
    if not given.known:
        return True
    word = declared.rstrip("?").strip().upper()
    if word.startswith("LIST"):
        return given.name == "LIST"
    allowed = _ACCEPTS.get(word)
    return allowed is None or given.name in allowed
