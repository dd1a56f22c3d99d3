"""A node is killed in the midst of vacuum, and of an erasure: both go on where they were."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Final

import pytest

from tests.crash.run import verify
from tests.support.process import Server
from tests.support.query_api import Failed, Lost, QueryApi
from tests.support.waiting import until

NODES: Final = 3_000
VERSIONS: Final = 8
#: of the graph that something is erased from, and how many nodes that is
FEW: Final = 300
GONE: Final = 40
_SECONDS: Final = 120.0
#: slow enough to be killed in the midst, fast enough to come to an end
_SLOW: Final = ("--set", "vacuum.every_s=1", "--set", "vacuum.keys_per_s=3000")
_FAST: Final = ("--set", "vacuum.every_s=1", "--set", "vacuum.keys_per_s=10000000")
_STATE: Final = (
    "MATCH (n:N) OPTIONAL MATCH (n)-[r:NEXT]->() "
    "RETURN count(n), sum(n.i), min(n.v), max(n.v), count(r)"
)


def fill(port: int, nodes: int) -> None:
    """A chain, then versions of its nodes."""
    with QueryApi(port, timeout=300) as api:
        api.run("CREATE INDEX FOR (n:N) ON (n.v)")
        api.run(
            f"UNWIND range(1, {nodes}) AS i CREATE (n:N {{i: i, v: 0, text: 'secret ' + i}}) "
            f"WITH collect(n) AS ns UNWIND range(0, {nodes - 2}) AS k "
            "WITH ns[k] AS a, ns[k + 1] AS b CREATE (a)-[:NEXT]->(b)"
        )
        for version in range(1, VERSIONS):
            api.run("MATCH (n:N) SET n.v = $v", {"v": version})


def ask(port: int, text: str) -> list[list[Any]]:
    with QueryApi(port, timeout=_SECONDS) as api:
        return api.rows(text)


@pytest.mark.timeout(600)
def test_vacuum_goes_on_after_a_kill(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", *_SLOW)
    server.start()
    try:
        fill(server.port, NODES)
        before = ask(server.port, _STATE)
        ask(server.port, "ALTER DATABASE neo4j SET RETENTION '1 second'")
        seen: list[int] = []

        def looked_at() -> int:
            [[state, keys]] = ask(server.port, "SHOW VACUUM YIELD state, keys")
            return 0 if state == "idle" else int(keys)

        for _ in range(2):
            until(
                lambda: looked_at() > max(seen, default=0),
                what="vacuum takes more away",
                every=0.005,
            )
            seen.append(looked_at())
            server.kill()
            server.start()
            assert ask(server.port, _STATE) == before
        server.kill()
        server.options = _FAST
        server.start()
        until(
            lambda: ask(server.port, "SHOW VACUUM YIELD state, round") == [["idle", 1]],
            what="vacuum comes to an end",
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


class Erasing(threading.Thread):
    """An erasure under way; ``answered``: it was over."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.answered = False

    def run(self) -> None:
        try:
            ask(self._port, f"MATCH (n:N) WHERE n.i <= {GONE} ERASE n")
            self.answered = True
        except Lost:
            return


@pytest.mark.timeout(600)
@pytest.mark.parametrize("entries", [1, 4])
def test_an_erasure_goes_on_after_a_kill(tmp_path: Path, entries: int) -> None:
    """Killed so many log entries after it began: it is not begun, or it comes to its end alone."""
    server = Server(tmp_path / "data")
    server.start()
    try:
        fill(server.port, FEW)
        before = ask(server.port, _STATE)

        def applied() -> int:
            with QueryApi(server.port) as api:
                return int(json.loads(api.request("GET", "/v1/status")[2])["appliedIndex"])

        first, erasing = applied(), Erasing(server.port)
        erasing.start()
        until(lambda: applied() >= first + entries, what="it is under way", every=0.005)
        server.kill()
        erasing.join(_SECONDS)
        assert not erasing.answered
        server.start()
        if not ask(server.port, "SHOW ERASURES YIELD erasure"):
            [[nodes]] = ask(server.port, "MATCH (n:N) RETURN count(n)")
            assert nodes in (FEW, FEW - GONE)
            assert ask(server.port, f"{_STATE} AT VERSION {VERSIONS}") == before
            ask(server.port, f"MATCH (n:N) AT VERSION 1 WHERE n.i <= {GONE} ERASE n")
        gone = f"MATCH (n:N) WHERE n.i <= {GONE} RETURN count(n)"
        until(
            lambda: ask(server.port, "SHOW ERASURES YIELD state") != [["erasing"]],
            what="it comes to its end",
        )
        until(
            lambda: all(
                ask(server.port, f"{gone}{moment}") == [[0]]
                for moment in ("", *(f" AT VERSION {v}" for v in range(1, VERSIONS + 1)))
            ),
            what="nothing of it can be read",
        )
        [[left]] = ask(server.port, f"MATCH (n:N) RETURN count(n) AT VERSION {VERSIONS}")
        assert left == FEW - GONE
        assert server.stop() == 0
    finally:
        server.kill()
    assert verify(tmp_path / "data") == []
