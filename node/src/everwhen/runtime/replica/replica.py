"""Drives the consensus core of one member: ticks and messages in, log writes, messages and applied
entries out.

The core decides and never waits; three loops around it do: the ticker, the log writer (one write
and one fsync for everything that gathered meanwhile) and the applier. A reply that asserts that
something is durable is released by the loop that made it so. Everything else runs on the event loop
between two awaits, so no step of the core ever sees half a change.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from everwhen import raft
from everwhen.codec import envelope
from everwhen.codec.cluster import Configuration
from everwhen.codec.envelope import Flag
from everwhen.codec.peer_frames import Kind, Verb, encode_frame
from everwhen.errors import EverwhenError
from everwhen.limits import (
    LEADER_LOST_SECONDS,
    LEADER_SILENT_TICKS,
    TICK_SECONDS,
)
from everwhen.ports import Random, Threads
from everwhen.runtime.applied import Applier, Replies
from everwhen.runtime.replica.applying import Applying
from everwhen.runtime.replica.commit_news import CommitNews
from everwhen.runtime.replica.log_view import LogView, to_stored
from everwhen.runtime.replica.persist import Persister, RecentSyncs, Write
from everwhen.runtime.replica.proposals import Proposals
from everwhen.runtime.replica.reads import ReadRounds
from everwhen.runtime.replica.transport import Transport
from everwhen.runtime.replica.waiting import Signal, Watermark
from everwhen.txn import commands as c

#: flags of commits of data; a plain number, as operations on flags as such are slow
_DATA: Final = int(Flag.STAMP | Flag.OWN_TIME)


class Replica:
    """One member; see the module. ``run`` it in the node's task group."""

    def __init__(
        self,
        core: raft.RawNode,
        view: LogView,
        persister: Persister,
        applier: Applier,
        transport: Transport,
        random: Random,
        threads: Threads,
        proposals: Proposals,
        *,
        node_id: int,
        applied: int,
        on_applied: Callable[[], None],
        on_snapshot_wanted: Callable[[int], None],
        on_leads_no_more: Callable[[int], None],
    ) -> None:
        self.core = core
        self.node_id = node_id
        self.proposals = proposals
        self.reads = ReadRounds(node_id, self._ask_index)
        self.applied = Watermark(applied)
        #: term, leader or configuration changed
        self.changed = Signal()
        self.view = view
        self._persister = persister
        self._syncs = RecentSyncs()
        self._transport = transport
        self._news = CommitNews(self._send_now)
        self._random = random
        self._threads = threads
        self._on_applied = on_applied
        self._on_snapshot_wanted = on_snapshot_wanted
        self._on_leads_no_more = on_leads_no_more
        self.applying = Applying(
            applier, threads, self._configured, self._done, self._finished_applying
        )
        self._to_log: deque[raft.Message] = deque()
        self._wake_log = asyncio.Event()
        self._pump_due = False
        self._stopped = False
        self._leader = 0
        self._term = 0

    # --- what others ask ---

    @property
    def leader(self) -> int:
        """The node that leads as far as this one knows; 0 for none."""
        return self._leader

    @property
    def term(self) -> int:
        """The present term."""
        return self._term

    @property
    def is_leader(self) -> bool:
        """Whether this node leads."""
        return self._leader == self.node_id

    @property
    def hears_leader(self) -> bool:
        """Whether this node leads, or heard lately of who does."""
        silent = self.core.raft.election_elapsed >= LEADER_SILENT_TICKS
        return self._leader != 0 and (self.is_leader or not silent)

    @property
    def decides_alone(self) -> bool:
        """Whether everything that is committed anywhere is applied here: it leads without others,
        and nothing waits to be applied."""
        core = self.core.raft
        return (
            core.state is raft.StateType.LEADER
            and core.tracker.is_singleton
            and core.committed_in_term()
            and core.log.committed == self.applied.value
        )

    def propose(self, payloads: list[bytes]) -> None:
        """Append payloads to the log of the group; this node must lead.

        :raises raft.ProposalDropped: nothing was appended.
        """
        self.core.propose(payloads)
        self.pump()

    def awaited_by(self, node: int) -> None:
        """Another node waits for what was appended last: tell it soon that it is committed."""
        self._news.awaited(node, self.core.last_index)

    def pump_soon(self) -> None:
        """Handle what the core has ready, after what is happening now."""
        if not self._pump_due and not self._stopped:
            self._pump_due = True
            asyncio.get_running_loop().call_soon(self.pump)

    def receive(self, message: raft.Message) -> None:
        """A message of another member; ``pump`` once all that came with it are in."""
        self.core.step(message)

    def leader_lost(self, peer: int) -> None:
        """The process of ``peer`` is gone. If it led, do not wait for the election timeout: forget
        it, and stand for election after a short random while (architecture brief, section 8)."""
        self.core.report_unreachable(peer)
        if peer == self._leader:
            self.core.forget_leader()
            low, high = LEADER_LOST_SECONDS
            after = low + (high - low) * self._random.float()
            asyncio.get_running_loop().call_later(after, self._stand)
        self.pump_soon()

    def _stand(self) -> None:
        if not self._leader and not self._stopped:
            self.core.campaign()
            self.pump_soon()

    def _ask_index(self, context: bytes) -> None:
        self.core.read_index(context)
        self.pump_soon()

    # --- the core ---

    def pump(self) -> None:
        """Handle what the core has ready."""
        self._pump_due = False
        while not self._stopped and self.core.has_ready():
            ready = self.core.ready()
            if ready.soft_state is not None or not ready.hard_state.is_empty:
                self._note_leader()
            for state in ready.read_states:
                self.reads.confirmed(state.request_ctx, state.index)
            for message in ready.messages:
                self._dispatch(message)

    def _note_leader(self) -> None:
        leader, term = self.core.leader, self.core.term
        if (leader, term) != (self._leader, self._term):
            before, moved = self._leader, leader != self._leader
            self._leader, self._term = leader, term
            self.changed.notify()
            if moved and before:
                self._on_leads_no_more(before)
            if moved and leader:
                self.reads.leader_changed()

    def _dispatch(self, message: raft.Message) -> None:
        if message.to == raft.LOCAL_APPEND:
            self._to_log.append(message)
            self._wake_log.set()
        elif message.to == raft.LOCAL_APPLY:
            if self.applying.take(message):
                self._release(message)
        elif message.to == self.node_id:
            self._step_own(message)
        elif message.type is raft.MessageType.SNAP:
            self._on_snapshot_wanted(message.to)
        else:
            self._send(message)

    def _send(self, message: raft.Message) -> None:
        if message.type is raft.MessageType.READ_INDEX_RESP:
            self._news.release(message.to)
        if message.type is not raft.MessageType.APP or self._news.passes(message):
            self._send_now(message)

    def _send_now(self, message: raft.Message) -> None:
        frame = encode_frame(Kind.CONSENSUS, 0, Verb.NONE, raft.encode_message(message))
        bulk = message.type is raft.MessageType.APP and bool(message.entries)
        if not self._transport.send(message.to, frame, urgent=not bulk) and bulk:
            self.core.report_unreachable(message.to)

    # --- the loops ---

    async def run(self) -> None:
        """Until cancelled or ``stop``.

        :raises Fault: the disk failed, or apply met what it does not understand.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tick())
                group.create_task(self._write_log())
                group.create_task(self.applying.run())
                self.pump_soon()
        finally:
            self._stopped = True
            self.proposals.fail("the node stopped before the outcome was known")
            self.changed.notify()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            # a process that stood still must not make up for it: its timers fire once, late
            due = max(due + TICK_SECONDS, loop.time())
            await asyncio.sleep(due - loop.time())
            self.core.tick()
            self.pump_soon()

    async def _write_log(self) -> None:
        while True:
            if not self._to_log:
                self._wake_log.clear()
                await self._wake_log.wait()
            batch = list(self._to_log)
            self._to_log.clear()
            writes = [_write_of(message) for message in batch]
            if self._persister.needed(writes):
                await self._persist(writes)
            for message, write in zip(batch, writes, strict=True):
                self.view.append(write.entries)
                self._release(message)
            self.pump()

    async def _persist(self, writes: list[Write]) -> None:
        """Make writes durable: in a thread, except where the change of threads would take longer
        than a quick disk does and nobody else waits for the event loop. If the disk stalls just
        then the loop stands still with it, once (``RecentSyncs``)."""
        clock = asyncio.get_running_loop().time
        alone = len(self.proposals) <= 1
        if alone and self._syncs.quick(clock()) and self._persister.is_short(writes):
            seconds = self._timed(writes, clock)
        else:
            seconds = await self._threads.run("log", self._timed, writes, clock)
        self._syncs.took(seconds, clock())

    def _timed(self, writes: list[Write], clock: Callable[[], float]) -> float:
        """Persist; how long it took."""
        started = clock()
        self._persister.persist(writes)
        return clock() - started

    def _release(self, message: raft.Message) -> None:
        """Deliver the replies that waited for a message to be done."""
        for reply in message.responses:
            if reply.to == self.node_id:
                self._step_own(reply)
            else:
                self._send(reply)

    def _step_own(self, message: raft.Message) -> None:
        """A message to itself. After its removal a node is no member any more and takes none."""
        try:
            self.core.step(message)
        except raft.StepRefused:
            if self.node_id in self.core.raft.tracker.progress:
                raise

    def _configured(self, entry: raft.Entry) -> bytes:
        """The command for the record that a membership entry stands for, now in force here."""
        state = self.core.apply_conf_change(raft.decode_conf_change(entry))
        configuration = Configuration(
            entry.index,
            sorted(state.voters),
            sorted(state.voters_outgoing),
            sorted(state.learners),
            sorted(state.learners_next),
            state.auto_leave,
        )
        return c.encode(c.Configure(c.FORMAT, configuration))

    def _finished_applying(self, message: raft.Message) -> None:
        self._release(message)
        self.pump()

    def _done(self, entries: Sequence[raft.Entry], replies: Replies) -> None:
        proposals = self.proposals
        for entry, reply in zip(entries, replies, strict=True):
            if isinstance(reply, EverwhenError) and not reply.deterministic:
                raise reply
            if entry.type is not raft.EntryType.NORMAL:
                self.changed.notify()
            elif envelope.is_sealed(entry.data):
                if not envelope.flags_of(entry.data) & _DATA:
                    self._news.release_all()
                ticket = envelope.ticket_of(entry.data)
                if proposals and proposals.is_own(ticket):
                    proposals.applied(ticket, reply)
        if proposals:
            proposals.term_applied(entries[-1].term)
        self._on_applied()
        self.applied.advance(entries[-1].index)


def _write_of(message: raft.Message) -> Write:
    entries = [to_stored(entry) for entry in message.entries]
    return Write(entries, message.term, message.vote, message.commit)
