"""Committed entries: applied where they come, or behind what is before them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from everwhen import raft
from everwhen.errors import DiskFailed
from everwhen.limits import APPLY_INLINE_BYTES_MAX
from everwhen.raft import Entry, EntryType, Message, MessageType
from everwhen.runtime.applied import Raw, Replies
from everwhen.runtime.replica.applying import Applying


class Machine:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.applied: list[int] = []
        self.failure: Exception | None = None

    def apply_batch(self, entries: Sequence[Raw]) -> Replies:
        if self.failure is not None:
            raise self.failure
        self.applied += [index for index, _, _ in entries]
        return []


class Threads:
    """The thread is the event loop, a turn later."""

    async def run(self, pool: str, call: Callable[..., Any], *arguments: Any) -> Any:
        await asyncio.sleep(0)
        return call(*arguments)


def message(index: int, *, size: int = 1, kind: EntryType = EntryType.NORMAL) -> raft.Message:
    entry = Entry(1, index, kind, b"x" * size)
    return Message(MessageType.STORAGE_APPLY, raft.LOCAL_APPLY, entries=[entry])


def run(script: Callable[[Applying, Machine], Awaitable[None]]) -> None:
    async def body() -> None:
        machine = Machine()
        applying = Applying(
            machine, Threads(), lambda _: b"", lambda *_: None, lambda _: None  # type: ignore[arg-type]
        )  # fmt: skip
        await script(applying, machine)

    asyncio.run(body())


async def turns() -> None:
    """Enough of them for whatever waits."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_few_entries_are_applied_where_they_come():
    async def script(applying: Applying, machine: Machine) -> None:
        assert applying.take(message(1))
        assert machine.applied == [1]

    run(script)


@pytest.mark.parametrize(
    "first",
    [message(1, size=APPLY_INLINE_BYTES_MAX + 1), message(1, kind=EntryType.CONF_CHANGE_V2)],
)
def test_nothing_is_applied_before_what_waits(first: raft.Message):
    async def script(applying: Applying, machine: Machine) -> None:
        loop = asyncio.create_task(applying.run())
        assert not applying.take(first)
        await asyncio.sleep(0)
        # taken from the queue, and perhaps under way
        applying.take(message(2))
        await turns()
        assert machine.applied == [1, 2]
        loop.cancel()

    run(script)


def test_nothing_is_applied_while_the_record_is_copied():
    async def script(applying: Applying, machine: Machine) -> None:
        loop = asyncio.create_task(applying.run())
        async with applying.gate:
            assert not applying.take(message(1))
            await asyncio.sleep(0)
        # the gate is free and the loop has not come to its turn yet
        assert not applying.take(message(2))
        await turns()
        assert machine.applied == [1, 2]
        loop.cancel()

    run(script)


def test_a_failure_ends_the_loop_and_nothing_is_applied_after_it():
    async def script(applying: Applying, machine: Machine) -> None:
        loop = asyncio.create_task(applying.run())
        machine.failure = DiskFailed("gone")
        assert not applying.take(message(1))
        machine.failure = None
        assert not applying.take(message(2))
        with pytest.raises(DiskFailed):
            await loop
        assert machine.applied == []

    run(script)
