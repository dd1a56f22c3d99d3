"""Rolling changes, good and bad, and operators that come and go."""

from __future__ import annotations

import os
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
    graph.patch(config={"restart": {"limits": {"queryWorkers": 3}}})
    graph.until_ready(180)
    ended = time.time()
    assert all(
        "query_workers = 3" in graph.kube(
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


def test_hot_settings_restart_nothing(make: Make) -> None:
    graph = make()
    before = {pod["metadata"]["uid"] for pod in graph.pods()}
    graph.patch(config={"hot": {"log": {"slowQueryS": 2.5}}})
    took = graph.until_ready(180)
    print(f"\ntaken over by all after {took:.1f} s")
    for pod in graph.pods():
        asked = "SHOW SETTINGS YIELD name, value WHERE name = 'log.slow_query_s'"
        (row,) = graph.ask(pod["metadata"]["name"], asked)
        assert row["value"] == "2.5"
    assert {pod["metadata"]["uid"] for pod in graph.pods()} == before


def test_history_is_kept_as_asked_for(make: Make) -> None:
    """Without a restart; and what is not asked for is left to whoever alters the database."""

    def kept() -> float | None:
        (row,) = graph.ask(graph.leader(), "SHOW RETENTION YIELD entityType, keepSeconds")
        keep: float | None = row["keepSeconds"]
        return keep

    graph = make(history={"retention": "30d"})
    assert kept() == 30 * 86_400
    before = {pod["metadata"]["uid"] for pod in graph.pods()}
    started = time.monotonic()
    graph.patch(history={"retention": "forever"})
    until(lambda: kept() is None, 30, "nothing is forgotten")
    print(f"\nanother retention after {time.monotonic() - started:.1f} s")
    graph.patch(history=None)
    graph.until_ready()
    graph.ask(graph.leader(), "ALTER DATABASE neo4j SET RETENTION '2 hours'")
    graph.patch(membership={"replaceAfter": "16m"})
    graph.until_ready()
    assert kept() == 7_200
    assert {pod["metadata"]["uid"] for pod in graph.pods()} == before


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
    """And a machine is powered off meanwhile."""
    graph = make()
    graph.load.start()
    pod, node = graph.apart()
    rig = graph.world.rig
    rig.stop_api()
    moment = time.time()
    try:
        rig.kill_node(node)
        graph.load.run_for(8)
    finally:
        rig.start_api()
        rig.start_node(node)
    graph.until_ready(240)
    graph.load.wait_for(50)
    history = graph.judged(f"machine of {pod} powered off while the API server was away")
    print(f"write gap {history.write_gap(moment - 0.5, moment + 8):.2f} s")


def _versions(graph: Graph) -> dict[str, str]:
    """Every object of a cluster with its version."""
    found = {}
    for kind in ("gc", "statefulset", "service", "configmap", "secret", "pdb", "pod", "pvc"):
        for made in graph.kube.list(kind, graph.namespace, ""):
            metadata = made["metadata"]
            found[f"{kind}/{metadata['name']}"] = metadata["resourceVersion"]
    return found


def test_steady_state_writes_nothing(make: Make) -> None:
    seconds = float(os.environ.get("STEADY_SECONDS", "60"))
    graph = make()
    until(lambda: graph.status.get("phase") == "Running", 30, "it runs")
    graph.load.run_for(5)
    before = _versions(graph)
    leases = graph.world.kube.get("lease", RELEASE, OPERATORS)
    graph.load.run_for(seconds)
    after = _versions(graph)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    print(f"\n{len(before)} objects looked at for {seconds:g} s")
    assert not changed, changed
    assert graph.world.kube.get("lease", RELEASE, OPERATORS) != leases


def _memory(graph: Graph) -> tuple[float, float]:
    """What the working operator uses and used at most, MiB."""
    inside = (
        "exec",
        graph.world.working_operator(),
        "-n",
        OPERATORS,
        "--",
        "cat",
        "/proc/1/status",
    )
    said = dict(line.split(":", 1) for line in graph.kube(*inside).splitlines())
    return int(said["VmRSS"].split()[0]) / 1024, int(said["VmHWM"].split()[0]) / 1024


def test_the_operator_stays_small(make: Make) -> None:
    """While pods go and settings change, round after round."""
    seconds = float(os.environ.get("CHURN_SECONDS", "60"))
    graph = make()
    used = []
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
        graph.kube("delete", "pod", graph.followers()[0], "-n", graph.namespace, "--wait=false")
        graph.patch(history={"retention": f"{rounds}h"})
        graph.until_ready()
        now, peak = _memory(graph)
        used.append(now)
    print(
        f"\n{rounds} rounds in {seconds:g} s: {min(used):.0f} to {max(used):.0f} MiB, peak {peak:.0f}"
    )
    assert peak < 120
    # it grows while it begins, and then no more
    assert max(used) - used[len(used) // 3] < 10


def test_ready_means_writes(make: Make) -> None:
    """Whenever it says that it is ready, a write succeeds and a read sees it."""
    graph = make()
    for number in range(10):
        deleted, other = graph.followers()
        graph.kube("delete", "pod", deleted, "-n", graph.namespace, "--wait=false")
        graph.until_ready()
        graph.ask(graph.leader(), f"CREATE (:Ready {{n: {number}}})")
        # the operator may not have seen yet that a pod ends; then it is ready all the same
        seen = graph.ask(other, "MATCH (r:Ready) RETURN count(r) AS n")
        assert seen == [{"n": number + 1}]


def test_deleted_while_no_operator_runs(make: Make) -> None:
    """Nothing waits for it: there is no finalizer."""
    graph = make()
    graph.world.scale_operator(0)
    try:
        started = time.monotonic()
        graph.kube("delete", "gc", graph.name, "-n", graph.namespace, "--timeout=30s")
        until(lambda: not graph.pods(), 60, "its pods are gone")
        print(f"\ngone after {time.monotonic() - started:.1f} s")
    finally:
        graph.world.scale_operator(2)
