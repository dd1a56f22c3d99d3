"""What runs short: the disk, the machines, the members."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from e2e.harness.history import node_of
from e2e.harness.kubectl import Failed, until
from e2e.harness.world import Graph

Make = Callable[..., Graph]

_MIB = 1 << 20
_FILL = (
    "UNWIND range(1, 20) AS i CREATE (:Fill {i: i, text: "
    "reduce(s = toString(rand()), x IN range(1, 12) | s + toString(rand()) + s)})"
)


def _restarts(graph: Graph) -> int:
    return sum(
        each["restartCount"] for pod in graph.pods() for each in pod["status"]["containerStatuses"]
    )


def _fill(graph: Graph, seconds: float = 120) -> str:
    """Write until it is refused; what the refusal says."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            graph.ask(graph.leader(), _FILL)
        except Failed as refused:
            return str(refused)
    raise AssertionError(f"the volume was not full within {seconds:g} s")


def test_volume_filled_and_grown(make: Make) -> None:
    """By a quota of the node, as volumes of this rig have no size of their own."""

    def sized(mib: int) -> dict[str, object]:
        return {
            "restart": {"storage": {"quotaBytes": mib * _MIB}},
            "hot": {"headroom": {"diskLowBytes": 64 * _MIB}},
        }

    graph = make(config=sized(160), upgrade={"minReadySeconds": 1})
    graph.load.start()
    graph.load.wait_for(200)
    before = graph.judged("before the volume is full")
    graph.ask(graph.leader(), "CREATE (:Kept {v: 1})")
    refusal = _fill(graph)
    assert "bytes free, below the low mark" in refusal, refusal
    assert graph.ask(graph.leader(), "MATCH (k:Kept) RETURN k.v AS v") == [{"v": 1}]
    graph.ask(graph.leader(), "MATCH (k:Kept) DELETE k")

    def seen() -> bool:
        # what is compacted meanwhile makes room again: it is filled up until the operator has looked
        _fill(graph)
        return graph.condition("StorageOK").get("status") == "False"

    until(seen, 60, "StorageOK is False")
    print(f"\nfull: {graph.condition('StorageOK')['message']}")
    graph.patch(config=sized(4_096))
    graph.until_ready(180)
    assert graph.condition("StorageOK")["status"] == "True"
    assert _restarts(graph) == 0
    assert graph.ask(graph.leader(), "MATCH (k:Kept) RETURN count(k) AS n") == [{"n": 0}]
    graph.load.start()
    graph.load.wait_for(100)
    again = graph.load.finish()
    assert {*before.end["set"]} <= {*again.end["set"]}


def test_drain_within_the_budget(make: Make) -> None:
    """One machine may be emptied, a second one not before the first pod is back."""
    graph = make()
    graph.load.start()
    kube = graph.kube
    pods = [pod["metadata"]["name"] for pod in graph.pods()]
    machines = {name: node_of(kube, graph.namespace, name) for name in pods}
    leads = graph.leader()
    others = [name for name in pods if machines[name] != machines[leads]]
    assert others, "all members share a machine"
    selector = f"--pod-selector=app.kubernetes.io/instance={graph.name}"
    drain = ("--ignore-daemonsets", "--delete-emptydir-data", selector)
    moment = time.time()
    try:
        kube("drain", machines[leads], *drain, "--timeout=60s")
        with pytest.raises(Failed, match=r"disruption budget|global timeout"):
            kube("drain", machines[others[0]], *drain, "--timeout=8s")
        graph.load.run_for(3)
    finally:
        for machine in set(machines.values()):
            kube("uncordon", machine)
    graph.until_ready(120)
    ended = time.time()
    history = graph.judged("drained")
    print(f"longest gap {history.write_gap(moment, ended):.2f} s")
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0


def test_to_one_and_back(make: Make) -> None:
    graph = make()
    graph.load.start()
    started = time.time()
    for replicas in (1, 3):
        graph.patch(replicas=replicas)
        took = graph.until_ready(120)
        assert len(graph.pods()) == replicas
        print(f"\nscaled to {replicas} in {took:.1f} s")
    ended = time.time()
    history = graph.judged("3 -> 1 -> 3")
    print(f"longest gap {history.write_gap(started, ended):.2f} s")
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0
