"""The durable log: entries with index and term, in checksummed segment files.

``append`` makes one write and one fdatasync, whatever the number of entries, and returns when they
are durable. There is no timer: whoever calls it gathers the next batch while one call runs.

Any thread may call anything: writers take turns, readers wait for none of them. After a failed
write or sync the log refuses everything: what the disk then holds is known only after a restart, so
the process must end (research/raft.md P45).

Segments are preallocated, so that an append usually changes no metadata of the file system, and
are cut to the length of what they hold, with a sync, before anything is written behind a torn tail:
no stale bytes can be taken for a frame. Bytes and rules: ``frames.py``, ``log_recovery.py``.
"""

from __future__ import annotations

import errno
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Final

from everwhen import limits
from everwhen.errors import DiskFailed
from everwhen.ports import Disk, Random
from everwhen.storage.files import disk_failed, write_all
from everwhen.storage.frames import (
    ENTRY_HEADER_BYTES,
    FRAME_BYTES_MAX,
    FRAME_HEADER_BYTES,
    HEADER_BYTES,
    Entry,
    SegmentHeader,
    encode_frame,
)
from everwhen.storage.log_recovery import (
    FoundLog,
    Index,
    TornTail,
    read_log,
)
from everwhen.storage.meta import MetaFile
from everwhen.storage.segment_file import Segment

__all__ = ["Entry", "SegmentedLog"]

_OFFSET_MASK: Final = (1 << 32) - 1


