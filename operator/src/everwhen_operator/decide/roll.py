"""Pods are replaced by newer ones: learners, then followers, the leader last and only after
another leads."""

from __future__ import annotations

from everwhen_operator import names
from everwhen_operator.decide.group import Group
from everwhen_operator.decide.membership import best_successor
from everwhen_operator.model.actions import Action, DeletePod, RaiseLevel, Transfer, Wait
from everwhen_operator.model.facts import Facts, PodFact
from everwhen_operator.model.spec import ClusterSpec


def staying(facts: Facts, spec: ClusterSpec) -> list[PodFact]:
    """Pods beyond what is asked for leave as they are."""
    return [pod for pod in facts.pods.values() if pod.ordinal < spec.replicas]


def outdated(facts: Facts, spec: ClusterSpec) -> list[PodFact]:
    """Pods that are not what is asked for."""
    return [pod for pod in staying(facts, spec) if pod.revision != facts.revision]


def gate(
    facts: Facts, group: Group, spec: ClusterSpec, subject: PodFact, *, own_lag: bool = True
) -> Wait | None:
    """Whether the others carry the cluster while this pod is away. ``own_lag``: it must keep up
    itself."""
    for pod in staying(facts, spec):
        if pod.deleting:
            return Wait("PodStopping", f"{pod.name} is stopping")
        if pod.name == subject.name:
            continue
        if not pod.ready:
            return Wait("PodNotReady", f"{pod.name} is not ready: {pod.trouble or 'starting'}")
        settled = facts.now - pod.ready_since
        if pod.revision == facts.revision and settled < spec.upgrade.min_ready_seconds:
            return Wait("Settling", f"{pod.name} is ready for {settled:.0f} s")
    holder = group.holder(subject.ordinal)
    for node_id in group.voters:
        if node_id == holder and not own_lag:
            continue
        lag = group.members[node_id].lag
        if lag is None or lag > spec.upgrade.max_lag:
            return Wait("VoterLagging", f"node {node_id} is {lag} entries behind")
    whole = all(map(group.serves, group.voters))
    if holder is not None and holder in group.voters and not group.quorum_without(holder):
        # one or two voters never decide without one of them: then all must be well
        if len(group.voters) > 2 or not whole:
            return Wait("QuorumAtRisk", f"without {subject.name} the others would not decide")
    return None


def rank(group: Group, pod: PodFact) -> tuple[int, int, int]:
    """Who goes first: learners, then followers, the furthest behind first, the leader last."""
    node_id = group.holder(pod.ordinal)
    leads = node_id == group.leader.node_id
    votes = node_id in group.voters
    lag = group.members[node_id].lag or 0 if node_id is not None else 0
    return (2 if leads else 1 if votes else 0, -lag, -pod.ordinal)


def roll(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """One pod, or the step before it."""
    old = outdated(facts, spec)
    if not old:
        return None
    updated = len(staying(facts, spec)) - len(old)
    if spec.upgrade.pause:
        return Wait("UpgradePaused", f"{len(old)} pods wait: spec.upgrade.pause", soft=True)
    if spec.upgrade.canary and updated >= spec.upgrade.canary:
        return Wait(
            "Canary", f"{updated} pods are new, {len(old)} wait: spec.upgrade.canary", soft=True
        )
    subject = min(old, key=lambda pod: rank(group, pod))
    blocked = gate(facts, group, spec, subject)
    if blocked is not None:
        return blocked
    node_id = group.holder(subject.ordinal)
    if node_id != group.leader.node_id or len(group.voters) == 1:
        return DeletePod(f"{subject.name} is not what is asked for", subject.name, subject.uid)
    successor = best_successor(facts, group, stay=spec.replicas, revision=facts.revision)
    if successor is None:
        # soft: with fewer members to stay there may be nobody to lead until the others have left
        return Wait("NoSuccessor", f"{subject.name} leads and no updated voter keeps up", soft=True)
    ordinal = group.ordinals[successor]
    to = "" if ordinal is None else names.pod(facts.name, ordinal)
    return Transfer(
        f"{to} leads before {subject.name} restarts", group.leader.ordinal, group.index, successor
    )


def finalize(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """What every member supports is used, once all of them ran it for a while."""
    supported = min((member.feature_level for member in group.members.values()), default=0)
    if supported <= group.leader.feature_level or outdated(facts, spec):
        return None
    if spec.upgrade.finalize == "Manual":
        return Wait(
            "LevelWaits",
            f"feature level {supported} may be used: spec.upgrade.finalize is Manual",
            soft=True,
        )
    updated = facts.memory.updated
    if updated is None or facts.now - updated < spec.upgrade.min_ready_seconds:
        return Wait("Soaking", "all pods are new; a moment before it is final", soft=True)
    return RaiseLevel(
        f"every member supports level {supported}", group.leader.ordinal, group.index, supported
    )
