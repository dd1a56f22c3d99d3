"""The beginning of a cluster, once; sleeping and waking."""

from __future__ import annotations

from everwhen_operator.model.actions import Action, Bootstrap, Latch, SetReplicas, Wait
from everwhen_operator.model.facts import Facts


def _traces(facts: Facts) -> str:
    """The id of a cluster that was here before, as nodes and claims tell."""
    for node in facts.nodes.values():
        if node.cluster_id:
            return node.cluster_id
    return next((claim.cluster_id for claim in facts.claims.values() if claim.cluster_id), "")


def hibernate(facts: Facts) -> Action | Wait | None:
    """No replicas: no pods, and everything is kept."""
    if facts.spec is None or facts.spec.replicas or facts.set is None:
        return None
    if facts.set.replicas:
        found = facts.set
        return SetReplicas("spec.replicas is 0", found.uid, found.resource_version, 0)
    return Wait("Hibernated", "spec.replicas is 0; the claims keep everything")


def extent(facts: Facts) -> int:
    """How many pods there must be for every claim that may belong to a member to have its own: one
    without a name on it may be of a member that was not seen since it was admitted."""
    living = [c.ordinal for c in facts.claims.values() if not c.dead and not c.deleting]
    return max(living, default=-1) + 1


def wake(facts: Facts) -> Action | None:
    """All members come back, not only as many as are asked for now: shrinking is a change of
    membership."""
    if facts.spec is None or facts.set is None or facts.set.replicas:
        return None
    wanted = max(facts.spec.replicas if not extent(facts) else 0, extent(facts))
    found = facts.set
    return SetReplicas("pods are wanted", found.uid, found.resource_version, wanted)


def latch(facts: Facts) -> Action | Wait | None:
    """Before anything is founded, note by whom: only that disk may."""
    if facts.latched_id and facts.seed_disk:
        return None
    trace = _traces(facts)
    if trace and trace == facts.cluster_id:
        return Latch("a cluster of this id is here already", trace, "none")
    seed = facts.nodes.get(0)
    if seed is None or seed.role != "joining" or not seed.disk_id:
        return Wait("SeedStarting", f"waiting for pod {facts.name}-0 to answer")
    return Latch("the first node is up", facts.cluster_id, seed.disk_id)


def bootstrap(facts: Facts) -> Action | Wait | None:
    """Found the cluster, unless there is any sign that it was founded."""
    if _traces(facts):
        return None
    for ordinal, node in facts.nodes.items():
        if node.role == "joining" and node.disk_id == facts.seed_disk:
            return Bootstrap("the cluster is new", ordinal, facts.cluster_id, node.disk_id)
    return None
