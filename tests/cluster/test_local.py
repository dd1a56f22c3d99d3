"""``everwhen local`` as a person runs it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from everwhen.cli.local_nodes import RollingFile, plan_of
from everwhen.errors import SettingsInvalid
from tests.cluster.running import SECONDS, Local, alive, answers
from tests.support.query_api import QueryApi
from tests.support.waiting import until


def test_a_cluster_runs_stops_and_is_there_again(tmp_path: Path) -> None:
    local = Local(tmp_path / "c", "--nodes", "3", "--base-port", "0")
    assert [node["name"] for node in local.endpoints["nodes"]] == ["n1", "n2", "n3"]
    with QueryApi(local.port(1)) as api:
        assert api.rows("CREATE (n:Kept {v: 1}) RETURN n.v") == [[1]]
    pids = [node["pid"] for node in local.endpoints["nodes"]]
    started = time.monotonic()
    assert local.stop() == 0
    assert time.monotonic() - started < 20
    assert not any(alive(pid) for pid in pids)
    again = Local(tmp_path / "c")
    try:
        assert again.endpoints["clusterId"] == local.endpoints["clusterId"]
        with QueryApi(again.port(2)) as api:
            assert api.rows("MATCH (n:Kept) RETURN n.v") == [[1]]
    finally:
        assert again.stop(signal.SIGINT) == 0


def test_a_death_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    local = Local(tmp_path / "c", "--base-port", "0")
    victim = local.endpoints["nodes"][2]
    try:
        os.kill(victim["pid"], signal.SIGKILL)
        until(lambda: bool(local.said("node_died")))
        said = local.said("node_died")[0]
        assert (said["node"], said["pid"], said["exit_code"]) == ("n3", victim["pid"], -9)
        with QueryApi(local.port(0)) as api:
            assert api.rows("CREATE (n:After) RETURN 1") == [[1]]
        back = subprocess.Popen(shlex.split(victim["command"]), stderr=subprocess.DEVNULL)
        with QueryApi(local.port(2)) as api:
            until(lambda: answers(api))
            assert api.rows("MATCH (n:After) RETURN count(n)") == [[1]]
        back.terminate()
        assert back.wait(SECONDS) == 0
    finally:
        assert local.stop() == 0


def test_nothing_outlives_the_command(tmp_path: Path) -> None:
    local = Local(tmp_path / "c", "--nodes", "1", "--base-port", "0")
    pid = local.endpoints["nodes"][0]["pid"]
    local.process.kill()
    local.process.wait(SECONDS)
    until(lambda: not alive(pid))


def test_a_log_rolls(tmp_path: Path) -> None:
    log = RollingFile(tmp_path / "n1.log", size_max=100, files=3)
    for number in range(50):
        log.write(b"%09d\n" % number)
    log.close()
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["n1.log", "n1.log.1", "n1.log.2"]
    assert (tmp_path / "n1.log").read_bytes().endswith(b"000000049\n")
    assert (tmp_path / "n1.log.2").read_bytes().startswith(b"000000020\n")


def test_a_folder_keeps_its_nodes_and_ports(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, None, None)
    assert [(p.http, p.bolt, p.peer) for p in plan.nodes][:2] == [
        (7474, 7687, 7400),
        (7475, 7688, 7401),
    ]
    assert plan_of(tmp_path, None, None) == plan
    assert [place.name for place in plan_of(tmp_path, 4, None).nodes] == ["n1", "n2", "n3", "n4"]
    with pytest.raises(SettingsInvalid, match="holds 4 nodes, not 2"):
        plan_of(tmp_path, 2, None)
    with pytest.raises(SettingsInvalid, match="known under ports from 7474"):
        plan_of(tmp_path, None, 9000)
    with pytest.raises(SettingsInvalid, match="no room"):
        plan_of(tmp_path / "..", 3, 65_500)
