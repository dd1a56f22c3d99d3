"""Bad requests to a real node: always an answer in the documented shape, and it lives on."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator

import pytest

from tests.fuzz.texts import bad_value, corpus, mutated
from tests.support.effort import rounds
from tests.support.process import Server
from tests.support.query_api import QueryApi

ROUNDS = rounds("FUZZ_ROUNDS", 400, 10_000)
QUERY = "/db/neo4j/query/v2"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    node = Server(tmp_path_factory.mktemp("fuzz") / "data")
    node.start()
    yield node
    assert node.alive, node.tail()
    assert node.stop() == 0


@pytest.fixture
def api(server: Server) -> Iterator[QueryApi]:
    with QueryApi(server.port, timeout=30) as client:
        yield client


def shaped(status: int, content: bytes) -> None:
    """Either a result, or errors with code and message; never a server's own fault."""
    assert status < 500 or status == 503, (status, content[:500])
    if status == 404 and not content.startswith(b"{"):
        pytest.fail(f"not in shape: {content[:300]!r}")
    answer = json.loads(content)
    if status >= 400:
        (first, *_) = answer["errors"]
        assert first["code"].startswith("Neo."), first
        assert first["message"], first
        assert not first["code"].startswith("Neo.DatabaseError"), first


def test_bad_bodies(api: QueryApi) -> None:
    chance = random.Random(2)
    good = [text for text in corpus() if "LOAD CSV" not in text]
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    for _ in range(ROUNDS):
        body: object = {"statement": mutated(chance, good), "parameters": bad_value(chance)}
        if chance.random() < 0.3:
            body = bad_value(chance)
        content = json.dumps(body, ensure_ascii=chance.random() < 0.5).encode("utf-8", "replace")
        if chance.random() < 0.2:
            at = chance.randrange(len(content) + 1)
            content = content[:at] + chance.randbytes(chance.randint(1, 9)) + content[at + 2 :]
        status, _, answer = api.request("POST", QUERY, content, headers)
        shaped(status, answer)


def test_bad_typed_values(api: QueryApi) -> None:
    chance = random.Random(3)
    media = "application/vnd.neo4j.query"
    headers = {"Content-Type": media, "Accept": media}
    kinds = ("Integer", "Float", "Date", "Duration", "Point", "OffsetDateTime", "Base64", "Nope",
             "List", "Map", "Node", "Null", "Boolean", "String", "Time", "ZonedDateTime")  # fmt: skip
    for _ in range(ROUNDS // 2):
        value = {"$type": chance.choice(kinds), "_value": bad_value(chance)}
        body = {"statement": "RETURN $p AS p", "parameters": {"p": value}}
        status, _, answer = api.request("POST", QUERY, json.dumps(body).encode(), headers)
        shaped(status, answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", QUERY),
        ("POST", "/db/other/query/v2"),
        ("POST", "/nowhere"),
        ("POST", QUERY + "/tx/nonsense"),
        ("POST", QUERY + "/tx/nonsense/commit"),
        ("DELETE", QUERY + "/tx/99999"),
        ("PUT", QUERY),
    ],
)
def test_bad_paths(api: QueryApi, method: str, path: str) -> None:
    body = json.dumps({"statement": "RETURN 1"}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    status, _, answer = api.request(method, path, body, headers)
    assert 400 <= status < 500
    shaped(status, answer)


def test_bad_headers(server: Server) -> None:
    body = json.dumps({"statement": "RETURN 1 AS x"}).encode()
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json", "Accept": "image/png"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ):
        with QueryApi(server.port) as api:  # the server may close what it could not read
            status, _, answer = api.request("POST", QUERY, body, headers)
        shaped(status, answer)


def test_a_body_above_the_limit_is_refused(api: QueryApi) -> None:
    body = json.dumps({"statement": "RETURN '" + "x" * 2_000_000 + "'"}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    status, _, answer = api.request("POST", QUERY, body, headers)
    assert status in (400, 413)
    shaped(status, answer)


def test_noise_on_the_socket_does_not_stop_the_rest(server: Server, api: QueryApi) -> None:
    chance = random.Random(4)
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(chance.randbytes(chance.randint(1, 500)))
    slow = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    slow.sendall(b"POST /db/neo4j/query/v2 HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{")
    assert api.rows("RETURN 1 AS x") == [[1]]
    slow.close()
