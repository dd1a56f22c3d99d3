"""The next step of a task that a majority must carry: restart, transfer, replace, fence.

Each has the gates that the spec's own changes have. A step that may not be taken now is a wait that
holds up nobody else.
"""

from __future__ import annotations

from everwhen_operator import names
from everwhen_operator.decide.group import Group
from everwhen_operator.decide.membership import best_successor, may_lead
from everwhen_operator.decide.roll import gate, rank, staying
from everwhen_operator.model.actions import (
    Action,
    BeginTask,
    DeletePod,
    Fence,
    FinishTask,
    RemoveMember,
    Transfer,
    Wait,
)
from everwhen_operator.model.facts import Facts, PodFact
from everwhen_operator.model.spec import ClusterSpec
from everwhen_operator.model.tasks import Subject, TaskFact


def begin(task: TaskFact, pods: list[PodFact], group: Group | None = None) -> BeginTask:
    """Note what it is about."""
    subjects = tuple(
        Subject(pod.name, pod.uid, 0 if group is None else group.holder(pod.ordinal) or 0)
        for pod in pods
    )
    why = f"{task.action} begins: {', '.join(pod.name for pod in pods)}"
    return BeginTask(why, task.name, task.uid, task.resource_version, subjects)


def succeed(task: TaskFact, why: str, **result: str) -> FinishTask:
    """It is done."""
    return FinishTask(why, task.name, task.uid, task.resource_version, True, "Done", result)


def fail(task: TaskFact, reason: str, why: str) -> FinishTask:
    """It cannot be done."""
    return FinishTask(why, task.name, task.uid, task.resource_version, False, reason)


def wait(task: TaskFact, reason: str, message: str) -> Wait:
    """Only this task waits."""
    return Wait(reason, message, soft=True, task=task.name)


def chosen(facts: Facts, task: TaskFact) -> list[PodFact] | FinishTask:
    """The pods a task names; all of them where it names none."""
    if not task.pods:
        return list(facts.pods.values())
    by_name = {pod.name: pod for pod in facts.pods.values()}
    missing = [name for name in task.pods if name not in by_name]
    if missing:
        return fail(task, "NoSuchPod", f"there is no pod {', '.join(missing)}")
    return [by_name[name] for name in task.pods]


def restart(facts: Facts, group: Group, spec: ClusterSpec, task: TaskFact) -> Action | Wait:
    """One pod after another is deleted, the leader last and after another leads."""
    if not task.begun:
        pods = chosen(facts, task)
        if isinstance(pods, FinishTask):
            return pods
        return begin(task, [pod for pod in pods if task.pods or pod in staying(facts, spec)], group)
    here = {pod.name: pod for pod in staying(facts, spec)}
    left = [here[s.pod] for s in task.subjects if s.pod in here and here[s.pod].uid == s.uid]
    if not left:
        waiting = [s.pod for s in task.subjects if _stays(facts, spec, s) and not _ready(here, s)]
        if waiting:
            return wait(task, "PodNotReady", f"{waiting[0]} is not ready yet")
        return succeed(task, f"restarted {', '.join(s.pod for s in task.subjects)}")
    subject = min(left, key=lambda pod: rank(group, pod))
    if subject.revision != facts.revision:
        return wait(task, "UpgradePaused", f"{subject.name} would become another build or settings")
    blocked = gate(facts, group, spec, subject, own_lag=False)
    if blocked is not None:
        return wait(task, blocked.reason, blocked.message)
    if group.holder(subject.ordinal) == group.leader.node_id and len(group.voters) > 1:
        return _hand_over(facts, group, spec, task)
    return DeletePod(f"task {task.name} restarts {subject.name}", subject.name, subject.uid)


def _stays(facts: Facts, spec: ClusterSpec, subject: Subject) -> bool:
    ordinal = facts.ordinal_of(subject.pod)
    return ordinal is not None and ordinal < spec.replicas


def _ready(here: dict[str, PodFact], subject: Subject) -> bool:
    return subject.pod in here and here[subject.pod].ready and not here[subject.pod].deleting


def _hand_over(facts: Facts, group: Group, spec: ClusterSpec, task: TaskFact) -> Action | Wait:
    """The leader leads no more; who takes over is none of those the task is about, if it can be."""
    about = [o for s in task.subjects if (o := facts.ordinal_of(s.pod)) is not None]
    successor = best_successor(facts, group, stay=spec.replicas, besides=about)
    if successor is None and task.action != "Fence":
        successor = best_successor(facts, group, stay=spec.replicas)
    if successor is None:
        lead = names.pod(facts.name, group.leader.ordinal)
        return wait(task, "NoSuccessor", f"{lead} leads and no other voter keeps up")
    return _transfer_to(facts, group, task, successor)


def _transfer_to(facts: Facts, group: Group, task: TaskFact, node_id: int) -> Transfer:
    ordinal = group.ordinals[node_id]
    to = f"node {node_id}" if ordinal is None else names.pod(facts.name, ordinal)
    why = f"task {task.name}: {to} is to lead"
    return Transfer(why, group.leader.ordinal, group.index, node_id)


