"""Waiting for an index to be applied, a version to be reached, a leader to be there."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable


class Watermark:
    """A number that only grows, and those who wait for it to reach theirs. Event loop only."""

    def __init__(self, value: int) -> None:
        self.value = value
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def advance(self, value: int) -> None:
        """Reach ``value``; whoever waited for it goes on."""
        self.value = max(self.value, value)
        while self._waiting and self._waiting[0][0] <= self.value:
            _, _, reached = heapq.heappop(self._waiting)
            if not reached.done():
                reached.set_result(None)

    async def reach(self, value: int, seconds: float) -> bool:
        """Wait until ``value`` is reached; False if it was not in time."""
        if value <= self.value:
            return True
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        waiting = (value, self._count, reached)
        heapq.heappush(self._waiting, waiting)
        try:
            await asyncio.wait([reached], timeout=max(seconds, 0.0))
        finally:
            if not reached.done():  # forgotten: nothing may ever reach what it waited for
                self._waiting.remove(waiting)
                heapq.heapify(self._waiting)
        return reached.done()


class Signal:
    """Something changed: everyone who waits looks again. Event loop only."""

    def __init__(self) -> None:
        self._changed: asyncio.Future[None] | None = None

    def notify(self) -> None:
        """Wake everyone who waits."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        self._changed = None

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``condition`` holds; False if it did not in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not condition():
            left = deadline - loop.time()
            if left <= 0:
                return False
            if self._changed is None:
                self._changed = loop.create_future()
            await asyncio.wait([self._changed], timeout=left)
        return True
