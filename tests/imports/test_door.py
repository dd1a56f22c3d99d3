"""``/v1/bulk`` itself: what it refuses, in which shape, and what is left then."""

from __future__ import annotations

import json
import random
from typing import Any

import pyarrow as pa
import pytest

from everwhen.limits import BULK_PART_BYTES_MAX
from tests.imports.conftest import Run
from tests.support.effort import rounds
from tests.support.query_api import Failed, QueryApi

ROUNDS = rounds("FUZZ_ROUNDS", 150, 5_000)
ARROW = {"Content-Type": "application/vnd.apache.arrow.stream", "Accept": "application/json"}


def stream(**columns: Any) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({name.replace("_", ":", 1): values for name, values in columns.items()})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def begin(api: QueryApi, **options: Any) -> str:
    return str(api.post("/v1/bulk", options)["bulk"])


def send(api: QueryApi, load: str, part: str, body: bytes) -> dict[str, Any]:
    return api._decode(*api.request("POST", f"/v1/bulk/{load}/{part}", body, ARROW))


def test_a_load_by_hand(api: QueryApi) -> None:
    load = begin(api, txMetadata={"why": "test"})
    first = send(api, load, "nodes?label=A&label=B", stream(n=[1, 2, 3]))["firstId"]
    ids = [first, first + 1]
    send(
        api,
        load,
        "relationships?type=R",
        stream(_start=ids, _end=[first + 2, first], w=[1.5, None]),
    )
    assert api.rows("MATCH (n) RETURN count(n)") == [[0]]
    done = api.post(f"/v1/bulk/{load}/commit", {})
    assert done["committed"]["version"] == 1
    assert api.rows("MATCH (a:A:B)-[r:R]->(b) RETURN a.n, r.w, b.n ORDER BY a.n") == [
        [1, 1.5, 3],
        [2, None, 1],
    ]
    load = begin(api)
    send(api, load, "changes?entity=node", stream(_id=ids, n=pa.array([None, 7])))
    send(api, load, "deletes?entity=node", stream(_id=[first + 2]))
    with pytest.raises(Failed, match="still has relationships"):
        api.post(f"/v1/bulk/{load}/commit", {})
    assert api.rows("MATCH (n) RETURN n.n ORDER BY n.n") == [[1], [2], [3]]


@pytest.mark.parametrize(
    ("part", "body", "wanted"),
    [
        ("nodes?label=A", b"not arrow", "no Arrow stream"),
        ("nodes?label=", stream(a=[1]), "empty"),
        ("nodes?label=A&label=A", stream(a=[1]), "twice"),
        ("nodes?label=A", stream(_start=[1], a=[1]), "columns with a colon"),
        ("nodes?label=A", stream(_what=[1]), "means nothing"),
        ("nodes?label=A", stream(a=[{"x": 1}]), "primitive types"),
        ("nodes?label=A", stream(a=[[1, None]]), "null"),
        ("relationships?type=T", stream(_start=[1]), "columns with a colon"),
        ("relationships?type=T", stream(_start=[1], _end=[None]), "64-bit integers"),
        ("relationships?type=T", stream(_start=[-1], _end=[1]), "negative"),
        ("relationships?type=T", stream(_start=[77], _end=[78]), "was deleted"),
        ("changes?entity=way", stream(_id=[1], a=[1]), "node or relationship"),
        ("changes?entity=node", stream(_id=[1, 1], a=[1, 2]), "named twice"),
        ("changes?entity=node", stream(_id=[99], a=[1]), "99"),
        ("deletes?entity=relationship", stream(_id=[99]), "99"),
    ],
)
def test_a_part_that_fails_ends_the_load(
    api: QueryApi, part: str, body: bytes, wanted: str
) -> None:
    load = begin(api)
    with pytest.raises(Failed, match=wanted) as caught:
        send(api, load, part, body)
    assert 400 <= caught.value.status < 500
    if "entity=way" in part:
        return  # it never got as far as the load
    with pytest.raises(Failed, match="no open bulk load"):
        api.post(f"/v1/bulk/{load}/commit", {})


def test_what_is_too_large(api: QueryApi) -> None:
    load = begin(api)
    with pytest.raises(Failed, match="33,554,432") as caught:
        send(api, load, "nodes?label=A", bytes(BULK_PART_BYTES_MAX + 1))
    assert caught.value.status == 413


def test_requests_that_make_no_sense(api: QueryApi) -> None:
    for body, wanted in (
        ({"what": 1}, "unknown field"),
        ({"requestId": 7}, "requestId"),
        ({"atVersion": 9}, "not there yet"),
        ({"commitTime": "2999-01-01"}, "later than the clock"),
    ):
        with pytest.raises(Failed, match=wanted):
            api.post("/v1/bulk", body)
    with pytest.raises(Failed, match="no open bulk load"):
        api.post("/v1/bulk/nothing/commit", {})


def test_changes_against_an_old_version_conflict(api: QueryApi, run: Run) -> None:
    api.run("CREATE (:A {n: 1})")
    node = api.rows("MATCH (n) RETURN id(n)")[0][0]
    api.run("MATCH (n) SET n.n = 2")
    load = begin(api, atVersion=1)
    with pytest.raises(Failed, match="committed first") as caught:
        send(api, load, "changes?entity=node", stream(_id=[node], n=[3]))
    assert caught.value.retryable
    assert api.rows("MATCH (n) RETURN n.n") == [[2]]


def test_any_bytes_are_answered_in_shape(api: QueryApi) -> None:
    chance = random.Random(11)
    good = stream(a=[1, 2], s=["x", "y"], l=[[1], []])
    for _ in range(ROUNDS):
        raw = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        load = begin(api)
        path = f"/v1/bulk/{load}/nodes?label=A"
        status, _, content = api.request("POST", path, bytes(raw), ARROW)
        assert status < 500, content
        answer = json.loads(content)
        assert status == 200 or answer["errors"][0]["message"]
        if status == 200:
            api._decode(*api.request("DELETE", f"/v1/bulk/{load}"))
    assert api.rows("MATCH (n) RETURN count(n)") == [[0]]
