"""A running node follows its settings file: what is hot is taken over, what is not waits for a
restart, what makes no sense changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import Server
from tests.support.query_api import Failed, QueryApi
from tests.support.waiting import until

FIRST = "[limits]\nstatement_timeout_s = 60\nquery_workers = 3\n"
THEN = """
[limits]
statement_timeout_s = 0.05
transactions_open_max = 7
query_workers = 5
[log]
slow_query_s = 0.01
"""
_LONG = "UNWIND range(1, 10000000) AS i RETURN sum(i * i % 7) AS s"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    file = tmp_path / "everwhen.toml"
    file.write_text(FIRST)
    server = Server(tmp_path / "n1", "--config", str(file))
    server.start()
    yield server, file
    server.stop()


def test_what_is_hot_is_taken_over_while_it_runs(served: tuple[Server, Path]) -> None:
    server, file = served
    with QueryApi(server.port) as api:

        def taken(text: str) -> bool:
            status = json.loads(api.request("GET", "/v1/status")[2])
            return bool(status["settingsFileHash"] == hashlib.sha256(text.encode()).hexdigest())

        def shown() -> dict[str, tuple[str, bool]]:
            rows = api.rows("SHOW SETTINGS YIELD name, value, isDynamic")
            return {name: (value, dynamic) for name, value, dynamic in rows}

        assert taken(FIRST)
        pid = server.pid
        file.write_text(THEN)
        until(lambda: taken(THEN))
        assert shown()["limits.statement_timeout_s"] == ("0.05", True)
        assert shown()["limits.transactions_open_max"] == ("7", True)
        assert shown()["limits.query_workers"] == ("3", False)
        with pytest.raises(Failed, match=r"0\.05"):
            api.rows(_LONG)
        log = server.output.read_text()
        assert "slow_query" in log
        (told,) = [json.loads(line) for line in log.splitlines() if '"settings_read"' in line]
        assert told["wait_for_restart"] == ["limits.query_workers"]

        file.write_text("[limits]\nstatement_timeout_s = 'long'\n")
        until(lambda: "settings_not_read" in server.output.read_text())
        assert taken(THEN)
        assert shown()["limits.statement_timeout_s"] == ("0.05", True)

        file.write_text(FIRST)
        until(lambda: taken(FIRST))
        assert shown()["limits.transactions_open_max"][0] != "7"
        assert api.rows("RETURN 1") == [[1]]
        assert server.pid == pid
