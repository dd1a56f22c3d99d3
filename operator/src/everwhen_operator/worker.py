"""A worker for each cluster: look, decide, act, report, and again when something changes."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from everwhen_operator import names
from everwhen_operator.act import Actor
from everwhen_operator.decide import decide
from everwhen_operator.decide.group import Group, group_of
from everwhen_operator.decide.memory import noted
from everwhen_operator.events import QUIET, Events
from everwhen_operator.kube.api import Api, ApiFailed, Object
from everwhen_operator.lease import Lease
from everwhen_operator.logs import log
from everwhen_operator.metrics import Metrics
from everwhen_operator.model.actions import Action, Decision, TaskAction, Wait
from everwhen_operator.model.facts import Facts, Memory
from everwhen_operator.nodes import NodeFailed
from everwhen_operator.observe import Observation, Observer
from everwhen_operator.pulse import Heard, Key, Leadership
from everwhen_operator.status import matters, status_of
from everwhen_operator.task_reports import TaskReports, until_next

#: what happens at once is looked at once
COALESCE_SECONDS: Final = 0.2
#: while something is awaited that no object tells of
PROGRESS_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 60.0
_SLOW: Final = frozenset({"Settled", "Paused", "Hibernated", "Invalid", "Deleting"})
_BACKOFF_MAX: Final = 30.0
#: a look that takes longer is stuck
STUCK_SECONDS: Final = 120.0


@dataclass(slots=True)
class Cluster:
    """What is remembered of one."""

    memory: Memory = field(default_factory=Memory)
    failures: int = 0
    failure: str = ""
    status: Object | None = None
    last_wait: str = ""
    last_action: Action | None = None
    heard: Heard = field(default_factory=Heard)


class Reconciler:
    """One look and one action."""

    def __init__(
        self, api: Api, observer: Observer, actor: Actor, lease: Lease, metrics: Metrics
    ) -> None:
        self._api = api
        self._observer = observer
        self._actor = actor
        self._lease = lease
        self._metrics = metrics
        self._events = Events(api)
        self._tasks = TaskReports(api, observer)

    async def step(self, key: Key, cluster: Cluster) -> float | None:
        """Seconds until the next look; None: the object is gone."""
        namespace, name = key
        try:
            with self._metrics.reconciles.time():
                seen = await self._observer.observe(namespace, name, cluster.memory)
                if seen is None:
                    self._metrics.ready.remove(namespace, name)
                    return await self._tasks.without_cluster(namespace, name)
                cluster.memory = seen.facts.memory
                cluster.heard = _heard(seen)
                decision = decide(seen.facts)
                return await self._follow(key, cluster, seen, decision)
        except ApiFailed as failed:
            self._metrics.failures.labels("api").inc()
            log(
                "worker",
                "api_failed",
                level=logging.WARNING,
                cluster=f"{namespace}/{name}",
                reason=str(failed),
            )
            return failed.after or self._back_off(cluster)

    async def _follow(
        self, key: Key, cluster: Cluster, seen: Observation, decision: Decision
    ) -> float:
        what = decision.what
        if isinstance(what, Wait):
            cluster.failure, cluster.failures = "", 0
            await self._report(cluster, seen, decision)
            await self._tasks.report(seen, decision)
            if what.reason != cluster.last_wait:
                cluster.last_wait = what.reason
                log(
                    "worker",
                    "waiting",
                    cluster="/".join(key),
                    reason=what.reason,
                    message=what.message,
                )
            idle = IDLE_SECONDS if what.reason in _SLOW else PROGRESS_SECONDS
            return min(idle, until_next(seen.facts, what))
        cluster.last_wait = ""
        again, cluster.last_action = what == cluster.last_action, what
        if not isinstance(what, (*QUIET, TaskAction)) or _another_leads(seen):
            await self._report(cluster, seen, decision)
        about = seen.tasks[what.task] if isinstance(what, TaskAction) else seen.object
        await self._events.began(about, what, seen.facts.now)
        failure = await self._act(key, cluster, seen, what)
        await self._events.ended(about, what, time.time(), failure)
        cluster.failure = failure
        if failure:
            await self._report(cluster, seen, decision)
            await self._tasks.report(seen, decision, failure)
            return self._back_off(cluster)
        if not again:
            cluster.failures = 0
        cluster.memory = noted(cluster.memory, what, seen.facts.now)
        # what was done and is wanted again has not come about yet, or somebody undoes it
        return self._back_off(cluster) if again else 0.0

    async def _act(self, key: Key, cluster: Cluster, seen: Observation, what: Action) -> str:
        """How it failed, or nothing."""
        kind = type(what).__name__
        self._lease.need()
        log("worker", "action", cluster="/".join(key), action=kind, why=what.why)
        try:
            await self._actor.act(seen, what)
        except ApiFailed as failed:
            self._metrics.actions.labels(kind, "conflict" if failed.conflict else "failed").inc()
            # something moved meanwhile: look again, that is no failure
            return "" if failed.conflict or failed.missing else f"{kind}: {failed}"
        except NodeFailed as failed:
            self._metrics.actions.labels(kind, "stale" if failed.stale else "refused").inc()
            if failed.stale:
                self._metrics.stale.inc()
                await self._after_stale(seen.facts)
            return f"{kind}: {failed}"
        self._metrics.actions.labels(kind, "done").inc()
        return ""

    async def _after_stale(self, facts: Facts) -> None:
        """Nodes that know a later epoch than this holder of the lease outlived an earlier lease."""
        highest = max((node.operator_epoch for node in facts.members().values()), default=0)
        if highest >= self._lease.epoch:
            await self._lease.raise_to(highest)

    def _back_off(self, cluster: Cluster) -> float:
        cluster.failures += 1
        # not a secret: only so that many clusters do not come back at once
        jitter = random.uniform(0.8, 1.2)  # noqa: S311
        return min(0.5 * 2.0 ** min(cluster.failures, 10), _BACKOFF_MAX) * jitter

    async def _report(self, cluster: Cluster, seen: Observation, decision: Decision) -> None:
        """Write the status, if what matters in it has changed."""
        facts = seen.facts
        if facts.deleting:
            return
        old = seen.object.get("status") or {}
        status = status_of(facts, decision, old, epoch=self._lease.need(), failure=cluster.failure)
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"])
        self._metrics.ready.labels(facts.namespace, facts.name).set(ready)
        if matters(old) == matters(status):
            return
        made: Object = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": facts.name, "namespace": facts.namespace},
            "status": status,
        }
        await self._api.apply(made, subresource="status")
        self._metrics.writes.inc()


def _heard(seen: Observation) -> Heard:
    said = {ordinal: Leadership.of(node) for ordinal, node in seen.facts.nodes.items()}
    return Heard(seen.addresses, seen.key, said)


def _another_leads(seen: Observation) -> bool:
    """Than the object's status says; people and programs wait for that, whatever is done first."""
    group = group_of(seen.facts)
    told = (seen.object.get("status") or {}).get("leader")
    return isinstance(group, Group) and told != names.pod(seen.facts.name, group.leader.ordinal)


