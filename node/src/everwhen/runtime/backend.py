"""What a statement running in a worker thread asks of consensus, as blocking calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

from everwhen.ports import Threads
from everwhen.runtime.consensus import Consensus, ReadMode, order_of
from everwhen.runtime.ending import Owed, release
from everwhen.runtime.gate import Gate
from everwhen.txn.commands import Command, Reply, encode
from everwhen.txn.replies import decode_reply

#: how long it takes at most until somebody who waits notices that it should not any more
_CHECK_SECONDS: Final = 0.05


class Backend(Protocol):
    """Blocking twin of ``Consensus``; never called on the event loop."""

    def propose(self, command: Command) -> Reply:
        """Replicate and apply.

        :raises EverwhenError: what apply, or the leader before it, answered.
        """

    def close_time(self, time_micros: int) -> None: ...

    def barrier(self) -> int:
        """The version a linearizable read that begins now must see."""

    def lease_ids(self, nodes: int, relationships: int) -> tuple[int, int]: ...

    def lock(
        self, owner: int, keys: Sequence[bytes], timeout: float, check: Callable[[], None]
    ) -> bool:
        """``check`` is called every so often and ends the wait by raising."""

    def release(self, owed: Owed) -> None:
        """See ``ending.release``."""


class LoopBackend:
    """Waits for the event loop to do it (``Threads.wait_for``)."""

    def __init__(self, consensus: Consensus, threads: Threads, gate: Gate) -> None:
        """``gate``: the one that statements which ask have come through."""
        self._consensus = consensus
        self._threads = threads
        self._gate = gate

    def propose(self, command: Command) -> Reply:
        """See ``Backend.propose``."""
        proposed = self._consensus.propose(encode(command), order_of(command))
        return decode_reply(self._threads.wait_for(proposed))

    def close_time(self, time_micros: int) -> None:
        """See ``Consensus.close_time``."""
        self._threads.wait_for(self._consensus.close_time(time_micros))

    def barrier(self) -> int:
        """See ``Backend.barrier``."""
        return self._threads.wait_for(self._consensus.read_barrier(ReadMode.LINEARIZABLE))

    def lease_ids(self, nodes: int, relationships: int) -> tuple[int, int]:
        """See ``Consensus.lease_ids``."""
        return self._threads.wait_for(self._consensus.lease_ids(nodes, relationships))

    def lock(
        self, owner: int, keys: Sequence[bytes], timeout: float, check: Callable[[], None]
    ) -> bool:
        """See ``Backend.lock`` and ``Consensus.lock``."""
        waiting = self._consensus.lock(owner, keys, timeout)
        return self._threads.wait_for(_checked(waiting, check, self._gate))

    def release(self, owed: Owed) -> None:
        """See ``ending.release``."""
        self._threads.wait_for(release(self._consensus, owed))


async def _checked(
    waiting: Coroutine[Any, Any, bool], check: Callable[[], None], gate: Gate
) -> bool:
    """Wait, unless ``check`` raises meanwhile. What it waited for may still come: whoever asked
    gives it back when its transaction ends. Whoever has what is waited for may need a place at the
    gate to end."""
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait([task], timeout=_CHECK_SECONDS)
        if not task.done():
            with gate.aside():
                while not task.done():
                    check()
                    await asyncio.wait([task], timeout=_CHECK_SECONDS)
    finally:
        if task.cancel():
            await asyncio.wait([task])
    return task.result()
