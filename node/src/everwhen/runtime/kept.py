"""Whether what a transaction reads is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everwhen.codec.instants import text_of
from everwhen.errors import CorruptData, EverwhenError
from everwhen.mvcc.state import RecordState
from everwhen.runtime.environment import expired_snapshot

if TYPE_CHECKING:
    from everwhen.runtime.transaction import OpenTransaction


class Kept:
    """What one open transaction reads; made before its snapshot is taken. Any thread."""

    __slots__ = ("_horizons", "_owner", "_state", "also")

    def __init__(self, owner: OpenTransaction, state: RecordState) -> None:
        self._owner = owner
        self._state = state
        self._horizons = state.current.horizons
        #: versions that it reads besides those of its views
        self.also: list[int] = []

    def versions(self) -> list[int]:
        """The versions that its snapshot, and the views of the statement under way, show; of a
        range the first one."""
        ctx, found = self._owner.ctx, [self._owner.version, *self.also]
        if ctx is not None:
            found += [view.version for view in ctx.views.copy().values()]
            found += [view.oldest for view in ctx.ranges.copy().values()]
        return found

    def expire(self) -> None:
        """End the transaction if something that it reads was vacuumed since it began."""
        before, now, deadline = self._horizons, self._state.current, self._owner.deadline
        if self._owner.began_index < self._state.let_go and deadline.expired is None:
            deadline.expired = "what this transaction reads was rewritten: it was open for too long"
        if now.horizons is before:
            return
        passed = [one for one in self.versions() if now.horizons.passed(before, one)]
        if passed and deadline.expired is None:
            deadline.expired = (
                f"version {min(passed)}, which this transaction reads, was vacuumed: the oldest "
                f"readable version is {now.head.oldest_version}, of {text_of(now.head.oldest_time)}"
            )
        self._horizons = now.horizons

    def cause(self, error: EverwhenError) -> EverwhenError:
        """What is missing in the record may have been vacuumed; any other error is itself."""
        if isinstance(error, CorruptData):
            self.expire()
            if self._owner.deadline.expired is not None:
                return expired_snapshot(self._owner.deadline.expired)
        return error

    def check(self) -> None:
        """For who has read something, before it counts.

        :raises SnapshotExpired: it may have been vacuumed meanwhile.
        """
        self.expire()
        self._owner.deadline.check_wanted()
