"""What operators hold is counted while they hold it, over rows and over batches."""

from __future__ import annotations

import tracemalloc

import pytest

from everwhen.errors import MemoryLimitExceeded
from everwhen.exec.memory import Held, MemoryAccount
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded

LIMIT = 300_000


@pytest.fixture(params=["rows", "batches"])
def database(request):
    options = DatabaseOptions(execution=request.param, batch_rows=16, statement_memory=LIMIT)
    with Embedded(options=options) as found:
        found.execute("UNWIND range(1, 150) AS k CREATE (:A {k: k})")
        found.execute("UNWIND range(1, 20) AS k CREATE (:B {k: k, text: 'number ' + k})")
        found.execute("MATCH (a:A), (b:B) CREATE (a)-[:T]->(b)")
        yield found


@pytest.mark.parametrize(
    "inner",
    [
        "MATCH (a)-->(b) RETURN b ORDER BY b.k LIMIT 1",
        "MATCH (a)-->(b) RETURN DISTINCT b LIMIT 1",
        "MATCH (a)-->(b) RETURN b, count(*) AS n LIMIT 1",
        "MATCH (a)-[*..2]->(b) RETURN b LIMIT 1",
        "MATCH (a)-->(c) WITH a, c LIMIT 1 MATCH p = shortestPath((a)-[*]->(c)) RETURN c AS b",
    ],
)
def test_what_an_inner_plan_held_is_given_back(database, inner):
    found = database.execute(f"MATCH (a:A) CALL (a) {{ {inner} }} RETURN count(b) AS n")
    assert found.rows == [[150]]


def test_a_search_that_nobody_ends_is_given_back(database):
    text = "UNWIND range(1, 200) AS i MATCH (a:A) WHERE EXISTS { (a)-[*]->() } RETURN count(*) AS n"
    assert database.execute(text).rows == [[200 * 150]]


def test_what_stands_above_goes_on_holding_when_what_stands_below_ends(database):
    inner = "MATCH (a)-->(b) RETURN b ORDER BY b.k"
    with pytest.raises(MemoryLimitExceeded):
        database.execute(
            f"MATCH (a:A) CALL (a) {{ {inner} }} "
            "WITH collect(toString(a.k) + ' and ' + b.text + ' make a text of some length that is "
            "held for each of three thousand rows until the end, one by one') AS texts "
            "RETURN size(texts)"
        )


def test_the_first_rows_of_many_are_all_that_a_sort_holds(database):
    text = "MATCH (a:A)-->(b) RETURN a.k AS k ORDER BY b.k, a.k SKIP 1 LIMIT 2"
    assert database.execute(text).rows == [[2], [3]]


@pytest.mark.parametrize("execution", ["rows", "batches"])
def test_lists_are_unwound_a_few_at_a_time(execution):
    with Embedded(options=DatabaseOptions(execution=execution, statement_memory=LIMIT)) as database:
        database.execute("UNWIND range(1, 500) AS k CREATE (:A {k: k})")
        text = "MATCH (a:A) UNWIND [i IN range(1, 500) | i * a.k] AS i RETURN max(i) AS most"
        database.execute(text)
        tracemalloc.start()
        assert database.execute(text).rows == [[250_000]]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3_000_000


def test_a_list_that_is_unwound_over_batches_is_held_meanwhile():
    options = DatabaseOptions(execution="batches", statement_memory=LIMIT)
    with Embedded(options=options) as database:
        database.execute("CREATE (:A {k: 1})")
        text = "MATCH (a:A) UNWIND [i IN range(1, $long) | i * a.k] AS i RETURN count(i) AS n"
        assert database.execute(text, {"long": 1_000}).rows == [[1_000]]
        with pytest.raises(MemoryLimitExceeded):
            database.execute(text, {"long": 100_000})


def test_each_gives_back_its_own():
    account = MemoryAccount(100)
    with Held(account) as above:
        with Held(account) as below:
            below.add(30)
            above.add(50)
        assert account.used == 50
        with pytest.raises(MemoryLimitExceeded):
            above.add(51)
    assert account.used == 0
