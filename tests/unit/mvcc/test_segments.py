"""The segment directory and the cache of decoded segments."""

from __future__ import annotations

import numpy as np
import pytest

from everwhen.codec import keys
from everwhen.codec.records import SegmentEntry
from everwhen.codec.segment_making import node_segment
from everwhen.codec.segments import NODES, encode_segment
from everwhen.errors import CorruptData
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.segments import SegmentCache, SegmentDirectory, SegmentRef
from everwhen.mvcc.store import Batch


def stored(count: int) -> tuple[MemoryStore, list[SegmentRef], int]:
    """Segments of ten nodes each, and the bytes of one."""
    store, batch, refs = MemoryStore(), Batch(), []
    size = 0
    for number in range(count):
        first = number * 10
        data = encode_segment(node_segment([], np.arange(first, first + 10), {}))
        size = len(data)
        batch.put(keys.segment_key(number, 0), data)
        entry = SegmentEntry(NODES, [], 10, first, first + 9, 1, size)
        refs.append(SegmentRef(number, number + 1, entry))
    store.write(batch)
    return store, refs, size


def test_segments_are_found_by_id_and_version() -> None:
    _, refs, _ = stored(5)
    directory = SegmentDirectory(refs[:3]).extended(refs[3:])
    assert list(directory.of_node(35, version=9)) == [refs[3]]
    assert list(directory.of_node(35, version=3)) == []
    assert list(directory.of_node(50, version=9)) == []
    assert directory.nodes(2) == refs[:2]
    assert not SegmentDirectory()
    assert directory


def test_overlapping_ranges_are_all_looked_at() -> None:
    entries = [(0, 100), (10, 12), (20, 22), (21, 90)]
    refs = [
        SegmentRef(number, 1, SegmentEntry(NODES, [], 2, first, last, 1, 1))
        for number, (first, last) in enumerate(entries)
    ]
    directory = SegmentDirectory(refs)
    for node in range(110):
        expected = {n for n, (first, last) in enumerate(entries) if first <= node <= last}
        assert {ref.id for ref in directory.of_node(node, 1)} == expected


def test_the_cache_keeps_to_its_bytes_and_what_is_used() -> None:
    store, refs, size = stored(6)
    cache = SegmentCache(store, bytes_max=3 * size)
    first = cache.node(refs[0])
    for ref in refs[1:3]:
        cache.node(ref)
    assert cache.node(refs[0]) is first
    cache.node(refs[3])  # the first was used, so the second goes
    assert cache.node(refs[0]) is first
    assert set(cache._kept) == {0, 2, 3}
    for ref in refs:
        assert cache.node(ref).row(ref.entry.first_id + 3) == 3
    assert len(cache._kept) == 3
    assert cache._bytes == 3 * size


def test_one_segment_larger_than_the_cache_is_kept() -> None:
    store, refs, _ = stored(2)
    cache = SegmentCache(store, bytes_max=1)
    assert cache.node(refs[0]) is cache.node(refs[0])
    cache.node(refs[1])
    assert set(cache._kept) == {1}


def test_a_segment_of_the_other_kind_is_corrupt() -> None:
    store, refs, _ = stored(1)
    with pytest.raises(CorruptData, match="no RelationshipSegment"):
        SegmentCache(store).relationship(refs[0])
