"""What a node answers that nobody leads any more: as old as the reader allows, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.node.test_three_processes import Group
from tests.support.query_api import Failed, QueryApi

COUNT = "MATCH (a:A) RETURN count(a) AS c"


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made = Group(tmp_path, 3)
    made.start()
    yield made
    made.stop()


def read(port: int, **more: Any) -> Any:
    with QueryApi(port) as api:
        answer = api.post("/db/neo4j/query/v2", {"statement": COUNT, **more})
    return answer["data"]["values"][0][0]


def test_reads_choose_how_old_they_may_be(group: Group) -> None:
    with QueryApi(group.servers[0].port) as api:
        api.rows("CREATE (:A) RETURN 1")
    group.settle()
    for server in group.servers:
        assert [read(server.port, consistency=each) for each in ("stale", "bounded")] == [1, 1]
    for wrong in (
        {"consistency": "eventual"},
        {"consistency": "bounded", "maxStaleness": "soon"},
        {"consistency": "bounded", "maxStaleness": 0},
    ):
        with pytest.raises(Failed) as senseless:
            read(group.servers[0].port, **wrong)
        assert senseless.value.status == 400
    for server in group.servers[:2]:
        server.kill()
    alone = group.servers[2].port
    assert read(alone, consistency="stale") == 1
    assert read(alone, consistency="bounded", maxStaleness=600) == 1
    # both wait as long as a read waits for a leader, so they do it together
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(read, alone),
            pool.submit(read, alone, consistency="bounded", maxStaleness=0.001),
        ]
    for one in asked:
        refused = one.exception()
        assert isinstance(refused, Failed)
        assert refused.code == "Neo.TransientError.Cluster.NoLeaderAvailable"
