"""Vectors: a fixed number of coordinates of one element type, as one immutable value.

Coordinates live in packed bytes (big-endian), because vectors are stored, sent and searched as
blocks; this module is a value type only, the search is elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from struct import Struct
from struct import error as PackError  # noqa: N812 - it is a class
from typing import Any, Final

from everwhen.errors import QueryArgumentError, QueryTypeError

DIMENSIONS_MAX: Final = 4096

#: element type -> struct code; stored by position, so new ones go to the end
ELEMENT_TYPES: Final[dict[str, str]] = {
    "INTEGER8": "b",
    "INTEGER16": "h",
    "INTEGER32": "i",
    "INTEGER64": "q",
    "FLOAT32": "f",
    "FLOAT64": "d",
}
_SIZES: Final = {"b": 1, "h": 2, "i": 4, "q": 8, "f": 4, "d": 8}
_ALIASES: Final = {
    "INT8": "INTEGER8",
    "INT16": "INTEGER16",
    "INT32": "INTEGER32",
    "INT64": "INTEGER64",
    "INT": "INTEGER64",
    "INTEGER": "INTEGER64",
    "SIGNED INTEGER": "INTEGER64",
    "FLOAT": "FLOAT64",
}


class Vector:
    """``element`` is a key of :data:`ELEMENT_TYPES`; ``data`` the packed coordinates."""

    __slots__ = ("data", "element")

    def __init__(self, element: str, data: bytes) -> None:
        self.element = element
        self.data = data

    @classmethod
    def of(cls, values: Sequence[Any], element: str = "FLOAT64") -> Vector:
        """Packs numbers.

        :raises QueryTypeError: not a number.
        :raises QueryArgumentError: out of the element type's range, or too many coordinates.
        """
        if not 1 <= len(values) <= DIMENSIONS_MAX:
            raise QueryArgumentError(
                f"a vector has 1 to {DIMENSIONS_MAX} dimensions, not {len(values)}",
                detail="InvalidArgumentValue",
            )
        for value in values:
            _check_coordinate(value)
        code = ELEMENT_TYPES[element]
        numbers: list[float] = (
            [int(value) for value in values]
            if element.startswith("INTEGER")
            else [float(value) + 0.0 for value in values]  # + 0.0 makes -0.0 into 0.0
        )
        try:
            data = Struct(f">{len(numbers)}{code}").pack(*numbers)
        except (OverflowError, PackError) as error:
            raise QueryArgumentError(
                f"a coordinate is out of the range of {element}", detail="InvalidArgumentValue"
            ) from error
        return cls(element, data)

    def values(self) -> tuple[float, ...]:
        """The coordinates as Python numbers."""
        return Struct(f">{len(self)}{ELEMENT_TYPES[self.element]}").unpack(self.data)

    def type_text(self) -> str:
        """``VECTOR<FLOAT32>(3)``, the name of the type."""
        return f"VECTOR<{self.element}>({len(self)})"

    def order(self) -> tuple[Any, ...]:
        """What vectors are sorted by: element type, then coordinates like a list."""
        return (self.element, self.values())

    def __len__(self) -> int:
        return len(self.data) // _SIZES[ELEMENT_TYPES[self.element]]

    def __iter__(self) -> Iterator[float]:
        return iter(self.values())

    def __eq__(self, other: object) -> bool:
        return type(other) is Vector and other.element == self.element and other.data == self.data

    def __hash__(self) -> int:
        return hash((Vector, self.element, self.data))

    def __str__(self) -> str:
        numbers = ", ".join([repr(value) for value in self.values()])
        return f"vector([{numbers}], {len(self)}, {self.element})"

    def __repr__(self) -> str:
        return f"Vector({self})"


def _check_coordinate(value: Any) -> None:
    if type(value) is not int and type(value) is not float:
        raise QueryTypeError(
            f"a vector's coordinates must be numbers, got {value!r}",
            detail="InvalidArgumentType",
        )
    if type(value) is float and not math.isfinite(value):
        raise QueryArgumentError(
            "a vector's coordinates must be finite", detail="InvalidArgumentValue"
        )


def element_of_name(name: str) -> str:
    """The element type that an NGQL name such as ``FLOAT32`` means.

    :raises QueryArgumentError: no such type.
    """
    found = name.upper().removesuffix(" NOT NULL")
    found = _ALIASES.get(found, found)
    if found not in ELEMENT_TYPES:
        raise QueryArgumentError(
            f"no element type of vectors is named {name!r}",
            hint=f"use one of {', '.join(ELEMENT_TYPES)}",
            detail="InvalidArgumentValue",
        )
    return found
