"""The synchronous client against a served node."""

from __future__ import annotations

import gc
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from everwhen_client import Client, QuerySyntaxError, RowsLost
from tests.support.process import Server


def test_statements_transactions_streams_and_errors(server: Server):
    with Client(f"http://127.0.0.1:{server.port}") as client:
        made = client.run("CREATE (:P {a: $a})", {"a": 1})
        version = int(str(made.summary.bookmark).rpartition(":")[2])
        with client.transaction() as transaction:
            assert transaction.run("MATCH (p:P) RETURN count(p)").value() == 1
            transaction.run("CREATE (:Q)")
        assert client.run("MATCH (n:P|Q) RETURN count(n)").value() == 2
        assert client.run("MATCH (n:P|Q) RETURN count(n)", at=version).value() == 1
        with client.stream("UNWIND range(1, 5000) AS x RETURN x") as rows:
            assert sum(row["x"] for row in rows) == 12_502_500
        assert client.arrow("UNWIND range(1, 5) AS x RETURN x").num_rows == 5
        with pytest.raises(QuerySyntaxError) as failed:
            client.run("RETURN 1 +")
        assert failed.value.position is not None


def test_a_closed_client_leaves_nothing(server: Server):
    """Neither files nor a thread, also when a stream was given up in the middle."""
    with Client(f"http://127.0.0.1:{server.port}") as client:
        client.run("RETURN 1")
    gc.collect()
    before = open_files()
    for _ in range(5):
        with (
            Client(f"http://127.0.0.1:{server.port}") as client,
            client.stream("UNWIND range(1, 100000) AS x RETURN x") as rows,
        ):
            assert next(iter(rows))["x"] == 1
    gc.collect()
    assert open_files() <= before
    assert not [thread for thread in threading.enumerate() if thread.name == "everwhen-client"]


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Lossy:
    """A way to a server on which the first answers to statements are lost, after it has worked."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._left = count
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            asked = threading.Event()
            threading.Thread(target=self._ask, args=(near, far, asked), daemon=True).start()
            threading.Thread(target=self._answer, args=(near, far, asked), daemon=True).start()

    def _ask(self, near: socket.socket, far: socket.socket, asked: threading.Event) -> None:
        with suppress(OSError):
            while data := near.recv(1 << 16):
                if b"/query/v2" in data:
                    asked.set()
                far.sendall(data)
            far.shutdown(socket.SHUT_RDWR)

    def _answer(self, near: socket.socket, far: socket.socket, asked: threading.Event) -> None:
        with near, far, suppress(OSError):
            while data := far.recv(1 << 16):
                if asked.is_set() and self._left:
                    self._left -= 1
                    near.shutdown(socket.SHUT_RDWR)
                    return
                near.sendall(data)

    def close(self) -> int:
        """How many are still to be lost."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        return self._left


def test_a_write_whose_answer_was_lost_has_one_effect(server: Server):
    lossy = Lossy(server.port, 2)
    with Client(f"http://127.0.0.1:{lossy.port}") as client:
        done = client.run("CREATE (c:Once) RETURN c")
        assert done.summary.repeated
        with pytest.raises(RowsLost):
            done.single()
        assert client.run("MATCH (c:Once) RETURN count(c)").value() == 1
    assert lossy.close() == 0
