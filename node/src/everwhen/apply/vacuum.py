"""Vacuum: what no reader can see any more is taken away, in rounds of bounded steps.

A round works by the horizons it began with, kind by kind: the journal's contents first (so that
whatever the journal tells of a thing, the thing's own keys tell too), then entities, what points at
them, segments, and the time table. Where it stands is part of the state, so any leader goes on
with it after any restart. See ADR 13.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from msgspec.structs import replace

from everwhen.apply.compacting import Compactions
from everwhen.apply.segments import replaced, retired_refs
from everwhen.apply.sweep import Sweep
from everwhen.apply.work import Work
from everwhen.codec import journal
from everwhen.codec.cluster import LEVEL_RETENTION, check_level
from everwhen.codec.keys import (
    Kind,
    after,
    journal_key,
    kind_range,
    meta_key,
    piece_key,
    segment_prefix,
)
from everwhen.codec.records import decode_version
from everwhen.codec.retention import META_DEAD, Retired, dead_name, pack_ids, unpack_ids
from everwhen.limits import SEGMENT_DEAD_PERCENT
from everwhen.mvcc.horizons import Horizons
from everwhen.txn import commands as c

#: kinds in the order of a round; a phase is the place in it, from 1 on
PHASES: Final = (
    Kind.JOURNAL,
    Kind.NODE,
    Kind.REL,
    Kind.OUT,
    Kind.IN,
    Kind.LABEL,
    Kind.INDEX,
    Kind.SEGMENT,
    Kind.TIME,
)
#: keys that one journal record or piece of one counts for in a step's limit, and bytes of changes
#: that count for one more where each change is looked at
RECORD: Final = 8
_CHANGES: Final = 100
_PLACE: Final = Struct(">QI")


class Vacuums:
    """Applies steps of vacuum to the work at hand."""

    __slots__ = ("_compactions", "_work")

    def __init__(self, work: Work, compactions: Compactions) -> None:
        self._work = work
        self._compactions = compactions

    def step(self, command: c.VacuumStep) -> c.Vacuumed:
        """One bounded step. ``more``: a round is under way."""
        work = self._work
        check_level(work.cluster, LEVEL_RETENTION, "vacuum steps")
        self.let_go(command.settled)
        if not work.vacuum.phase:
            if not command.begin or self._waits_for_runs() or not self._compactions.give_way():
                return c.Vacuumed(0, 0, False)
            self._begin()
        keys, size, position = self._run(PHASES[work.vacuum.phase - 1], command.limit)
        state = work.vacuum
        state = replace(state, keys=state.keys + keys, size=state.size + size, position=position)
        if not position:
            state = replace(state, phase=(state.phase + 1) % (len(PHASES) + 1))
        work.put_vacuum(state)
        return c.Vacuumed(keys, size, bool(state.phase))

    def _waits_for_runs(self) -> bool:
        """Large transactions are folded first: their entries lie elsewhere until then."""
        highest = Horizons(self._work.retention).highest
        return any(run.version <= highest for run in self._work.runs)

    def _begin(self) -> None:
        work, state = self._work, self._work.vacuum
        judged = 0
        if state.round:
            judged = Horizons(work.retention).unmoved(Horizons(state.seen))
        work.put_vacuum(
            replace(
                state,
                judged=judged,
                round=state.round + 1,
                phase=1,
                position=b"",
                seen=replace(work.retention, points=()),
                keys=0,
                size=0,
                keys_before=state.keys_before + state.keys,
                size_before=state.size_before + state.size,
            )
        )

    @property
    def _horizons(self) -> Horizons:
        """Those of the round, with the restore points of now."""
        work = self._work
        return Horizons(replace(work.vacuum.seen, points=work.retention.points))

    def _run(self, kind: Kind, limit: int) -> tuple[int, int, bytes]:
        """A stretch of one kind: keys and bytes taken away, and where the next one begins."""
        position = self._work.vacuum.position
        if kind is Kind.JOURNAL:
            return self._journal(position, limit)
        if kind is Kind.SEGMENT:
            return self._segment()
        if kind is Kind.TIME:
            return self._times(position, limit)
        work = self._work
        sweep = Sweep(work, self._horizons, work.retention.pinned, retired_refs(work))
        next_position = sweep.run(kind, position, limit)
        for segment, ids in sorted(sweep.dead.items()):
            work.layer.put(meta_key(dead_name(segment, ids[0])), pack_ids(ids))
        return sweep.keys, sweep.bytes, next_position

    # --- the journal ---

    def _journal(self, position: bytes, limit: int) -> tuple[int, int, bytes]:
        """Contents of commits; headers stay, and with them the chain."""
        work, horizons = self._work, self._horizons
        version, piece = max(work.vacuum.emptied, work.vacuum.judged) + 1, 0
        if position:
            version, piece = _PLACE.unpack(position)
        looked = keys = size = 0
        while version <= horizons.highest:
            if looked >= limit:
                return keys, size, _PLACE.pack(version, piece)
            looked += RECORD
            value = work.layer.get(journal_key(version))
            if value is not None:
                looked += cost_of(value) if version > horizons.lowest else 0
                record = journal.decode_record(value)
                # the record first: it says that not all of its pieces are there any more
                gone = None if piece else self._forget(record, horizons)
                if gone is not None:
                    smaller = journal.encode_record(gone)
                    work.layer.put(journal_key(version), smaller)
                    keys += 1
                    size += len(value) - len(smaller)
                if piece < record.header.pieces:
                    key = piece_key(record.header.transaction, piece)
                    taken, cost = self._piece(key, version, horizons)
                    keys, size, piece = keys + bool(taken), size + taken, piece + 1
                    looked += cost
                    continue
            version, piece = version + 1, 0
        work.put_vacuum(replace(work.vacuum, emptied=horizons.lowest))
        return keys, size, b""

    def _piece(self, key: bytes, version: int, horizons: Horizons) -> tuple[int, int]:
        """Take out of a large transaction's piece what is below its horizon; bytes that went, and
        what the look at it cost."""
        layer = self._work.layer
        value = layer.get(key)
        if value is None:
            return 0, 0
        if version <= horizons.lowest:
            layer.delete(key)
            return len(key) + len(value), 0
        piece = journal.decode_piece(value)
        kept = [change for change in piece.changes if not self._goes(change, version, horizons)]
        if len(kept) == len(piece.changes):
            return 0, cost_of(value)
        smaller = journal.encode_piece(journal.Piece(kept, piece.segments))
        layer.put(key, smaller)
        return len(value) - len(smaller), cost_of(value)

    def _forget(self, record: journal.Record, horizons: Horizons) -> journal.Record | None:
        """The record without what is below its horizon; None if it is as it should be."""
        if not record.content and not record.left:
            return None
        version = record.header.version
        if version <= horizons.lowest:
            return journal.with_left(record, b"")
        if record.header.pieces:
            # of pieces and segments some may have gone
            return journal.with_left(record, record.content) if record.content else None
        return journal.without(record, lambda change: self._goes(change, version, horizons))

    def _goes(self, change: journal.AnyChange, version: int, horizons: Horizons) -> bool:
        tokens = self._work.tokens
        if isinstance(change, journal.LabelsChanged):
            names = [tokens.labels.names[token] for token in (*change.old, *change.new)]
            if not change.old or not change.new:
                names.append("")
        elif isinstance(change, journal.NodeCreated | journal.NodeDeleted | journal.NodeChanged):
            names = [tokens.labels.names[token] for token in change.labels] or [""]
        else:
            return version <= horizons.type(tokens.types.names[change.type]).version
        return version <= horizons.node(names)

    # --- times ---

    def _times(self, position: bytes, limit: int) -> tuple[int, int, bytes]:
        """Entries of the time table; that of a restore point stays, and the one after it, which
        says where its time ends."""
        work = self._work
        lowest = self._horizons.lowest
        kept = {version + after_it for version in work.retention.pinned for after_it in (0, 1)}
        start, end = kind_range(Kind.TIME)
        if position:
            start = position + b"\x00"
        keys = size = 0
        for looked, (key, value) in enumerate(work.layer.scan(start, end), 1):
            version = decode_version(value)
            if version >= lowest:
                break
            if version not in kept:
                work.layer.delete(key)
                keys += 1
                size += len(key) + len(value)
            if looked >= limit:
                return keys, size, key
        return keys, size, b""

    # --- segments ---

    def _segment(self) -> tuple[int, int, bytes]:
        """One segment of those that rows were found dead of: dropped, or rewritten if enough are
        dead; its bytes stay until nobody reads by them."""
        work = self._work
        prefix = meta_key(META_DEAD)
        pair = work.layer.first(prefix, after(prefix))
        if pair is None:
            return 0, 0, b""
        name = pair[0][len(prefix) :].decode()
        segment = int(name[:20])
        own = meta_key(META_DEAD + name[:21])
        dead: set[int] = set()
        for _, value in work.layer.scan(own, after(own)):
            dead.update(unpack_ids(value))
        work.layer.delete_range(own, after(own))
        ref = next((one for one in work.segments.refs if one.id == segment), None)
        if ref is None or len(dead) * 100 < SEGMENT_DEAD_PERCENT * ref.entry.count:
            return 0, 0, b"\x01"
        smaller = replaced(work, ref, dead)
        return len(dead), ref.entry.bytes - smaller.size, b"\x01"

    def let_go(self, settled: int) -> None:
        """Segments that were replaced before the entry ``settled`` are read by nobody; not even
        by an erasure, which looks up there what it takes away."""
        work = self._work
        if work.state.erased.next_open() is not None:
            return
        left: list[Retired] = []
        for one in work.vacuum.retired:
            if one.index <= settled:
                prefix = segment_prefix(one.segment)
                work.layer.delete_range(prefix, after(prefix))
                work.state.let_go = max(work.state.let_go, one.index)
            else:
                left.append(one)
        if len(left) < len(work.vacuum.retired):
            work.put_vacuum(replace(work.vacuum, retired=tuple(left)))


def cost_of(value: bytes | None) -> int:
    """Keys that the changes of a journal record, or of a piece, count for in a step's limit."""
    return len(value or b"") // _CHANGES
