"""What a node does while it leads: order and stamp proposals, refuse growth, hold locks.

Stamp order is log order: both are given in one step. A new leader starts above the highest stamp
in its log, applied or not (architecture brief, section 3.3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from everwhen import raft
from everwhen.codec import envelope
from everwhen.codec.envelope import Flag, Ticket
from everwhen.errors import EverwhenError, NotTheLeader, ResourceExhausted, TimeOutOfRange
from everwhen.model.clock import HybridClock
from everwhen.model.moments import micros_text
from everwhen.ports import Clock
from everwhen.runtime.lock_service import LockService
from everwhen.runtime.replica.proposals import NoRoom
from everwhen.runtime.replica.replica import Replica

#: seconds a proposal waits for room before it is refused
ROOM_SECONDS = 5.0
ROOM_STEP_SECONDS = 0.01
#: tickets of this term by which a repeated offer is known
_TICKETS_MAX = 100_000
# as plain numbers: operations on flags as such are slow
_GROWS: Final = int(Flag.GROWS)
_STAMP: Final = int(Flag.STAMP)
_GIVEN: Final = int(Flag.OWN_TIME | Flag.CLOSES)

Told = Callable[[NoRoom | EverwhenError | None], None]
"""Called with None when a payload entered the log, else with why it did not."""


class Leadership:
    """See the module. Event loop only."""

    def __init__(
        self,
        replica: Replica,
        clock: Clock,
        refuse_growth: Callable[[], str | None],
        highest_stamp: Callable[[], int],
    ) -> None:
        self._replica = replica
        self._clock = clock
        self._refuse_growth = refuse_growth
        self._highest_stamp = highest_stamp
        self._hybrid = HybridClock()
        self.locks = LockService()
        #: the term the fields below belong to
        self._term = 0
        self._accepted: dict[Ticket, None] = {}
        #: offered in this turn of the event loop, and who is told what became of it
        self._incoming: list[tuple[bytes, Told]] = []
        self._entering: dict[Ticket, asyncio.Future[bool]] = {}

    def need(self, term: int) -> None:
        """:raises NotTheLeader: this node does not lead in ``term``."""
        replica = self._replica
        if not replica.is_leader or replica.term != term:
            raise NotTheLeader(f"this node does not lead in term {term}")
        if self._term != term:
            self._begin(term)

    def _begin(self, term: int) -> None:
        # what was offered in another term must not enter the log in this one
        incoming, self._incoming = self._incoming, []
        self._entering.clear()
        _tell(incoming, NotTheLeader("this node leads in another term"))
        self._term = term
        self._accepted.clear()
        self.locks.forget_all()
        self._hybrid = HybridClock(self._highest_stamp())

    async def accept(self, payload: bytes, term: int) -> None:
        """Put a sealed payload into the log of this term, once however often it is offered.

        What is offered within one turn of the event loop enters the log together.

        :raises NotTheLeader: it is in no log of this term.
        :raises ResourceExhausted: refused; nothing happened.
        :raises TimeOutOfRange: an own time, or a time to close, later than the clock.
        """
        deadline = self._clock.monotonic() + ROOM_SECONDS
        ticket = envelope.ticket_of(payload)
        while True:
            self.need(term)
            if ticket in self._accepted:
                return
            if await asyncio.shield(self._entering.get(ticket) or self._take(ticket, payload)):
                return
            if self._clock.monotonic() > deadline:
                raise ResourceExhausted("the leader takes no more writes now", hint="try again")
            await asyncio.sleep(ROOM_STEP_SECONDS)

    def _take(self, ticket: Ticket, payload: bytes) -> asyncio.Future[bool]:
        """Let another node's payload enter the log, and remember that it did."""
        entered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        # an offer may be given up (its node vanished) while others still wait for it
        entered.add_done_callback(lambda done: done.cancelled() or done.exception())

        def told(refused: NoRoom | EverwhenError | None) -> None:
            if refused is None:
                self._replica.awaited_by(ticket.node)
                self._accepted[ticket] = None
                if len(self._accepted) > _TICKETS_MAX:
                    del self._accepted[next(iter(self._accepted))]
            if entered.done():
                return
            if isinstance(refused, EverwhenError):
                entered.set_exception(refused)
            else:
                entered.set_result(refused is None)

        self._entering[ticket] = entered
        self._offer(payload, told)
        return entered

    def offer(self, payload: bytes, term: int, told: Told) -> None:
        """Put a payload of this node into the log of this term at the end of this turn of the
        event loop; nobody else offers it. ``told`` learns what became of it.

        :raises NotTheLeader: it is in no log of this term.
        """
        self.need(term)
        self._offer(payload, told)

    def _offer(self, payload: bytes, told: Told) -> None:
        if not self._incoming:
            asyncio.get_running_loop().call_soon(self._enter)
        self._incoming.append((payload, told))

    def _enter(self) -> None:
        """Append what was offered; each is told whether it is in, or to try again."""
        incoming, self._incoming = self._incoming, []
        self._entering.clear()
        if not self._replica.is_leader or self._replica.term != self._term:
            _tell(incoming, NotTheLeader("this node does not lead any more"))
            return
        batch: list[tuple[bytes, Told]] = []
        for payload, told in incoming:
            try:
                batch.append((self._stamped(payload), told))
            except EverwhenError as error:
                told(error)
        if not batch:
            return
        try:
            self._replica.propose([payload for payload, _ in batch])
        except raft.ProposalDropped as dropped:
            _tell(batch, NoRoom() if dropped.may_pass else NotTheLeader(str(dropped)))
            return
        _tell(batch, None)

    def _stamped(self, payload: bytes) -> bytes:
        """The payload with its commit time."""
        flags = envelope.flags_of(payload)
        if not flags:
            return payload
        if flags & _GROWS:
            refusal = self._refuse_growth()
            if refusal is not None:
                raise ResourceExhausted(refusal, hint="free some and try again")
        now = self._clock.now_micros()
        if flags & _STAMP:
            return envelope.stamped(payload, self._hybrid.stamp(now))
        if flags & _GIVEN:
            time = envelope.time_of(payload)
            if time > max(now, self._hybrid.last):
                raise TimeOutOfRange(
                    f"{micros_text(time)} is later than the leader's clock, {micros_text(now)}"
                )
            # if it is not later than everything before it, apply refuses it
            self._hybrid.observe(time)
        return payload


def _tell(offers: Iterable[tuple[bytes, Told]], refused: NoRoom | EverwhenError | None) -> None:
    for _, told in offers:
        told(refused)
