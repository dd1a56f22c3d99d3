"""Statements whose answer must not depend on whether rows or batches are run."""

from __future__ import annotations

import pytest

from everwhen.errors import QueryTypeError
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded


@pytest.fixture(params=["rows", "batches"])
def database(request):
    options = DatabaseOptions(execution=request.param, batch_rows=64)
    with Embedded(options=options) as found:
        found.execute("UNWIND range(1, 30) AS i CREATE (:P {i: i})")
        found.execute("MATCH (a:P) UNWIND range(1, 5) AS j CREATE (a)-[:T]->(:Q {j: j})")
        yield found


# --- what differs from call to call is asked for every row ---


@pytest.mark.parametrize(
    "text",
    [
        "MATCH (a:P)-->() WITH randomUUID() AS u RETURN count(DISTINCT u) AS n",
        "MATCH (a:P)-->() WITH DISTINCT a, rand() AS u RETURN count(*) AS n",
        "MATCH (a:P)-->() UNWIND [rand()] AS u RETURN count(DISTINCT u) AS n",
        "MATCH (a:P)-->() CALL (a) { RETURN rand() AS u } RETURN count(DISTINCT u) AS n",
        "MATCH (a:P)-->() WITH a, rand() AS u, count(*) AS c RETURN sum(c * c) AS n",
        "MATCH (a:P)-->() WITH a ORDER BY rand() WITH a, randomUUID() AS u RETURN count(*) AS n",
    ],
)
def test_chance_is_asked_for_every_row(database, text):
    assert database.execute(text).rows == [[150]]


@pytest.mark.parametrize("where", ["WHERE rand() < 0.5", "WITH a WHERE rand() < 0.5"])
def test_chance_picks_from_whole_matches(database, where):
    text = f"MATCH (a:P)-->() {where} WITH a, count(*) AS c RETURN collect(DISTINCT c) AS found"
    ((found,),) = database.execute(text).rows
    assert len(found) > 1  # not all five or none of each: but for a chance of 2 in 10^35


def test_an_index_is_not_asked_by_chance(database):
    database.execute("CREATE INDEX FOR (a:P) ON (a.i)")
    database.execute("CALL db.awaitIndexes()")
    plan = database.execute("EXPLAIN MATCH (a:P) WHERE a.i > 30 * rand() RETURN a").summary.plan
    assert "IndexSeek" not in str(plan)


# --- others ---


def test_null_is_no_number(database):
    database.execute("MATCH (a:P) WHERE a.i % 2 = 0 SET a.x = -4611686018427387904")
    text = "MATCH (a:P) WITH a, a.x AS x MATCH (a)-->() RETURN DISTINCT x ORDER BY x"
    assert database.execute(text).rows == [[-(2**62)], [None]]


@pytest.mark.parametrize(
    "key",
    [
        "CASE f WHEN 30 THEN 4611686018427387902 ELSE f END",
        "CASE f WHEN 30 THEN 5e-324 ELSE 2.0 ^ -f END",
        "toString(f)",
    ],
)
def test_keys_that_are_far_apart_stay_apart(database, key):
    # some of the pairs differ by nothing but what 64 bits of a product lose
    text = f"UNWIND range(0, 30) AS i UNWIND range(0, 30) AS f WITH i, {key} AS key, i % 3 AS j "
    assert len(database.execute(text + "RETURN DISTINCT i, key, j").rows) == 31 * 31
    grouped = "WITH key, i, count(*) AS c RETURN count(*) AS n, max(c) AS c"
    assert database.execute(text + grouped).rows == [[31 * 31, 1]]


def test_no_limit_behind_some_rows(database):
    text = "MATCH (a:P) RETURN a.i AS i ORDER BY i SKIP $skip LIMIT $limit"
    found = database.execute(text, {"skip": 28, "limit": 2**63 - 1})
    assert found.rows == [[29], [30]]


def test_a_wrong_number_of_rows_is_named(database):
    text = "MATCH (a:P) RETURN a.i AS i ORDER BY i SKIP $skip LIMIT $limit"
    with pytest.raises(Exception, match="SKIP needs an integer, got 'a'"):
        database.execute(text, {"skip": "a", "limit": 5})


def test_durations_after_numbers_are_refused(database):
    with pytest.raises(QueryTypeError, match="numbers only, or durations only"):
        database.execute(
            "UNWIND range(1, 600000) AS i "
            "RETURN sum(CASE WHEN i <= 300000 THEN duration('P1D') ELSE i END) AS s"
        )


def test_durations_are_counted_as_often_as_they_come(database):
    text = "MATCH (a:P)-->() RETURN sum(duration('P1D')) AS s, avg(duration('P1D')) AS m"
    assert [str(value) for value in database.execute(text).rows[0]] == ["P150D", "P1D"]
