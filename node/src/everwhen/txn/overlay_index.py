"""Index reads that show a transaction's own writes.

For every index that is read after something was written, an :class:`IndexDraft` holds the entries
of the entities this transaction touched. The record's index answers for all others. A draft is
built from the buffer at the first read and kept up to date by every write from then on, so a
transaction that reads no index pays nothing, and one that seeks after every write (MERGE) pays
one dictionary look-up.

Entries are the bytes of ``codec.ordered``, so equality and order are the record's own.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from everwhen.codec import ordered
from everwhen.codec.keys import after
from everwhen.errors import IndexNotFound
from everwhen.model.elements import Value
from everwhen.model.graph import Bound, EntityKind
from everwhen.model.schema import IndexDefinition
from everwhen.model.values import comparable
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.txn.buffer import NEVER
from everwhen.txn.overlay import Overlay


def entry_of(definition: IndexDefinition, properties: Mapping[str, Value]) -> bytes | None:
    """The index entry of an entity with these properties, None if it lacks one of them."""
    values = []
    for key in definition.properties:
        value = properties.get(key)
        if value is None:
            return None
        values.append(value)
    return ordered.encode_tuple(values)


class IndexDraft:
    """The entries of touched entities in one index."""

    __slots__ = ("_by_entry", "_entries", "_sorted", "definition", "touched")

    def __init__(self, definition: IndexDefinition) -> None:
        self.definition = definition
        #: entity -> stamp of its first touch: from then on the record's entry does not count
        self.touched: dict[int, int] = {}
        self._entries: dict[int, bytes] = {}
        self._by_entry: dict[bytes, dict[int, None]] = {}
        #: (entry, entity) ascending; None until a range is read
        self._sorted: list[tuple[bytes, int]] | None = None

    def set(self, entity: int, entry: bytes | None, stamp: int) -> None:
        """The entity's entry from now on (None: it has none)."""
        self.touched.setdefault(entity, stamp)
        old = self._entries.get(entity)
        if old == entry:
            return
        if old is not None:
            del self._entries[entity]
            del self._by_entry[old][entity]
            if self._sorted is not None:
                del self._sorted[bisect_left(self._sorted, (old, entity))]
        if entry is not None:
            self._entries[entity] = entry
            self._by_entry.setdefault(entry, {})[entity] = None
            if self._sorted is not None:
                insort(self._sorted, (entry, entity))

    def equal(self, entry: bytes) -> list[int]:
        """Touched entities with exactly this entry."""
        return list(self._by_entry.get(entry, ()))

    def between(self, start: bytes, end: bytes) -> list[tuple[bytes, int]]:
        """Touched entities with start <= entry < end, ascending."""
        if self._sorted is None:
            self._sorted = sorted((entry, entity) for entity, entry in self._entries.items())
        entries = self._sorted
        return entries[bisect_left(entries, (start, -1)) : bisect_left(entries, (end, -1))]


