"""A node taken out of service: by an operator, and by itself when it computed something else."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from everwhen.codec.keys import meta_key
from everwhen.codec.records import META_HEAD, decode_head, encode_head
from everwhen.mvcc.store import Batch
from everwhen.storage.rocks import RocksStore
from tests.node.test_three_processes import Group
from tests.support.query_api import Failed, QueryApi


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made = Group(tmp_path, 3)
    made.start()
    yield made
    made.stop()


def fence(port: int, **body: Any) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/v1/fence", body=json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def refused(port: int) -> str:
    """What the node says to a statement that it refuses."""
    with QueryApi(port) as api, pytest.raises(Failed) as failure:
        api.rows("RETURN 1")
    return str(failure.value)


def test_a_fenced_leader_hands_over_and_answers_nobody_until_the_fence_is_lifted(
    group: Group,
) -> None:
    leader = group.leader()
    server = group.servers[leader]
    others = [at for at in range(3) if at != leader]
    status, answer = fence(server.port, fenced=True, reason="the disk smells")
    assert (status, answer["fenced"]) == (200, True)
    group.until(lambda: any(group.status(at)["role"] == "leader" for at in others))
    assert "the disk smells" in refused(server.port)
    with QueryApi(group.servers[others[0]].port) as api:
        assert api.rows("CREATE (:A) RETURN 1") == [[1]]
        # one of the others gone: the fenced one still makes the majority, and does not lead
        group.servers[others[1]].kill()
        assert api.rows("CREATE (:A) RETURN 1") == [[1]]
    server.kill()
    server.start(wait=False)
    group.until(lambda: group.status(leader)["role"] == "fenced")
    assert "the disk smells" in refused(server.port)
    assert fence(server.port, fenced=False)[0] == 200
    group.until(lambda: group.status(leader)["ready"])
    with QueryApi(server.port) as api:
        assert api.rows("MATCH (a:A) RETURN count(a)") == [[2]]


def test_an_old_operator_cannot_fence(group: Group) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", group.servers[0].port, timeout=30)
    body = json.dumps({"to": group.status(group.leader())["nodeId"], "operatorEpoch": 7})
    connection.request("POST", "/v1/leader", body=body)
    assert connection.getresponse().status == 200
    connection.close()
    group.settle()
    status, answer = fence(group.servers[0].port, fenced=True, operatorEpoch=6)
    assert status == 412, answer
    assert group.status(0)["fenced"] is None


def test_a_node_whose_state_differs_fences_itself(group: Group) -> None:
    odd = next(at for at in range(3) if at != group.leader())
    group.servers[odd].stop()
    store = RocksStore(group.servers[odd].directory / "record")
    value = store.get(meta_key(META_HEAD))
    assert value is not None
    batch = Batch()
    batch.put(meta_key(META_HEAD), encode_head(replace(decode_head(value), digest=b"\x07" * 16)))
    store.write(batch)
    store.flush()
    store.close()
    group.servers[odd].start()
    with QueryApi(group.servers[group.leader()].port) as api:
        for _ in range(130):
            api.rows("CREATE (:A) RETURN 1")
        group.until(lambda: group.status(odd)["role"] == "fenced")
        assert "differs" in refused(group.servers[odd].port)
        assert fence(group.servers[odd].port, fenced=False)[0] == 409
        assert api.rows("CREATE (:A) RETURN 1") == [[1]]
    assert "state_diverged" in group.servers[odd].tail()
