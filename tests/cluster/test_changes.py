"""Change capture on a cluster: the node that is read from dies, and another one goes on."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

from everwhen_client import Client
from tests.cluster.running import Local
from tests.support.query_api import Failed, Lost, QueryApi
from tests.support.waiting import until


class Writer(threading.Thread):
    """Creates one node after the other through one member, until told to stop."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.stop = threading.Event()
        #: whose commit was acknowledged
        self.written: list[int] = []
        self.tried = 0

    def run(self) -> None:
        with QueryApi(self._port) as api:
            while not self.stop.is_set():
                self.tried += 1
                try:
                    api.rows(f"CREATE (:Told {{i: {self.tried}}})-[:T]->(:Told)")
                except (Failed, Lost):
                    continue  # of unknown outcome: it may be told or not
                self.written.append(self.tried)


def read(api: QueryApi, position: str) -> dict[str, Any]:
    path = f"/v1/changes?from={position}&limit=7&wait=2"
    status, _, content = api.request("GET", path)
    assert status == 200, content
    return dict(json.loads(content))


def test_nothing_is_lost_and_nothing_told_twice(tmp_path: Path) -> None:
    local = Local(tmp_path / "c", "--nodes", "3", "--base-port", "0")
    try:
        with QueryApi(local.port(1)) as api:
            api.rows("CREATE (:First)")
        writer = Writer(local.port(1))
        writer.start()
        position, seen = "0", list[dict[str, Any]]()
        with QueryApi(local.port(0)) as api:
            while len(seen) < 60:
                answer = read(api, position)
                position = answer["position"]
                seen += answer["changes"]
            os.kill(local.endpoints["nodes"][0]["pid"], signal.SIGKILL)
        # what was told last may be kept, or the record before it: either is a place to go on from
        seen = seen[: len(seen) - 2]
        position = seen[-1]["position"]
        before = len(writer.written)
        with QueryApi(local.port(2)) as api:
            until(lambda: len(writer.written) > before + 20)
            writer.stop.set()
            writer.join()
            while True:
                answer = read(api, position)
                if not answer["changes"]:
                    break
                position = answer["position"]
                seen += answer["changes"]
        places = [(r["version"], r["number"]) for r in seen]
        assert places == sorted(set(places))
        told = [r["new"]["i"] for r in seen if "i" in (r["new"] or {})]
        assert len(told) == len(set(told))
        assert set(writer.written) <= set(told) <= set(range(1, writer.tried + 1))
    finally:
        local.stop()


def test_the_client_goes_on_at_another_member(tmp_path: Path) -> None:
    local = Local(tmp_path / "c", "--nodes", "3", "--base-port", "0")
    uris = [f"http://127.0.0.1:{local.port(number)}" for number in range(3)]
    try:
        with Client(uris) as client, Client(uris[1:]) as writing:
            changes = client.changes(0, labels=["Told"], wait=1.0, idle=20.0)
            told: list[int] = []
            writing.run("UNWIND range(1, 30) AS i CREATE (:Told {i: i})")
            for change in changes:
                told.append((change.new or {})["i"])
                if len(told) == 10:
                    os.kill(local.endpoints["nodes"][0]["pid"], signal.SIGKILL)
                if len(told) == 30:
                    writing.run("UNWIND range(31, 60) AS i CREATE (:Told {i: i})")
                if len(told) == 60:
                    break
            assert told == list(range(1, 61))
            kept = changes.position
            assert list(client.changes(kept, labels=["Told"], wait=0.2, idle=0.5)) == []
    finally:
        local.stop()
