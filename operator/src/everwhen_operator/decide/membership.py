"""Who belongs to the group: one change at a time, each begun only when the others decide without
it, each finished before the next."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from everwhen_operator import names
from everwhen_operator.decide.group import Group
from everwhen_operator.model.actions import (
    Action,
    AddLearner,
    DeleteClaim,
    DeletePod,
    Demote,
    LabelClaim,
    Promote,
    RemoveMember,
    SetReplicas,
    Transfer,
    Wait,
)
from everwhen_operator.model.facts import ClaimFact, Facts
from everwhen_operator.model.spec import ClusterSpec

#: observations in a row in which a learner must keep up
KEPT_UP: Final = 3
_HOUR: Final = 3_600.0


def finish_change(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """A learner is promoted once it keeps up, or removed when it does not."""
    if group.leader.outgoing:
        return Wait("ConfigChanging", "a change of the configuration is under way")
    for node_id in group.learners:
        ordinal = group.ordinals.get(node_id)
        if ordinal is None or ordinal >= spec.replicas:
            continue  # on its way out
        since = facts.memory.learner.get(node_id, facts.now)
        name = names.pod(facts.name, ordinal)
        if _disk_is_gone(facts, group, node_id):
            why = f"{name} lost its disk while it was joining"
            return RemoveMember(why, group.leader.ordinal, group.index, node_id)
        if facts.memory.kept_up.get(node_id, 0) >= KEPT_UP:
            return Promote(f"{name} keeps up", group.leader.ordinal, group.index, node_id)
        if facts.now - since > spec.membership.join_deadline:
            why = f"{name} did not keep up within spec.membership.joinDeadline"
            return RemoveMember(why, group.leader.ordinal, group.index, node_id)
        lag = group.members[node_id].lag
        return Wait(
            "LearnerCatchingUp", f"{name} is {lag if lag is not None else '?'} entries behind"
        )
    return None


def _disk_is_gone(facts: Facts, group: Group, node_id: int) -> bool:
    """The pod of a member answers from another disk: the member's data is lost."""
    ordinal = group.ordinals.get(node_id)
    node = None if ordinal is None else facts.nodes.get(ordinal)
    return node is not None and node.disk_id not in ("", group.members[node_id].disk_id)


