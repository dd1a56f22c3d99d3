"""Compaction as a node drives it: who reads holds the keys back, what was begun goes on after a
restart, and the setting turns it off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from everwhen.codec.compaction import CLEARING, IDLE, Compaction
from everwhen.codec.keys import Kind, kind_range
from everwhen.model.graph import GraphView
from everwhen.mvcc.verify import verify
from everwhen.runtime.compacting import CompactionOptions
from everwhen.runtime.node import Node
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.session import Session
from everwhen.runtime.transaction import OpenTransaction
from everwhen.txn import commands as c
from tests.node.twin_node import COMPACTS, Machine, rows
from tests.unit.apply.harness import dump


async def written(node: Node, first: int, count: int = 40) -> None:
    for at in range(first, first + count):
        await rows(node, "CREATE (:A {i: $i})-[:R {w: $i}]->(:B {i: $i})", {"i": at})


async def until(node: Node, holds: Callable[[Compaction], bool]) -> None:
    for _ in range(2_000):
        if holds(node.parts.state.current.compaction):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"{node.parts.state.current.compaction}")


def reader(node: Node) -> OpenTransaction:
    database = node.parts.database
    return database.begin(database.version, TransactionOptions(), Caller("a", "b"))


def shown(view: GraphView) -> object:
    return dump(view)


def keys_of(node: Node) -> int:
    store = node.parts.state.store
    return sum(1 for kind in (Kind.NODE, Kind.REL) for _ in store.scan(*kind_range(kind)))


def test_all_of_it_moves_and_reads_the_same() -> None:
    machine = Machine(1, COMPACTS)
    before: list[object] = []

    async def first(node: Node) -> None:
        await written(node, 0)
        view = node.parts.database.snapshot(20)
        before.append(shown(view))
        before.append(shown(node.parts.database.snapshot(40)))
        await until(node, lambda now: now.rows == 120 and now.phase == IDLE)
        assert keys_of(node) == 0
        assert [shown(node.parts.database.snapshot(version)) for version in (20, 40)] == before
        assert verify(node.parts.state.store).problems == []

    async def second(node: Node) -> None:
        """After a crash: what was not flushed comes from the log again."""
        await until(node, lambda now: now.rows == 120 and now.phase == IDLE)
        assert [shown(node.parts.database.snapshot(version)) for version in (20, 40)] == before
        await written(node, 40)
        await until(node, lambda now: now.rows == 240 and now.phase == IDLE)
        assert verify(node.parts.state.store).problems == []

    machine.run(first)
    machine.crash()
    machine.run(second)


def test_keys_wait_for_whoever_reads() -> None:
    machine = Machine(2, COMPACTS)

    async def work(node: Node) -> None:
        await written(node, 0, 1)
        open_ = reader(node)
        await written(node, 1)
        await until(node, lambda now: now.phase == CLEARING)
        keys = keys_of(node)
        await asyncio.sleep(5.0)
        assert (keys_of(node), node.parts.state.current.compaction.place) == (keys, 0)
        open_.rollback()
        await until(node, lambda now: now.rows > 0)
        assert keys_of(node) < keys

    machine.run(work)


def test_where_it_is_turned_off_only_what_was_begun_ends() -> None:
    machine = Machine(3, COMPACTS)

    async def begins(node: Node) -> None:
        await written(node, 0, 1)
        reader(node)
        await written(node, 1)
        await until(node, lambda now: now.phase == CLEARING)

    async def ends(node: Node) -> None:
        await until(node, lambda now: now.phase == IDLE)
        done = node.parts.state.current.compaction
        assert done.segments == 1
        await written(node, 50)
        await asyncio.sleep(5.0)
        assert node.parts.state.current.compaction == done
        assert verify(node.parts.state.store).problems == []

    machine.run(begins)
    machine.compaction = CompactionOptions()
    machine.run(ends)


def test_what_was_erased_does_not_come_into_the_log_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window makes a segment of :A and one of :B. While the first is held up by a reader, a :B is
    erased; the second was made before that."""
    machine, secret = Machine(4, COMPACTS), b"a secret"

    async def work(node: Node) -> None:
        proposed: list[bytes] = []
        propose = node.compacting._propose

        async def noted(command: c.Command) -> c.Reply:
            proposed.append(c.encode(command))
            return await propose(command)

        monkeypatch.setattr(node.compacting, "_propose", noted)
        node.compacting.options = CompactionOptions(0.0)
        await rows(node, "UNWIND range(1, 5) AS i CREATE (:A {i: i})")
        open_ = reader(node)
        await rows(node, "UNWIND range(1, 5) AS i CREATE (:B {t: $t + i})", {"t": secret.decode()})
        node.compacting.options = COMPACTS
        await until(node, lambda now: now.phase == CLEARING)
        await rows(node, "MATCH (b:B {t: $t + 2}) ERASE b", {"t": secret.decode()})
        open_.rollback()
        await until(node, lambda now: now.rows == 9 and now.phase == IDLE)
        [others] = [command.count(secret) for command in proposed if secret in command]
        assert others == 4
        assert verify(node.parts.state.store).problems == []

    machine.run(work)


def test_what_was_withdrawn_is_looked_at_again() -> None:
    """Before a key of it went, vacuum takes the segment back."""
    machine = Machine(5, COMPACTS)

    async def work(node: Node) -> None:
        await written(node, 0, 10)
        open_ = reader(node)
        await written(node, 10, 10)
        await until(node, lambda now: now.phase == CLEARING)
        await rows(node, "MATCH (a:A {i: 3}) SET a.i = 3.5")
        await rows(node, "ALTER DATABASE neo4j SET RETENTION '1 second'")
        await until(node, lambda now: now.phase == IDLE)
        assert node.parts.state.current.compaction.segments == 0
        open_.rollback()
        await until(node, lambda now: now.rows == 59 and now.phase == IDLE)
        assert verify(node.parts.state.store).problems == []

    machine.run(work)


def test_what_was_passed_over_is_looked_at_again_when_as_much_was_written() -> None:
    """Ids given to a transaction that commits when the others behind them have moved."""
    machine = Machine(6, COMPACTS)

    async def work(node: Node) -> None:
        session = Session(node.parts.service, Caller("twin", "twin"))
        await session.run("BEGIN", {})
        for at in range(5):
            execution = await session.run("CREATE (:Late {i: $i})", {"i": at})
            assert execution is not None
            await node.parts.service.exhaust(execution)
        await written(node, 0)
        await until(node, lambda now: now.phase == CLEARING)
        await session.run("COMMIT", {})
        await until(node, lambda now: now.rows == 120 and now.phase == IDLE)
        await asyncio.sleep(5.0)
        assert keys_of(node) == 5
        await written(node, 40)
        fewer = COMPACTS.extent.rows_min - 1
        await until(node, lambda now: now.rows >= 245 - fewer and now.phase == IDLE)
        assert keys_of(node) <= fewer

    machine.run(work)
