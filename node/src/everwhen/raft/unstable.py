"""The end of the log that storage does not have yet, and how far it has been told to write it.

``offset`` is the index of the first entry here. Entries below ``offset_in_progress`` are being
written: they are handed out once. What is being written may be replaced meanwhile; an answer of the
storage counts only if it names the term of what stands here now (P40).
"""

from __future__ import annotations

from everwhen.raft.types import Entry, Snapshot


class Unstable:
    """Entries and perhaps a snapshot that are not durable yet."""

    __slots__ = ("entries", "offset", "offset_in_progress", "snapshot", "snapshot_in_progress")

    def __init__(self, offset: int) -> None:
        self.snapshot: Snapshot | None = None
        self.entries: list[Entry] = []
        self.offset = offset
        self.snapshot_in_progress = False
        self.offset_in_progress = offset

    def maybe_first_index(self) -> int | None:
        """The first index behind a snapshot that is not durable yet."""
        return None if self.snapshot is None else self.snapshot.metadata.index + 1

    def maybe_last_index(self) -> int | None:
        """The last index here."""
        if self.entries:
            return self.offset + len(self.entries) - 1
        return None if self.snapshot is None else self.snapshot.metadata.index

    def maybe_term(self, index: int) -> int | None:
        """The term of an entry here."""
        if index < self.offset:
            if self.snapshot is not None and self.snapshot.metadata.index == index:
                return self.snapshot.metadata.term
            return None
        at = index - self.offset
        return self.entries[at].term if at < len(self.entries) else None

    def next_entries(self) -> list[Entry]:
        """Entries that storage was not told of."""
        return self.entries[self.offset_in_progress - self.offset :]

    def next_snapshot(self) -> Snapshot | None:
        """The snapshot, if storage was not told of it."""
        return None if self.snapshot_in_progress else self.snapshot

    def accept_in_progress(self) -> None:
        """Storage was told of everything."""
        if self.entries:
            self.offset_in_progress = self.entries[-1].index + 1
        if self.snapshot is not None:
            self.snapshot_in_progress = True

    def stable_to(self, index: int, term: int) -> None:
        """Storage has everything up to this entry; ignored if another one stands there now."""
        known = self.maybe_term(index)
        if known is None or index < self.offset or known != term:
            return
        del self.entries[: index + 1 - self.offset]
        self.offset = index + 1
        self.offset_in_progress = max(self.offset_in_progress, self.offset)

    def stable_snapshot_to(self, index: int) -> None:
        """Storage has the snapshot."""
        if self.snapshot is not None and self.snapshot.metadata.index == index:
            self.snapshot = None
            self.snapshot_in_progress = False

    def restore(self, snapshot: Snapshot) -> None:
        """Everything begins anew behind a snapshot."""
        self.offset = snapshot.metadata.index + 1
        self.offset_in_progress = self.offset
        self.entries = []
        self.snapshot = snapshot
        self.snapshot_in_progress = False

    def truncate_and_append(self, entries: list[Entry]) -> None:
        """Entries that follow, or replace those from the first one's index on."""
        first = entries[0].index
        if first == self.offset + len(self.entries):
            self.entries.extend(entries)
        elif first <= self.offset:
            self.entries = list(entries)
            self.offset = self.offset_in_progress = first
        else:
            self.entries = self.entries[: first - self.offset] + list(entries)
            # what was being written from there on will be written again
            self.offset_in_progress = min(self.offset_in_progress, first)

    def slice(self, low: int, high: int) -> list[Entry]:
        """Entries with low <= index < high; all of them are here."""
        if not self.offset <= low <= high <= self.offset + len(self.entries):
            raise AssertionError(f"unstable slice {low} to {high} out of bounds")
        return self.entries[low - self.offset : high - self.offset]
