"""The log as the core sees it: durable entries, then those that are not, and how far each stage is.

applied <= applying <= committed <= last index, at every moment.
"""

from __future__ import annotations

from everwhen.raft.storage import Storage, entry_size, limit_size
from everwhen.raft.types import NO_LIMIT, Compacted, Entry, Snapshot, Unavailable
from everwhen.raft.unstable import Unstable


class Log:
    """See the module."""

    __slots__ = (
        "applied",
        "applying",
        "applying_paused",
        "applying_size",
        "committed",
        "max_applying_size",
        "storage",
        "unstable",
    )

    def __init__(self, storage: Storage, max_applying_size: int = NO_LIMIT) -> None:
        first, last = storage.first_index(), storage.last_index()
        self.storage = storage
        self.unstable = Unstable(last + 1)
        self.committed = first - 1
        self.applying = first - 1
        self.applied = first - 1
        self.max_applying_size = max_applying_size
        self.applying_size = 0
        self.applying_paused = False

    # --- positions ---

    def first_index(self) -> int:
        """The oldest entry that is there."""
        first = self.unstable.maybe_first_index()
        return self.storage.first_index() if first is None else first

    def last_index(self) -> int:
        """The newest entry."""
        # what is not durable begins behind what is, or behind a snapshot: no need to ask storage
        unstable = self.unstable
        return unstable.offset + len(unstable.entries) - 1

    def term(self, index: int) -> int:
        """The term of an entry, or of the one before the first.

        :raises Compacted: :raises Unavailable: outside the log.
        """
        unstable = self.unstable
        at = index - unstable.offset
        if at >= 0:
            if at < len(unstable.entries):
                return unstable.entries[at].term
            raise Unavailable(f"entry {index} is not there")
        snapshot = unstable.snapshot
        if snapshot is None:
            return self.storage.term(index)
        if index == snapshot.metadata.index:
            return snapshot.metadata.term
        raise Compacted(f"entry {index} is compacted")

    def term_or_zero(self, index: int) -> int:
        """The term of an entry; 0 outside the log."""
        try:
            return self.term(index)
        except LookupError:
            return 0

    def last_term(self) -> int:
        """The term of the newest entry."""
        return self.term(self.last_index())

    def match_term(self, index: int, term: int) -> bool:
        """Whether the entry at ``index`` is of ``term``."""
        try:
            return self.term(index) == term
        except LookupError:
            return False

    def is_up_to_date(self, index: int, term: int) -> bool:
        """Whether a log that ends there has at least what this one has: term first, then index
        (Raft thesis, 3.6.1; P6)."""
        own = self.last_term()
        return term > own or (term == own and index >= self.last_index())

    # --- growing ---

    def maybe_append(
        self, index: int, log_term: int, committed: int, entries: list[Entry]
    ) -> int | None:
        """Entries of a leader behind (index, log_term): the new last index of theirs, None if
        they do not fit here."""
        if not self.match_term(index, log_term):
            return None
        last_new = index + len(entries)
        conflict = self.find_conflict(entries)
        if conflict:
            if conflict <= self.committed:
                raise AssertionError(
                    f"entry {conflict} conflicts with committed entry [committed({self.committed})]"
                )
            self.append(entries[conflict - (index + 1) :])
        # not beyond this message: what is behind it here may be another leader's (P9)
        self.commit_to(min(committed, last_new))
        return last_new

    def append(self, entries: list[Entry]) -> int:
        """Entries behind what stays; the last index."""
        if entries:
            after = entries[0].index - 1
            if after < self.committed:
                raise AssertionError(
                    f"after({after}) is out of range [committed({self.committed})]"
                )
            self.unstable.truncate_and_append(entries)
        return self.last_index()

    def find_conflict(self, entries: list[Entry]) -> int:
        """The first index at which these differ from the log, 0 if they are all there (P12)."""
        last = self.last_index()
        for entry in entries:
            # the usual case first: entries that follow
            if entry.index > last or not self.match_term(entry.index, entry.term):
                return entry.index
        return 0

    def find_conflict_by_term(self, index: int, term: int) -> tuple[int, int]:
        """The newest entry at or before ``index`` whose term is not above ``term``, and its term
        (0 if unknown). Skips a divergent tail in one step instead of entry by entry (P19)."""
        while index > 0:
            try:
                own = self.term(index)
            except LookupError:
                return index, 0
            if own <= term:
                return index, own
            index -= 1
        return 0, 0

    def commit_to(self, index: int) -> None:
        """Everything up to ``index`` is committed."""
        if self.committed < index:
            if self.last_index() < index:
                raise AssertionError(
                    f"tocommit({index}) is out of range [lastIndex({self.last_index()})]. "
                    "Was the raft log corrupted, truncated, or lost?"
                )
            self.committed = index

    def maybe_commit(self, index: int, term: int) -> bool:
        """Commit up to an entry of the present term; earlier ones come along (P1)."""
        if term != 0 and index > self.committed and self.match_term(index, term):
            self.commit_to(index)
            return True
        return False

    def restore(self, snapshot: Snapshot) -> None:
        """Begin anew behind a snapshot."""
        self.committed = snapshot.metadata.index
        self.unstable.restore(snapshot)

    # --- storage and state machine ---

    def has_next_or_in_progress_unstable(self) -> bool:
        """Whether anything is not durable yet."""
        return bool(self.unstable.entries) or self.unstable.snapshot is not None

    def next_committed(self, *, allow_unstable: bool) -> list[Entry]:
        """Committed entries that may be applied now; not while a snapshot waits or too much is
        being applied."""
        if self.applying_paused or self.unstable.snapshot is not None:
            return []
        low, high = self.applying + 1, self.max_appliable(allow_unstable=allow_unstable) + 1
        if low >= high:
            return []
        room = self.max_applying_size - self.applying_size
        if room <= 0:
            raise AssertionError(f"applying entry size not positive: {room}")
        return self.slice(low, high, room)

    def has_next_committed(self, *, allow_unstable: bool) -> bool:
        """Whether ``next_committed`` gives any."""
        if self.applying_paused or self.unstable.snapshot is not None:
            return False
        return self.applying + 1 < self.max_appliable(allow_unstable=allow_unstable) + 1

    def max_appliable(self, *, allow_unstable: bool) -> int:
        """The highest index that may be applied: committed and, unless asked otherwise, durable
        here, so that the state machine is never ahead of this node's own log."""
        if allow_unstable:
            return self.committed
        return min(self.committed, self.unstable.offset - 1)

    def accept_applying(self, index: int, size: int, *, allow_unstable: bool) -> None:
        """Entries up to ``index`` were handed out to be applied."""
        if self.committed < index:
            raise AssertionError(f"applying({index}) is out of range [committed({self.committed})]")
        self.applying = index
        self.applying_size += size
        # pause when no room is left, or when the last fetch was cut because of it
        self.applying_paused = (
            self.applying_size >= self.max_applying_size
            or index < self.max_appliable(allow_unstable=allow_unstable)
        )

    def applied_to(self, index: int, size: int) -> None:
        """Entries up to ``index`` were applied."""
        if self.committed < index or index < self.applied:
            raise AssertionError(
                f"applied({index}) is out of range "
                f"[prevApplied({self.applied}), committed({self.committed})]"
            )
        self.applied = index
        self.applying = max(self.applying, index)
        self.applying_size = max(self.applying_size - size, 0)
        self.applying_paused = self.applying_size >= self.max_applying_size

    # --- reading ---

    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        return self.unstable.snapshot or self.storage.snapshot()

    def entries(self, index: int, max_size: int) -> list[Entry]:
        """Entries from ``index`` on, cut at ``max_size`` bytes."""
        if index > self.last_index():
            return []
        return self.slice(index, self.last_index() + 1, max_size)

    def slice(self, low: int, high: int, max_size: int) -> list[Entry]:
        """Entries with low <= index < high, at least one, cut at ``max_size`` bytes."""
        if low > high:
            raise AssertionError(f"invalid slice {low} > {high}")
        if low < self.first_index():
            raise Compacted(f"entry {low} is compacted")
        if high > self.last_index() + 1:
            raise AssertionError(f"slice[{low},{high}) is out of bound [{self.last_index()}]")
        if low == high:
            return []
        offset = self.unstable.offset
        if low >= offset:
            return limit_size(self.unstable.slice(low, high), max_size)
        cut = min(high, offset)
        found = self.storage.entries(low, cut, max_size)
        if high <= offset or len(found) < cut - low:
            return found
        size = sum([entry_size(entry) for entry in found]) if max_size < NO_LIMIT else 0
        if size >= max_size:
            return found
        more = limit_size(self.unstable.slice(offset, high), max_size - size)
        if len(more) == 1 and size + entry_size(more[0]) > max_size:
            return found
        return [*found, *more]
