"""A simulated machine: its disk and record outlive the processes on it, which come and go.

A process is the production node (``runtime.node.Node``) over twins of its ports. It ends in good
order (``stop``), by kill -9 (``kill``: what the system has in its cache is there for the next one),
or by a power cut (``cut_power``: of what was not synced an arbitrary part is gone). In both of the
latter the record goes back to its last flush, as RocksDB without a log of its own does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from everwhen.codec.cluster import Member
from everwhen.errors import EverwhenError, Fault
from everwhen.mvcc.compactable import Extent
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch, FileStore
from everwhen.runtime.compacting import CompactionOptions
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.headroom import Marks
from everwhen.runtime.node import Node, NodeOptions, Ports
from everwhen.runtime.twins.disk import PowerCut, TwinDisk
from everwhen.runtime.twins.threads import InlineThreads
from everwhen.runtime.twins.time_and_chance import SeededRandom, VirtualClock
from everwhen.runtime.vacuum import VacuumOptions
from everwhen.storage.identity import assign, identify
from everwhen.version import VERSION
from tests.sim.network import Network, TwinTransport

_T = TypeVar("_T")

ROOT = Path("/data")
_IMAGE = "IMAGE"
_SERIAL_POOLS = frozenset({"log", "apply"})


class Lost(Exception):
    """The process went away in the middle of a call: nobody knows what became of it."""


class SkewedClock:
    """The common monotonic time, and a wall clock of the machine's own."""

    def __init__(self, common: VirtualClock, offset_micros: int) -> None:
        self._common = common
        self.offset_micros = offset_micros

    def now_micros(self) -> int:
        """The wall clock here."""
        return self._common.now_micros() + self.offset_micros

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return self._common.monotonic()


@dataclass(frozen=True, slots=True)
class Shape:
    """What all machines of a run are like."""

    segment_bytes: int
    trailing_entries: int
    held_log_bytes: int
    flush_seconds: float
    #: longest wait of a call for its thread, seconds
    thread_wait: float
    #: elements move from keys into column segments, a few at a time
    compacts: bool = False


