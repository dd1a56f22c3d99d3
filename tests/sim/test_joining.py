"""A node that asked to be admitted comes to vote, whatever happens to it before it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from everwhen.runtime.replica.admin import Order, Verb
from everwhen.runtime.twins.loop import run_virtual
from everwhen.runtime.twins.time_and_chance import VirtualClock
from tests.sim.machine import Machine, Shape
from tests.sim.world import World

_SHAPE = Shape(16 << 10, 200, 32 << 10, 1.0, 0.002)


def _run(name: str, play: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    clock = VirtualClock()
    world = World(name, _SHAPE, clock)

    async def main() -> None:
        await world.found(["n1", "n2"])
        await play(world)
        for machine in world.machines.values():
            await machine.stop()

    run_virtual(main(), clock)


@pytest.mark.parametrize("end", [Machine.kill, Machine.cut_power, Machine.stop])
def test_a_learner_that_starts_again_still_asks_for_its_vote(
    end: Callable[[Machine], Coroutine[Any, Any, None]],
) -> None:
    async def play(world: World) -> None:
        third = world.machine("n3")
        node = await world.join(third)
        await end(third)
        assert node in world.configuration().learners
        third.start()
        await world.until("it votes", lambda: node in world.configuration().voters)

    _run("starts again", play)


def test_a_voter_whose_vote_was_taken_does_not_ask_for_it_again() -> None:
    async def play(world: World) -> None:
        third = world.machine("n3")
        node = await world.join(third)
        await world.until("it votes", lambda: node in world.configuration().voters)
        # it has heard of that itself
        await asyncio.sleep(5.0)
        await world.order(Order(Verb.DEMOTE, node))
        await third.kill()
        third.start()
        await asyncio.sleep(30.0)
        assert node in world.configuration().learners

    _run("vote taken", play)
