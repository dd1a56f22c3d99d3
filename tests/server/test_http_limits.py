"""Bounds of the HTTP door: what is above them is refused in the one shape, and nobody else waits."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support.process import Server
from tests.support.query_api import Failed, QueryApi
from tests.support.waiting import until

PATH: Final = "/db/neo4j/query/v2"
BODY: Final = 20_000
CONNECTIONS: Final = 6
TRANSACTIONS: Final = 3
#: runs until it is stopped
LONG: Final = (
    "UNWIND range(1, 100000) AS a WITH a UNWIND range(1, 100000) AS b WITH a, b "
    "WHERE a + b < 0 RETURN a"
)
#: more rows than anything buffers
ENDLESS: Final = (
    "UNWIND range(1, 10000) AS a WITH a UNWIND range(1, 10000) AS b "
    "RETURN a, b, 'some text to make it wide' AS t"
)
RUNNING: Final = "SHOW TRANSACTIONS YIELD currentQuery AS q WHERE q = $q"
SECONDS: Final = 60.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "http.body_bytes_max": BODY,
        "http.connections_max": CONNECTIONS,
        "limits.transactions_open_max": TRANSACTIONS,
        "limits.transaction_idle_s": 2,
    }
    options = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    server = Server(tmp_path_factory.mktemp("limited") / "data", *options)
    server.start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def api(node: Server) -> Iterator[QueryApi]:
    with QueryApi(node.port) as made:
        yield made


def statement(text: str, **more: Any) -> bytes:
    return json.dumps({"statement": text, **more}).encode()


class Raw:
    """A connection that is used byte by byte."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)

    def ask(self, body: bytes, path: str = PATH) -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)

    def begins(self) -> bytes:
        """The first bytes of what comes; none if the connection was closed."""
        try:
            return self.socket.recv(65_536)
        except ConnectionResetError:
            return b""

    def all(self) -> bytes:
        """What comes until the connection is closed."""
        content = b""
        while piece := self.begins():
            content += piece
        return content

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


# --- bodies --------------------------------------------------------------------------------


def test_a_body_that_is_too_large(api: QueryApi) -> None:
    body = statement("RETURN $x", parameters={"x": "y" * BODY})
    headers = {"Content-Type": "application/json"}
    for path in (PATH, f"{PATH}/tx"):
        status, _, content = api.request("POST", path, body, headers)
        error = json.loads(content)["errors"][0]
        assert (status, error["code"]) == (413, "Neo.ClientError.Request.Invalid")
        assert f"{BODY:,}" in error["message"]
        api.close()
    assert api.rows("RETURN 1") == [[1]]


def test_a_body_that_is_too_large_without_saying_so(node: Server, api: QueryApi) -> None:
    with Raw(node.port) as raw:
        raw.socket.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        piece = b"%x\r\n%b\r\n" % (BODY, b" " * BODY)
        raw.socket.sendall(piece + piece)
        assert raw.begins().startswith(b"HTTP/1.1 413 ")
    assert api.rows("RETURN 1") == [[1]]


# --- transactions --------------------------------------------------------------------------


def test_open_transactions_are_bounded(api: QueryApi) -> None:
    until(lambda: open_transactions(api) == 0)
    begun = [api.begin() for _ in range(TRANSACTIONS)]
    with pytest.raises(Failed) as refused:
        api.begin()
    assert (refused.value.status, refused.value.retryable) == (429, True)
    assert api.rows("RETURN 1") == [[1]], "a statement of its own needs no room among them"
    api.rollback(begun.pop())
    begun.append(api.begin())
    for transaction in begun:
        api.rollback(transaction)
    assert open_transactions(api) == 0


def open_transactions(api: QueryApi) -> int:
    found = json.loads(api.request("GET", "/v1/status")[2])["openTransactions"]
    assert isinstance(found, int)
    return found


