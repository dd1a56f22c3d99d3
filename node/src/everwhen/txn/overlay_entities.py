"""A snapshot with a transaction's own writes on top: single entities.

While nothing was written, calls go to the snapshot directly: its bound methods stand in the
instance's ``__dict__`` and so hide this class's own (``_delegate``). The first write takes them
away. Elements always carry the transaction as their view, so variables bound before a write show
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from everwhen.errors import EntityNotFound
from everwhen.model.changes import ChangeRecord
from everwhen.model.elements import Node, Relationship, Value
from everwhen.model.graph import Difference, EntityKind, Era, GraphView, RangeView, Span
from everwhen.model.schema import Catalog
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.txn.buffer import Buffer, RelationshipDraft
from everwhen.txn.footprint import ReadSet

#: methods that the snapshot itself may answer while the buffer is empty
_DELEGATED: Final = (
    "count_nodes",
    "degree",
    "expand",
    "expand_into",
    "has_node",
    "has_relationship",
    "index_prefix",
    "index_range",
    "index_scan",
    "index_seek",
    "node",
    "node_count",
    "node_labels",
    "node_properties",
    "node_property",
    "nodes",
    "nodes_with_label",
    "relationship",
    "relationship_count",
    "relationship_properties",
    "relationship_property",
    "relationships",
)


def deleted_error(kind: str, identity: int) -> EntityNotFound:
    """What reading or writing a deleted (or never visible) entity raises."""
    return EntityNotFound(
        f"{kind} with id {identity} has been deleted in this transaction or does not exist",
        detail="DeletedEntityAccess",
    )


class EntityOverlay:
    """What both halves of the view share, and reads of single entities by id."""

    def __init__(self, snapshot: GraphSnapshot, serializable: bool) -> None:
        self._snapshot = snapshot
        self._buffer = Buffer()
        self._reads: ReadSet | None = ReadSet(snapshot.node_labels) if serializable else None
        self._bind()

    def _bind(self) -> None:
        """Let the snapshot's elements carry this view."""
        self._snapshot.bind(self)

    def _unbind(self) -> None:
        """Break the circle between the two, so that neither waits for a collection."""
        self._undelegate()
        self._snapshot.bind(None)

    def _delegate(self) -> None:
        if self._reads is None and self._buffer.empty:
            for name in _DELEGATED:
                self.__dict__[name] = getattr(self._snapshot, name)

    def _undelegate(self) -> None:
        if _DELEGATED[0] in self.__dict__:
            for name in _DELEGATED:
                del self.__dict__[name]

    # --- the view itself ---

    @property
    def version(self) -> int:
        return self._snapshot.version

    @property
    def writable(self) -> bool:
        return True

    @property
    def catalog(self) -> Catalog:
        return self._snapshot.catalog

    def history(self, kind: EntityKind, identity: int) -> Iterator[Era]:
        self._note_read(kind, identity)
        return self._snapshot.history(kind, identity)

    def _note_read(self, kind: EntityKind, identity: int) -> None:
        if self._reads is None:
            return
        if kind is EntityKind.NODE:
            self._reads.node(identity)
        else:
            found = self._snapshot.relationship(identity)
            self._reads.relationship(identity, found.type if found is not None else "")

    def spans(self, kind: EntityKind, identity: int) -> Sequence[Span]:
        self._note_read(kind, identity)
        return () if self._buffer.touches(kind, identity) else self._snapshot.spans(kind, identity)

    def time_of(self, version: int) -> int:
        return self._snapshot.time_of(version)

    def between(self, low: int, high: int) -> RangeView:
        return self._snapshot.between(low, high)

    def differences(self, since: int) -> Iterator[Difference]:
        return self._snapshot.differences(since)

    def changes(
        self, since: int | None, tick: Callable[[], None] | None = None
    ) -> Iterator[ChangeRecord]:
        return self._snapshot.changes(since, tick)

    def at_version(self, version: int) -> GraphView:
        return self._snapshot.at_version(version)

    def version_at(self, time_micros: int) -> int:
        return self._snapshot.version_at(time_micros)

    # --- single entities ---

    def has_node(self, node_id: int) -> bool:
        if self._reads is not None:
            self._reads.node(node_id)
        return self._has_node(node_id)

    def _has_node(self, node_id: int) -> bool:
        buffer = self._buffer
        if node_id in buffer.deleted_nodes:
            return False
        return node_id in buffer.created_nodes or self._snapshot.has_node(node_id)

    def has_relationship(self, relationship_id: int) -> bool:
        return self.relationship(relationship_id) is not None

    def node(self, node_id: int) -> Node | None:
        if self._reads is not None:
            self._reads.node(node_id)
        return Node(node_id, self) if self._has_node(node_id) else None

    def relationship(self, relationship_id: int) -> Relationship | None:
        buffer = self._buffer
        if relationship_id in buffer.deleted_relationships:
            return None
        draft = buffer.created_relationships.get(relationship_id)
        if draft is not None:
            return self._drafted(relationship_id, draft)
        found = self._snapshot.relationship(relationship_id)
        if found is not None:
            found.view = self
        if self._reads is not None:
            self._reads.relationship(relationship_id, found.type if found is not None else "")
        return found

    def _drafted(self, relationship_id: int, draft: RelationshipDraft) -> Relationship:
        return Relationship(relationship_id, draft.type, draft.start, draft.end, self)

    def node_labels(self, node_id: int) -> tuple[str, ...]:
        if self._reads is not None:
            self._reads.node(node_id)
        return self._node_labels(node_id)

    def _node_labels(self, node_id: int) -> tuple[str, ...]:
        buffer = self._buffer
        if node_id in buffer.deleted_nodes:
            raise deleted_error("Node", node_id)
        draft = buffer.created_nodes.get(node_id)
        if draft is not None:
            return tuple(sorted(draft.labels))
        labels = self._snapshot.node_labels(node_id)
        change = buffer.changed_nodes.get(node_id)
        if change is None or not change.labels:
            return labels
        there = change.labels
        kept = [name for name in labels if there.get(name, True)]
        kept.extend(name for name, added in there.items() if added and name not in labels)
        return tuple(sorted(kept))

    def node_properties(self, node_id: int) -> Mapping[str, Value]:
        if self._reads is not None:
            self._reads.node(node_id)
        return self._node_properties(node_id)

    def _node_properties(self, node_id: int) -> Mapping[str, Value]:
        buffer = self._buffer
        if node_id in buffer.deleted_nodes:
            raise deleted_error("Node", node_id)
        draft = buffer.created_nodes.get(node_id)
        if draft is not None:
            return _ascending(draft.properties)
        change = buffer.changed_nodes.get(node_id)
        properties = self._snapshot.node_properties(node_id)
        if change is None or not change.properties:
            return properties
        return _patched(properties, change.properties)

    def node_property(self, node_id: int, key: str) -> Value:
        if self._reads is not None:
            self._reads.node(node_id)
        return self._node_property(node_id, key)

    def _node_property(self, node_id: int, key: str) -> Value:
        buffer = self._buffer
        if node_id in buffer.deleted_nodes:
            raise deleted_error("Node", node_id)
        change = buffer.changed_nodes.get(node_id)
        if change is not None and key in change.properties:
            return change.properties[key]
        draft = buffer.created_nodes.get(node_id)
        if draft is not None:
            return draft.properties.get(key)
        return self._snapshot.node_property(node_id, key)

    def relationship_properties(self, relationship_id: int) -> Mapping[str, Value]:
        self._note_relationship(relationship_id)
        return self._relationship_properties(relationship_id)

    def _relationship_properties(self, relationship_id: int) -> Mapping[str, Value]:
        buffer = self._buffer
        if relationship_id in buffer.deleted_relationships:
            raise deleted_error("Relationship", relationship_id)
        draft = buffer.created_relationships.get(relationship_id)
        if draft is not None:
            return _ascending(draft.properties)
        properties = self._snapshot.relationship_properties(relationship_id)
        change = buffer.changed_relationships.get(relationship_id)
        return properties if change is None else _patched(properties, change)

    def relationship_property(self, relationship_id: int, key: str) -> Value:
        self._note_relationship(relationship_id)
        return self._relationship_property(relationship_id, key)

    def _relationship_property(self, relationship_id: int, key: str) -> Value:
        buffer = self._buffer
        if relationship_id in buffer.deleted_relationships:
            raise deleted_error("Relationship", relationship_id)
        change = buffer.changed_relationships.get(relationship_id)
        if change is not None and key in change:
            return change[key]
        draft = buffer.created_relationships.get(relationship_id)
        if draft is not None:
            return draft.properties.get(key)
        return self._snapshot.relationship_property(relationship_id, key)

    def _note_relationship(self, relationship_id: int) -> None:
        if self._reads is not None and relationship_id not in self._buffer.created_relationships:
            found = self._snapshot.relationship(relationship_id)
            self._reads.relationship(relationship_id, found.type if found is not None else "")


def _ascending(properties: Mapping[str, Value]) -> dict[str, Value]:
    return {key: properties[key] for key in sorted(properties)}


def _patched(properties: Mapping[str, Value], change: Mapping[str, Value]) -> dict[str, Value]:
    joined = {**properties, **change}
    return {key: joined[key] for key in sorted(joined) if joined[key] is not None}
