"""A database in this process whose clock can be put forward, and whose vacuum runs when told."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from everwhen.runtime.embedded import Embedded
from everwhen.runtime.system import SystemClock
from everwhen.runtime.vacuum import Vacuuming

#: µs
DAY: Final = 86_400_000_000


class LaterClock(SystemClock):
    """The system's clock, some time later."""

    ahead = 0

    def now_micros(self) -> int:
        return super().now_micros() + self.ahead


class Kept:
    """See the module."""

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
