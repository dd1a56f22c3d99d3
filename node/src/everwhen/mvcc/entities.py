"""All entities of the record as of one version: by id, in ranges, and their adjacency.

Here keys, published runs and segments become one thing. Segments hold creations of fresh ids
only, so whatever keys say about the same element is the same or later and wins:

* an entity with a head key at or below the version ignores its segment row; deltas without a head
  key sit on the row;
* adjacency and label entries of a segment are merged with the keys as older entries of the same
  stems, so that a tombstone under a key hides them.

Rows with versions of their own stand for heads only; those that are newer are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import repeat
from operator import itemgetter
from struct import Struct
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from everwhen.codec.keys import (
    SUB_HEAD,
    Kind,
    adjacency_prefix,
    after,
    at_version,
    kind_range,
    label_prefix,
    label_stem,
    node_stem,
    relationship_stem,
)
from everwhen.codec.segments import NodeSegment, RelationshipSegment, Segment
from everwhen.model.graph import EntityKind
from everwhen.mvcc.adjacency import ADJACENT, ADJACENT_AT, Adjacent, adjacency, rows_at
from everwhen.mvcc.images import (
    NodeImage,
    NodeRow,
    Part,
    RelationshipImage,
    RelationshipRow,
    node_image,
    relationship_image,
)
from everwhen.mvcc.segments import SegmentCache, SegmentDirectory, SegmentRef
from everwhen.mvcc.tokens import Tokens
from everwhen.mvcc.versioned import Versioned

_R = TypeVar("_R")
_K = TypeVar("_K", int, tuple[int, int, int])

_ID_SUB = Struct(">QI")
_U64 = Struct(">Q")
#: where the id of NODE and REL keys begins, and that of LABEL keys
_ID_AT: Final = 3
_NODE_AT: Final = 7
#: behind every ``sub`` of an entity
_SUBS_END: Final = b"\xff" * 5
#: ids of a segment turned into Python integers at a time
_CHUNK: Final = 4_096

Ids = npt.NDArray[np.int64]


class Entities:
    """The record as of one version, in tokens and ids."""

    __slots__ = ("_cache", "_segments", "record", "tokens", "version")

    def __init__(
        self,
        record: Versioned,
        tokens: Tokens,
        segments: SegmentDirectory,
        cache: SegmentCache,
        version: int,
    ) -> None:
        self.record = record
        self.tokens = tokens
        self.version = version
        self._segments = segments
        self._cache = cache

    def reading(self, record: Versioned) -> Entities:
        """The same, with another reader of keys."""
        return Entities(record, self.tokens, self._segments, self._cache, self.version)

    def as_of(self, version: int) -> Entities:
        """The same record as of another version."""
        return Entities(self.record, self.tokens, self._segments, self._cache, version)

    # --- one entity ---

    def row(self, kind: EntityKind, identity: int) -> NodeRow | RelationshipRow | None:
        """An entity's place in the segment that has its creation, if one has."""
        if kind is EntityKind.NODE:
            return self._node_row(identity)
        return self._relationship_row(identity)

    def node(self, node: int) -> NodeImage | None:
        """A node, or None if it is not there."""
        return self.node_of(node, self._parts(node_stem(node)))

    def relationship(self, relationship: int) -> RelationshipImage | None:
        """A relationship, or None if it is not there."""
        return self.relationship_of(relationship, self._parts(relationship_stem(relationship)))

    def _parts(self, stem: bytes) -> list[Part]:
        """The entries of the entity whose head has a stem."""
        # without runs the scan may begin right at the visible head
        start = stem if self.record.runs else at_version(stem, self.version)
        end = stem[:-4] + _SUBS_END
        return [
            Part(int.from_bytes(entry[-4:], "big"), version, value)
            for entry, version, value in self.record.all(start, end, self.version)
        ]

    def node_head(self, node: int) -> tuple[int, bool] | None:
        """Version of a node's newest head (or tombstone), and whether it is alive."""
        return self._head(node_stem(node), self._node_row(node))

    def relationship_head(self, relationship: int) -> tuple[int, bool] | None:
        """Version of a relationship's newest head (or tombstone), and whether it is alive."""
        return self._head(relationship_stem(relationship), self._relationship_row(relationship))

    def _head(self, stem: bytes, row: NodeRow | RelationshipRow | None) -> tuple[int, bool] | None:
        found = self.record.at(stem, self.version)
        if found is None:
            return None if row is None else (row.version, True)
        return found[0], bool(found[1])

    def _node_row(self, node: int) -> NodeRow | None:
        for ref in self._segments.of_node(node, self.version):
            segment = self._cache.node(ref)
            row = segment.row(node)
            if row is not None and (version := ref.version_of(segment, row)) <= self.version:
                return NodeRow(version, segment, row)
        return None

    def _relationship_row(self, relationship: int) -> RelationshipRow | None:
        for ref in self._segments.of_relationship(relationship, self.version):
            segment = self._cache.relationship(ref)
            row = segment.row(relationship)
            if row is not None and (version := ref.version_of(segment, row)) <= self.version:
                return RelationshipRow(version, segment, row)
        return None

    # --- ranges of entities ---

    def nodes(self, low: int = 0, high: int = 2**64 - 1) -> Iterator[tuple[int, NodeImage]]:
        """Nodes with low <= id < high, ascending."""
        groups = self._groups(node_stem(low), self._limit(Kind.NODE, high))
        refs = self._segments.nodes(self.version)
        if not refs:
            for node, parts in groups:
                image = node_image(self.tokens, parts)
                if image is not None:
                    yield node, image
            return
        sources = [self._node_rows(ref, low, high) for ref in refs if _overlaps(ref, low, high)]
        for node, parts, row in _joined(groups, merge(*sources, key=itemgetter(0))):
            image = node_image(self.tokens, parts, row)
            if image is not None:
                yield node, image

    def relationships(
        self, types: Iterable[int] | None = None, low: int = 0, high: int = 2**64 - 1
    ) -> Iterator[tuple[int, RelationshipImage]]:
        """Relationships (of some types) with low <= id < high, ascending."""
        stop = self._limit(Kind.REL, high)
        groups = self._groups(relationship_stem(low), stop)
        wanted = None if types is None else frozenset(types)
        refs = self._segments.relationships(self.version)
        sources = [
            self._relationship_rows(ref, low, high) for ref in refs if _overlaps(ref, low, high)
        ]
        for relationship, parts, row in _joined(groups, merge(*sources, key=itemgetter(0))):
            image = relationship_image(self.tokens, parts, row)
            if image is not None and (wanted is None or image.ends[0] in wanted):
                yield relationship, image

    def written(self, kind: Kind) -> Iterator[tuple[int, list[Part]]]:
        """Every node or relationship that keys say anything about, ascending, with what they say.
        All others are as their segments have them, and so is all that is not said."""
        return self._groups(*kind_range(kind))

    def node_of(self, node: int, parts: list[Part]) -> NodeImage | None:
        """A node of its entries and its segment; None: it is not there."""
        return node_image(self.tokens, parts, self._node_row(node) if self._segments else None)

    def relationship_of(self, relationship: int, parts: list[Part]) -> RelationshipImage | None:
        """The same for a relationship."""
        row = self._relationship_row(relationship) if self._segments else None
        return relationship_image(self.tokens, parts, row)

    def node_segments(self) -> Iterator[NodeSegment]:
        """All segments of nodes, without rows that are newer."""
        refs = self._segments.nodes(self.version)
        return (self._cache.node_at(ref, self.version) for ref in refs)

    def relationship_segments(self) -> Iterator[RelationshipSegment]:
        """The same for relationships."""
        refs = self._segments.relationships(self.version)
        return (self._cache.relationship_at(ref, self.version) for ref in refs)

    @staticmethod
    def _limit(kind: Kind, high: int) -> bytes:
        if high >= 2**64 - 1:
            return kind_range(kind)[1]
        return node_stem(high) if kind is Kind.NODE else relationship_stem(high)

    def _groups(self, start: bytes, end: bytes) -> Iterator[tuple[int, list[Part]]]:
        """Entries by entity, ascending by id."""
        unpack = _ID_SUB.unpack_from
        current = -1
        parts: list[Part] = []
        for stem, version, value in self.record.scan(start, end, self.version):
            entity, sub = unpack(stem, _ID_AT)
            if entity != current:
                if parts:
                    yield current, parts
                current = entity
                parts = []
            parts.append(Part(sub, version, value))
        if parts:
            yield current, parts

    def _node_rows(self, ref: SegmentRef, low: int, high: int) -> Iterator[tuple[int, NodeRow]]:
        segment = self._cache.node(ref)
        ids = segment.ids.whole()
        first, last = np.searchsorted(ids, [low, min(high, 2**63 - 1)])
        rows = np.arange(first, last)
        for node, version, row in self._placed(ref, segment, ids[first:last], rows):
            yield node, NodeRow(version, segment, row)

    def _relationship_rows(
        self, ref: SegmentRef, low: int, high: int
    ) -> Iterator[tuple[int, RelationshipRow]]:
        segment = self._cache.relationship(ref)
        rows = segment.rows_by_id()
        ids = segment.ids.whole()[rows]
        first, last = np.searchsorted(ids, [low, min(high, 2**63 - 1)])
        placed = self._placed(ref, segment, ids[first:last], rows[first:last])
        for relationship, version, row in placed:
            yield relationship, RelationshipRow(version, segment, row)

    def _placed(
        self, ref: SegmentRef, segment: Segment, ids: Ids, rows: npt.NDArray[Any]
    ) -> Iterator[tuple[int, int, int]]:
        """Id, version and row of some rows, but for those that are newer."""
        versions: Iterable[int] = repeat(ref.version, len(ids))
        if segment.versions is not None:
            own = segment.versions.whole()[rows]
            seen = own <= self.version
            ids, rows, versions = ids[seen], rows[seen], own[seen].tolist()
        return zip(ids.tolist(), versions, rows.tolist(), strict=True)

    def loaded(self, after: int) -> Iterator[tuple[EntityKind, Ids]]:
        """The ids of the rows of each segment that are newer than a version, in no order."""
        for kind, refs in (
            (EntityKind.NODE, self._segments.nodes(self.version)),
            (EntityKind.RELATIONSHIP, self._segments.relationships(self.version)),
        ):
            for ref in refs:
                if ref.last_version > after:
                    segment = self._cache.get(ref)
                    versions = ref.versions_of(segment)
                    new = (versions > after) & (versions <= self.version)
                    yield kind, segment.ids.whole()[new]

    # --- labels and adjacency ---

    def node_ids(self) -> Iterator[int]:
        """Ids of all nodes, ascending."""
        found = self.record.scan(*kind_range(Kind.NODE), self.version)
        unpack = _ID_SUB.unpack_from
        heads = ((unpack(stem, _ID_AT), value) for stem, _, value in found)
        entries = ((int(entity), value) for (entity, sub), value in heads if sub == SUB_HEAD)
        sources = [self._label_rows(ref, 0) for ref in self._segments.nodes(self.version)]
        if sources:
            yield from _overlaid(sources, entries)
        else:
            yield from (entity for entity, value in entries if value)

    def labelled(self, label: int, low: int = 0) -> Iterator[int]:
        """Ids of the nodes with a label, ascending, from ``low`` on."""
        end = after(label_prefix(label))
        found = self.record.scan(label_stem(label, low), end, self.version)
        refs = self._segments.nodes(self.version, label) if self._segments else ()
        unpack = _U64.unpack_from
        if not refs:
            for stem, _, value in found:
                if value:
                    yield unpack(stem, _NODE_AT)[0]
            return
        entries = ((int(unpack(stem, _NODE_AT)[0]), value) for stem, _, value in found)
        yield from _overlaid([self._label_rows(ref, low) for ref in refs], entries)

    def _label_rows(self, ref: SegmentRef, low: int) -> Iterator[int]:
        if ref.entry.last_id < low:
            return
        segment = self._cache.node(ref)
        ids = segment.ids.whole()
        seen = ref.seen(segment, self.version)
        if seen is not None:
            ids = ids[seen]
        for at in range(int(np.searchsorted(ids, low)), len(ids), _CHUNK):
            yield from ids[at : at + _CHUNK].tolist()

    def adjacent(
        self, node: int, outgoing: bool, type_: int | None = None, other: int | None = None
    ) -> Iterator[Adjacent]:
        """A node's relationships in one direction, ascending by (type, other, relationship).

        ``other`` needs a type.
        """
        kind = Kind.OUT if outgoing else Kind.IN
        found = self.record.prefix(adjacency_prefix(kind, node, type_, other), self.version)
        unpack = ADJACENT.unpack_from
        refs = self._segments.at_node(node, outgoing, self.version, type_) if self._segments else ()
        if not refs:
            for stem, _, value in found:
                if value:
                    yield unpack(stem, ADJACENT_AT)
            return
        entries = ((unpack(stem, ADJACENT_AT), value) for stem, _, value in found)
        yield from _overlaid(
            [rows_at(ref, self._cache, node, outgoing, other) for ref in refs], entries
        )

    def adjacency(
        self, node: int, outgoing: bool, behind: Adjacent | None
    ) -> Iterator[tuple[Adjacent, bool]]:
        """Also what is gone: see ``mvcc.adjacency``."""
        return adjacency(
            self.record, self._segments, self._cache, self.version, node, outgoing, behind
        )


