"""Statements whose answer must not depend on whether rows or batches are run."""

from __future__ import annotations

import pytest

from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded


@pytest.fixture(params=["rows", "batches"])
def database(request):
    options = DatabaseOptions(execution=request.param, batch_rows=64)
    with Embedded(options=options) as found:
        found.execute("UNWIND range(1, 30) AS i CREATE (:P {i: i})")
        found.execute("MATCH (a:P) UNWIND range(1, 5) AS j CREATE (a)-[:T]->(:Q {j: j})")
        yield found


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
