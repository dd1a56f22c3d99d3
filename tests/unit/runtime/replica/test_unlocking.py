"""Locks that a follower's transaction held are released at the leader, however busy that is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from everwhen.errors import EverwhenError, NotTheLeader, OutcomeUnknown, TooManyRequests
from everwhen.runtime.replica.consensus import GroupConsensus


class Leader:
    """Answers with these errors first."""

    def __init__(self, *errors: EverwhenError) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def ask(self, to: int, verb: int, body: bytes) -> bytes:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return b""


def unlocked(leader: Leader) -> int:
    """How often the leader was asked."""
    replica = SimpleNamespace(is_leader=False, leader=2, term=5)
    consensus = SimpleNamespace(_replica=replica, _requests=leader)
    asyncio.run(GroupConsensus.unlock(cast(Any, consensus), 3))
    return leader.asked


def test_a_leader_with_too_much_to_do_is_asked_again() -> None:
    assert unlocked(Leader(TooManyRequests("many"), TooManyRequests("many"))) == 3


@pytest.mark.parametrize("error", [NotTheLeader("it is not"), OutcomeUnknown("gone")])
def test_one_that_leads_no_more_took_its_locks_along(error: EverwhenError) -> None:
    assert unlocked(Leader(error)) == 1
