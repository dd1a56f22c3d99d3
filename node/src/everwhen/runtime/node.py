"""A node over a data directory: opening, running as a member of its group, closing.

Opening order: lock and format (``storage.directory``), the record, then the log. What the log holds
beyond the record is applied as consensus finds it committed; only when that is done is the node
ready. A Fault in any task ends the node: what a broken disk or a diverging apply left behind is
known only after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from everwhen import raft
from everwhen.apply.machine import Machine
from everwhen.codec.cluster import FEATURE_LEVEL
from everwhen.columns.graph.content import present_bytes
from everwhen.errors import CorruptData, NoLeader
from everwhen.limits import FLUSH_S_DEFAULT, LOG_HELD_BYTES, LOG_SEGMENT_BYTES, LOG_TRAILING_ENTRIES
from everwhen.mvcc.state import RecordState
from everwhen.ports import Clock, Disk, Random, Threads
from everwhen.raft.wire import encode_conf_change_v1
from everwhen.runtime.administration import ServerFacts
from everwhen.runtime.assembly import Parts, wire
from everwhen.runtime.background import Background, Report
from everwhen.runtime.compacting import Compacting, CompactionOptions
from everwhen.runtime.consensus import ReadMode
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.headroom import Headroom, Marks
from everwhen.runtime.image_check import ImageCheck
from everwhen.runtime.pins import Pins
from everwhen.runtime.replica.log_view import COMMAND_KIND, to_stored
from everwhen.runtime.replica.member import Description, Member
from everwhen.runtime.replica.recovery import recover
from everwhen.runtime.replica.transport import Alone, Transport
from everwhen.runtime.space import Space
from everwhen.runtime.statements import Observer
from everwhen.runtime.vacuum import Vacuuming, VacuumOptions
from everwhen.storage.directory import BALLAST_BYTES, DataDirectory, StoreOpener
from everwhen.storage.frames import Entry
from everwhen.storage.image_file import ImageFile
from everwhen.storage.meta import Meta
from everwhen.txn import commands as c
from everwhen.version import VERSION


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What a node is told; the command line makes it from the settings."""

    data_dir: Path
    name: str
    #: door -> "host:port" as others reach it: ``http``, ``bolt``, ``peer``; ``external``: Bolt, for
    #: clients outside
    addresses: dict[str, str]
    holder: str
    database: DatabaseOptions
    marks: Marks
    idle_transaction_seconds: float
    queries_max: int
    queries_waiting_max: int
    #: name, value, description, whether ``follow`` takes it over
    settings: tuple[tuple[str, str, str, bool], ...] = ()
    segment_bytes: int = LOG_SEGMENT_BYTES
    trailing_entries: int = LOG_TRAILING_ENTRIES
    held_log_bytes: int = LOG_HELD_BYTES
    flush_seconds: float = FLUSH_S_DEFAULT
    vacuum: VacuumOptions = field(default_factory=VacuumOptions)
    compaction: CompactionOptions = field(default_factory=CompactionOptions)
    #: what the data directory may use; 0: what the volume has
    quota_bytes: int = 0
    ballast_bytes: int = BALLAST_BYTES


def _alone(meta: Meta) -> Transport:
    return Alone()


def _silent(event: str, fields: dict[str, object]) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Time, chance, files, threads and the other members."""

    clock: Clock
    random: Random
    disk: Disk
    threads: Threads
    open_store: StoreOpener
    memory_free: Callable[[], int]
    transport: Callable[[Meta], Transport] = field(default=_alone)
    #: something of the group that is worth a log line
    notice: Callable[[str, dict[str, object]], None] = field(default=_silent)


class Node:
    """An open node. ``run`` it, then ``close`` it."""

    def __init__(
        self,
        directory: DataDirectory,
        parts: Parts,
        member: Member,
        background: Background,
        headroom: Headroom,
        threads: Threads,
    ) -> None:
        self.threads = threads
        self.directory = directory
        self.parts = parts
        self.member = member
        self.headroom = headroom
        self.image_check = ImageCheck(parts.database, threads)
        #: log entries that the record did not have when it was opened
        self.to_replay = directory.log.last_index - parts.state.current.head.applied_index
        self._background = background

    @classmethod
    def open(
        cls, options: NodeOptions, ports: Ports, report: Report, observer: Observer | None = None
    ) -> Node:
        """Open the data directory. Blocking; before any loop depends on it.

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
            quota_bytes=options.quota_bytes,
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
        state = RecordState.load(directory.store)
        machine = Machine(directory.store, state)
        _found(directory, state, options, ports.random)
        recover(ports.disk, directory, state.current.cluster, ports.notice)
        _check_reach(directory, machine)
        headroom, meta = _headroom(directory, state, options, ports), directory.meta.value
        member = Member(
            directory,
            state,
            machine,
            ports.transport(meta),
            ports.clock,
            ports.random,
            ports.threads,
            ports.disk,
            Description(options.name, options.addresses, VERSION),
            trailing_entries=options.trailing_entries,
            held_log_bytes=options.held_log_bytes,
            refuse_growth=headroom.refusal,
            report=ports.notice,
        )
        parts = wire(
            state,
            machine,
            member.consensus,
            ports.clock,
            ports.random,
            ports.threads,
            _facts(meta, options, ports.clock),
            options=options.database,
            history_id=lambda: member.cluster.history_id or meta.cluster_id.hex[:12],
            observer=observer,
            queries_max=options.queries_max,
            waiting_max=options.queries_waiting_max,
        )
        parts.service.check_fence = member.fence.check
        parts.database.graph.saving.shelf = ImageFile(ports.disk, options.data_dir)
        background = Background(
            parts.service,
            parts.database,
            member,
            directory.store,
            directory.log,
            ports.threads,
            headroom,
            options.idle_transaction_seconds,
            options.flush_seconds,
            report,
            *_forgetting(directory, parts, member, options, ports),
        )
        return cls(directory, parts, member, background, headroom, ports.threads)

    def follow(self, options: NodeOptions) -> None:
        """Take over what may change while it runs: bounds of statements, marks, how vacuum goes."""
        database = self.parts.database
        database.follow(options.database)
        database.facts = replace(database.facts, settings=options.settings)
        self.headroom.marks = options.marks
        if database.vacuuming is not None:
            database.vacuuming.options = options.vacuum
        self.compacting.options = options.compaction

    @property
    def compacting(self) -> Compacting:
        """What drives compaction where this node leads."""
        return self._background.compacting

    async def run(self, ready: asyncio.Event, stop: asyncio.Event) -> bool:
        """Serve until ``stop`` is set: then what is pending is answered. True if it ended because
        a snapshot took the place of the record, or the node goes on alone: open it again.

        :raises Fault: something broke; the process must end.
        """
        reopen = self.member.snapshots.reopen
        try:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(self.member.run())
                background = group.create_task(self._background.run())
                getting_ready = group.create_task(self._get_ready(ready))
                ending = group.create_task(_either(stop, reopen))
                try:
                    await ending
                finally:
                    self.parts.service.stopping = True
                    background.cancel()
                    getting_ready.cancel()
                    if stop.is_set():
                        await self.member.hand_over()
                    self.member.consensus.stopping = True
                    running.cancel()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        return reopen.is_set() and not stop.is_set()

    async def _get_ready(self, ready: asyncio.Event) -> None:
        """Everything that was committed before is applied, and large transactions of sessions that
        died with the last process are ended."""
        while True:
            try:
                await self.member.consensus.read_barrier(ReadMode.LINEARIZABLE)
                break
            except NoLeader:
                continue
        if self.member.replica.decides_alone:
            for number in self.parts.machine.open_stagings:
                command = c.AbortChunks(c.FORMAT, number, "the node was restarted")
                await self.member.consensus.propose(c.encode(command))
        ready.set()

    def close(self) -> None:
        """Flush, so that the next start replays nothing, and close. Blocking."""
        try:
            self.directory.store.flush()
        finally:
            self.directory.close()


