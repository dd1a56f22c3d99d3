"""One run: a cluster is founded, used and hurt; then it is healed, and must be well and truthful.

Everything follows from the seed. A run has two phases (research/raft.md, 4.5): first anything may
go wrong, and nothing wrong may ever be seen (safety); then everything is repaired, and the cluster
must answer again within a bounded virtual time (liveness).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from everwhen import limits
from everwhen.apply import detaching
from everwhen.mvcc.verify import verify
from everwhen.runtime.compacting import CompactionOptions
from everwhen.runtime.twins.loop import run_virtual
from everwhen.runtime.twins.time_and_chance import SeededRandom, VirtualClock
from tests.checkers import appends, hubs, registers, sums
from tests.checkers.history import Operation, Problem, of_kind
from tests.sim.faults import Nemesis
from tests.sim.invariants import Invariants
from tests.sim.load import ACCOUNTS, FORGETTING, MONEY, REMEMBERING, SETUP, Client, Shared, rows
from tests.sim.machine import Machine, Shape
from tests.sim.profile import WHOLE, Profile
from tests.sim.world import World

#: a run that brings about fewer events than wanted ends here all the same; virtual seconds
_LONGEST_SECONDS: Final = 240.0
_SIZES: Final = (3, 3, 3, 5)


@dataclass(slots=True)
class Report:
    """What came of a seed."""

    seed: str
    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    events: int = 0
    virtual_seconds: float = 0.0
    #: over everything that was said and done: equal for equal runs
    digest: str = ""
    story: list[str] = field(default_factory=list)
    #: kinds of faults that the seed chose
    faults: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problems


def run_seed(seed: str, profile: Profile = WHOLE) -> Report:
    """One run."""
    clock = VirtualClock()
    chance = SeededRandom(seed).child("shape")
    segment_bytes = (4 << 10, 16 << 10, 64 << 10)[chance.below(3)]
    trailing_entries = (5, 30, 200)[chance.below(3)]
    shape = Shape(
        segment_bytes=segment_bytes,
        trailing_entries=trailing_entries,
        # none for some, so that snapshots are common
        held_log_bytes=0 if trailing_entries == 5 else 2 * segment_bytes,
        flush_seconds=0.5 + chance.float() * 5,
        thread_wait=(0.0005, 0.002, 0.02)[chance.below(3)],
        compacts=profile.compacts,
    )
    world = World(seed, shape, clock)
    report = Report(seed, counts=world.counts)
    run = _Run(world, _SIZES[chance.below(len(_SIZES))], profile)
    try:
        with _small(profile):
            run_virtual(run.main(), clock)
    except Exception as error:
        report.problems.append(f"{type(error).__name__}: {error}")
    report.problems += [str(problem) for problem in run.problems]
    for machine in world.machines.values():
        report.problems += [f"{machine.name}: {fault!r}" for fault in machine.faults]
        world.counts["snapshots installed"] += machine.snapshots_installed
    report.faults = run.faults
    report.events = world.events
    report.virtual_seconds = clock.monotonic()
    report.story = [*world.log, *(str(each) for each in run.shared.history)]
    report.digest = hashlib.sha256("\n".join(report.story).encode()).hexdigest()[:16]
    return report


@contextmanager
def _small(profile: Profile) -> Iterator[None]:
    """Transactions of some twenty mutations are large ones, where hubs grow. Whether plans run in
    batches does not depend on what this process has loaded before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("everwhen.exec.choose._KERNELS", "sys" if profile.heaps else "")
        if profile.heaps:
            patch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 20)
            patch.setattr(limits, "MUTATIONS_PER_CHUNK", 10)
            patch.setattr(limits, "DETACHED_PER_STEP", 10)
            patch.setattr(detaching, "CHUNK_ROOM", 10)
        yield


