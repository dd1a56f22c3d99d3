"""A simulated cluster: its machines, who belongs to it, and waiting for it to be well."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from uuid import UUID

from everwhen.codec.cluster import Configuration
from everwhen.errors import EverwhenError
from everwhen.runtime.replica.admin import Order, Verb
from everwhen.runtime.twins.time_and_chance import SeededRandom, VirtualClock
from tests.sim.machine import Lost, Machine, Shape
from tests.sim.network import Network

_CLUSTER = UUID(int=7)
_AGAIN_SECONDS = 0.2
#: virtual seconds within which a healed cluster must be well again
WELL_SECONDS = 120.0


class Stuck(AssertionError):
    """Nothing is broken any more, and yet the cluster does not get well."""


class World:
    """See the module."""

    def __init__(self, seed: str, shape: Shape, clock: VirtualClock) -> None:
        self.random = SeededRandom(seed)
        self.clock = clock
        self.counts: Counter[str] = Counter()
        self.network = Network(self.random.child("network"), self.counts)
        #: every machine there is, also those that do not belong to the cluster now
        self.machines: dict[str, Machine] = {}
        self.log: list[str] = []
        self._shape = shape

    def say(self, text: str) -> None:
        """A line of the run's story."""
        self.log.append(f"{self.clock.monotonic():10.4f} {text}")

    def machine(self, name: str) -> Machine:
        """A new machine."""
        machine = Machine(
            name, self.network, self.clock, self.random.child(f"machine {name}"), self._shape
        )
        self.machines[name] = machine
        return machine

    @property
    def events(self) -> int:
        """Frames delivered, operations of disks."""
        disks = sum(machine.disk_operations for machine in self.machines.values())
        return self.counts["frames delivered"] + disks

    # --- the group ---

    async def found(self, names: list[str]) -> None:
        """A cluster of these."""
        first = self.machine(names[0])
        first.identity()
        first.admitted(_CLUSTER, 1)
        first.start()
        for name in names[1:]:
            await self.join(self.machine(name))
        await self.until("all members vote", lambda: len(self.configuration().voters) == len(names))

    async def join(self, machine: Machine, replace: int = 0) -> int:
        """Have a machine with an empty disk admitted, however long it takes; it asks for a vote
        by itself."""
        while True:
            try:
                node_id = await self.order(Order(Verb.JOIN, replace, machine.member()))
                break
            except (EverwhenError, Lost, TimeoutError) as error:
                self.say(f"{machine.name} is not admitted yet: {error}")
                await asyncio.sleep(_AGAIN_SECONDS)
        machine.admitted(_CLUSTER, node_id, asks_for_vote=True)
        machine.start()
        self.say(f"{machine.name} joins as node {node_id}")
        return node_id

    async def order(self, order: Order) -> int:
        """Give an order to a machine that runs.

        :raises TimeoutError, Lost, EverwhenError: it is not known to be done.
        """
        able = [machine for machine in self.machines.values() if machine.node is not None]
        if not able:
            raise TimeoutError("no machine runs")
        machine = able[self.random.below(len(able))]
        assert machine.node is not None
        async with asyncio.timeout(20.0):
            return await machine.call(machine.node.member.admin.carry_out(order))

    def configuration(self) -> Configuration:
        """As applied where most is applied."""
        best = Configuration()
        for machine in self.machines.values():
            if machine.node is not None:
                found = machine.node.member.configuration
                if found.index > best.index:
                    best = found
        return best

    def member_id(self, machine: Machine) -> int:
        """The id of the node on a machine; 0 while it does not run."""
        return 0 if machine.node is None else machine.node.member.node_id

    def leader(self) -> Machine | None:
        """The leader of the highest term among those that say they lead."""
        leading = [
            (machine.node.member.replica.term, machine)
            for machine in self.machines.values()
            if machine.node is not None and machine.node.member.replica.is_leader
        ]
        return max(leading, key=lambda pair: pair[0])[1] if leading else None

    async def until(
        self, what: str, condition: Callable[[], bool], seconds: float = WELL_SECONDS
    ) -> None:
        """Wait in virtual time.

        :raises Stuck: it does not come true.
        """
        deadline = self.clock.monotonic() + seconds
        while not condition():
            if self.clock.monotonic() > deadline:
                raise Stuck(f"not within {seconds:g} s: {what}; {self.describe()}")
            await asyncio.sleep(0.05)

    def describe(self) -> str:
        """Every machine in a few words."""
        words = []
        for machine in self.machines.values():
            node = machine.node
            if node is None:
                words.append(f"{machine.name} {'starts' if machine.runs else 'is down'}")
                continue
            core = node.member.replica.core.raft
            words.append(
                f"{machine.name}: node {node.member.node_id} {core.state.name} term {core.term} "
                f"committed {core.log.committed} applied {node.parts.machine.applied_index} "
                f"last {core.log.last_index()} of {node.member.configuration.voters}"
                f"+{node.member.configuration.learners}"
            )
        return "; ".join(words)

    async def settle(self) -> None:
        """Everything runs and is connected: wait until all members are equal."""
        await self.until("all agree", self._equal)

    def _equal(self) -> bool:
        leader = self.leader()
        if leader is None or leader.node is None:
            return False
        core = leader.node.member.replica.core.raft
        members = [m for m in self.machines.values() if m.node is not None]
        ids = {self.member_id(machine) for machine in members}
        if not set(self.configuration().ids) <= ids:
            return False
        last = core.log.last_index()
        return all(
            machine.node is not None and machine.node.parts.machine.applied_index == last
            for machine in members
            if self.member_id(machine) in self.configuration().ids
        )
