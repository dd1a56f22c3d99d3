"""What may be done in any health, so that no gate can keep a cure from what ails."""

from __future__ import annotations

import json

from everwhen_operator import names
from everwhen_operator.decide.group import Group, group_of
from everwhen_operator.model.actions import (
    Action,
    ApplyObjects,
    DeleteObject,
    DeletePod,
    Fence,
    GrowClaim,
    LabelClaim,
    LabelPod,
    RecreateSet,
    Wait,
)
from everwhen_operator.model.facts import Facts, NodeFact, PodFact
from everwhen_operator.model.quantities import amount


def leave_alone(facts: Facts) -> Wait | None:
    """Objects that are going, paused or wrong are reported on and not touched."""
    if facts.deleting:
        return Wait("Deleting", "the object is being deleted")
    if facts.spec is None:
        return Wait("Invalid", facts.problem)
    if facts.spec.paused:
        return Wait("Paused", "spec.maintenance.paused is true")
    return None


def refuse_foreign_claims(facts: Facts) -> Wait | None:
    """A new object of an old name does not take over the data of the old one unasked."""
    foreign = sorted(
        claim.name
        for claim in facts.claims.values()
        if claim.cluster_id not in ("", facts.cluster_id)
    )
    if not foreign:
        return None
    other = next(c.cluster_id for c in facts.claims.values() if c.name == foreign[0])
    return Wait(
        "ClaimsOfAnotherCluster",
        f"{', '.join(foreign)} hold data of cluster {other}: delete them, or take the data over "
        f"with the annotation {names.ANNOTATION_ADOPT}: {other}",
    )


def apply_objects(facts: Facts) -> Action | None:
    """Services, settings, secrets and the StatefulSet are as they should be."""
    if facts.drifted:
        return ApplyObjects("objects differ from what is asked for", facts.drifted)
    return None


def delete_left_over(facts: Facts) -> Action | None:
    """What was turned off, or was for a pod that is gone."""
    for name, uid in facts.left_over:
        return DeleteObject(f"{name} is not wanted any more", name, uid)
    return None


def recreate_set(facts: Facts) -> Action | Wait | None:
    """The size of claims in a StatefulSet cannot change: it is deleted without its pods."""
    found, spec = facts.set, facts.spec
    if found is None or spec is None:
        return None
    if found.deleting:
        return Wait("SetDeleting", "the StatefulSet is being deleted")
    if amount(found.claim_size) < amount(spec.storage.size):
        return RecreateSet(f"new claims shall have {spec.storage.size}", found.uid)
    return None


def grow_claims(facts: Facts) -> Action | None:
    """Volumes grow; they never shrink."""
    if facts.spec is None:
        return None
    size = facts.spec.storage.size
    for claim in facts.claims.values():
        if not claim.deleting and not claim.dead and amount(claim.requested) < amount(size):
            return GrowClaim(f"{claim.name} has {claim.requested}", claim.name, claim.uid, size)
    return None


def delete_stuck_pods(facts: Facts) -> Action | None:
    """A pod that ended, or one that is not ready and not what is asked for: the next may be."""
    group = group_of(facts)
    for pod in facts.pods.values():
        if pod.deleting:
            continue
        if pod.phase in {"Failed", "Succeeded"}:
            return DeletePod(f"{pod.name} ended ({pod.phase})", pod.name, pod.uid)
        stuck = not pod.ready and pod.revision != facts.revision
        if stuck and _may_go(facts, group, pod):
            return DeletePod(
                f"{pod.name} is not ready and not what is asked for", pod.name, pod.uid
            )
    return None


def _may_go(facts: Facts, group: Group | Wait, pod: PodFact) -> bool:
    """A pod that is not ready may still be one of a majority."""
    node = facts.nodes.get(pod.ordinal)
    if node is None or node.role == "joining":
        return True
    if isinstance(group, Wait):
        return False
    if node.node_id == group.leader.node_id:
        return len(group.voters) == 1
    return node.node_id not in group.voters or group.quorum_without(node.node_id)


def role_of(node: NodeFact | None) -> str:
    """The label: leader, voter, learner, joining or fenced."""
    if node is None:
        return ""
    if node.role != "follower":
        return node.role
    return "voter" if node.node_id in node.voters else "learner"


def label_pods(facts: Facts) -> Action | None:
    """Labels follow what nodes say; a node that does not answer keeps its label, except that two
    never are the leader."""
    leaders = [o for o, node in facts.members().items() if node.role == "leader"]
    for ordinal, pod in sorted(facts.pods.items()):
        if pod.deleting:
            continue
        wanted = role_of(facts.nodes.get(ordinal)) or pod.role
        if ordinal not in facts.nodes and pod.role == "leader" and leaders:
            wanted = "voter"
        if wanted and wanted != pod.role:
            return LabelPod(f"{pod.name} is {wanted}", pod.name, pod.uid, wanted)
    return None


def label_claims(facts: Facts) -> Action | None:
    """A claim says which member wrote it, so that nobody else's data is ever taken for it."""
    for ordinal, node in sorted(facts.members().items()):
        claim = facts.claims.get(ordinal)
        if claim is None or claim.deleting or not node.node_id or claim.dead:
            continue
        if (claim.cluster_id, claim.node_id) != (node.cluster_id, node.node_id):
            labels = {
                names.LABEL_CLUSTER_ID: node.cluster_id,
                names.LABEL_NODE_ID: str(node.node_id),
            }
            return LabelClaim(
                f"{claim.name} is of node {node.node_id}", claim.name, claim.uid, labels
            )
    return None


def fence(facts: Facts) -> Action | None:
    """Nodes named in the annotation answer nobody."""
    text = facts.annotations.get(names.ANNOTATION_FENCE)
    if text is None:
        return None
    try:
        listed = json.loads(text)
    except ValueError:
        return None
    if not isinstance(listed, list):
        return None
    for ordinal, node in sorted(facts.members().items()):
        wanted = names.pod(facts.name, ordinal) in listed
        if wanted != (node.fenced is not None):
            verb = "out of" if wanted else "back in"
            return Fence(
                f"{names.pod(facts.name, ordinal)} {verb} service",
                ordinal,
                wanted,
                f"the annotation {names.ANNOTATION_FENCE}",
            )
    return None
