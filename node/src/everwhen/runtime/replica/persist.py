"""What the log thread does with what the core wants durable.

One job takes everything that waits: hard state first, then entries in the order they were decided.
A run of entries that replaces part of an earlier one is written as a batch of its own, so that the
disk goes through every state that was acknowledged (research/raft.md P40, P43).

How far was committed need not be durable: members learn it again from each other. But for a
membership entry: who forgot that it was committed goes by the configuration before it, and after
the power went everywhere at once, that may need the vote of a member whose disk is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from everwhen.limits import (
    LOG_BATCH_BYTES_MAX,
    LOG_BATCH_ENTRIES_MAX,
    LOG_SYNC_HERE_BYTES_MAX,
    LOG_SYNC_HERE_SECONDS,
    LOG_SYNC_STALL_SECONDS,
    LOG_SYNC_STALL_SHARE,
    LOG_SYNCS_QUICK,
)
from everwhen.runtime.replica.log_view import COMMAND_KIND
from everwhen.storage.frames import Entry


class WritableLog(Protocol):
    """What is asked of ``storage.log_segments``."""

    def append(self, entries: Sequence[Entry]) -> None: ...

    def is_quick(self, size: int) -> bool: ...

    def save_hard_state(self, *, term: int, vote: int, commit: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Write:
    """One thing to make durable: entries, and term and vote where they changed."""

    entries: list[Entry]
    term: int = 0
    vote: int = 0
    commit: int = 0


class Persister:
    """Makes writes durable, in order. One thread at a time."""

    def __init__(
        self, log: WritableLog, term: int, vote: int, commit: int, membership: int = 0
    ) -> None:
        """``membership``: the newest membership entry in the log, 0 for none."""
        self._log = log
        self._term = term
        self._vote = vote
        self._commit = commit
        self._membership = membership

    def needed(self, writes: Sequence[Write]) -> bool:
        """Whether there is anything to write: most commit indexes need not be durable."""
        return any(write.entries or self._saves(write) for write in writes)

    def _saves(self, write: Write) -> bool:
        """Whether term, vote or commit index are written."""
        return self._moves(write) or self._settles(write)

    def _moves(self, write: Write) -> bool:
        """Whether it changes term or vote."""
        return bool(write.term) and (write.term, write.vote) != (self._term, self._vote)

    def _settles(self, write: Write) -> bool:
        """Whether it commits a membership entry."""
        return self._commit < self._membership <= write.commit

    def is_short(self, writes: Sequence[Write]) -> bool:
        """Whether it is one append of few bytes, that nothing else delays."""
        size = sum(len(entry.payload) for write in writes for entry in write.entries)
        if size > LOG_SYNC_HERE_BYTES_MAX or any(map(self._saves, writes)):
            return False
        return self._log.is_quick(2 * LOG_SYNC_HERE_BYTES_MAX)  # with the headers of entries

    def persist(self, writes: Sequence[Write]) -> None:
        """Durable when this returns.

        :raises DiskFailed: the process must end.
        """
        run: list[Entry] = []
        size = 0
        for write in writes:
            if self._moves(write):
                self._append(run)
                run, size = [], 0
                self._log.save_hard_state(term=write.term, vote=write.vote, commit=self._commit)
                self._term, self._vote = write.term, write.vote
            for entry in write.entries:
                full = size > LOG_BATCH_BYTES_MAX or len(run) == LOG_BATCH_ENTRIES_MAX
                if run and (full or entry.index != run[-1].index + 1):
                    self._append(run)
                    run, size = [], 0
                run.append(entry)
                size += len(entry.payload)
                if entry.kind != COMMAND_KIND:
                    self._membership = entry.index
            if self._settles(write):
                self._append(run)
                run, size = [], 0
                self._log.save_hard_state(term=self._term, vote=self._vote, commit=write.commit)
                self._commit = write.commit
        self._append(run)

    def _append(self, run: list[Entry]) -> None:
        if run:
            self._log.append(run)


class RecentSyncs:
    """How long the newest syncs took: tells whether a short one is worth a change of thread.

    A sync on the event loop cannot be cut short: when the disk stalls, so does everything on this
    node, once. After it syncs go to the thread, until some in a row were quick and a hundred times
    as long as the stall has passed, so that the loop stands still for a hundredth of the time at most.
    """

    def __init__(self) -> None:
        #: as if slow ones had been seen, until others were
        self._left = LOG_SYNCS_QUICK
        self._not_before = 0.0

    def quick(self, now: float) -> bool:
        """Whether none of the newest ones was slow, and no stall is too fresh."""
        return self._left == 0 and now >= self._not_before

    def took(self, seconds: float, now: float) -> None:
        """One more, which ended ``now``."""
        if seconds > LOG_SYNC_HERE_SECONDS:
            self._left = LOG_SYNCS_QUICK
        elif self._left:
            self._left -= 1
        if seconds > LOG_SYNC_STALL_SECONDS:
            self._not_before = max(self._not_before, now + seconds / LOG_SYNC_STALL_SHARE)