async def _either(first: asyncio.Event, second: asyncio.Event) -> None:
    """Wait until one of two is set."""
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(event.wait()) for event in (first, second)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()


def _forgetting(
    directory: DataDirectory, parts: Parts, member: Member, options: NodeOptions, ports: Ports
) -> tuple[Vacuuming, Compacting, Space]:
    """What drives vacuum and compaction where this node leads, tells who does what is read here,
    and gives back the space."""
    pins = Pins(
        parts.database,
        first_index=lambda: directory.log.first_index,
        node_id=member.node_id,
        requests=member.requests,
        configuration=lambda: member.configuration,
    )
    vacuuming = Vacuuming(parts.state, member.consensus, pins, ports.clock, options.vacuum)
    parts.database.vacuuming = vacuuming
    member.admin.vacuum = vacuuming.now
    compacting = Compacting(
        parts.database, member.consensus, pins, ports.clock, ports.threads, options.compaction
    )
    return vacuuming, compacting, Space(parts.state, directory.store, pins)


def _headroom(
    directory: DataDirectory, state: RecordState, options: NodeOptions, ports: Ports
) -> Headroom:
    headroom = Headroom(
        options.marks,
        directory.free_bytes,
        ports.memory_free,
        lambda: present_bytes(state.counters),
    )
    headroom.look()
    return headroom


def _facts(meta: Meta, options: NodeOptions, clock: Clock) -> ServerFacts:
    return ServerFacts(
        VERSION,
        str(meta.node_id),
        options.name,
        options.addresses.get("http", ""),
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


def _found(
    directory: DataDirectory, state: RecordState, options: NodeOptions, random: Random
) -> None:
    """A new cluster begins with an entry that says so and one that makes its founder a voter, so
    that whoever reads the log from its beginning learns both. Only node 1 can be the founder:
    whoever joins has another id."""
    meta = directory.meta.value
    if meta.node_id != 1 or directory.log.last_index or state.current.head.applied_index:
        return
    command = c.FoundCluster(
        c.FORMAT,
        meta.cluster_id.bytes,
        meta.cluster_id.hex[:12],
        options.name,
        options.addresses,
        meta.disk_id.bytes,
        VERSION,
        FEATURE_LEVEL,
    )
    first_voter = raft.Entry(
        1,
        2,
        raft.EntryType.CONF_CHANGE,
        encode_conf_change_v1(raft.ConfChange(raft.ChangeType.ADD_NODE, 1)),
    )
    founded = Entry(1, 1, COMMAND_KIND, c.encode(command))
    directory.log.append([founded, to_stored(first_voter)])
    directory.log.save_hard_state(term=1, vote=1, commit=2)


def _check_reach(directory: DataDirectory, machine: Machine) -> None:
    """:raises CorruptData: between the end of the record and the log entries are missing."""
    log, applied = directory.log, machine.applied_index
    if log.last_index < applied:
        raise CorruptData(
            f"the record has applied entry {applied}, the log ends at {log.last_index}",
            hint="the log folder is older than the record: restore both from one backup",
        )
    if log.first_index > applied + 1:
        raise CorruptData(
            f"the record ends at entry {applied}, the log begins at {log.first_index}",
            hint="the record is older than the log: restore both from one backup",
        )
