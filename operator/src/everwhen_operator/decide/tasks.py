"""Operations asked for once. One task of a cluster is worked on at a time, the oldest first, and
what it waits for never holds up the cluster. Diagnose changes nothing and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from everwhen_operator.decide import task_steps as steps
from everwhen_operator.decide.group import Group
from everwhen_operator.model import tasks as t
from everwhen_operator.model.actions import (
    Action,
    Decision,
    Diagnose,
    Fence,
    FinishTask,
    ForgetTask,
    TakeSnapshot,
    TaskAction,
    Wait,
)
from everwhen_operator.model.facts import Facts
from everwhen_operator.model.spec import ClusterSpec
from everwhen_operator.model.tasks import TaskFact

_Step = Callable[[Facts, Group, ClusterSpec, TaskFact], Action | Wait]
#: before a roll: it is planned anew if the leader or a member has changed
_EARLY: Final[Mapping[str, _Step]] = {
    t.TRANSFER: steps.transfer,
    t.REPLACE: steps.replace,
    t.FENCE: steps.fence,
}


def unfinished(facts: Facts) -> list[TaskFact]:
    """What is to be done, the oldest first."""
    return [task for task in facts.tasks if not task.finished and not task.deleting]


def current(facts: Facts) -> TaskFact | None:
    """The one that is worked on: the one that has begun, or else the oldest."""
    queue = [task for task in unfinished(facts) if task.action != t.DIAGNOSE]
    return next((task for task in queue if task.begun), queue[0] if queue else None)


def expire(facts: Facts) -> Action | None:
    """What can never be done, or not in time, has failed. That changes nothing of the cluster."""
    for task in unfinished(facts):
        if task.problem:
            return steps.fail(task, "Invalid", task.problem)
        if task.begun and task.cluster_uid not in ("", facts.uid):
            return steps.fail(task, "ClusterGone", "the cluster that it was begun on is gone")
        if facts.now > task.ends:
            waited = f"; it waited for: {task.message}" if task.message else ""
            why = f"not finished within {task.deadline:g} s{waited}"
            return steps.fail(task, "DeadlineExceeded", why)
    return None


def forget(facts: Facts) -> Action | None:
    """Of finished tasks the newest are kept."""
    done = sorted(
        (task for task in facts.tasks if task.finished and not task.deleting),
        key=lambda task: (task.finished_at, task.created, task.name),
    )
    if len(done) <= t.FINISHED_KEPT:
        return None
    task = done[0]
    why = f"{t.FINISHED_KEPT} newer tasks have finished"
    return ForgetTask(why, task.name, task.uid, task.resource_version)


def in_any_health(facts: Facts) -> Action | Wait | None:
    """What looks, copies or brings back, whoever leads."""
    asked = next((task for task in unfinished(facts) if task.action == t.DIAGNOSE), None)
    if asked is not None:
        wanted = asked.pods or tuple(pod.name for pod in facts.pods.values())
        ordinals = tuple(o for name in wanted if (o := facts.ordinal_of(name)) is not None)
        why = f"task {asked.name}: every node is asked"
        return Diagnose(why, asked.name, asked.uid, asked.resource_version, ordinals)
    task = current(facts)
    if task is not None and task.action == t.SNAPSHOT:
        return _snapshot(facts, task)
    if task is not None and task.action == t.FENCE and task.lift:
        return _lift(facts, task)
    return None


def _snapshot(facts: Facts, task: TaskFact) -> Action | Wait:
    """Each node copies its record; what came of it is noted pod by pod."""
    members = facts.members()
    if not task.begun:
        pods = steps.chosen(facts, task)
        if isinstance(pods, FinishTask):
            return pods
        pods = [pod for pod in pods if task.pods or pod.ordinal in members]
        if not pods:
            return steps.wait(task, "NoMemberAnswers", "no member of the cluster answers")
        return steps.begin(task, pods)
    away = []
    for subject in task.left():
        ordinal = facts.ordinal_of(subject.pod)
        if ordinal is not None and ordinal in members:
            why = f"task {task.name}: {subject.pod} copies its record"
            return TakeSnapshot(why, task.name, task.uid, task.resource_version, ordinal)
        away.append(subject.pod)
    if away:
        return steps.wait(task, "PodNotAnswering", f"{away[0]} does not answer")
    return steps.succeed(task, f"snapshots of {len(task.subjects)} nodes")


def _lift(facts: Facts, task: TaskFact) -> Action | Wait:
    if not task.begun:
        return steps.begin_fence(facts, task)
    away = []
    for subject in task.subjects:
        ordinal = facts.ordinal_of(subject.pod)
        node = None if ordinal is None else facts.members().get(ordinal)
        if ordinal is None or node is None:
            away.append(subject.pod)
        elif node.fenced is not None:
            return Fence(f"{subject.pod} back in service", ordinal, False)
    if away:
        return steps.wait(task, "PodNotAnswering", f"{away[0]} does not answer")
    return steps.succeed(task, "back in service")


def change(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """Who leads, who belongs, who is in service."""
    task = current(facts)
    step = None if task is None else _EARLY.get(task.action)
    if task is None or step is None or (task.action == t.FENCE and task.lift):
        return None
    return step(facts, group, spec, task)


def restart(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """Once nothing else is to be done."""
    task = current(facts)
    if task is None or task.action != t.RESTART:
        return None
    return steps.restart(facts, group, spec, task)


def awaited(facts: Facts, decision: Decision) -> dict[str, Wait]:
    """What each task that is not finished waits for; one that a step is taken for is absent."""
    found: dict[str, Wait] = {}
    now, what = current(facts), decision.what
    for task in unfinished(facts):
        if isinstance(what, TaskAction) and what.task == task.name:
            continue
        own = next((wait for wait in decision.blocked_by if wait.task == task.name), None)
        if own is not None:
            found[task.name] = own
        elif now is not None and task is not now and task.action != t.DIAGNOSE:
            found[task.name] = Wait("Queued", f"task {now.name} is worked on first")
        elif isinstance(what, Wait):
            found[task.name] = Wait(what.reason, what.message)
        else:
            found[task.name] = Wait(type(what).__name__, what.why)
    return found
