"""A majority is lost for ever: nothing happens by itself, and consent is taken literally."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everwhen import raft
from everwhen.codec.cluster import Configuration
from everwhen.runtime.replica.recovery import sole_voter
from tests.node.test_three_processes import Group
from tests.support.query_api import QueryApi


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made = Group(tmp_path, 3)
    made.start()
    yield made
    made.stop()


def _recover(group: Group, at: int, token: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", group.servers[at].port, timeout=30)
    try:
        connection.request("POST", "/v1/recover", json.dumps({"acceptDataLoss": token}))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _bookmark(port: int, statement: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        body = json.dumps({"statement": statement})
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/db/neo4j/query/v2", body, headers)
        found: str = json.loads(connection.getresponse().read())["bookmarks"][0]
        return found
    finally:
        connection.close()


def test_one_goes_on_with_all_it_has_and_the_group_grows_again(group: Group) -> None:
    servers = group.servers
    with QueryApi(servers[0].port) as api:
        for number in range(20):
            api.rows("CREATE (n:Kept {n: $n}) RETURN 1", {"n": number})
    old = _bookmark(servers[0].port, "CREATE (:Kept {n: 20})")
    group.settle()
    survivor = next(at for at in (1, 2) if at != group.leader())
    lost = [at for at in range(3) if at != survivor]
    assert group.status(survivor)["recoveryToken"] is None
    cluster = group.status(survivor)["clusterId"]
    healthy = _recover(group, survivor, f"{cluster}/{survivor + 1}/1")
    assert healthy[0] == 409
    assert "leads" in healthy[1]["errors"][0]["message"]

    for at in lost:
        servers[at].kill()
        shutil.rmtree(servers[at].directory)
    group.until(lambda: group.status(survivor)["recoveryToken"] is not None)
    wrong = _recover(group, survivor, f"{cluster}/{survivor + 1}/1")
    assert wrong[0] == 412
    assert "the token here is" in wrong[1]["errors"][0]["message"]
    assert _recover(group, survivor, "yes")[0] == 400
    token = group.status(survivor)["recoveryToken"]
    done, answer = _recover(group, survivor, token)
    assert done == 200, answer
    assert str(answer["lastIndex"]) == token.rpartition("/")[2]
    group.until(lambda: group.status(survivor)["role"] == "leader")
    assert group.status(survivor)["config"]["voters"] == [survivor + 1]
    assert [each["nodeId"] for each in group.status(survivor)["members"]] == [survivor + 1]
    servers[survivor].wait_ready()

    servers[survivor].kill()
    servers[survivor].start()
    with QueryApi(servers[survivor].port) as api:
        wanted = [[n] for n in range(21)]
        assert api.rows("MATCH (n:Kept) RETURN n.n ORDER BY n.n") == wanted
    new = _bookmark(servers[survivor].port, "CREATE (:After)")
    assert old.split(":")[1] != new.split(":")[1] == answer["historyId"]

    for at in lost:
        servers[at].join = servers[survivor].port
        servers[at].start()
    group.until(lambda: len(group.status(survivor)["config"]["voters"]) == 3)
    assert group.status(survivor)["config"]["voters"] == [survivor + 1, 4, 5]
    group.settle()
    for server in servers:
        with QueryApi(server.port) as api:
            assert api.rows("MATCH (n:Kept) RETURN count(n)") == [[21]]


ADD, LEARN, REMOVE = (
    raft.ChangeType.ADD_NODE,
    raft.ChangeType.ADD_LEARNER_NODE,
    raft.ChangeType.REMOVE_NODE,
)


def _changes(*pairs: tuple[raft.ChangeType, int]) -> raft.ConfChangeV2:
    return raft.ConfChangeV2(changes=tuple(raft.Change(kind, node) for kind, node in pairs))


@pytest.mark.parametrize(
    ("known", "tail", "steps"),
    [
        (Configuration(voters=[2]), [], []),
        (Configuration(voters=[1, 2, 3]), [], [(REMOVE, 1), (REMOVE, 3)]),
        (Configuration(voters=[1, 3], learners=[2]), [], [(ADD, 2), (REMOVE, 1), (REMOVE, 3)]),
        (
            Configuration(voters=[1, 2, 3]),
            [_changes((LEARN, 4))],
            [(REMOVE, 1), (REMOVE, 3), (REMOVE, 4)],
        ),
        (
            Configuration(voters=[1, 2], outgoing=[1, 2, 3], learners_next=[3], auto_leave=True),
            [],
            [None, (REMOVE, 1), (REMOVE, 3)],
        ),
        (
            Configuration(voters=[1, 2, 3]),
            [_changes((ADD, 4), (REMOVE, 2))],
            [None, (ADD, 2), (REMOVE, 1), (REMOVE, 3), (REMOVE, 4)],
        ),
        (
            Configuration(voters=[1, 2, 3]),
            [_changes((ADD, 4), (REMOVE, 3)), raft.ConfChangeV2()],
            [(REMOVE, 1), (REMOVE, 4)],
        ),
    ],
)
def test_steps_to_one_voter(
    known: Configuration,
    tail: list[raft.ConfChangeV2],
    steps: list[tuple[raft.ChangeType, int] | None],
) -> None:
    wanted = [raft.ConfChangeV2() if step is None else _changes(step) for step in steps]
    assert sole_voter(known, tail, 2) == wanted