class _Run:
    """The phases; see the module."""

    def __init__(self, world: World, size: int, profile: Profile) -> None:
        self.problems: list[Problem] = []
        self.shared = Shared(world.machines, world.clock)
        self._world = world
        self._size = size
        self._profile = profile
        self.faults: tuple[str, ...] = ()
        self._invariants = Invariants(world.machines, world.counts)
        self._broken: Exception | None = None
        world.network.on_delivery = self._on_delivery

    def _on_delivery(self, sender: str, to: str, data: bytes) -> None:
        try:
            self._invariants.on_delivery(sender, to, data)
            self._invariants.look()
        except AssertionError as error:
            # raised where the run waits, not in a callback of the loop
            self._broken = self._broken or error
            self._world.say(f"violated: {error}")

    async def main(self) -> None:
        """Both phases and the judgement."""
        world = self._world
        await world.found([f"n{number + 1}" for number in range(self._size)])
        await self._set_up()
        world.say("load begins")
        nemesis = Nemesis(world, world.random.child("nemesis"), self._profile.without)
        self.faults = tuple(nemesis.kinds)
        world.say(f"faults: {', '.join(nemesis.kinds)}")
        clients = [
            asyncio.ensure_future(self._client(number).run())
            for number in range(self._profile.clients)
        ]
        hurting = asyncio.ensure_future(nemesis.run())
        end = world.clock.monotonic() + _LONGEST_SECONDS
        while world.events < self._profile.events and world.clock.monotonic() < end:
            await asyncio.sleep(0.25)
            self._check()
            for task in (hurting, *clients):
                if task.done():
                    task.result()
        nemesis.stopping = True
        await hurting
        world.say("all faults end")
        await nemesis.finish()
        await world.until("somebody leads", lambda: world.leader() is not None)
        await asyncio.sleep(2.0)
        self.shared.stopping = True
        await asyncio.gather(*clients)
        if self._profile.forgets:
            await self._stop_forgetting()
        if self._profile.compacts:
            await self._stop_compacting()
        await world.settle()
        self._check()
        await self._judge()
        for machine in world.machines.values():
            await machine.stop()
        self._check()

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _client(self, number: int) -> Client:
        random = self._world.random.child(f"client {number}")
        return Client(self.shared, number, random, self._profile)

    async def _stop_forgetting(self) -> None:
        """No rule lets anything go any more; what is under way comes to its end."""
        world = self._world
        leader = world.leader()
        assert leader is not None
        assert leader.node is not None
        for statement in REMEMBERING:
            await leader.call(rows(leader.node, statement))

        def is_done() -> bool:
            found = world.leader()
            if found is None or found.node is None:
                return False
            vacuuming = found.node.parts.database.vacuuming
            return vacuuming is not None and not vacuuming.running

        await world.until("vacuum has ended", is_done)
        leader = world.leader()
        if leader is not None and leader.node is not None:
            world.counts["rounds of vacuum"] += leader.node.parts.state.current.vacuum.round

    async def _stop_compacting(self) -> None:
        """Nothing begins any more; what clients that are gone still read may hold up the rest."""
        for machine in self._world.machines.values():
            if machine.node is not None:
                machine.node.compacting.options = CompactionOptions(0.0)
        await asyncio.sleep(2.0)

    async def _set_up(self) -> None:
        machine = next(iter(self._world.machines.values()))
        assert machine.node is not None
        forgetting = FORGETTING if self._profile.forgets else ()
        for statement in (*SETUP, *(hubs.SETUP if self._profile.heaps else ()), *forgetting):
            await machine.call(rows(machine.node, statement))

    async def _judge(self) -> None:
        """What clients saw, and what every member has now."""
        world = self._world
        members = [
            machine
            for machine in world.machines.values()
            if world.member_id(machine) in world.configuration().ids
        ]
        # before anything is asked: what goes on by itself (folding) may add entries meanwhile
        digests = {
            machine.name: machine.node.parts.machine.digest.hex()
            for machine in members
            if machine.node is not None
        }
        found = {machine.name: await self._content(machine) for machine in members}
        history: list[Operation] = self.shared.history
        if self._profile.compacts or self._profile.heaps:
            self._verify(members)
        content = next(iter(found.values()))
        lists = [each for each in history if each.kind == "append-txn"]
        strict = [each for each in lists if each.arguments["serializable"]]
        loose = [each for each in lists if not each.arguments["serializable"]]
        self.problems += [
            *registers.check(history),
            *appends.check(strict, serializable=True),
            *appends.check(loose),
            *appends.lost(history, content["lists"]),
            *sums.bank(history, ACCOUNTS * MONEY),
            *sums.counters(history, content["counters"]),
            *sums.members_of_set(history, content["set"]),
            *sums.repeatable(history),
            *sums.same_everywhere(found),
            *sums.same_everywhere(digests),
        ]
        if content["pairs"] != len(content["set"]):
            self.problems.append(Problem("half a commit", f"{content['pairs']} pairs"))
        ok = sum(each.ok for each in history)
        world.counts["requests"] += len(history)
        world.counts["requests done"] += ok
        world.counts.update(f"ok: {each.kind}" for each in history if each.ok)
        world.counts["flashbacks"] += sum(each.ok for each in of_kind(history, "undo"))
        if not ok:
            self.problems.append(Problem("no progress", "no request succeeded"))

    def _verify(self, members: list[Machine]) -> None:
        """Whatever moved from keys into rows or was staged, the records are whole."""
        for machine in members:
            assert machine.node is not None
            found = verify(machine.node.directory.store).problems
            self.problems += [Problem("a record that is not whole", one) for one in found]
            compaction = machine.node.parts.state.current.compaction
            self._world.counts["elements compacted"] += compaction.rows

    async def _content(self, machine: Machine) -> dict[str, Any]:
        async def ask(text: str) -> list[Any]:
            assert machine.node is not None
            return await machine.call(rows(machine.node, text))

        return {
            "lists": dict(await ask("MATCH (l:Lst) RETURN l.key, l.items")),
            "counters": dict(await ask("MATCH (c:Cnt) RETURN c.id, c.v")),
            "set": sorted(row[0] for row in await ask("MATCH (n:El) RETURN n.v")),
            "pairs": (await ask("MATCH (:El)-[r:OF]->(:Pair) RETURN count(r)"))[0][0],
            "accounts": await ask("MATCH (a:Acc) RETURN a.id, a.v ORDER BY a.id"),
            "hubs": await ask(
                "MATCH (h:Hub) OPTIONAL MATCH (h)-[r]->() RETURN h.k, count(r) ORDER BY h.k"
            ),
        }


__all__ = ["Report", "run_seed"]
