"""What members still read, so that nothing is forgotten under anybody's eyes.

Each member answers with its open snapshots: the version they read, the entry that was applied when
they began, and for how long they have been open. A snapshot that a horizon passed all the same
(it had been open for too long, or its member was silent) ends with an error that says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from everwhen.codec.cluster import Configuration
from everwhen.codec.peer_frames import Verb
from everwhen.errors import EverwhenError
from everwhen.limits import PINS_REPORTED_MAX
from everwhen.runtime.replica.requests import Requests

if TYPE_CHECKING:
    from everwhen.runtime.database import Database

_ASK_SECONDS: Final = 2.0
_ENCODER = msgspec.msgpack.Encoder()


class Pin(msgspec.Struct, frozen=True, array_like=True):
    """An open snapshot."""

    version: int
    #: the entry applied when it began
    index: int
    #: seconds it has been open
    age: float


class Report(msgspec.Struct, frozen=True, array_like=True):
    """What a member reads now. Snapshots that begin later begin at ``applied`` or later."""

    applied: int
    #: the first entry that its log still has
    first_index: int
    #: erasures up to this number are gone from its files
    erased_upto: int
    pins: list[Pin]


_DECODER = msgspec.msgpack.Decoder(Report)


class Pins:
    """This member's, and everybody's. ``everyone`` is for the event loop."""

    def __init__(
        self,
        database: Database,
        *,
        first_index: Callable[[], int] = lambda: 0,
        node_id: int = 1,
        requests: Requests | None = None,
        configuration: Callable[[], Configuration] = lambda: Configuration(voters=[1]),
    ) -> None:
        self._database = database
        self._first_index = first_index
        self._node_id = node_id
        self._requests = requests
        self._configuration = configuration
        #: set by whoever compacts the files
        self.erased_upto = 0
        if requests is not None:
            requests.handle(Verb.PINS, self._on_asked)

    async def _on_asked(self, sender: int, body: bytes) -> bytes:
        return _ENCODER.encode(self.own())

    def expire(self) -> None:
        """End what reads below horizons that rose since it began."""
        for transaction in self._database.open_transactions():
            transaction.kept.expire()

    def own(self) -> Report:
        """This member's report."""
        self.expire()
        state, clock = self._database.state, self._database.clock
        # taken first: whatever begins from here on begins at this state or a later one
        applied = state.current.head.applied_index
        beginning = self._database.beginning()
        pins: list[Pin] = []
        for transaction in self._database.open_transactions():
            if transaction.deadline.expired is None:
                age = (clock.now_micros() - transaction.started_micros) / 1e6
                versions = transaction.kept.versions()
                pins.append(Pin(min(versions), transaction.began_index, age))
        head = state.current.head.version
        pins += [Pin(head, index, 0.0) for index in beginning]
        pins.sort(key=lambda pin: (pin.version, pin.index))
        oldest = min(pins, key=lambda pin: pin.index, default=None)
        kept = pins[:PINS_REPORTED_MAX]
        if oldest is not None and oldest not in kept:
            kept.append(oldest)
        return Report(applied, self._first_index(), self.erased_upto, kept)

    async def everyone(self) -> dict[int, Report | None]:
        """Every member's report; None of one that does not answer."""
        own = self.own()
        if self._requests is None:
            return {self._node_id: own}
        peers: Sequence[int] = [each for each in self._configuration().ids if each != self._node_id]
        answers = await asyncio.gather(*(self._ask(self._requests, peer) for peer in peers))
        return {self._node_id: own, **dict(zip(peers, answers, strict=True))}

    async def _ask(self, requests: Requests, peer: int) -> Report | None:
        try:
            return _DECODER.decode(await requests.ask(peer, Verb.PINS, b"", seconds=_ASK_SECONDS))
        except (EverwhenError, msgspec.MsgspecError):
            return None  # it is away, or starts just now: asked again, and waited for
