"""What commits changed, one record after the other: ``CALL changes`` and change capture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from everwhen.model.graph import EntityKind

#: the schema of records as they leave the database; docs/changes.md tells it
SCHEMA: Final = 1


class Position(NamedTuple):
    """How far the changes were seen: up to a record of a commit, or up to its end."""

    version: int
    #: the last record of that commit that was seen, from 0; None: all of them
    number: int | None = None

    def __str__(self) -> str:
        return str(self.version) if self.number is None else f"{self.version}.{self.number}"


class CommitFacts(NamedTuple):
    """A commit, as its changes tell it."""

    version: int
    #: commit time in µs since 1970 UTC
    time: int
    principal: str
    tag: str
    metadata: Mapping[str, str]


class ChangeRecord(NamedTuple):
    """One change to one node or relationship.

    ``old`` and ``new``: all properties for what was created (``old`` None) or deleted (``new``
    None); else those that changed, null where there is no value.
    """

    commit: CommitFacts
    #: its place among the changes of the commit, from 0
    number: int
    #: created, changed or deleted
    event: str
    kind: EntityKind
    id: int
    #: labels ascending, after the change (of what was deleted: before it), or the one type
    names: tuple[str, ...]
    #: labels before the change, if it changed them
    old_names: tuple[str, ...] | None
    #: of a relationship: where it starts and ends
    ends: tuple[int, int] | None
    old: dict[str, Any] | None
    new: dict[str, Any] | None

    @property
    def position(self) -> Position:
        """Where to go on behind it."""
        return Position(self.commit.version, self.number)


class Names(NamedTuple):
    """Which changes are wanted: of nodes with one of the labels (before or after the change), and
    of relationships with one of the types."""

    labels: frozenset[str]
    types: frozenset[str]

    def want(self, record: ChangeRecord) -> bool:
        """Whether a record is one of them."""
        if record.kind is EntityKind.RELATIONSHIP:
            return record.names[0] in self.types
        return not self.labels.isdisjoint((*record.names, *(record.old_names or ())))
