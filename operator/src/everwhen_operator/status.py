"""What the object's status says: conditions with their reasons, who belongs, what is awaited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from everwhen_operator import names
from everwhen_operator.decide.cures import role_of
from everwhen_operator.decide.group import Group, group_of
from everwhen_operator.decide.roll import outdated
from everwhen_operator.model.actions import Action, Decision, Wait
from everwhen_operator.model.facts import Facts, NodeFact

Object = dict[str, Any]
#: numbers that always move; they are written along with what matters
_MOVING: Final = frozenset(
    {"commitIndex", "matchIndex", "lag", "term", "oldestReadable", "diskUsedPercent"}
)
_HARMLESS: Final = frozenset({"Settled", "UpgradePaused", "Canary", "LevelWaits", "Soaking"})
_BAD: Final = frozenset(
    {
        "Invalid",
        "ClaimsOfAnotherCluster",
        "ReplacementUnsafe",
        "ReplacementLimited",
        "QuorumNotProven",
        "NoLeader",
        "MajorityLost",
        "RecoveryFenced",
        "NoMemberAnswers",
        "ActionFailed",
    }
)


def text_of(moment: float) -> str:
    """As Kubernetes writes times."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def status_of(
    facts: Facts, decision: Decision, old: Mapping[str, Any], *, epoch: int, failure: str = ""
) -> Object:
    """The whole status. ``failure``: how the last action ended, if badly."""
    group = group_of(facts)
    spec = facts.spec
    leader = None if isinstance(group, Wait) else group.leader
    found: Object = {
        "observedGeneration": facts.generation,
        "clusterId": facts.latched_id or None,
        "selector": ",".join(f"{k}={v}" for k, v in names.selector(facts.name).items()),
        "replicas": 0 if facts.set is None else facts.set.replicas,
        "readyReplicas": sum(pod.ready for pod in facts.pods.values()),
        "target": {
            "hash": facts.revision,
            "replicas": 0 if spec is None else spec.replicas,
            "version": "" if spec is None else spec.version,
        },
        "operatorEpoch": epoch,
        "members": [_member(facts, group, ordinal) for ordinal in sorted(facts.pods)],
        "phase": _phase(facts, decision, group),
        "blockedBy": [{"reason": w.reason, "message": _said(w)} for w in _awaited(decision)],
    }
    if leader is not None:
        found |= {
            "leader": names.pod(facts.name, leader.ordinal),
            "term": leader.term,
            "configIndex": leader.config_index,
            "commitIndex": leader.commit_index,
            "featureLevel": str(leader.feature_level),
            "oldestReadable": leader.oldest_readable,
        }
    if isinstance(decision.what, Action):
        found["action"] = {"name": type(decision.what).__name__, "message": decision.what.why}
    found["conditions"] = _conditions(facts, decision, group, old, failure)
    return {key: value for key, value in found.items() if value is not None}


def _awaited(decision: Decision) -> list[Wait]:
    return [wait for wait in decision.blocked_by if wait.reason != "Settled"]


def _said(wait: Wait) -> str:
    return f"task {wait.task}: {wait.message}" if wait.task else wait.message


def _member(facts: Facts, group: Group | Wait, ordinal: int) -> Object:
    pod, node = facts.pods[ordinal], facts.nodes.get(ordinal)
    claim = facts.claims.get(ordinal)
    found: Object = {
        "name": pod.name,
        "ordinal": ordinal,
        "ready": pod.ready,
        "revision": pod.revision,
        "role": _role(group, ordinal, node),
        "host": pod.host or None,
        "pvcUid": None if claim is None else claim.uid,
    }
    if node is not None:
        total = node.disk_used + node.disk_free
        found |= {
            "nodeId": str(node.node_id) if node.node_id else None,
            "version": node.version,
            "diskUsedPercent": round(100 * node.disk_used / total) if total else None,
        }
    if not isinstance(group, Wait):
        known = group.members.get(group.holder(ordinal) or 0)
        if known is not None and known.lag is not None:
            found |= {"lag": known.lag, "matchIndex": group.leader.last_index - known.lag}
    return {key: value for key, value in found.items() if value is not None}


def _role(group: Group | Wait, ordinal: int, node: NodeFact | None) -> str:
    role = role_of(node)
    if node is not None and node.node_id and not isinstance(group, Wait):
        # one that was removed may not have heard of it, and a pod that ends still answers
        role = role if node.node_id in group.ids else "removed"
    if role == "follower":
        role = "voter"
    if not role and not isinstance(group, Wait):
        holder = group.holder(ordinal)
        role = "voter" if holder in group.voters else "learner" if holder else ""
    return role.capitalize() or "Unknown"


