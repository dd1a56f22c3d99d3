"""All that was ever said of a node's relationships, in order and from any place on.

Readers of a graph see what is there (``Entities.adjacent``). Who must know that *nothing* is there
has to walk over what is gone, and a node may have had a million relationships: so the walk says
of each whether it is there, and goes on later where it was left.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import repeat
from operator import itemgetter
from struct import Struct
from typing import Final

from everwhen.codec.keys import Kind, adjacency_prefix, after
from everwhen.mvcc.segments import SegmentCache, SegmentDirectory, SegmentRef
from everwhen.mvcc.versioned import Versioned

Adjacent = tuple[int, int, int]
"""Type token, other node, relationship."""

#: the part of OUT and IN stems behind the node
ADJACENT: Final = Struct(">IQQ")
#: where it begins
ADJACENT_AT: Final = 11

_Said = tuple[Adjacent, bool]


def adjacency(
    record: Versioned,
    segments: SegmentDirectory,
    cache: SegmentCache,
    version: int,
    node: int,
    outgoing: bool,
    behind: Adjacent | None,
) -> Iterator[_Said]:
    """Everything known of a node's relationships in one direction as of a version, ascending and
    behind a place, each with whether it is there."""
    prefix = adjacency_prefix(Kind.OUT if outgoing else Kind.IN, node)
    start = prefix if behind is None else after(prefix + ADJACENT.pack(*behind))
    unpack = ADJACENT.unpack_from
    # of what both a key and a row speak of, the key counts: it stands first
    said: list[Iterator[_Said]] = [
        (
            (unpack(stem, ADJACENT_AT), bool(value))
            for stem, _, value in record.scan(start, after(prefix), version)
        )
    ]
    said += [
        zip(rows_at(ref, cache, node, outgoing, behind=behind), repeat(True))
        for ref in segments.at_node(node, outgoing, version, None)
        if behind is None or ref.entry.tokens[0] >= behind[0]
    ]
    last: Adjacent | None = None
    for one in merge(*said, key=itemgetter(0)):
        if one[0] != last:
            last = one[0]
            yield one


def rows_at(
    ref: SegmentRef,
    cache: SegmentCache,
    node: int,
    outgoing: bool,
    other: int | None = None,
    behind: Adjacent | None = None,
) -> Iterator[Adjacent]:
    """A segment's rows at a node: those to one other node, or those behind a place."""
    type_ = ref.entry.tokens[0]
    here = None if behind is None or behind[0] != type_ else behind[1:]
    segment = cache.relationship(ref)
    for reached, relationship in segment.neighbours(node, outgoing, other, here):
        yield type_, reached, relationship
