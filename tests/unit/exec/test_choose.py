"""Which plans are run over batches, and what happens where they cannot be."""

from __future__ import annotations

import pytest

from everwhen.errors import ArithmeticFailure
from everwhen.exec.choose import BATCH_ROWS, WHOLE_BATCH_ROWS, batch_rows
from everwhen.query.explain import PlanDescription
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded


@pytest.fixture
def database():
    with Embedded(options=DatabaseOptions(execution="batches", batch_rows=4)) as found:
        found.execute("UNWIND range(1, 20) AS k CREATE (:A {k: k})")
        found.execute("MATCH (a:A), (b:A) WHERE b.k = a.k + 1 CREATE (a)-[:T]->(b)")
        yield found


def over_batches(plan: PlanDescription | None) -> set[str]:
    """The operators that ran over batches."""
    assert plan is not None
    found = {plan.operator} if plan.batches else set()
    return found.union(*(over_batches(child) for child in plan.children))


def profiled(database: Embedded, text: str) -> set[str]:
    return over_batches(database.execute(f"PROFILE {text}").summary.plan)


def test_a_whole_plan(database):
    ran = profiled(database, "MATCH (a:A)-[:T]->(b) RETURN a.k + b.k AS s")
    assert {"ProduceResults", "Projection", "RelationshipScan"} <= ran


def test_what_stands_below_a_write(database):
    ran = profiled(database, "MATCH (a:A)-[:T]->(b) WHERE a.k = 3 SET b.seen = true")
    assert "RelationshipScan" in ran
    assert "SetProperty" not in ran
    assert database.execute("MATCH (n:A {seen: true}) RETURN n.k").rows == [[4]]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("MATCH (a:A)-[:T]->(b) RETURN b.k AS k", BATCH_ROWS),
        ("MATCH (a:A)-[:T]->(b) RETURN b.k AS k LIMIT 3", BATCH_ROWS),
        ("MATCH (a:A) WITH a LIMIT 3 RETURN count(a) AS n", BATCH_ROWS),
        ("MATCH (a:A)-[:T]->(b) RETURN max(b.k) AS most", WHOLE_BATCH_ROWS),
        ("MATCH (a:A)-[:T]->(b) RETURN b.k AS k ORDER BY k", WHOLE_BATCH_ROWS),
    ],
)
def test_batches_are_larger_where_all_is_looked_at_first(database, text, rows):
    database.execute(text)
    known = database.service.database.known_read(text)
    assert known is not None
    assert batch_rows(known.plan.root) == rows


def test_a_point_read_is_run_over_rows():
    with Embedded() as found:
        found.execute("CREATE (:A {k: 1})")
        assert profiled(found, "MATCH (a:A {k: 1}) RETURN a.k") == set()


def test_own_writes_are_read_over_rows(database):
    session = database.session()
    session.run("BEGIN")
    session.run("CREATE (:A {k: 99})")
    found = session.run("PROFILE MATCH (a:A) RETURN max(a.k) AS k")
    assert found.rows == [[99]]
    assert over_batches(found.summary.plan) == set()
    session.run("ROLLBACK")


def test_a_past_version(database):
    then = database.version
    database.execute("MATCH (a:A) WHERE a.k > 5 DETACH DELETE a")
    found = database.execute(f"PROFILE MATCH (a:A)-[:T]->() AT VERSION {then} RETURN count(*) AS n")
    assert found.rows == [[19]]
    assert "RelationshipScan" in over_batches(found.summary.plan)


def test_an_error_beyond_the_limit_is_none(database):
    database.execute("MATCH (a:A {k: 3}) SET a.k = 0")
    text = "MATCH (a:A) WITH a ORDER BY id(a) RETURN 6 / a.k AS x LIMIT 2"
    assert database.execute(text).rows == [[6], [3]]


def test_an_error_that_a_row_meets_is_raised(database):
    database.execute("MATCH (a:A {k: 3}) SET a.k = 0")
    with pytest.raises(ArithmeticFailure):
        database.execute("MATCH (a:A) RETURN 6 / a.k AS x")
