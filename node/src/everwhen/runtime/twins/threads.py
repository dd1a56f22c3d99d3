"""Threads without threads: calls run on the loop, at a moment that the seed picks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from everwhen.ports import Random

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class InlineThreads:
    """Runs each call whole, on the event loop, after a random virtual wait.

    Calls of different pools therefore happen in any order relative to each other, while calls of
    a pool in ``serial`` keep theirs, as they do in a pool of one thread.
    """

    def __init__(
        self,
        random: Random,
        *,
        serial: frozenset[str] = frozenset(),
        wait_max: float = 0.001,
    ) -> None:
        self._random = random
        self._serial = {name: asyncio.Lock() for name in sorted(serial)}
        self._wait_max = wait_max
        self._closed = False

    async def run(self, pool: str, call: Callable[[*_Ts], _T], *arguments: *_Ts) -> _T:
        """Run ``call(*arguments)`` between two random waits."""
        if self._closed:
            raise RuntimeError("cannot schedule new calls after close")
        lock = self._serial.get(pool)
        if lock is None:
            return await self._run(call, *arguments)
        async with lock:
            return await self._run(call, *arguments)

    async def _run(self, call: Callable[[*_Ts], _T], *arguments: *_Ts) -> _T:
        await asyncio.sleep(self._random.float() * self._wait_max)
        result = call(*arguments)
        await asyncio.sleep(self._random.float() * self._wait_max)
        return result

    def close(self) -> None:
        """Refuse what comes."""
        self._closed = True