class Machine:
    """See the module."""

    def __init__(
        self, name: str, network: Network, clock: VirtualClock, random: SeededRandom, shape: Shape
    ) -> None:
        self.name = name
        self.address = f"{name}:7400"
        self.clock = SkewedClock(clock, 0)
        self.shape = shape
        #: the open node, while it can be called
        self.node: Node | None = None
        #: events of the node's own log: (event, fields)
        self.notices: list[tuple[str, dict[str, object]]] = []
        #: faults that ended a process and were not injected
        self.faults: list[BaseException] = []
        #: an injected failure of the disk: the fault that it makes is expected
        self.excused = False
        self.starts = 0
        self.snapshots_installed = 0
        self._network = network
        self._random = random
        self._disk = TwinDisk(random.child("disk"))
        self._records: dict[str, MemoryStore] = {}
        self._process: asyncio.Task[None] | None = None
        self._stop: asyncio.Event | None = None
        self._transport: TwinTransport | None = None
        self._calls: set[asyncio.Task[Any]] = set()
        self._operations = 0

    # --- what tests ask ---

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and not self._process.done()

    @property
    def disk_operations(self) -> int:
        """Of all its disks so far."""
        return self._operations + self._disk.operations

    @property
    def disk(self) -> TwinDisk:
        """The disk as it is now."""
        return self._disk

    def identity(self) -> UUID:
        """The id of the data directory; made if there is none."""
        return identify(
            self._disk, ROOT, self._random.child(f"id {self.starts}"), holder="sim"
        ).disk_id

    def admitted(self, cluster: UUID, node_id: int, *, asks_for_vote: bool = False) -> None:
        """Bind the data directory to a cluster."""
        assign(self._disk, ROOT, cluster, node_id, holder="sim", asks_for_vote=asks_for_vote)

    def member(self) -> Member:
        """What it says of itself when it asks to be admitted."""
        return Member(0, self.name, {"peer": self.address}, self.identity().bytes, VERSION)

    async def call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a client's request inside the process.

        :raises Lost: the process ended meanwhile.
        """
        task = asyncio.ensure_future(work)
        self._calls.add(task)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            self._calls.discard(task)
        if task.cancelled() or isinstance(task.exception(), PowerCut):
            raise Lost
        return task.result()

    # --- life and death ---

    def start(self) -> None:
        """Start a process; it goes on by itself until it is ended."""
        assert not self.runs
        self.starts += 1
        self.excused = False
        self._stop = asyncio.Event()
        self._process = asyncio.ensure_future(self._run(self._stop))

    async def stop(self) -> None:
        """SIGTERM: hand over, answer what is pending, flush, end."""
        process = self._process
        if self._stop is not None and process is not None:
            self._stop.set()
            await asyncio.wait([process])

    async def kill(self) -> None:
        """SIGKILL."""
        await self._die()
        self._disk.reopen()

    async def cut_power(self) -> None:
        """The machine goes dark."""
        await self._die()
        self._operations += self._disk.operations
        self._disk = self._disk.crash()

    async def wipe(self) -> None:
        """The disk is lost."""
        await self._die()
        self._operations += self._disk.operations
        self._disk = TwinDisk(self._random.child(f"disk {self.starts}"))
        self._records.clear()

    async def _die(self) -> None:
        """End the process where it stands: nothing it still does reaches disk, record or network."""
        self._records = {name: store.crash() for name, store in self._records.items()}
        self.node = None
        self._disk.power_cut_after(0)
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        process, self._process = self._process, None
        if process is not None:
            process.cancel()
        calls = sorted(self._calls, key=lambda task: task.get_name())
        for task in calls:
            task.cancel()
        waiting = [*calls, *([] if process is None else [process])]
        if waiting:
            await asyncio.wait(waiting)

    # --- the process ---

    async def _run(self, stop: asyncio.Event) -> None:
        try:
            again = True
            while again:
                again = await self._one_node(stop)
        except (PowerCut, asyncio.CancelledError):
            pass
        except Exception as error:
            if not (self.excused and isinstance(error, Fault)):
                self.faults.append(error)
            # the process ended by itself
            self._records = {name: store.crash() for name, store in self._records.items()}
            self._disk.reopen()
        finally:
            self.node = None
            self._end_calls()

    def _end_calls(self) -> None:
        for task in sorted(self._calls, key=lambda task: task.get_name()):
            task.cancel()

    async def _one_node(self, stop: asyncio.Event) -> bool:
        threads = InlineThreads(
            self._random.child(f"threads {self.starts}"),
            serial=_SERIAL_POOLS,
            wait_max=self.shape.thread_wait,
        )

        def transport(meta: Any) -> TwinTransport:
            self._transport = TwinTransport(self._network, meta, self.address)
            return self._transport

        ports = Ports(
            self.clock,
            self._random.child(f"node {self.starts}"),
            self._disk,
            threads,
            self._open_store,
            lambda: 1 << 40,
            transport,
            lambda event, fields: self.notices.append((event, fields)),
        )
        options = NodeOptions(
            ROOT,
            self.name,
            {"peer": self.address, "http": f"{self.name}:7474", "bolt": f"{self.name}:7687"},
            "sim",
            DatabaseOptions(),
            Marks(0, 0),
            idle_transaction_seconds=60.0,
            queries_max=4,
            queries_waiting_max=100,
            segment_bytes=self.shape.segment_bytes,
            trailing_entries=self.shape.trailing_entries,
            held_log_bytes=self.shape.held_log_bytes,
            flush_seconds=self.shape.flush_seconds,
            ballast_bytes=0,
            vacuum=VacuumOptions(every_s=0.5, wait_s=1.0, keys_per_s=20_000.0),
            compaction=CompactionOptions(
                20_000.0 if self.shape.compacts else 0.0,
                every_s=0.3,
                extent=Extent(window=24, rows_min=2, bytes=4_096),
            ),
        )
        node = Node.open(options, ports, self._report)
        self.node = node
        again = await node.run(asyncio.Event(), stop)
        if again:
            self.snapshots_installed += 1
        self.node = None
        node.close()
        return again

    def _report(self, what: str, error: EverwhenError) -> None:
        self.notices.append(("background_refused", {"what": what, "error": str(error)}))

    def _open_store(self, folder: Path, create: bool) -> FileStore:
        """The record in a folder: what a process before left, or what a snapshot brought."""
        for name in [name for name in self._records if not self._disk.exists(Path(name))]:
            del self._records[name]
        store = self._records.get(str(folder))
        if store is None:
            store = MemoryStore()
            if self._disk.exists(folder / _IMAGE):
                batch = Batch()
                for key, value in msgspec.msgpack.decode(read_all(self._disk, folder / _IMAGE)):
                    batch.put(key, value)
                store.write(batch)
                store.flush()
        else:
            store = store.fork()
        store.on_checkpoint = self._write_image
        self._records[str(folder)] = store
        return store

    def _write_image(self, folder: str, content: MemoryStore) -> None:
        """The files of a checkpoint: one."""
        place, disk = Path(folder), self._disk
        pairs = list(content.scan(b"", b"\xff" * 64))
        disk.make_directory(place)
        file = disk.open(place / _IMAGE, create=True)
        data = msgspec.msgpack.encode(pairs)
        at = 0
        while at < len(data):
            at += file.pwrite(data[at:], at)
        file.sync()
        file.close()
        disk.sync_directory(place)


def read_all(disk: TwinDisk, path: Path) -> bytes:
    """A whole file."""
    file = disk.open_read(path)
    try:
        return file.pread(file.size(), 0)
    finally:
        file.close()
