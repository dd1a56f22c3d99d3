"""Short statements run on the event loop, long ones in a thread, and nobody sees the difference."""

from collections.abc import Iterator
from typing import Any

import pytest

from everwhen.errors import QueryCancelled
from everwhen.limits import ROWS_AT_ONCE_MAX, WRITE_AT_ONCE_SECONDS
from everwhen.runtime.cursor import Cursor, Summary
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.requests import Caller, Stop, TransactionOptions
from everwhen.runtime.system import SystemClock

COUNT = "UNWIND range(1, $n) AS x WITH x WHERE x % 2 = 0 RETURN count(x) AS n"
ADD = "UNWIND range(1, $n) AS x CREATE (:Added {x: x})"
ROWS = "UNWIND range(1, $n) AS x RETURN x"


class Threads:
    """Counts what goes to a thread."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.calls = 0

    async def run(self, pool: str, call: Any, *arguments: Any, stop: Any = None) -> Any:
        self.calls += pool == "query"
        return await self.inner.run(pool, call, *arguments, stop=stop)


def ask(
    database: Embedded, text: str, parameters: dict[str, Any], stop: Stop | None = None
) -> list[list[Any]]:
    """A statement in auto-commit, as a door sends it."""
    service = database.service

    async def asked() -> list[list[Any]]:
        options = TransactionOptions(auto_commit=True, stop=stop)
        execution = await service.auto_commit(text, parameters, options, Caller())
        rows: list[list[Any]] = []
        try:
            while not execution.cursor.done:
                rows += await service.take(execution, 1_000)
        finally:
            await service.finish(execution)
        return rows

    return database.call(asked())


@pytest.fixture
def database() -> Iterator[Embedded]:
    opened = Embedded()
    yield opened
    opened.close()


@pytest.fixture
def threads(database: Embedded, monkeypatch: pytest.MonkeyPatch) -> Threads:
    counting = Threads(database.service._steps._threads)
    monkeypatch.setattr(database.service._steps, "_threads", counting)
    return counting


def test_a_known_short_read_needs_no_thread(database, threads):
    assert ask(database, COUNT, {"n": 10}) == [[5]]
    assert threads.calls > 0
    threads.calls = 0
    assert ask(database, COUNT, {"n": 20}) == [[10]]
    assert threads.calls == 0


def test_a_long_read_goes_to_a_thread_from_where_it_stood(database, threads):
    for n in (10, 100_000, 10):
        assert ask(database, COUNT, {"n": n}) == [[n // 2]]
    threads.calls = 0
    ask(database, COUNT, {"n": 10})
    assert threads.calls > 0, "it was long a moment ago"


class Pace(SystemClock):
    """A clock on which each look takes so long (seconds)."""

    def __init__(self) -> None:
        self.look = 0.0
        self._now = 1.0

    def monotonic(self) -> float:
        self._now += self.look
        return self._now


def test_a_write_of_some_hundred_rows_needs_a_thread_only_when_it_takes_long(monkeypatch):
    clock = Pace()
    with Embedded(clock=clock) as database:
        for _ in range(4):  # known, and ids are at hand
            ask(database, ADD, {"n": 700})
        counting = Threads(database.service._steps._threads)
        monkeypatch.setattr(database.service._steps, "_threads", counting)
        ask(database, ADD, {"n": 700})
        assert counting.calls == 0
        clock.look = WRITE_AT_ONCE_SECONDS
        ask(database, ADD, {"n": 700})
        assert counting.calls == 1
        assert ask(database, "MATCH (n:Added) RETURN count(n)", {}) == [[4_200]]


@pytest.mark.parametrize("count", [0, 1, *(ROWS_AT_ONCE_MAX + d for d in (-1, 0, 1)), 3_000])
def test_rows_beyond_the_first_come_from_a_thread(database, count):
    for _ in range(3):
        rows = ask(database, ROWS, {"n": count})
        assert rows == [[x] for x in range(1, count + 1)]


def test_whoever_holds_the_stop_ends_what_runs(database):
    for _ in range(2):
        with pytest.raises(QueryCancelled, match="enough"):
            ask(database, ROWS, {"n": 10}, Stop("enough"))
    assert database.service.database.open_transactions() == []


def test_errors_leave_no_transaction_behind(database):
    for _ in range(3):
        with pytest.raises(Exception, match="zero"):
            ask(database, "UNWIND [1, 0] AS x RETURN 1 / x", {})
    assert database.service.database.open_transactions() == []


@pytest.mark.parametrize("held", [0, 3, 250])
@pytest.mark.parametrize("step", [1, 2, 5, 249, 250, 251, 1_000])
def test_taking_rows_tells_exactly_when_it_is_over(held, step):
    for total in (0, 1, step, step + 1, 2 * step, 500):
        cursor = Cursor(("x",), iter([[x] for x in range(total)]), Summary())
        if held:
            cursor.look_ahead(held)
        got: list[list[Any]] = []
        while not cursor.done:
            rows = cursor.take(step)
            got += rows
            assert len(rows) == step or cursor.done
            assert cursor.done == (len(got) == total)
        assert got == [[x] for x in range(total)]


def test_what_a_transaction_reads_at_once_are_its_own_writes(database):
    service, caller = database.service, Caller()

    async def conversation() -> list[list[Any]]:
        transaction = await service.begin(TransactionOptions(), caller)
        found = []
        for number in range(3):
            await service.run(transaction, "CREATE (:Own {x: $x})", {"x": number})
            execution = await service.run(transaction, "MATCH (n:Own) RETURN count(n)", {})
            found += await service.take(execution, 10)
        await service.rollback(transaction)
        return found

    assert database.call(conversation()) == [[1], [2], [3]]
