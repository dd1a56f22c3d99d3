"""Members stand apart, whatever labels machines have."""

from __future__ import annotations

from typing import Any

import pytest

from everwhen_operator.build.objects import Owner
from everwhen_operator.build.stateful import pod_template
from tests.operator.cluster_facts import UID, spec

PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def template(**scheduling: Any) -> Any:
    owner = Owner("graph", "default", UID)
    return pod_template(owner, spec(scheduling=scheduling), "everwhen:1.0.0")["spec"]


def keys(made: Any) -> list[str]:
    terms = made["affinity"]["podAntiAffinity"][PREFERRED]
    return [term["podAffinityTerm"]["topologyKey"] for term in terms]


def test_by_zone_and_by_host() -> None:
    """Each by itself: nodes without zones are told apart as well."""
    made = template()
    assert keys(made) == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert "topologySpreadConstraints" not in made


def test_what_is_asked_for_comes_first() -> None:
    wish = {"weight": 1, "podAffinityTerm": {"topologyKey": "rack"}}
    node: dict[str, Any] = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}
    }
    affinity = {"podAntiAffinity": {PREFERRED: [wish]}, "nodeAffinity": node}
    made = template(affinity=affinity, spread=["host"])
    assert keys(made) == ["rack", "kubernetes.io/hostname"]
    assert made["affinity"]["nodeAffinity"] == node
    assert affinity == {"podAntiAffinity": {PREFERRED: [wish]}, "nodeAffinity": node}


def test_nothing_is_asked_for() -> None:
    assert keys(template(spread=[])) == []


@pytest.mark.parametrize("anti", ["apart", {PREFERRED: "host"}])
def test_what_is_no_affinity_is_left_to_the_api_server(anti: Any) -> None:
    assert template(affinity={"podAntiAffinity": anti})["affinity"]["podAntiAffinity"] == anti
