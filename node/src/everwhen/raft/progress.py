"""What the leader knows of each member's log, and how much it has on the way to it.

*Probe*: at most one message of entries until its position is known. *Replicate*: optimistic, many
at once, within a window of messages and bytes. *Snapshot*: nothing until a snapshot arrived
(Raft thesis, 10.2; names of etcd's tracker).
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum

from everwhen.raft.types import NO_LIMIT


class ProgressState(IntEnum):
    """How entries are sent to a member."""

    PROBE = 0
    REPLICATE = 1
    SNAPSHOT = 2


_STATE_NAMES = {
    ProgressState.PROBE: "StateProbe",
    ProgressState.REPLICATE: "StateReplicate",
    ProgressState.SNAPSHOT: "StateSnapshot",
}


class Inflights:
    """Messages of entries on the way to one member: the last index and the bytes of each."""

    __slots__ = ("_bytes", "_bytes_max", "_count_max", "_queue")

    def __init__(self, count_max: int, bytes_max: int = 0) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._queue: deque[tuple[int, int]] = deque()
        self._bytes = 0

    def add(self, index: int, size: int) -> None:
        """A message that ends at ``index`` was sent."""
        if self.full:
            raise AssertionError("cannot add into a full inflights")
        self._queue.append((index, size))
        self._bytes += size

    def free_up_to(self, index: int) -> None:
        """Everything up to ``index`` arrived."""
        queue = self._queue
        while queue and queue[0][0] <= index:
            self._bytes -= queue.popleft()[1]

    @property
    def full(self) -> bool:
        """Whether nothing more may be sent. A message above the bytes limit may go alone."""
        return len(self._queue) >= self._count_max or (
            self._bytes_max != 0 and self._bytes >= self._bytes_max
        )

    def __len__(self) -> int:
        return len(self._queue)

    def reset(self) -> None:
        """Nothing is on the way."""
        self._queue.clear()
        self._bytes = 0

    def clone(self) -> Inflights:
        """A copy."""
        other = Inflights(self._count_max, self._bytes_max)
        other._queue = deque(self._queue)
        other._bytes = self._bytes
        return other


class Progress:
    """One member as the leader sees it."""

    __slots__ = (
        "inflights",
        "is_learner",
        "match",
        "msg_app_flow_paused",
        "next",
        "pending_snapshot",
        "recent_active",
        "sent_commit",
        "state",
    )

    def __init__(
        self, match: int, next_: int, inflights: Inflights, *, is_learner: bool = False
    ) -> None:
        self.match = match
        self.next = next_
        #: the commit index it was told of last
        self.sent_commit = 0
        self.state = ProgressState.PROBE
        #: index of the snapshot on its way
        self.pending_snapshot = 0
        #: something came from it since the last check of the quorum
        self.recent_active = False
        #: probing: one message is out; replicating: the window was full when it was sent
        self.msg_app_flow_paused = False
        self.inflights = inflights
        self.is_learner = is_learner

    def clone(self) -> Progress:
        """A copy, for configuration changes that may be given up."""
        other = Progress(self.match, self.next, self.inflights.clone(), is_learner=self.is_learner)
        other.sent_commit = self.sent_commit
        other.state = self.state
        other.pending_snapshot = self.pending_snapshot
        other.recent_active = self.recent_active
        other.msg_app_flow_paused = self.msg_app_flow_paused
        return other

    def _reset(self, state: ProgressState) -> None:
        self.msg_app_flow_paused = False
        self.pending_snapshot = 0
        self.state = state
        self.inflights.reset()

    def become_probe(self) -> None:
        """Its position is not known (any more); after a snapshot, start behind that."""
        if self.state is ProgressState.SNAPSHOT:
            pending = self.pending_snapshot
            self._reset(ProgressState.PROBE)
            self.next = max(self.match + 1, pending + 1)
        else:
            self._reset(ProgressState.PROBE)
            self.next = self.match + 1
        self.sent_commit = min(self.sent_commit, self.next - 1)

    def become_replicate(self) -> None:
        """Its position is known."""
        self._reset(ProgressState.REPLICATE)
        self.next = self.match + 1

    def become_snapshot(self, index: int) -> None:
        """A snapshot is on its way."""
        self._reset(ProgressState.SNAPSHOT)
        self.pending_snapshot = index
        self.next = index + 1
        self.sent_commit = index

    def sent_entries(self, count: int, size: int) -> None:
        """Entries were sent."""
        if self.state is ProgressState.REPLICATE:
            if count > 0:
                self.next += count
                self.inflights.add(self.next - 1, size)
            # a full window: an empty message may still go, but only once for each heartbeat
            self.msg_app_flow_paused = self.inflights.full
        elif self.state is ProgressState.PROBE:
            if count > 0:
                self.msg_app_flow_paused = True
        else:
            raise AssertionError(f"sending entries in unhandled state {self.state.name}")

    def can_bump_commit(self, index: int) -> bool:
        """Whether telling it of commit ``index`` says something new that it can use."""
        return index > self.sent_commit and self.sent_commit < self.next - 1

    def maybe_update(self, index: int) -> bool:
        """It has everything up to ``index``; False if that was known (P15)."""
        if index <= self.match:
            return False
        self.match = index
        self.next = max(self.next, index + 1)
        self.msg_app_flow_paused = False
        return True

    def maybe_decr_to(self, rejected: int, hint: int) -> bool:
        """It refused entries behind ``rejected``; False if that answer is stale (P15)."""
        if self.state is ProgressState.REPLICATE:
            if rejected <= self.match:
                return False
            self.next = self.match + 1
            self.sent_commit = min(self.sent_commit, self.next - 1)
            return True
        if self.next - 1 != rejected:
            return False
        self.next = max(min(rejected, hint + 1), self.match + 1)
        self.sent_commit = min(self.sent_commit, self.next - 1)
        self.msg_app_flow_paused = False
        return True

    @property
    def is_paused(self) -> bool:
        """Whether no entries may be sent now."""
        if self.state is ProgressState.SNAPSHOT:
            return True
        return self.msg_app_flow_paused

    def __str__(self) -> str:
        text = f"{_STATE_NAMES[self.state]} match={self.match} next={self.next}"
        if self.is_learner:
            text += " learner"
        if self.is_paused:
            text += " paused"
        if self.pending_snapshot > 0:
            text += f" pendingSnap={self.pending_snapshot}"
        if not self.recent_active:
            text += " inactive"
        if len(self.inflights) > 0:
            text += f" inflight={len(self.inflights)}"
            if self.inflights.full:
                text += "[full]"
        return text


def inflights_of(count_max: int, bytes_max: int) -> Inflights:
    """A window; ``NO_LIMIT`` bytes means that only messages count."""
    return Inflights(count_max, 0 if bytes_max == NO_LIMIT else bytes_max)
