"""The whole node on virtual time and a disk that fails: nothing acknowledged is lost, ever."""

from __future__ import annotations

import asyncio
import logging

import pytest

from everwhen.errors import DiskFailed, OutcomeUnknown, ShuttingDown
from everwhen.runtime.compacting import CompactionOptions
from everwhen.runtime.node import Node
from tests.node.twin_node import COMPACTS, Machine, PowerCut, rows
from tests.support.effort import rounds

SEEDS = range(rounds("TWIN_SEEDS", 5, 200))


class _Ledger:
    """Numbers that were written: acknowledged, or of unknown outcome."""

    def __init__(self) -> None:
        self.next = 0
        self.acknowledged: set[int] = set()
        self.unknown: set[int] = set()

    async def write(self, node: Node, count: int) -> None:
        """Four clients that each create numbered nodes, some in pairs."""
        await asyncio.gather(*(self._client(node, count) for _ in range(4)))

    async def _client(self, node: Node, count: int) -> None:
        for _ in range(count):
            number = self.next
            self.next += 1
            self.unknown.add(number)
            await rows(node, "CREATE (:A {i: $i})-[:R]->(:B {i: $i})", {"i": number})
            self.unknown.discard(number)
            self.acknowledged.add(number)

    async def check(self, node: Node) -> None:
        """Everything acknowledged is there whole, everything else whole or not at all."""
        pairs = await rows(node, "MATCH (a:A)-[:R]->(b:B) WHERE a.i = b.i RETURN a.i")
        singles = await rows(node, "MATCH (n) WHERE NOT (n)--() RETURN n.i")
        found = [i for [i] in pairs]
        assert len(found) == len(set(found)), "a commit took effect twice"
        assert not singles, "half of a commit is there"
        assert self.acknowledged <= set(found), "an acknowledged commit is lost"
        assert set(found) <= self.acknowledged | self.unknown, "a commit out of nowhere"
        # what was of unknown outcome is known now
        self.acknowledged, self.unknown = set(found), set()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("compaction", [None, COMPACTS], ids=["keys", "compacted"])
def test_power_cuts_lose_nothing_acknowledged(
    seed: int, compaction: CompactionOptions | None
) -> None:
    machine, ledger = Machine(seed, compaction), _Ledger()
    for boot in range(6):
        cut_after = 1 + machine.random.below(400)

        async def life(node: Node, boot: int = boot, cut_after: int = cut_after) -> None:
            await ledger.check(node)
            machine.disk.power_cut_after(cut_after)
            await ledger.write(node, 8)

        try:
            machine.run(life)
        except (PowerCut, OutcomeUnknown, ShuttingDown):
            machine.crash()
        else:
            machine.disk.reopen()  # the cut would have come later: it must not hit the next boot
    machine.run(ledger.check)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_failed_fsync_ends_the_node_and_loses_nothing(seed: int) -> None:
    machine, ledger = Machine(seed), _Ledger()

    async def life(node: Node) -> None:
        await ledger.write(node, 3)
        machine.disk.fail_syncs(1)
        await ledger.write(node, 3)

    with pytest.raises((DiskFailed, OutcomeUnknown, ShuttingDown)):
        machine.run(life)
    machine.crash()
    machine.run(ledger.check)


def test_one_seed_gives_one_run() -> None:
    def digest(seed: int) -> bytes:
        machine, ledger = Machine(seed), _Ledger()
        seen: list[bytes] = []

        async def life(node: Node) -> None:
            await ledger.write(node, 5)
            seen.append(node.parts.state.current.head.chain)

        machine.run(life)
        return seen[0]

    logging.getLogger("asyncio").setLevel(logging.ERROR)
    assert digest(7) == digest(7)
    assert digest(7) != digest(8)


def test_commit_times_go_forward_when_the_clock_goes_back() -> None:
    machine = Machine(3)

    async def first(node: Node) -> None:
        await rows(node, "CREATE (:A)")
        machine.clock.jump_wall(-3_600_000_000)
        await rows(node, "CREATE (:A)")

    async def second(node: Node) -> None:
        await rows(node, "CREATE (:A)")
        times = [node.parts.state.current.head.time]
        for version in range(1, 4):
            found = await rows(node, f"MATCH (n:A) AT VERSION {version} RETURN count(n)")
            assert found == [[version]]
        await rows(node, "CREATE (:A)")
        times.append(node.parts.state.current.head.time)
        assert times == sorted(set(times))

    machine.run(first)
    machine.run(second)
