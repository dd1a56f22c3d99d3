"""How many statements are inside, who is next, and that who waits for a lock keeps nobody out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from everwhen.errors import TooManyRequests
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.gate import Gate


class House:
    """Visitors who stay until they are told to go."""

    def __init__(self, running: int, waiting: int) -> None:
        self.gate = Gate(running, waiting)
        self.inside: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._go: dict[str, asyncio.Event] = {}

    async def _visit(self, name: str) -> None:
        async with self.gate:
            self.inside.append(name)
            await self._go[name].wait()
            self.inside.remove(name)

    async def comes(self, *names: str) -> None:
        for name in names:
            self._go[name] = asyncio.Event()
            self.tasks[name] = asyncio.ensure_future(self._visit(name))
            await settled()

    async def goes(self, *names: str) -> None:
        for name in names:
            self._go[name].set()
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_who_came_first_goes_in_first_and_too_many_are_refused() -> None:
    async def work() -> None:
        house = House(1, 2)
        await house.comes("a", "b", "c", "d")
        assert house.inside == ["a"]
        with pytest.raises(TooManyRequests):
            await house.tasks["d"]
        await house.goes("a")
        assert house.inside == ["b"]
        await house.goes("b")
        assert house.inside == ["c"]
        await house.goes("c")
        await house.comes("e")
        assert house.inside == ["e"]
        await house.goes("e")

    run(work())


def test_who_gives_up_leaves_no_gap() -> None:
    async def work() -> None:
        house = House(1, 9)
        await house.comes("a", "b", "c", "d")
        house.tasks["b"].cancel()
        await settled()
        house._go["a"].set()
        await asyncio.sleep(0)  # a has gone, c's turn has come, and c does not know it yet
        house.tasks["c"].cancel()
        await settled()
        assert house.inside == ["d"]
        await house.goes("d")
        await house.comes("e", "f")
        assert house.inside == ["e"]
        await house.goes("e", "f")

    run(work())


def test_who_waits_aside_makes_room_and_comes_back_to_a_full_house() -> None:
    async def work() -> None:
        house = House(1, 9)
        await house.comes("a", "b", "c")
        with house.gate.aside():
            await settled()
            assert house.inside == ["a", "b"]
        await house.goes("b")
        assert house.inside == ["a"]
        await house.goes("a")
        assert house.inside == ["c"]
        await house.goes("c")

    run(work())


def test_who_waits_aside_when_too_many_do_keeps_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("everwhen.runtime.gate.LOCK_WAITERS_MAX", 0)

    async def work() -> None:
        house = House(1, 9)
        await house.comes("a", "b")
        with house.gate.aside():
            await settled()
            assert house.inside == ["a"]
        await house.goes("a", "b")

    run(work())


def test_whoever_holds_a_lock_can_commit_while_others_wait_for_it() -> None:
    """More of them than there are threads for statements."""
    with Embedded(query_threads=2) as db:
        db.execute("CREATE (:C {v: 0})")
        holder = db.session()
        holder.run("BEGIN PESSIMISTIC")
        holder.run("MATCH (c:C) SET c.v = c.v + 1")
        failed: list[Exception] = []

        def add() -> None:
            try:
                session = db.session()
                session.run("BEGIN PESSIMISTIC")
                session.run("MATCH (c:C) SET c.v = c.v + 1")
                session.run("COMMIT")
            except Exception as error:
                failed.append(error)

        others = [threading.Thread(target=add) for _ in range(5)]
        for other in others:
            other.start()
        while len(db._parts.database.open_transactions()) < 6:
            db.execute("MATCH (c:C) RETURN c.v")
        assert db.execute("MATCH (c:C) RETURN c.v + 0 AS v").rows == [[0]]
        holder.run("COMMIT")
        for other in others:
            other.join()
        assert failed == []
        assert db.execute("MATCH (c:C) RETURN c.v").rows == [[6]]
