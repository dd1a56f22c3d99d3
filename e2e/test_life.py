"""Installed, used, scaled, put to sleep, removed and installed again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Final

import pytest

from e2e.harness.history import node_of, pod_of
from e2e.harness.kubectl import until
from e2e.harness.world import Graph

Make = Callable[..., Graph]


@pytest.mark.core
def test_install_and_first_use(make: Make) -> None:
    started = time.monotonic()
    graph = make(ready=False)
    graph.until_ready(60)
    print(f"\ncreate: three nodes ready after {time.monotonic() - started:.1f} s")
    pods = [pod["metadata"]["name"] for pod in graph.pods()]
    machines = {node_of(graph.kube, graph.namespace, pod) for pod in pods}
    assert len(machines) == 3, f"{pods} share machines"
    graph.watched.start()
    graph.load.start()
    graph.load.wait_for(500)
    history = graph.judged("first use")
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0
    printed = graph.kube("get", "gc", "graph", "-n", graph.namespace)
    assert "True" in printed
    assert graph.leader() in printed
    assert graph.leader() in graph.admin(graph.leader(), "status")


@pytest.mark.core
def test_scale_up_and_down_under_load(make: Make) -> None:
    graph = make()
    graph.load.start()
    for replicas in (5, 3):
        started = time.time()
        graph.kube("scale", "gc/graph", "-n", graph.namespace, f"--replicas={replicas}")
        took = graph.until_ready(120)
        assert len(graph.pods()) == replicas
        print(f"\nscaled to {replicas} in {took:.1f} s")
    ended = time.time()
    history = graph.judged("3 -> 5 -> 3")
    print(f"longest gap between acknowledged writes {history.write_gap(started, ended):.2f} s")
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0


def test_scale_down_cancelled(make: Make) -> None:
    graph = make(replicas=5)
    graph.load.start()
    graph.patch(replicas=3)
    until(lambda: graph.condition("Progressing").get("status") == "True", 30, "it has begun")
    graph.patch(replicas=5)
    belong = ("Leader", "Voter", "Learner")
    there = {each["nodeId"] for each in graph.status["members"] if each["role"] in belong}
    graph.until_ready(120)
    assert len(graph.pods()) == 5
    gone = there - {*graph.node_ids().values()}
    print(f"\n{len(there)} of 5 were still members when it was cancelled, {len(gone)} of them went")
    assert len(gone) <= 1, "at most the one under way was removed"
    history = graph.judged("a shrink cancelled")
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0


def test_hibernate_and_wake(make: Make) -> None:
    graph = make()
    graph.load.start()
    graph.load.wait_for(200)
    history = graph.judged("before sleeping")
    before = graph.status["clusterId"], graph.node_ids()
    graph.patch(replicas=0)
    until(lambda: not graph.pods(), 60, "no pods")
    until(lambda: graph.status.get("phase") == "Hibernated", 30, "it says so")
    graph.patch(replicas=3)
    graph.until_ready()
    assert (graph.status["clusterId"], graph.node_ids()) == before
    graph.load.start()
    graph.load.wait_for(100)
    again = graph.load.finish()
    there = set(again.end["set"])
    assert {*history.end["set"]} <= there


_OUTSIDE: Final = """
import json, pathlib, neo4j
password = pathlib.Path("/etc/auth/password").read_text().strip()
seen = set()
with neo4j.GraphDatabase.driver("neo4j://graph.out.example:7687", auth=("neo4j", password)) as driver:
    for mode in ("w", "r", "r", "r", "r", "r", "r"):
        found = driver.execute_query("RETURN 1", database_="neo4j", routing_=mode)
        seen.add(found.summary.server.address[0])
print(json.dumps(sorted(seen)))
"""


def test_clients_outside_are_told_addresses_outside(make: Make) -> None:
    """The names of pods lead to Services of their own; who comes by them, or by another name under
    their domain, goes on by them. The names are put into the client's hosts file."""
    graph = make(network={"external": {"domain": "out.example", "type": "ClusterIP"}})
    kube = graph.kube

    def address(service: str) -> str:
        found = kube.get("service", service, graph.namespace)
        assert found is not None
        return str(found["spec"]["clusterIP"])

    pods = {f"graph-{o}.out.example": address(f"graph-external-{o}") for o in range(3)}
    aliases = {**pods, "graph.out.example": address("graph")}
    client = pod_of("outside", graph.namespace, graph.name)
    client["spec"]["containers"][0] |= {"command": ["python", "-c", _OUTSIDE], "args": []}
    client["spec"]["hostAliases"] = [
        {"ip": ip, "hostnames": [name]} for name, ip in aliases.items()
    ]
    kube.apply(client)
    # what the driver logs on its way is in the same stream
    said = until(
        lambda: re.search(
            r'^\[".*"\]$', kube("logs", "outside", "-n", graph.namespace), re.MULTILINE
        ),
        60,
        "the client is done",
    )
    seen = set(json.loads(said[0]))
    print(f"\nspoke to {sorted(seen)}")
    assert seen == {*pods.values()}
    graph.patch(network={"external": None})
    graph.until_ready(180)
    assert kube.get("service", "graph-external-0", graph.namespace) is None


def test_operator_uninstalled_and_installed_again(make: Make) -> None:
    graph = make()
    graph.load.start()
    graph.world.uninstall()
    graph.load.wait_for(200)
    graph.world.kube("get", "gc", "graph", "-n", graph.namespace)
    graph.world.install_operator()
    graph.patch(membership={"replaceAfter": "20m"})
    graph.until_ready()
    history = graph.judged("operator uninstalled and installed again")
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0
