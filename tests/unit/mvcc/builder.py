"""Writes naive graphs into a record, version by version, in every physical form.

The difference between two naive graphs is written as apply would: as keys, as a published run
(wholly, half or not folded), or as column segments for what is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec
import numpy as np

from everwhen.codec import journal, keys, ordered, records, segment_making, segments
from everwhen.codec.columns import column_of
from everwhen.codec.origin import Origin
from everwhen.codec.values import encode_value
from everwhen.model.schema import Catalog, IndexDefinition
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.segments import SegmentRef
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Batch, Store
from everwhen.mvcc.versioned import Run
from tests.unit.mvcc.naive import NaiveGraph, NaiveNode, NaiveRelationship


class Form(Enum):
    """How a commit is written."""

    KEYS = "keys"
    RUN = "run, not folded"
    RUN_HALF = "run, half folded"
    RUN_FOLDED = "run, folded and gone"
    SEGMENTS = "segments for what is new, keys for the rest"


@dataclass
class Builder:
    """A record that grows by whole commits."""

    store: Store = field(default_factory=MemoryStore)
    indexes: tuple[IndexDefinition, ...] = ()
    state: RecordState = field(init=False)
    graphs: list[NaiveGraph] = field(default_factory=lambda: [NaiveGraph()])
    _pairs: list[tuple[bytes, bytes]] = field(default_factory=list)
    _sizes: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.state = RecordState.load(self.store)
        catalog = Catalog(indexes={index.name: index for index in self.indexes})
        self.state.publish(self.state.current.head, catalog=catalog)

    def commit(self, graph: NaiveGraph, form: Form = Form.KEYS) -> int:
        """Write the step from the newest graph to ``graph``; its version."""
        old = self.graphs[-1]
        head = self.state.current.head
        version = head.version + 1
        batch = Batch()
        self._pairs = []
        bulk = form is Form.SEGMENTS
        refs: list[SegmentRef] = self._segments(old, graph, version, batch) if bulk else []
        self._nodes(old, graph, batch, bulk)
        self._relationships(old, graph, batch, bulk)
        for index in self.indexes:
            there = self.state.counters.get(keys.Counter.INDEX_ENTRIES, index.id)
            change = self._sizes[index.id] - there
            self.state.counters.add(keys.Counter.INDEX_ENTRIES, index.id, change, batch)
        runs = self.state.current.runs
        if form in (Form.KEYS, Form.SEGMENTS):
            batch.put_all((keys.at_version(stem, version), value) for stem, value in self._pairs)
        else:
            runs = (*runs, *self._run(version, form, batch))
        record = journal.seal(
            version=version,
            time=version * 1000,
            own_time=False,
            read_version=version - 1,
            origin=Origin("", "", "", {}, b"", b"salt"),
            counts=journal.Counts(),
            merges=[],
            previous=head.chain,
        )
        batch.put(keys.journal_key(version), journal.encode_record(record))
        new_head = records.RecordHead(
            chain=record.chain,
            version=version,
            time=version * 1000,
            closed_time=version * 1000,
            next_segment=head.next_segment + len(refs),
            next_transaction=head.next_transaction + 1,
        )
        batch.put(keys.time_key(new_head.time), records.encode_version(version))
        batch.put(keys.meta_key(records.META_HEAD), records.encode_head(new_head))
        for index in self.indexes:
            batch.put(keys.schema_key(index.id), records.encode_definition(index))
        self.store.write(batch)
        self.state.publish(new_head, runs=runs, segments=self.state.current.segments.extended(refs))
        self.graphs.append(graph.copy())
        return version

    # --- keys ---

    def _put(self, stem: bytes, value: bytes) -> None:
        self._pairs.append((stem, value))

    def _labels(self, labels: frozenset[str], batch: Batch) -> list[int]:
        return [self.state.tokens.labels.assign(name, batch) for name in sorted(labels)]

    def _values(self, properties: Mapping[str, Any], batch: Batch) -> dict[int, bytes]:
        table = self.state.tokens.keys
        return {
            table.assign(name, batch): encode_value(value) for name, value in properties.items()
        }

    def _nodes(self, old: NaiveGraph, new: NaiveGraph, batch: Batch, bulk: bool) -> None:
        count = self.state.counters.add
        for node in sorted(old.nodes.keys() | new.nodes.keys()):
            before, after = old.nodes.get(node), new.nodes.get(node)
            if before is not None and after is not None and before.lifetime == after.lifetime:
                self._change_node(node, before, after, batch)
            elif after is not None:
                fresh = not any(node in graph.nodes for graph in self.graphs)
                if not (bulk and fresh):
                    labels = self._labels(after.labels, batch)
                    values = self._values(after.properties, batch)
                    self._put(keys.node_stem(node), records.encode_node_head(labels, values))
            elif before is not None:
                self._put(keys.node_stem(node), keys.TOMBSTONE)
            self._node_entries(node, before, after, batch, bulk)
            count(keys.Counter.NODES, 0, (after is not None) - (before is not None), batch)

    def _change_node(self, node: int, before: NaiveNode, after: NaiveNode, batch: Batch) -> None:
        if before.labels != after.labels:
            labels = self._labels(after.labels, batch)
            self._put(keys.node_stem(node, keys.SUB_LABELS), records.encode_labels(labels))
        for token, value in self._changed(before.properties, after.properties, batch):
            self._put(keys.node_stem(node, keys.SUB_PROPERTY + token), value)

    def _changed(
        self, before: dict[str, Any], after: dict[str, Any], batch: Batch
    ) -> list[tuple[int, bytes]]:
        table = self.state.tokens.keys
        steps = []
        for name in sorted(before.keys() | after.keys()):
            left, right = before.get(name), after.get(name)
            if left is None or right is None or encode_value(left) != encode_value(right):
                value = keys.TOMBSTONE if right is None else encode_value(right)
                steps.append((table.assign(name, batch), value))
        return steps

    def _node_entries(
        self,
        node: int,
        before: NaiveNode | None,
        after: NaiveNode | None,
        batch: Batch,
        bulk: bool,
    ) -> None:
        old = set() if before is None else set(before.labels)
        new = set() if after is None else set(after.labels)
        fresh = not any(node in graph.nodes for graph in self.graphs)
        count = self.state.counters.add
        for name in sorted(old ^ new):
            token = self.state.tokens.labels.assign(name, batch)
            count(keys.Counter.NODES_WITH_LABEL, token, 1 if name in new else -1, batch)
            if not (bulk and fresh):
                value = keys.PRESENT if name in new else keys.TOMBSTONE
                self._put(keys.label_stem(token, node), value)
        for index in self.indexes:
            if index.entity == "NODE":
                left = _entry(index, old, {} if before is None else before.properties)
                right = _entry(index, new, {} if after is None else after.properties)
                self._index(index, node, left, right)

    def _index(
        self, index: IndexDefinition, entity: int, left: bytes | None, right: bytes | None
    ) -> None:
        self._sizes[index.id] += (right is not None) - (left is not None)
        if left != right:
            if left is not None:
                self._put(keys.index_stem(index.id, left, entity), keys.TOMBSTONE)
            if right is not None:
                self._put(keys.index_stem(index.id, right, entity), keys.PRESENT)

    def _relationships(self, old: NaiveGraph, new: NaiveGraph, batch: Batch, bulk: bool) -> None:
        count = self.state.counters.add
        for key in sorted(old.relationships.keys() | new.relationships.keys()):
            before, after = old.relationships.get(key), new.relationships.get(key)
            some = after or before
            assert some is not None
            type_ = self.state.tokens.types.assign(some.type, batch)
            step = (after is not None) - (before is not None)
            count(keys.Counter.RELATIONSHIPS_OF_TYPE, type_, step, batch)
            count(keys.Counter.RELATIONSHIPS, 0, step, batch)
            if before is not None and after is not None and before.lifetime == after.lifetime:
                for token, value in self._changed(before.properties, after.properties, batch):
                    self._put(keys.relationship_stem(key, keys.SUB_PROPERTY + token), value)
            else:
                fresh = not any(key in graph.relationships for graph in self.graphs)
                if not (bulk and fresh):
                    self._relationship_head(key, type_, some, after, batch)
            for index in self.indexes:
                if index.entity == "RELATIONSHIP":
                    types = {some.type}
                    left = None if before is None else _entry(index, types, before.properties)
                    right = None if after is None else _entry(index, types, after.properties)
                    self._index(index, key, left, right)

    def _relationship_head(
        self,
        key: int,
        type_: int,
        ends: NaiveRelationship,
        after: NaiveRelationship | None,
        batch: Batch,
    ) -> None:
        value = keys.TOMBSTONE
        if after is not None:
            values = self._values(after.properties, batch)
            value = records.encode_relationship_head(type_, after.start, after.end, values)
        entry = keys.TOMBSTONE if after is None else keys.PRESENT
        self._put(keys.relationship_stem(key), value)
        self._put(keys.out_stem(ends.start, type_, ends.end, key), entry)
        self._put(keys.in_stem(ends.end, type_, ends.start, key), entry)

    # --- runs ---

    def _run(self, version: int, form: Form, batch: Batch) -> list[Run]:
        run = self.state.current.head.next_transaction
        staged = Batch()
        staged.put_all((keys.run_key(run, stem), value) for stem, value in self._pairs)
        self.store.write(staged)
        if form is Form.RUN:
            folded = 0
        else:
            folded = len(self._pairs) // (2 if form is Form.RUN_HALF else 1)
        for stem, value in sorted(self._pairs)[:folded]:
            batch.put(keys.at_version(stem, version), value)
            batch.delete(keys.run_key(run, stem))
        if form is Form.RUN_FOLDED:
            return []
        batch.put(keys.publish_key(run), records.encode_publish(records.Publish(version)))
        return [Run(run, version)]

    # --- segments ---

    def _segments(
        self, old: NaiveGraph, new: NaiveGraph, version: int, batch: Batch
    ) -> list[SegmentRef]:
        made: list[tuple[segments.Segment, records.SegmentEntry]] = []
        by_labels: dict[tuple[str, ...], list[int]] = {}
        by_type: dict[str, list[int]] = {}
        for node in sorted(new.nodes):
            if not any(node in graph.nodes for graph in self.graphs):
                by_labels.setdefault(tuple(sorted(new.nodes[node].labels)), []).append(node)
        for key in sorted(new.relationships):
            if not any(key in graph.relationships for graph in self.graphs):
                by_type.setdefault(new.relationships[key].type, []).append(key)
        for labels, ids in by_labels.items():
            made.append(self._node_segment(labels, ids, new, batch))
        for type_, ids in by_type.items():
            made.append(self._relationship_segment(type_, ids, new, batch))
        refs = []
        for number, (segment, entry) in enumerate(made, self.state.current.head.next_segment):
            data = segments.encode_segment(segment)
            parts = segments.pieces(data)
            for piece, part in enumerate(parts):
                batch.put(keys.segment_key(number, piece), part)
            entry = msgspec.structs.replace(entry, pieces=len(parts), bytes=len(data))
            batch.put(keys.segref_key(version, number), records.encode_segment_entry(entry))
            refs.append(SegmentRef(number, version, entry))
        return refs

    def _columns(self, rows: list[dict[str, Any]], batch: Batch) -> dict[str, Any]:
        names = sorted({name for row in rows for name in row})
        for name in names:
            self.state.tokens.keys.assign(name, batch)
        return {name: column_of([row.get(name) for row in rows]) for name in names}

    def _node_segment(
        self, labels: tuple[str, ...], ids: list[int], new: NaiveGraph, batch: Batch
    ) -> tuple[segments.Segment, records.SegmentEntry]:
        columns = self._columns([new.nodes[node].properties for node in ids], batch)
        segment = segment_making.node_segment(labels, np.array(ids, np.int64), columns)
        tokens = sorted(self._labels(frozenset(labels), batch))
        entry = records.SegmentEntry(
            kind=segments.NODES,
            tokens=tokens,
            count=len(ids),
            first_id=ids[0],
            last_id=ids[-1],
            pieces=0,
            bytes=0,
        )
        return segment, entry

    def _relationship_segment(
        self, type_: str, ids: list[int], new: NaiveGraph, batch: Batch
    ) -> tuple[segments.Segment, records.SegmentEntry]:
        found = new.relationships
        ids = sorted(ids, key=lambda key: (found[key].start, found[key].end, key))
        starts = np.array([found[key].start for key in ids], np.int64)
        ends = np.array([found[key].end for key in ids], np.int64)
        columns = self._columns([found[key].properties for key in ids], batch)
        segment = segment_making.relationship_segment(
            type_, np.array(ids, np.int64), starts, ends, columns
        )
        entry = records.SegmentEntry(
            kind=segments.RELATIONSHIPS,
            tokens=[self.state.tokens.types.assign(type_, batch)],
            count=len(ids),
            first_id=min(ids),
            last_id=max(ids),
            pieces=0,
            bytes=0,
            first_start=int(starts.min()),
            last_start=int(starts.max()),
            first_end=int(ends.min()),
            last_end=int(ends.max()),
        )
        return segment, entry


def _entry(index: IndexDefinition, labels: set[str], properties: Mapping[str, Any]) -> bytes | None:
    if index.label not in labels or any(properties.get(key) is None for key in index.properties):
        return None
    return ordered.encode_tuple([properties[key] for key in index.properties])
