"""Rolling changes, good and bad, and operators that come and go."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from e2e.harness.kubectl import Failed, until
from e2e.harness.world import OPERATORS, RELEASE, Graph

Make = Callable[..., Graph]


@pytest.mark.core
def test_rolling_settings(make: Make) -> None:
    graph = make(upgrade={"minReadySeconds": 1})
    graph.load.start()
    leads, started = graph.leader(), time.time()
    graph.patch(config={"restart": {"log": {"slowQueryS": 2.5}}})
    graph.until_ready(180)
    ended = time.time()
    assert all(
        "slow_query_s = 2.5" in graph.kube(
            "exec", pod["metadata"]["name"], "-n", graph.namespace, "--", "cat",
            "/etc/everwhen/config/everwhen.toml",
        )
        for pod in graph.pods()
    )  # fmt: skip
    history = graph.judged("rolled")
    moves = len(graph.watched.leaders) - 1
    print(
        f"took {ended - started:.1f} s, leadership moved {moves} times from {leads}, "
        f"longest gap {history.write_gap(started, ended):.2f} s"
    )
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0
    assert moves == 1


@pytest.mark.core
def test_bad_image_and_recovery(make: Make) -> None:
    graph = make(upgrade={"minReadySeconds": 1})
    graph.load.start()
    graph.patch(image="localhost/everwhen:no-such-build")
    until(
        lambda: graph.condition("Degraded").get("status") == "True",
        60,
        "it says that it is degraded",
    )
    graph.load.run_for(5)
    ready = [
        pod["metadata"]["name"]
        for pod in graph.pods()
        if all(each["ready"] for each in pod["status"].get("containerStatuses", [{"ready": False}]))
    ]
    assert len(ready) == 2, "one pod was tried, and only one"
    graph.kube(
        "patch", "gc", "graph", "-n", graph.namespace, "--type=json",
        "-p", '[{"op": "remove", "path": "/spec/image"}]',
    )  # fmt: skip
    graph.until_ready(120)
    history = graph.judged("a bad image, then none")
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0


@pytest.mark.core
def test_operator_away(make: Make) -> None:
    """Everything but changes goes on without it."""
    graph = make()
    graph.load.start()
    graph.world.scale_operator(0)
    try:
        moment = time.time()
        graph.world.rig.crash(graph.leader(), graph.namespace)
        graph.load.run_for(8)
    finally:
        graph.world.scale_operator(2)
    graph.patch(membership={"replaceAfter": "16m"})
    graph.until_ready(120)
    history = graph.judged("leader killed while no operator ran")
    print(f"write gap {history.write_gap(moment - 0.5, moment + 8):.2f} s")


def test_operator_killed_while_scaling(make: Make) -> None:
    graph = make()
    graph.load.start()
    graph.patch(replicas=5)
    for _ in range(4):
        graph.load.run_for(1)
        try:
            graph.world.rig.crash(graph.world.working_operator(), OPERATORS)
        except Failed as gone:
            print(gone)
    graph.until_ready(240)
    assert len(graph.pods()) == 5
    history = graph.judged("operators killed while scaling")
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0


def test_api_server_away(make: Make) -> None:
    graph = make()
    graph.load.start()
    leads = graph.leader()
    graph.load.run_for(1)
    rig = graph.world.rig
    rig.stop_api()
    try:
        rig.crash(leads, graph.namespace)
        graph.load.run_for(6)
    finally:
        rig.start_api()
    graph.until_ready(240)
    graph.load.wait_for(50)
    graph.judged("leader killed while the API server was away")


def test_steady_state_writes_nothing(make: Make) -> None:
    graph = make()
    until(lambda: graph.status.get("phase") == "Running", 30, "it runs")
    graph.load.run_for(5)
    before = graph.object["metadata"]["resourceVersion"]
    leases = graph.world.kube.get("lease", RELEASE, OPERATORS)
    graph.load.run_for(60)
    assert graph.object["metadata"]["resourceVersion"] == before
    assert graph.world.kube.get("lease", RELEASE, OPERATORS) != leases
