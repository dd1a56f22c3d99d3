"""What a node does while it leads: order and stamp proposals, refuse growth, hold locks.

Stamp order is log order: both are given in one step. A new leader starts above the highest stamp
in its log, applied or not (architecture brief, section 3.3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from everwhen import raft
from everwhen.codec import envelope
from everwhen.codec.envelope import Flag, Ticket
from everwhen.errors import EverwhenError, NotTheLeader, ResourceExhausted, TimeOutOfRange
from everwhen.model.clock import HybridClock
from everwhen.model.moments import micros_text
from everwhen.ports import Clock
from everwhen.runtime.lock_service import LockService
from everwhen.runtime.replica.replica import Replica

#: seconds a proposal waits for room before it is refused
_ROOM_SECONDS = 5.0
_ROOM_STEP_SECONDS = 0.01
#: tickets of this term by which a repeated offer is known
_TICKETS_MAX = 100_000


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
        #: offered in this turn of the event loop
        self._incoming: list[tuple[bytes, asyncio.Future[bool]]] = []
        self._entering: dict[Ticket, asyncio.Future[bool]] = {}

    def need(self, term: int) -> None:
        """:raises NotTheLeader: this node does not lead in ``term``."""
        replica = self._replica
        if not replica.is_leader or replica.term != term:
            raise NotTheLeader(f"this node does not lead in term {term}")
        if self._term != term:
            self._begin(term)

    def _begin(self, term: int) -> None:
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
        deadline = self._clock.monotonic() + _ROOM_SECONDS
        ticket = envelope.ticket_of(payload)
        while True:
            self.need(term)
            if ticket in self._accepted:
                return
            if await asyncio.shield(self._entering.get(ticket) or self._offer(ticket, payload)):
                return
            if self._clock.monotonic() > deadline:
                raise ResourceExhausted("the leader takes no more writes now", hint="try again")
            await asyncio.sleep(_ROOM_STEP_SECONDS)

    def _offer(self, ticket: Ticket, payload: bytes) -> asyncio.Future[bool]:
        """Let a payload enter the log at the end of this turn of the event loop."""
        loop = asyncio.get_running_loop()
        entered: asyncio.Future[bool] = loop.create_future()
        # an offer may be given up (its node vanished) while others still wait for it
        entered.add_done_callback(lambda done: done.cancelled() or done.exception())
        if not self._incoming:
            loop.call_soon(self._enter)
        self._incoming.append((payload, entered))
        self._entering[ticket] = entered
        return entered

    def _enter(self) -> None:
        """Append what was offered; each is told whether it is in, or to try again."""
        incoming, self._incoming = self._incoming, []
        self._entering.clear()
        if not self._replica.is_leader or self._replica.term != self._term:
            refusal = NotTheLeader("this node does not lead any more")
            _refuse((entered for _, entered in incoming), refusal)
            return
        batch: list[tuple[bytes, asyncio.Future[bool]]] = []
        for payload, entered in incoming:
            try:
                batch.append((self._stamped(payload), entered))
            except EverwhenError as error:
                _refuse([entered], error)
        if not batch:
            return
        try:
            self._replica.propose([payload for payload, _ in batch])
        except raft.ProposalDropped as dropped:
            if dropped.may_pass:
                _tell((entered for _, entered in batch), entered_log=False)
            else:
                _refuse((entered for _, entered in batch), NotTheLeader(str(dropped)))
            return
        for payload, _ in batch:
            self._accepted[envelope.ticket_of(payload)] = None
        while len(self._accepted) > _TICKETS_MAX:
            del self._accepted[next(iter(self._accepted))]
        _tell((entered for _, entered in batch), entered_log=True)

    def _stamped(self, payload: bytes) -> bytes:
        """The payload with its commit time."""
        flags = envelope.flags_of(payload)
        if not flags:
            return payload
        if flags & Flag.GROWS:
            refusal = self._refuse_growth()
            if refusal is not None:
                raise ResourceExhausted(refusal, hint="free some and try again")
        now = self._clock.now_micros()
        if flags & Flag.STAMP:
            return envelope.stamped(payload, self._hybrid.stamp(now))
        if flags & (Flag.OWN_TIME | Flag.CLOSES):
            time = envelope.time_of(payload)
            if time > max(now, self._hybrid.last):
                raise TimeOutOfRange(
                    f"{micros_text(time)} is later than the leader's clock, {micros_text(now)}"
                )
            # if it is not later than everything before it, apply refuses it
            self._hybrid.observe(time)
        return payload


def _tell(waiting: Iterable[asyncio.Future[bool]], *, entered_log: bool) -> None:
    for one in waiting:
        if not one.done():
            one.set_result(entered_log)


def _refuse(waiting: Iterable[asyncio.Future[bool]], error: EverwhenError) -> None:
    for one in waiting:
        if not one.done():
            one.set_exception(error)
