"""What the core asks of durable storage, and a storage in memory for tests."""

from __future__ import annotations

from typing import Protocol

from everwhen.raft.types import (
    NO_LIMIT,
    Compacted,
    ConfState,
    Entry,
    HardState,
    Snapshot,
    SnapshotMetadata,
    SnapshotTemporarilyUnavailable,
    Unavailable,
)


class Storage(Protocol):
    """The durable log. Nothing here may wait for long."""

    def initial_state(self) -> tuple[HardState, ConfState]:
        """What was saved when the process ended, and the configuration as applied."""
        ...

    def entries(self, low: int, high: int, max_size: int) -> list[Entry]:
        """Entries with low <= index < high, at least one, cut at ``max_size`` bytes.

        :raises Compacted: ``low`` is no longer there.
        :raises Unavailable: they are not there yet.
        """
        ...

    def term(self, index: int) -> int:
        """The term of an entry, or of the one before the first.

        :raises Compacted: :raises Unavailable: as ``entries``.
        """
        ...

    def last_index(self) -> int:
        """The index of the newest entry."""
        ...

    def first_index(self) -> int:
        """The index of the oldest entry that is there."""
        ...

    def snapshot(self) -> Snapshot:
        """A recent snapshot.

        :raises SnapshotTemporarilyUnavailable: it is being made; ask again.
        """
        ...


def entry_size(entry: Entry) -> int:
    """Bytes an entry counts for in every limit: what the format of etcd's transcripts counts."""
    # three fields of a tag and groups of 7 bits, at least one; the data with its length
    term, index, length = entry.term, entry.index, len(entry.data)
    size = 4 + ((term.bit_length() + 6) // 7 or 1) + ((index.bit_length() + 6) // 7 or 1)
    return size + 1 + (length.bit_length() + 6) // 7 + length if length else size


def limit_size(entries: list[Entry], max_size: int) -> list[Entry]:
    """The first entries up to ``max_size`` bytes, at least one."""
    if len(entries) <= 1 or max_size >= NO_LIMIT:
        return entries
    size = entry_size(entries[0])
    for at in range(1, len(entries)):
        size += entry_size(entries[at])
        if size > max_size:
            return entries[:at]
    return entries


class MemoryStorage:
    """A :class:`Storage` that keeps everything in memory."""

    def __init__(self) -> None:
        self.hard_state = HardState()
        self._snapshot = Snapshot()
        #: the first one is no entry: it stands for the end of the snapshot
        self._entries: list[Entry] = [Entry()]

    # --- Storage ---

    def initial_state(self) -> tuple[HardState, ConfState]:
        """See ``Storage``."""
        return self.hard_state, self._snapshot.metadata.conf_state

    def entries(self, low: int, high: int, max_size: int = NO_LIMIT) -> list[Entry]:
        """See ``Storage``."""
        offset = self._entries[0].index
        if low <= offset:
            raise Compacted(f"entry {low} is compacted: the log begins after {offset}")
        if high > self.last_index() + 1:
            raise Unavailable(f"entry {high - 1} is not there: the log ends at {self.last_index()}")
        if len(self._entries) == 1:
            raise Unavailable("the log is empty")
        return limit_size(self._entries[low - offset : high - offset], max_size)

    def term(self, index: int) -> int:
        """See ``Storage``."""
        offset = self._entries[0].index
        if index < offset:
            raise Compacted(f"entry {index} is compacted: the log begins after {offset}")
        if index - offset >= len(self._entries):
            raise Unavailable(f"entry {index} is not there")
        return self._entries[index - offset].term

    def last_index(self) -> int:
        """See ``Storage``."""
        return self._entries[0].index + len(self._entries) - 1

    def first_index(self) -> int:
        """See ``Storage``."""
        return self._entries[0].index + 1

    def snapshot(self) -> Snapshot:
        """See ``Storage``."""
        return self._snapshot

    # --- what a caller does with it ---

    def apply_snapshot(self, snapshot: Snapshot) -> None:
        """Begin anew behind a snapshot.

        :raises ValueError: an older one than the present one.
        """
        if self._snapshot.metadata.index >= snapshot.metadata.index:
            raise ValueError("requested index is older than the existing snapshot")
        self._snapshot = snapshot
        self._entries = [Entry(snapshot.metadata.term, snapshot.metadata.index)]

    def create_snapshot(self, index: int, conf_state: ConfState | None, data: bytes) -> Snapshot:
        """Keep a snapshot that stands at ``index``."""
        if index <= self._snapshot.metadata.index:
            raise ValueError("requested index is older than the existing snapshot")
        if index > self.last_index():
            raise ValueError(f"snapshot {index} is out of bound, last index {self.last_index()}")
        known = self._snapshot.metadata.conf_state if conf_state is None else conf_state
        metadata = SnapshotMetadata(known, index, self.term(index))
        self._snapshot = Snapshot(data, metadata)
        return self._snapshot

    def compact(self, index: int) -> None:
        """Drop the entries up to ``index``; the caller has a snapshot or need not have one."""
        offset = self._entries[0].index
        if index <= offset:
            raise Compacted(f"entry {index} is compacted already")
        if index > self.last_index():
            raise ValueError(f"compact {index} is out of bound, last index {self.last_index()}")
        at = index - offset
        self._entries = [Entry(self._entries[at].term, index), *self._entries[at + 1 :]]

    def append(self, entries: list[Entry]) -> None:
        """Entries behind the last one, or in the place of those from the first one's index on."""
        if not entries:
            return
        first, last = self.first_index(), entries[-1].index
        if last < first:
            return
        if first > entries[0].index:
            entries = entries[first - entries[0].index :]
        at = entries[0].index - self._entries[0].index
        if at > len(self._entries):
            raise ValueError(f"missing log entry [last: {self.last_index()}]")
        self._entries[at:] = entries


__all__ = [
    "MemoryStorage",
    "SnapshotTemporarilyUnavailable",
    "Storage",
    "entry_size",
    "limit_size",
]
