"""One connection's protocol, without a socket: bytes in, events out, and who may ask what when.

``receive`` runs ahead: it decodes whatever came, so that a RESET is seen while an earlier request
still runs. Requests are then taken one at a time: ``admit`` says whether to act on one, and
``succeeded`` or ``failed`` moves the state on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from everwhen.errors import ClientError, EverwhenError, RequestInvalid, RequestTooLarge
from everwhen.limits import BOLT_FIRST_MESSAGE_BYTES_MAX, BOLT_RESULTS_OPEN_MAX
from everwhen.server.bolt import handshake
from everwhen.server.bolt import messages as m
from everwhen.server.bolt.chunking import Dechunker
from everwhen.server.bolt.handshake import Version
from everwhen.server.bolt.packstream import Decoder, Malformed
from everwhen.server.bolt.structures import Dialect, hydrator


class OutOfPlace(RequestInvalid):
    """A request that may not come now: the client is out of step, the connection must end."""


class State(Enum):
    """What may come next."""

    CONNECTED = auto()
    CHOOSING = auto()
    NEGOTIATION = auto()
    AUTHENTICATION = auto()
    READY = auto()
    STREAMING = auto()
    TX_READY = auto()
    TX_STREAMING = auto()
    FAILED = auto()
    DEFUNCT = auto()


class Verdict(Enum):
    """What to do with a request."""

    ACT = auto()
    IGNORE = auto()


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes to send as they are, outside any message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """A request, or why a whole message is none that can be acted on."""

    request: m.Request | ClientError


@dataclass(frozen=True, slots=True)
class Interrupt:
    """A RESET was seen: stop what runs. The RESET itself comes as ``Received`` too."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Nothing after this can be understood: tell ``error`` if there is one, then close."""

    error: EverwhenError | None


Event = Send | Received | Interrupt | Broken

_AUTHENTICATED: Final = (m.Route, m.Telemetry, m.Logoff)
_ALLOWED: Final[dict[State, tuple[type[Any], ...]]] = {
    State.NEGOTIATION: (m.Hello,),
    State.AUTHENTICATION: (m.Logon,),
    State.READY: (m.Run, m.Begin, *_AUTHENTICATED),
    State.STREAMING: (m.Pull, m.Discard, m.Telemetry),
    State.TX_READY: (m.Run, m.Commit, m.Rollback, m.Telemetry),
    State.TX_STREAMING: (m.Run, m.Pull, m.Discard, m.Commit, m.Rollback, m.Telemetry),
}
_BEFORE: Final = frozenset(
    {State.CONNECTED, State.CHOOSING, State.NEGOTIATION, State.AUTHENTICATION}
)


