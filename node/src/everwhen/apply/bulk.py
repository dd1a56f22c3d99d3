"""Column segments in a chunk: creations by the thousand, checked and filed without a look at
each one where numpy can tell.

A segment's nodes and relationships are fresh, so nothing of theirs can conflict. What remains is
what others own: the end nodes of relationships, unique values, and constraints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from everwhen.apply.attempt import Unresolved
from everwhen.apply.conflicts import end_deleted, taken_since
from everwhen.apply.staging import Staging, Stagings
from everwhen.apply.work import Work
from everwhen.codec.journal import SegmentDigest, digest
from everwhen.codec.keys import (
    PRESENT,
    VERSION_MAX,
    Counter,
    index_prefix,
    index_stem,
    node_stem,
    run_key,
    segment_key,
)
from everwhen.codec.ordered import is_equal_to_something
from everwhen.codec.records import encode_segment_entry
from everwhen.codec.segments import (
    NODES,
    NodeSegment,
    RelationshipSegment,
    Segment,
    decode_segment,
    pieces,
)
from everwhen.index.maintenance import IndexRule, entry
from everwhen.model.graph import EntityKind
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.segments import entry_of
from everwhen.txn.constraints import broken, duplicate_error

Ids = npt.NDArray[np.int64]


class Bulk:
    """The segments of one chunk."""

    __slots__ = ("_entries", "_found", "_own", "_staging", "_unresolved", "_work", "numbers")

    def __init__(self, work: Work, staging: Staging, own: Entities, unresolved: Unresolved) -> None:
        self._work = work
        self._staging = staging
        self._own = own
        self._unresolved = unresolved
        self._found: list[tuple[bytes, Segment]] = []
        #: index entries: rule, values, entity
        self._entries: list[tuple[IndexRule, bytes, int]] = []
        self.numbers = [0] * 7

    # --- checking ---

    def check(self, data: bytes) -> None:
        """:raises TransactionConflict: :raises ConstraintViolation: as for single creations."""
        segment = decode_segment(data)
        if isinstance(segment, RelationshipSegment):
            self._check_ends(segment)
        self._found.append((data, segment))
        rules = self._work.rules
        if isinstance(segment, NodeSegment) and rules.any_nodes:
            ids = self._work.tokens.labels.ids
            labels = [ids[name] for name in segment.labels if name in ids]
            indexes = [one for label in labels for one in rules.node_indexes.get(label, ())]
            constraints = [one for label in labels for one in rules.node_constraints.get(label, ())]
            self._check_rows(EntityKind.NODE, segment, indexes, constraints)
        elif isinstance(segment, RelationshipSegment) and rules.any_relationships:
            type_ = self._work.tokens.types.ids.get(segment.type, -1)
            self._check_rows(
                EntityKind.RELATIONSHIP,
                segment,
                rules.relationship_indexes.get(type_, []),
                rules.relationship_constraints.get(type_, []),
            )

    def _check_rows(
        self, kind: EntityKind, segment: Segment, indexes: list[IndexRule], constraints: list[Any]
    ) -> None:
        taken = {(rule.id, value): entity for rule, value, entity in self._entries if rule.unique}
        for row, entity in enumerate(
            segment.ids.whole().tolist() if indexes or constraints else ()
        ):
            row_of = _Row(segment, row)
            for constraint in constraints:
                error = broken(constraint, entity, row_of)
                if error is not None:
                    self._unresolved[kind, entity] = error
            for rule in indexes:
                value = entry(rule.definition, row_of.get)
                if value is None:
                    continue
                if rule.unique:
                    self._check_unique(rule, value, entity, row_of, taken)
                self._entries.append((rule, value, entity))

    def _check_unique(
        self,
        rule: IndexRule,
        value: bytes,
        entity: int,
        row: _Row,
        taken: dict[tuple[int, bytes], int],
    ) -> None:
        values = [row.get(key) for key in rule.definition.properties]
        if not all(is_equal_to_something(one) for one in values):
            return
        other = taken.setdefault((rule.id, value), entity)
        kind = EntityKind(rule.definition.entity)
        if other != entity:
            self._unresolved[kind, entity] = duplicate_error(rule.definition, other, values)
        found = self._own.record.prefix(index_prefix(rule.id, value), VERSION_MAX)
        for stem, version, there in found:
            owner = int.from_bytes(stem[-8:], "big")
            if there and owner != entity:
                if self._staging.header.read_version < version < VERSION_MAX:
                    raise taken_since(rule.definition, owner)
                self._unresolved[kind, entity] = duplicate_error(rule.definition, owner, values)

    def _check_ends(self, segment: RelationshipSegment) -> None:
        """Every end must be alive. Nodes of segments are known by the array; only where
        something was changed among them, and for all others, each is looked up."""
        ends = np.unique(np.concatenate((segment.starts.whole(), segment.ends.whole())))
        for _, other in self._found:
            if isinstance(other, NodeSegment):
                ends = ends[~_within(ends, other.ids.whole())]
        cache = self._work.state.cache
        low, high = (int(ends[0]), int(ends[-1])) if len(ends) else (0, -1)
        refs = [*self._work.segments.refs, *self._staging.refs]
        for ref in refs:
            first, last = ref.entry.first_id, ref.entry.last_id
            if ref.entry.kind != NODES or last < low or first > high or not len(ends):
                continue
            inside = _within(ends, cache.node(ref).ids.whole())
            if bool(inside.any()) and not self._any_change(ends[inside]):
                ends = ends[~inside]
        for node in ends.tolist():
            head = self._own.node_head(node)
            if head is None or not head[1]:
                raise end_deleted(node)

    def _any_change(self, nodes: Ids) -> bool:
        """Whether keys say anything about nodes between the lowest and the highest."""
        start, end = node_stem(int(nodes[0])), node_stem(int(nodes[-1]) + 1)
        return next(self._own.record.scan(start, end, VERSION_MAX), None) is not None

    # --- meeting other stagings ---

    def meet(self, stagings: Stagings) -> None:
        """Note every other staging that deletes an end node or stages an equal unique value."""
        mine = self._staging
        if not self._found:
            return
        for other in stagings:
            if other is mine or other.transaction in mine.header.meets:
                continue
            if self._meets(other):
                stagings.note_meeting(mine, other)

    def _meets(self, other: Staging) -> bool:
        layer = self._work.layer
        run = other.transaction
        if other.header.numbers[1]:
            for _, segment in self._found:
                if isinstance(segment, RelationshipSegment):
                    ends = np.concatenate((segment.starts.whole(), segment.ends.whole()))
                    for node in np.unique(ends).tolist():
                        if layer.get(run_key(run, node_stem(node))) == b"":
                            return True
        for rule, value, _ in self._entries:
            if rule.unique:
                start = run_key(run, index_prefix(rule.id, value))
                if layer.first(start, start + b"\xff" * 9) is not None:
                    return True
        return False

    # --- writing ---

    def write(self, count: Callable[[Counter, int, int], None], salt: bytes) -> list[SegmentDigest]:
        """Store the segments and their index entries; the digests are for the journal."""
        digests = []
        for data, segment in self._found:
            number = self._work.next_segment
            self._work.next_segment = number + 1
            self._file(number, data, segment, count)
            digests.append(SegmentDigest(number, digest(salt, data)))
        put = self._work.run_putter(self._staging.transaction)
        seen: set[tuple[int, bytes]] = set()
        for rule, value, entity in self._entries:
            put(index_stem(rule.id, value, entity), PRESENT)
            count(Counter.INDEX_ENTRIES, rule.id, 1)
            if (rule.id, value) not in seen:
                seen.add((rule.id, value))
                count(Counter.INDEX_DISTINCT, rule.id, 1)
        return digests

    def _file(
        self,
        number: int,
        data: bytes,
        segment: Segment,
        count: Callable[[Counter, int, int], None],
    ) -> None:
        work = self._work
        layer = work.layer
        rows = len(segment)
        for key in segment.columns:
            work.tokens.keys.assign(key, layer.batch)
        cut = pieces(data)
        for at, piece in enumerate(cut):
            layer.put(segment_key(number, at), piece)
        if isinstance(segment, NodeSegment):
            tokens = sorted(work.tokens.labels.assign(one, layer.batch) for one in segment.labels)
            count(Counter.NODES, 0, rows)
            for token in tokens:
                count(Counter.NODES_WITH_LABEL, token, rows)
            self.numbers[0] += rows
            self.numbers[5] += rows * len(tokens)
        else:
            tokens = [work.tokens.types.assign(segment.type, layer.batch)]
            count(Counter.RELATIONSHIPS, 0, rows)
            count(Counter.RELATIONSHIPS_OF_TYPE, tokens[0], rows)
            self.numbers[2] += rows
        filed = entry_of(segment, tokens, len(cut), len(data))
        self.numbers[4] += rows * len(segment.columns)
        self._staging.add_segment(layer, number, filed, encode_segment_entry(filed))


class _Row:
    """One row's properties."""

    __slots__ = ("_row", "_segment")

    def __init__(self, segment: Segment, row: int) -> None:
        self._segment = segment
        self._row = row

    def get(self, key: str) -> Any:
        return self._segment.property(self._row, key)


def _within(wanted: Ids, ids: Ids) -> npt.NDArray[np.bool_]:
    """Which of ``wanted`` are in ``ids``; both ascend."""
    at = np.searchsorted(ids, wanted)
    at[at == len(ids)] = 0
    return ids[at] == wanted if len(ids) else np.zeros(len(wanted), np.bool_)
