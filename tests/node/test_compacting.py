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
from everwhen.runtime.transaction import OpenTransaction
from tests.node.twin_node import COMPACTS, Machine, rows
from tests.unit.apply.harness import dump


async def written(node: Node, first: int, count: int = 40) -> None:
    for at in range(first, first + count):
        await rows(node, "CREATE (:A {i: $i})-[:R {w: $i}]->(:B {i: $i})", {"i": at})


async def until(node: Node, holds: Callable[[Compaction], bool]) -> None:
    for _ in range(600):
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
