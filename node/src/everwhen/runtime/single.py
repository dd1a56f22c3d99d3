"""Consensus of one: the log of this process decides.

Proposals gather while one fsync runs (group commit without timers), are appended in one durable
write, then applied in log order in another thread while the next write is under way. Only then
are they answered. What a Raft group adds slides in here and nowhere above.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from everwhen.errors import (
    BookmarkTimeout,
    EverwhenError,
    Fault,
    OutcomeUnknown,
    ResourceExhausted,
    ShuttingDown,
    TimeOutOfRange,
)
from everwhen.limits import (
    APPLY_BATCH_BYTES_MAX,
    APPLY_BATCH_ENTRIES_MAX,
    APPLY_INLINE_BYTES_MAX,
    LOG_BATCH_BYTES_MAX,
    LOG_BATCH_ENTRIES_MAX,
)
from everwhen.model.clock import HybridClock
from everwhen.model.moments import micros_text
from everwhen.ports import Clock, Threads
from everwhen.runtime.applied import Applied, Applier
from everwhen.runtime.consensus import Leader, Order, ReadMode, admit, grows
from everwhen.runtime.lock_service import LockService
from everwhen.storage.frames import Entry
from everwhen.txn import commands as c
from everwhen.txn.replies import decode_reply, encode_reply

#: kind of a log entry that carries a command of ``txn.commands``
COMMAND_ENTRY = 1


class Log(Protocol):
    """What is asked of ``storage.log_segments``."""

    @property
    def last_index(self) -> int: ...

    def append(self, entries: Sequence[Entry]) -> None: ...


@dataclass(slots=True)
class _Proposal:
    command: bytes
    answer: asyncio.Future[bytes]


class SingleConsensus:
    """``Consensus`` of one node. ``start`` runs its tasks inside the caller's task group."""

    def __init__(
        self,
        log: Log,
        applier: Applier,
        applied: Applied,
        clock: Clock,
        threads: Threads,
        *,
        term: int,
        last_stamp: int,
        refuse_growth: Callable[[], str | None],
        leader: Leader,
    ) -> None:
        self._log = log
        self._applier = applier
        self._applied = applied
        self._clock = clock
        self._threads = threads
        self._term = term
        self._hybrid = HybridClock(last_stamp)
        self._refuse_growth = refuse_growth
        self._leader = leader
        self._pending: deque[_Proposal] = deque()
        self._pending_bytes = 0
        self._durable: deque[tuple[Entry, _Proposal]] = deque()
        self._wake_log = asyncio.Event()
        self._wake_apply = asyncio.Event()
        self._version_moved: asyncio.Future[None] | None = None
        self._closing: asyncio.Task[bytes] | None = None
        self._closing_at = 0
        self._stopping = False
        self._log_ended = False
        self._next_index = log.last_index + 1
        self._locks = LockService()

    # --- the port ---

    async def leading_term(self) -> int:
        """See ``Consensus.leading_term``: it needs nobody's word."""
        return 0

    async def still_leads(self, term: int) -> bool:
        """See ``Consensus.still_leads``: it always leads."""
        return True

    async def propose(self, command: bytes, order: Order | None = None, term: int = 0) -> bytes:
        """See ``Consensus.propose``."""
        if self._stopping:
            raise ShuttingDown("the server is stopping")
        admit(command, self._pending_bytes)
        proposal = _Proposal(command, asyncio.get_running_loop().create_future())
        self._pending.append(proposal)
        self._pending_bytes += len(command)
        self._wake_log.set()
        return await proposal.answer

    async def read_barrier(self, mode: ReadMode, version: int = 0, staleness: float = 0.0) -> int:
        """See ``Consensus.read_barrier``. Whatever was acknowledged is applied already."""
        if mode is ReadMode.BOOKMARK and not await self.reach(version, 30.0):
            raise BookmarkTimeout(
                f"this node has applied version {self._applied.version}, "
                f"the bookmark asks for {version}"
            )
        return self._applied.version

    async def reach(self, version: int, seconds: float) -> bool:
        """See ``Consensus.reach``."""
        deadline = self._clock.monotonic() + seconds
        while self._applied.version < version:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return False
            if self._version_moved is None or self._version_moved.done():
                self._version_moved = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._version_moved], timeout=left)
        return True

    async def close_time(self, time_micros: int) -> None:
        """See ``Consensus.close_time``; waiting reads share one entry."""
        while self._applied.closed_time < time_micros:
            now = self._clock.now_micros()
            if time_micros > max(now, self._hybrid.last):
                raise TimeOutOfRange(
                    f"{micros_text(time_micros)} lies in the future: "
                    f"the clock says {micros_text(now)}",
                    hint="ask for a time up to now",
                )
            if self._closing is None or self._closing.done() or self._closing_at < time_micros:
                self._closing_at = max(time_micros, min(now, self._hybrid.last))
                command = c.encode(c.CloseTime(c.FORMAT, self._closing_at))
                self._closing = asyncio.ensure_future(self.propose(command))
            decode_reply(await asyncio.shield(self._closing))

    async def lease_ids(self, nodes: int, relationships: int) -> tuple[int, int]:
        """See ``Consensus.lease_ids``."""
        command = c.encode(c.LeaseIds(c.FORMAT, nodes, relationships))
        reply = decode_reply(await self.propose(command))
        if not isinstance(reply, c.Leased):
            raise Fault(f"a lease was answered with {type(reply).__name__}")
        return reply.first_node, reply.first_relationship

    async def lock(self, owner: int, keys: Sequence[bytes], timeout: float) -> bool:
        """See ``Consensus.lock``."""
        return await self._locks.lock(owner, keys, timeout)

    async def unlock(self, owner: int) -> None:
        """See ``Consensus.unlock``."""
        self._locks.unlock(owner)

    def leader(self) -> Leader | None:
        """This node."""
        return self._leader

    # --- tasks ---

    async def run(self) -> None:
        """Appends and applies until ``stop``; raises a Fault if the disk or apply fails.

        Proposals under way are then answered with OutcomeUnknown: they may be on disk.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._run_log())
                group.create_task(self._run_apply())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            self._stopping = True
            self._fail_all()

    def stop(self) -> None:
        """Takes no more proposals; what is pending is still written, applied and answered."""
        self._stopping = True
        self._wake_log.set()
        self._wake_apply.set()

    def _fail_all(self) -> None:
        waiting = [*self._pending, *(proposal for _, proposal in self._durable)]
        for proposal in waiting:
            if not proposal.answer.done():
                proposal.answer.set_exception(
                    OutcomeUnknown("the node stopped before it could answer")
                )
        self._pending.clear()
        self._durable.clear()

    async def _run_log(self) -> None:
        while True:
            await self._wake_log.wait()
            self._wake_log.clear()
            while self._pending:
                batch = self._take_batch()
                if batch:
                    await self._append(batch)
            if self._stopping:
                self._log_ended = True
                self._wake_apply.set()
                return

    async def _append(self, batch: list[tuple[Entry, _Proposal]]) -> None:
        try:
            await self._threads.run("log", self._log.append, [entry for entry, _ in batch])
        except BaseException:
            self._durable.extend(batch)
            raise
        self._durable.extend(batch)
        self._wake_apply.set()

    def _take_batch(self) -> list[tuple[Entry, _Proposal]]:
        """Orders and stamps what is pending, within the limits of one durable write."""
        batch: list[tuple[Entry, _Proposal]] = []
        size = 0
        refusal = self._refuse_growth()
        while self._pending and len(batch) < LOG_BATCH_ENTRIES_MAX:
            proposal = self._pending[0]
            if batch and size + len(proposal.command) > LOG_BATCH_BYTES_MAX:
                break
            self._pending.popleft()
            self._pending_bytes -= len(proposal.command)
            if proposal.answer.cancelled():
                continue
            payload = self._stamped(proposal.command, refusal)
            if isinstance(payload, EverwhenError):
                proposal.answer.set_result(encode_reply(payload))
                continue
            size += len(payload)
            entry = Entry(self._next_index, self._term, COMMAND_ENTRY, payload)
            batch.append((entry, proposal))
            self._next_index += 1
        return batch

    def _stamped(self, payload: bytes, refusal: str | None) -> bytes | EverwhenError:
        """The command with its commit time, or why it is not proposed."""
        command = c.decode(payload)
        if refusal is not None and grows(command):
            return ResourceExhausted(refusal, hint="free some and try again")
        if isinstance(command, (c.Commit, c.CommitChunks)):
            now = self._clock.now_micros()
            if not command.own_time:
                return c.encode(replace(command, time=self._hybrid.stamp(now)))
            if command.time > now:
                return TimeOutOfRange(
                    f"a commit cannot be dated {micros_text(command.time)}: "
                    f"that is later than the clock, {micros_text(now)}"
                )
            # if it is not later than everything before it, apply refuses it
            self._hybrid.observe(command.time)
        elif isinstance(command, c.Erase):
            stamp = self._hybrid.stamp(self._clock.now_micros())
            return c.encode(replace(command, time=stamp))
        elif isinstance(command, c.CloseTime):
            self._hybrid.observe(command.time)
        return payload

    async def _run_apply(self) -> None:
        while True:
            await self._wake_apply.wait()
            self._wake_apply.clear()
            while self._durable:
                await self._apply(self._next_to_apply())
            if self._log_ended:
                return

    def _next_to_apply(self) -> list[tuple[Entry, _Proposal]]:
        """The oldest durable entries, few enough that readers never wait long for them."""
        batch: list[tuple[Entry, _Proposal]] = []
        size = 0
        for entry, proposal in self._durable:
            size += len(entry.payload)
            if batch and (size > APPLY_BATCH_BYTES_MAX or len(batch) == APPLY_BATCH_ENTRIES_MAX):
                break
            batch.append((entry, proposal))
        return batch

    async def _apply(self, batch: list[tuple[Entry, _Proposal]]) -> None:
        entries = [(entry.index, entry.term, entry.payload) for entry, _ in batch]
        if sum(len(entry.payload) for entry, _ in batch) <= APPLY_INLINE_BYTES_MAX:
            # a few milliseconds at most, and cheaper than handing it to a thread and back
            replies = self._applier.apply_batch(entries)
        else:
            replies = await self._threads.run("apply", self._applier.apply_batch, entries)
        for (_, proposal), reply in zip(batch, replies, strict=True):
            self._durable.popleft()
            if isinstance(reply, EverwhenError) and not reply.deterministic:
                raise reply
            if not proposal.answer.done():
                proposal.answer.set_result(encode_reply(reply))
        if self._version_moved is not None and not self._version_moved.done():
            self._version_moved.set_result(None)
