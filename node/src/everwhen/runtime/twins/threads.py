"""Threads in lockstep: calls run while the loop stands still, at a moment that the seed picks.

A call gets a real thread, because it may have to wait for the loop in the middle of its work
(``wait_for``); but the loop and the calls take turns, only one of them ever runs, so the order of
events follows from the seed alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Any, TypeVar, TypeVarTuple

from everwhen.ports import Random

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class _Turns:
    """The conversation of the loop with one call: whose turn it is, and what was said."""

    __slots__ = ("to_call", "to_loop")

    def __init__(self) -> None:
        #: ("await", coroutine) | ("done", result) | ("raised", exception)
        self.to_loop: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        #: ("done", result) | ("raised", exception)
        self.to_call: SimpleQueue[tuple[str, Any]] = SimpleQueue()


_current = threading.local()


def _run_call(turns: _Turns, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    _current.turns = turns
    try:
        result = call(*arguments)
    except BaseException as error:  # noqa: BLE001 - raised again on the loop
        turns.to_loop.put(("raised", error))
    else:
        turns.to_loop.put(("done", result))


class _Worker(threading.Thread):
    """A thread that makes one call after another: to start one for each call costs more than most
    calls do. One whose call never ends is not used again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.jobs: SimpleQueue[tuple[_Turns, Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        self.start()

    def run(self) -> None:
        while True:
            # not kept in a name: what a call was about may go when it is over
            _run_call(*self.jobs.get())


#: workers without a call, of all loops of the process
_idle: list[_Worker] = []


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
        turns = _Turns()
        worker = _idle.pop() if _idle else _Worker()
        worker.jobs.put((turns, call, arguments))
        while True:
            said, what = turns.to_loop.get()
            if said != "await":
                _idle.append(worker)
            if said == "done":
                return what  # type: ignore[no-any-return]
            if said == "raised":
                raise what
            try:
                answer = ("done", await what)
            except BaseException as error:  # noqa: BLE001 - raised again in the call
                turns.to_call.put(("raised", error))
            else:
                turns.to_call.put(answer)

    def wait_for(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Give the turn back to the loop until ``coroutine`` is done."""
        turns: _Turns = _current.turns
        turns.to_loop.put(("await", coroutine))
        said, what = turns.to_call.get()
        if said == "raised":
            raise what
        return what  # type: ignore[no-any-return]

    def close(self) -> None:
        """Refuse what comes."""
        self._closed = True