def replace_lost(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """A voter that lost its disk, or is away too long, is removed; its ordinal comes back under a
    new id."""
    for node_id in group.voters:
        ordinal = group.ordinals.get(node_id)
        name = f"node {node_id}" if ordinal is None else names.pod(facts.name, ordinal)
        gone = _disk_is_gone(facts, group, node_id)
        away = facts.now - facts.memory.alive.get(node_id, facts.now)
        if (
            ordinal is not None
            and not gone
            and (node_id in group.answers or away <= spec.membership.replace_after)
        ):
            continue
        if not group.quorum_without(node_id) or not group.quorum_after_removal(node_id):
            return Wait("ReplacementUnsafe", f"{name} is lost, and the others would not decide")
        recent = [t for t in facts.memory.replaced if facts.now - t < _HOUR]
        if len(recent) >= spec.membership.max_replacements_per_hour:
            return Wait(
                "ReplacementLimited",
                f"{name} is lost; spec.membership.maxReplacementsPerHour is reached",
                soft=True,
            )
        why = f"{name} lost its disk" if gone else f"{name} is away for {away:.0f} s"
        return RemoveMember(why, group.leader.ordinal, group.index, node_id, replaces=True)
    return None


def _left_over(facts: Facts, group: Group, claim: ClaimFact) -> bool:
    """What is on the claim was written by somebody who is no member any more."""
    return bool(claim.node_id) and claim.node_id not in group.ids


def discard_left_over(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """An ordinal that is wanted gets an empty disk: marked first, then deleted by its UID, its
    pod with it."""
    for ordinal in range(spec.replicas):
        claim = facts.claims.get(ordinal)
        if claim is None or group.holder(ordinal) is not None:
            continue
        pod = facts.pods.get(ordinal)
        if claim.deleting:
            if pod is not None and not pod.deleting:
                return DeletePod(f"{pod.name} holds a claim that goes", pod.name, pod.uid)
            return Wait("ClaimDeleting", f"{claim.name} is being deleted")
        if not _left_over(facts, group, claim):
            continue
        if not claim.dead:
            return mark_dead(claim)
        return DeleteClaim(
            f"{claim.name} is of node {claim.node_id}, which was removed", claim.name, claim.uid
        )
    return None


def mark_dead(claim: ClaimFact) -> LabelClaim:
    """So that its data never counts again."""
    return LabelClaim(
        f"node {claim.node_id} was removed",
        claim.name,
        claim.uid,
        {names.LABEL_DEAD_NODE_ID: str(claim.node_id)},
    )


def free_lost_machines(facts: Facts, group: Group, spec: ClusterSpec) -> Action | None:
    """A pod that is going for long and whose member was removed is held by a machine that is
    gone."""
    for ordinal, pod in facts.pods.items():
        claim = facts.claims.get(ordinal)
        removed = group.holder(ordinal) is None and claim is not None and claim.dead
        if pod.deleting and removed and ordinal not in facts.nodes:
            return DeletePod(f"{pod.name}'s machine is gone", pod.name, pod.uid, force=True)
    return None


def grow(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """Pod first, member second: a pod alone has no effect on the quorum."""
    found = facts.set
    if found is not None and found.replicas < spec.replicas:
        return SetReplicas(
            f"{spec.replicas} members are wanted", found.uid, found.resource_version, spec.replicas
        )
    waiting: Wait | None = None
    for ordinal in range(spec.replicas):
        if group.holder(ordinal) is not None:
            continue
        name = names.pod(facts.name, ordinal)
        node = facts.nodes.get(ordinal)
        if node is None or node.role != "joining":
            trouble = facts.pods[ordinal].trouble if ordinal in facts.pods else "no pod yet"
            waiting = waiting or Wait("PodStarting", f"{name} does not answer yet: {trouble}")
            continue
        return AddLearner(
            f"{name} is up",
            group.leader.ordinal,
            group.index,
            ordinal,
            name,
            node.disk_id,
            node.version,
            node.feature_level_supported,
            node.addresses,
        )
    return waiting


def shrink(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """From the highest ordinal: lead elsewhere, demote, remove; then the pod."""
    beyond = [
        (ordinal, node_id)
        for node_id in group.ids
        if (ordinal := group.ordinals.get(node_id)) is not None and ordinal >= spec.replicas
    ]
    via, index = group.leader.ordinal, group.index
    for ordinal, node_id in sorted(beyond, reverse=True):
        name = names.pod(facts.name, ordinal)
        why = f"{name} is one more than spec.replicas"
        if node_id not in group.voters:
            return RemoveMember(why, via, index, node_id)
        # of two, both serve (or nobody could say who leads), and the one that stays decides
        at_risk = len(group.voters) > 2 and not group.quorum_without(node_id)
        if at_risk or not group.quorum_after_removal(node_id):
            return Wait("ShrinkUnsafe", f"without {name} the others would not decide")
        if node_id != group.leader.node_id:
            return Demote(why, via, index, node_id)
        successor = best_successor(facts, group, stay=spec.replicas)
        if successor is None:
            return Wait("NoSuccessor", f"{name} leads and nobody that stays keeps up")
        return Transfer(why, via, index, successor)
    return None


def retire_pods(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """Pods beyond what is asked for and beyond every member go; their claims are marked first."""
    found = facts.set
    if found is None:
        return None
    highest = max(
        (o for one in group.ids if (o := group.ordinals.get(one)) is not None), default=-1
    )
    wanted = max(spec.replicas, highest + 1)
    for ordinal, claim in sorted(facts.claims.items()):
        left = _left_over(facts, group, claim)
        if ordinal >= wanted and left and not claim.dead and not claim.deleting:
            return mark_dead(claim)
    if found.replicas > wanted:
        return SetReplicas(f"{wanted} members are left", found.uid, found.resource_version, wanted)
    ending = ", ".join(pod.name for ordinal, pod in facts.pods.items() if ordinal >= wanted)
    return Wait("PodsEnding", f"{ending} stops", soft=True) if ending else None


def may_lead(facts: Facts, group: Group, node_id: int, *, stay: int) -> bool:
    """A voter that serves, stays, and answers statements."""
    ordinal = group.ordinals.get(node_id)
    pod = None if ordinal is None else facts.pods.get(ordinal)
    return (
        node_id in group.voters
        and pod is not None
        and pod.ordinal < stay
        and pod.ready
        and not pod.deleting
        and group.serves(node_id)
        and group.answers[node_id].fenced is None
    )


def best_successor(
    facts: Facts,
    group: Group,
    *,
    stay: int,
    revision: str | None = None,
    besides: Collection[int] = (),
) -> int | None:
    """The voter furthest along that may lead and runs what is asked for; none of ``besides``,
    which are ordinals."""
    found: list[tuple[int, int]] = []
    for node_id in group.voters:
        if node_id == group.leader.node_id or not may_lead(facts, group, node_id, stay=stay):
            continue
        ordinal = group.ordinals[node_id]
        if ordinal is None or ordinal in besides:
            continue
        if revision is not None and facts.pods[ordinal].revision != revision:
            continue
        found.append((-(group.members[node_id].lag or 0), node_id))
    return max(found)[1] if found else None
