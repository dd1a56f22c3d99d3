"""Record compaction: elements that keys hold in one version move into a segment whose rows have
versions of their own.

A leader makes the segment of what it reads. Nobody relies on that: steps first compare each row
with the key that it is to take the place of, and publish the segment only if all agree. From then
on the key and the row say the same. When nobody reads by an older directory any more, further
steps take the keys away. Where it stands is part of the state, so any leader goes on with it.

Only heads move. Vacuum and erasures, which take keys away too, wait meanwhile; before the first key
went, the segment is withdrawn for them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec.structs import replace

from everwhen.apply.segments import retire
from everwhen.apply.work import Work
from everwhen.codec.cluster import LEVEL_COMPACTION, check_level
from everwhen.codec.compaction import CHECKING, CLEARING, IDLE
from everwhen.codec.keys import (
    after,
    at_version,
    node_stem,
    relationship_stem,
    segment_key,
    segment_prefix,
    segref_key,
)
from everwhen.codec.records import decode_segment_entry, encode_segment_entry
from everwhen.codec.segments import (
    NODES,
    ROWS_MAX,
    NodeSegment,
    Segment,
    decode_segment,
    pieces,
)
from everwhen.errors import CorruptData, PreconditionFailed, RequestInvalid
from everwhen.model.graph import EntityKind
from everwhen.mvcc.row_entries import head_of, row_at
from everwhen.mvcc.segments import SegmentRef, entry_of
from everwhen.txn import commands as c

#: behind every version of a stem
_PAST: Final = b"\xff" * 9
#: keys that go for each row that is compared, in a step's limit
_CLEARED: Final = 4


class Compactions:
    """Applies compaction to the work at hand."""

    __slots__ = ("_work",)

    def __init__(self, work: Work) -> None:
        self._work = work

    def begin(self, command: c.CompactSegment) -> c.Done:
        """:raises PreconditionFailed: something else is under way.
        :raises RequestInvalid: bytes that are no such segment."""
        work = self._work
        check_level(work.cluster, LEVEL_COMPACTION, "compactions")
        self._check_alone()
        segment, tokens = self._segment(command.segment)
        versions = segment.versions
        assert versions is not None
        number = work.next_segment
        work.next_segment += 1
        cut = pieces(command.segment)
        for at, piece in enumerate(cut):
            work.layer.put(segment_key(number, at), piece)
        entry = entry_of(segment, tokens, len(cut), len(command.segment))
        self._put(
            phase=CHECKING,
            segment=number,
            version=int(versions.whole().min()),
            entry=encode_segment_entry(entry),
            place=0,
            published=0,
        )
        return c.Done(more=True)

    def _put(self, **changes: int | bytes) -> None:
        self._work.put_compaction(replace(self._work.compaction, **changes))

    def _check_alone(self) -> None:
        work = self._work
        busy = {
            "a compaction": work.compaction.phase != IDLE,
            "vacuum": bool(work.vacuum.phase or work.vacuum.retired),
            "an erasure": work.state.erased.next_open() is not None,
            # their entries lie elsewhere until then, and may be older than what the keys say
            "a large transaction that is not folded": bool(work.runs),
        }
        for what, there in busy.items():
            if there:
                raise PreconditionFailed(f"{what} is under way", hint="try again later")

    def _segment(self, data: bytes) -> tuple[Segment, list[int]]:
        """The segment, and the tokens of its names."""
        work, tables = self._work, self._work.tokens
        try:
            segment = decode_segment(data)
        except CorruptData as error:
            raise RequestInvalid(f"a compaction of {error.message}") from error
        if segment.versions is None or not 0 < len(segment) <= ROWS_MAX:
            raise RequestInvalid("a compaction of a segment that has no versions, or no rows")
        ids, versions = segment.ids.whole(), segment.versions.whole()
        nodes = isinstance(segment, NodeSegment)
        if bool((np.diff(ids) <= 0).any()) or not (
            ids[0] >= 0
            and ids[-1] < (work.next_node if nodes else work.next_relationship)
            and versions.min() > 0
            and versions.max() <= work.version
        ):
            raise RequestInvalid("a compaction of ids or versions that are not there")
        if isinstance(segment, NodeSegment):
            names, known = segment.labels, tables.labels.ids
        else:
            names, known = (segment.type,), tables.types.ids
        if not all(name in known for name in names) or not all(
            key in tables.keys.ids for key in segment.columns
        ):
            raise RequestInvalid("a compaction of names that are not known")
        return segment, sorted(known[name] for name in names)

    # --- steps ---

    def step(self, command: c.CompactStep) -> c.Done:
        """One bounded step. ``more``: it is not done."""
        check_level(self._work.cluster, LEVEL_COMPACTION, "compactions")
        phase = self._work.compaction.phase
        if phase == CHECKING:
            return self._compare(command.limit)
        if phase == CLEARING:
            return self._clear(command.limit, command.settled)
        return c.Done()

    def _ref(self) -> SegmentRef:
        now = self._work.compaction
        return SegmentRef(now.segment, now.version, decode_segment_entry(now.entry))

    def _compare(self, limit: int) -> c.Done:
        work, ref = self._work, self._ref()
        segment = work.state.cache.get(ref)
        place = work.compaction.place
        end = min(place + max(limit, 1), len(segment))
        for row in range(place, end):
            if not self._agrees(ref, segment, row):
                self._drop()
                return c.Done()
        if end < len(segment):
            self._put(place=end)
            return c.Done(more=True)
        work.layer.put(segref_key(ref.version, ref.id), work.compaction.entry)
        work.replace_segments((), [ref])
        # this entry's own index: it is noted as applied only after it is done
        self._put(phase=CLEARING, place=0, published=work.applied_index + 1)
        return c.Done(more=True)

    def _agrees(self, ref: SegmentRef, segment: Segment, row: int) -> bool:
        """Whether the oldest that is known of an element is a key that says what the row does."""
        work = self._work
        nodes = ref.entry.kind == NODES
        identity = segment.ids.get(row)
        kind = EntityKind.NODE if nodes else EntityKind.RELATIONSHIP
        if work.segments and work.entities.row(kind, identity) is not None:
            return False
        placed = row_at(ref, segment, row)
        stem, value = head_of(work.tokens, identity, placed)
        key = at_version(stem, placed.version)
        if work.layer.get(key) != value:
            return False
        return work.layer.first(key + b"\x00", stem + _PAST) is None

    def _drop(self) -> None:
        prefix = segment_prefix(self._work.compaction.segment)
        self._work.layer.delete_range(prefix, after(prefix))
        self._put(phase=IDLE)

    def _clear(self, limit: int, settled: int) -> c.Done:
        work, ref, now = self._work, self._ref(), self._work.compaction
        if settled < now.published:
            return c.Done(more=True)  # somebody may still read by a directory without it
        # whoever was not heard of all the same gets an error, not an answer without what moved
        work.state.let_go = max(work.state.let_go, now.published)
        segment = work.state.cache.get(ref)
        make = node_stem if ref.entry.kind == NODES else relationship_stem
        end = min(now.place + max(limit, 1) * _CLEARED, len(segment))
        for row in range(now.place, end):
            stem = make(segment.ids.get(row))
            work.layer.delete(at_version(stem, ref.version_of(segment, row)))
        if end < len(segment):
            self._put(place=end)
            return c.Done(more=True)
        done = len(segment)
        self._put(phase=IDLE, place=0, segments=now.segments + 1, rows=now.rows + done)
        return c.Done()

    # --- others ---

    def give_way(self) -> bool:
        """For who takes keys away: whether none is under way any more. One that has taken no key
        away itself ends here."""
        work, now = self._work, self._work.compaction
        if now.phase == CHECKING:
            self._drop()
        elif now.phase == CLEARING and not now.place:
            ref = self._ref()
            work.layer.delete(segref_key(ref.version, ref.id))
            retire(work, ref)
            work.replace_segments({ref.id}, [])
            self._put(phase=IDLE)
        return work.compaction.phase == IDLE