class SegmentedLog:
    """The log in one folder; see the module."""

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        meta: MetaFile,
        random: Random,
        found: FoundLog,
        segment_bytes: int,
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._meta = meta
        self._random = random
        self._segment_bytes = segment_bytes
        #: held by whoever writes, one at a time
        self.writing = Lock()
        #: guards the index and the list of segments; never held over a write or a sync
        self._lock = Lock()
        self._index: Index = found.index
        self._last_frame = found.last_frame
        self._last_checksum = found.last_checksum
        self._segments: dict[int, Segment] = {}
        self._failed: DiskFailed | None = None
        #: what was cut at start, for the node to report
        self.torn: TornTail | None = found.torn

    @classmethod
    def open(
        cls,
        disk: Disk,
        folder: Path,
        meta: MetaFile,
        random: Random,
        *,
        segment_bytes: int = limits.LOG_SEGMENT_BYTES,
    ) -> SegmentedLog:
        """Read the log, cut a torn tail, throw leftovers away; raises on damage."""
        found = read_log(disk, folder, meta.value)
        self = cls(disk, folder, meta, random, found, segment_bytes)
        with _Guard(self, "opening the log"):
            for path in found.leftovers:
                disk.remove(path)
            # also for a process that ended because a sync failed
            disk.sync_directory(folder)
            for segment in found.segments:
                sequence = segment.header.sequence
                if segment is not found.segments[-1]:
                    self._segments[sequence] = Segment.take_over(disk, segment)
                    continue
                newest = found.index.places[-1] if found.index.places else 0
                at = newest & _OFFSET_MASK if newest >> 32 == sequence else 0
                self._segments[sequence] = Segment.go_on(disk, segment, segment_bytes, at)
            if not found.segments:
                self._begin_segment(1, 0, voids_before=False)
        self.note_synced()
        return self

    # --- reads ---

    @property
    def first_index(self) -> int:
        """The index of the oldest entry kept; one above ``last_index`` if there is none."""
        return self._index.base_index + 1

    @property
    def last_index(self) -> int:
        """The index of the newest durable entry; 0 in a new log."""
        return self._index.last_index

    def term(self, index: int) -> int | None:
        """The term of an entry or of the one before the first; None if not known here."""
        with self._lock:
            return self._index.term(index)

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of all segments, without the reserve of the last one."""
        with self._lock:
            return sum(segment.end for segment in self._segments.values())

    def entries(self, low: int, high: int) -> Iterator[Entry]:
        """The entries with low <= index < high, read from disk batch by batch.

        Raises ``LookupError`` if they are not all here (compacted, or not yet written).
        """
        while low < high:
            batch = self._batch(low, high)
            yield from batch
            low = batch[-1].index + 1

    def _batch(self, low: int, high: int) -> list[Entry]:
        """The wanted entries of the frame that holds ``low``."""
        with self._lock:
            index = self._index
            if not index.base_index < low < high <= index.last_index + 1:
                raise LookupError(
                    f"entries {low} to {high - 1} asked for; the log has {index.base_index + 1} "
                    f"to {index.last_index}"
                )
            at = bisect_right(index.firsts, low) - 1
            if at + 1 < len(index.firsts):
                high = min(high, index.firsts[at + 1])
            place = index.places[at]
            segment = self._segments[place >> 32]
            offset = place & _OFFSET_MASK
            data = segment.read(offset)
        return segment.entries(data, offset, low, high)

    # --- writes ---

    def is_quick(self, size: int) -> bool:
        """Whether appending so many bytes takes one write and one sync: nobody else writes, and
        they fit into the newest segment."""
        if self.writing.locked():
            return False
        return self._newest().end + size <= self._segment_bytes

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries as one batch; durable when this returns.

        They follow the last entry, or replace the entries from the first one's index on (never
        any that was committed). All of a batch survives a crash, or nothing of it.
        """
        if not entries:
            return
        first = entries[0].index
        with _Guard(self, "appending to the log"):
            size = self._check(entries)
            segment = self._newest()
            if self._needs_roll(segment, first, size):
                segment = self._roll(first)
            number = self._last_frame + 1
            data, checksum = encode_frame(entries, number, self._last_checksum, segment.header.salt)
            offset = segment.end
            write_all(segment.file, data, offset)
            segment.file.sync()
            segment.end = offset + len(data)
            self._last_frame, self._last_checksum = number, checksum
            place = segment.header.sequence << 32 | offset
            with self._lock:
                self._index.add(first, [entry.term for entry in entries], place)

    def _check(self, entries: Sequence[Entry]) -> int:
        """Refuse a batch that would make the log unreadable; returns how long its frame is."""
        first = entries[0].index
        if not max(self._meta.value.commit, self._index.base_index) < first <= self.last_index + 1:
            raise ValueError(
                f"entry {first} cannot follow {self.last_index}: committed up to "
                f"{self._meta.value.commit}, compacted up to {self._index.base_index}"
            )
        term = self._index.term(first - 1) or 0
        size = FRAME_HEADER_BYTES + ENTRY_HEADER_BYTES * len(entries)
        for index, entry in enumerate(entries, first):
            if entry.index != index or entry.term < term or not 0 <= entry.kind < 256:
                raise ValueError(f"entry {entry.index} of term {entry.term} is out of order")
            term = entry.term
            size += len(entry.payload)
        if size > FRAME_BYTES_MAX:
            raise ValueError(f"a batch of {len(entries)} entries and {size} bytes is too large")
        return size

    def note_synced(self) -> None:
        """Tell the meta file how far the log is durable, so that later damage there shows.

        Worth a call when the node falls idle.
        """
        with _Guard(self, "noting how far the log is synced"):
            self._update_meta()

    def _update_meta(self, **changes: int) -> None:
        """Save the meta file, always with how far the log is durable."""
        changes["synced_frame"] = self._last_frame
        self._meta.update(replace(self._meta.value, **changes))  # type: ignore[arg-type]

    def save_hard_state(self, *, term: int, vote: int, commit: int) -> None:
        """Save term, vote and commit index; durable when this returns."""
        with _Guard(self, "saving term, vote and commit"):
            known = self._meta.value
            if term < known.term or (term == known.term and known.vote not in (0, vote)):
                raise ValueError(f"term {term}, vote {vote} after term {known.term}, {known.vote}")
            if not known.commit <= commit <= self.last_index:
                raise ValueError(f"commit {commit} is not within {known.commit}, {self.last_index}")
            self._update_meta(term=term, vote=vote, commit=commit)

    def compact(self, up_to: int) -> None:
        """Drop whole segments that hold no entry above ``up_to``; the newest one always stays.

        The caller knows that everything up to there is durable in the record.
        """
        with _Guard(self, "compacting the log"):
            first_kept = self._first_kept(up_to)
            dropped = [self._segments[each] for each in sorted(self._segments) if each < first_kept]
            if not dropped:
                return
            kept = self._segments[first_kept].header
            # first the decision, durably: files below it are leftovers from here on
            self._update_meta(first_segment=first_kept)
            with self._lock:
                self._index.cut_before(kept.first_index - 1, kept.previous_term)
                for each in dropped:
                    del self._segments[each.header.sequence]
            self._remove(dropped)

    def _first_kept(self, up_to: int) -> int:
        """The newest segment with live entries before which no entry is above ``up_to``; or 0."""
        index = self._index
        kept = 0
        at = 0
        while at < len(index.places) and index.firsts[at] - 1 <= up_to:
            kept = index.places[at] >> 32
            at = bisect_left(index.places, (kept + 1) << 32)
        return kept

    def reset(self, index: int, term: int) -> None:
        """Forget all entries and go on after ``index``: a snapshot covers everything up to it."""
        with _Guard(self, "resetting the log"):
            if index < self._meta.value.commit:
                raise ValueError(f"reset to {index}, below commit {self._meta.value.commit}")
            dropped = list(self._segments.values())
            segment = self._begin_segment(index + 1, term, voids_before=True)
            self._update_meta(first_segment=segment.header.sequence)
            with self._lock:
                self._index.restart(index, term)
                for each in dropped:
                    del self._segments[each.header.sequence]
            self._remove(dropped)

    def _remove(self, dropped: list[Segment]) -> None:
        for segment in dropped:
            segment.file.close()
            self._disk.remove(segment.file.path)
        self._disk.sync_directory(self._folder)

    def close(self) -> None:
        """Note what is durable and close the files."""
        if self._failed is None:
            with _Guard(self, "closing the log"):
                self._update_meta()
                newest = self._newest()
                newest.file.truncate(newest.end)
        with self._lock:
            for segment in self._segments.values():
                segment.file.close()
            self._segments.clear()
        self._failed = self._failed or DiskFailed("the log is closed")

    # --- segments ---

    def _newest(self) -> Segment:
        return self._segments[max(self._segments)]

    def _needs_roll(self, segment: Segment, first: int, size: int) -> bool:
        """Whether entries from ``first`` on go into a new segment.

        A segment's header names the first entry in it and the term before that, which compaction
        relies on. So an empty segment that a crash left behind stays empty if the next entry is
        another one, and a replacement never reaches below the first entry of its segment.
        """
        begins_at = segment.header.first_index
        if segment.end == HEADER_BYTES:
            return first != begins_at
        return first < begins_at or segment.end + size > self._segment_bytes

    def _roll(self, first: int) -> Segment:
        """Begin a new segment at entry ``first``."""
        full = self._newest()
        term = self._index.term(first - 1)
        assert term is not None  # _check has looked
        segment = self._begin_segment(first, term, voids_before=False)
        full.file.truncate(full.end)
        self._update_meta()
        return segment

    def _begin_segment(
        self, first_index: int, previous_term: int, *, voids_before: bool
    ) -> Segment:
        """Make a segment file, durably and whole, and take it in."""
        header = SegmentHeader(
            cluster_id=self._meta.value.cluster_id,
            sequence=max(self._segments, default=self._meta.value.first_segment - 1) + 1,
            first_index=first_index,
            previous_term=previous_term,
            first_frame=self._last_frame + 1,
            previous_checksum=self._last_checksum,
            salt=int.from_bytes(self._random.bytes(4), "little"),
            voids_before=voids_before,
        )

        segment = Segment.create(self._disk, self._folder, header, self._segment_bytes)
        with self._lock:
            self._segments[header.sequence] = segment
        return segment

    # --- failure ---

    @property
    def failed(self) -> DiskFailed | None:
        """The fault after which everything is refused."""
        return self._failed

    def latch(self, error: DiskFailed) -> None:
        """From here on everything is refused with this fault."""
        self._failed = error

    def fail(self, doing: str, error: OSError) -> DiskFailed:
        """Latch what a failed write or sync becomes."""
        if error.errno == errno.ENOSPC:
            doing = f"{doing} (the volume is full)"
        fault = disk_failed(f"{doing} in {self._folder}", error)
        self.latch(fault)
        return fault


class _Guard:
    """One write at a time, none after a failure; an ``OSError`` inside becomes a latched fault."""

    __slots__ = ("_doing", "_log")

    def __init__(self, log: SegmentedLog, doing: str) -> None:
        self._log = log
        self._doing = doing

    def __enter__(self) -> None:
        self._log.writing.acquire()
        if self._log.failed is not None:
            self._log.writing.release()
            raise self._log.failed

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if isinstance(error, OSError):
                raise self._log.fail(self._doing, error) from error
            if isinstance(error, DiskFailed):  # of the meta file
                self._log.latch(error)
        finally:
            self._log.writing.release()
