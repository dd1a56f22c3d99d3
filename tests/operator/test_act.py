"""A cluster is founded through an API server in memory, with conflicts, refusals, timeouts and
operators that die before or after any write: what is there in the end is always the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from everwhen_operator import names
from everwhen_operator.act import Actor
from everwhen_operator.kube.api import Api, ApiFailed
from everwhen_operator.lease import Lease, LeaseLost
from everwhen_operator.metrics import Metrics
from everwhen_operator.nodes import NodeFailed
from everwhen_operator.observe import Observer
from everwhen_operator.worker import Cluster, Reconciler
from tests.operator.api_in_memory import KEY, NAME, NAMESPACE
from tests.operator.world_in_memory import LOOKS, Died, World, operator, undisturbed

CALM = undisturbed()


def test_a_cluster_is_founded_once_and_grows_by_learners() -> None:
    assert CALM.nodes.founded == 1
    assert CALM.nodes.voters == [1, 2, 3]
    calls = [what for what in CALM.writes if "/v1/" in what and "/api" not in what]
    assert calls[0] == "POST /v1/bootstrap"
    assert calls.count("POST /v1/members") == 2
    assert calls.count("POST /v1/retention") == 1
    assert CALM.nodes.keep == 30 * 86_400


@pytest.mark.parametrize(("asked", "kept"), [("forever", None), ("1h", 3_600.0), (None, 60.0)])
def test_what_is_said_of_history_is_so_and_what_is_not_said_is_left(
    asked: str | None, kept: float | None
) -> None:
    """Somebody altered the database meanwhile."""
    world = undisturbed()
    world.nodes.keep = 60.0
    asked_for(world, history={"retention": asked})
    assert world.nodes.keep == kept


def asked_for(world: World, **more: Any) -> World:
    """Somebody changes the spec, and the operator has seen to it."""
    made = world.api.get(names.KIND, NAME)
    metadata = {**made["metadata"], "generation": made["metadata"]["generation"] + 1}
    world.api.put({**made, "metadata": metadata, "spec": {**made["spec"], **more}})
    for _ in range(3):
        asyncio.run(operator(world, LOOKS))
    return world


def there(world: World, kind: str) -> set[str]:
    return {name for of, _, name in world.api.objects if of == kind}


def test_pods_have_services_of_their_own_as_long_as_they_are_asked_for() -> None:
    world = undisturbed()
    own = {"graph", "graph-leader", "graph-peers"}
    assert there(world, "Service") == own
    outside = {"domain": "g.example.com", "port": 9000, "annotations": {"lb": "internal"}}
    asked_for(world, network={"external": outside})
    assert there(world, "Service") == own | {f"graph-external-{o}" for o in range(3)}
    made = world.api.get("Service", "graph-external-1")
    assert made["spec"]["type"] == "LoadBalancer"
    assert made["spec"]["selector"][names.LABEL_POD] == "graph-1"
    assert [(p["port"], p["targetPort"]) for p in made["spec"]["ports"]] == [(9000, "bolt")]
    said = made["metadata"]["annotations"]
    assert said["external-dns.alpha.kubernetes.io/hostname"] == "graph-1.g.example.com"
    assert said["lb"] == "internal"
    template = world.api.get("StatefulSet", NAME)["spec"]["template"]
    told = {each["name"]: each.get("value") for each in template["spec"]["containers"][0]["env"]}
    assert told["EVERWHEN_BOLT_EXTERNAL"] == "$(POD_NAME).g.example.com:9000"
    asked_for(world, network={})
    assert there(world, "Service") == own


def test_what_is_turned_off_goes_and_what_others_made_stays() -> None:
    world = undisturbed()
    labels = world.api.get("Service", NAME)["metadata"]["labels"]
    world.api.put({"kind": "Service", "metadata": {"name": "by-hand", "labels": labels}})
    assert there(world, "NetworkPolicy") == {NAME}
    asked_for(world, network={"policy": False})
    assert there(world, "NetworkPolicy") == set()
    assert "by-hand" in there(world, "Service")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(len(CALM.writes)), ids=lambda at: f"{at}")
def test_an_operator_dies_at_any_write(at: int, after: bool) -> None:
    world = World()
    world.fail(at, Died, after=after)
    with pytest.raises(Died):
        asyncio.run(operator(world, LOOKS))
    asyncio.run(operator(world, LOOKS))
    assert world.whole, world.status
    assert world.shape() == CALM.shape()


@pytest.mark.parametrize(
    ("error", "after"),
    [
        (lambda: ApiFailed(409, "Conflict", "somebody was first"), False),
        (lambda: ApiFailed(410, "Gone", "too old"), False),
        (lambda: ApiFailed(429, "TooManyRequests", "slower, please", 3.0), False),
        (lambda: ApiFailed(500, "InternalError", "etcd is away"), False),
        (lambda: ApiFailed(0, "Unreachable", "TimeoutError"), False),
        # it was done, and the answer was lost
        (lambda: ApiFailed(0, "Unreachable", "TimeoutError"), True),
    ],
    ids=["409", "410", "429", "500", "timeout", "answer lost"],
)
def test_any_write_may_fail(error: Callable[[], ApiFailed], after: bool) -> None:
    for at, what in enumerate(CALM.writes):
        world = World()
        to_node = not what.split()[1].startswith("/api")
        made = (lambda: NodeFailed(0, "TimeoutError")) if to_node else error
        world.fail(at, made, after=after)
        asyncio.run(operator(world, LOOKS))
        assert world.whole, (what, world.status)
        assert world.shape() == CALM.shape(), what


def test_the_server_says_how_long_to_wait() -> None:
    world = World()
    world.fail(0, lambda: ApiFailed(429, "TooManyRequests", "slower", 7.0), after=False)

    async def first_look() -> float | None:
        api = Api(world.api)
        lease = Lease(api, NAMESPACE, "operator")
        await lease.acquire()
        observer, actor = Observer(api, world.nodes, "r"), Actor(api, world.nodes, lambda: 1)
        return await Reconciler(api, observer, actor, lease, Metrics()).step(KEY, Cluster())

    assert asyncio.run(first_look()) == 7.0


def test_two_operators_and_one_that_stood_still() -> None:
    """One is paused behind its lease, another takes over; when it goes on it changes nothing."""
    world = World()

    async def both() -> None:
        now = [0.0]
        api = Api(world.api)
        old, new = (Lease(api, NAMESPACE, host, clock=lambda: now[0]) for host in "ab")
        assert await old._try()
        assert not await new._try()
        assert old.need() == 1
        now[0] = 60.0
        assert await new._try()
        assert new.need() == 2
        with pytest.raises(LeaseLost):
            old.need()
        with pytest.raises(ApiFailed) as failed:
            await old._renew(old.epoch)
        assert failed.value.conflict

    asyncio.run(both())
    asyncio.run(operator(world, LOOKS))
    before = world.nodes.index

    async def stale() -> None:
        body = {"operatorEpoch": 1, "expectedConfigIndex": world.nodes.index}
        await world.nodes.call("10.0.0.1", "POST", "/v1/members", body, "")

    with pytest.raises(NodeFailed) as refused:
        asyncio.run(stale())
    assert refused.value.stale
    assert world.nodes.index == before
