"""A database whose clock can be put forward, for tests of keeping and forgetting."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import pyarrow as pa

from everwhen.runtime.bulk import BulkOptions
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.requests import Caller
from everwhen.runtime.system import SystemClock
from everwhen.runtime.vacuum import Vacuuming

DAY = 86_400_000_000


class LaterClock(SystemClock):
    """The system's clock, some time later."""

    ahead = 0

    def now_micros(self) -> int:
        return super().now_micros() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead / 1e6


class Kept:
    """A database whose clock can be put forward."""

    def __init__(self) -> None:
        self.clock = LaterClock()
        self.db = Embedded(clock=self.clock)

    def run(self, text: str, **parameters: Any) -> list[list[Any]]:
        return self.db.execute(text, parameters).rows

    @property
    def vacuuming(self) -> Vacuuming:
        found = self.db.service.database.vacuuming
        assert found is not None
        return found

    def by_hand(self) -> None:
        """From here on nothing is looked at but by ``vacuum``; until the database is opened again."""

        async def never() -> None:
            self.vacuuming.options = replace(self.vacuuming.options, every_s=math.inf)
            self.vacuuming.resigned()

        self.db.call(never())

    def vacuum(self) -> None:
        """Look now; until it is through."""
        self.db.call(asyncio.wait_for(self._through(), 30))

    async def _through(self) -> None:
        self.vacuuming.now()
        while self.vacuuming.running:
            await self.vacuuming.step()
            await asyncio.sleep(0)
            if self.vacuuming.waiting:
                return

    @property
    def oldest(self) -> int:
        return self.db.service.database.state.current.head.oldest_version


def history(kept: Kept, versions: int = 5) -> None:
    kept.run("CREATE (:City {name: 'Oslo', v: 0})")
    for version in range(1, versions):
        kept.run("MATCH (c:City) SET c.v = $v", v=version)


def load_rows(kept: Kept, rows: int) -> None:
    """Nodes :P with i from 0 on, in a segment."""
    bulk = kept.db.service.bulk
    table = pa.table({"i": list(range(rows))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)

    async def load() -> None:
        caller = Caller("", "")
        token, _ = await bulk.begin(BulkOptions(), caller)
        found = bulk.find(token, caller)
        await bulk.nodes(token, found, sink.getvalue().to_pybytes(), ["P"])
        await bulk.commit(token, found)

    kept.db.call(load())
