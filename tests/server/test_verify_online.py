"""``verify --online`` and its door: the image of a running node against its record."""

from __future__ import annotations

import json
import subprocess

import pytest

from everwhen.columns.graph.view import ColumnsView
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.image_check import ImageCheck
from everwhen.runtime.system import SystemThreads
from tests.support.process import Server, program
from tests.support.query_api import QueryApi


def test_the_command_and_the_door(server: Server) -> None:
    with QueryApi(server.port) as api:
        api.rows("UNWIND range(1, 3000) AS k CREATE (:Seen {k: k})-[:LEADS {to: k}]->(:Seen)")
        api.rows("MATCH (a:Seen)-[l:LEADS]->(b) RETURN max(l.to) + count(b) AS n")
        found = json.loads(api.request("GET", "/v1/verify")[2])
        assert found["ok"] is True
        assert found["problems"] == []
        if found["version"] is not None:  # kernels were there, so the image was read
            assert found["checked"]["relationships"] >= 3000
    command = [*program(), "verify", "--online", "--uri", f"http://127.0.0.1:{server.port}"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "whole; looked at" in told.stdout


def test_where_nobody_answers_nothing_was_looked_at() -> None:
    command = [*program(), "verify", "--online", "--uri", "http://127.0.0.1:1"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 2
    assert "error:" in told.stdout


def test_what_differs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with Embedded() as database:
        database.execute("UNWIND range(1, 30) AS k CREATE (:Seen {k: k})-[:LEADS]->(:Seen)")
        held = database.service.database
        check = ImageCheck(held, SystemThreads({"query": 1}))
        if held.graph.held is None:  # read when somebody asks, or where kernels are loaded
            version, report = database.call(check.run())
            assert version is None
            assert report.notes
        assert held.graph.view(held.version, 1_000) is not None
        version, report = database.call(check.run())
        assert version == held.version
        assert report.ok
        assert report.checked == {"nodes": 60, "relationships": 30}
        right = ColumnsView.labelled
        monkeypatch.setattr(ColumnsView, "labelled", lambda self, label: right(self, label)[1:])
        _, report = database.call(check.run())
        assert report.problems == ["59 nodes in the set of label Seen, 60 in the record"]
