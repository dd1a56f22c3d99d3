"""Orders to the group: given to any member, carried out by the leader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntEnum

import msgspec

from everwhen.codec.cluster import Member
from everwhen.codec.peer_frames import Verb as PeerVerb
from everwhen.errors import NoLeader, NotTheLeader, RequestInvalid
from everwhen.runtime.consensus import ReadMode
from everwhen.runtime.replica.consensus import GroupConsensus
from everwhen.runtime.replica.membership import Membership, Precondition
from everwhen.runtime.replica.replica import Replica
from everwhen.runtime.replica.requests import Requests
from everwhen.txn import commands as c
from everwhen.txn.replies import decode_reply

#: a promotion waits for its learner; a demotion for its entries
_ORDER_SECONDS = 30.0
_LEADER_SECONDS = 5.0
#: who set what is ordered by somebody who knows the cluster's secret
_ADMINISTRATOR = "administrator"


class Verb(IntEnum):
    """What is ordered."""

    JOIN = 1
    PROMOTE = 2
    DEMOTE = 3
    LEAVE = 4
    TRANSFER = 5
    RAISE_LEVEL = 6
    VACUUM = 7
    RETAIN = 8


class Order(msgspec.Struct, array_like=True):
    """An order as it travels. ``node``: whom it is about; of a join whom to replace, of a level
    the level, of a retention the µs (0: for ever)."""

    verb: Verb
    node: int = 0
    member: Member | None = None
    configuration: int | None = None
    epoch: int | None = None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Order)
_NUMBER = msgspec.msgpack.Decoder(int)


def _nothing() -> None:
    """Nobody drives it yet."""


class Admin:
    """Takes orders; see the module. Event loop only."""

    def __init__(
        self,
        replica: Replica,
        membership: Membership,
        consensus: GroupConsensus,
        requests: Requests,
    ) -> None:
        self._replica = replica
        self._membership = membership
        self._consensus = consensus
        self._requests = requests
        #: begins a round of vacuum here; set by whoever drives it
        self.vacuum: Callable[[], None] = _nothing
        requests.handle(PeerVerb.CHANGE, self._on_change)

    async def carry_out(self, order: Order) -> int:
        """Have the leader do it; the node it was about.

        :raises NoLeader: there is none now.
        :raises OutcomeUnknown: the leader did not answer.
        """
        replica = self._replica
        while True:
            if not await replica.changed.until(lambda: bool(replica.leader), _LEADER_SECONDS):
                raise NoLeader("no node leads at the moment", hint="try again")
            try:
                if replica.is_leader:
                    return await self._here(order)
                answer = await self._requests.ask(
                    replica.leader,
                    PeerVerb.CHANGE,
                    _ENCODER.encode(order),
                    seconds=_ORDER_SECONDS,
                )
                await self._catch_up()
                return _NUMBER.decode(answer)
            except NotTheLeader:
                await asyncio.sleep(0.1)

    async def _catch_up(self) -> None:
        """Whoever ordered something sees here what became of it."""
        try:
            await self._consensus.read_barrier(ReadMode.LINEARIZABLE)
        except NoLeader:
            # it is done all the same; this node may be the one that was removed, and learns no more
            return

    async def _on_change(self, sender: int, body: bytes) -> bytes:
        try:
            order = _DECODER.decode(body)
        except msgspec.MsgspecError as error:
            raise RequestInvalid(f"an order that this node does not know: {error}") from error
        if not self._replica.is_leader:
            raise NotTheLeader("this node does not lead")
        return _ENCODER.encode(await self._here(order))

    async def _here(self, order: Order) -> int:
        membership = self._membership
        precondition = Precondition(order.configuration, order.epoch)
        if order.verb is Verb.JOIN:
            if order.member is None:
                raise RequestInvalid("a join without a member")
            return await membership.join(
                order.member, replace=order.node, precondition=precondition
            )
        if order.verb is Verb.RAISE_LEVEL:
            await membership.check(precondition)
            await self._propose(c.RaiseFeatureLevel(c.FORMAT, order.node))
            return order.node
        if order.verb is Verb.RETAIN:
            await membership.check(precondition)
            await self._propose(c.SetRetention(c.FORMAT, "", "", order.node, _ADMINISTRATOR))
            return 0
        if order.verb is Verb.VACUUM:
            await membership.check(precondition)
            self.vacuum()
            return 0
        verbs = {
            Verb.PROMOTE: membership.promote,
            Verb.DEMOTE: membership.demote,
            Verb.LEAVE: membership.leave,
            Verb.TRANSFER: membership.transfer,
        }
        await verbs[order.verb](order.node, precondition)
        return order.node

    async def _propose(self, command: c.Command) -> None:
        """Have it replicated; raises what it is refused with."""
        decode_reply(await self._consensus.propose(c.encode(command)))
