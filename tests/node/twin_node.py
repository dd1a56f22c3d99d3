"""A node on twins: one seed decides time, chance, the order of threads and what a crash keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from everwhen.errors import EverwhenError
from everwhen.mvcc.compactable import Extent
from everwhen.mvcc.memory import MemoryStore
from everwhen.runtime.compacting import CompactionOptions
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.headroom import Marks
from everwhen.runtime.node import Node, NodeOptions, Ports
from everwhen.runtime.requests import Caller
from everwhen.runtime.session import Session
from everwhen.runtime.twins.disk import PowerCut, TwinDisk
from everwhen.runtime.twins.loop import run_virtual
from everwhen.runtime.twins.threads import InlineThreads
from everwhen.runtime.twins.time_and_chance import SeededRandom, VirtualClock

#: a few elements at a time, at once
COMPACTS = CompactionOptions(1e6, every_s=0.1, extent=Extent(window=16, rows_min=3))
ROOT = Path("/data")
POOLS = frozenset({"log", "apply"})


class Machine:
    """One simulated machine: its disk and record outlive the processes on it."""

    def __init__(self, seed: int, compaction: CompactionOptions | None = None) -> None:
        self.compaction = compaction or CompactionOptions()
        self.random = SeededRandom(seed)
        self.clock = VirtualClock()
        self.disk = TwinDisk(self.random.child("disk"))
        self.record = MemoryStore()

    def crash(self) -> None:
        """Power cut: only what was durable is found again."""
        self.disk = self.disk.crash()
        self.record = self.record.crash()

    def run(self, work: Callable[[Node], Awaitable[None]]) -> None:
        """A process: open the node, do ``work`` while it runs, end it in good order.

        :raises PowerCut: the disk said so; the machine must be crashed then.
        """
        run_virtual(self._run(work), self.clock)

    async def _run(self, work: Callable[[Node], Awaitable[None]]) -> None:
        self.record = self.record.fork()
        threads = InlineThreads(self.random.child("threads"), serial=POOLS)
        ports = Ports(
            self.clock,
            self.random.child("node"),
            self.disk,
            threads,
            lambda path, create: self.record,
            lambda: 1 << 40,
        )
        options = NodeOptions(
            ROOT,
            "twin",
            {"http": "twin:0"},
            "twin",
            DatabaseOptions(),
            Marks(0, 0),
            idle_transaction_seconds=60.0,
            queries_max=8,
            queries_waiting_max=100,
            segment_bytes=64 << 10,
            ballast_bytes=1 << 10,
            compaction=self.compaction,
        )
        node = Node.open(options, ports, _raise)
        ready, stop = asyncio.Event(), asyncio.Event()
        serving = asyncio.ensure_future(node.run(ready, stop))
        working = asyncio.ensure_future(_after(ready, work, node))
        await asyncio.wait([serving, working], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        results = await asyncio.gather(serving, working, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        node.close()


async def _after(ready: asyncio.Event, work: Callable[[Node], Awaitable[None]], node: Node) -> None:
    await ready.wait()
    await work(node)


def _raise(what: str, error: EverwhenError) -> None:
    raise AssertionError(f"{what}: {error}")


async def rows(node: Node, text: str, parameters: Mapping[str, Any] | None = None) -> list[Any]:
    """The rows of an auto-commit statement."""
    service = node.parts.service
    session = Session(service, Caller("twin", "twin"))
    execution = await session.run(text, parameters or {})
    assert execution is not None
    found: list[Any] = []
    while not execution.cursor.done:
        found += await service.fetch(execution, 100)
    await service.finish(execution)
    return found


__all__ = ["COMPACTS", "Machine", "PowerCut", "rows"]