def test_a_silent_transaction_ends(api: QueryApi) -> None:
    transaction = api.begin()
    api.run_in(transaction, "CREATE (:Silent)")
    until(lambda: open_transactions(api) == 0)
    with pytest.raises(Failed) as gone:
        api.run_in(transaction, "RETURN 1")
    assert gone.value.code == "Neo.ClientError.Transaction.TransactionNotFound"
    assert api.rows("MATCH (n:Silent) RETURN count(n)") == [[0]]


def test_one_request_at_a_time_in_a_transaction(node: Server, api: QueryApi) -> None:
    transaction = api.begin()
    outcome: list[str] = []

    def work() -> None:
        with QueryApi(node.port) as own:
            try:
                own.run_in(transaction, LONG)
            except Failed as failed:
                outcome.append(failed.code)

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: api.rows(RUNNING, {"q": LONG}))
    with pytest.raises(Failed) as busy:
        api.run_in(transaction, "RETURN 1")
    assert busy.value.status == 409
    assert busy.value.code == "Neo.ClientError.Transaction.TransactionMarkedAsFailed"
    ids = api.rows(
        "SHOW TRANSACTIONS YIELD transactionId AS id, currentQuery AS q WHERE q = $q RETURN id",
        {"q": LONG},
    )
    api.rows("TERMINATE TRANSACTIONS $id YIELD message RETURN message", {"id": ids[0][0]})
    thread.join(SECONDS)
    assert outcome == ["Neo.ClientError.Transaction.Terminated"]


# --- connections ---------------------------------------------------------------------------


def test_silent_connections_give_way(node: Server, api: QueryApi) -> None:
    raws = [Raw(node.port) for _ in range(CONNECTIONS * 3)]
    try:
        assert api.rows("RETURN 1") == [[1]]
        assert raws[0].begins() == b"", "the one that is silent for longest gave way"
        raws[-1].ask(statement("RETURN 1"))
        assert raws[-1].begins().startswith(b"HTTP/1.1 202 ")
    finally:
        for raw in raws:
            raw.socket.close()


def test_no_room_beside_busy_connections(node: Server) -> None:
    raws: list[Raw] = []
    try:
        for _ in range(CONNECTIONS):
            # busy before the next one comes: an idle one would give way to it
            raws.append(Raw(node.port))
            raws[-1].ask(statement(ENDLESS))
            assert raws[-1].begins().startswith(b"HTTP/1.1 202 ")
        # none of them reads on: all are under way until they are closed
        with Raw(node.port) as another:
            another.ask(statement("RETURN 1"))
            answer = another.all()
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert b"NoThreadsAvailable" in answer
    finally:
        for raw in raws:
            raw.socket.close()
    until(lambda: answers(node.port))


def answers(port: int) -> bool:
    with QueryApi(port) as own:
        try:
            return own.rows("RETURN 1") == [[1]]
        except (Failed, ConnectionError):
            return False


@pytest.mark.parametrize("in_transaction", [False, True])
def test_whose_client_is_gone_stops(node: Server, api: QueryApi, in_transaction: bool) -> None:
    path = PATH
    if in_transaction:
        path = f"{PATH}/tx/{api.begin()}"
    with Raw(node.port) as raw:
        raw.ask(statement(LONG), path)
        until(lambda: api.rows(RUNNING, {"q": LONG}))
    until(lambda: not api.rows(RUNNING, {"q": LONG}))
    until(lambda: open_transactions(api) == 0)


def test_who_does_not_read_holds_up_nobody(node: Server, api: QueryApi) -> None:
    wide = "UNWIND range(1, 300000) AS x RETURN x, 'some text to make it wide' AS t"
    with Raw(node.port) as first, Raw(node.port) as second:
        for raw in (first, second):
            raw.ask(statement(wide))
            assert raw.begins().startswith(b"HTTP/1.1 202 ")
        for number in range(50):
            assert api.rows("RETURN $x", {"x": number}) == [[number]]
        # whoever was slow gets all of it in the end
        content = b""
        while not content.endswith(b"0\r\n\r\n"):
            piece = first.begins()
            assert piece, "cut off"
            content = (content + piece)[-1_000:]
        assert b'"bookmarks"' in content
