"""Work nobody waits for: builds indexes, folds large transactions, forgets, compacts, flushes, ends
idle transactions, watches headroom. Each loop does one bounded step, then looks again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from everwhen.codec.keys import meta_key
from everwhen.codec.records import META_HEAD, decode_head
from everwhen.errors import EverwhenError, PreconditionFailed, RequestInvalid, TransientError
from everwhen.limits import FOLD_KEYS_PER_STEP
from everwhen.mvcc.store import Store
from everwhen.ports import Threads
from everwhen.runtime.compacting import Compacting
from everwhen.runtime.consensus import Consensus
from everwhen.runtime.database import Database
from everwhen.runtime.headroom import Headroom
from everwhen.runtime.replica.member import Member
from everwhen.runtime.service import Service
from everwhen.runtime.space import Space
from everwhen.runtime.vacuum import Vacuuming
from everwhen.txn import commands as c
from everwhen.txn.replies import decode_reply

#: seconds between two looks when there was nothing to do
IDLE_SECONDS = 0.2
#: bytes of log since the last flush that make a flush due before its time
FLUSH_LOG_BYTES = 64 << 20

#: seconds without a new chunk after which a large transaction is given up; above what an idle
#: transaction may take
STAGING_SILENT_SECONDS = 180.0

Report = Callable[[str, EverwhenError], None]


class CompactableLog(Protocol):
    """What is asked of the log."""

    @property
    def last_index(self) -> int: ...

    @property
    def bytes_on_disk(self) -> int: ...

    def compact(self, up_to: int) -> None: ...


class Beside(Protocol):
    """Something that is kept in memory beside the record."""

    def tend(self) -> bool: ...

    def interrupt(self) -> None: ...


class Upkeep:
    """The steps that the record itself needs, one bounded step a call; True if more is left."""

    def __init__(
        self,
        database: Database,
        consensus: Consensus,
        threads: Threads,
        vacuuming: Vacuuming | None = None,
    ) -> None:
        self._vacuuming = vacuuming
        self._database = database
        self._consensus = consensus
        self._threads = threads

    async def _reading(self, beside: Beside) -> bool:
        """A step of what is kept in memory beside the record."""
        with self._database.reading():
            return await self._threads.run("background", beside.tend, stop=beside.interrupt)

    async def build(self) -> bool:
        """One step of the oldest index that is being built."""
        waiting = self._database.schema.building()
        if not waiting:
            return False
        await self._threads.run("background", self._database.schema.step, waiting[0])
        return True

    async def seal(self) -> bool:
        """One step of making graphs of the vectors that indexes hold here."""
        vectors = self._database.state.vectors
        if vectors is None or not self._database.state.current.catalog.vector_indexes():
            return False
        return await self._reading(vectors)

    async def read_texts(self) -> bool:
        """One step of keeping the texts of full-text indexes in memory."""
        texts = self._database.state.texts
        if texts is None or not self._database.state.current.catalog.fulltext_indexes():
            return False
        return await self._reading(texts)

    async def tend(self) -> bool:
        """One step of keeping the graph in memory."""
        graph = self._database.state.graph
        if graph is None or not graph.due():
            return False
        return await self._reading(graph)

    async def forget(self) -> bool:
        """One step of an erasure or of vacuum; only where it is driven from."""
        return self._vacuuming is not None and await self._vacuuming.step()

    async def fold(self) -> bool:
        """One step of folding published large transactions into the main keys."""
        if not self._database.state.current.runs:
            return False
        command = c.encode(c.FoldStep(c.FORMAT, FOLD_KEYS_PER_STEP))
        decode_reply(await self._consensus.propose(command))
        return True


class Background:
    """The loops of one node; ``run`` them in the node's task group."""

    def __init__(
        self,
        service: Service,
        database: Database,
        member: Member,
        store: Store,
        log: CompactableLog,
        threads: Threads,
        headroom: Headroom,
        idle_transaction_seconds: float,
        flush_seconds: float,
        report: Report,
        vacuuming: Vacuuming,
        compacting: Compacting,
        space: Space,
    ) -> None:
        self._service = service
        self._upkeep = Upkeep(database, member.consensus, threads, vacuuming)
        self._vacuuming = vacuuming
        self.compacting = compacting
        self._space = space
        self._member = member
        self._store = store
        self._log = log
        self._threads = threads
        self._headroom = headroom
        self._idle_seconds = idle_transaction_seconds
        self._flush_seconds = flush_seconds
        self._report = report
        self._flushed_index = 0
        self._flushed_bytes = 0
        self._last_flush = 0.0
        #: open large transaction -> (how much was heard of it, since when no more)
        self._silent: dict[int, tuple[int, float]] = {}

    async def run(self) -> None:
        """All loops, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for step in (
                self._build,
                self._fold,
                self._forget,
                self._compact,
                self._give_back,
                self._upkeep.seal,
                self._upkeep.read_texts,
                self._upkeep.tend,
                self._end_silent,
                self._flush_when_due,
                self._look_around,
            ):
                group.create_task(self._repeat(step))

    async def _repeat(self, step: Callable[[], Awaitable[bool]]) -> None:
        """Steps until there is nothing to do, then waits a little. A refusal that may pass (no
        headroom, too many writes) is reported and tried again; any other error ends the node."""
        while True:
            try:
                more = await step()
            except TransientError as error:
                self._report(step.__name__.strip("_"), error)
                more = False
            await asyncio.sleep(0 if more else IDLE_SECONDS)

    async def _build(self) -> bool:
        """The leader drives what every node then applies."""
        return self._member.replica.is_leader and await self._upkeep.build()

    async def _fold(self) -> bool:
        return self._member.replica.is_leader and await self._upkeep.fold()

    async def _forget(self) -> bool:
        if not self._member.replica.is_leader:
            self._vacuuming.resigned()
            return False
        return await self._upkeep.forget()

    async def _compact(self) -> bool:
        if not self._member.replica.is_leader:
            self.compacting.resigned()
            return False
        try:
            return await self.compacting.step()
        except (PreconditionFailed, RequestInvalid) as error:
            # what one node reads and proposes must not end it: apply has refused it
            self._report("compact", error)
            return False

    async def _give_back(self) -> bool:
        """Every node gives the space of what was taken away back to its disk."""
        if self._space.due():
            await self._threads.run("background", self._space.give_back)
        return False

    async def _end_silent(self) -> bool:
        """Large transactions nobody sends anything of any more: their node is gone."""
        if not self._member.replica.is_leader:
            self._silent.clear()
            return False
        now = asyncio.get_running_loop().time()
        seen = self._member.open_stagings()
        self._silent = {
            number: self._silent.get(number, (heard, now))
            if self._silent.get(number, (-1, 0.0))[0] == heard
            else (heard, now)
            for number, heard in seen.items()
        }
        for number, (_, since) in self._silent.items():
            if now - since > STAGING_SILENT_SECONDS:
                command = c.encode(c.AbortChunks(c.FORMAT, number, "nothing came any more"))
                await self._member.consensus.propose(command)
        return False

    async def _flush_when_due(self) -> bool:
        now = asyncio.get_running_loop().time()
        grown = self._log.bytes_on_disk - self._flushed_bytes
        if self._log.last_index == self._flushed_index:
            return False
        if grown < FLUSH_LOG_BYTES and now - self._last_flush < self._flush_seconds:
            return False
        await self.flush()
        self._last_flush = now
        return False

    async def flush(self) -> None:
        """Make the record durable, then drop the log up to the applied index read back from
        disk: whatever else the flush did or did not do, that much is certainly there."""
        index = self._log.last_index
        await self._threads.run("background", self._store.flush)
        raw = await self._threads.run("background", self._store.persisted, meta_key(META_HEAD))
        if raw is not None:
            durable = decode_head(raw).applied_index
            await self._threads.run("log", self._log.compact, self._member.compact_up_to(durable))
        self._flushed_index = index
        self._flushed_bytes = self._log.bytes_on_disk

    async def _look_around(self) -> bool:
        await self._threads.run("background", self._headroom.look)
        await self._service.end_idle(self._idle_seconds)
        return False
