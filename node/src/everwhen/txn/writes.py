"""The writing half of a transaction: everything is validated, buffered, indexed and counted.

See ``txn.transaction`` for what is checked when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from everwhen import limits
from everwhen.codec import ordered
from everwhen.errors import AccessModeViolation, MemoryLimitExceeded
from everwhen.model.elements import Node, Relationship, Value
from everwhen.model.graph import EntityKind, MergedPart
from everwhen.model.schema import IndexDefinition
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.txn import footprint
from everwhen.txn.buffer import NodeDraft, RelationshipDraft
from everwhen.txn.constraints import ConstraintChecks
from everwhen.txn.overlay_entities import deleted_error
from everwhen.txn.overlay_texts import TextOverlay
from everwhen.txn.validate import check_count, check_name, check_properties, checked_size

#: rough cost of one buffered entity or change beside its values
_ENTITY_BYTES: Final = 500
_CHANGE_BYTES: Final = 250


class BufferedWrites(TextOverlay):
    """Implements ``GraphWriter``; :class:`~everwhen.txn.transaction.Transaction` completes it."""

    def __init__(
        self,
        snapshot: GraphSnapshot,
        allocate_node: Callable[[], int],
        allocate_relationship: Callable[[], int],
        *,
        serializable: bool,
        read_only: bool,
        lock: Callable[[list[bytes]], None] | None,
        memory_limit: int,
    ) -> None:
        super().__init__(snapshot, serializable)
        self.read_only = read_only
        self.memory_limit = memory_limit
        self.bytes_estimated = 0
        #: the same for what is pending
        self.pending_bytes = 0
        self._allocate_node = allocate_node
        self._allocate_relationship = allocate_relationship
        self._lock = lock
        self._checks = ConstraintChecks(self)

    def _full(self) -> None:
        """More is pending than one entry may carry."""

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
        size, most = self.pending_bytes, limits.MUTATIONS_PER_COMMIT_MAX
        if size > limits.CHUNK_BYTES or (
            # what counts less cannot be too many changes, and need not be counted
            size > _CHANGE_BYTES * most and len(self._buffer.pending) > most
        ):
            self._full()

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
        in_order = sorted(names)
        for label in in_order:
            buffer.label(label).set(identity, True)
            buffer.count("n", label, 1)
        self._checks.unique(EntityKind.NODE, identity, in_order, values, None)
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

    def note_merge(self, pattern: Sequence[MergedPart]) -> None:
        for part in pattern:
            check_properties(part.properties)
        key = footprint.merge_key(pattern)
        if self._lock is not None:
            self._lock([footprint.pattern_lock_key(key)])
        self._buffer.pending.merges[key] = None
