"""What breaks: one thing at a time or two, each made good again before the next."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from tests.cluster.chaos.group import Broken, Group
from tests.cluster.chaos.links import Network
from tests.cluster.chaos.workload import Shared

_LONGEST_SECONDS: Final = 5.0


class Nemesis(threading.Thread):
    """See the module; ``done`` counts what it did."""

    def __init__(self, group: Group, network: Network, shared: Shared, seed: str) -> None:
        super().__init__(daemon=True)
        self._group = group
        self._network = network
        self._shared = shared
        self._chance = random.Random(f"nemesis {seed}")
        self._told = threading.Event()
        self.done: Counter[str] = Counter()
        self._deeds: tuple[Callable[[], None], ...] = (
            self._kill_one,
            self._kill_leader,
            self._kill_all,
            self._freeze,
            self._isolate,
            self._halves,
            self._one_way,
            self._bridge,
            self._transfer,
            self._snapshots,
            self._vacuum,
            self._replace,
            *([self._full_disk] if group.small_disk.there else []),
            *([self._slow_disk, self._clock_jumps] if group.hosts else []),
        )

    def run(self) -> None:
        order: list[Callable[[], None]] = []
        while not self._told.is_set():
            if not order:
                # every deed once, then every deed again in another order
                order = self._chance.sample(self._deeds, len(self._deeds))
            deed = order.pop()
            name = deed.__name__.strip("_")
            print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
            try:
                deed()
            except OSError as broken:
                # asked somebody who was not there; the next deed finds another one
                self.done[f"{name} (not answered)"] += 1
                print(f"  {broken}", flush=True)
            except Broken as broken:
                self._shared.errors.append(f"after {name}: {broken}")
                return
            self.done[name] += 1
            self._pause(3.0)
            self._count_the_full()

    def stop(self) -> None:
        """End after what is being done; everything is made good."""
        self._told.set()
        self.join(300)
        self._network.heal()

    def _pause(self, longest: float = _LONGEST_SECONDS) -> None:
        self._told.wait(0.2 + self._chance.random() * longest)

    def _names(self) -> list[str]:
        return list(self._group.members)

    def _any(self) -> str:
        return self._chance.choice(self._names())

    def _leader_or_any(self) -> str:
        return self._group.leader() or self._any()

    # --- processes ---

    def _kill_one(self) -> None:
        self._kill([self._any()])

    def _kill_leader(self) -> None:
        self._kill([self._leader_or_any()])

    def _kill_all(self) -> None:
        self._kill(self._names())

    def _kill(self, names: list[str]) -> None:
        for name in names:
            self._group.kill(name)
        self._pause()
        for name in names:
            self._group.start(name)

    def _freeze(self) -> None:
        name = self._leader_or_any()
        self._group.freeze(name)
        self._pause()
        self._group.thaw(name)

    def _full_disk(self) -> None:
        """A member whose disk is full may end; it must come back once there is room."""
        self._group.small_disk.fill()
        self._pause()
        self._group.small_disk.clear()
        self._count_the_full()

    def _count_the_full(self) -> None:
        """An end that comes of a full disk may come late."""
        if self._group.restart_after_full_disk():
            self.done["full_disk that ended the process"] += 1

    def _slow_disk(self) -> None:
        """Every fsync of the leader takes a fifth of a second."""
        name = self._leader_or_any()
        self._group.hosts[name].slow(0.2)
        self._pause()
        self._group.hosts[name].slow(0)

    def _clock_jumps(self) -> None:
        """A wall clock goes back by up to an hour, or forward, and stays there; another deed may
        bring it to somewhere else."""
        ahead = self._chance.choice((-3600, -60, -1, 1, 10))
        self._group.hosts[self._leader_or_any()].jump(ahead + self._chance.random())
        self._pause(2.0)

    # --- network ---

    def _separate(self, side: list[str]) -> None:
        others = [name for name in self._names() if name not in side]
        pairs = [(a, b) for a in side for b in others]
        self._network.cut([*pairs, *((b, a) for a, b in pairs)])
        self._pause()
        self._network.heal(breaking=self._chance.random() < 0.5)

    def _isolate(self) -> None:
        self._separate([self._leader_or_any()])

    def _halves(self) -> None:
        names = self._names()
        self._separate(self._chance.sample(names, len(names) // 2))

    def _one_way(self) -> None:
        """The leader is heard and hears nothing, or the other way round."""
        leader = self._leader_or_any()
        others = [name for name in self._names() if name != leader]
        out = self._chance.random() < 0.5
        self._network.cut([(leader, each) if out else (each, leader) for each in others])
        self._pause()
        self._network.heal(breaking=self._chance.random() < 0.5)

    def _bridge(self) -> None:
        """Two that do not hear each other, and everybody else hears both."""
        one, other = self._chance.sample(self._names(), 2)
        self._network.cut([(one, other), (other, one)])
        self._pause()
        self._network.heal()

    # --- operators ---

    def _transfer(self) -> None:
        leader = self._group.leader()
        if leader is None:
            return
        to = self._chance.choice([n for n in self._names() if n != leader])
        node = self._group.status(to)["nodeId"]
        self._group.ask(leader, "POST", "/v1/leader", {"to": node})

    def _snapshots(self) -> None:
        self._group.ask(self._any(), "POST", "/v1/snapshot", {})

    def _vacuum(self) -> None:
        self._group.ask(self._any(), "POST", "/v1/vacuum", {})

    def _replace(self) -> None:
        """A follower loses its disk; it leaves and comes back as somebody else of its name."""
        leader = self._group.leader()
        first = next(iter(self._names()))
        candidates = [name for name in self._names() if name not in (leader, first)]
        if leader is None or not candidates:
            return
        name = self._chance.choice(candidates)
        wanted = len(self._group.status(leader)["config"]["voters"])
        node = self._group.status(name)["nodeId"]
        self._group.wipe(name)
        self._group.until(f"node {node} leaves", lambda: self._left(node), seconds=60.0)
        self._group.start(name)
        self._group.until_voters(wanted)

    def _left(self, node: int) -> bool:
        leader = self._group.leader()
        if leader is None:
            return False
        return self._group.ask(leader, "DELETE", f"/v1/members/{node}", {})[0] == 200
