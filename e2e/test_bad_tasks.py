"""What a person is told who asks for a task that cannot be, or changes one that has begun."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from e2e.harness.kubectl import Failed, Object, until
from e2e.harness.world import World
from e2e.test_bad_input import refused

pytestmark = pytest.mark.core

NAMESPACE: Final = "e2e-bad-tasks"
NEW: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "nobody to replace": ({"action": "ReplaceMember"}, "takes exactly one pod in pods"),
    "two to replace": (
        {"action": "ReplaceMember", "pods": ["graph-0", "graph-1"]}, "takes exactly one pod in pods"),
    "nobody to fence": ({"action": "Fence"}, "Fence needs the pods to take out of service"),
    "two leaders": (
        {"action": "TransferLeader", "pods": ["graph-0", "graph-1"]}, "takes at most one pod in pods"),
    "a restart lifted": ({"action": "Restart", "lift": True}, "lift is for Fence only"),
    "pods of another": ({"action": "Restart", "pods": ["other-0"]}, "pods must be pods of the cluster"),
    "no action": ({"action": "Explode"}, "Unsupported value"),
    "no deadline": ({"action": "Restart", "deadline": "soon"}, "should match"),
}  # fmt: skip
BEGUN: Final = "a task that has begun cannot change"
ENDED: Final = "a task that has finished stays as it ended"


def task(name: str, spec: dict[str, Any]) -> Object:
    return {
        "apiVersion": "everwhen.io/v1alpha1",
        "kind": "GraphTask",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"cluster": "graph", **spec},
    }


@pytest.fixture(scope="module")
def there(world: World) -> Iterator[World]:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    world.kube.apply(namespace)
    yield world
    world.kube("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.mark.parametrize("name", NEW)
def test_refused_at_once(there: World, name: str) -> None:
    spec, message = NEW[name]
    refused(there, task("new", spec), message)


def test_one_that_has_begun_or_ended_stays_as_it_is(there: World) -> None:
    """The operator has it fail, as there is no such cluster."""
    kube = there.kube
    kube.apply(task("begun", {"action": "Restart"}))

    def patch(status: dict[str, Any]) -> str:
        change = json.dumps({"status": status})
        where = ("graphtask", "begun", "-n", NAMESPACE, "--subresource=status")
        return kube("patch", *where, "--type=merge", "-p", change)

    def phase() -> str | None:
        found = kube.get("graphtask", "begun", NAMESPACE)
        assert found is not None
        phase: str | None = (found.get("status") or {}).get("phase")
        return phase

    patch({"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"})
    refused(there, task("begun", {"action": "Snapshot"}), BEGUN)
    until(lambda: phase() == "Failed", 60, "it has failed")
    with pytest.raises(Failed, match=ENDED):
        patch({"phase": "Running"})
