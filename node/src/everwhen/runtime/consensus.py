"""The port between sessions and agreement (architecture brief, section 3.6).

Everything above it asks the same few things whether one node or a Raft group answers. Commands
and replies cross it as bytes, so that consensus can later live in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, Protocol

from everwhen.codec.envelope import Flag
from everwhen.errors import ResourceExhausted
from everwhen.limits import LOG_ENTRY_BYTES_MAX, PROPOSALS_PENDING_BYTES_MAX
from everwhen.txn import commands as c


class TermEnded(Exception):
    """The term that a command was meant for is over: it is in no log, and nothing happened."""


class ReadMode(Enum):
    """How fresh a read of the present must be (brief, section 4)."""

    LINEARIZABLE = "linearizable"
    BOOKMARK = "bookmark"
    BOUNDED = "bounded"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Leader:
    """Who takes writes, as far as this node knows."""

    node_id: str
    name: str
    http: str
    is_self: bool


class Order(NamedTuple):
    """What the leader must do with a command, and the commit time it asks for (0: none)."""

    flags: int
    time: int


# as plain numbers: operations on flags as such are slow
_GROWS: Final = int(Flag.GROWS)
_STAMP: Final = int(Flag.STAMP)
_OWN_TIME: Final = int(Flag.OWN_TIME)
_CLOSES: Final = int(Flag.CLOSES)
_DELETIONS: Final = (c.DeleteNode, c.DeleteRelationship)


def order_of(command: c.Command) -> Order:
    """The order that belongs to a command."""
    flags = _GROWS if grows(command) else 0
    if isinstance(command, (c.Commit, c.CommitChunks)):
        if command.own_time:
            return Order(flags | _OWN_TIME, command.time)
        return Order(flags | _STAMP, 0)
    if isinstance(command, c.Erase):
        return Order(flags | _STAMP, 0)
    if isinstance(command, c.CloseTime):
        return Order(_CLOSES, command.time)
    return Order(flags, 0)


def grows(command: c.Command) -> bool:
    """Whether it makes the record grow, so that it is refused where space is short. Deletions and
    the ends of what was begun are let through."""
    if isinstance(command, (c.Commit, c.Chunk)):
        if isinstance(command, c.Chunk) and command.segments:
            return True
        return any(type(mutation) not in _DELETIONS for mutation in command.mutations)
    return isinstance(command, (c.CreateIndex, c.CreateConstraint, c.CompactSegment))


def admit(command: bytes, pending_bytes: int) -> None:
    """Nothing where one more command may wait for the log, ``pending_bytes`` waiting already.

    :raises ResourceExhausted: it is too large, or too much waits.
    """
    if len(command) > LOG_ENTRY_BYTES_MAX:
        raise ResourceExhausted(
            f"a log entry of {len(command):,} bytes is above the limit of {LOG_ENTRY_BYTES_MAX:,}",
            hint="use smaller values, or smaller transactions",
        )
    if pending_bytes + len(command) > PROPOSALS_PENDING_BYTES_MAX:
        raise ResourceExhausted("too many writes are waiting for the log", hint="try again")


class Consensus(Protocol):
    """Agreement on the log."""

    async def propose(self, command: bytes, order: Order | None = None, term: int = 0) -> bytes:
        """Replicate a command (``txn.commands``) and return the encoded reply of its apply.

        ``order`` (``order_of``) tells the leader what it must do with the command, so that nobody
        need decode it on the way; without it the command is decoded here. A data commit is stamped
        here, by the leader, in the same step that orders it. ``term``: enter the log in this term
        of this node's leadership or not at all.

        :raises ResourceExhausted: refused before it was proposed; nothing happened.
        :raises ShuttingDown: not proposed.
        :raises OutcomeUnknown: it may or may not take effect.
        :raises TermEnded: only with ``term``: this node does not lead in it any more.
        """

    async def leading_term(self) -> int:
        """The term in which this node leads a group, once it has applied all that it knows to be
        committed; 0 where it does not lead, has not committed anything in its term yet, or needs
        nobody's word (``read_barrier`` answers at once)."""

    async def still_leads(self, term: int) -> bool:
        """Whether this node led in ``term`` until after this call began, by the word of a
        majority.

        :raises NoLeader: nobody confirmed anything in time.
        """

    async def read_barrier(self, mode: ReadMode, version: int = 0, staleness: float = 0.0) -> int:
        """A version that is safe to read at: at least everything committed before the call
        (LINEARIZABLE), or at least ``version`` (BOOKMARK), or at least what was committed
        ``staleness`` seconds before the call (BOUNDED), or just what is applied (STALE).

        :raises BookmarkTimeout: ``version`` was not applied in time.
        """

    async def reach(self, version: int, seconds: float) -> bool:
        """Wait until this node has applied ``version``; False if it has not in time."""

    async def close_time(self, time_micros: int) -> None:
        """Return once no commit can be stamped at or before ``time_micros`` any more.

        :raises TimeOutOfRange: later than the leader's clock.
        """

    async def lease_ids(self, nodes: int, relationships: int) -> tuple[int, int]:
        """The first ids of two reserved blocks; ids are never given out twice."""

    async def lock(self, owner: int, keys: Sequence[bytes], timeout: float) -> bool:
        """Take write locks for a PESSIMISTIC transaction; True if it had to wait.

        :raises DeadlockDetected: waiting would close a circle.
        :raises LockTimeout: not granted in ``timeout`` seconds.
        """

    async def unlock(self, owner: int) -> None:
        """Release everything ``owner`` holds or waits for."""

    def leader(self) -> Leader | None:
        """The current leader, None while there is none."""