def _overlaid(sources: list[Iterator[_K]], entries: Iterator[tuple[_K, bytes]]) -> Iterator[_K]:
    """Rows of segments with what keys say about the same things, ascending.

    A key is never older than a segment row of the same thing: with the same version it says the
    same, or comes from the same transaction, later.
    """
    rows = sources[0] if len(sources) == 1 else merge(*sources)
    entry = next(entries, None)
    for row in rows:
        while entry is not None and entry[0] < row:
            if entry[1]:
                yield entry[0]
            entry = next(entries, None)
        if entry is not None and entry[0] == row:
            if entry[1]:
                yield row
            entry = next(entries, None)
        else:
            yield row
    while entry is not None:
        if entry[1]:
            yield entry[0]
        entry = next(entries, None)


def _overlaps(ref: SegmentRef, low: int, high: int) -> bool:
    return ref.entry.first_id < high and ref.entry.last_id >= low


def _joined(
    groups: Iterator[tuple[int, list[Part]]], rows: Iterator[tuple[int, _R]]
) -> Iterator[tuple[int, list[Part], _R | None]]:
    """Groups and rows by id; either may be missing."""
    row = next(rows, None)
    for entity, parts in groups:
        while row is not None and row[0] < entity:
            yield row[0], [], row[1]
            row = next(rows, None)
        if row is not None and row[0] == entity:
            yield entity, parts, row[1]
            row = next(rows, None)
        else:
            yield entity, parts, None
    while row is not None:
        yield row[0], [], row[1]
        row = next(rows, None)
