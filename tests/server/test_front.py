"""Requests that the HTTP door reads itself, beside those that it hands to the library: whatever
shape a request comes in, the answer is the same and the connection stays in step."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from everwhen.server.http.heads import Heads
from tests.support.process import Server
from tests.support.waiting import until

PATH = "/db/neo4j/query/v2"
USUAL = (("Host", "x"), ("Content-Type", "application/json"), ("Accept", "application/json"))


def head(
    *more: tuple[str, str], line: str = f"POST {PATH} HTTP/1.1", length: int | None = None
) -> bytes:
    lines = [line, *(f"{name}: {value}" for name, value in (*USUAL, *more))]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def request(statement: str, *more: tuple[str, str], **parameters: Any) -> bytes:
    body = json.dumps({"statement": statement, "parameters": parameters}).encode()
    return head(*more, length=len(body)) + body


class Wire:
    """One connection and the answers on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.reader = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        status = int(self.reader.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self.reader.readline().rstrip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        if headers.get("transfer-encoding") == "chunked":
            content = b""
            while size := int(self.reader.readline(), 16):
                content += self.reader.read(size)
                assert self.reader.readline() == b"\r\n"
            assert self.reader.readline() == b"\r\n"
        else:
            content = self.reader.read(int(headers["content-length"]))
        return status, headers, json.loads(content) if content[:1] == b"{" else content

    def value(self) -> Any:
        status, _, content = self.answer()
        assert status == 202, content
        return content["data"]["values"][0][0]

    def ended(self) -> bool:
        return self.reader.read(1) == b""

    def close(self) -> None:
        self.reader.close()
        self.socket.close()


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    connection = Wire(server.port)
    yield connection
    connection.close()


def test_one_after_the_other_on_one_connection(wire: Wire):
    for number in range(5):
        wire.send(request("RETURN $x AS x", x=number * "y"))
        status, headers, content = wire.answer()
        assert status == 202
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert headers["date"].endswith("GMT")
        assert content["data"] == {"fields": ["x"], "values": [[number * "y"]]}
        assert content["bookmarks"]


def test_many_sent_at_once_are_answered_in_order(wire: Wire):
    wire.send(b"".join(request("RETURN $x", x=number) for number in range(200)))
    assert [wire.value() for _ in range(200)] == list(range(200))


def test_a_body_in_pieces(wire: Wire):
    data = request("RETURN size($x)", x="z" * 200_000)
    for at in range(0, len(data), 30_000):
        wire.send(data[at : at + 30_000])
    assert wire.value() == 200_000
    wire.send(request("RETURN 2"))
    assert wire.value() == 2


@pytest.mark.parametrize("cut", [1, 20, 60, 100])
def test_a_head_in_pieces(wire: Wire, cut: int):
    wire.send(request("RETURN 1"))
    assert wire.value() == 1
    data = request("RETURN 2")
    wire.send(data[:cut])
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.send(data[cut:] + request("RETURN 3"))
    assert wire.value() == 2
    assert wire.value() == 3


def test_other_requests_in_between(wire: Wire):
    wire.send(request("RETURN 1") + head(line="GET /livez HTTP/1.1") + request("RETURN 2"))
    assert wire.value() == 1
    assert wire.answer()[0] == 200
    assert wire.value() == 2


@pytest.mark.parametrize(
    "more",
    [
        ("Connection", "close"),
        ("X-Anything", "ü".encode().decode("latin-1")),
        ("Accept", "application/jsonl"),
    ],
)
def test_what_the_library_reads_is_answered_too(wire: Wire, more: tuple[str, str]):
    wire.send(request("RETURN 7", more))
    assert wire.value() == 7


def test_a_chunked_body_and_an_expectation(wire: Wire):
    body = b'{"statement": "RETURN 8"}'
    wire.send(head(("Transfer-Encoding", "chunked")) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert wire.value() == 8
    wire.send(head(("Expect", "100-continue"), length=len(body)))
    assert wire.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert wire.reader.readline() == b"\r\n"
    wire.send(body)
    assert wire.value() == 8


def test_two_lengths_are_refused(wire: Wire):
    body = b'{"statement": "RETURN 9"}'
    wire.send(head(("Content-Length", "0"), length=len(body)) + body)
    assert wire.reader.readline().split()[1] == b"400"


def test_errors_leave_the_connection_usable(wire: Wire):
    for body, status in ((b"{", 400), (b'{"statement": 1}', 400), (b'{"no": 1}', 400), (b"", 400)):
        wire.send(head(length=len(body)) + body)
        assert wire.answer()[0] == status
    wire.send(request("RETURN 1 / 0"))
    status, _, content = wire.answer()
    assert status == 400
    assert content["errors"][0]["code"].startswith("Neo.ClientError.")
    wire.send(request("RETURN 3"))
    assert wire.value() == 3


def test_many_rows_come_in_chunks_to_both(wire: Wire):
    text = "UNWIND range(1, 5000) AS x RETURN x"
    answers = []
    for more in ((), (("X-Anything", "ü".encode().decode("latin-1")),)):
        wire.send(request(text, *more))
        status, headers, content = wire.answer()
        assert (status, headers["transfer-encoding"]) == (202, "chunked")
        assert content["data"]["values"] == [[x] for x in range(1, 5001)]
        answers.append(content.keys())
    assert answers[0] == answers[1]


def test_an_error_behind_the_first_rows_stands_behind_them(wire: Wire):
    wire.send(request("UNWIND range(1, 3000) AS x RETURN 1 / (2500 - x)"))
    status, _, content = wire.answer()
    assert status == 202
    assert len(content["data"]["values"]) < 2500
    assert content["errors"][0]["code"]
    wire.send(request("RETURN 4"))
    assert wire.value() == 4


def test_typed_values(wire: Wire):
    media = "application/vnd.neo4j.query"
    body = b'{"statement": "RETURN $x", "parameters": {"x": {"$type": "Integer", "_value": "5"}}}'
    lines = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {media}\r\nAccept: {media}\r\n"
    wire.send(f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert wire.value() == {"$type": "Integer", "_value": "5"}


def test_the_statement_of_a_client_that_is_gone_is_stopped(server: Server, wire: Wire):
    text = (
        "UNWIND range(1, 99999) AS a UNWIND range(1, 99999) AS b WITH count(*) AS c CREATE (:Gone)"
    )
    wire.send(request(text))
    other = Wire(server.port)

    def running() -> int:
        text = (
            "SHOW TRANSACTIONS YIELD currentQuery AS q WHERE q STARTS WITH 'UNWIND' RETURN count(*)"
        )
        other.send(request(text))
        return int(other.value())

    until(running, 20)
    wire.close()
    until(lambda: not running(), 20)
    other.close()


# --- which heads are of the usual shape -----------------------------------------------------


def read(data: bytes) -> int | None:
    found = Heads("127.0.0.1").read(data.removesuffix(b"\r\n\r\n"))
    return None if found is None else found[1]


def test_a_usual_head():
    assert read(head(length=12)) == 12
    assert read(head(("User-Agent", "a b"), ("Connection", "Keep-Alive"), length=3)) == 3


@pytest.mark.parametrize(
    "data",
    [
        head(),
        head(line=f"GET {PATH} HTTP/1.1", length=1),
        head(line=f"POST {PATH} HTTP/1.0", length=1),
        head(line=f"POST {PATH}?x=1 HTTP/1.1", length=1),
        head(line="POST /db/other/query/v2 HTTP/1.1", length=1),
        head(("Transfer-Encoding", "chunked"), length=1),
        head(("Content-Encoding", "gzip"), length=1),
        head(("Connection", "close"), length=1),
        head(("Upgrade", "websocket"), length=1),
        head(("Expect", "100-continue"), length=1),
        head(("Content-Length", "2"), length=1),
        head(("content-length", "1"), length=1),
        head(("Accept", "application/jsonl"), length=1),
        head(("Host", "y"), length=1),
        head(("X", "a\r\n folded"), length=1),
        head(("X ", "space before the colon"), length=1),
        head(("X", "a\tb\x00"), length=1),
        head(("X", "y" * 5_000), length=1),
        b"POST /db/neo4j/query/v2 HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
        b"POST /db/neo4j/query/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
        b"POST /db/neo4j/query/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1 2\r\n\r\n",
        b"POST /db/neo4j/query/v2 HTTP/1.1\nHost: x\nContent-Length: 1\r\n\r\n",
    ],
)
def test_an_unusual_head(data: bytes):
    assert read(data) is None


@pytest.mark.parametrize("end", ["\x80", "\r\n B", "\x00"])
def test_a_head_that_fits_nearly_is_read_at_once(end: str):
    # there was a choice for every space before a value: this took more than the age of the world
    many = [(f"X-{number}", "    v") for number in range(100)]
    data = head(*many, ("B", "b"), length=1).removesuffix(b"\r\n\r\n")
    assert Heads(None).read(data + end.encode("latin-1")) is None
