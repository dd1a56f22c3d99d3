"""The segments of the record: where each one lies, and the decoded ones kept in memory.

The directory is an immutable value that is part of the published state. The rows of a segment count
from the version it was published at, or each from its own; whatever stands under keys for the same
element is the same or later and wins (see ``mvcc.entities``). Blobs are read when first needed and kept, least recently used
first out, up to a number of bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from everwhen.codec.keys import after, segment_prefix
from everwhen.codec.records import SegmentEntry
from everwhen.codec.segment_taking import taken
from everwhen.codec.segments import (
    NODES,
    RELATIONSHIPS,
    NodeSegment,
    RelationshipSegment,
    Segment,
    decode_segment,
)
from everwhen.errors import CorruptData
from everwhen.limits import SEGMENT_CACHE_BYTES
from everwhen.mvcc.store import Store

_S = TypeVar("_S", NodeSegment, RelationshipSegment)


class SegmentRef(NamedTuple):
    """One segment of the directory; no row of it is of an older version than ``version``."""

    id: int
    version: int
    entry: SegmentEntry

    @property
    def last_version(self) -> int:
        """The newest version of a row."""
        return self.entry.last_version or self.version

    @property
    def only_heads(self) -> bool:
        """Whether its rows, with versions of their own, do not stand for labels and adjacency."""
        return bool(self.entry.last_version)

    def version_of(self, segment: Segment, row: int) -> int:
        """The version of one of its rows."""
        return self.version if segment.versions is None else segment.versions.get(row)

    def versions_of(self, segment: Segment) -> npt.NDArray[np.int64]:
        """The versions of all of its rows."""
        if segment.versions is None:
            return np.full(len(segment), self.version, np.int64)
        return segment.versions.whole()

    def seen(self, segment: Segment, version: int) -> npt.NDArray[np.bool_] | None:
        """Which rows a reader of a version sees; None: all."""
        if segment.versions is None or self.last_version <= version:
            return None
        return segment.versions.whole() <= version


class _ById:
    """Segments ascending by first id, to find those that may hold an id."""

    __slots__ = ("firsts", "refs", "tops")

    def __init__(self, refs: Iterable[SegmentRef]) -> None:
        self.refs = sorted(refs, key=lambda ref: (ref.entry.first_id, ref.id))
        self.firsts = [ref.entry.first_id for ref in self.refs]
        #: the highest last id among the segments up to each one
        self.tops: list[int] = []
        top = -1
        for ref in self.refs:
            top = max(top, ref.entry.last_id)
            self.tops.append(top)

    def holding(self, wanted: int) -> Iterator[SegmentRef]:
        at = bisect_right(self.firsts, wanted) - 1
        while at >= 0 and self.tops[at] >= wanted:
            ref = self.refs[at]
            if ref.entry.last_id >= wanted:
                yield ref
            at -= 1


class SegmentDirectory:
    """All published segments; never changed, replaced by :meth:`extended`."""

    __slots__ = ("_nodes", "_relationships", "refs")

    def __init__(self, refs: Iterable[SegmentRef] = ()) -> None:
        self.refs = tuple(refs)
        self._nodes = _ById(ref for ref in self.refs if ref.entry.kind == NODES)
        self._relationships = _ById(ref for ref in self.refs if ref.entry.kind != NODES)

    def extended(self, refs: Iterable[SegmentRef]) -> SegmentDirectory:
        """This directory and more segments."""
        return SegmentDirectory((*self.refs, *refs))

    def __bool__(self) -> bool:
        return bool(self.refs)

    def nodes(self, version: int, label: int | None = None) -> list[SegmentRef]:
        """Node segments visible at a version; with a label: those that say who carries it."""
        return [
            ref
            for ref in self._nodes.refs
            if ref.version <= version
            and (label is None or (label in ref.entry.tokens and not ref.only_heads))
        ]

    def relationships(self, version: int, types: Iterable[int] | None = None) -> list[SegmentRef]:
        """Relationship segments (of some types) visible at a version."""
        wanted = None if types is None else set(types)
        return [
            ref
            for ref in self._relationships.refs
            if ref.version <= version and (wanted is None or ref.entry.tokens[0] in wanted)
        ]

    def of_node(self, node: int, version: int) -> Iterator[SegmentRef]:
        """Segments that may hold a node."""
        return (ref for ref in self._nodes.holding(node) if ref.version <= version)

    def of_relationship(self, relationship: int, version: int) -> Iterator[SegmentRef]:
        """Segments that may hold a relationship."""
        holding = self._relationships.holding(relationship)
        return (ref for ref in holding if ref.version <= version)

    def at_node(
        self, node: int, outgoing: bool, version: int, type_: int | None
    ) -> list[SegmentRef]:
        """Segments that may say which relationships start (or end) at a node."""
        found = []
        for ref in self._relationships.refs:
            entry = ref.entry
            if ref.version > version or ref.only_heads:
                continue
            if type_ is not None and entry.tokens[0] != type_:
                continue
            if outgoing:
                hit = entry.first_start <= node <= entry.last_start
            else:
                hit = entry.first_end <= node <= entry.last_end
            if hit:
                found.append(ref)
        return found


class SegmentCache:
    """Decoded segments, shared by all readers of a store.

    What was used since it was last looked at is passed over once when room is needed (second
    chance), so that a hit takes no lock.
    """

    __slots__ = ("_bytes", "_bytes_max", "_kept", "_lock", "_store", "_used")

    def __init__(self, store: Store, bytes_max: int = SEGMENT_CACHE_BYTES) -> None:
        self._store = store
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lock = Lock()
        #: oldest first
        self._kept: dict[int, Segment] = {}
        self._used: set[int] = set()

    def node(self, ref: SegmentRef) -> NodeSegment:
        """A node segment."""
        return _of_class(self.get(ref), NodeSegment, ref)

    def relationship(self, ref: SegmentRef) -> RelationshipSegment:
        """A relationship segment."""
        return _of_class(self.get(ref), RelationshipSegment, ref)

    def node_at(self, ref: SegmentRef, version: int) -> NodeSegment:
        """A node segment without rows that a reader of a version does not see."""
        return _of_class(self._at(ref, version), NodeSegment, ref)

    def relationship_at(self, ref: SegmentRef, version: int) -> RelationshipSegment:
        """The same of relationships."""
        return _of_class(self._at(ref, version), RelationshipSegment, ref)

    def _at(self, ref: SegmentRef, version: int) -> Segment:
        segment = self.get(ref)
        seen = ref.seen(segment, version)
        return segment if seen is None else taken(segment, np.flatnonzero(seen))

    def get(self, ref: SegmentRef) -> Segment:
        """A segment, from memory or the store.

        :raises CorruptData: it is not whole.
        """
        kept = self._kept.get(ref.id)
        if kept is not None:
            self._used.add(ref.id)
            return kept
        segment = decode_segment(read_segment(self._store, ref))
        with self._lock:
            if ref.id not in self._kept:
                self._kept[ref.id] = segment
                self._bytes += segment.size
                self._make_room(ref.id)
        return segment

    def _make_room(self, newest: int) -> None:
        while self._bytes > self._bytes_max and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            segment = self._kept.pop(oldest)
            if oldest == newest or oldest in self._used:
                self._used.discard(oldest)
                self._kept[oldest] = segment
            else:
                self._bytes -= segment.size


def _of_class(segment: Segment, wanted: type[_S], ref: SegmentRef) -> _S:
    if not isinstance(segment, wanted):
        raise CorruptData(f"segment {ref.id} is no {wanted.__name__}, as its entry says")
    return segment


def entry_of(segment: Segment, tokens: list[int], pieces: int, size: int) -> SegmentEntry:
    """The directory entry of a segment of ``size`` bytes whose names have these tokens."""
    ids = segment.ids.whole()
    first, last = int(ids.min()), int(ids.max())
    if isinstance(segment, NodeSegment):
        entry = SegmentEntry(NODES, tokens, len(segment), first, last, pieces, size)
        return replace(entry, last_version=_newest(segment))
    starts, ends = segment.starts.whole(), segment.ends.whole()
    return SegmentEntry(
        RELATIONSHIPS,
        tokens,
        len(segment),
        first,
        last,
        pieces,
        size,
        int(starts.min()),
        int(starts.max()),
        int(ends.min()),
        int(ends.max()),
        _newest(segment),
    )


def _newest(segment: Segment) -> int:
    return 0 if segment.versions is None else int(segment.versions.whole().max())


def read_segment(store: Store, ref: SegmentRef) -> bytes:
    """The bytes of a segment, its pieces joined.

    :raises CorruptData: a piece is missing.
    """
    prefix = segment_prefix(ref.id)
    found = [value for _, value in store.scan(prefix, after(prefix))]
    data = found[0] if len(found) == 1 else b"".join(found)
    if len(found) != ref.entry.pieces or len(data) != ref.entry.bytes:
        raise CorruptData(
            f"segment {ref.id} has {len(found)} pieces and {len(data)} bytes; its entry says "
            f"{ref.entry.pieces} and {ref.entry.bytes}"
        )
    return data