class Machine:
    """See the module."""

    def __init__(self, message_bytes_max: int) -> None:
        self.state = State.CONNECTED
        self.dialect = Dialect((4, 4))
        self._message_bytes_max = message_bytes_max
        self._dechunker = Dechunker(BOLT_FIRST_MESSAGE_BYTES_MAX)
        self._opening = bytearray()
        self._hydrate = hydrator(self.dialect)
        self._resets = 0
        #: RESET took away results whose rows the client may have asked for meanwhile
        self.taken_away = False
        self._next_qid = 0
        #: results of the present transaction that still have rows
        self.open_results: set[int] = set()
        self.last_qid = -1

    @property
    def version(self) -> Version:
        """What was agreed on."""
        return self.dialect.version

    @property
    def authenticated(self) -> bool:
        return self.state not in _BEFORE

    @property
    def interrupted(self) -> bool:
        """A RESET was received and has not had its turn yet."""
        return self._resets > 0

    @property
    def in_transaction(self) -> bool:
        return self.state in (State.TX_READY, State.TX_STREAMING)

    @property
    def pending(self) -> int:
        """Bytes kept of what is not whole yet."""
        return len(self._opening) + self._dechunker.pending

    # --- bytes ---

    def receive(self, data: bytes) -> list[Event]:
        """What these bytes mean, together with those before them."""
        if self.state is State.DEFUNCT:
            return []
        events: list[Event] = []
        if self.state in (State.CONNECTED, State.CHOOSING):
            self._opening += data
            rest = self._open(events)
            if rest is None:
                return events
            data = rest
        try:
            for message in self._dechunker.feed(data):
                self._message(message, events)
        except RequestTooLarge as error:
            events.append(Broken(error))
        except Malformed as error:
            events.append(Broken(error))
        return events

    def _open(self, events: list[Event]) -> bytes | None:
        """The handshake; what follows it, None while it is not over."""
        data = bytes(self._opening)
        if self.state is State.CONNECTED:
            if not handshake.MAGIC.startswith(data[:4]):
                self._no_handshake(events)
                return None
            if len(data) < 4 + handshake.PROPOSALS_BYTES:
                return None
            answer = handshake.choose(data[4 : 4 + handshake.PROPOSALS_BYTES])
            events.append(Send(answer))
            data = data[4 + handshake.PROPOSALS_BYTES :]
            self._opening[:] = data
            if not answer.startswith(handshake.MANIFEST):
                return self._agreed(answer, data, events)
            self.state = State.CHOOSING
        try:
            choice = handshake.chosen(data)
        except ValueError:
            self._no_handshake(events)
            return None
        return None if choice is None else self._agreed(choice[0], data[choice[1] :], events)

    def _no_handshake(self, events: list[Event]) -> None:
        self.state = State.DEFUNCT
        events.append(Broken(None))

    def _agreed(self, answer: bytes, rest: bytes, events: list[Event]) -> bytes | None:
        version = handshake.version_of(answer)
        if version is None:
            self._no_handshake(events)
            return None
        self._opening.clear()
        self.set_dialect(Dialect(version))
        self.state = State.NEGOTIATION
        return rest

    def set_dialect(self, dialect: Dialect) -> None:
        """From the next message on."""
        self.dialect = dialect
        self._hydrate = hydrator(dialect)

    def _message(self, data: bytes, events: list[Event]) -> None:
        """Decodes one message. Values that make no sense fail the request, not the connection."""
        try:
            tag, fields = Decoder(data, self._hydrate).message()
            request: m.Request | ClientError = m.request(tag, fields, self.version)
        except (Malformed, RequestTooLarge):
            raise
        except ClientError as error:
            request = error
        if type(request) is m.Reset:
            self._resets += 1
            events.append(Interrupt())
        events.append(Received(request))

    # --- requests, one after the other ---

    def admit(self, request: m.Request | ClientError) -> Verdict:
        """Whether to act on the next request.

        :raises OutOfPlace: it may not come now.
        """
        state = self.state
        if state is State.DEFUNCT:
            return Verdict.IGNORE
        if isinstance(request, m.Goodbye):
            return Verdict.ACT
        if isinstance(request, m.Reset) and state not in _BEFORE:
            return Verdict.ACT
        if state is State.FAILED or (self._resets and state not in _BEFORE):
            return Verdict.IGNORE
        if isinstance(request, ClientError):
            return Verdict.ACT
        if self.taken_away:
            if isinstance(request, m.Discard):
                return Verdict.ACT  # there is nothing left of it: done
            if isinstance(request, m.Pull):
                return Verdict.IGNORE
            self.taken_away = False
        if not isinstance(request, _ALLOWED[state]):
            name = type(request).__name__.upper()
            raise OutOfPlace(f"{name} has no place in the state {state.name}")
        return Verdict.ACT

    def result_of(self, request: m.Pull | m.Discard) -> int:
        """The number of the result that rows are asked of.

        :raises RequestInvalid: it is not open.
        """
        qid = self.last_qid if request.qid == -1 else request.qid
        if qid not in self.open_results:
            raise RequestInvalid(f"there is no open result {qid}")
        return qid

    def check_room(self) -> None:
        """:raises RequestInvalid: too many results are open."""
        if len(self.open_results) >= BOLT_RESULTS_OPEN_MAX:
            raise RequestInvalid(
                f"{BOLT_RESULTS_OPEN_MAX} results are open in one transaction, which is the limit",
                hint="read or discard some of them",
            )

    def ran(self) -> int:
        """A RUN succeeded: the number of its result."""
        self.last_qid = self._next_qid
        self._next_qid += 1
        self.open_results.add(self.last_qid)
        self.state = State.TX_STREAMING if self.in_transaction else State.STREAMING
        return self.last_qid

    def ended(self, qid: int) -> None:
        """A result has no more rows."""
        self.open_results.discard(qid)
        if not self.open_results:
            self.state = State.TX_READY if self.in_transaction else State.READY

    def succeeded(self, request: m.Request) -> None:
        """Any other request was done."""
        match request:
            case m.Hello():
                self.state = State.AUTHENTICATION if self.version >= (5, 1) else State.READY
                if self.state is State.READY:
                    self._welcome()
            case m.Logon():
                self.state = State.READY
                self._welcome()
            case m.Logoff():
                self.state = State.AUTHENTICATION
            case m.Begin():
                self.state = State.TX_READY
                self._forget_results()
            case m.Commit() | m.Rollback():
                self.state = State.READY
                self._forget_results()
            case m.Reset():
                self._resets -= 1
                self.taken_away = bool(self.open_results)
                self.state = State.READY
                self._forget_results()
            case m.Goodbye():
                self.state = State.DEFUNCT

    def failed(self, request: m.Request | ClientError) -> None:
        """A request was answered with FAILURE."""
        before = self.state in _BEFORE
        self.state = State.DEFUNCT if before or isinstance(request, m.Logon) else State.FAILED
        self._forget_results()

    def broke(self) -> None:
        """The connection ends."""
        self.state = State.DEFUNCT

    def _welcome(self) -> None:
        self._dechunker.message_bytes_max = self._message_bytes_max

    def _forget_results(self) -> None:
        self.open_results.clear()
        self.last_qid = -1
        self._next_qid = 0
