"""Values that Python has no type for, and elements of the graph.

Temporal values become those of ``datetime`` where these hold them exactly; nanoseconds and years
beyond 1 to 9999, which they cannot hold, come as ``Temporal``, so nothing is ever rounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """A node as it was when it was read. Equal means: the same node."""

    element_id: str
    labels: frozenset[str] = field(compare=False)
    properties: Mapping[str, Any] = field(compare=False)

    def __getitem__(self, key: str) -> Any:
        return self.properties[key]

    def get(self, key: str, default: Any = None) -> Any:
        """A property, or ``default``."""
        return self.properties.get(key, default)


@dataclass(frozen=True, slots=True)
class Relationship:
    """A relationship as it was when it was read. Equal means: the same relationship."""

    element_id: str
    type: str = field(compare=False)
    start: str = field(compare=False)
    end: str = field(compare=False)
    properties: Mapping[str, Any] = field(compare=False)

    def __getitem__(self, key: str) -> Any:
        return self.properties[key]

    def get(self, key: str, default: Any = None) -> Any:
        """A property, or ``default``."""
        return self.properties.get(key, default)


@dataclass(frozen=True, slots=True)
class Path:
    """Nodes and the relationships between them, one fewer."""

    nodes: tuple[Node, ...]
    relationships: tuple[Relationship, ...]

    def __len__(self) -> int:
        return len(self.relationships)

    def __iter__(self) -> Iterator[Relationship]:
        return iter(self.relationships)


@dataclass(frozen=True, slots=True)
class Point:
    """A place: reference system (4326, 4979, 7203, 9157) and two or three coordinates."""

    srid: int
    coordinates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Duration:
    """Months, days and seconds stay apart, as their lengths differ from day to day.

    ``nanoseconds`` lies in 0 to 999,999,999; ``seconds`` may be negative.
    """

    months: int = 0
    days: int = 0
    seconds: int = 0
    nanoseconds: int = 0


@dataclass(frozen=True, slots=True)
class Temporal:
    """A temporal value that ``datetime`` cannot hold: its kind (``ZonedDateTime``) and its text."""

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text
