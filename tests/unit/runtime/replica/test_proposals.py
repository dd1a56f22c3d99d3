"""What becomes of a proposal is read from the log, and whoever waits always hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from everwhen.errors import NoLeader, OutcomeUnknown
from everwhen.runtime.replica.proposals import Proposal, Proposals, Superseded
from everwhen.txn.commands import Done


def offered(what: Callable[[Proposals, Proposal], None], term: int = 3) -> Proposal:
    """A proposal that was offered at ``term`` (0: to nobody) and what then happened to it."""

    async def main() -> Proposal:
        proposals = Proposals(1, 1)
        proposal = proposals.open(proposals.next_ticket(), b"x", deadline=10.0)
        proposal.term = term
        what(proposals, proposal)
        return proposal

    return asyncio.run(main())


def failure(proposal: Proposal) -> BaseException | None:
    return proposal.outcome.exception() if proposal.outcome.done() else None


def test_it_is_done_when_its_entry_is_applied() -> None:
    proposal = offered(lambda all_, one: all_.applied(one.ticket, Done()))
    assert proposal.outcome.result() == Done()


def test_a_later_term_tells_for_certain_that_it_is_out() -> None:
    assert isinstance(failure(offered(lambda all_, one: all_.term_applied(4))), Superseded)


@pytest.mark.parametrize("term", [2, 3])
def test_its_own_term_and_earlier_ones_tell_nothing(term: int) -> None:
    assert not offered(lambda all_, one: all_.term_applied(term)).outcome.done()


def test_time_is_no_answer_to_what_is_in_a_log() -> None:
    assert isinstance(failure(offered(lambda all_, one: all_.expire(11.0))), OutcomeUnknown)
    assert isinstance(failure(offered(lambda all_, one: all_.expire(11.0), term=0)), NoLeader)
    assert not offered(lambda all_, one: all_.expire(9.0)).outcome.done()


def test_what_a_snapshot_skipped_is_unknown() -> None:
    assert isinstance(failure(offered(lambda all_, one: all_.skipped_to(3))), OutcomeUnknown)
    assert not offered(lambda all_, one: all_.skipped_to(2)).outcome.done()


def test_who_waits_hears_when_the_node_stops() -> None:
    assert isinstance(failure(offered(lambda all_, one: all_.fail("stops"))), OutcomeUnknown)


def test_tickets_of_another_life_are_not_its_own() -> None:
    async def main() -> None:
        assert not Proposals(1, 2).is_own(Proposals(1, 1).next_ticket())
        assert not Proposals(2, 1).is_own(Proposals(1, 1).next_ticket())

    asyncio.run(main())
