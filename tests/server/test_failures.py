"""What fails late, or with large values, at the HTTP door of a running node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.process import Server
from tests.support.query_api import TYPED, Failed, Lost, QueryApi

#: fails behind its first thousands of rows
LATE = "UNWIND range(1, 5000) AS i RETURN i, 10 / (4000 - i) AS x"


@pytest.fixture
def api(server: Server) -> Iterator[QueryApi]:
    with QueryApi(server.port) as made:
        yield made


@pytest.mark.parametrize(
    "accept", ["application/json", "application/jsonl", "application/vnd.apache.arrow.stream"]
)
def test_a_failure_behind_the_first_rows_ends_the_transaction(api: QueryApi, accept: str) -> None:
    path = f"/db/neo4j/query/v2/tx/{api.begin()}"
    body = json.dumps({"statement": "CREATE (:Half {of: $of})", "parameters": {"of": accept}})
    assert api.request("POST", path, body.encode(), {"Content-Type": "application/json"})[0] == 202
    headers = {"Content-Type": "application/json", "Accept": accept}
    try:
        _, _, answer = api.request("POST", path, json.dumps({"statement": LATE}).encode(), headers)
        assert b"division by zero" in answer or "arrow" in accept
    except Lost:
        assert "arrow" in accept  # which has no place for an error: it is cut off
    with pytest.raises(Failed, match="TransactionNotFound"):
        api.post(f"{path}/commit", {})
    assert api.rows("MATCH (n:Half {of: $of}) RETURN count(n)", {"of": accept}) == [[0]]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("List", "abc"),
        ("List", {"a": 1}),
        ("Integer", 1.5),
        ("Integer", True),
        ("Boolean", 1),
        ("Boolean", "true"),
        ("Float", False),
        ("String", 5),
        ("Map", [1]),
        (["List"], []),
        ("Integer", "9" * 30),
    ],
)
def test_a_typed_value_of_another_type_is_refused(api: QueryApi, kind: Any, value: Any) -> None:
    body = {"statement": "RETURN $x", "parameters": {"x": {"$type": kind, "_value": value}}}
    status, _, answer = api.request(
        "POST", "/db/neo4j/query/v2", json.dumps(body).encode(), {"Content-Type": TYPED}
    )
    assert status == 400, answer
    assert b"parameter x" in answer


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("RETURN 1 IN $x", "y" * 1_000_000),
        ("RETURN NOT $x", "y" * 1_000_000),
        ("RETURN $x.a", "y" * 1_000_000),
        ("RETURN $x[$x]", list(range(200_000))),
        ("RETURN date($x)", "y" * 1_000_000),
        ("RETURN 'a' =~ $x", "(" * 1_000_000),
        ("RETURN 'a' =~ $x", "a{99999999999}"),
        ("RETURN 1 LIMIT $x", "y" * 1_000_000),
    ],
)
def test_an_error_does_not_repeat_a_large_value(api: QueryApi, statement: str, value: Any) -> None:
    with pytest.raises(Failed) as failed:
        api.run(statement, {"x": value})
    assert failed.value.status == 400
    assert len(failed.value.message) < 5_000
