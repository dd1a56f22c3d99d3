"""Telling tasks what they wait for, and looking again when one of them is due."""

from __future__ import annotations

import time
from typing import Final

from everwhen_operator import names, task_status
from everwhen_operator.decide.tasks import awaited, current, unfinished
from everwhen_operator.kube.api import Api, ApiFailed, Object
from everwhen_operator.model.actions import Decision, FinishTask, Wait
from everwhen_operator.model.facts import Facts
from everwhen_operator.model.tasks import parse_task
from everwhen_operator.observe import Observation, Observer

#: while a task waits for what no object tells of
_WAITING_SECONDS: Final = 1.0
#: nothing is done about the cluster, so nothing comes about by itself
_STILL: Final = frozenset({"Paused", "Invalid", "Deleting"})
_MISSING_SECONDS: Final = 30.0


def until_next(facts: Facts, what: Wait) -> float:
    """Seconds until tasks want another look, however long the cluster can wait."""
    due = min((task.ends - facts.now for task in unfinished(facts)), default=float("inf"))
    if current(facts) is not None and what.reason not in _STILL:
        return _WAITING_SECONDS
    return max(due, _WAITING_SECONDS)


class TaskReports:
    """Writes only what is news."""

    def __init__(self, api: Api, observer: Observer) -> None:
        self._api = api
        self._observer = observer

    async def report(self, seen: Observation, decision: Decision, failure: str = "") -> None:
        """What every task that is not finished waits for. ``failure``: how a step of the one that
        is worked on ended, if badly."""
        now = current(seen.facts)
        for name, wait in awaited(seen.facts, decision).items():
            if failure and now is not None and name == now.name:
                wait = Wait("ActionFailed", failure)
            await self._tell(seen.tasks[name], wait, seen.facts.now)

    async def without_cluster(self, namespace: str, name: str) -> float | None:
        """Tasks of a cluster that is not there wait for it as long as they may; seconds until
        the next look, or None."""
        now, due = time.time(), float("inf")
        for made in await self._observer.tasks(namespace, name):
            task = parse_task(made)
            if task.finished or task.deleting:
                continue
            why = f"there is no GraphCluster {name}"
            if now > task.ends or task.begun:
                reason = "ClusterGone" if task.begun else "DeadlineExceeded"
                end = FinishTask(why, task.name, task.uid, task.resource_version, False, reason)
                await self._write(made, task_status.finished(made, end, now))
            else:
                await self._tell(made, Wait("NoCluster", why), now)
                due = min(due, task.ends - now)
        return None if due == float("inf") else min(max(due, _WAITING_SECONDS), _MISSING_SECONDS)

    async def _tell(self, made: Object, wait: Wait, now: float) -> None:
        if not task_status.is_told(made, wait):
            await self._write(made, task_status.waiting(made, wait, now))

    async def _write(self, made: Object, change: Object) -> None:
        """If the task is as it was seen; else there will be another look."""
        metadata = made["metadata"]
        kept = {key: metadata[key] for key in ("uid", "resourceVersion")}
        try:
            await self._api.patch(
                names.TASK_KIND,
                metadata["namespace"],
                metadata["name"],
                {"metadata": kept, "status": change},
                subresource="status",
            )
        except ApiFailed as failed:
            if not failed.conflict and not failed.missing:
                raise
