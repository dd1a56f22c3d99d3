"""Bounds how many statements run and how many wait; the next one is refused at once."""

from __future__ import annotations

import asyncio
from types import TracebackType

from everwhen.errors import TooManyRequests


class Gate:
    """``async with gate``: at most ``running`` inside, at most ``waiting`` before it."""

    def __init__(self, running: int, waiting: int) -> None:
        self._slots = asyncio.Semaphore(running)
        self._waiting = 0
        self._waiting_max = waiting

    async def __aenter__(self) -> None:
        if self._slots.locked():
            if self._waiting >= self._waiting_max:
                raise TooManyRequests(
                    f"{self._waiting_max} statements are waiting, which is the limit",
                    hint="try again shortly",
                )
            self._waiting += 1
            try:
                await self._slots.acquire()
            finally:
                self._waiting -= 1
        else:
            await self._slots.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._slots.release()
