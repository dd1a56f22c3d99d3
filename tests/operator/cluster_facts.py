"""Facts of a cluster in which all is well, to be changed one at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from everwhen_operator.model.facts import (
    ClaimFact,
    Facts,
    MemberFact,
    Memory,
    NodeFact,
    PodFact,
    SetFact,
)
from everwhen_operator.model.spec import ClusterSpec, parse_spec

UID: Final = "6a6f7a52-2b6f-4f6a-8d8c-0a0a0a0a0a0a"
NEW: Final = "new"
NOW: Final = 10_000.0


def spec(**more: Any) -> ClusterSpec:
    """A spec with one thing said."""
    return parse_spec({"version": "1.0.0", **more})


def pod(ordinal: int, **more: Any) -> PodFact:
    """A pod that is ready for long and what is asked for."""
    kept: dict[str, Any] = {
        "phase": "Running", "ready": True, "ready_since": NOW - 1_000, "revision": NEW,
        "role": "leader" if ordinal == 0 else "voter",
    }  # fmt: skip
    return PodFact(f"graph-{ordinal}", ordinal, f"pod-{ordinal}", **(kept | more))


def claim(ordinal: int, **more: Any) -> ClaimFact:
    """A claim of the member at its ordinal."""
    kept: dict[str, Any] = {"requested": "20Gi", "cluster_id": UID, "node_id": ordinal + 1}
    return ClaimFact(f"data-graph-{ordinal}", ordinal, f"claim-{ordinal}", **(kept | more))


def member(ordinal: int, **more: Any) -> MemberFact:
    """A member as its leader knows it."""
    kept: dict[str, Any] = {"lag": 0, "healthy": True, "disk_id": f"disk-{ordinal}"}
    return MemberFact(ordinal + 1, f"graph-{ordinal}", **(kept | {"feature_level": 2} | more))


def node(ordinal: int, count: int = 3, **more: Any) -> NodeFact:
    """A node of a group of ``count`` whose first member leads."""
    kept: dict[str, Any] = {
        "cluster_id": UID, "node_id": ordinal + 1, "disk_id": f"disk-{ordinal}",
        "role": "leader" if ordinal == 0 else "follower", "term": 5, "leader_id": 1,
        "config_index": 40, "voters": tuple(range(1, count + 1)),
        "members": tuple(member(each) for each in range(count)), "feature_level": 2,
        "feature_level_supported": 2,
    }  # fmt: skip
    return NodeFact(ordinal, **(kept | more))


def joining(ordinal: int, **more: Any) -> NodeFact:
    """A node on an empty disk."""
    return NodeFact(ordinal, disk_id=f"empty-{ordinal}", feature_level_supported=2, **more)


def settled(count: int = 3, **more: Any) -> Facts:
    """A group of ``count`` that is all it should be."""
    every = range(count)
    kept: dict[str, Any] = {
        "spec": spec(replicas=count, membership={"allowEven": True}), "latched_id": UID, "seed_disk": "disk-0", "revision": NEW,
        "set": SetFact("set", "7", count, "20Gi"), "pods": {o: pod(o) for o in every},
        "claims": {o: claim(o) for o in every}, "nodes": {o: node(o, count) for o in every},
        "memory": Memory(alive=dict.fromkeys(range(1, count + 1), NOW), updated=NOW - 900),
    }  # fmt: skip
    return Facts("graph", "default", UID, 1, NOW, **(kept | more))


def but(facts: Facts, **parts: Any) -> Facts:
    """``facts`` with other pods, claims or nodes at some ordinals (None: away)."""
    changed: dict[str, Any] = {}
    for name, values in parts.items():
        if name in ("pods", "claims", "nodes"):
            merged = {**getattr(facts, name), **values}
            changed[name] = {k: v for k, v in sorted(merged.items()) if v is not None}
        else:
            changed[name] = values
    return replace(facts, **changed)


def configured(facts: Facts, **more: Any) -> Facts:
    """Every node says this of the group."""
    return replace(facts, nodes={o: replace(n, **more) for o, n in facts.nodes.items()})
