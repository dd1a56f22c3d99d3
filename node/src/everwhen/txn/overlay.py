"""Scans, adjacency and statistics of a snapshot with a transaction's own writes on top.

Iterators capture what they need when they are made (see ``txn.buffer``); the generators below are
therefore always started by a method that evaluates the capture first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from everwhen.model.columns import GraphColumns
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import Direction
from everwhen.txn.buffer import NEVER
from everwhen.txn.overlay_entities import EntityOverlay, deleted_error


class Overlay(EntityOverlay):
    """GraphView over a snapshot and a buffer, without the index reads (``txn.overlay_index``)."""

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
        return base

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

    def count_nodes(self, label: str | None, tick: Callable[[], None]) -> int:
        if self._buffer.empty:
            if self._reads is not None:
                self._reads.label(*(() if label is None else (label,)))
            return self._snapshot.count_nodes(label, tick)
        count = 0
        for _ in self.nodes() if label is None else self.nodes_with_label(label):
            tick()
            count += 1
        return count

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
        return base

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

    def columns(self, worth: int) -> GraphColumns | None:
        if self._reads is not None or not self._buffer.empty:
            return None
        return self._snapshot.columns(worth)

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
