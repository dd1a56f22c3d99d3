"""Segments without some of their rows: a new segment stands in the place of the old one."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from everwhen.apply.work import Work
from everwhen.codec.keys import segment_key, segref_key
from everwhen.codec.records import decode_segment_entry, encode_segment_entry
from everwhen.codec.retention import Retired
from everwhen.codec.segment_taking import taken
from everwhen.codec.segments import encode_segment, pieces
from everwhen.mvcc.segments import SegmentRef, entry_of


class Replaced(NamedTuple):
    """What stands in the place of a segment: its id and bytes; 0 and 0 for nothing."""

    id: int
    size: int


def replaced(work: Work, ref: SegmentRef, gone: Collection[int]) -> Replaced:
    """Take rows out of a segment, by id. The old bytes are retired."""
    segment = work.state.cache.get(ref)
    ids = segment.ids.whole()
    keep = ~np.isin(ids, np.fromiter(gone, np.int64, len(gone)))
    number = size = 0
    refs: list[SegmentRef] = []
    layer = work.layer
    if bool(keep.any()):
        smaller = taken(segment, np.flatnonzero(keep))
        data = encode_segment(smaller)
        size = len(data)
        number = work.next_segment
        work.next_segment += 1
        cut = pieces(data)
        for at, piece in enumerate(cut):
            layer.put(segment_key(number, at), piece)
        entry = entry_of(smaller, ref.entry.tokens, len(cut), size)
        refs.append(SegmentRef(number, ref.version, entry))
        layer.put(segref_key(ref.version, number), encode_segment_entry(entry))
    layer.delete(segref_key(ref.version, ref.id))
    retire(work, ref)
    work.replace_segments({ref.id}, refs)
    return Replaced(number, size)


def retire(work: Work, ref: SegmentRef) -> None:
    """A segment that is no longer in the directory; its bytes stay while somebody may read them."""
    # this entry's own index: it is noted as applied only after it is done
    index = work.applied_index + 1
    retired = Retired(ref.id, ref.version, index, encode_segment_entry(ref.entry))
    work.put_vacuum(replace(work.vacuum, retired=(*work.vacuum.retired, retired)))


def retired_refs(work: Work) -> list[SegmentRef]:
    """Segments that were replaced, and that somebody may read still."""
    return [
        SegmentRef(one.segment, one.version, decode_segment_entry(one.entry))
        for one in work.vacuum.retired
    ]
