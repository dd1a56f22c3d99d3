"""Which members a client should be sent to: those that are connected, answer and do not leave.

What is known here is this node's own view, and only ever advice: drivers that were sent to a member
that is gone try another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from everwhen.codec.cluster import Configuration
from everwhen.codec.peer_frames import Verb
from everwhen.errors import EverwhenError, OutcomeUnknown
from everwhen.limits import (
    LEAVING_SECONDS,
    ROUTING_LOOK_SECONDS,
    SEE_OFF_SECONDS,
    SILENT_SECONDS,
)
from everwhen.runtime.replica.requests import Requests
from everwhen.runtime.replica.transport import Transport


def _no_tables() -> float:
    """None are given."""
    return 0.0


async def _nobody_there() -> None:
    """There are no doors."""


class OneOf(Protocol):
    """What is asked of the member."""

    @property
    def node_id(self) -> int: ...

    @property
    def requests(self) -> Requests: ...

    @property
    def configuration(self) -> Configuration: ...


class Presence:
    """One per node. Event loop only."""

    def __init__(self, member: OneOf, transport: Transport) -> None:
        self._node_id = member.node_id
        self._member = member
        self._transport = transport
        #: members that said they are about to stop -> until when that is believed
        self._leaving: dict[int, float] = {}
        #: members that did not say that they are there -> until when that is believed
        self._silent: dict[int, float] = {}
        #: when they were asked last
        self._looked = -ROUTING_LOOK_SECONDS
        #: this node is about to stop
        self._stops = False
        #: it is about to be removed, as is believed until then
        self._goes_until = 0.0
        #: seconds that routing tables given here may still be used; set by whoever gives them
        self.tables_last: Callable[[], float] = _no_tables
        #: when the last table of another member that may name this node is old
        self._named_until = 0.0
        #: waits until no client relies on this node; set by whoever serves them
        self.until_gone: Callable[[], Awaitable[None]] = _nobody_there
        member.requests.handle(Verb.HERE, self._on_here)
        member.requests.handle(Verb.LEAVING, self._on_leaving)
        member.requests.handle(Verb.SEE_OFF, self._on_see_off)

    @property
    def stops(self) -> bool:
        """Whether this node is about to stop, or to be removed."""
        return self._stops or self._goes_until > asyncio.get_running_loop().time()

    @property
    def named_for(self) -> float:
        """Seconds that tables of other members may still name this node, which told them it goes."""
        return max(self._named_until - asyncio.get_running_loop().time(), 0.0)

    def stays(self, node: int) -> bool:
        """Whether clients should be sent to a member."""
        if node == self._node_id:
            return not self.stops
        now = asyncio.get_running_loop().time()
        if max(self._leaving.get(node, 0.0), self._silent.get(node, 0.0)) > now:
            return False
        return self._transport.connected(node)

    @property
    def others_stay(self) -> bool:
        """Whether there is another member for clients to go to."""
        return any(
            self.stays(node) for node in self._member.configuration.ids if node != self._node_id
        )

    async def look(self) -> None:
        """See who is there, unless that was done just now: connections to members that are cut off or
        stand still last for seconds."""
        now = asyncio.get_running_loop().time()
        if now - self._looked < ROUTING_LOOK_SECONDS:
            return
        self._looked = now
        others = [node for node in self._member.configuration.ids if node != self._node_id]
        await asyncio.gather(*map(self._is_there, filter(self._transport.connected, others)))

    async def _is_there(self, node: int) -> None:
        try:
            await self._member.requests.ask(node, Verb.HERE, b"", seconds=ROUTING_LOOK_SECONDS)
        except OutcomeUnknown:
            self._silent[node] = asyncio.get_running_loop().time() + SILENT_SECONDS
            return
        except EverwhenError:
            pass  # of a version before this: it refuses, so it is there
        self._silent.pop(node, None)

    async def _on_here(self, sender: int, body: bytes) -> bytes:
        return b""

    async def leave(self) -> None:
        """Tell the others that this node is about to stop. Those that are not reached, or are of a
        version before this, send clients here until they see that it is gone."""
        self._stops = True
        await self._tell_others()

    async def see_off(self, node: int) -> None:
        """Have a member that is about to be removed see its clients off, if it is there: it does not
        learn that it is none any more, and what is asked of it then waits for a leader."""
        if node == self._node_id or not self._transport.connected(node):
            return
        try:
            await self._member.requests.ask(node, Verb.SEE_OFF, b"", seconds=SEE_OFF_SECONDS)
        except EverwhenError:
            return  # it is gone, or of a version before this

    async def _on_see_off(self, sender: int, body: bytes) -> bytes:
        self._goes_until = asyncio.get_running_loop().time() + LEAVING_SECONDS
        await self._tell_others()
        await self.until_gone()
        return b""

    async def _tell_others(self) -> None:
        others = [node for node in self._member.configuration.ids if node != self._node_id]
        last = await asyncio.gather(*map(self._tell, others))
        self._named_until = asyncio.get_running_loop().time() + max(last, default=0.0)

    async def _tell(self, node: int) -> float:
        """How many seconds tables of that member may still name this one; 0 where it does not say."""
        try:
            said = await self._member.requests.ask(node, Verb.LEAVING, b"", seconds=1.0)
            return msgspec.msgpack.decode(said, type=float) if said else 0.0
        except (EverwhenError, msgspec.MsgspecError):
            return 0.0  # see ``leave``

    async def _on_leaving(self, sender: int, body: bytes) -> bytes:
        self._leaving[sender] = asyncio.get_running_loop().time() + LEAVING_SECONDS
        return msgspec.msgpack.encode(self.tables_last())

    def lost(self, peer: int) -> None:
        """Its process is gone; the next one has said nothing yet."""
        self._leaving.pop(peer, None)
        self._silent.pop(peer, None)
