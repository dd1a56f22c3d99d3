"""Counts of nodes, over rows and over batches: own writes, the past, labels that nobody has."""

from __future__ import annotations

import pytest

from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded


@pytest.mark.parametrize("execution", ["rows", "batches"])
def test_counts_show_own_writes_and_the_past(execution: str) -> None:
    with Embedded(options=DatabaseOptions(execution=execution)) as database:
        session = database.session()
        database.execute("CREATE (:A), (:B)")
        assert database.execute("MATCH (n:A) RETURN count(n)").rows == [[1]]
        session.run("BEGIN")
        session.run("CREATE (:A)")
        assert session.run("MATCH (n:A) RETURN count(*)").rows == [[2]]
        assert session.run("MATCH (n) RETURN count(*), count(n)").rows == [[3, 3]]
        assert database.execute("MATCH (n:A) RETURN count(n)").rows == [[1]]
        session.run("COMMIT")
        assert database.execute("MATCH (n:A) RETURN count(n)").rows == [[2]]
        assert database.execute("MATCH (n:A) RETURN count(n) AT VERSION 1").rows == [[1]]
        assert database.execute("MATCH (n:Nobody) RETURN count(n)").rows == [[0]]
        doubled = "UNWIND [1, 2] AS x MATCH (n:A) RETURN count(n), count(DISTINCT n)"
        assert database.execute(doubled).rows == [[4, 2]]
        assert database.execute("UNWIND [1, 2] AS x MATCH (:A) RETURN count(*)").rows == [[4]]
        session.close()


def test_a_count_of_many_is_worth_columns() -> None:
    with Embedded() as database:
        database.execute("UNWIND range(1, 30000) AS i CREATE (:A)")
        plan = database.execute("PROFILE MATCH (n:A) RETURN count(n) AS n").summary.plan
        assert plan is not None
        assert plan.batches == 1
