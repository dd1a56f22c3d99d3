"""Changing who belongs to the group: one safe step at a time, on the leader.

A node joins as a learner under a new id, is promoted once it keeps up, and leaves by demotion and
removal. Every step is a membership entry of consensus (Raft thesis, chapter 4); what would be
unsafe is refused with the reason, and every verb may be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from everwhen import raft
from everwhen.codec.cluster import Cluster, Configuration, Member
from everwhen.errors import (
    Fault,
    MemberNotFound,
    MembershipRefused,
    NotTheLeader,
    OutcomeUnknown,
    PreconditionFailed,
)
from everwhen.limits import ELECTION_TICKS, TICK_SECONDS
from everwhen.runtime.replica.consensus import GroupConsensus
from everwhen.runtime.replica.replica import Replica
from everwhen.txn import commands as c
from everwhen.txn.replies import decode_reply

#: seconds until a membership entry must be applied here
_CHANGE_SECONDS = 10.0
#: rounds of catching up before a promotion is given up (Raft thesis, 4.2.1)
_ROUNDS = 10
_TRANSFER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Precondition:
    """What a caller knew when it decided; None: it does not say."""

    configuration: int | None = None
    epoch: int | None = None


NO_PRECONDITION = Precondition()


class Membership:
    """The verbs. Event loop only; the node must lead."""

    def __init__(
        self,
        replica: Replica,
        consensus: GroupConsensus,
        cluster: Callable[[], Cluster],
        see_off: Callable[[int], Awaitable[None]],
    ) -> None:
        """``see_off``: have a member's clients go elsewhere."""
        self._replica = replica
        self._consensus = consensus
        self._cluster = cluster
        self._see_off = see_off
        self._changing = asyncio.Lock()

    # --- verbs ---

    async def join(
        self, member: Member, *, replace: int = 0, precondition: Precondition = NO_PRECONDITION
    ) -> int:
        """Admit a node as a learner; its id.

        :raises MemberExists: its name belongs to a member on another disk.
        """
        async with self._changing:
            await self.check(precondition)
            command = c.AddMember(
                c.FORMAT,
                member.name,
                member.addresses,
                member.disk,
                replace,
                member.version,
                member.feature_level,
            )
            reply = decode_reply(await self._consensus.propose(c.encode(command)))
            if not isinstance(reply, c.MemberAdded):
                raise Fault(f"AddMember was answered with {type(reply).__name__}")
            if reply.id not in self._configuration.ids:
                await self._change([(raft.ChangeType.ADD_LEARNER_NODE, reply.id)])
            return reply.id

    async def promote(self, node: int, precondition: Precondition = NO_PRECONDITION) -> None:
        """Make a learner a voter, once it keeps up; whose place it takes leaves in the same step.

        :raises MembershipRefused: it is too far behind, or would take the leader's place.
        """
        async with self._changing:
            await self.check(precondition)
            self._need_member(node)
            if node in self._configuration.voters:
                return
            replaced = self._cluster().replaced_by(node)
            if self._replica.node_id in replaced:
                raise MembershipRefused(
                    f"node {node} is to take the place of the leader",
                    hint=f"transfer leadership first, for instance to {self.best_successor()}",
                )
            await self._catch_up(node)
            leaving = [(raft.ChangeType.REMOVE_NODE, each) for each in replaced]
            await self._change([(raft.ChangeType.ADD_NODE, node), *leaving])

    async def demote(self, node: int, precondition: Precondition = NO_PRECONDITION) -> None:
        """Make a voter a learner."""
        async with self._changing:
            await self.check(precondition)
            self._need_member(node)
            if node in self._configuration.voters:
                await self._without_vote(node)

    async def leave(self, node: int, precondition: Precondition = NO_PRECONDITION) -> None:
        """Remove a member: its clients go elsewhere, it is demoted, then gone, its id for ever."""
        async with self._changing:
            await self.check(precondition)
            if self._cluster().member(node) is None:
                return
            await self._see_off(node)
            if node in self._configuration.voters:
                await self._without_vote(node)
            if node in self._configuration.ids:
                await self._change([(raft.ChangeType.REMOVE_NODE, node)])
            command = c.ForgetMember(c.FORMAT, node)
            decode_reply(await self._consensus.propose(c.encode(command)))

    async def transfer(self, to: int, precondition: Precondition = NO_PRECONDITION) -> None:
        """Hand leadership to a voter; returns when it leads.

        :raises MembershipRefused: it is no voter, or did not take over in time.
        """
        await self.check(precondition)
        replica = self._replica
        if to == replica.node_id:
            return
        if to not in self._configuration.voters:
            raise MembershipRefused(f"node {to} has no vote, so it cannot lead")
        replica.core.transfer_leadership(to)
        replica.pump_soon()
        moved = await replica.changed.until(
            lambda: replica.leader not in (0, replica.node_id), _TRANSFER_SECONDS
        )
        if not moved or replica.leader != to:
            raise MembershipRefused(
                f"node {to} did not take over in {_TRANSFER_SECONDS:g} s",
                hint="look whether it keeps up, then try again",
            )

    def best_successor(self) -> int:
        """The voter that is furthest along, other than this node; 0 for none."""
        replica = self._replica
        best, best_match = 0, -1
        for node in self._configuration.voters:
            progress = replica.core.progress(node)
            if node == replica.node_id or progress is None or not progress.recent_active:
                continue
            if progress.match > best_match:
                best, best_match = node, progress.match
        return best

    # --- steps ---

    @property
    def _configuration(self) -> Configuration:
        return self._cluster().configuration

    def _need_member(self, node: int) -> None:
        if self._cluster().member(node) is None or node not in self._configuration.ids:
            raise MemberNotFound(f"there is no member {node}")

    async def check(self, precondition: Precondition) -> None:
        """:raises PreconditionFailed: the caller's knowledge is stale."""
        if not self._replica.is_leader:
            raise NotTheLeader("membership is changed on the leader")
        configuration = self._configuration
        if precondition.epoch is not None:
            command = c.RaiseEpoch(c.FORMAT, precondition.epoch)
            decode_reply(await self._consensus.propose(c.encode(command)))
        wanted = precondition.configuration
        if wanted is not None and wanted != configuration.index:
            raise PreconditionFailed(
                f"the configuration is that of entry {configuration.index}, not {wanted}",
                hint="read the status again and decide anew",
            )
        if configuration.outgoing:
            raise MembershipRefused("another membership change is under way", hint="wait for it")

    async def _without_vote(self, node: int) -> None:
        """Take a voter's vote away, if the others can still decide."""
        voters = self._configuration.voters
        rest = [each for each in voters if each != node]
        if not rest:
            raise MembershipRefused("the last voter cannot leave")
        healthy = [each for each in rest if self._is_healthy(each)]
        if len(healthy) <= len(rest) // 2:
            raise MembershipRefused(
                f"of the {len(rest)} voters that would remain only {len(healthy)} answer: "
                "the cluster would stop",
                hint="bring another member back first, or replace it",
            )
        if node == self._replica.node_id:
            raise MembershipRefused(
                "the leader cannot take its own vote away",
                hint=f"transfer leadership first, for instance to {self.best_successor()}",
            )
        # a learner in one joint step: never a moment in which it neither votes nor follows
        await self._change([(raft.ChangeType.ADD_LEARNER_NODE, node)])

    def _is_healthy(self, node: int) -> bool:
        if node == self._replica.node_id:
            return True
        progress = self._replica.core.progress(node)
        return progress is not None and progress.recent_active

    async def _catch_up(self, node: int) -> None:
        """Rounds: each must bring it to where the log ended when the round began. It keeps up
        once a round takes less than an election timeout (Raft thesis, 4.2.1)."""
        replica = self._replica
        loop = asyncio.get_running_loop()
        timeout = ELECTION_TICKS * TICK_SECONDS
        for _ in range(_ROUNDS):
            target = replica.core.last_index
            started = loop.time()
            while loop.time() - started < timeout:
                progress = replica.core.progress(node)
                if progress is not None and progress.match >= target:
                    return
                await asyncio.sleep(TICK_SECONDS / 4)
        progress = replica.core.progress(node)
        behind = replica.core.last_index - (0 if progress is None else progress.match)
        raise MembershipRefused(
            f"node {node} is {behind:,} entries behind and does not catch up",
            hint="wait until its lag is small, then try again",
        )

    async def _change(self, changes: Sequence[tuple[raft.ChangeType, int]]) -> None:
        """Propose a membership entry and wait until what it leads to is in force."""
        replica = self._replica
        before = self._configuration.index
        term = replica.term
        change = raft.ConfChangeV2(changes=tuple(raft.Change(kind, node) for kind, node in changes))
        try:
            replica.core.propose_conf_change(change)
        except raft.ProposalDropped as dropped:
            raise MembershipRefused(f"the change was not accepted: {dropped}") from dropped
        replica.pump_soon()
        done = await replica.changed.until(
            lambda: (
                (self._configuration.index > before and not self._configuration.outgoing)
                or replica.term != term
            ),
            _CHANGE_SECONDS,
        )
        if self._configuration.index == before:
            if done:
                raise OutcomeUnknown("the leader changed; the change may or may not be in")
            raise OutcomeUnknown(f"the change was not applied in {_CHANGE_SECONDS:g} s")
