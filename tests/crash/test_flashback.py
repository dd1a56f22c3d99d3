"""A node, or the leader, is killed in the midst of a large flashback: nothing of it is half done."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cluster.chaos.group import Group
from tests.crash.run import verify
from tests.support.process import Server
from tests.support.query_api import Failed, Lost, QueryApi
from tests.support.waiting import until

#: mutations of the flashback are three times as many: twenty or more chunks
NODES: Final = 4_000
_SECONDS: Final = 120.0
_STATE: Final = (
    "MATCH (n) OPTIONAL MATCH (n)-[r:NEXT]->() "
    "RETURN count(DISTINCT n), count(r), sum(n.i), count(n.new), sum(r.i), count(n:Gone)"
)


def fill(port: int) -> None:
    """Version 1: a chain. Version 2: a third of it is deleted, a third changed, some is new."""
    with QueryApi(port, timeout=300) as api:
        api.run(
            f"UNWIND range(1, {NODES}) AS i CREATE (n:N {{i: i}}) WITH collect(n) AS ns "
            f"UNWIND range(0, {NODES - 2}) AS k WITH ns[k] AS a, ns[k + 1] AS b "
            "CREATE (a)-[:NEXT {i: a.i}]->(b)"
        )
        api.run(
            "MATCH (n:N) WHERE n.i % 3 = 0 DETACH DELETE n WITH count(*) AS c "
            "MATCH (m:N) WHERE m.i % 3 = 1 SET m.i = -m.i, m:Gone WITH count(*) AS c "
            f"UNWIND range(1, {NODES}) AS i CREATE (:N {{new: i}})"
        )


class Asked(threading.Thread):
    """A flashback under way; ``outcome`` says how it ended."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.api = QueryApi(port, timeout=_SECONDS)
        self.outcome = ""

    def run(self) -> None:
        try:
            self.api.run("FLASHBACK TO VERSION 1")
            self.outcome = "done"
        except Lost:
            self.outcome = "lost"
        except Failed as failed:
            self.outcome = f"failed: {failed}"
        finally:
            self.api.close()


def status(port: int) -> dict[str, Any]:
    with QueryApi(port) as api:
        found: dict[str, Any] = json.loads(api.request("GET", "/v1/status")[2])
        return found


def after_entries(port: int, entries: int, asked: Asked) -> None:
    """Start the flashback; return when so many more entries were applied, or it has ended."""
    first = status(port)["appliedIndex"]
    asked.start()
    until(
        lambda: status(port)["appliedIndex"] >= first + entries or not asked.is_alive(),
        what="the flashback writes to the log",
        every=0.005,
    )


def state(port: int) -> list[list[Any]]:
    with QueryApi(port, timeout=_SECONDS) as api:
        return api.rows(_STATE)


@pytest.mark.timeout(600)
def test_the_node_is_killed(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    try:
        fill(server.port)
        before = state(server.port)
        cut = 0
        for entries in (1, 9, 20):
            asked = Asked(server.port)
            after_entries(server.port, entries, asked)
            server.kill()
            asked.join(_SECONDS)
            server.start()
            cut += asked.outcome == "lost"
            assert state(server.port) == before
        assert cut == 3
        with QueryApi(server.port, timeout=_SECONDS) as api:
            [row] = api.rows("FLASHBACK TO VERSION 1")
            assert row[0] == 1
            [then] = api.rows(f"{_STATE} AT VERSION 1")
            assert state(server.port) == [then]
            api.run("FLASHBACK TO VERSION 2")
        assert state(server.port) == before
        assert server.stop() == 0
    finally:
        server.kill()
    assert verify(tmp_path / "data") == []


@pytest.fixture
def group() -> Iterator[Group]:
    folder = Path(tempfile.mkdtemp(prefix="everwhen-flashback-"))
    members = Group(folder, network=None)
    try:
        for name in ("n1", "n2", "n3"):
            members.add(name).start()
        members.until_voters(3)
        yield members
        assert set(members.stop().values()) == {0}
        for name in members.members:
            assert verify(folder / name / "data") == []
    finally:
        for name in members.members:
            members.kill(name)
    shutil.rmtree(folder)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("where", ["follower", "leader"])
def test_the_leader_is_killed(group: Group, where: str) -> None:
    leader = group.leader()
    assert leader is not None
    other = next(name for name in group.members if name != leader)
    fill(group.members[leader].port)
    before = state(group.members[other].port)
    asked_at = leader if where == "leader" else other
    asked = Asked(group.members[asked_at].port)
    after_entries(group.members[other].port, 9, asked)
    assert asked.is_alive()
    group.kill(leader)
    asked.join(_SECONDS)
    group.members[leader].start()
    group.until("somebody leads", lambda: group.leader() is not None)
    group.settle()
    with QueryApi(group.members[other].port, timeout=_SECONDS) as api:
        then = api.rows(f"{_STATE} AT VERSION 1")
    # a session on a survivor sends its commit again; one on the dead process lost its connection
    assert asked.outcome == ("lost" if where == "leader" else "done")
    wanted = then if asked.outcome == "done" else before
    for server in group.members.values():
        assert state(server.port) == wanted
    with QueryApi(group.members[other].port, timeout=_SECONDS) as api:
        api.run("FLASHBACK TO VERSION 1")
    assert len(set(group.settle().values())) == 1
    for server in group.members.values():
        assert state(server.port) == then
