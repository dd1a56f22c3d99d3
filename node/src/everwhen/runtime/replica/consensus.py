"""``Consensus`` of a group of nodes: any of them takes proposals and reads, one of them leads.

Commands, reads and locks asked for here go to the leader, who may be this node; their results come
back through this node's own log. See ``proposals`` for how a command's fate is known for certain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

import msgspec

from everwhen import raft
from everwhen.codec import envelope
from everwhen.codec.envelope import Flag
from everwhen.codec.peer_frames import Verb
from everwhen.errors import (
    BookmarkTimeout,
    Fault,
    NoLeader,
    NotTheLeader,
    OutcomeUnknown,
    ResourceExhausted,
    ShuttingDown,
    TimeOutOfRange,
    TooManyRequests,
)
from everwhen.limits import (
    PROPOSE_SECONDS,
    READ_BARRIER_SECONDS,
)
from everwhen.model.moments import micros_text
from everwhen.ports import Clock
from everwhen.runtime.applied import Applied
from everwhen.runtime.consensus import Leader, Order, ReadMode, TermEnded, admit, order_of
from everwhen.runtime.replica.leadership import ROOM_SECONDS, ROOM_STEP_SECONDS, Leadership
from everwhen.runtime.replica.proposals import NoRoom, Proposal, Superseded
from everwhen.runtime.replica.replica import Replica
from everwhen.runtime.replica.requests import Requests
from everwhen.runtime.replica.waiting import Watermark
from everwhen.txn import commands as c
from everwhen.txn.replies import decode_reply, encode_reply

_TERM: Final = Struct(">Q")
#: answers to a question for locks: whether somebody else had to be waited for
_WAITED: Final = b"\x01"
_AT_ONCE: Final = b"\x00"
_MOMENT_SECONDS: Final = 0.1
#: seconds between two looks at proposals whose time may be over
_WATCH_SECONDS: Final = 1.0
#: seconds until locks are released again at a leader that had too much to do to hear of it
_UNLOCK_AGAIN_SECONDS: Final = 0.1


class _LockRequest(msgspec.Struct, array_like=True):
    term: int
    owner: int
    timeout: float
    keys: list[bytes]


_ENCODER = msgspec.msgpack.Encoder()
_LOCKS = msgspec.msgpack.Decoder(_LockRequest)


class GroupConsensus:
    """See the module; implements ``runtime.consensus.Consensus``. Event loop only."""

    def __init__(
        self,
        replica: Replica,
        leadership: Leadership,
        requests: Requests,
        applied: Applied,
        clock: Clock,
        describe_leader: Callable[[int], Leader | None],
    ) -> None:
        self._replica = replica
        self._leadership = leadership
        self._requests = requests
        self._applied = applied
        self._clock = clock
        self._describe_leader = describe_leader
        self._versions = Watermark(applied.version)
        self._pending_bytes = 0
        self._watching = False
        self._closing: asyncio.Future[None] | None = None
        self._closing_at = 0
        self.stopping = False
        requests.handle(Verb.PROPOSE, self._on_propose)
        requests.handle(Verb.LOCK, self._on_lock)
        requests.handle(Verb.UNLOCK, self._on_unlock)

    # --- proposals ---

    async def propose(self, command: bytes, order: Order | None = None, term: int = 0) -> bytes:
        """See ``Consensus.propose``."""
        if self.stopping:
            raise ShuttingDown("the server is stopping")
        admit(command, self._pending_bytes)
        flags, time = order_of(c.decode(command)) if order is None else order
        proposals = self._replica.proposals
        ticket = proposals.next_ticket()
        deadline = self._clock.monotonic() + PROPOSE_SECONDS
        proposal = proposals.open(ticket, envelope.seal(ticket, flags, time, command), deadline)
        self._pending_bytes += len(command)
        if not self._watching:
            self._watch()
        try:
            return await self._see_through(proposal, term)
        finally:
            self._pending_bytes -= len(command)
            proposals.close(proposal)

    def _watch(self) -> None:
        """Look for proposals whose time is over, while there are any."""
        self._replica.proposals.expire(self._clock.monotonic())
        self._watching = bool(self._replica.proposals)
        if self._watching:
            asyncio.get_running_loop().call_later(_WATCH_SECONDS, self._watch)

    async def _see_through(self, proposal: Proposal, only_in: int) -> bytes:
        """Offer it until its outcome is known, or time is up; ``only_in``: a term, or 0."""
        replica = self._replica
        room_until = 0.0
        while True:
            term, leader = replica.term, replica.leader
            if only_in and (term != only_in or leader != replica.node_id):
                raise TermEnded
            try:
                if leader == replica.node_id and not proposal.outcome.done():
                    proposal.term = term
                    self._leadership.offer(proposal.payload, term, proposal.told)
                else:
                    await self._offer(proposal)
                return encode_reply(await proposal.outcome)
            except Superseded:
                replica.proposals.again(proposal)
            except NotTheLeader:
                replica.proposals.again(proposal)
                await self._leader_moved(leader, term)
            except NoRoom:
                replica.proposals.again(proposal)
                room_until = self._room_until(room_until)
                await asyncio.sleep(ROOM_STEP_SECONDS)

    def _room_until(self, until: float) -> float:
        """When a proposal that found no room is to be refused.

        :raises ResourceExhausted: now.
        """
        now = self._clock.monotonic()
        if until and now > until:
            raise ResourceExhausted("the leader takes no more writes now", hint="try again")
        return until or now + ROOM_SECONDS

    async def _offer(self, proposal: Proposal) -> None:
        """Get it into the log of the present leader, another node.

        :raises NoLeader: none took it in time; it is in no log.
        """
        replica, deadline = self._replica, proposal.deadline
        unknown = 0
        while not proposal.outcome.done():
            left = deadline - self._clock.monotonic()
            if left <= 0 and proposal.term:
                raise OutcomeUnknown("no leader answered in time: the change may or may not be in")
            if left <= 0 or not await replica.changed.until(lambda: bool(replica.leader), left):
                raise NoLeader("no node leads at the moment", hint="try again")
            term, leader = replica.term, replica.leader
            if unknown and term != unknown:
                return  # it may be in the log of that term: the log will tell
            proposal.term = term
            try:
                if leader == replica.node_id:
                    self._leadership.offer(proposal.payload, term, proposal.told)
                else:
                    body = _TERM.pack(term) + proposal.payload
                    await self._requests.ask(leader, Verb.PROPOSE, body, urgent=len(body) < 65_536)
                return
            except NotTheLeader:
                if unknown == term:
                    return  # the same leader may have taken it when it was asked first
                # refused, so it is not in that leader's log of that term
                proposal.term = 0
                await self._leader_moved(leader, term)
            except OutcomeUnknown:
                # it may be in that log; the same leader may be asked again
                unknown = term
                await self._leader_moved(leader, term)

    async def _leader_moved(self, leader: int, term: int) -> None:
        """Wait a moment for another leader or term."""
        replica = self._replica
        await replica.changed.until(
            lambda: (replica.leader, replica.term) != (leader, term), _MOMENT_SECONDS
        )

    async def _on_propose(self, sender: int, body: bytes) -> bytes:
        term = _TERM.unpack_from(body)[0]
        await self._leadership.accept(body[_TERM.size :], term)
        return b""

    # --- reads ---

    async def leading_term(self) -> int:
        """See ``Consensus.leading_term``."""
        replica = self._replica
        term, core = replica.term, replica.core.raft
        if core.state is not raft.StateType.LEADER or core.term != term:
            return 0
        if core.tracker.is_singleton or not core.committed_in_term():
            return 0
        if not await replica.applied.reach(core.log.committed, READ_BARRIER_SECONDS):
            return 0
        return term if replica.is_leader and replica.term == term else 0

    async def still_leads(self, term: int) -> bool:
        """See ``Consensus.still_leads``."""
        await self._replica.reads.index()
        # another leader, who may have answered instead, leads in a later term
        return self._replica.is_leader and self._replica.term == term

    async def read_barrier(self, mode: ReadMode, version: int = 0, staleness: float = 0.0) -> int:
        """See ``Consensus.read_barrier``."""
        replica = self._replica
        fresh = replica.decides_alone or (
            mode is ReadMode.BOUNDED
            and replica.applied.value >= replica.reads.known_index
            and replica.reads.age() <= staleness
        )
        if mode in (ReadMode.LINEARIZABLE, ReadMode.BOUNDED) and not fresh:
            index = await self._replica.reads.index()
            if not await self._replica.applied.reach(index, READ_BARRIER_SECONDS):
                raise NoLeader("this node does not keep up with the log", hint="try again")
        elif mode is ReadMode.BOOKMARK and self._applied.version < version:
            if not await self._versions.reach(version, READ_BARRIER_SECONDS * 2):
                raise BookmarkTimeout(
                    f"this node has applied version {self._applied.version}, "
                    f"the bookmark asks for {version}"
                )
        return self._applied.version

    async def reach(self, version: int, seconds: float) -> bool:
        """See ``Consensus.reach``."""
        return self._applied.version >= version or await self._versions.reach(version, seconds)

    def version_moved(self) -> None:
        """Apply published something."""
        self._versions.advance(self._applied.version)

    async def close_time(self, time_micros: int) -> None:
        """See ``Consensus.close_time``; waiting reads share one entry."""
        while self._applied.closed_time < time_micros:
            now = self._clock.now_micros()
            if time_micros > max(now, self._applied.closed_time):
                raise TimeOutOfRange(
                    f"{micros_text(time_micros)} lies in the future: "
                    f"the clock says {micros_text(now)}",
                    hint="ask for a time up to now",
                )
            if self._closing is not None and self._closing_at >= time_micros:
                await asyncio.wait([self._closing], timeout=PROPOSE_SECONDS)
                continue
            closing = self._closing = asyncio.get_running_loop().create_future()
            self._closing_at = max(time_micros, now)
            command = c.encode(c.CloseTime(c.FORMAT, self._closing_at))
            try:
                decode_reply(await self.propose(command, Order(Flag.CLOSES, self._closing_at)))
            finally:
                if self._closing is closing:
                    self._closing = None
                closing.set_result(None)

    # --- ids and locks ---

    async def lease_ids(self, nodes: int, relationships: int) -> tuple[int, int]:
        """See ``Consensus.lease_ids``."""
        command = c.encode(c.LeaseIds(c.FORMAT, nodes, relationships))
        reply = decode_reply(await self.propose(command))
        if not isinstance(reply, c.Leased):
            raise Fault(f"a lease was answered with {type(reply).__name__}")
        return reply.first_node, reply.first_relationship

    async def lock(self, owner: int, keys: Sequence[bytes], timeout: float) -> bool:
        """See ``Consensus.lock``. Locks are the leader's; a new leader knows none of them, and
        commits are checked for conflicts all the same."""
        replica, now = self._replica, self._clock.monotonic
        mine, deadline = (self._replica.node_id, owner), self._clock.monotonic() + timeout
        while await replica.changed.until(lambda: bool(replica.leader), deadline - now()):
            term, leader, left = replica.term, replica.leader, max(deadline - now(), 0.0)
            if replica.is_leader:
                return await self._leadership.locks.lock(mine, keys, left)
            request = _LockRequest(term, owner, left, list(keys))
            body = _ENCODER.encode(request)
            try:
                answer = await self._requests.ask(leader, Verb.LOCK, body, seconds=left + 1.0)
            except (NotTheLeader, OutcomeUnknown):
                # another one, who leads by now, knows nothing of this
                await self._leader_moved(leader, term)
                if (replica.leader, replica.term) == (leader, term):
                    raise
            else:
                return answer == _WAITED
        raise NoLeader("no node leads at the moment", hint="try again")

    async def unlock(self, owner: int) -> None:
        """See ``Consensus.unlock``."""
        replica = self._replica
        while not replica.is_leader and replica.leader:
            request = _LockRequest(replica.term, owner, 0.0, [])
            try:
                await self._requests.ask(replica.leader, Verb.UNLOCK, _ENCODER.encode(request))
            except (OutcomeUnknown, NotTheLeader):
                # a leader that is gone took its locks along; one that is slow lets them go when
                # it sees this node's connection end
                return
            except TooManyRequests:
                await asyncio.sleep(_UNLOCK_AGAIN_SECONDS)
            else:
                return
        if replica.is_leader:
            self._leadership.locks.unlock((replica.node_id, owner))

    async def _on_lock(self, sender: int, body: bytes) -> bytes:
        request = _LOCKS.decode(body)
        self._leadership.need(request.term)
        waited = await self._leadership.locks.lock(
            (sender, request.owner), request.keys, request.timeout
        )
        return _WAITED if waited else _AT_ONCE

    async def _on_unlock(self, sender: int, body: bytes) -> bytes:
        self._leadership.locks.unlock((sender, _LOCKS.decode(body).owner))
        return b""

    # --- who leads ---

    def leader(self) -> Leader | None:
        """See ``Consensus.leader``."""
        return self._describe_leader(self._replica.leader) if self._replica.leader else None
