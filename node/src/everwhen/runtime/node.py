"""A node over a data directory: opening, replay, running, closing.

Opening order: lock and format (``storage.directory``), the record, then the log from the record's
applied index on. Only then does anything answer. A Fault in any task ends the node: what a broken
disk or a diverging apply left behind is known only after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from everwhen.apply.machine import Machine
from everwhen.errors import CorruptData
from everwhen.limits import APPLY_BATCH_BYTES_MAX, APPLY_BATCH_ENTRIES_MAX, LOG_SEGMENT_BYTES
from everwhen.mvcc.state import RecordState
from everwhen.ports import Clock, Disk, Random, Threads
from everwhen.runtime.administration import ServerFacts
from everwhen.runtime.assembly import Parts, assemble
from everwhen.runtime.background import Background, Report
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.headroom import Headroom, Marks
from everwhen.runtime.statements import Observer
from everwhen.storage.directory import BALLAST_BYTES, DataDirectory, StoreOpener
from everwhen.txn import commands as c
from everwhen.version import VERSION


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What a node is told; the command line makes it from the settings."""

    data_dir: Path
    name: str
    address: str
    holder: str
    database: DatabaseOptions
    marks: Marks
    idle_transaction_seconds: float
    queries_max: int
    queries_waiting_max: int
    settings: tuple[tuple[str, str, str], ...] = ()
    segment_bytes: int = LOG_SEGMENT_BYTES
    ballast_bytes: int = BALLAST_BYTES


@dataclass(frozen=True, slots=True)
class Ports:
    """Time, chance, files and threads."""

    clock: Clock
    random: Random
    disk: Disk
    threads: Threads
    open_store: StoreOpener
    memory_free: Callable[[], int]


class Node:
    """An open node. ``run`` it, then ``close`` it."""

    def __init__(
        self,
        directory: DataDirectory,
        parts: Parts,
        background: Background,
        headroom: Headroom,
        replayed: int,
    ) -> None:
        self.directory = directory
        self.parts = parts
        self.headroom = headroom
        #: log entries applied while opening
        self.replayed = replayed
        self._background = background

    @classmethod
    def open(
        cls, options: NodeOptions, ports: Ports, report: Report, observer: Observer | None = None
    ) -> Node:
        """Open the data directory and replay the log. Blocking; before any loop depends on it.

        :raises DataDirectoryLocked, FormatUnsupported, CorruptData, DiskFailed: with what to do.
        """
        directory = DataDirectory.open(
            ports.disk,
            options.data_dir,
            ports.random,
            ports.open_store,
            holder=options.holder,
            ballast_bytes=options.ballast_bytes,
            segment_bytes=options.segment_bytes,
        )
        try:
            return cls._opened(directory, options, ports, report, observer)
        except BaseException:
            directory.close()
            raise

    @classmethod
    def _opened(
        cls,
        directory: DataDirectory,
        options: NodeOptions,
        ports: Ports,
        report: Report,
        observer: Observer | None,
    ) -> Node:
        """Replay and wire the parts over an open directory."""
        state = RecordState.load(directory.store)
        machine = Machine(directory.store, state)
        replayed, last_stamp = _replay(directory, machine)
        headroom = Headroom(options.marks, directory.free_bytes, ports.memory_free)
        headroom.look()
        parts = assemble(
            directory.store,
            directory.log,
            ports.clock,
            ports.random,
            ports.threads,
            state=state,
            machine=machine,
            facts=_facts(directory, options, ports.clock),
            options=options.database,
            term=_next_term(directory),
            last_stamp=last_stamp,
            history_id=directory.meta.value.cluster_id.hex[:12],
            refuse_growth=headroom.refusal,
            observer=observer,
            queries_max=options.queries_max,
            waiting_max=options.queries_waiting_max,
        )
        background = Background(
            parts.service,
            parts.database.schema,
            parts.consensus,
            state,
            directory.store,
            directory.log,
            ports.threads,
            headroom,
            options.idle_transaction_seconds,
            report,
        )
        return cls(directory, parts, background, headroom, replayed)

    async def run(self, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set: then what is pending is written and answered.

        :raises Fault: something broke; the process must end.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.parts.consensus.run())
                background = group.create_task(self._background.run())
                try:
                    await self._expire_stagings()
                    ready.set()
                    await stop.wait()
                finally:
                    self.parts.service.stopping = True
                    background.cancel()
                    self.parts.consensus.stop()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None

    async def _expire_stagings(self) -> None:
        """Large transactions whose session died with the last process never end by themselves."""
        for number in self.parts.machine.open_stagings:
            command = c.AbortChunks(c.FORMAT, number, "the node was restarted")
            await self.parts.consensus.propose(c.encode(command))

    def close(self) -> None:
        """Flush, so that the next start replays nothing, and close. Blocking."""
        try:
            self.directory.store.flush()
        finally:
            self.directory.close()


def _facts(directory: DataDirectory, options: NodeOptions, clock: Clock) -> ServerFacts:
    meta = directory.meta.value
    return ServerFacts(
        VERSION,
        str(meta.node_id),
        options.name,
        options.address,
        str(meta.cluster_id),
        clock.now_micros(),
        options.settings,
    )


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure that is not itself a group."""
    found: BaseException = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def _replay(directory: DataDirectory, machine: Machine) -> tuple[int, int]:
    """Applies what the record has not seen; (entries, the highest stamp in them).

    :raises CorruptData: the log begins after the record ends: entries are missing.
    """
    log = directory.log
    first = machine.applied_index + 1
    if log.last_index < machine.applied_index:
        raise CorruptData(
            f"the record has applied entry {machine.applied_index}, "
            f"the log ends at {log.last_index}",
            hint="the log folder is older than the record: restore both from one backup",
        )
    if first <= log.last_index and first < log.first_index:
        raise CorruptData(
            f"the record ends at entry {machine.applied_index}, "
            f"the log begins at {log.first_index}",
            hint="the record is older than the log: restore both from one backup",
        )
    last_stamp = 0
    batch: list[tuple[int, int, bytes]] = []
    size = 0
    for entry in log.entries(first, log.last_index + 1):
        batch.append((entry.index, entry.term, entry.payload))
        size += len(entry.payload)
        last_stamp = max(last_stamp, _stamp_of(entry.payload))
        if len(batch) == APPLY_BATCH_ENTRIES_MAX or size > APPLY_BATCH_BYTES_MAX:
            machine.apply_batch(batch)
            batch, size = [], 0
    if batch:
        machine.apply_batch(batch)
    return max(log.last_index - first + 1, 0), last_stamp


def _stamp_of(payload: bytes) -> int:
    """The commit time an entry carries, 0 for none; rejected commits count as well."""
    command = c.decode(payload)
    return command.time if isinstance(command, (c.Commit, c.CommitChunks, c.CloseTime)) else 0


def _next_term(directory: DataDirectory) -> int:
    """Each start is a term of its own, durable before anything is appended in it."""
    meta = directory.meta.value
    term = meta.term + 1
    directory.log.save_hard_state(term=term, vote=meta.node_id, commit=meta.commit)
    return term
