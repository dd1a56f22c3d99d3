"""The charts as people use them: installed, tested, upgraded, removed and installed again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from e2e.harness.kubectl import Failed, until
from e2e.harness.rig import ROOT
from e2e.harness.world import OPERATORS, RELEASE, REPOSITORY, TAG, Graph, World

CHART: Final = str(ROOT / "charts" / "everwhen")
VALUES: Final = (
    f"spec.version={TAG}", "spec.storage.size=1Gi", f"testImage={REPOSITORY}:{TAG}",
    "spec.resources.requests.memory=256Mi", "spec.resources.requests.cpu=100m",
)  # fmt: skip


@pytest.fixture
def graph(world: World, request: pytest.FixtureRequest) -> Iterator[Graph]:
    found = Graph(world, "e2e-helm-" + request.node.name.rpartition("_")[2])
    yield found
    found.remove()


def helm(graph: Graph, verb: str, *more: str) -> str:
    """A verb of helm on the release ``graph``."""
    values = [part for value in (*VALUES, *more) for part in ("--set", value)]
    chart = [CHART, *values] if verb in ("install", "upgrade") else [*more]
    made = ["--create-namespace"] if verb == "install" else []
    return graph.kube.tool("helm", verb, graph.name, *chart, "-n", graph.namespace, *made)


def test_the_operator_passes_its_own_test(world: World) -> None:
    said = world.kube.tool("helm", "test", RELEASE, "-n", OPERATORS)
    assert "Phase:          Succeeded" in said


def test_a_cluster_comes_back_with_its_data(graph: Graph) -> None:
    """An uninstall keeps the volumes. A new cluster of the name takes them over only by consent."""
    kube = graph.kube
    notes = helm(graph, "install")
    assert f"neo4j://graph.{graph.namespace}.svc.cluster.local:7687" in notes
    graph.until_ready(120)
    told = next(line for line in notes.splitlines() if "everwhen sh" in line).split()
    arguments = [word for word in told[1:] if word != "-it"]
    assert "1" in kube(*arguments, "-c", "CREATE (:Kept {v: 1}) RETURN 1")
    assert "Phase:          Succeeded" in helm(graph, "test")
    before, password = graph.status["clusterId"], graph.secret("password")

    helm(graph, "upgrade", "spec.membership.replaceAfter=20m")
    graph.until_ready(60)
    assert graph.status["clusterId"] == before
    helm(graph, "uninstall")
    until(lambda: not graph.pods(), 60, "its pods are gone")
    claims = kube.list("pvc", graph.namespace, "app.kubernetes.io/instance=graph")
    assert len(claims) == 3

    kube(
        "create",
        "secret",
        "generic",
        "kept",
        "-n",
        graph.namespace,
        f"--from-literal=password={password}",
    )
    kept = "spec.auth.adminSecretRef.name=kept"
    helm(graph, "install", kept)

    def refused() -> bool:
        found = graph.condition("Degraded")
        return found.get("reason") == "ClaimsOfAnotherCluster" and before in found["message"]

    until(refused, 60, "it says whose volumes these are")
    kube("annotate", "gc", "graph", "-n", graph.namespace, f"everwhen.io/adopt={before}")
    graph.until_ready(120)
    assert graph.status["clusterId"] == before
    assert graph.ask("graph-0", "MATCH (k:Kept) RETURN k.v AS v") == [{"v": 1}]


def test_what_a_chart_cannot_be(graph: Graph) -> None:
    with pytest.raises(Failed, match="not allowed"):
        helm(graph, "install", "replicas=3")
    with pytest.raises(Failed, match="replicas must be odd"):
        helm(graph, "install", "spec.replicas=2")
