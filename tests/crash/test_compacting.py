"""A node is killed while small commits become column segments, with changes and deletions between:
nothing is lost, told twice, or told otherwise of the past."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

import pytest

from tests.crash.run import compacted, verify
from tests.support.process import Server
from tests.support.query_api import QueryApi
from tests.support.waiting import until

#: each time, for a segment has 4,096 rows at least (limits.COMPACTION_ROWS_MIN)
COMMITS: Final = 5
SIZE: Final = 1_000
KILLS: Final = 3
#: of a segment, at most: its rows compared, and its keys taken away
STEPS: Final = 16
_SLOW: Final = ("--set", "compaction.rows_per_s=8000")
_FAST: Final = ("--set", "compaction.rows_per_s=10000000")
_STATE: Final = (
    "MATCH (n:N) OPTIONAL MATCH (n)-[r:NEXT]->(m:N) "
    "RETURN count(DISTINCT n), sum(n.i), sum(n.v), count(r), sum(r.w), sum(m.i)"
)


@pytest.mark.timeout(600)
def test_compaction_goes_on_after_a_kill(tmp_path: Path) -> None:
    chance = random.Random(1)
    server = Server(tmp_path / "data")
    server.start()
    try:
        known: dict[int, list[Any]] = {}
        for kill in range(KILLS):
            with QueryApi(server.port, timeout=300) as api:
                version = [fill(api, kill * COMMITS + commit) for commit in range(COMMITS)][-1]
                known[version] = ask(api, version)
            # who begins to lead looks at all of it at once
            server.kill()
            server.options = _SLOW
            server.start()
            with QueryApi(server.port, timeout=300) as api:
                if kill % 2:  # a reader of before holds up the second half, the keys that go
                    api.run_in(api.begin(), "MATCH (n:N) RETURN count(n)")
                until(lambda: running(server.port), 120.0, "a segment is under way", every=0.005)
                version = change(api, kill)
                known[version] = ask(api, version)
                at = applied(api) + chance.randrange(STEPS)  # the moment of the kill
                came_to(api, at)
                server.kill()
            server.options = ()
            server.start()
            with QueryApi(server.port, timeout=300) as api:
                assert {version: ask(api, version) for version in known} == known
        server.kill()
        server.options = _FAST
        server.start()
        until(
            lambda: compacted(server.port) > SIZE * COMMITS * KILLS and not running(server.port),
            seconds=180.0,
            what="most of it has moved",
        )
        with QueryApi(server.port, timeout=300) as api:
            assert {version: ask(api, version) for version in known} == known
            [[through_index]] = api.rows("MATCH (n:N) WHERE n.i > 0 RETURN count(n)")
            assert through_index == known[max(known)][0]
        assert server.stop() == 0
    finally:
        server.kill()
    assert verify(tmp_path / "data") == []


def fill(api: QueryApi, commit: int) -> int:
    """A chain, small enough to be keys; the version of its commit."""
    if not commit:
        api.run("CREATE INDEX FOR (n:N) ON (n.i)")
    api.run(
        f"UNWIND range(1, {SIZE}) AS i CREATE (n:N {{i: $first + i, v: 0}}) "
        f"WITH collect(n) AS ns UNWIND range(0, {SIZE - 2}) AS k "
        "WITH k, ns[k] AS a, ns[k + 1] AS b CREATE (a)-[:NEXT {w: k}]->(b)",
        {"first": commit * SIZE},
    )
    return version_of(api)


def change(api: QueryApi, number: int) -> int:
    """Properties that are changed and nodes that are deleted, all over; the version afterwards."""
    api.run("MATCH (n:N) WHERE n.i % 97 = $at SET n.v = n.v + 1", {"at": number})
    api.run("MATCH (n:N) WHERE n.i % 89 = $at DETACH DELETE n", {"at": number})
    return version_of(api)


def came_to(api: QueryApi, index: int) -> None:
    """Wait for a log entry, or the end of the compaction under way."""
    until(
        lambda: applied(api) >= index or not running(api.port),
        what="it goes on",
        every=0.005,
    )


def version_of(api: QueryApi) -> int:
    return status(api, "appliedVersion")


def applied(api: QueryApi) -> int:
    return status(api, "appliedIndex")


def status(api: QueryApi, name: str) -> int:
    return int(json.loads(api.request("GET", "/v1/status")[2])[name])


def ask(api: QueryApi, version: int) -> list[Any]:
    [row] = api.rows(f"{_STATE} AT VERSION {version}")
    return row


def running(port: int) -> bool:
    return compacted(port, "everwhen_compaction_running") > 0