def _phase(facts: Facts, decision: Decision, group: Group | Wait) -> str:
    what = decision.what
    if isinstance(what, Wait):
        if what.reason in {"Paused", "Hibernated", "Deleting", "Invalid"}:
            return what.reason
        if what.reason in _HARMLESS:
            return "Running"
    if not facts.latched_id:
        return "Creating"
    return "Unavailable" if isinstance(group, Wait) else "Reconciling"


def _conditions(
    facts: Facts,
    decision: Decision,
    group: Group | Wait,
    old: Mapping[str, Any],
    failure: str,
) -> list[Object]:
    what = decision.what
    settled = isinstance(what, Wait) and what.reason in _HARMLESS
    spec = facts.spec
    why = (what.reason, what.message) if isinstance(what, Wait) else (type(what).__name__, what.why)
    quorum = (group.reason, group.message) if isinstance(group, Wait) else ("Majority", "")
    serving = [
        pod for pod in facts.pods.values() if pod.ready and facts.nodes.get(pod.ordinal) is not None
    ]
    available = not isinstance(group, Wait) and bool(serving) and not group.leader.writes_refused
    whole = (
        available
        and settled
        and spec is not None
        and not isinstance(group, Wait)
        and len(group.voters) == spec.replicas
        and all(map(group.serves, group.voters))
        and all(pod.ready for pod in facts.pods.values())
    )
    bad = next((wait for wait in decision.blocked_by if wait.reason in _BAD), None)
    troubled = [f"{p.name}: {p.trouble}" for p in facts.pods.values() if _failing(facts, p.ordinal)]
    behind = _behind(facts, decision)
    full = [
        f"{names.pod(facts.name, o)}: {node.writes_refused}"
        for o, node in facts.nodes.items()
        if node.writes_refused
    ]
    paused = isinstance(what, Wait) and what.reason == "Paused"
    reached = ("Reached", f"{len(serving)} members serve")
    degraded = (bad.reason, bad.message) if bad else ("PodFailing", "; ".join(troubled))
    if failure:
        degraded = ("ActionFailed", failure)
    rows = [
        ("Ready", whole, reached if whole else why),
        ("Available", available, ("LeaderServes", "") if available else quorum),
        ("Progressing", not settled and not paused, why),
        (
            "Degraded",
            bool(bad or troubled or failure),
            degraded if bad or troubled or failure else ("AsExpected", ""),
        ),
        ("QuorumHealthy", not isinstance(group, Wait), quorum),
        (
            "UpToDate",
            behind is None and bool(facts.pods),
            behind or ("Reached", ""),
        ),
        ("StorageOK", not full, ("WritesRefused", "; ".join(full)) if full else ("Enough", "")),
        ("Paused", paused, why if paused else ("Active", "")),
    ]
    before = {each["type"]: each for each in old.get("conditions") or []}
    return [_condition(facts, before, *row) for row in rows]


def _behind(facts: Facts, decision: Decision) -> tuple[str, str] | None:
    """How pods differ from what is asked for."""
    if facts.spec is not None and (old := outdated(facts, facts.spec)):
        return "PodsOutdated", ", ".join(pod.name for pod in old)
    arriving = (wait for wait in decision.blocked_by if wait.reason == "SettingsArriving")
    return next(((wait.reason, wait.message) for wait in arriving), None)


def _failing(facts: Facts, ordinal: int) -> bool:
    """It does not start, for a reason that waiting does not cure."""
    trouble = facts.pods[ordinal].trouble
    return trouble.startswith(
        ("CrashLoopBackOff", "ImagePullBackOff", "ErrImage", "InvalidImageName", "CreateContainer")
    )


def _condition(
    facts: Facts,
    before: Mapping[str, Mapping[str, Any]],
    kind: str,
    holds: bool,
    why: tuple[str, str],
) -> Object:
    status = "True" if holds else "False"
    old = before.get(kind, {})
    same = old.get("status") == status
    return {
        "type": kind,
        "status": status,
        "reason": why[0],
        "message": why[1][:1_000],
        "observedGeneration": facts.generation,
        "lastTransitionTime": old.get("lastTransitionTime") if same else text_of(facts.now),
    }


def matters(status: Any) -> Any:
    """The status without the numbers that always move."""
    if isinstance(status, Mapping):
        return {k: matters(v) for k, v in status.items() if k not in _MOVING}
    if isinstance(status, list):
        return [matters(each) for each in status]
    return status
