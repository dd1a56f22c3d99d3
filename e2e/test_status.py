"""What the object says while things happen to the cluster."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from e2e.harness.history import node_of
from e2e.harness.kubectl import until
from e2e.harness.world import OPERATORS, Graph

Make = Callable[..., Graph]


@pytest.mark.core
def test_status_follows_an_election(make: Make) -> None:
    """The leader's machine loses its power, that of the operator that works does not: no object of
    Kubernetes changes before the machine is given up."""
    graph = make()
    world = graph.world
    leads = graph.leader()
    node = node_of(graph.kube, graph.namespace, leads)

    def works_elsewhere() -> bool:
        pod = world.working_operator()
        if node_of(graph.kube, OPERATORS, pod) != node:
            return True
        graph.kube("delete", "pod", pod, "-n", OPERATORS)
        return False

    until(works_elsewhere, 60, "the operator on another machine works", every=1)
    graph.until_ready()
    started = time.monotonic()
    world.rig.kill_node(node)
    try:
        until(lambda: graph.status["leader"] != leads, 20, "another leads", every=0.05)
        took = time.monotonic() - started
    finally:
        world.rig.start_node(node)
    graph.until_ready(180)
    print(f"\nthe status named another leader {took:.2f} s after the power went")
    assert took < 3
