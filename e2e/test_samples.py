"""What lies in ``samples/`` is taken as it is written, and what it makes works."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from e2e.harness.kubectl import until
from e2e.harness.rig import ROOT
from e2e.harness.world import TAG, World

NAMESPACE: Final = "e2e-samples"
SAMPLES: Final = ROOT / "samples"
TASKS: Final = sorted((SAMPLES / "tasks").glob("*.yaml"), key=lambda path: path.stem)


@pytest.fixture(scope="module")
def applied(world: World) -> Iterator[World]:
    """``samples/graphcluster.yaml``, with the build that was loaded in place of the released one."""
    kube = world.kube
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    text = (SAMPLES / "graphcluster.yaml").read_text(encoding="utf-8")
    assert text.count("version: 0.1.0") == 1
    kube("apply", "-n", NAMESPACE, "-f", "-", stdin=text.replace("0.1.0", TAG))
    kube("wait", "--for=condition=Ready", "graphcluster/graph", "-n", NAMESPACE, "--timeout=120s")
    yield world
    kube("delete", "namespace", NAMESPACE, "--wait=false")


def test_the_cluster_of_the_sample_answers(applied: World) -> None:
    secret = applied.kube.get("secret", "graph-auth", NAMESPACE)
    assert secret is not None
    assert base64.b64decode(secret["data"]["password"])
    answer = applied.kube(
        "exec", "graph-1", "-n", NAMESPACE, "--", "everwhen", "sh", "--json", "--user", "neo4j",
        "--password-file", "/etc/everwhen/secrets/password", "-c", "RETURN 1 + 1 AS two",
    )  # fmt: skip
    assert '{"two":2}' in answer.replace(" ", "")


@pytest.mark.parametrize("sample", TASKS, ids=lambda path: path.stem)
def test_a_task_is_done_as_written(applied: World, sample: Path) -> None:
    kube = applied.kube
    name = kube("apply", "-n", NAMESPACE, "-f", str(sample), "-o", "name").strip()

    def phase() -> str:
        return kube("get", name, "-n", NAMESPACE, "-o", "jsonpath={.status.phase}").strip()

    ended = until(lambda: phase() in ("Succeeded", "Failed") and phase(), 240, name)
    assert ended != "Failed", kube("get", name, "-n", NAMESPACE, "-o", "yaml")
