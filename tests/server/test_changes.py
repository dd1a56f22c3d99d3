"""Change capture over HTTP: long polls, streams of events, positions, filters, bad input."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from everwhen import limits
from tests.support.process import Server
from tests.support.query_api import QueryApi
from tests.support.waiting import until


@pytest.fixture
def api(server: Server) -> Iterator[QueryApi]:
    with QueryApi(server.port) as found:
        yield found


def get(api: QueryApi, query: str, **headers: str) -> tuple[int, Any]:
    status, _, content = api.request("GET", f"/v1/changes?{query}", headers=headers)
    return status, json.loads(content)


def now(api: QueryApi) -> str:
    return str(get(api, "from=now&wait=0")[1]["position"])


class Events:
    """A stream of server-sent events."""

    def __init__(self, port: int, query: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.request(
            "GET", f"/v1/changes?{query}", headers={"Accept": "text/event-stream", **headers}
        )
        self.answer = self._connection.getresponse()

    def next(self) -> dict[str, str]:
        """The fields of the next event; {} at the end of the stream."""
        found: dict[str, str] = {}
        while line := self.answer.readline().decode():
            if line == "\n":
                if "data" in found:
                    return found
                continue
            name, _, value = line.rstrip("\n").partition(": ")
            found[name] = value
        return {}

    def close(self) -> None:
        self._connection.close()


def test_a_record_tells_all_of_a_change(api: QueryApi) -> None:
    start = now(api)
    api.rows("CREATE (:P {a: 1, b: 'x'})-[:R {w: 1.5}]->(:Q)")
    api.rows("MATCH (p:P) SET p.a = 2, p:S REMOVE p.b")
    api.rows("MATCH (p:P) DETACH DELETE p")
    status, answer = get(api, f"from={start}")
    assert status == 200
    assert answer["schema"] == 1
    records = answer["changes"]
    assert answer["position"].partition("@")[0] == str(records[-1]["version"])
    told = [(r["event"], r["entity"], r["old"], r["new"]) for r in records]
    assert told == [
        ("created", "node", None, {"a": 1, "b": "x"}),
        ("created", "node", None, {}),
        ("created", "relationship", None, {"w": 1.5}),
        ("changed", "node", {}, {}),
        ("changed", "node", {"a": 1, "b": "x"}, {"a": 2, "b": None}),
        ("deleted", "relationship", {"w": 1.5}, None),
        ("deleted", "node", {"a": 2}, None),
    ]
    created, labels = records[0], next(r for r in records if "oldLabels" in r)
    assert created["labels"] == ["P"]
    assert (labels["oldLabels"], labels["labels"]) == (["P"], ["P", "S"])
    relationship = records[2]
    assert relationship["type"] == "R"
    assert relationship["startElementId"] == created["elementId"]
    assert {"principal", "tag", "metadata", "time", "number"} <= created.keys()


def test_every_position_goes_on_exactly_there(api: QueryApi) -> None:
    start = now(api)
    api.rows("UNWIND range(1, 5) AS i CREATE (:Exact {i: i})")
    api.rows("MATCH (n:Exact) SET n.i = n.i + 1")
    _, whole = get(api, f"from={start}")
    assert len(whole["changes"]) == 10
    for at, record in enumerate(whole["changes"]):
        _, rest = get(api, f"from={record['position']}&wait=0")
        assert rest["changes"] == whole["changes"][at + 1 :]
    position, found = start, list[dict[str, Any]]()
    while len(found) < 10:
        _, part = get(api, f"from={position}&limit=3")
        position = part["position"]
        found += part["changes"]
    assert found == whole["changes"]


def test_a_poll_returns_when_something_is_there(server: Server, api: QueryApi) -> None:
    start = now(api)
    began = time.monotonic()
    status, answer = get(api, f"from={start}&wait=0.5")
    assert (status, answer["changes"]) == (200, [])
    assert time.monotonic() - began >= 0.5

    def write() -> None:
        with QueryApi(server.port) as other:
            other.rows("CREATE (:Later)")

    writer = threading.Timer(0.3, write)
    writer.start()
    began = time.monotonic()
    status, answer = get(api, f"from={start}&wait=30")
    assert [r["labels"] for r in answer["changes"]] == [["Later"]]
    assert time.monotonic() - began < 20
    writer.join()


def test_filters(api: QueryApi) -> None:
    start = now(api)
    api.rows("CREATE (:Fa)-[:Ft {n: 1}]->(:Fb)")
    api.rows("MATCH (n:Fa) SET n.x = 1")

    def found(query: str) -> list[str]:
        answer = get(api, f"from={start}&wait=0&{query}")[1]
        return [r.get("type") or r["labels"][0] for r in answer["changes"]]

    assert found("label=Fa") == ["Fa", "Fa"]
    assert found("label=Fa&label=Fb&type=Ft") == ["Fa", "Fb", "Ft", "Fa"]
    assert found("type=Ft") == ["Ft"]
    assert found("label=None") == []
    passed = get(api, f"from={start}&wait=0&label=None")[1]["position"]
    assert passed == get(api, f"from={start}&wait=0")[1]["position"]


def test_values_without_loss(api: QueryApi) -> None:
    start = now(api)
    api.rows("CREATE (:Typed {d: date('2024-02-29'), f: 1.0, i: 1})")
    plain = get(api, f"from={start}")[1]["changes"][0]["new"]
    assert plain == {"d": "2024-02-29", "f": 1.0, "i": 1}
    typed = get(api, f"from={start}&values=typed")[1]["changes"][0]["new"]
    assert typed == {
        "d": {"$type": "Date", "_value": "2024-02-29"},
        "f": {"$type": "Float", "_value": "1.0"},
        "i": {"$type": "Integer", "_value": "1"},
    }


def test_events_and_where_they_go_on(server: Server, api: QueryApi) -> None:
    start = now(api)
    api.rows("UNWIND range(1, 3) AS i CREATE (:Sse {i: i})")
    stream = Events(server.port, f"from={start}")
    assert stream.answer.getheader("Content-Type") == "text/event-stream; charset=utf-8"
    events = [stream.next() for _ in range(4)]
    assert [e["event"] for e in events] == ["change"] * 3 + ["position"]
    assert [json.loads(e["data"])["new"]["i"] for e in events[:3]] == [1, 2, 3]
    api.rows("CREATE (:Sse {i: 4})")
    assert json.loads(stream.next()["data"])["new"]["i"] == 4
    stream.close()
    again = Events(server.port, "from=0", **{"Last-Event-ID": events[1]["id"]})
    assert json.loads(again.next()["data"])["new"]["i"] == 3
    again.close()


def test_a_stream_that_finds_nothing_still_moves_on(server: Server, api: QueryApi) -> None:
    start = now(api)
    stream = Events(server.port, f"from={start}&label=Nothing")
    api.rows("CREATE (:Other)")
    moved = None
    began = time.monotonic()
    while moved is None and time.monotonic() - began < 25:
        event = stream.next()
        moved = event if event.get("event") == "position" else None
    stream.close()
    assert moved is not None
    assert moved["id"] != start


def test_bad_input(api: QueryApi) -> None:
    for query, status, part in (
        ("", 400, "from is missing"),
        ("from=x", 400, "'x' is no position"),
        ("from=1.", 400, "is no position"),
        ("from=1@", 400, "is no position"),
        ("from=-1", 400, "is no position"),
        ("from=1&wait=61", 400, "wait must be a number from 0 to 60"),
        ("from=1&limit=0", 400, "limit must be"),
        ("from=1&limit=1.5", 400, "limit must be"),
        ("from=1&values=odd", 400, "values must be plain or typed"),
        ("from=1&odd=1", 400, "unknown parameter 'odd'"),
        ("from=1@other", 410, "another history"),
    ):
        found, answer = get(api, query)
        assert (found, part in answer["errors"][0]["message"]) == (status, True), (query, answer)


def test_a_position_that_is_not_there_yet_is_waited_for(api: QueryApi) -> None:
    version = int(now(api).partition("@")[0])
    status, answer = get(api, f"from={version + 5}&wait=0.2")
    assert (status, answer["changes"]) == (200, [])
    assert answer["position"].startswith(f"{version + 5}@")


def test_there_is_room_for_so_many(server: Server, api: QueryApi) -> None:
    start = now(api)
    streams = [Events(server.port, f"from={start}") for _ in range(limits.CHANGES_READERS_MAX)]
    assert all(s.answer.status == 200 for s in streams)
    status, answer = get(api, f"from={start}&wait=0")
    assert status == 429
    assert "readers of changes" in answer["errors"][0]["message"]
    for stream in streams:
        stream.close()
    until(lambda: get(api, f"from={start}&wait=0")[0] == 200)
