"""An event loop on virtual time: sleeping takes none, and the order of events repeats.

When nothing is ready the loop would wait for the next timer; here the clock is moved to it
instead. When there is no timer either, nothing can ever happen again: that is reported as a
deadlock instead of hanging the test.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from everwhen.runtime.twins.time_and_chance import VirtualClock

_T = TypeVar("_T")


class Deadlock(AssertionError):
    """Every task waits and no timer is set."""


class _SkippingSelector(selectors.SelectSelector):
    """Moves the clock instead of waiting."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # only the loop's own wake-up is there to be polled, unless a test has sockets
        ready = super().select(0) if len(self.get_map()) > 1 else []
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Deadlock("every task waits and no timer is set")
        self._clock.advance(max(timeout, 0.0))
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a :class:`VirtualClock`."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(_SkippingSelector(clock))
        self._virtual_clock = clock

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual_clock.monotonic()


def run_virtual(main: Coroutine[Any, Any, _T], clock: VirtualClock) -> _T:
    """Run ``main`` to its end on virtual time, then cancel what it left behind."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main)