@dataclass(slots=True)
class _Slot:
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    #: since when a look is wanted or under way; None while neither
    since: float | None = None


Step = Callable[[Key], Awaitable[float | None]]


class Pool:
    """One task for each key; a slow one delays nobody else."""

    def __init__(self, step: Step, group: asyncio.TaskGroup) -> None:
        self._step = step
        self._group = group
        self._slots: dict[Key, _Slot] = {}

    def wake(self, key: Key) -> None:
        """Look at it soon."""
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = _Slot()
            self._group.create_task(self._run(key, slot))
        if slot.since is None:
            slot.since = time.monotonic()
        slot.wanted.set()

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def oldest(self) -> float:
        """Seconds that the oldest look is wanted or under way."""
        now = time.monotonic()
        return max(
            (now - s.since for s in self._slots.values() if s.since is not None), default=0.0
        )

    async def _run(self, key: Key, slot: _Slot) -> None:
        while True:
            slot.wanted.clear()
            slot.since = time.monotonic()
            delay = await self._step(key)
            slot.since = None
            if delay is None and not slot.wanted.is_set():
                del self._slots[key]
                return
            try:
                async with asyncio.timeout(delay):
                    await slot.wanted.wait()
                await asyncio.sleep(COALESCE_SECONDS)
            except TimeoutError:
                continue
