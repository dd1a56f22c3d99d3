"""What goes wrong in a run: chosen by the seed, each run from a handful of kinds (swarm testing:
Groce et al., ISSTA 2012), so that rare combinations meet often."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from everwhen.errors import EverwhenError
from everwhen.runtime.replica.admin import Order, Verb
from everwhen.runtime.twins.time_and_chance import SeededRandom
from tests.sim.machine import Lost, Machine
from tests.sim.network import Weather
from tests.sim.world import WELL_SECONDS, Stuck, World

_MACHINES_MAX: Final = 6


class Nemesis:
    """One fault after another until told to stop; ``heal`` makes everything good."""

    def __init__(
        self, world: World, random: SeededRandom, without: frozenset[str] = frozenset()
    ) -> None:
        self._world = world
        self._random = random
        self._without = without
        self.stopping = False
        #: machines that left the cluster, or that do not belong to it yet
        self.gone: set[str] = set()
        #: machines whose disk was lost and that were not taken back yet: name -> former node id
        self.lost: dict[str, int] = {}
        #: former node ids of machines whose disk was lost, until they are members no more
        self.former: list[int] = []
        kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "power cut": self._cut_power,
            "kill -9": self._kill,
            "kill leader": self._kill_leader,
            "all dark": self._all_dark,
            "restart": self._restart,
            "partition": self._partition,
            "isolate": self._isolate,
            "one way": self._one_way,
            "slow network": self._slow,
            "broken connections": self._flaky,
            "clock jump": self._jump,
            "failed fsync": self._fail_sync,
            "short writes": self._short_writes,
            "transfer": self._transfer,
            "snapshot": self._snapshot,
            "join": self._join,
            "leave": self._leave,
            "lost disk": self._lose_disk,
            "compaction while away": self._away,
        }
        wanted = [name for name in kinds if random.below(2)]
        #: at least something
        self._kinds = {name: kinds[name] for name in wanted or ["power cut", "partition"]}
        self.pause = 0.1 + random.float() * 3.0

    @property
    def kinds(self) -> list[str]:
        """What this run has."""
        return list(self._kinds)

    async def run(self) -> None:
        """Until told to stop."""
        names = list(self._kinds)
        while not self.stopping:
            await asyncio.sleep(self._random.float() * 2 * self.pause)
            if self.stopping:
                return
            if self._random.below(3) == 0:
                await self.heal()
                continue
            name = names[self._random.below(len(names))]
            if name in self._without:
                continue
            self._world.say(f"fault: {name}")
            self._world.counts[name] += 1
            await self._kinds[name]()

    async def heal(self) -> None:
        """Everything works from here on, and who does not run is started."""
        world = self._world
        world.say("heal")
        cut = world.network.weather.cut
        world.network.weather = Weather()
        if cut:
            world.counts["healed partitions"] += 1
        for machine in world.machines.values():
            machine.disk.short_write_chance = 0.0
            machine.disk.fail_syncs(0)
            if not machine.runs and machine.name not in self.gone:
                machine.start()

    # --- choosing ---

    def _running(self) -> list[Machine]:
        return [machine for machine in self._world.machines.values() if machine.node is not None]

    def _any(self) -> Machine | None:
        able = self._running()
        return able[self._random.below(len(able))] if able else None

    # --- processes ---

    async def _cut_power(self) -> None:
        if machine := self._any():
            self._world.say(f"power cut of {machine.name}")
            await machine.cut_power()
            await self._perhaps_start(machine)

    async def _kill(self) -> None:
        if machine := self._any():
            self._world.say(f"kill of {machine.name}")
            await machine.kill()
            await self._perhaps_start(machine)

    async def _kill_leader(self) -> None:
        if machine := self._world.leader():
            self._world.say(f"kill of the leader, {machine.name}")
            await machine.kill()
            await self._perhaps_start(machine)

    async def _all_dark(self) -> None:
        for machine in self._running():
            await machine.cut_power()
        await asyncio.sleep(self._random.float())
        for machine in self._world.machines.values():
            if not machine.runs and machine.name not in self.gone:
                machine.start()

    async def _restart(self) -> None:
        if machine := self._any():
            self._world.say(f"restart of {machine.name}")
            await machine.stop()
            await self._perhaps_start(machine)

    async def _perhaps_start(self, machine: Machine) -> None:
        if self._random.below(3):
            await asyncio.sleep(self._random.float() * 2)
            if not machine.runs and machine.name not in self.gone:
                machine.start()

    async def _away(self) -> None:
        """Away for so long that the log does not reach back to it."""
        if machine := self._any():
            await machine.kill()
            await asyncio.sleep(5 + self._random.float() * 5)
            if not machine.runs and machine.name not in self.gone:
                machine.start()

    # --- network ---

    async def _partition(self) -> None:
        names = list(self._world.machines)
        side = {name for name in names if self._random.below(2)}
        self._cut((a, b) for a in names for b in names if (a in side) != (b in side))

    async def _isolate(self) -> None:
        machine = (self._world.leader() if self._random.below(2) else None) or self._any()
        if machine is not None:
            others = [name for name in self._world.machines if name != machine.name]
            self._cut(
                pair for name in others for pair in ((name, machine.name), (machine.name, name))
            )

    async def _one_way(self) -> None:
        names = list(self._world.machines)
        self._cut((a, b) for a in names for b in names if a != b and self._random.below(3) == 0)

    def _cut(self, links: Iterable[tuple[str, str]]) -> None:
        self._world.network.weather.cut = set(links)

    async def _slow(self) -> None:
        self._world.network.weather.delay_max = (0.02, 0.1, 0.4)[self._random.below(3)]

    async def _flaky(self) -> None:
        self._world.network.weather.break_chance = (0.01, 0.05, 0.2)[self._random.below(3)]

    # --- machines ---

    async def _jump(self) -> None:
        if machine := self._any():
            machine.clock.offset_micros += (self._random.below(20_001) - 10_000) * 1_000

    async def _fail_sync(self) -> None:
        if machine := self._any():
            machine.excused = True
            machine.disk.fail_syncs(1)
            await asyncio.sleep(0.5)
            machine.disk.fail_syncs(0)
            if not machine.runs:
                # what the disk says it has is not to be trusted until the machine was off
                await machine.cut_power()
                machine.start()

    async def _short_writes(self) -> None:
        if machine := self._any():
            machine.disk.short_write_chance = 0.3

    # --- the group ---

    async def _try(self, order: Order) -> bool:
        try:
            await self._world.order(order)
        except (EverwhenError, Lost, TimeoutError) as error:
            self._world.say(f"{order.verb.name} {order.node}: {error}")
            return False
        self._world.counts[f"done: {order.verb.name.lower()}"] += 1
        return True

    async def _transfer(self) -> None:
        voters = self._world.configuration().voters
        if voters:
            await self._try(Order(Verb.TRANSFER, voters[self._random.below(len(voters))]))

    async def _snapshot(self) -> None:
        machine = self._any()
        if machine is None or machine.node is None:
            return
        try:
            await machine.call(machine.node.member.snapshots.make())
        except (EverwhenError, Lost) as error:
            self._world.say(f"snapshot on {machine.name}: {error}")

    async def _join(self) -> None:
        world = self._world
        if len(world.machines) >= _MACHINES_MAX:
            return
        machine = world.machine(f"n{len(world.machines) + 1}")
        self.gone.add(machine.name)
        await self._admit(machine)

    async def _admit(self, machine: Machine, replace: int = 0) -> None:
        """Bring it in; what is not done in time is done when everything is well again."""
        self.lost[machine.name] = replace
        try:
            async with asyncio.timeout(15.0):
                await self._world.join(machine, replace)
        except TimeoutError:
            self._world.say(f"{machine.name} is not in yet")
            return
        await self._in(machine)

    async def _in(self, machine: Machine) -> None:
        former = self.lost.pop(machine.name)
        if former and not await self._try(Order(Verb.LEAVE, former)):
            self.former.append(former)
        self.gone.discard(machine.name)
        self._world.counts["members joined"] += 1

    async def finish(self) -> None:
        """Everything works: also bring in who could not be brought in before.

        :raises Stuck: a group that has all it needs does not do it.
        """
        await self.heal()
        try:
            async with asyncio.timeout(WELL_SECONDS):
                await self._finish()
        except TimeoutError:
            raise Stuck(
                f"not within {WELL_SECONDS:g} s: all are in; {self._world.describe()}"
            ) from None

    async def _finish(self) -> None:
        for name, replace in list(self.lost.items()):
            machine = self._world.machines[name]
            await self._world.join(machine, replace)
            await self._in(machine)
        while self.former:
            if await self._try(Order(Verb.LEAVE, self.former[-1])):
                self.former.pop()
            else:
                await asyncio.sleep(0.2)

    async def _leave(self) -> None:
        configuration = self._world.configuration()
        machine = self._any()
        if machine is None or len(configuration.voters) <= 3:
            return
        number = self._world.member_id(machine)
        if number in configuration.ids and await self._try(Order(Verb.LEAVE, number)):
            self.gone.add(machine.name)
            await machine.kill()
            self._world.counts["members left"] += 1

    async def _lose_disk(self) -> None:
        """A follower's disk is lost while all others are well; it comes back as another node."""
        world = self._world
        machine = self._any()
        configuration = world.configuration()
        ids = {world.member_id(each) for each in self._running()}
        if (
            machine is None
            or machine is world.leader()
            or not set(configuration.ids) <= ids
            or world.network.weather.cut
            or len(configuration.voters) < 3
        ):
            return
        number = world.member_id(machine)
        world.say(f"{machine.name} loses its disk")
        self.gone.add(machine.name)
        await machine.wipe()
        world.counts["disks lost"] += 1
        await self._admit(machine, number)
