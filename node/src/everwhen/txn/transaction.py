"""One transaction: reads of a snapshot with own writes on top, and the writes themselves.

Nothing here reaches the record. Writes are validated and buffered; ``txn.commit`` turns what is
pending into commands, and apply decides. What can be seen to be wrong already (a duplicate that
the snapshot shows, a value that cannot be stored) is refused at the write, so that the statement
fails where the mistake is; what can only be judged at the end (existence, types, a deleted node
with relationships) is checked by :meth:`Transaction.prepare`.

A transaction belongs to one thread at a time. After an error in a statement it must be thrown
away (as in Neo4j), except for :meth:`savepoint`, which PESSIMISTIC uses to run a statement again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from enum import Enum
from hashlib import blake2b
from itertools import chain
from typing import Final

from everwhen import limits
from everwhen.codec import ordered
from everwhen.errors import (
    AccessModeViolation,
    DeleteConnectedNode,
    MemoryLimitExceeded,
    TransactionConflict,
)
from everwhen.model.elements import Node, Relationship, Value
from everwhen.model.graph import Direction, EntityKind, GraphView
from everwhen.model.schema import IndexDefinition
from everwhen.txn import footprint
from everwhen.txn.buffer import Buffer, NodeDraft, Pending, RelationshipDraft
from everwhen.txn.constraints import ConstraintChecks
from everwhen.txn.overlay import deleted_error
from everwhen.txn.overlay_index import IndexedOverlay
from everwhen.txn.validate import check_count, check_name, check_properties, checked_size

#: rough cost of one buffered entity or change beside its values
_ENTITY_BYTES: Final = 500
_CHANGE_BYTES: Final = 250


class Isolation(Enum):
    """What a transaction is protected from (architecture brief, section 4)."""

    SNAPSHOT = "SNAPSHOT"
    SERIALIZABLE = "SERIALIZABLE"
    PESSIMISTIC = "PESSIMISTIC"


class Transaction(IndexedOverlay):
    """Implements ``GraphView`` and ``GraphWriter``.

    ``allocate_node`` and ``allocate_relationship`` give final ids. ``lock`` is called with write
    keys (``txn.footprint``) before an entity is first written (PESSIMISTIC); it returns when they
    are held, or raises. ``spill`` is called when more is pending than one entry may carry; it
    must take all of it with ``txn.commit.take_chunk``. ``memory_limit`` bounds ``bytes_estimated``.
    """

    def __init__(
        self,
        snapshot: GraphView,
        allocate_node: Callable[[], int],
        allocate_relationship: Callable[[], int],
        *,
        isolation: Isolation = Isolation.SNAPSHOT,
        read_only: bool = False,
        lock: Callable[[list[bytes]], None] | None = None,
        spill: Callable[[Transaction], None] | None = None,
        memory_limit: int = limits.STATEMENT_MEMORY_BYTES_MAX,
    ) -> None:
        super().__init__(snapshot, isolation is Isolation.SERIALIZABLE)
        self.isolation = isolation
        self.read_only = read_only
        self.memory_limit = memory_limit
        self.bytes_estimated = 0
        #: the same for what is pending
        self.pending_bytes = 0
        #: chunks already taken by ``txn.commit.take_chunk``
        self.chunks_taken = 0
        self._allocate_node = allocate_node
        self._allocate_relationship = allocate_relationship
        self._lock = lock if isolation is Isolation.PESSIMISTIC else None
        self._spill = spill
        self._checks = ConstraintChecks(self)

    # --- state ---

    @property
    def has_writes(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self.chunks_taken or len(self._buffer.pending) or self._buffer.pending.merges)

    @property
    def is_large(self) -> bool:
        """Whether chunks have left already."""
        return self.chunks_taken > 0

    @property
    def snapshot(self) -> GraphView:
        """The committed graph underneath."""
        return self._snapshot

    @property
    def pending(self) -> Pending:
        """What the next command must carry (for ``txn.commit``)."""
        return self._buffer.pending

    @property
    def drafts(self) -> Buffer:
        """Everything written so far (for ``txn.commit``)."""
        return self._buffer

    def read_keys(self) -> list[bytes]:
        """Read keys of a SERIALIZABLE transaction; empty otherwise."""
        return [] if self._reads is None else self._reads.keys()

    # --- what the constraint checks ask ---

    def own_properties(self, kind: EntityKind, entity: int) -> Mapping[str, Value]:
        """An entity's properties as this transaction sees them; leaves no read keys."""
        if kind is EntityKind.NODE:
            return self._node_properties(entity)
        return self._relationship_properties(entity)

    def visible_owner(
        self, index: IndexDefinition, values: Sequence[Value], entity: int
    ) -> int | None:
        """Another entity that has these values in a unique index."""
        draft = self._draft(index)
        for other in draft.equal(ordered.encode_tuple(values)):
            if other != entity:
                return other
        for other in self._snapshot.index_seek(index.name, values):
            if other != entity and other not in draft.touched:
                return other
        return None

    def written_entities(self) -> Iterator[tuple[EntityKind, int, Sequence[str]]]:
        """Every entity created or changed and not deleted, with its labels or type."""
        buffer = self._buffer
        for node in chain(buffer.created_nodes, buffer.changed_nodes):
            if node not in buffer.deleted_nodes:
                yield EntityKind.NODE, node, self._node_labels(node)
        for one, draft in buffer.created_relationships.items():
            if one not in buffer.deleted_relationships:
                yield EntityKind.RELATIONSHIP, one, (draft.type,)
        for one in buffer.changed_relationships:
            if one not in buffer.deleted_relationships:
                found = self._snapshot.relationship(one)
                if found is not None:
                    yield EntityKind.RELATIONSHIP, one, (found.type,)

    # --- bookkeeping of a write ---

    def _begin_write(self, cost: int) -> None:
        if self.read_only:
            raise AccessModeViolation("Writing is not allowed in a read-only transaction")
        buffer = self._buffer
        if not buffer.stamp:
            self._undelegate()
        buffer.stamp += 1
        self.bytes_estimated += cost
        self.pending_bytes += cost
        if self.bytes_estimated > self.memory_limit:
            raise MemoryLimitExceeded(
                f"The transaction's own writes need about {self.bytes_estimated} bytes of memory; "
                f"the limit is {self.memory_limit}",
                hint="Split it, for example with CALL { } IN TRANSACTIONS",
            )

    def _end_write(self) -> None:
        if self._spill is not None and (
            len(self._buffer.pending) > limits.MUTATIONS_PER_COMMIT_MAX
            or self.pending_bytes > limits.CHUNK_BYTES
        ):
            self._spill(self)

    def _lock_node(self, node: int) -> None:
        buffer = self._buffer
        if (
            self._lock is not None
            and node not in buffer.created_nodes
            and node not in buffer.changed_nodes
            and node not in buffer.deleted_nodes
        ):
            self._lock([footprint.node_key(node)])

    def lock_value(self, index: IndexDefinition, values: Sequence[Value]) -> None:
        """PESSIMISTIC: take the lock of a value under a unique index."""
        if self._lock is not None:
            encoded = b"".join(ordered.encode(value) for value in values)
            self._lock([footprint.unique_lock_key(index.id, encoded)])

    def _lock_relationship(self, relationship: int) -> None:
        buffer = self._buffer
        if (
            self._lock is not None
            and relationship not in buffer.created_relationships
            and relationship not in buffer.changed_relationships
            and relationship not in buffer.deleted_relationships
        ):
            self._lock([footprint.relationship_key(relationship)])

    # --- creating ---

    def create_node(self, labels: Sequence[str], properties: Mapping[str, Value]) -> Node:
        values = {key: value for key, value in properties.items() if value is not None}
        size = check_properties(values)
        for label in labels:
            check_name(label)
        self._begin_write(_ENTITY_BYTES + size)
        identity = self._allocate_node()
        buffer = self._buffer
        buffer.property_keys.update(values)
        names = set(labels)
        buffer.created_nodes[identity] = NodeDraft(names, values)
        buffer.created_node_ids.add(identity)
        buffer.pending.created_nodes[identity] = None
        buffer.count("n", None, 1)
        for label in sorted(names):
            buffer.label(label).set(identity, True)
            buffer.count("n", label, 1)
        self._checks.unique(EntityKind.NODE, identity, sorted(names), values, None)
        self._reindex_node(identity)
        self._end_write()
        return Node(identity, self)

    def create_relationship(
        self,
        start: int,
        type: str,  # noqa: A002 - the port's name
        end: int,
        properties: Mapping[str, Value],
    ) -> Relationship:
        values = {key: value for key, value in properties.items() if value is not None}
        size = check_properties(values)
        check_name(type)
        for node in (start, end):
            if not self._has_node(node):
                raise deleted_error("Node", node)
        self._begin_write(_ENTITY_BYTES + size)
        identity = self._allocate_relationship()
        buffer = self._buffer
        buffer.property_keys.update(values)
        buffer.created_relationships[identity] = RelationshipDraft(type, start, end, values)
        buffer.created_relationship_ids.add(identity)
        buffer.adjacent_out.setdefault(start, []).append(identity)
        buffer.adjacent_in.setdefault(end, []).append(identity)
        buffer.pending.created_relationships[identity] = None
        buffer.count("r", None, 1)
        buffer.count("r", type, 1)
        self._checks.unique(EntityKind.RELATIONSHIP, identity, (type,), values, None)
        self._reindex_relationship(identity, type)
        self._end_write()
        return Relationship(identity, type, start, end, self)

    # --- changing ---

    def set_property(self, entity: Node | Relationship, key: str, value: Value) -> int:
        check_name(key)
        size = 0 if value is None else checked_size(value)
        if isinstance(entity, Node):
            return self._set_node_property(entity.id, key, value, size)
        return self._set_relationship_property(entity, key, value, size)

    def _set_node_property(self, node: int, key: str, value: Value, size: int) -> int:
        if value is None and self._node_property(node, key) is None:
            return 0
        if not self._has_node(node):
            raise deleted_error("Node", node)
        self._lock_node(node)
        self._begin_write(_CHANGE_BYTES + size)
        buffer = self._buffer
        buffer.property_keys.add(key)
        draft = buffer.created_nodes.get(node)
        if draft is None:
            buffer.node_change(node).properties[key] = value
        elif value is None:
            del draft.properties[key]
        else:
            draft.properties[key] = value
            check_count(len(draft.properties))
        if node not in buffer.pending.created_nodes:
            buffer.pending.node_touch(node).keys[key] = None
        if value is not None and self._checks.any_unique:
            self._checks.unique(EntityKind.NODE, node, self._node_labels(node), None, {key})
        self._reindex_node(node)
        self._end_write()
        return 1

    def _set_relationship_property(
        self, relationship: Relationship, key: str, value: Value, size: int
    ) -> int:
        identity = relationship.id
        buffer = self._buffer
        if identity in buffer.deleted_relationships:
            raise deleted_error("Relationship", identity)
        draft = buffer.created_relationships.get(identity)
        if draft is None and not self._snapshot.has_relationship(identity):
            raise deleted_error("Relationship", identity)
        if value is None and self._relationship_properties(identity).get(key) is None:
            return 0
        self._lock_relationship(identity)
        self._begin_write(_CHANGE_BYTES + size)
        buffer.property_keys.add(key)
        if draft is None:
            buffer.changed_relationships.setdefault(identity, {})[key] = value
        elif value is None:
            del draft.properties[key]
        else:
            draft.properties[key] = value
            check_count(len(draft.properties))
        if identity not in buffer.pending.created_relationships:
            touched = buffer.pending.changed_relationships.setdefault(identity, {})
            touched[key] = None
        if value is not None and self._checks.any_unique:
            self._checks.unique(
                EntityKind.RELATIONSHIP, identity, (relationship.type,), None, {key}
            )
        self._reindex_relationship(identity, relationship.type)
        self._end_write()
        return 1

    def add_labels(self, node_id: int, labels: Sequence[str]) -> int:
        return self._change_labels(node_id, labels, True)

    def remove_labels(self, node_id: int, labels: Sequence[str]) -> int:
        return self._change_labels(node_id, labels, False)

    def _change_labels(self, node: int, labels: Sequence[str], there: bool) -> int:
        for label in labels:
            check_name(label)
        current = set(self._node_labels(node))
        changed = sorted(label for label in set(labels) if (label in current) is not there)
        if not changed:
            return 0
        self._lock_node(node)
        self._begin_write(_CHANGE_BYTES * len(changed))
        buffer = self._buffer
        draft = buffer.created_nodes.get(node)
        change = buffer.node_change(node).labels if draft is None else None
        touch = None
        if node not in buffer.pending.created_nodes:
            touch = buffer.pending.node_touch(node).labels
        for label in changed:
            if draft is not None:
                (draft.labels.add if there else draft.labels.discard)(label)
            elif change is not None:
                change[label] = there
            if touch is not None:
                if touch.get(label, there) is not there:
                    del touch[label]  # back to what it was when the last chunk left
                else:
                    touch[label] = there
            buffer.label(label).set(node, there)
            buffer.count("n", label, 1 if there else -1)
        if there and self._checks.any_unique:
            self._checks.unique(EntityKind.NODE, node, changed, None, None)
        self._reindex_node(node)
        self._end_write()
        return len(changed)

    # --- deleting ---

    def delete_node(self, node_id: int) -> bool:
        buffer = self._buffer
        if node_id in buffer.deleted_nodes:
            return False
        labels = self._node_labels(node_id)
        self._lock_node(node_id)
        self._begin_write(_CHANGE_BYTES)
        buffer.deleted_nodes[node_id] = buffer.stamp
        buffer.drop_node_from_pending(node_id)
        buffer.count("n", None, -1)
        for label in labels:
            buffer.count("n", label, -1)
        self._unindex(EntityKind.NODE, node_id, labels)
        self._end_write()
        return True

    def delete_relationship(self, relationship_id: int) -> bool:
        buffer = self._buffer
        if relationship_id in buffer.deleted_relationships:
            return False
        draft = buffer.created_relationships.get(relationship_id)
        if draft is not None:
            type_ = draft.type
        else:
            found = self._snapshot.relationship(relationship_id)
            if found is None:
                raise deleted_error("Relationship", relationship_id)
            type_ = found.type
        self._lock_relationship(relationship_id)
        self._begin_write(_CHANGE_BYTES)
        buffer.deleted_relationships[relationship_id] = buffer.stamp
        buffer.drop_relationship_from_pending(relationship_id)
        buffer.count("r", None, -1)
        buffer.count("r", type_, -1)
        self._unindex(EntityKind.RELATIONSHIP, relationship_id, (type_,))
        self._end_write()
        return True

    def note_merge(self, key: bytes) -> None:
        if self._lock is not None:
            self._lock([footprint.pattern_lock_key(key)])
        # the key may be as long as the values it was made of
        self._buffer.pending.merges[blake2b(key, digest_size=16).digest()] = None

    # --- the end ---

    def prepare(self) -> None:
        """Check what only the end can tell; call before the last commands are made.

        :raises DeleteConnectedNode: a deleted node still has relationships.
        :raises ConstraintViolation: existence, key or type, on what this transaction touched.
        """
        for node in self._buffer.deleted_nodes:
            if self._still_connected(node):
                raise DeleteConnectedNode(
                    f"Cannot delete node<{node}>, because it still has relationships. To delete "
                    "this node, you must first delete its relationships.",
                    hint="DETACH DELETE removes them too",
                    detail="DeleteConnectedNode",
                )
        self._checks.final()

    def _still_connected(self, node: int) -> bool:
        buffer = self._buffer
        own = self._own_expand(node, Direction.BOTH, None)
        if own is not None and next(own, None) is not None:
            return True
        if node in buffer.created_nodes:
            return False
        deleted = buffer.deleted_relationships
        found = self._snapshot.expand(node, Direction.BOTH, None)
        return any(one.id not in deleted for one in found)

    # --- PESSIMISTIC: a statement that waited runs again on a fresh snapshot ---

    def savepoint(self) -> tuple[Buffer, int]:
        """The writes so far; for :meth:`rollback_to`. Costs a copy, so keep such transactions
        small; not possible once chunks have left."""
        return deepcopy(self._buffer), self.bytes_estimated

    def rollback_to(self, savepoint: tuple[Buffer, int]) -> None:
        """Forget what was written since; a savepoint serves once."""
        self._buffer, self.bytes_estimated = savepoint
        self._forget_indexes()
        self._undelegate()
        self._delegate()

    def refresh(self, snapshot: GraphView) -> None:
        """Read at a newer snapshot from here on.

        :raises TransactionConflict: something this transaction wrote was changed in between by
            one that takes no locks.
        """
        old = self._snapshot
        for node in [*self._buffer.changed_nodes, *self._buffer.deleted_nodes]:
            if node not in self._buffer.created_nodes and not _same_node(old, snapshot, node):
                raise TransactionConflict(f"Node {node} was changed by another transaction")
        changed = [*self._buffer.changed_relationships, *self._buffer.deleted_relationships]
        for one in changed:
            if one not in self._buffer.created_relationships and not (
                snapshot.has_relationship(one)
                and old.relationship_properties(one) == snapshot.relationship_properties(one)
            ):
                raise TransactionConflict(f"Relationship {one} was changed by another transaction")
        self._snapshot = snapshot
        self._bind()
        self._forget_indexes()
        self._checks = ConstraintChecks(self)
        self._undelegate()
        self._delegate()


def _same_node(old: GraphView, new: GraphView, node: int) -> bool:
    return (
        new.has_node(node)
        and old.node_labels(node) == new.node_labels(node)
        and old.node_properties(node) == new.node_properties(node)
    )
