"""A write on its way through another node: it enters the log once, whatever its leader answers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from everwhen.errors import EverwhenError, NotTheLeader, OutcomeUnknown
from everwhen.runtime.consensus import Order
from everwhen.runtime.replica.consensus import GroupConsensus
from everwhen.runtime.replica.proposals import Proposals
from everwhen.runtime.replica.waiting import Signal
from everwhen.runtime.twins.loop import run_virtual
from everwhen.runtime.twins.time_and_chance import VirtualClock
from everwhen.txn import commands as c


class Asked:
    """The other nodes: what each answers, in turn."""

    def __init__(self, replica: Any, *answers: EverwhenError | None) -> None:
        self._replica = replica
        self._answers = list(answers)
        self.asked: list[tuple[int, int]] = []

    def handle(self, *_: Any) -> None:
        """Nobody asks this one."""

    async def ask(self, peer: int, *_: Any, **__: Any) -> bytes:
        self.asked.append((peer, self._replica.term))
        answer = self._answers.pop(0)
        if answer is not None:
            raise answer
        return b""


@pytest.mark.parametrize("steps_down", [True, False])
def test_what_a_leader_may_have_taken_is_offered_to_no_later_one(steps_down: bool) -> None:
    """It answered nothing when it was asked first. Asked again it leads no more, or it is silent
    and nobody leads for a while: what it has in its log may be committed all the same."""
    clock = VirtualClock()
    changed = Signal()
    replica = SimpleNamespace(
        term=3, leader=2, node_id=1, proposals=Proposals(1, 1), changed=changed
    )
    others = Asked(replica, OutcomeUnknown("silent"), NotTheLeader("steps down"), None)

    async def main() -> None:
        nothing = cast(Any, None)
        applied = cast(Any, SimpleNamespace(version=0))
        consensus = GroupConsensus(
            cast(Any, replica), nothing, cast(Any, others), applied, clock, nothing
        )
        command = c.encode(c.LeaseIds(c.FORMAT, 1, 1))
        writing = asyncio.ensure_future(consensus.propose(command, Order(0, 0)))
        if not steps_down:
            await asyncio.sleep(0.0)
            replica.leader = 0
            changed.notify()
        await asyncio.sleep(2.0)
        replica.term, replica.leader = 4, 3
        changed.notify()
        await asyncio.sleep(2.0)
        # the new leader has the old one's entry in its log
        [proposal] = replica.proposals
        replica.proposals.applied(proposal.ticket, c.Leased(7, 8))
        await writing

    run_virtual(main(), clock)
    assert others.asked == [(2, 3), (2, 3)][: 1 + steps_down]
