"""Commands on their way into the log, and what becomes of each.

A proposal carries a ticket (``codec.envelope``), so the node that made it recognises it when its
log entry is applied, whoever led. Until then its fate is read from the log, never guessed from a
timeout: it was offered at term T, so once an entry of a later term is applied here, no entry of
term T can be committed any more that is not applied already. It is then certain that it was not
accepted, and it is offered again, under the same ticket, to the present leader. So a session on a
surviving node sees its commit succeed after a wait when the leader dies (architecture brief, 4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from everwhen.codec.envelope import Ticket
from everwhen.errors import EverwhenError, NoLeader, OutcomeUnknown
from everwhen.limits import PROPOSE_SECONDS
from everwhen.runtime.replica.waiting import Signal
from everwhen.txn.commands import Reply


class Superseded(Exception):
    """Not accepted at the term it was offered at, for certain; offer it again."""


class NoRoom(Exception):
    """Not accepted, and there may be room in a moment; offer it again."""


@dataclass(slots=True, eq=False)
class Proposal:
    """One command of this node that has no outcome yet."""

    ticket: Ticket
    payload: bytes
    #: set by apply; Superseded and NoRoom ask for another try
    outcome: asyncio.Future[Reply | EverwhenError]
    #: when to give it up, by the monotonic clock
    deadline: float
    #: the term it was offered at last; 0: it is in no log
    term: int = 0

    def told(self, refused: NoRoom | EverwhenError | None) -> None:
        """What became of an offer to this node's own log (``leadership.Told``)."""
        if refused is not None and not self.outcome.done():
            self.term = 0
            self.outcome.set_exception(refused)

    def forget_outcome(self) -> None:
        """An outcome that comes while its waiter is busy with something else, or gone, is looked
        at by nobody: asyncio is not to complain of it."""
        if self.outcome.done() and not self.outcome.cancelled():
            self.outcome.exception()


class Proposals:
    """The open proposals of this node. Event loop only."""

    def __init__(self, node_id: int, incarnation: int) -> None:
        self._node_id = node_id
        self._incarnation = incarnation
        self._number = 0
        self._open: dict[int, Proposal] = {}
        #: one was closed
        self.closed = Signal()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Proposal]:
        return iter(self._open.values())

    def next_ticket(self) -> Ticket:
        """A ticket that was never used."""
        self._number += 1
        return Ticket(self._node_id, self._incarnation, self._number)

    def open(self, ticket: Ticket, payload: bytes, deadline: float) -> Proposal:
        """A proposal that is in no log yet."""
        outcome = asyncio.get_running_loop().create_future()
        proposal = self._open[ticket.number] = Proposal(ticket, payload, outcome, deadline)
        return proposal

    def close(self, proposal: Proposal) -> None:
        """Nobody waits for it any more."""
        proposal.forget_outcome()
        self._open.pop(proposal.ticket.number, None)
        self.closed.notify()

    def again(self, proposal: Proposal) -> None:
        """Wait for another outcome of a superseded one."""
        proposal.forget_outcome()
        proposal.term = 0
        proposal.outcome = asyncio.get_running_loop().create_future()

    def is_own(self, ticket: Ticket) -> bool:
        """Whether a ticket was made by this process."""
        return ticket.node == self._node_id and ticket.incarnation == self._incarnation

    def expire(self, now: float) -> None:
        """Give up those whose time is over; they stand in the order of their deadlines."""
        for proposal in self._open.values():
            if proposal.deadline > now:
                return
            if proposal.outcome.done():
                continue
            if proposal.term:
                reason = f"no outcome in {PROPOSE_SECONDS:g} s: the change may or may not be in"
                proposal.outcome.set_exception(OutcomeUnknown(reason))
            else:
                reason = "no node leads at the moment"
                proposal.outcome.set_exception(NoLeader(reason, hint="try again"))

    def applied(self, ticket: Ticket, outcome: Reply | EverwhenError) -> None:
        """An entry with a ticket of this process was applied."""
        proposal = self._open.get(ticket.number)
        if proposal is not None and not proposal.outcome.done():
            proposal.outcome.set_result(outcome)

    def term_applied(self, term: int) -> None:
        """An entry of ``term`` was applied: what was offered before it and is still open is out."""
        for proposal in self._open.values():
            if 0 < proposal.term < term and not proposal.outcome.done():
                proposal.outcome.set_exception(Superseded)

    def skipped_to(self, term: int) -> None:
        """A snapshot replaced part of the log: what it held up to ``term`` cannot be known."""
        for proposal in self._open.values():
            if 0 < proposal.term <= term and not proposal.outcome.done():
                proposal.outcome.set_exception(
                    OutcomeUnknown("this node skipped the part of the log that holds the outcome")
                )

    def fail(self, reason: str) -> None:
        """The node stops: what is in a log may or may not take effect."""
        for proposal in self._open.values():
            if not proposal.outcome.done():
                proposal.outcome.set_exception(OutcomeUnknown(reason))
