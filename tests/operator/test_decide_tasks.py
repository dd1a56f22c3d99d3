"""Tasks in the order of decision, a row a case: what is observed, and the one thing that is done,
or what the task waits for while the cluster is as it should be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from everwhen_operator import names
from everwhen_operator.decide import SETTLED, decide
from everwhen_operator.decide.tasks import awaited
from everwhen_operator.model import actions as a
from everwhen_operator.model.facts import Facts, MemberFact, Memory
from everwhen_operator.model.tasks import FINISHED_KEPT, Subject, TaskFact
from tests.operator.cluster_facts import (
    NOW,
    UID,
    but,
    configured,
    joining,
    member,
    node,
    pod,
    settled,
    spec,
)


def task(action: str, *pods: str, name: str = "do", **more: Any) -> TaskFact:
    """A task that was made a minute ago."""
    kept: dict[str, Any] = {"created": NOW - 60, "pods": pods}
    return TaskFact(name, f"task-{name}", "9", action, **(kept | more))


def begun(action: str, *ordinals: int, **more: Any) -> TaskFact:
    """One that was begun on these pods as they are in a settled cluster."""
    pods = tuple(f"graph-{o}" for o in ordinals)
    subjects = tuple(Subject(f"graph-{o}", f"pod-{o}", o + 1) for o in ordinals)
    kept: dict[str, Any] = {"phase": "Running", "cluster_uid": UID, "subjects": subjects}
    return task(action, *pods, **(kept | more))


def given(*tasks: TaskFact, facts: Facts | None = None) -> Facts:
    return replace(settled() if facts is None else facts, tasks=tasks)


def again(ordinal: int, **more: Any) -> Any:
    """A pod that came back as another, a while ago."""
    return replace(pod(ordinal, **more), uid=f"pod-{ordinal} anew")


def done(number: int) -> TaskFact:
    return task("Restart", name=f"old-{number}", phase="Succeeded", finished_at=NOW - number)


def lagging(ordinal: int, lag: int) -> tuple[MemberFact, ...]:
    return tuple(member(o, lag=lag if o == ordinal else 0) for o in range(3))


FENCED: Final = {2: node(2, role="fenced", fenced="it is ill")}
OUT: Final = {2: pod(2, ready=False, role="fenced")}
ALL: Final = (0, 1, 2)

CASES: Final[dict[str, tuple[Facts, type, str]]] = {
    # whatever it asks for
    "one that cannot be": (
        given(task("Dance", problem="spec.action must be one of")), a.FinishTask, "must be one of"),
    "one that was not done in time": (
        given(begun("Restart", 2, created=NOW - 9_000, message="graph-1 is not ready")),
        a.FinishTask, "it waited for: graph-1 is not ready"),
    "out of time while paused": (
        given(task("Restart", created=NOW - 9_000),
              facts=settled(spec=spec(maintenance={"paused": True}))),
        a.FinishTask, "not finished within"),
    "in time while paused": (
        given(task("Snapshot"), facts=settled(spec=spec(maintenance={"paused": True}))),
        a.Wait, "Paused"),
    "begun on an earlier cluster of the name": (
        given(begun("Restart", 2, cluster_uid="other")), a.FinishTask, "cluster"),
    "many that have finished": (
        given(*(done(n) for n in range(FINISHED_KEPT + 1))), a.ForgetTask, "newer tasks"),
    "the spec comes first": (
        given(begun("Restart", 2), facts=settled(5, spec=spec(replicas=3))), a.Demote, "graph-4"),
    # restart
    "all of them": (given(task("Restart")), a.BeginTask, "graph-0, graph-1, graph-2"),
    "a pod that is not there": (given(task("Restart", "graph-7")), a.FinishTask, "no pod graph-7"),
    "followers first": (given(begun("Restart", *ALL)), a.DeletePod, "restarts graph-2"),
    "then the next": (
        given(begun("Restart", *ALL), facts=but(settled(), pods={2: again(2)})),
        a.DeletePod, "restarts graph-1"),
    "the leader hands over before": (
        given(begun("Restart", *ALL), facts=but(settled(), pods={1: again(1), 2: again(2)})),
        a.Transfer, "graph-2 is to lead"),
    "nobody to hand over to": (
        given(begun("Restart", 0), facts=settled(1)), a.DeletePod, "restarts graph-0"),
    "all came back": (
        given(begun("Restart", 1, 2), facts=but(settled(), pods={1: again(1), 2: again(2)})),
        a.FinishTask, "restarted graph-1, graph-2"),
    # transfer
    "somebody else is to lead": (given(task("TransferLeader")), a.BeginTask, "graph-0"),
    "whoever is furthest along": (
        given(begun("TransferLeader", 0, pods=()),
              facts=configured(settled(), members=lagging(2, 7))),
        a.Transfer, "graph-1 is to lead"),
    "the one that is named": (
        given(begun("TransferLeader", 0, pods=("graph-1",))), a.Transfer, "graph-1 is to lead"),
    "it leads already": (given(begun("TransferLeader", 0)), a.FinishTask, "graph-0 leads"),
    "another leads by now": (
        given(begun("TransferLeader", 1, pods=())), a.FinishTask, "graph-0 leads"),
    # replace
    "a member is to go": (given(task("ReplaceMember", "graph-2")), a.BeginTask, "graph-2"),
    "a pod without a member": (
        given(task("ReplaceMember", "graph-2"),
              facts=configured(but(settled(), nodes={2: joining(2)},
                                   pods={2: pod(2, role="joining", ready=False)},
                                   claims={2: None}),
                               voters=(1, 2), members=tuple(member(o) for o in range(2)))),
        a.AddLearner, "graph-2 is up"),
    "beyond what is asked for": (
        given(task("ReplaceMember", "graph-7")), a.FinishTask, "spec.replicas"),
    "it goes": (given(begun("ReplaceMember", 2)), a.RemoveMember, "replaces graph-2"),
    "one that does not answer goes": (
        given(begun("ReplaceMember", 2),
              facts=but(configured(settled(memory=Memory(alive={1: NOW, 2: NOW, 3: NOW - 9})),
                                   members=lagging(2, 9_999)),
                        nodes={2: None}, pods={2: pod(2, ready=False)})),
        a.RemoveMember, "replaces graph-2"),
    "one that leads hands over": (
        given(begun("ReplaceMember", 0)), a.Transfer, "graph-2 is to lead"),
    "of two nobody can go": (
        given(begun("ReplaceMember", 1), facts=settled(2)), a.FinishTask, "scale to 3"),
    "it is there under another id": (
        given(begun("ReplaceMember", 2, subjects=(Subject("graph-2", "pod", 9),))),
        a.FinishTask, "node 9 was replaced by node 3"),
    # fence
    "out of service": (given(task("Fence", "graph-2")), a.BeginTask, "graph-2"),
    "the annotation decides": (
        given(task("Fence", "graph-2"), facts=settled(annotations={names.ANNOTATION_FENCE: "[]"})),
        a.FinishTask, "annotation"),
    "it is told": (
        given(begun("Fence", 2, reason="it is ill")), a.Fence, "graph-2 out of service"),
    "the leader is to be out": (given(begun("Fence", 0, 2)), a.Transfer, "graph-1 is to lead"),
    "it is out": (
        given(begun("Fence", 2), facts=but(settled(), nodes=FENCED, pods=OUT)),
        a.FinishTask, "out of service"),
    "back in service": (
        given(begun("Fence", 2, lift=True), facts=but(settled(), nodes=FENCED, pods=OUT)),
        a.Fence, "back in service"),
    "back, though nobody leads": (
        given(begun("Fence", 2, lift=True),
              facts=but(settled(), nodes={**FENCED, 0: None, 1: None}, pods=OUT)),
        a.Fence, "back in service"),
    # snapshot, diagnose
    "copies": (given(task("Snapshot")), a.BeginTask, "graph-0, graph-1, graph-2"),
    "the first copies": (given(begun("Snapshot", *ALL)), a.TakeSnapshot, "graph-0 copies"),
    "all have copied": (
        given(begun("Snapshot", 2, subjects=(Subject("graph-2", done=True),))),
        a.FinishTask, "snapshots of 1"),
    "questions": (given(task("Diagnose")), a.Diagnose, "every node is asked"),
    "questions wait for nobody": (
        given(begun("Restart", 2), task("Diagnose", name="ask"),
              facts=but(settled(), nodes={1: None, 2: None})),
        a.Diagnose, "task ask"),
}  # fmt: skip

WAITS: Final[dict[str, tuple[Facts, str, str]]] = {
    "another has not settled": (
        given(begun("Restart", *ALL), facts=but(settled(), pods={2: again(2, ready_since=NOW - 1)})),
        "do", "Settling"),
    "another is not ready": (
        given(begun("Restart", *ALL), facts=but(settled(), pods={2: again(2, ready=False)})),
        "do", "PodNotReady"),
    "another is behind": (
        given(begun("Restart", 1), facts=configured(settled(), members=lagging(2, 900))),
        "do", "VoterLagging"),
    "the restarted one is not back": (
        given(begun("Restart", 2), facts=but(settled(), pods={2: again(2, ready=False)})),
        "do", "PodNotReady"),
    "it would be another build": (
        given(begun("Restart", 2),
              facts=but(settled(spec=spec(upgrade={"pause": True})), pods={2: pod(2, revision="old")})),
        "do", "UpgradePaused"),
    "who is to lead is behind": (
        given(begun("TransferLeader", 0, pods=("graph-2",)),
              facts=configured(settled(), members=lagging(2, 900))),
        "do", "VoterLagging"),
    "who is to lead is fenced": (
        given(begun("TransferLeader", 0, pods=("graph-2",)),
              facts=but(settled(), nodes=FENCED, pods=OUT)),
        "do", "CannotLead"),
    "another is missing": (
        given(begun("ReplaceMember", 2), facts=but(settled(), pods={1: pod(1, ready=False)})),
        "do", "PodNotReady"),
    "nobody else would serve": (
        given(begun("Fence", 1, 2, pods=("graph-0", "graph-1", "graph-2"))), "do", "NobodyLeft"),
    "the leader alone is left": (
        given(begun("Fence", 0), facts=settled(1)), "do", "NoSuccessor"),
    "a pod is away": (
        given(begun("Snapshot", 2), facts=but(settled(), nodes={2: None})),
        "do", "PodNotAnswering"),
    "another is worked on": (
        given(task("Restart", name="first", phase="Running", cluster_uid=UID,
                   subjects=(Subject("graph-2", "pod-2"),)), task("Snapshot", name="second"),
              facts=but(settled(), pods={1: pod(1, ready_since=NOW - 1)})),
        "second", "Queued"),
    "the cluster waits": (
        given(begun("ReplaceMember", 2), facts=but(settled(), nodes={1: None, 2: None})),
        "do", "QuorumNotProven"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_row(name: str) -> None:
    facts, kind, text = CASES[name]
    what = decide(facts).what
    assert type(what) is kind, what
    assert text in (f"{what.reason} {what.message}" if isinstance(what, a.Wait) else what.why)


@pytest.mark.parametrize("name", WAITS)
def test_wait(name: str) -> None:
    facts, who, reason = WAITS[name]
    decision = decide(facts)
    assert isinstance(decision.what, a.Wait), decision
    assert awaited(facts, decision)[who].reason == reason


def test_what_a_task_waits_for_is_not_what_the_cluster_waits_for() -> None:
    facts, _, _ = WAITS["another has not settled"]
    assert decide(facts).what == SETTLED


def test_every_action_on_tasks_has_a_row() -> None:
    every = {
        kind for kind in vars(a).values()
        if isinstance(kind, type) and issubclass(kind, a.TaskAction) and kind is not a.TaskAction
    }  # fmt: skip
    assert every <= {kind for _, kind, _ in CASES.values()}


def test_outcomes() -> None:
    """Who finished well and who did not."""
    ended = {name: decide(facts).what for name, (facts, kind, _) in CASES.items()}
    well = {n for n, what in ended.items() if isinstance(what, a.FinishTask) and what.succeeded}
    assert well == {
        "all came back", "it leads already", "another leads by now", "it is there under another id",
        "it is out", "all have copied",
    }  # fmt: skip
