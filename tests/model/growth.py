"""Generated queries over 1, 10 and 100 times the data: what they cost grows no faster than the rows
that their plans name.

The cost is counted, not timed: calls of functions, and elements of all arrays that functions gave
back, which is what work over batches consists of. So a step that looks again at what it has seen
for each further row or batch is found, whatever the machine does meanwhile.

``make model`` runs it, ``make test`` does not: in a worker of several, calls of kernels under
``sys.setprofile`` end Python 3.11 with a segmentation fault; in a process of its own they do not.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest

from bench.query_generator import patterns
from bench.query_texts import Query
from everwhen.exec.batch.core import Batch
from everwhen.exec.batch.distinct import Seen
from everwhen.model.columns import Vector
from everwhen.query.explain import PlanDescription
from everwhen.runtime.embedded import Embedded
from tests.support.effort import rounds

Array = npt.NDArray[Any]

NODES: Final = 60
SIZES: Final = (1, 10, 100)
DEGREE: Final = 5
#: rows of a batch: few, so that the largest graph takes many batches
BATCH_ROWS: Final = 64
#: below so many rows, at the smaller and at the larger size, a plan's cost is that of beginning
#: it, or of putting a condition to all nodes at once
ROWS_MIN: Final = (200, 1_000)
#: the cost of a row may differ so much between two sizes
SLACK: Final = 1.5


@dataclass
class Cost:
    """Calls of functions, and elements of new arrays they gave back."""

    counted: int = 0
    #: by identity, with themselves so that it stays theirs
    seen: dict[int, Array] = field(default_factory=dict)

    def event(self, _frame: Any, event: str, given: Any) -> None:
        """For ``sys.setprofile``."""
        if event in ("call", "c_call"):
            self.counted += 1
        elif event == "return":
            for array in arrays(given):
                if id(array) not in self.seen:
                    self.seen[id(array)] = array
                    self.counted += array.size


def arrays(given: Any) -> Iterator[Array]:
    """In what a function gave back; those of named tuples are what the image holds."""
    if isinstance(given, np.ndarray):
        yield given
    elif isinstance(given, Vector):
        yield given.data
    elif isinstance(given, Batch):
        yield from (vector.data for vector in given.columns.values())
    elif type(given) is tuple:
        for part in given:
            yield from arrays(part)


@contextmanager
def counting(cost: Cost) -> Iterator[None]:
    """What this thread does meanwhile. Frames that numba makes for a profiler end Python 3.11 when a
    collection meets them, so none does, now or later."""
    gc.disable()
    sys.setprofile(cost.event)
    try:
        yield
    finally:
        sys.setprofile(None)
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module")
def graphs() -> Iterator[list[Embedded]]:
    """The graph of the measurements in three sizes."""
    found = [Embedded() for _ in SIZES]
    for database, size in zip(found, SIZES, strict=True):
        fill(database, NODES * size)
    yield found
    for database in found:
        database.close()


def fill(database: Embedded, nodes: int) -> None:
    chance = random.Random(nodes)
    database.execute("CREATE CONSTRAINT FOR (p:Person) REQUIRE p.id IS UNIQUE")
    people = [
        {
            "id": number,
            "age": chance.randrange(80),
            "city": f"city {chance.randrange(100)}",
            "score": round(chance.uniform(0, 1000), 3),
        }
        for number in range(nodes)
    ]
    database.execute("UNWIND $people AS one CREATE (p:Person) SET p = one", {"people": people})
    knows = [
        {
            "a": chance.randrange(nodes),
            "b": chance.randrange(nodes),
            "s": 1990 + chance.randrange(35),
        }
        for _ in range(nodes * DEGREE)
    ]
    database.execute(
        "UNWIND $knows AS one MATCH (a:Person {id: one.a}), (b:Person {id: one.b})"
        " CREATE (a)-[:KNOWS {since: one.s}]->(b)",
        {"knows": knows},
    )
    held = database.service.database
    assert held.graph.view(held.version, 1 << 40) is not None  # read now, not while it counts


def rows(plan: PlanDescription) -> int:
    """That all operators handed on."""
    return (plan.rows or 0) + sum(map(rows, plan.children))


def cost_of_a_row(database: Embedded, query: Query, nodes: int) -> tuple[int, float]:
    """Rows that the plan names, and the cost of one of them."""
    given = query.draw(random.Random(query.name), nodes)
    plan = database.execute(f"PROFILE {query.text}", given).summary.plan
    assert plan is not None
    database.execute(query.text, given)  # the plan is known now, so what follows is in this thread
    cost = Cost()
    for _ in range(2):  # the second time without what the image made and keeps
        cost.counted = 0
        with counting(cost):
            database.execute(query.text, given)
    named = rows(plan)
    return named, cost.counted / (named + 1)


def grown(graphs: list[Embedded], query: Query) -> list[tuple[int, float]]:
    """Sizes at which the cost of a row had grown since the size before."""
    found = [
        cost_of_a_row(database, query, NODES * size)
        for database, size in zip(graphs, SIZES, strict=True)
    ]
    return [
        after
        for before, after in pairwise(found)
        if before[0] >= ROWS_MIN[0] and after[0] >= ROWS_MIN[1] and after[1] > SLACK * before[1]
    ]


@pytest.mark.parametrize("execution", ["rows", "batches"])
def test_cost_grows_no_faster_than_the_rows_named(execution: str, graphs: list[Embedded]) -> None:
    for database in graphs:
        database.run_plans(execution, BATCH_ROWS)
    queries = patterns(rounds("GROWTH_SEED", 1, 2), rounds("GROWTH_QUERIES", 12, 50))
    assert {query.text: found for query in queries if (found := grown(graphs, query))} == {}


def test_work_done_again_for_each_batch_is_found(
    graphs: list[Embedded], monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(self: Seen, batch: Batch) -> Iterator[Batch]:
        self._waiting.append(batch)
        yield from self.new()

    monkeypatch.setattr(Seen, "add", add)
    for database in graphs:
        database.run_plans("batches", BATCH_ROWS)
    text = "MATCH (p:Person) WHERE p.age >= $low RETURN DISTINCT p.score AS score"
    draw: Callable[[random.Random, int], dict[str, Any]] = lambda _, __: {"low": 0}  # noqa: E731
    assert grown(graphs, Query("distinct", "aggregate", text, draw))
