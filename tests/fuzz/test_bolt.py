"""Anything sent to the Bolt door: a FAILURE or a clean end, and the node lives on."""

import os
import random
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support import bolt as b
from tests.support.process import Server

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "300"))
END_SECONDS = 20.0
HANDSHAKE = b.MAGIC + bytes((0, 8, 8, 5)) + bytes(12)
LOGON = b.message(b.HELLO, {"user_agent": "fuzz"}) + b.message(b.LOGON, {"scheme": "none"})
REQUESTS = [
    b.message(b.RUN, "UNWIND range(1, 3) AS x RETURN x", {}, {}),
    b.message(b.RUN, "CREATE (:Fuzz {x: $x})", {"x": [1, 2.5, "a"]}, {}),
    b.message(b.RUN, "RETURN 1/0", {}, {}),
    b.message(b.RUN, "nonsense", {}, {"tx_timeout": 1}),
    b.message(b.PULL, {"n": 1}),
    b.message(b.PULL, {"n": -1, "qid": 1}),
    b.message(b.DISCARD, {"n": -1}),
    b.message(b.BEGIN, {}),
    b.message(b.BEGIN, {"mode": "r", "bookmarks": []}),
    b.message(b.COMMIT),
    b.message(b.ROLLBACK),
    b.message(b.RESET),
    b.message(b.RESET),
    b.message(b.LOGOFF),
    b.message(b.LOGON, {"scheme": "basic", "principal": 1}),
    b.message(b.ROUTE, {}, [], {}),
    b.message(b.TELEMETRY, 9),
    b.message(b.HELLO, {}),
    b"\0\0",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    node = Server(tmp_path_factory.mktemp("fuzz") / "data")
    node.start()
    yield node
    node.stop()


def conversation(chance: random.Random) -> bytes:
    """Requests in any order, sometimes damaged."""
    data = b"".join(chance.choice(REQUESTS) for _ in range(chance.randrange(1, 12)))
    if chance.random() < 0.4:
        damaged = bytearray(data)
        for _ in range(chance.randrange(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        data = bytes(damaged)
    if chance.random() < 0.1:
        data = chance.randbytes(chance.randrange(200))
    start = LOGON if chance.random() < 0.9 else b""
    return HANDSHAKE + start + data


def test_any_conversation_comes_to_an_end(server):
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    print("seed", seed)
    for turn in range(ROUNDS):
        data = conversation(chance)
        with socket.create_connection(("127.0.0.1", server.bolt_port), 20) as client:
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65_536):
                    pass
            except ConnectionError:
                pass  # it ended while more was on the way
        if turn % 50 == 0:
            check = b.Bolt(server.bolt_port)
            assert check.run("RETURN 1")[1] == [[1]]
            check.close()
    check = b.Bolt(server.bolt_port)
    text = "SHOW TRANSACTIONS YIELD currentQuery"
    # the server learns a moment after us that the last of them has gone
    deadline = time.monotonic() + END_SECONDS
    while (left := [row for row in check.run(text)[1] if row[0] != text]) != []:
        assert time.monotonic() < deadline, left
    check.close()
    assert "unexpected_error" not in server.tail()
    assert server.alive
