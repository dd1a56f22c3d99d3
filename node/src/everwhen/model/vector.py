"""Vectors: a fixed number of coordinates of one element type."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from everwhen.errors import QueryArgumentError

#: element type -> struct code
ELEMENT_TYPES: Final = {
    "INTEGER8": "b",
    "INTEGER16": "h",
    "INTEGER32": "i",
    "INTEGER64": "q",
    "FLOAT32": "f",
    "FLOAT64": "d",
}
DIMENSIONS_MAX: Final = 4_096


class Vector:
    """``data`` is big endian, packed. Equal when element type and data are."""

    __slots__ = ("data", "element")

    def __init__(self, element: str, data: bytes) -> None:
        self.element = element
        self.data = data

    @classmethod
    def of(cls, element: str, values: Iterable[float]) -> Vector:
        """From coordinates.

        :raises QueryArgumentError: unknown type, or a coordinate does not fit.
        """
        code = ELEMENT_TYPES.get(element)
        if code is None:
            raise QueryArgumentError(f"unknown vector element type {element!r}")
        numbers = list(values)
        if not 1 <= len(numbers) <= DIMENSIONS_MAX:
            raise QueryArgumentError(
                f"a vector has 1 to {DIMENSIONS_MAX} dimensions, got {len(numbers)}"
            )
        if code not in "fd":
            numbers = [int(number) for number in numbers]
        try:
            return cls(element, struct.pack(f">{len(numbers)}{code}", *numbers))
        except (struct.error, OverflowError) as error:
            raise QueryArgumentError(f"a coordinate does not fit {element}: {error}") from error

    @property
    def dimensions(self) -> int:
        return len(self.data) // struct.calcsize(ELEMENT_TYPES[self.element])

    def values(self) -> tuple[float, ...]:
        """The coordinates."""
        return struct.unpack(f">{self.dimensions}{ELEMENT_TYPES[self.element]}", self.data)

    def text(self) -> str:
        """As a call of ``vector``."""
        inner = ", ".join(repr(value) for value in self.values())
        return f"vector([{inner}], {self.dimensions}, {self.element})"

    def __eq__(self, other: object) -> bool:
        return type(other) is Vector and (self.element, self.data) == (other.element, other.data)

    def __hash__(self) -> int:
        return hash((self.element, self.data))

    def __repr__(self) -> str:
        return self.text()
