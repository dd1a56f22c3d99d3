"""Threads in lockstep: calls run while the loop stands still, at a moment that the seed picks.

A call gets a stack of its own (a greenlet), because it may have to wait for the loop in the middle
of its work (``wait_for``); but the loop and the calls take turns, only one of them ever runs, so
the order of events follows from the seed alone. Threads of the system would do, but to hand the
turn from one to another costs more than most calls do, on a busy machine many times more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

from greenlet import getcurrent, greenlet

from everwhen.ports import Random

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


def _run_call(call: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """What the loop is told at the end: ("done", result) or ("raised", exception)."""
    try:
        return "done", call(*arguments)
    except BaseException as error:  # noqa: BLE001 - raised again on the loop
        return "raised", error


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

    async def run(
        self,
        pool: str,
        call: Callable[[*_Ts], _T],
        *arguments: *_Ts,
        stop: Callable[[], None] | None = None,
    ) -> _T:
        """Run ``call(*arguments)`` between two random waits. A cancellation finds it waiting for
        the loop, if it finds it at all, and is raised there: there is nothing to ``stop``."""
        if self._closed:
            raise RuntimeError("cannot schedule new calls after close")
        lock = self._serial.get(pool)
        if lock is None:
            return await self._run(call, *arguments)
        async with lock:
            return await self._run(call, *arguments)

    async def _run(self, call: Callable[[*_Ts], _T], *arguments: *_Ts) -> _T:
        await asyncio.sleep(self._random.float() * self._wait_max)
        try:
            return await self._lockstep(call, arguments)
        finally:
            await asyncio.sleep(self._random.float() * self._wait_max)

    async def _lockstep(self, call: Callable[..., _T], arguments: tuple[Any, ...]) -> _T:
        """Give the turn to the call, blocking the loop, until it ends; serve its waits."""
        turn = greenlet(_run_call)
        said, what = turn.switch(call, arguments)
        while said == "await":
            try:
                answer = ("done", await what)
            except BaseException as error:  # noqa: BLE001 - raised again in the call
                answer = ("raised", error)
            said, what = turn.switch(answer)
        if said == "raised":
            raise what
        return what  # type: ignore[no-any-return]

    def wait_for(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Give the turn back to the loop until ``coroutine`` is done."""
        parent = getcurrent().parent
        if parent is None:
            raise RuntimeError("wait_for belongs into a call of run")
        said, what = parent.switch(("await", coroutine))
        if said == "raised":
            raise what
        return what  # type: ignore[no-any-return]

    def close(self) -> None:
        """Refuse what comes."""
        self._closed = True
