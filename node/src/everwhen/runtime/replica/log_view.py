"""The durable log as the consensus core reads it: what is near the end comes from memory.

The core holds what is not durable yet itself; this is the rest. Entries enter the cache when they
are durable, and leave it from the front when it is full; a follower that is far behind is served
from the segments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from everwhen import raft
from everwhen.codec.cluster import Configuration
from everwhen.limits import LOG_CACHE_BYTES
from everwhen.raft.storage import limit_size
from everwhen.storage.frames import Entry

#: kind of a stored entry that carries a command, also in logs older than groups
COMMAND_KIND: Final = 1
_KINDS: Final = {
    raft.EntryType.NORMAL: COMMAND_KIND,
    raft.EntryType.CONF_CHANGE: 2,
    raft.EntryType.CONF_CHANGE_V2: 3,
}
#: what an entry in memory takes besides its payload
_ENTRY_BYTES: Final = 160
_TYPES: Final = {kind: entry_type for entry_type, kind in _KINDS.items()}


class DurableLog(Protocol):
    """What is asked of ``storage.log_segments``."""

    @property
    def first_index(self) -> int: ...

    @property
    def last_index(self) -> int: ...

    def term(self, index: int) -> int | None: ...

    def entries(self, low: int, high: int) -> Iterator[Entry]: ...


def _size(entry: Entry) -> int:
    return len(entry.payload) + _ENTRY_BYTES


class RecentEntries:
    """A run of entries that ends at the newest durable one."""

    def __init__(self, last_index: int, bytes_max: int = LOG_CACHE_BYTES) -> None:
        self._entries: list[Entry] = []
        #: index of the first cached entry
        self._first = last_index + 1
        self.bytes = 0
        self._bytes_max = bytes_max

    def append(self, entries: Sequence[Entry]) -> None:
        """Entries became durable; they replace those from the first one's index on."""
        if not entries:
            return
        cached = self._entries
        keep = entries[0].index - self._first
        if not 0 <= keep <= len(cached):
            cached.clear()
            keep, self._first, self.bytes = 0, entries[0].index, 0
        self.bytes -= sum(map(_size, cached[keep:]))
        del cached[keep:]
        cached.extend(entries)
        self.bytes += sum(map(_size, entries))
        if self.bytes > self._bytes_max:
            self._shrink()

    def _shrink(self) -> None:
        """Forget the oldest quarter, in one go."""
        drop = 0
        while self.bytes > self._bytes_max * 3 // 4 and drop < len(self._entries) - 1:
            self.bytes -= _size(self._entries[drop])
            drop += 1
        del self._entries[:drop]
        self._first += drop

    def get(self, index: int) -> Entry | None:
        """A cached entry."""
        at = index - self._first
        return self._entries[at] if 0 <= at < len(self._entries) else None

    def slice(self, low: int, high: int) -> list[Entry] | None:
        """The entries with low <= index < high, None if one is not here."""
        start, stop = low - self._first, high - self._first
        if start < 0 or stop > len(self._entries):
            return None
        return self._entries[start:stop]


class LogView:
    """``raft.Storage`` over the durable log."""

    def __init__(
        self,
        log: DurableLog,
        *,
        hard: raft.HardState,
        configuration: Configuration,
        snapshot: Callable[[], raft.SnapshotMetadata | None],
    ) -> None:
        self._log = log
        self._hard = hard
        self._configuration = configuration
        self._snapshot = snapshot
        self._recent = RecentEntries(log.last_index)
        self._last = log.last_index

    @property
    def bytes_in_memory(self) -> int:
        """What the entries kept in memory take."""
        return self._recent.bytes

    def append(self, entries: Sequence[Entry]) -> None:
        """Entries became durable."""
        if entries:
            self._recent.append(entries)
            self._last = entries[-1].index

    # --- raft.Storage ---

    def initial_state(self) -> tuple[raft.HardState, raft.ConfState]:
        """See ``raft.Storage``."""
        known = self._configuration
        state = raft.ConfState(
            list(known.voters),
            list(known.learners),
            list(known.outgoing),
            list(known.learners_next),
            known.auto_leave,
        )
        return self._hard, state

    def entries(self, low: int, high: int, max_size: int) -> list[raft.Entry]:
        """See ``raft.Storage``."""
        if low < self._log.first_index:
            raise raft.Compacted(f"entry {low} is compacted")
        found = self._recent.slice(low, high)
        if found is not None:
            return limit_size([to_raft(entry) for entry in _cut(found, max_size)], max_size)
        entries: list[raft.Entry] = []
        size = 0
        try:
            for entry in self._log.entries(low, high):
                entries.append(to_raft(entry))
                size += len(entry.payload)
                if size > max_size:
                    break
        except LookupError as error:
            raise raft.Compacted(str(error)) from error
        return limit_size(entries, max_size)

    def term(self, index: int) -> int:
        """See ``raft.Storage``."""
        recent = self._recent.get(index)
        if recent is not None:
            return recent.term
        if index > self._last:
            raise raft.Unavailable(f"entry {index} is not there")
        term = self._log.term(index)
        if term is None:
            raise raft.Compacted(f"entry {index} is compacted")
        return term

    def last_index(self) -> int:
        """See ``raft.Storage``."""
        return self._last

    def first_index(self) -> int:
        """See ``raft.Storage``."""
        return self._log.first_index

    def snapshot(self) -> raft.Snapshot:
        """See ``raft.Storage``: where a copy of the record stands, made for whoever is behind."""
        metadata = self._snapshot()
        if metadata is None:
            raise raft.SnapshotTemporarilyUnavailable("a snapshot is being made")
        return raft.Snapshot(metadata=metadata)


def membership_entries(log: DurableLog, applied: int) -> tuple[int, int]:
    """The last but one and the last membership entry above an index; 0 for none.

    The first of them is known to be committed.

    A leader appends a membership entry only after it applied the one before, so of several above
    ``applied`` all but the newest are committed. A node must know that when it starts: its record
    may have gone back to a configuration two changes old, whose majority could elect a second
    leader for a term. (Raft uses the newest configuration in the log, thesis 4.1; this core, as
    etcd's, the newest applied one, and does not campaign before it applied what is committed.)
    """
    newest = before = 0
    for entry in log.entries(max(applied + 1, log.first_index), log.last_index + 1):
        if entry.kind != COMMAND_KIND:
            before, newest = newest, entry.index
    return before, newest


def _cut(entries: list[Entry], max_size: int) -> list[Entry]:
    """The first entries up to about ``max_size`` bytes, so that no more are converted."""
    size = 0
    for at, entry in enumerate(entries):
        size += len(entry.payload)
        if size > max_size:
            return entries[: at + 1]
    return entries


def to_raft(entry: Entry) -> raft.Entry:
    """A stored entry as the core has it."""
    return raft.Entry(entry.term, entry.index, _TYPES[entry.kind], entry.payload)


def to_stored(entry: raft.Entry) -> Entry:
    """An entry of the core as it is stored."""
    return Entry(entry.index, entry.term, _KINDS[entry.type], entry.data)
