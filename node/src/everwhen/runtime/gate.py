"""Bounds how many statements run and how many wait; the next one is refused at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from everwhen.errors import TooManyRequests
from everwhen.limits import LOCK_WAITERS_MAX


class Gate:
    """``async with gate``: at most ``running`` inside, at most ``waiting`` before it, who go in in
    the order in which they came. Event loop only."""

    def __init__(self, running: int, waiting: int) -> None:
        #: places inside; below 0 while some came back from ``aside`` to a full house
        self._free = running
        self._aside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._waiting_max = waiting

    async def __aenter__(self) -> None:
        if self._free > 0:
            self._free -= 1
            return
        if len(self._waiting) >= self._waiting_max:
            raise TooManyRequests(
                f"{self._waiting_max} statements are waiting, which is the limit",
                hint="try again shortly",
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self._free += 1
        while self._free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Somebody inside waits for what another one holds, who may have to come in to give it up:
        does not count meanwhile."""
        if self._aside >= LOCK_WAITERS_MAX:
            yield
            return
        self._aside += 1
        self._leave()
        try:
            yield
        finally:
            self._aside -= 1
            self._free -= 1