def transfer(facts: Facts, group: Group, spec: ClusterSpec, task: TaskFact) -> Action | Wait:
    """Another voter leads; the one that is named, or the furthest along."""
    lead = names.pod(facts.name, group.leader.ordinal)
    wanted = task.pods[0] if task.pods else ""
    if not task.begun:
        if isinstance(pods := chosen(facts, task), FinishTask):
            return pods
        return begin(task, [pod for pod in facts.pods.values() if pod.name == lead], group)
    before = task.subjects[0].node_id if task.subjects else 0
    if lead == wanted or (not wanted and group.leader.node_id != before):
        return succeed(task, f"{lead} leads", leader=lead, term=str(group.leader.term))
    if not wanted:
        successor = best_successor(facts, group, stay=spec.replicas)
        if successor is None:
            return wait(task, "NoSuccessor", f"{lead} leads and no other voter keeps up")
        return _transfer_to(facts, group, task, successor)
    ordinal = facts.ordinal_of(wanted)
    node_id = None if ordinal is None else group.holder(ordinal)
    if node_id is None or not may_lead(facts, group, node_id, stay=spec.replicas):
        return wait(task, "CannotLead", f"{wanted} is no voter that serves, is ready and stays")
    lag = group.members[node_id].lag
    if lag is None or lag > spec.upgrade.max_lag:
        return wait(task, "VoterLagging", f"{wanted} is {lag} entries behind")
    return _transfer_to(facts, group, task, node_id)


def replace(facts: Facts, group: Group, spec: ClusterSpec, task: TaskFact) -> Action | Wait:
    """A member leaves; that its pod comes back under another id is what growing does anyway."""
    name = task.pods[0] if task.pods else ""
    ordinal = facts.ordinal_of(name)
    holder = None if ordinal is None else group.holder(ordinal)
    if ordinal is None or ordinal >= spec.replicas:
        return fail(task, "NoSuchPod", f"{name} is not to be there, as spec.replicas says")
    pod = facts.pods.get(ordinal, PodFact(name, ordinal, ""))
    if not task.begun:
        if holder is None:
            return fail(task, "NoMember", f"{name} holds no member of the group")
        return begin(task, [pod], group)
    before = task.subjects[0].node_id if task.subjects else 0
    if holder != before:
        if holder in group.voters and pod.ready:
            was = f"node {before} was replaced by node {holder}"
            return succeed(task, f"{name}: {was}", nodeId=str(holder), replaced=str(before))
        return wait(task, "Rejoining", f"{name} comes back on an empty volume")
    if len(group.voters) <= 2:
        return fail(task, "TooFewVoters", "one or two voters cannot do without one: scale to 3")
    blocked = gate(facts, group, spec, pod, own_lag=False)
    if blocked is not None:
        return wait(task, blocked.reason, blocked.message)
    if not group.quorum_without(before) or not group.quorum_after_removal(before):
        return wait(task, "QuorumAtRisk", f"without {name} the others would not decide")
    if before == group.leader.node_id:
        return _hand_over(facts, group, spec, task)
    return RemoveMember(
        f"task {task.name} replaces {name}", group.leader.ordinal, group.index, before
    )


def fence(facts: Facts, group: Group, spec: ClusterSpec, task: TaskFact) -> Action | Wait:
    """Pods answer nobody and never lead, as long as somebody else can."""
    if not task.begun:
        return begin_fence(facts, task)
    away = []
    for subject in task.subjects:
        ordinal = facts.ordinal_of(subject.pod)
        node = None if ordinal is None else facts.members().get(ordinal)
        if ordinal is None or node is None:
            away.append(subject.pod)
        elif node.fenced is None:
            if node.node_id == group.leader.node_id:
                return _hand_over(facts, group, spec, task)
            if not _others_serve(facts, group, spec, task):
                return wait(task, "NobodyLeft", "no other voter would serve")
            reason = task.reason or f"task {task.name}"
            return Fence(f"{subject.pod} out of service", ordinal, True, reason)
    if away:
        return wait(task, "PodNotAnswering", f"{away[0]} does not answer")
    return succeed(task, "out of service")


def begin_fence(facts: Facts, task: TaskFact) -> Action:
    """The annotation says the same in another way; it would undo what a task does."""
    if names.ANNOTATION_FENCE in facts.annotations:
        why = f"the annotation {names.ANNOTATION_FENCE} says who is fenced; change or remove it"
        return fail(task, "AnnotationDecides", why)
    pods = chosen(facts, task)
    return pods if isinstance(pods, FinishTask) else begin(task, pods)


def _others_serve(facts: Facts, group: Group, spec: ClusterSpec, task: TaskFact) -> bool:
    about = {facts.ordinal_of(name) for name in task.pods}
    return any(
        group.ordinals.get(one) not in about and may_lead(facts, group, one, stay=spec.replicas)
        for one in group.voters
    )
