"""What a GraphTask's status says, as changes to be merged into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from everwhen_operator.model import actions as a
from everwhen_operator.model import tasks as t
from everwhen_operator.model.tasks import Subject, TaskFact
from everwhen_operator.status import text_of

Object = dict[str, Any]


def begun(made: Object, action: a.BeginTask, cluster_uid: str, now: float) -> Object:
    """It is worked on from now on; what it is about is noted for ever."""
    return {
        **_phase(made, t.RUNNING, action.why),
        "clusterUid": cluster_uid,
        "startedAt": text_of(now),
        "subjects": _subjects(action.subjects),
        "conditions": _conditions(made, now, waiting=("Working", action.why)),
    }


def waiting(made: Object, wait: a.Wait, now: float) -> Object:
    """What is awaited; only its reason counts as news, since messages have numbers that move."""
    phase = (made.get("status") or {}).get("phase") or t.PENDING
    return {
        **_phase(made, phase, wait.message),
        "conditions": _conditions(made, now, waiting=(wait.reason, wait.message), waits=True),
    }


def is_told(made: Object, wait: a.Wait) -> bool:
    """Whether the status says so already."""
    status = made.get("status") or {}
    generation = made["metadata"].get("generation")
    if status.get("observedGeneration") != generation:
        return False
    found = (each for each in status.get("conditions") or [] if each["type"] == "Waiting")
    return any((each["status"], each["reason"]) == ("True", wait.reason) for each in found)


def noted(task: TaskFact, pod: str, result: str) -> Object:
    """One subject is done."""
    subjects = [
        replace(each, done=True, result=result) if each.pod == pod else each
        for each in task.subjects
    ]
    return {"subjects": _subjects(subjects)}


def finished(made: Object, action: a.FinishTask, now: float) -> Object:
    """It is over."""
    phase = t.SUCCEEDED if action.succeeded else t.FAILED
    found = {
        **_phase(made, phase, action.why),
        "finishedAt": text_of(now),
        "conditions": _conditions(
            made, now, ended=(action.succeeded, action.reason), message=action.why
        ),
    }
    return {**found, "result": dict(action.result)} if action.result else found


def diagnosed(
    made: Object, findings: Sequence[str], reports: Iterable[Object], now: float
) -> Object:
    """It is begun and over at once."""
    told = "nothing is wrong" if not findings else f"{len(findings)} findings: {findings[0]}"
    return {
        **_phase(made, t.SUCCEEDED, told[:1_000]),
        "startedAt": text_of(now),
        "finishedAt": text_of(now),
        "findings": list(findings),
        "report": list(reports),
        "conditions": _conditions(made, now, ended=(True, "Done"), message=told[:1_000]),
    }


def _phase(made: Object, phase: str, message: str) -> Object:
    return {
        "phase": phase,
        "observedGeneration": made["metadata"].get("generation", 1),
        "message": message[:1_000],
    }


def _subjects(subjects: Iterable[Subject]) -> list[Object]:
    return [
        {
            "pod": each.pod,
            "uid": each.uid,
            "nodeId": str(each.node_id) if each.node_id else "",
            "done": each.done,
            "result": each.result,
        }
        for each in subjects
    ]


def _conditions(
    made: Object,
    now: float,
    *,
    waiting: tuple[str, str] = ("Finished", ""),
    waits: bool = False,
    ended: tuple[bool, str] | None = None,
    message: str = "",
) -> list[Object]:
    """``ended``: whether well, and why; None while it is not over."""
    before = {each["type"]: each for each in (made.get("status") or {}).get("conditions") or []}
    well, reason = (False, "NotFinished") if ended is None else ended
    rows = [
        ("Complete", ended is not None and well, reason, message),
        ("Failed", ended is not None and not well, reason, message),
        ("Waiting", waits, *waiting),
    ]
    return [_condition(made, before.get(row[0], {}), now, *row) for row in rows]


def _condition(
    made: Object,
    old: Mapping[str, Any],
    now: float,
    kind: str,
    holds: bool,
    reason: str,
    message: str,
) -> Object:
    status = "True" if holds else "False"
    same = old.get("status") == status
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message[:1_000],
        "observedGeneration": made["metadata"].get("generation", 1),
        "lastTransitionTime": old.get("lastTransitionTime") if same else text_of(now),
    }
