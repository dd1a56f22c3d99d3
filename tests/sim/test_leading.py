"""A leader that writes without asking the others first is never ahead of the truth."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

from everwhen.errors import EverwhenError
from everwhen.runtime.twins.loop import run_virtual
from everwhen.runtime.twins.time_and_chance import VirtualClock
from tests.sim.load import rows
from tests.sim.machine import Machine, Shape
from tests.sim.world import World

_NAMES = ("n1", "n2", "n3")
_SHAPE = Shape(16 << 10, 200, 32 << 10, 1.0, 0.002)
#: it reads one thing and writes another, so that no conflict would tell that it read too early
_COPY = "MATCH (a:From) MATCH (b:To) SET b.value = a.value, b.copies = coalesce(b.copies, 0) + 1"
#: it changes nothing where the value is another
_MATCHING = "MATCH (a:From) WHERE a.value = $value SET a.seen = true RETURN count(a)"
_CHANGE = "MATCH (a:From) SET a.value = $value"


async def _ask(machine: Machine, text: str, **given: Any) -> list[Any]:
    assert machine.node is not None
    return await machine.call(rows(machine.node, text, given))


async def _insist(machine: Machine, text: str, **given: Any) -> list[Any]:
    """Until somebody leads who answers."""
    for _ in range(100):
        try:
            return await _ask(machine, text, **given)
        except EverwhenError:
            await asyncio.sleep(0.1)
    raise AssertionError(f"no answer: {text}")


async def _led(world: World) -> tuple[Machine, list[Machine]]:
    """A cluster that has something to copy; its leader, which knows the statements, and the
    others."""
    await world.found(list(_NAMES))
    await world.until("somebody leads", lambda: world.leader() is not None)
    leader = world.leader()
    assert leader is not None
    await _insist(leader, "CREATE (:From {value: 1}), (:To {value: 0})")
    for _ in range(2):
        await _ask(leader, _COPY)
        await _ask(leader, _MATCHING, value=1)
        await _ask(leader, _MATCHING, value=0)
    await world.settle()
    assert world.leader() is leader
    return leader, [each for each in world.machines.values() if each is not leader]


def _cut_off(world: World, one: Machine, others: list[Machine]) -> None:
    world.network.weather.cut = {
        link for each in others for link in ((one.name, each.name), (each.name, one.name))
    }


def _while_cut_off(text: str, **given: Any) -> tuple[list[Any], list[Any]]:
    """A leader is cut off, others elect and change the value to 2; then it is asked ``text``,
    still in the belief that it leads, and the network heals. The answer, and what is there."""
    clock = VirtualClock()
    world = World("leading", _SHAPE, clock)

    async def main() -> tuple[list[Any], list[Any]]:
        leader, others = await _led(world)
        _cut_off(world, leader, others)
        assert leader.node is not None
        core = leader.node.member.replica.core
        # its clock stands: it does not notice that nobody answers
        stands = patch.object(core, "tick", lambda: None)
        stands.start()
        await world.until("others elect", lambda: world.leader() is not leader)
        await _insist(others[0], _CHANGE, value=2)
        assert leader.node.member.replica.is_leader
        asked = asyncio.ensure_future(_ask(leader, text, **given))
        await asyncio.sleep(0.05)
        stands.stop()
        world.network.weather.cut = set()
        answer = await asked
        await world.settle()
        there = await _insist(others[0], "MATCH (b:To) RETURN b.value, b.copies")
        for machine in world.machines.values():
            await machine.stop()
        return answer, there

    return run_virtual(main(), clock)


def test_what_it_read_too_early_is_not_written() -> None:
    _, there = _while_cut_off(_COPY)
    assert there == [[2, 3]]


def test_what_it_found_too_early_is_not_told() -> None:
    answer, _ = _while_cut_off(_MATCHING, value=1)
    assert answer == [[0]]
    answer, _ = _while_cut_off(_MATCHING, value=2)
    assert answer == [[1]]


def test_a_leader_with_followers_asks_nobody_before_a_known_write() -> None:
    clock = VirtualClock()
    world = World("asks nobody", _SHAPE, clock)

    async def main() -> list[int]:
        leader, _ = await _led(world)
        assert leader.node is not None
        reads = leader.node.member.replica.reads
        counts = []
        for text, given in ((_COPY, {}), (_MATCHING, {"value": 0})):
            before = reads._number
            await _ask(leader, text, **given)
            counts.append(reads._number - before)
        for machine in world.machines.values():
            await machine.stop()
        return counts

    assert run_virtual(main(), clock) == [0, 1]


def test_a_group_of_one_has_nobody_to_wait_for() -> None:
    """Nor when it starts again, with changes of membership in its log that it has to apply first."""
    clock = VirtualClock()
    world = World("alone", _SHAPE, clock)

    async def main() -> list[float]:
        await world.found(["n1"])
        first, took = world.machines["n1"], []
        for end in (Machine.kill, Machine.stop, Machine.cut_power):
            await end(first)
            first.start()
            started = clock.monotonic()
            await world.until("it leads", lambda: world.leader() is first)
            took.append(clock.monotonic() - started)
        await first.stop()
        return took

    assert max(run_virtual(main(), clock)) < 0.3
