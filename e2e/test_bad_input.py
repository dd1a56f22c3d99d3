"""What a person is told who asks for what cannot be: by the API server, before anything is done."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from e2e.harness.kubectl import Failed, Object
from e2e.harness.world import World

pytestmark = pytest.mark.core

NAMESPACE: Final = "e2e-bad-input"
GOOD: Final[dict[str, Any]] = {
    "version": "1.4.2",
    # nothing is started
    "maintenance": {"paused": True},
    "storage": {"size": "10Gi", "className": "fast"},
}

NEW: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "even": ({"replicas": 4}, "replicas must be odd (or 0 to hibernate)"),
    "too many": ({"replicas": 11}, "spec.replicas in body should be less than or equal to 9"),
    "no build": ({"version": None}, "say which build to run"),
    "no duration": ({"membership": {"replaceAfter": "soon"}}, "should match"),
    "no size": ({"storage": {"size": "a lot"}}, "should match"),
    "kept for no time": ({"history": {"retention": "0d"}}, "retention is a number of"),
    "no setting": ({"config": {"hot": {"log": {"level": "loud"}}}}, "Unsupported value"),
    "a hot setting where pods restart": (
        {"config": {"restart": {"log": {"level": "debug"}}}},
        ".log.level: field not declared",
    ),
    "out of bounds": ({"config": {"restart": {"limits": {"queryWorkers": 0}}}}, "greater than"),
    "unknown field": ({"backup": {"to": "s3://there"}}, ".spec.backup: field not declared"),
}
CHANGED: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "smaller volumes": ({"storage": {"size": "5Gi"}}, "volumes grow and never shrink"),
    "another class": ({"storage": {"className": "slow"}}, "className cannot change"),
    "no class": ({"storage": {"className": None}}, "className cannot change"),
    "two versions on": ({"version": "1.6.0"}, "one minor version at a time"),
    "another password": ({"auth": {"adminSecretRef": {"name": "x"}}}, "adminSecretRef cannot"),
    "another domain": ({"network": {"clusterDomain": "other.local"}}, "clusterDomain cannot"),
}
NAMES: Final = {"a" * 41: "at most 40 characters", "1st": "begin with a letter"}
TAKEN: Final[dict[str, dict[str, Any]]] = {
    "larger volumes": {"storage": {"size": "20Gi"}},
    "the next version": {"version": "1.5.0"},
    "an image by name": {"version": "nightly"},
    "even by consent": {"replicas": 4, "membership": {"allowEven": True}},
    "asleep": {"replicas": 0},
    "history of a month": {"history": {"retention": "30d"}},
    "all of history": {"history": {"retention": "forever"}},
}


def cluster(name: str, change: dict[str, Any]) -> Object:
    spec = json.loads(json.dumps(GOOD))
    for key, value in change.items():
        old = spec.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        spec[key] = _without_none({**old, **value}) if both else value
    spec = _without_none(spec)
    return {
        "apiVersion": "everwhen.io/v1alpha1",
        "kind": "GraphCluster",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def _without_none(made: Object) -> Object:
    return {key: value for key, value in made.items() if value is not None}


def refused(world: World, made: Object, message: str) -> None:
    with pytest.raises(Failed) as said:
        world.kube(
            "apply", "--server-side", "--validate=strict", "-f", "-", stdin=json.dumps(made)
        )  # fmt: skip
    assert message in str(said.value), said.value


@pytest.fixture(scope="module")
def there(world: World) -> None:
    """A valid one, to be changed."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    world.kube.apply(namespace)
    world.kube("apply", "--server-side", "-f", "-", stdin=json.dumps(cluster("good", {})))


@pytest.mark.parametrize("name", NEW)
def test_refused_at_once(world: World, there: None, name: str) -> None:
    change, message = NEW[name]
    refused(world, cluster("new", change), message)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be(world: World, there: None, name: str) -> None:
    refused(world, cluster(name, {}), NAMES[name])


@pytest.mark.parametrize("name", CHANGED)
def test_refused_later(world: World, there: None, name: str) -> None:
    change, message = CHANGED[name]
    refused(world, cluster("good", change), message)


@pytest.mark.parametrize("name", TAKEN)
def test_taken(world: World, there: None, name: str) -> None:
    made = json.dumps(cluster("good", TAKEN[name]))
    world.kube("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=made)


def test_the_end(world: World, there: None) -> None:
    world.kube("delete", "namespace", NAMESPACE, "--wait=false")
