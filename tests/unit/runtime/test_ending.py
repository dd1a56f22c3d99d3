"""A transaction that ends is over on its node at once, and others are told, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Final, cast

import pytest

from everwhen.errors import Fault, NoLeader, OutcomeUnknown
from everwhen.runtime.consensus import Consensus
from everwhen.runtime.database import Database
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.ending import Owed, release
from everwhen.runtime.gate import Gate
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.steps import Steps
from everwhen.runtime.transaction import OpenTransaction
from everwhen.txn import commands as c
from everwhen.txn.transaction import Isolation

ABORT: Final = c.encode(c.AbortChunks(c.FORMAT, 7, "rolled back"))


class Others:
    """Consensus, as far as ends need it."""

    def __init__(self) -> None:
        self.unlocked: list[int] = []
        self.proposed: list[bytes] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.errors: dict[str, Exception] = {}

    async def unlock(self, owner: int) -> None:
        await self.answers.wait()
        if "unlock" in self.errors:
            raise self.errors["unlock"]
        self.unlocked.append(owner)

    async def propose(self, command: bytes) -> bytes:
        await self.answers.wait()
        if "propose" in self.errors:
            raise self.errors["propose"]
        self.proposed.append(command)
        return b""


@pytest.fixture
def database() -> Iterator[Database]:
    with Embedded() as db:
        yield db._parts.database


def begun(database: Database) -> OpenTransaction:
    options = TransactionOptions(isolation=Isolation.PESSIMISTIC)
    return database.begin(database.version, options, Caller("a", "b"))


def steps(database: Database, others: Others, gate: Gate) -> Steps:
    return Steps(database, cast(Consensus, others), cast(Any, None), gate)


def test_an_end_is_not_refused_where_no_more_statements_may_wait(database: Database) -> None:
    async def run() -> None:
        others, gate = Others(), Gate(running=1, waiting=0)
        transaction = begun(database)
        async with gate:
            await steps(database, others, gate).end(transaction)
        assert others.unlocked == [transaction.number]
        assert database.open_transactions() == []

    asyncio.run(run())


def test_others_are_told_though_who_ended_it_is_gone(database: Database) -> None:
    async def run() -> None:
        others = Others()
        others.answers.clear()
        transaction = begun(database)
        end = steps(database, others, Gate(1, 1)).end(transaction)
        ending = asyncio.ensure_future(end)
        await asyncio.sleep(0)
        assert database.open_transactions() == []
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        others.answers.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert others.unlocked == [transaction.number]

    asyncio.run(run())


def test_it_is_over_here_whatever_others_say(database: Database) -> None:
    async def run() -> None:
        others = Others()
        others.errors["unlock"] = Fault("broken")
        transaction = begun(database)
        with pytest.raises(Fault):
            await steps(database, others, Gate(1, 1)).end(transaction)
        assert database.open_transactions() == []
        await steps(database, others, Gate(1, 1)).end(transaction)  # nothing is left to do

    asyncio.run(run())


def test_the_same_in_a_thread(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(owed: Owed) -> None:
        raise Fault(f"broken for {owed}")

    transaction = begun(database)
    with monkeypatch.context() as patched:
        patched.setattr(database.backend, "release", broken)
        with pytest.raises(Fault):
            transaction.rollback()
    assert database.open_transactions() == []


@pytest.mark.parametrize("error", [OutcomeUnknown("stopped"), NoLeader("none")])
def test_an_abort_that_nobody_hears_of_is_an_abort(error: Exception) -> None:
    async def run() -> None:
        others = Others()
        others.errors["propose"] = error
        await release(cast(Consensus, others), Owed(locks=3, chunks=7))
        assert others.unlocked == [3]

    asyncio.run(run())


def test_a_fault_is_told_and_locks_are_released() -> None:
    async def run() -> None:
        others = Others()
        others.errors["propose"] = Fault("broken")
        with pytest.raises(Fault):
            await release(cast(Consensus, others), Owed(locks=3, chunks=7))
        assert others.unlocked == [3]

    asyncio.run(run())


def test_only_what_is_owed_is_told() -> None:
    async def run() -> None:
        others = Others()
        await release(cast(Consensus, others), Owed(locks=0, chunks=7))
        assert (others.unlocked, others.proposed) == ([], [ABORT])

    asyncio.run(run())
