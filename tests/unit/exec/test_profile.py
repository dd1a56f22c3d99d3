"""What PROFILE shows of plans over batches, also where two operators are run as one."""

from __future__ import annotations

import pytest

from everwhen.query.explain import PlanDescription
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded


@pytest.fixture(scope="module")
def database():
    """A ring of twelve, each with relationships to the next three."""
    with Embedded(options=DatabaseOptions(execution="batches", batch_rows=4)) as found:
        found.execute("UNWIND range(0, 11) AS k CREATE (:A {k: k})")
        found.execute(
            "MATCH (a:A) UNWIND [1, 2, 9] AS far MATCH (b:A {k: (a.k + far) % 12})"
            " CREATE (a)-[:T]->(b)"
        )
        yield found


def operators(database: Embedded, text: str) -> list[PlanDescription]:
    """Of a plan with one branch, the result first; without its leaf."""
    plan = database.execute(f"PROFILE {text}").summary.plan
    found = []
    while plan is not None and plan.children:
        found.append(plan)
        plan = plan.children[0]
    assert all(one.batches for one in found)
    return found


def rows(found: list[PlanDescription], operator: str) -> list[int | None]:
    return [one.rows for one in found if one.operator == operator]


def test_a_condition_put_to_the_nodes_of_a_step(database):
    found = operators(
        database, "MATCH (a:A)-[:T]->(b)-[:T]->(c) WHERE b.k = 2 AND c.k > 3 RETURN a.k, c.k"
    )
    assert rows(found, "Expand(All)") == [6, 2]
    assert rows(found, "Filter") == [6, 2, 1]


def test_a_step_whose_relationship_the_next_one_must_not_repeat(database):
    found = operators(database, "MATCH (a:A)-[:T]->(b)-[:T]->(c) WHERE b.k < 5 RETURN count(*)")
    assert rows(found, "Expand(All)") == [45, 15]


def test_a_cycle(database):
    found = operators(
        database, "MATCH (a:A)-[:T]->(b)-[:T]->(c)-[:T]->(a) WHERE c.k < 11 RETURN count(*)"
    )
    assert rows(found, "Expand(Into)") == [66]
    assert rows(found, "Filter") == [66, 11]
    assert rows(found, "Expand(All)") == [66, 33]


def test_rows_that_are_alike_are_dropped_early_whatever_batch_they_come_in(database):
    found = operators(database, "MATCH (x:A {k: 0}), (a:A)-[:T]->(b) RETURN DISTINCT x.k, b.k")
    assert rows(found, "Distinct") == [12]
    assert [one.rows for one in found if one.operator.startswith("Expand")] == [12]
