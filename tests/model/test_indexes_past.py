"""At every past version an index answers as a scan does: range, unique and vector indexes, made
before, amid and after the history, of nodes and relationships."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from everwhen.query.explain import render
from everwhen.runtime.embedded import Embedded
from tests.engine import Engine, canonical
from tests.engines import open_engine
from tests.support.effort import rounds

ROUNDS = rounds("MODEL_ROUNDS", 4, 40)
RANGE = (
    "CREATE INDEX FOR (n:A) ON (n.k)",
    "CREATE INDEX FOR (n:A) ON (n.k, n.s)",
    "CREATE INDEX FOR (n:B) ON (n.s)",
    "CREATE INDEX FOR ()-[r:R]-() ON (r.k)",
)
UNIQUE = "CREATE CONSTRAINT FOR (n:U) REQUIRE n.id IS UNIQUE"
VECTOR = (
    "CREATE VECTOR INDEX vec FOR (n:V) ON (n.v) OPTIONS {indexConfig: "
    "{`vector.dimensions`: 3, `vector.similarity_function`: 'euclidean'}}"
)
#: predicate that an index serves, the same so that none does
PREDICATES = (
    ("(n:A)", "n.k = $i", "coalesce(n.k) = $i"),
    ("(n:A)", "n.k > $i AND n.k <= $i + 2", "coalesce(n.k) > $i AND coalesce(n.k) <= $i + 2"),
    ("(n:A)", "n.k IN [$i, $i + 1]", "coalesce(n.k) IN [$i, $i + 1]"),
    ("(n:A)", "n.k = $i AND n.s = $s", "coalesce(n.k) = $i AND coalesce(n.s) = $s"),
    ("(n:A)", "n.k IS NOT NULL", "coalesce(n.k) IS NOT NULL"),
    ("(n:B)", "n.s STARTS WITH $s", "coalesce(n.s) STARTS WITH $s"),
    ("(n:U)", "n.id = $i", "coalesce(n.id) = $i"),
    ("(n:U)", "n.id >= $i", "coalesce(n.id) >= $i"),
    ("()-[n:R]->()", "n.k = $i", "coalesce(n.k) = $i"),
    ("()-[n:R]->()", "n.k < $i", "coalesce(n.k) < $i"),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    opened = open_engine()
    yield opened
    opened.close()


def write(chance: random.Random) -> tuple[str, dict[str, Any]]:
    given: dict[str, Any] = {
        "i": chance.randrange(5),
        "j": chance.randrange(5),
        "s": chance.choice(("a", "ab", "b", "")),
        "v": [chance.randrange(4) for _ in range(3)],
    }
    text = chance.choice(
        (
            "CREATE (:A:B {k: $i, s: $s})",
            "CREATE (:A {k: $i})-[:R {k: $j}]->(:B {s: $s})",
            "MERGE (u:U {id: $i}) SET u.k = $j",
            "MATCH (u:U {id: $i}) WHERE NOT EXISTS { MATCH (:U {id: $j}) } SET u.id = $j",
            "CREATE (:V:A {v: $v, k: $i})",
            "MATCH (n:V) WHERE n.k = $i SET n.v = $v",
            "MATCH (n:A) WHERE n.k = $i SET n.k = $j",
            "MATCH (n:A) WHERE n.k = $i REMOVE n.k",
            "MATCH (n:A) WHERE n.k = $i SET n:B REMOVE n:A",
            "MATCH (n:B) WHERE n.s = $s SET n:A, n.s = n.s + 'b'",
            "MATCH ()-[r:R]->() WHERE r.k = $i SET r.k = $j",
            "MATCH ()-[r:R]->() WHERE r.k = $i DELETE r",
            "MATCH (n) WHERE n.k = $i WITH n LIMIT 1 DETACH DELETE n",
            "MATCH (a:A), (b:B) WITH a, b LIMIT 2 CREATE (a)-[:R {k: $i}]->(b)",
        )
    )
    return text, given


def run(engine: Engine, text: str, given: dict[str, Any] | None = None) -> list[list[Any]]:
    outcome = engine.run(text, given or {})
    assert outcome.error is None, f"{text} {given}: {outcome.error}"
    return outcome.rows


def play(engine: Engine, chance: random.Random) -> list[str]:
    """A history; a time after each of its commits."""
    engine.reset()
    made = [*RANGE, UNIQUE, VECTOR]
    chance.shuffle(made)
    made.insert(0, made.pop(made.index(UNIQUE)))
    steps = sorted(chance.choices(range(40), k=len(made)))
    times: list[str] = []
    for number in range(40):
        while steps and steps[0] <= number:
            steps.pop(0)
            run(engine, made.pop(0))
        run(engine, *write(chance))
        if engine.version():
            times.append(run(engine, "RETURN toString(datetime.realtime())")[0][0])
    return times


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_index_answers_as_a_scan_does(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    times = play(engine, chance)
    run(engine, "CALL db.awaitIndexes()")
    newest = engine.version()
    found = 0
    for pattern, indexed, scanned in PREDICATES:
        for _ in range(6):
            given = {"i": chance.randrange(5), "s": chance.choice("ab")}
            head, tail = f"MATCH {pattern} WHERE ", "RETURN id(n), n.k, n.s, n.id"
            at = f"AT VERSION {chance.randint(1, newest)}"
            by_index = run(engine, f"{head}{indexed} {tail} {at}", given)
            by_scan = run(engine, f"{head}{scanned} {tail} {at}", given)
            assert canonical(sorted(map(str, by_index))) == canonical(sorted(map(str, by_scan)))
            found += len(by_scan)
            first, last = sorted(chance.choices(times[5:], k=2))
            between = f"BETWEEN TIME '{first}' AND '{last}'"
            by_index = run(engine, f"{head}{indexed} {tail}, version(n) {between}", given)
            by_scan = run(engine, f"{head}{scanned} {tail}, version(n) {between}", given)
            assert sorted(map(str, by_index)) == sorted(map(str, by_scan))
    assert found > 0


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_nearest_of_then(engine: Engine, seed: int) -> None:
    chance = random.Random(seed + 1_000)
    play(engine, chance)
    run(engine, "CALL db.awaitIndexes()")
    for version in range(1, engine.version() + 1, 3):
        given = {"q": [chance.random() * 3 for _ in range(3)], "k": chance.choice((1, 3, 50))}
        by_index = run(
            engine,
            "CALL db.index.vector.queryNodes('vec', $k, $q, {exact: true}) YIELD node, score "
            f"RETURN id(node) AS id, score, node.v AS v AT VERSION {version}",
            given,
        )
        by_scan = run(
            engine,
            "MATCH (n:V) WHERE n.v IS NOT NULL RETURN id(n) AS id, "
            "vector.similarity.euclidean(n.v, $q) AS score, n.v AS v "
            f"ORDER BY score DESC, id LIMIT $k AT VERSION {version}",
            given,
        )
        assert [round(row[1], 5) for row in by_index] == [round(row[1], 5) for row in by_scan]
        if given["k"] == 50:
            assert {(row[0], str(row[2])) for row in by_index} == {
                (row[0], str(row[2])) for row in by_scan
            }


def test_the_predicates_are_served_by_indexes() -> None:
    with Embedded() as database:
        for statement in (*RANGE, UNIQUE):
            database.execute(statement)
        database.execute("UNWIND range(1, 50) AS i CREATE (:A {k: i, s: 'a'})-[:R {k: i}]->(:B)")
        database.execute("UNWIND range(1, 50) AS i CREATE (:B:U {s: 'b' + i, id: i})")
        database.execute("CALL db.awaitIndexes()")
        for pattern, indexed, scanned in PREDICATES:
            for predicate, wanted in ((indexed, True), (scanned, False)):
                query = f"EXPLAIN MATCH {pattern} WHERE {predicate} RETURN n AT VERSION 1"
                plan = database.execute(query, {"i": 1, "s": "a"}).summary.plan
                assert plan is not None
                assert ("Index" in render(plan)) == wanted, render(plan)
