"""FLASHBACK and EXPLAIN FLASHBACK through every door."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from typing import Any

import pytest

from everwhen_client import Client
from tests.support.bolt import Bolt
from tests.support.process import Server, program
from tests.support.query_api import Failed, QueryApi

STATE = "MATCH (n:F) RETURN n.x AS x ORDER BY x"


@pytest.fixture
def version(server: Server) -> int:
    """Two nodes then; now one of them is gone and the other changed."""
    with QueryApi(server.port) as api:
        api.rows("MATCH (n:F) DELETE n")
        api.rows("CREATE (:F {x: 1}), (:F {x: 2})")
        [[found]] = api.rows("MATCH (n:F) RETURN max(version(n))")
        api.rows("MATCH (n:F {x: 1}) DELETE n")
        api.rows("MATCH (n:F {x: 2}) SET n.x = 3")
        return int(found)


def operators(plan: dict[str, Any]) -> dict[str, float]:
    """Operator and how many, of the tree's root and what is below it."""
    found = {plan["operatorType"].partition("@")[0]: _estimate(plan)}
    for child in plan["children"]:
        found |= operators(child)
    return found


def _estimate(plan: dict[str, Any]) -> float:
    said = plan.get("arguments") or plan["args"]
    found = said["EstimatedRows"]
    return float(found["_value"] if isinstance(found, dict) else found)


WANTED = {
    "Flashback": 2.0,
    "NodesRevived": 1.0,
    "NodesChanged": 1.0,
    "PropertiesSet": 2.0,
    "LabelsAdded": 1.0,
}


def test_http(server: Server, version: int) -> None:
    with QueryApi(server.port) as api:
        answer = api.run(f"EXPLAIN FLASHBACK TO VERSION {version}")
        row = dict(zip(answer["data"]["fields"], answer["data"]["values"][0], strict=True))
        assert (row["nodesRevived"], row["nodesChanged"]) == (1, 1)
        assert [each["step"] for each in row["sample"]] == ["revive", "change"]
        assert operators(answer["queryPlan"]) == WANTED
        assert api.rows(STATE) == [[3]]
        answer = api.run(f"FLASHBACK TO VERSION {version}", counters=True)
        assert answer["counters"]["nodesCreated"] == 1
        assert answer["counters"]["propertiesSet"] == 2
        assert answer["bookmarks"]
        assert api.rows(STATE) == [[1], [2]]


def test_http_in_a_transaction(server: Server, version: int) -> None:
    with QueryApi(server.port) as api:
        begun = api.begin()
        api.run_in(begun, f"FLASHBACK (n:F) TO VERSION {version}")
        assert api.rows(STATE) == [[3]]
        api.commit(begun)
        assert api.rows(STATE) == [[1], [2]]


def test_conflicts_over_http(server: Server, version: int) -> None:
    with QueryApi(server.port) as api:
        with pytest.raises(Failed) as refused:
            api.run(f"FLASHBACK TRANSACTION {version}")
        assert refused.value.code == "Neo.ClientError.Statement.ConstraintVerificationFailed"
        assert refused.value.status == 409
        assert f"commit {version + 2} changed it" in refused.value.message
        assert not refused.value.retryable
        api.run(f"FLASHBACK TRANSACTION {version} FORCE")
        assert api.rows(STATE) == []


def test_bolt(server: Server, version: int) -> None:
    with closing(Bolt(server.bolt_port)) as connection:
        fields, rows, summary = connection.run(f"EXPLAIN FLASHBACK TO VERSION {version}")
        row = dict(zip(fields, rows[0], strict=True))
        assert (row["nodesRevived"], row["nodesChanged"]) == (1, 1)
        assert operators(summary["plan"]) == WANTED
        assert connection.run(STATE)[1] == [[3]]
        _, _, summary = connection.run(f"FLASHBACK TO VERSION {version}")
        assert summary["type"] == "rw"
        assert summary["stats"]["nodes-created"] == 1
        assert connection.run(STATE)[1] == [[1], [2]]


def test_the_client(server: Server, version: int) -> None:
    with Client(f"http://127.0.0.1:{server.port}") as client:
        found = client.run("FLASHBACK TO VERSION $v", {"v": version})
        assert found.rows[0].data()["nodesRevived"] == 1
        assert [list(row) for row in client.run(STATE).rows] == [[1], [2]]


def test_the_shell(server: Server, version: int) -> None:
    done = subprocess.run(
        [*program(), "sh", f"http://127.0.0.1:{server.port}", "-c",
         f"EXPLAIN FLASHBACK TO VERSION {version}; FLASHBACK TO VERSION {version}; {STATE}"],
        capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    explained, done_, *state = [json.loads(line) for line in done.stdout.splitlines()]
    assert explained["sample"][0]["step"] == "revive"
    assert done_["nodesRevived"] == 1
    assert state == [{"x": 1}, {"x": 2}]
