"""An election of which no object of Kubernetes tells is seen all the same."""

from __future__ import annotations

import asyncio

from everwhen_operator.pulse import Key, Pulse
from everwhen_operator.worker import IDLE_SECONDS, Cluster, Pool, Reconciler
from tests.operator.api_in_memory import KEY
from tests.operator.world_in_memory import LOOKS, World, started, undisturbed


def power_off_the_leaders_machine(world: World) -> None:
    """Another is elected; Kubernetes does not know yet that the machine is away."""
    nodes = world.nodes
    nodes.waiting.discard(next(at for at, node in nodes.members.items() if node == nodes.leads))
    nodes.leads += 1
    nodes.term += 1


async def settled(world: World) -> tuple[Reconciler, Cluster]:
    """An operator that has nothing to do."""
    reconciler, cluster = await started(world), Cluster()
    for _ in range(LOOKS):
        if await reconciler.step(KEY, cluster) == IDLE_SECONDS:
            return reconciler, cluster
    raise AssertionError(f"it never settles: {world.status}")


def test_a_new_leader_is_noticed_at_the_next_beat() -> None:
    world = undisturbed()

    async def beats() -> list[Key]:
        _, cluster = await settled(world)
        woken: list[Key] = []
        pulse = Pulse(world.nodes, lambda: {KEY: cluster.heard}, woken.append)
        await pulse.beat()
        assert not woken
        power_off_the_leaders_machine(world)
        await pulse.beat()
        return woken

    assert set(asyncio.run(beats())) == {KEY}


def test_who_is_away_is_no_news() -> None:
    """Nor is one that is slow: a busy follower would have everything looked at without end."""
    world = undisturbed()

    async def beats() -> list[Key]:
        _, cluster = await settled(world)
        woken: list[Key] = []
        pulse = Pulse(world.nodes, lambda: {KEY: cluster.heard}, woken.append)
        world.nodes.waiting.discard(
            next(at for at, node in world.nodes.members.items() if node == 3)
        )
        await pulse.beat()
        return woken

    assert asyncio.run(beats()) == []


def test_the_status_names_the_new_leader_before_anything_else_is_done() -> None:
    world = undisturbed()

    async def look() -> None:
        reconciler, cluster = await settled(world)
        assert world.status["leader"] == "graph-0"
        power_off_the_leaders_machine(world)
        await reconciler.step(KEY, cluster)

    asyncio.run(look())
    assert world.status["leader"] == "graph-1"


def test_an_operator_at_rest_tells_of_an_election_within_seconds() -> None:
    """All of it together, by the true clock."""
    world = undisturbed()

    async def works(at_rest: asyncio.Event) -> None:
        reconciler, cluster = await settled(world)

        async def step(key: Key) -> float | None:
            delay = await reconciler.step(key, cluster)
            if delay == IDLE_SECONDS:
                at_rest.set()
            return delay

        async with asyncio.TaskGroup() as group:
            pool = Pool(step, group)
            pool.wake(KEY)
            await Pulse(world.nodes, lambda: {KEY: cluster.heard}, pool.wake).run()

    async def until_told() -> None:
        at_rest = asyncio.Event()
        working = asyncio.create_task(works(at_rest))
        await at_rest.wait()
        power_off_the_leaders_machine(world)
        async with asyncio.timeout(5):
            while world.status["leader"] != "graph-1":  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        working.cancel()

    asyncio.run(until_told())
