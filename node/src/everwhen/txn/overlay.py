"""A snapshot with a transaction's own writes on top: the reading half of a transaction.

While nothing was written, calls go to the snapshot directly: its bound methods stand in the
instance's ``__dict__`` and so hide this class's own (``_delegate``). The first write takes them
away. Elements always carry the transaction as their view, so variables bound before a write show
it.

Iterators capture what they need when they are made (see ``txn.buffer``); the generators below are
therefore always started by a method that evaluates the capture first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, TypeVar

from everwhen.errors import EntityNotFound
from everwhen.model.elements import Node, Relationship, Value
from everwhen.model.graph import Direction, GraphView
from everwhen.model.schema import Catalog
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.txn.buffer import NEVER, Buffer, RelationshipDraft
from everwhen.txn.footprint import ReadSet

#: methods that the snapshot itself may answer while the buffer is empty
_DELEGATED: Final = (
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


class Overlay:
    """GraphView over a snapshot and a buffer, without the index reads (``txn.overlay_index``)."""

    def __init__(self, snapshot: GraphView, serializable: bool) -> None:
        self._snapshot = snapshot
        self._buffer = Buffer()
        self._reads: ReadSet | None = ReadSet(snapshot.node_labels) if serializable else None
        #: whether the snapshot's elements carry this view already
        self._bound = False
        self._bind()
        self._delegate()

    def _bind(self) -> None:
        self._bound = isinstance(self._snapshot, GraphSnapshot)
        if isinstance(self._snapshot, GraphSnapshot):
            self._snapshot.view = self

    def _delegate(self) -> None:
        if self._bound and self._reads is None and self._buffer.empty:
            for name in _DELEGATED:
                self.__dict__[name] = getattr(self._snapshot, name)

    def _undelegate(self) -> None:
        for name in _DELEGATED:
            self.__dict__.pop(name, None)

    # --- the view itself ---

    @property
    def version(self) -> int:
        return self._snapshot.version

    @property
    def catalog(self) -> Catalog:
        return self._snapshot.catalog

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

    # --- scans ---

    def nodes(self) -> Iterator[Node]:
        if self._reads is not None:
            self._reads.label()
        base = self._alive_nodes(self._snapshot.nodes())
        ids, count = self._buffer.created_node_ids.capture()
        if not count:
            return base
        return _merged(base, self._created(ids, count, self._buffer.stamp))

    def _created(self, ids: list[int], count: int, stamp: int) -> Iterator[Node]:
        deleted = self._buffer.deleted_nodes
        for at in range(count):
            identity = ids[at]
            if deleted.get(identity, NEVER) > stamp:
                yield Node(identity, self)

    def _alive_nodes(self, base: Iterator[Node]) -> Iterator[Node]:
        if self._buffer.deleted_nodes:
            return self._undeleted_nodes(base, self._buffer.stamp)
        return base if self._bound else self._own_nodes(base)

    def _own_nodes(self, base: Iterator[Node]) -> Iterator[Node]:
        for node in base:
            node.view = self
            yield node

    def _undeleted_nodes(self, base: Iterator[Node], stamp: int) -> Iterator[Node]:
        deleted = self._buffer.deleted_nodes
        for node in base:
            if deleted.get(node.id, NEVER) > stamp:
                node.view = self
                yield node

    def nodes_with_label(self, label: str) -> Iterator[Node]:
        if self._reads is not None:
            self._reads.label(label)
        base = self._alive_nodes(self._snapshot.nodes_with_label(label))
        draft = self._buffer.labels.get(label)
        if draft is None:
            return base
        draft.shared = True
        return self._labelled(base, draft.members, self._buffer.stamp)

    def _labelled(
        self, base: Iterator[Node], members: dict[int, bool], stamp: int
    ) -> Iterator[Node]:
        deleted = self._buffer.deleted_nodes
        gained = sorted(
            node for node, there in members.items() if there and deleted.get(node, NEVER) > stamp
        )
        kept = (node for node in base if node.id not in members)
        return _merged(kept, (Node(identity, self) for identity in gained))

    def relationships(self, types: Sequence[str] | None = None) -> Iterator[Relationship]:
        if self._reads is not None:
            self._reads.types(types)
        base = self._alive_relationships(self._snapshot.relationships(types))
        ids, count = self._buffer.created_relationship_ids.capture()
        if not count:
            return base
        own = self._created_relationships(ids, count, types, self._buffer.stamp)
        return _merged(base, own)

    def _created_relationships(
        self, ids: list[int], count: int, types: Sequence[str] | None, stamp: int
    ) -> Iterator[Relationship]:
        deleted = self._buffer.deleted_relationships
        drafts = self._buffer.created_relationships
        for at in range(count):
            identity = ids[at]
            draft = drafts[identity]
            if deleted.get(identity, NEVER) > stamp and (types is None or draft.type in types):
                yield self._drafted(identity, draft)

    def _alive_relationships(self, base: Iterator[Relationship]) -> Iterator[Relationship]:
        if self._buffer.deleted_relationships:
            return self._undeleted_relationships(base, self._buffer.stamp)
        return base if self._bound else self._own_relationships(base)

    def _own_relationships(self, base: Iterator[Relationship]) -> Iterator[Relationship]:
        for relationship in base:
            relationship.view = self
            yield relationship

    def _undeleted_relationships(
        self, base: Iterator[Relationship], stamp: int
    ) -> Iterator[Relationship]:
        deleted = self._buffer.deleted_relationships
        for relationship in base:
            if deleted.get(relationship.id, NEVER) > stamp:
                relationship.view = self
                yield relationship

    # --- adjacency ---

    def expand(
        self, node_id: int, direction: Direction, types: Sequence[str] | None = None
    ) -> Iterator[Relationship]:
        if self._reads is not None:
            self._reads.expand(node_id, direction, types)
        return self._expand(node_id, direction, types)

    def _expand(
        self, node_id: int, direction: Direction, types: Sequence[str] | None
    ) -> Iterator[Relationship]:
        buffer = self._buffer
        if node_id in buffer.deleted_nodes:
            raise deleted_error("Node", node_id)
        own = self._own_expand(node_id, direction, types)
        if node_id in buffer.created_nodes:
            return own if own is not None else iter(())
        base = self._alive_relationships(self._snapshot.expand(node_id, direction, types))
        return base if own is None else chain(base, own)

    def _own_expand(
        self, node_id: int, direction: Direction, types: Sequence[str] | None
    ) -> Iterator[Relationship] | None:
        buffer = self._buffer
        captured = []
        for adjacent, wanted in (
            (buffer.adjacent_out, direction is not Direction.IN),
            (buffer.adjacent_in, direction is not Direction.OUT),
        ):
            ids = adjacent.get(node_id) if wanted else None
            if ids:
                # a loop stands in both lists; BOTH gives it from the first only
                skip = adjacent is buffer.adjacent_in and direction is Direction.BOTH
                captured.append((ids, len(ids), skip))
        return self._walk_own(captured, types, buffer.stamp) if captured else None

    def _walk_own(
        self, captured: list[tuple[list[int], int, bool]], types: Sequence[str] | None, stamp: int
    ) -> Iterator[Relationship]:
        deleted = self._buffer.deleted_relationships
        drafts = self._buffer.created_relationships
        for ids, count, skip_loops in captured:
            for at in range(count):
                identity = ids[at]
                draft = drafts[identity]
                if skip_loops and draft.start == draft.end:
                    continue
                if types is not None and draft.type not in types:
                    continue
                if deleted.get(identity, NEVER) > stamp:
                    yield self._drafted(identity, draft)

    def expand_into(
        self, start: int, end: int, direction: Direction, types: Sequence[str] | None = None
    ) -> Iterator[Relationship]:
        if self._reads is not None:
            self._reads.expand(start, direction, types)
        buffer = self._buffer
        for identity in (start, end):
            if identity in buffer.deleted_nodes:
                raise deleted_error("Node", identity)
        own = self._own_expand(start, direction, types)
        if own is not None:
            own = (one for one in own if one.other(start) == end)
        if start in buffer.created_nodes or end in buffer.created_nodes:
            return own if own is not None else iter(())
        base = self._alive_relationships(self._snapshot.expand_into(start, end, direction, types))
        return base if own is None else chain(base, own)

    def degree(self, node_id: int, direction: Direction, types: Sequence[str] | None = None) -> int:
        if self._reads is not None:
            self._reads.expand(node_id, direction, types)
        buffer = self._buffer
        if node_id in buffer.deleted_nodes:
            raise deleted_error("Node", node_id)
        if buffer.deleted_relationships:
            return sum(1 for _ in self._expand(node_id, direction, types))
        own = self._own_expand(node_id, direction, types)
        count = 0 if own is None else sum(1 for _ in own)
        if node_id not in buffer.created_nodes:
            count += self._snapshot.degree(node_id, direction, types)
        return count

    # --- statistics: estimates, so they leave no read keys ---

    def node_count(self, label: str | None = None) -> int:
        return self._snapshot.node_count(label) + self._buffer.counts.get(("n", label), 0)

    def relationship_count(self, type: str | None = None) -> int:  # noqa: A002
        return self._snapshot.relationship_count(type) + self._buffer.counts.get(("r", type), 0)

    def index_size(self, index_name: str) -> int:
        return self._snapshot.index_size(index_name)

    def index_distinct(self, index_name: str) -> int:
        return self._snapshot.index_distinct(index_name)

    def label_names(self) -> list[str]:
        return self._used_names("n", self._snapshot.label_names(), self.node_count)

    def relationship_type_names(self) -> list[str]:
        names = self._snapshot.relationship_type_names()
        return self._used_names("r", names, self.relationship_count)

    def _used_names(self, kind: str, names: list[str], count: Callable[[str], int]) -> list[str]:
        touched = {name for k, name in self._buffer.counts if k == kind and name is not None}
        if not touched:
            return names
        return sorted(
            name for name in touched.union(names) if name not in touched or count(name) > 0
        )

    def property_key_names(self) -> list[str]:
        return sorted(self._buffer.property_keys.union(self._snapshot.property_key_names()))


def _ascending(properties: Mapping[str, Value]) -> dict[str, Value]:
    return {key: properties[key] for key in sorted(properties)}


def _patched(properties: Mapping[str, Value], change: Mapping[str, Value]) -> dict[str, Value]:
    joined = {**properties, **change}
    return {key: joined[key] for key in sorted(joined) if joined[key] is not None}


_E = TypeVar("_E", Node, Relationship)


def _merged(left: Iterator[_E], right: Iterator[_E]) -> Iterator[_E]:
    """Two iterators ascending by id, without common ids, as one."""
    ours = next(right, None)
    if ours is not None:
        for theirs in left:
            while ours is not None and ours.id < theirs.id:
                yield ours
                ours = next(right, None)
            yield theirs
            if ours is None:
                break
        else:
            yield ours
            yield from right
            return
    yield from left
