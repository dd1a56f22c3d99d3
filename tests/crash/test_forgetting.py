"""A node is killed in the midst of vacuum, which goes on where it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.crash.run import verify
from tests.support.process import Server
from tests.support.query_api import Failed, QueryApi

NODES: Final = 3_000
VERSIONS: Final = 8
_SECONDS: Final = 120.0
#: slow enough to be killed in the midst, fast enough to come to an end
_SLOW: Final = ("--set", "vacuum.every_s=1", "--set", "vacuum.keys_per_s=3000")
_FAST: Final = ("--set", "vacuum.every_s=1", "--set", "vacuum.keys_per_s=10000000")
_STATE: Final = (
    "MATCH (n:N) OPTIONAL MATCH (n)-[r:NEXT]->() "
    "RETURN count(n), sum(n.i), min(n.v), max(n.v), count(r)"
)


def fill(port: int) -> None:
    """A chain, then versions of its nodes."""
    with QueryApi(port, timeout=300) as api:
        api.run("CREATE INDEX FOR (n:N) ON (n.v)")
        api.run(
            f"UNWIND range(1, {NODES}) AS i CREATE (n:N {{i: i, v: 0, text: 'secret ' + i}}) "
            f"WITH collect(n) AS ns UNWIND range(0, {NODES - 2}) AS k "
            "WITH ns[k] AS a, ns[k + 1] AS b CREATE (a)-[:NEXT]->(b)"
        )
        for version in range(1, VERSIONS):
            api.run("MATCH (n:N) SET n.v = $v", {"v": version})


def ask(port: int, text: str) -> list[list[Any]]:
    with QueryApi(port, timeout=_SECONDS) as api:
        return api.rows(text)


def until(what: str, condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < ends, what
        threading.Event().wait(0.01)


@pytest.mark.timeout(600)
def test_vacuum_goes_on_after_a_kill(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", *_SLOW)
    server.start()
    try:
        fill(server.port)
        before = ask(server.port, _STATE)
        ask(server.port, "ALTER DATABASE neo4j SET RETENTION '1 second'")
        seen: list[int] = []

        def looked_at() -> int:
            [[state, keys]] = ask(server.port, "SHOW VACUUM YIELD state, keys")
            return 0 if state == "idle" else int(keys)

        for _ in range(2):
            until("vacuum takes more away", lambda: looked_at() > max(seen, default=0))
            seen.append(looked_at())
            server.kill()
            server.start()
            assert ask(server.port, _STATE) == before
        server.kill()
        server.options = _FAST
        server.start()
        until(
            "vacuum comes to an end",
            lambda: ask(server.port, "SHOW VACUUM YIELD state, round") == [["idle", 1]],
        )
        [[keys]] = ask(server.port, "SHOW VACUUM YIELD keysEver")
        assert keys >= (VERSIONS - 1) * NODES > seen[1] > seen[0] > 0
        assert ask(server.port, _STATE) == before
        with pytest.raises(Failed, match="readable"):
            ask(server.port, f"{_STATE} AT VERSION 1")
        assert server.stop() == 0
    finally:
        server.kill()
    assert verify(tmp_path / "data") == []
