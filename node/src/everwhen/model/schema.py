"""Indexes and constraints as values, and the catalog that holds them.

The catalog is an immutable value: planning is a pure function of text, catalog and statistics.
``Catalog.version`` moves with every schema change, so cached plans know when they are stale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class IndexState(Enum):
    """Life of an index: writes maintain it from *building* on, reads use it once *online*."""

    BUILDING = "POPULATING"
    ONLINE = "ONLINE"
    FAILED = "FAILED"


class ConstraintKind(Enum):
    """What a constraint demands; values are Neo4j's names without the entity prefix."""

    UNIQUE = "UNIQUENESS"
    EXISTS = "PROPERTY_EXISTENCE"
    KEY = "KEY"
    TYPE = "PROPERTY_TYPE"
    #: a vector index: what it demands of its property; what it finds is derived, in memory only
    VECTOR = "VECTOR"
    #: a full-text index: it demands nothing; what it finds is derived, in memory only
    FULLTEXT = "FULLTEXT"


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """A range index over one or more properties of nodes with a label, or of relationships.

    ``entity`` is ``"NODE"`` or ``"RELATIONSHIP"``; ``label`` is the label or the type.
    An entry exists for an entity that has *all* the properties. ``unique`` indexes are owned by
    a constraint (``constraint`` is its name) and are authoritative; others are derived.
    """

    id: int
    name: str
    entity: str
    label: str
    properties: tuple[str, ...]
    unique: bool = False
    constraint: str | None = None
    state: IndexState = IndexState.ONLINE
    percent: float = 100.0
    failure: str = ""
    created_version: int = 0


@dataclass(frozen=True, slots=True)
class ConstraintDefinition:
    """One constraint. ``type_text`` is the normalised type of a TYPE constraint, and the text of
    a VECTOR one's ``model.vector_index.VectorConfig``, a FULLTEXT one's
    ``model.fulltext_index.FulltextConfig``, where all of its labels or types stand; ``label`` is
    the first of them."""

    id: int
    name: str
    kind: ConstraintKind
    entity: str
    label: str
    properties: tuple[str, ...]
    type_text: str = ""
    index: str | None = None
    state: IndexState = IndexState.ONLINE
    percent: float = 100.0
    failure: str = ""

    @property
    def is_index(self) -> bool:
        """An index kept like a constraint: SHOW INDEXES lists it, DROP INDEX drops it."""
        return self.kind in (ConstraintKind.VECTOR, ConstraintKind.FULLTEXT)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All indexes and constraints, by name; iteration order is creation order."""

    version: int = 0
    indexes: dict[str, IndexDefinition] = field(default_factory=dict)
    constraints: dict[str, ConstraintDefinition] = field(default_factory=dict)

    def vector_index(self, name: str) -> ConstraintDefinition | None:
        """The vector index of a name."""
        found = self.constraints.get(name)
        return found if found is not None and found.kind is ConstraintKind.VECTOR else None

    def vector_indexes(self) -> dict[str, ConstraintDefinition]:
        """All vector indexes, by name."""
        kind = ConstraintKind.VECTOR
        return {name: one for name, one in self.constraints.items() if one.kind is kind}

    def fulltext_index(self, name: str) -> ConstraintDefinition | None:
        """The full-text index of a name."""
        found = self.constraints.get(name)
        return found if found is not None and found.kind is ConstraintKind.FULLTEXT else None

    def fulltext_indexes(self) -> dict[str, ConstraintDefinition]:
        """All full-text indexes, by name."""
        kind = ConstraintKind.FULLTEXT
        return {name: one for name, one in self.constraints.items() if one.kind is kind}

    def online_indexes(self, entity: str, label: str) -> list[IndexDefinition]:
        """Indexes a plan may use for a label or type."""
        return [
            index
            for index in self.indexes.values()
            if index.entity == entity and index.label == label and index.state is IndexState.ONLINE
        ]
