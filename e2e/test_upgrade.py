"""From a build of an earlier commit to the present one, back, and up again, under load."""

from __future__ import annotations

import subprocess
import tarfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from e2e.harness.kubectl import Failed, until
from e2e.harness.rig import ROOT
from e2e.harness.world import REPOSITORY, Graph, World
from everwhen.codec.cluster import FEATURE_LEVEL
from tests.support.archives import unpack

Make = Callable[..., Graph]

#: the last commit at feature level 2: it knows nothing of vector indexes
EARLIER = "44b5553ab1ca5325557553ee67b8aebe506c6db6"
IMAGE = f"{REPOSITORY}:level-2"
_VECTORS = (
    "CREATE VECTOR INDEX near FOR (n:Doc) ON (n.e) "
    "OPTIONS {indexConfig: {`vector.dimensions`: 2, `vector.similarity_function`: 'cosine'}}"
)


@pytest.fixture
def earlier(world: World, tmp_path: Path) -> str:
    """An image of the earlier commit, on every node."""
    found = subprocess.run(
        ["git", "archive", "--format=tar", EARLIER], cwd=ROOT, capture_output=True, check=False
    )
    if found.returncode:
        reason = f"this checkout has no commit {EARLIER[:7]} to build an earlier image from"
        print(f"skipped: {reason}")
        pytest.skip(reason)
    with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
        unpack(archive, tmp_path)
    world.rig.load("node/Dockerfile", IMAGE, tmp_path)
    return IMAGE


def _rolled(graph: Graph, **spec: object) -> None:
    """Change the image; every pod is replaced."""
    graph.patch(**spec)
    started = time.monotonic()
    graph.until_ready(240)
    print(f"\n{spec}: rolled in {time.monotonic() - started:.1f} s")


def test_up_and_back_and_up_again(make: Make, earlier: str) -> None:
    graph = make(image=earlier, upgrade={"minReadySeconds": 1, "finalize": "Manual"})
    graph.load.start()
    assert graph.status["featureLevel"] == "2"
    started = time.time()
    _rolled(graph, image=None)
    assert graph.status["featureLevel"] == "2"
    with pytest.raises(Failed, match="vector indexes need feature level 3, the cluster is at 2"):
        graph.ask(graph.leader(), _VECTORS)
    with pytest.raises(Failed, match="flashbacks need feature level 4, the cluster is at 2"):
        graph.ask(graph.leader(), "FLASHBACK TO VERSION 1")
    _rolled(graph, image=earlier)
    _rolled(graph, image=None)
    moves = len(graph.watched.leaders) - 1
    graph.patch(upgrade={"finalize": "Auto"})
    until(lambda: graph.status["featureLevel"] == str(FEATURE_LEVEL), 60, "the level is raised")
    ended = time.time()
    graph.ask(graph.leader(), _VECTORS)
    history = graph.judged("up, back, and up again")
    print(
        f"three rolls, leadership moved {moves} times, "
        f"longest gap {history.write_gap(started, ended):.2f} s"
    )
    assert history.outcomes["failed"] == history.outcomes["unknown"] == 0
    assert moves == 3
