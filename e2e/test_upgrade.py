"""From builds of earlier commits to the present one, back, and up again, under load."""

from __future__ import annotations

import subprocess
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from e2e.harness.kubectl import Failed, until
from e2e.harness.rig import ROOT
from e2e.harness.world import REPOSITORY, Graph, World
from everwhen.codec.cluster import FEATURE_LEVEL
from tests.support.archives import unpack

Make = Callable[..., Graph]

_VECTORS = (
    "CREATE VECTOR INDEX near FOR (n:Doc) ON (n.e) "
    "OPTIONS {indexConfig: {`vector.dimensions`: 2, `vector.similarity_function`: 'cosine'}}"
)


@dataclass(frozen=True)
class Earlier:
    """A build to come from: the last commit at a feature level."""

    level: int
    commit: str
    #: statements that are not for that level yet, and what they answer
    refused: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"level-{self.level}"


BUILDS = (
    Earlier(
        2,
        "44b5553ab1ca5325557553ee67b8aebe506c6db6",
        (
            (_VECTORS, "vector indexes need feature level 3, the cluster is at 2"),
            ("FLASHBACK TO VERSION 1", "flashbacks need feature level 4, the cluster is at 2"),
        ),
    ),
    Earlier(7, "4864831c8455b33369160318530c6bffbb103136"),
)
#: a node with so many relationships comes by a large transaction, and goes by another
_HUB = "CREATE (h:Hub) WITH h UNWIND range(1, 6000) AS i CREATE (h)-[:HAS]->(:Spoke)"
_NO_HUB = "MATCH (h:Hub)-->(s) DETACH DELETE h, s"


@pytest.fixture(params=BUILDS, ids=str)
def earlier(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> tuple[Earlier, str]:
    """A build, and the name of its image on every node."""
    build: Earlier = request.param
    found = subprocess.run(
        ["git", "archive", "--format=tar", build.commit], cwd=ROOT, capture_output=True, check=False
    )
    if found.returncode:
        reason = f"this checkout has no commit {build.commit[:7]} to build an earlier image from"
        print(f"skipped: {reason}")
        pytest.skip(reason)
    with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
        unpack(archive, tmp_path)
    image = f"{REPOSITORY}:{build}"
    world.rig.load("node/Dockerfile", image, tmp_path)
    return build, image


def _rolled(graph: Graph, **spec: object) -> None:
    """Change the image; every pod is replaced."""
    graph.patch(**spec)
    started = time.monotonic()
    graph.until_ready(240)
    print(f"\n{spec}: rolled in {time.monotonic() - started:.1f} s")


def test_up_and_back_and_up_again(make: Make, earlier: tuple[Earlier, str]) -> None:
    build, image = earlier
    graph = make(image=image, upgrade={"minReadySeconds": 1, "finalize": "Manual"})
    graph.load.start()
    assert graph.status["featureLevel"] == str(build.level)
    started = time.time()
    _rolled(graph, image=None)
    assert graph.status["featureLevel"] == str(build.level)
    for statement, answer in build.refused:
        with pytest.raises(Failed, match=answer):
            graph.ask(graph.leader(), statement)
    graph.ask(graph.leader(), _HUB)
    graph.ask(graph.leader(), _NO_HUB)
    _rolled(graph, image=image)
    _rolled(graph, image=None)
    moves = len(graph.watched.leaders) - 1
    graph.patch(upgrade={"finalize": "Auto"})
    until(lambda: graph.status["featureLevel"] == str(FEATURE_LEVEL), 60, "the level is raised")
    ended = time.time()
    for statement in (_HUB, _NO_HUB, _VECTORS):
        graph.ask(graph.leader(), statement)
    history = graph.judged(f"from {build} up, back, and up again")
    print(
        f"three rolls, leadership moved {moves} times, "
        f"longest gap {history.write_gap(started, ended):.2f} s"
    )
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0
    assert moves == 3
