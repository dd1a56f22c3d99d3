"""One member of a group, put together over an open data directory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from everwhen import raft
from everwhen.apply.machine import Machine
from everwhen.codec import envelope
from everwhen.codec.cluster import FEATURE_LEVEL, Cluster, Configuration
from everwhen.codec.peer_frames import Frame, Kind
from everwhen.errors import CorruptData, EverwhenError
from everwhen.limits import (
    APPEND_BYTES_MAX,
    ELECTION_TICKS,
    READY_LAG_ENTRIES,
    TICK_SECONDS,
)
from everwhen.mvcc.state import RecordState
from everwhen.ports import Clock, Disk, Random, Threads
from everwhen.runtime.applied import AppliedState
from everwhen.runtime.consensus import Leader
from everwhen.runtime.replica.admin import Admin, Order, Verb
from everwhen.runtime.replica.consensus import GroupConsensus
from everwhen.runtime.replica.cores import configuration_of, core_of
from everwhen.runtime.replica.digests import DigestExchange
from everwhen.runtime.replica.fence import Fence
from everwhen.runtime.replica.leadership import Leadership
from everwhen.runtime.replica.membership import Membership
from everwhen.runtime.replica.presence import Presence
from everwhen.runtime.replica.promotion import Promotion
from everwhen.runtime.replica.proposals import Proposals
from everwhen.runtime.replica.recovery import Consent
from everwhen.runtime.replica.replica import Replica
from everwhen.runtime.replica.requests import Requests
from everwhen.runtime.replica.snapshots import Report, Snapshots
from everwhen.runtime.replica.transport import Peer, Transport
from everwhen.storage.directory import DataDirectory
from everwhen.txn import commands as c

_STOP_SECONDS = 5.0
_DESCRIBE_AGAIN_SECONDS = 1.0
#: attempts to lead a group of one, within an election timeout
_STANDS_A_TICK = 10
_STANDS = _STANDS_A_TICK * ELECTION_TICKS
#: what a follower hands on to its leader, in the name of who sent it
_PASSED_ON = frozenset(
    {
        raft.MessageType.PROP,
        raft.MessageType.READ_INDEX,
        raft.MessageType.TRANSFER_LEADER,
    }
)


@dataclass(frozen=True, slots=True)
class Description:
    """What a member says of itself."""

    name: str
    addresses: dict[str, str]
    version: str


class Member:
    """See the module; also what its transport calls (``Receiver``). Event loop only."""

    def __init__(
        self,
        directory: DataDirectory,
        state: RecordState,
        machine: Machine,
        transport: Transport,
        clock: Clock,
        random: Random,
        threads: Threads,
        disk: Disk,
        description: Description,
        *,
        trailing_entries: int,
        held_log_bytes: int,
        refuse_growth: Callable[[], str | None],
        report: Report,
    ) -> None:
        meta = directory.meta.value
        self.node_id = meta.node_id
        self.description = description
        self._directory, self._state, self._machine = directory, state, machine
        self._transport = transport
        self._report = report
        self._trailing_entries = trailing_entries
        self._held_log_bytes = held_log_bytes
        self._refuse_growth = refuse_growth
        self._known: Cluster | None = None
        self.requests = Requests(transport)
        self.presence = Presence(self, transport)
        self.snapshots = Snapshots(
            disk, directory.root, directory.store, state, self.requests, threads, report
        )
        self.replica = self._make_replica(random, threads)
        self.consent = Consent(
            disk, directory, self.replica, threads, random, self.snapshots.reopen
        )
        self.fence = Fence(disk, directory.root, threads, self.replica)
        self._promotion = Promotion(disk, directory.root, threads, meta.node_id)
        self.digests = DigestExchange(
            meta.node_id,
            self.requests,
            lambda: machine.digests,
            lambda: self.configuration,
            self.fence,
            report,
        )
        self.leadership = Leadership(self.replica, clock, refuse_growth, self._highest_stamp)
        self.consensus = GroupConsensus(
            self.replica,
            self.leadership,
            self.requests,
            AppliedState(state),
            clock,
            self._describe_leader,
        )
        see_off = self.presence.see_off
        self.membership = Membership(self.replica, self.consensus, lambda: self.cluster, see_off)
        self.admin = Admin(self.replica, self.membership, self.consensus, self.requests)

    def _make_replica(self, random: Random, threads: Threads) -> Replica:
        directory, meta = self._directory, self._directory.meta.value
        view, core, persister = core_of(directory, self._state, random, self.snapshots.newest)
        return Replica(
            core,
            view,
            persister,
            self._machine,
            self._transport,
            random,
            threads,
            Proposals(meta.node_id, meta.incarnation),
            node_id=meta.node_id,
            applied=self._state.current.head.applied_index,
            on_applied=self._on_applied,
            on_snapshot_wanted=self.snapshots.wanted,
            on_leads_no_more=self.requests.leads_no_more,
        )

    # --- facts ---

    @property
    def cluster(self) -> Cluster:
        """The group as applied here."""
        return self._state.current.cluster

    @property
    def configuration(self) -> Configuration:
        """Who votes and who follows, as applied here."""
        return configuration_of(self.cluster, self.node_id)

    @property
    def fit_to_serve(self) -> bool:
        """Whether requests should be sent here: it knows who leads, keeps up, and is not fenced."""
        core = self.replica.core
        return (
            self.fence.state is None
            and bool(self.replica.leader)
            and core.committed - self.replica.applied.value <= READY_LAG_ENTRIES
        )

    def open_stagings(self) -> dict[int, int]:
        """Large transactions that are open, each with a number that grows while something comes."""
        return self._machine.open_stagings_heard()

    def compact_up_to(self, durable: int) -> int:
        """How far the log may be dropped: the record has it, and members that are away for a
        moment are caught up from the log, not by a snapshot.

        Nor is anything dropped that a member needs that is being caught up, while there is room
        for it: it would be sent one snapshot after the other and never get there."""
        if len(self.configuration.ids) <= 1:
            return durable
        up_to = max(durable - self._trailing_entries, 0)
        if self.snapshots.comes:
            up_to = min(up_to, self.snapshots.comes)
        held = self._directory.log.bytes_on_disk
        if held < self._held_log_bytes and self._refuse_growth() is None:
            up_to = min(up_to, self._missed_from())
        return up_to

    def _missed_from(self) -> int:
        """Up to where everybody has the log or is about to, of those that answer."""
        core = self.replica.core.raft
        if core.state is not raft.StateType.LEADER:
            return core.log.committed
        here = [core.log.committed, *self.snapshots.on_their_way]
        for node, progress in core.tracker.progress.items():
            if node != self.node_id and progress.recent_active:
                known = progress.state is raft.ProgressState.REPLICATE
                here.append(progress.match if known else progress.next - 1)
        return min(here)

    def _describe_leader(self, node: int) -> Leader | None:
        member = self.cluster.member(node)
        if member is None:
            if node != self.node_id:
                return None
            mine = self.description
            return Leader(str(node), mine.name, mine.addresses.get("http", ""), is_self=True)
        return Leader(
            str(node), member.name, member.addresses.get("http", ""), node == self.node_id
        )

    def _highest_stamp(self) -> int:
        """The highest commit time in the log, applied or not."""
        head = self._state.current.head
        highest = max(head.time, head.closed_time)
        log = self.replica.core.raft.log
        low = head.applied_index + 1
        while low <= log.last_index():
            entries = log.slice(low, log.last_index() + 1, APPEND_BYTES_MAX)
            for entry in entries:
                if entry.type is raft.EntryType.NORMAL:
                    highest = max(highest, stamp_of(entry.data))
            low += len(entries)
        return highest

    # --- Receiver ---

    def on_frames(self, sender: int, frames: Iterable[Frame]) -> None:
        """See ``Receiver``."""
        try:
            for frame in frames:
                self._on_frame(sender, frame)
        finally:
            self.replica.pump()

    def _on_frame(self, sender: int, frame: Frame) -> None:
        if frame.kind != Kind.CONSENSUS:
            self.requests.on_frame(sender, frame)
            return
        message = raft.decode_message(frame.body)
        passed_on = message.type in _PASSED_ON
        if message.to != self.node_id or (message.from_ != sender and not passed_on):
            raise CorruptData(f"node {sender} sent a message of node {message.from_}")
        try:
            self.replica.receive(message)
        except (raft.StepRefused, raft.ProposalDropped) as refused:
            # a member that was removed, or a proposal that nobody waits for
            self._report("message_ignored", {"peer": sender, "reason": str(refused)})

    def on_lost(self, peer: int) -> None:
        """See ``Receiver``."""
        self.requests.lost(peer)
        self.presence.lost(peer)
        if self.replica.is_leader:
            self.leadership.locks.release_node(peer)
        self.replica.leader_lost(peer)

    def _on_applied(self) -> None:
        self.consensus.version_moved()
        cluster = self.cluster
        if cluster is not self._known:
            self._known = cluster
            self._transport.set_peers(self._peers())

    def _peers(self) -> dict[int, Peer]:
        ids = self.configuration.ids
        return {
            member.id: Peer(
                member.id, member.name, member.addresses.get("peer", ""), UUID(bytes=member.disk)
            )
            for member in self.cluster.members
            if member.id in ids and member.addresses.get("peer")
        }

    # --- life ---

    async def run(self) -> None:
        """Until cancelled. A Fault means that the disk failed, or apply does not understand."""
        async with asyncio.TaskGroup() as group:
            self.requests.start(group)
            self.snapshots.start(self.replica, group)
            self._transport.set_peers(self._peers())
            group.create_task(self._transport.run(self))
            group.create_task(self._stand_alone())
            group.create_task(self._describe())
            group.create_task(self.digests.run())
            group.create_task(self._ask_for_vote())
            await self.replica.run()

    async def _stand_alone(self) -> None:
        """In a group of one, lead as soon as that may be: there is nothing to wait for but changes of
        membership in the own log, before whose end nobody stands. If that takes long, the election
        timeout brings it about."""
        replica = self.replica
        for _ in range(_STANDS):
            if self.configuration.voters != [self.node_id] or replica.leader:
                return
            if replica.core.raft.state is raft.StateType.FOLLOWER:
                replica.core.campaign()
                replica.pump_soon()
            await asyncio.sleep(TICK_SECONDS / _STANDS_A_TICK)

    async def _describe(self) -> None:
        """Tell the group where this node can be reached now, and what it runs."""
        mine = self.description
        while True:
            member = self.cluster.member(self.node_id)
            if member is not None:
                same = (member.addresses, member.version, member.feature_level) == (
                    mine.addresses,
                    mine.version,
                    FEATURE_LEVEL,
                )
                if same:
                    return
                command = c.DescribeMember(
                    c.FORMAT, self.node_id, mine.addresses, mine.version, FEATURE_LEVEL
                )
                try:
                    await self.consensus.propose(c.encode(command))
                except EverwhenError as error:
                    self._report("not_described", {"message": str(error)})
            await asyncio.sleep(_DESCRIBE_AGAIN_SECONDS)

    async def _ask_for_vote(self) -> None:
        await self._promotion.run(
            lambda: self.configuration,
            lambda: self.admin.carry_out(Order(Verb.PROMOTE, self.node_id)),
            self._report,
        )

    async def pass_leadership(self) -> None:
        """Let another voter lead, if this node does and there is one."""
        successor = self.membership.best_successor() if self.replica.is_leader else 0
        if successor:
            try:
                await self.membership.transfer(successor)
            except EverwhenError as error:
                self._report("not_handed_over", {"message": str(error)})

    async def hand_over(self) -> None:
        """Before a planned stop: let another voter lead, and finish what is under way."""
        await self.pass_leadership()
        replica = self.replica
        await replica.proposals.closed.until(lambda: not replica.proposals, _STOP_SECONDS)


def stamp_of(payload: bytes) -> int:
    """The commit time that an entry carries, 0 for none; rejected commits count as well."""
    if not payload:
        return 0
    if envelope.is_sealed(payload):
        return envelope.time_of(payload)
    command = c.decode(payload)
    return (
        command.time if isinstance(command, (c.Commit, c.CommitChunks, c.CloseTime, c.Erase)) else 0
    )
