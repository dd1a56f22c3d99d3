"""What a GraphTask asks for and how far it is. Its status is more than a report: what it is about
is noted there when it is begun, so that an operator that starts anew goes on and repeats nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from everwhen_operator.model.quantities import moment, seconds

RESTART: Final = "Restart"
TRANSFER: Final = "TransferLeader"
REPLACE: Final = "ReplaceMember"
FENCE: Final = "Fence"
SNAPSHOT: Final = "Snapshot"
DIAGNOSE: Final = "Diagnose"
ACTIONS: Final = (RESTART, TRANSFER, REPLACE, FENCE, SNAPSHOT, DIAGNOSE)

#: phases
PENDING: Final = "Pending"
RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"

#: finished tasks of a cluster that are kept
FINISHED_KEPT: Final = 10
DEADLINE_SECONDS: Final = 1_800.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A pod that a task is about, as it was when the task was begun."""

    pod: str
    uid: str = ""
    node_id: int = 0
    done: bool = False
    result: str = ""


@dataclass(frozen=True, slots=True)
class TaskFact:
    """A GraphTask, as the API server has it."""

    name: str
    uid: str
    resource_version: str
    action: str
    created: float = 0.0
    generation: int = 1
    pods: tuple[str, ...] = ()
    lift: bool = False
    reason: str = ""
    deadline: float = DEADLINE_SECONDS
    #: what is wrong with it
    problem: str = ""
    phase: str = PENDING
    #: the cluster it was begun on; empty before
    cluster_uid: str = ""
    finished_at: float = 0.0
    #: what it was last said to wait for
    message: str = ""
    subjects: tuple[Subject, ...] = ()
    deleting: bool = False

    @property
    def finished(self) -> bool:
        return self.phase in (SUCCEEDED, FAILED)

    @property
    def begun(self) -> bool:
        return self.phase == RUNNING

    @property
    def ends(self) -> float:
        """When it must have finished."""
        return self.created + self.deadline

    def left(self) -> tuple[Subject, ...]:
        """Subjects that are not done."""
        return tuple(each for each in self.subjects if not each.done)


def parse_task(made: Mapping[str, Any]) -> TaskFact:
    """A GraphTask; what the schema would have refused is its ``problem``."""
    metadata, spec = made["metadata"], made.get("spec") or {}
    status = made.get("status") or {}
    action, deadline, problem = str(spec.get("action")), DEADLINE_SECONDS, ""
    if action not in ACTIONS:
        problem = f"spec.action must be one of {', '.join(ACTIONS)}"
    try:
        deadline = seconds(str(spec.get("deadline") or "30m"))
    except ValueError as error:
        problem = f"spec.deadline: {error}"
    return TaskFact(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        action=action,
        created=moment(metadata.get("creationTimestamp")),
        generation=int(metadata.get("generation") or 1),
        pods=tuple(map(str, spec.get("pods") or ())),
        lift=spec.get("lift") is True,
        reason=str(spec.get("reason") or ""),
        deadline=deadline,
        problem=problem,
        phase=str(status.get("phase") or PENDING),
        cluster_uid=str(status.get("clusterUid") or ""),
        finished_at=moment(status.get("finishedAt")),
        message=str(status.get("message") or ""),
        subjects=tuple(map(_subject, status.get("subjects") or ())),
        deleting=metadata.get("deletionTimestamp") is not None,
    )


def _subject(each: Mapping[str, Any]) -> Subject:
    number = str(each.get("nodeId") or "")
    return Subject(
        pod=str(each["pod"]),
        uid=str(each.get("uid") or ""),
        node_id=int(number) if number.isdecimal() else 0,
        done=each.get("done") is True,
        result=str(each.get("result") or ""),
    )