class IndexedOverlay(Overlay):
    """The whole GraphView of a transaction: :class:`Overlay` plus the index reads."""

    def __init__(self, snapshot: GraphSnapshot, serializable: bool) -> None:
        super().__init__(snapshot, serializable)
        self._drafts: dict[str, IndexDraft] = {}

    # --- keeping drafts up to date ---

    def _forget_indexes(self) -> None:
        self._drafts.clear()

    def _draft(self, definition: IndexDefinition) -> IndexDraft:
        draft = self._drafts.get(definition.name)
        if draft is None or draft.definition.id != definition.id:
            draft = self._drafts[definition.name] = IndexDraft(definition)
            self._fill(draft)
        return draft

    def _fill(self, draft: IndexDraft) -> None:
        buffer = self._buffer
        if draft.definition.entity == EntityKind.NODE.value:
            for node in chain(buffer.created_nodes, buffer.changed_nodes, buffer.deleted_nodes):
                draft.set(node, self._node_entry(draft.definition, node), 0)
            return
        label = draft.definition.label
        for one, created in buffer.created_relationships.items():
            if created.type == label:
                draft.set(one, self._relationship_entry(draft.definition, one), 0)
        for one in chain(buffer.changed_relationships, buffer.deleted_relationships):
            draft.set(one, self._relationship_entry(draft.definition, one), 0)

    def _node_entry(self, definition: IndexDefinition, node: int) -> bytes | None:
        buffer = self._buffer
        if node in buffer.deleted_nodes or definition.label not in self._node_labels(node):
            return None
        draft = buffer.created_nodes.get(node)
        properties = draft.properties if draft is not None else self._node_properties(node)
        return entry_of(definition, properties)

    def _relationship_entry(self, definition: IndexDefinition, one: int) -> bytes | None:
        buffer = self._buffer
        if one in buffer.deleted_relationships:
            return None
        created = buffer.created_relationships.get(one)
        if created is not None:
            type_ = created.type
        else:
            found = self._snapshot.relationship(one)
            type_ = found.type if found is not None else ""
        if type_ != definition.label:
            return None
        return entry_of(definition, self._relationship_properties(one))

    def _reindex_node(self, node: int) -> None:
        for draft in self._drafts.values():
            if draft.definition.entity == EntityKind.NODE.value:
                draft.set(node, self._node_entry(draft.definition, node), self._buffer.stamp)

    def _reindex_relationship(self, one: int, type_: str) -> None:
        for draft in self._drafts.values():
            definition = draft.definition
            if definition.label == type_ and definition.entity == EntityKind.RELATIONSHIP.value:
                draft.set(one, self._relationship_entry(definition, one), self._buffer.stamp)

    def _unindex(self, kind: EntityKind, entity: int, labels: Sequence[str]) -> None:
        for draft in self._drafts.values():
            if draft.definition.entity == kind.value:
                draft.set(entity, None, self._buffer.stamp)

    # --- reads ---

    def _definition(self, index_name: str) -> IndexDefinition:
        definition = self.catalog.indexes.get(index_name)
        if definition is None:
            raise IndexNotFound(f"There is no index `{index_name}`")
        return definition

    def index_seek(self, index_name: str, values: Sequence[Value]) -> Iterator[int]:
        definition = self._definition(index_name)
        if self._reads is not None and values:
            kind = EntityKind(definition.entity)
            self._reads.index_point(kind, definition.label, definition.properties[0], values[0])
        base = self._snapshot.index_seek(index_name, values)
        if self._buffer.empty:
            return base
        draft = self._draft(definition)
        if not draft.touched:
            return base
        if not all(ordered.is_equal_to_something(value) for value in values):
            return base  # nothing equals null or NaN
        entry = ordered.encode_tuple(values)
        if len(values) == len(definition.properties):
            own = draft.equal(entry)
        else:
            own = [entity for _, entity in draft.between(entry, after(entry))]
        return chain(self._untouched(base, draft, self._buffer.stamp), own)

    def _untouched(self, base: Iterator[int], draft: IndexDraft, stamp: int) -> Iterator[int]:
        touched = draft.touched
        for entity in base:
            if touched.get(entity, NEVER) > stamp:
                yield entity

    def _note_range(self, definition: IndexDefinition, prefix: Sequence[Value]) -> None:
        if self._reads is None:
            return
        kind = EntityKind(definition.entity)
        if prefix:
            self._reads.index_point(kind, definition.label, definition.properties[0], prefix[0])
        else:
            self._reads.index_range(kind, definition.label, definition.properties[0])

    def index_range(
        self,
        index_name: str,
        prefix: Sequence[Value],
        lower: Bound | None,
        upper: Bound | None,
    ) -> Iterator[int]:
        definition = self._definition(index_name)
        self._note_range(definition, prefix)
        base = self._snapshot.index_range(index_name, prefix, lower, upper)
        if self._buffer.empty:
            return base
        if not all(ordered.is_equal_to_something(value) for value in prefix):
            return base
        head = ordered.encode_tuple(prefix)
        bounds = ordered.range_of(
            None if lower is None else (lower.value, lower.inclusive),
            None if upper is None else (upper.value, upper.inclusive),
        )
        if bounds is None:
            return base
        found = self._with_own(definition, base, head + bounds[0], head + bounds[1])
        given = [bound.value for bound in (lower, upper) if bound is not None]
        if any(isinstance(value, list) for value in given):
            # the total order places lists that "<" cannot compare
            key = definition.properties[len(prefix)]
            of_nodes = definition.entity == EntityKind.NODE.value
            read = self._node_property if of_nodes else self._relationship_property
            return (
                entity
                for entity in found
                if all(comparable(read(entity, key), value) for value in given)
            )
        return found

    def index_prefix(self, index_name: str, prefix: Sequence[Value], text: str) -> Iterator[int]:
        definition = self._definition(index_name)
        self._note_range(definition, prefix)
        base = self._snapshot.index_prefix(index_name, prefix, text)
        if self._buffer.empty:
            return base
        if not all(ordered.is_equal_to_something(value) for value in prefix):
            return base
        head = ordered.encode_tuple(prefix)
        start, end = ordered.prefix_range(text)
        return self._with_own(definition, base, head + start, head + end)

    def index_scan(self, index_name: str) -> Iterator[int]:
        definition = self._definition(index_name)
        self._note_range(definition, ())
        base = self._snapshot.index_scan(index_name)
        if self._buffer.empty:
            return base
        return self._with_own(definition, base, b"", b"\xff" * 9)

    def _with_own(
        self, definition: IndexDefinition, base: Iterator[int], start: bytes, end: bytes
    ) -> Iterator[int]:
        draft = self._draft(definition)
        if not draft.touched:
            return base
        kept = self._untouched(base, draft, self._buffer.stamp)
        own = draft.between(start, end)
        return self._merge_entries(definition, kept, own) if own else kept

    def _merge_entries(
        self, definition: IndexDefinition, base: Iterator[int], own: list[tuple[bytes, int]]
    ) -> Iterator[int]:
        """Both sides ascending by entry; entries of the record are read back from its entities,
        which this transaction has not touched."""
        of_nodes = definition.entity == EntityKind.NODE.value
        read = self._snapshot.node_property if of_nodes else self._snapshot.relationship_property
        at = 0
        for entity in base:
            entry = ordered.encode_tuple([read(entity, key) for key in definition.properties])
            while at < len(own) and own[at] < (entry, entity):
                yield own[at][1]
                at += 1
            yield entity
        for _, entity in own[at:]:
            yield entity

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
