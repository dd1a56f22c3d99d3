"""The GraphTask objects of the model cluster: what is written to them, and when it is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

from everwhen_operator import names
from everwhen_operator.model import actions as a
from everwhen_operator.model.tasks import Subject


class Refused(Exception):
    """A precondition of the API server, or a rule of a node, does not hold."""


@dataclass(slots=True)
class Task:
    """A GraphTask and what its status says."""

    name: str
    action: str
    pods: tuple[str, ...]
    lift: bool
    created: float
    version: int = 1
    phase: str = "Pending"
    subjects: tuple[Subject, ...] = ()
    finished: float = 0.0


class Tasks(dict[str, Task]):
    """By name, the oldest first."""

    def act(self, action: a.TaskAction, now: float) -> None:
        """Write it, if the task is as it was seen.

        :raises Refused: it is not.
        """
        task = self.get(action.task)
        if task is None or action.resource_version != str(task.version):
            raise Refused("changed meanwhile")
        task.version += 1
        if isinstance(action, a.BeginTask):
            assert task.phase == "Pending", "a task is begun once"
            assert all(each.phase != "Running" for each in self.values()), "one at a time"
            task.phase, task.subjects = "Running", action.subjects
        elif isinstance(action, a.FinishTask):
            assert task.phase in ("Pending", "Running"), "a task ends once"
            task.phase = "Succeeded" if action.succeeded else "Failed"
            task.finished = now
        elif isinstance(action, a.ForgetTask):
            assert task.phase in ("Succeeded", "Failed"), "what is not finished is kept"
            del self[task.name]
        elif isinstance(action, a.TakeSnapshot):
            pod = names.pod("graph", action.ordinal)
            task.subjects = tuple(
                replace(each, done=True) if each.pod == pod else each for each in task.subjects
            )
        else:
            assert isinstance(action, a.Diagnose), action
            assert task.phase == "Pending"
            task.phase, task.finished = "Succeeded", now
