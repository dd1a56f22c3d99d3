"""A world in memory for one operator at a time: an API server, nodes, and what is written to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from everwhen_operator import names
from everwhen_operator.act import Actor
from everwhen_operator.kube.api import Api
from everwhen_operator.lease import Lease
from everwhen_operator.metrics import Metrics
from everwhen_operator.observe import Observer
from everwhen_operator.worker import Cluster, Reconciler
from tests.operator.api_in_memory import KEY, NAME, NAMESPACE, MemoryApi, MemoryNodes, kubernetes

#: looks until a cluster must be whole; undisturbed it takes about twenty
LOOKS = 120


class Died(BaseException):
    """The process ended in the middle of what it did."""


class World:
    """Everything but the operator."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self.nodes = MemoryNodes()
        self.writes: list[str] = []
        self.api.put({
            "apiVersion": names.API_VERSION, "kind": names.KIND,
            "metadata": {"name": NAME, "generation": 1},
            "spec": {
                "version": "0.1.0", "replicas": 3, "storage": {"size": "1Gi"},
                "history": {"retention": "30d"},
            },
        })  # fmt: skip

    def fail(self, at: int, error: Callable[[], BaseException], *, after: bool) -> None:
        """The write of this number fails, before or after it is done."""
        seen = 0

        def fault(what: str) -> None:
            nonlocal seen
            if "/leases" in what:
                return
            seen += 1
            self.writes.append(what)
            if seen == at + 1:
                raise error()

        for door in (self.api, self.nodes):
            setattr(door, "after" if after else "before", fault)

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(names.KIND, NAME).get("status") or {}
        return found

    @property
    def whole(self) -> bool:
        conditions = {each["type"]: each["status"] for each in self.status.get("conditions", [])}
        return conditions.get("Ready") == "True"

    def shape(self) -> dict[str, Any]:
        """What must be the same however it came about."""
        return {
            "objects": sorted(
                (kind, name) for kind, _, name in self.api.objects if kind != "Event"
            ),
            "voters": self.nodes.voters,
            "members": self.nodes.members,
            "founded": self.nodes.founded,
            "kept": self.nodes.keep,
            "secret": sorted(self.api.get("Secret", f"{NAME}-auth")["data"]),
            "set": self.api.get("StatefulSet", NAME)["spec"],
        }


async def started(world: World) -> Reconciler:
    """What works in one process, which has got the lease."""
    api = Api(world.api)
    now = [0.0]
    lease = Lease(api, NAMESPACE, "operator", clock=lambda: now[0])
    while not await lease._try():
        now[0] += 20.0
    return Reconciler(
        api,
        Observer(api, world.nodes, "everwhen/everwhen"),
        Actor(api, world.nodes, lambda: lease.epoch),
        lease,
        Metrics(),
    )


async def operator(world: World, looks: int) -> int:
    """One process, until the cluster is whole; how often it looked."""
    reconciler, cluster = await started(world), Cluster()
    for look in range(looks):
        await reconciler.step(KEY, cluster)
        kubernetes(world.api, world.nodes)
        if world.whole:
            return look
    return looks


def undisturbed() -> World:
    """A cluster founded by one operator that nothing happens to; ``writes`` counts what it does."""
    world = World()
    world.fail(10_000, Died, after=False)
    asyncio.run(operator(world, LOOKS))
    assert world.whole, world.status
    return world
