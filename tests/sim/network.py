"""The network between simulated machines: connections that delay, break, and are cut one way or both.

What is modelled is what ``runtime.replica.peers`` offers over TCP: two lanes from each node to each
other one; frames of a lane arrive in order or not at all; a connection that breaks loses what was
under way; a process that is gone refuses connections, which its peers notice; who calls from a
strange data directory or cluster is turned away (by the production rule, ``peers.objection``).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import is_not

from everwhen.codec import peer_frames as wire
from everwhen.ports import Random
from everwhen.runtime.replica.peers import LANES, objection
from everwhen.runtime.replica.transport import Peer, Receiver
from everwhen.storage.meta import Meta

SECRET = "simulated"


@dataclass(slots=True)
class _Lane:
    """One direction of one connection."""

    #: moves on when the connection breaks: what was sent before is lost
    life: int = 0
    #: when the last frame arrives: no later one may overtake it
    last: float = 0.0


@dataclass(slots=True)
class Weather:
    """How the network behaves just now."""

    delay_min: float = 0.0002
    delay_max: float = 0.002
    #: chance that a frame's connection breaks under it
    break_chance: float = 0.0
    #: links that carry nothing: (from, to), machine names
    cut: set[tuple[str, str]] = field(default_factory=set)


class Network:
    """All connections; see the module."""

    def __init__(self, random: Random, counts: Counter[str]) -> None:
        self.weather = Weather()
        self._random = random
        self._counts = counts
        #: peer address -> who listens there now
        self._listening: dict[str, TwinTransport] = {}
        self._lanes: dict[tuple[str, str, bool], _Lane] = {}
        #: told of every frame that is about to be received: sender, receiver, bytes
        self.on_delivery: Callable[[str, str, bytes], None] = lambda sender, to, frame: None

    def listen(self, transport: TwinTransport) -> None:
        """A process takes its address."""
        self._listening[transport.address] = transport

    def gone(self, transport: TwinTransport) -> None:
        """A process ended: its connections end, and whoever reached it hears so, unless cut off."""
        if self._listening.get(transport.address) is not transport:
            return
        del self._listening[transport.address]
        for (sender, to, _), lane in self._lanes.items():
            if transport.address in (sender, to):
                lane.life += 1
        for other in list(self._listening.values()):
            asyncio.get_running_loop().call_later(
                self._delay(), self._tell_lost, other, transport.address
            )

    def _tell_lost(self, other: TwinTransport, address: str) -> None:
        passable = self._passes(other.address, address) and self._passes(address, other.address)
        if passable and address not in self._listening:
            other.lost(address)

    def send(self, sender: TwinTransport, peer: Peer, frame: bytes, *, urgent: bool) -> bool:
        """Put a frame on its way."""
        to = self._listening.get(peer.address)
        if to is None:
            return False
        lane = self._lanes.setdefault((sender.address, peer.address, urgent), _Lane())
        if self._random.float() < self.weather.break_chance:
            lane.life += 1
            self._counts["connections broken"] += 1
            return True
        loop = asyncio.get_running_loop()
        lane.last = max(loop.time() + self._delay(), lane.last + 1e-7)
        loop.call_at(lane.last, self._deliver, sender, peer, frame, urgent, lane, lane.life)
        return True

    def _deliver(
        self,
        sender: TwinTransport,
        peer: Peer,
        frame: bytes,
        urgent: bool,
        lane: _Lane,
        life: int,
    ) -> None:
        to = self._listening.get(peer.address)
        if to is None or life != lane.life:
            return
        if not self._passes(sender.address, peer.address):
            self._counts["frames cut off"] += 1
            return
        if to.turns_away(sender, peer, LANES[0 if urgent else 1]):
            self._counts["strangers turned away"] += 1
            return
        self._counts["frames delivered"] += 1
        self.on_delivery(sender.address, peer.address, frame)
        to.receive(sender, frame)

    def _passes(self, sender: str, to: str) -> bool:
        return (machine_of(sender), machine_of(to)) not in self.weather.cut

    def _delay(self) -> float:
        weather = self.weather
        return weather.delay_min + self._random.float() * (weather.delay_max - weather.delay_min)


def machine_of(address: str) -> str:
    """The name of the machine with a peer address."""
    return address.partition(":")[0]


class TwinTransport:
    """``runtime.replica.transport.Transport`` of one process over a :class:`Network`."""

    def __init__(self, network: Network, meta: Meta, address: str) -> None:
        self.address = address
        self._network = network
        self._meta = meta
        self._peers: dict[int, Peer] = {}
        #: (address of a caller, lane) -> what a verdict on it rests on, and the verdict
        self._verdicts: dict[tuple[str, str], tuple[tuple[object, ...], bool]] = {}
        self._receiver: Receiver | None = None
        #: what reached the receiver and broke it, for the process to end with
        self._broken: asyncio.Future[None] | None = None

    def set_peers(self, peers: Mapping[int, Peer]) -> None:
        """See ``Transport``."""
        self._peers = {
            number: peer for number, peer in peers.items() if number != self._meta.node_id
        }

    def send(self, to: int, frame: bytes, *, urgent: bool) -> bool:
        """See ``Transport``."""
        peer = self._peers.get(to)
        if peer is None or self._receiver is None:
            return False
        return self._network.send(self, peer, frame, urgent=urgent)

    def connected(self, peer: int) -> bool:
        """See ``Transport``."""
        return peer in self._peers and self._receiver is not None

    async def run(self, receiver: Receiver) -> None:
        """See ``Transport``."""
        self._receiver = receiver
        self._broken = asyncio.get_running_loop().create_future()
        self._network.listen(self)
        try:
            await self._broken
        finally:
            self.close()

    def close(self) -> None:
        """The process is gone."""
        self._receiver = None
        self._network.gone(self)

    # --- what the network calls ---

    def turns_away(self, sender: TwinTransport, peer: Peer, lane: str) -> bool:
        """Whether the caller may not speak to this node; judged anew when anybody changed."""
        theirs = sender._meta
        rests_on = (theirs, peer, self._meta, self._peers.get(theirs.node_id))
        before, verdict = self._verdicts.get((sender.address, lane), ((), False))
        if len(before) != len(rests_on) or any(map(is_not, before, rests_on)):
            verdict = self._objects_to(theirs, peer, lane)
            self._verdicts[sender.address, lane] = rests_on, verdict
        return verdict

    def _objects_to(self, theirs: Meta, peer: Peer, lane: str) -> bool:
        mine = self._meta
        headers = {
            wire.HEADER_SECRET: SECRET,
            wire.HEADER_PROTOCOL: str(wire.PROTOCOL),
            wire.HEADER_CLUSTER: str(theirs.cluster_id),
            wire.HEADER_FROM: str(theirs.node_id),
            wire.HEADER_FROM_DISK: str(theirs.disk_id),
            wire.HEADER_TO: str(peer.node_id),
            wire.HEADER_TO_DISK: str(peer.disk_id),
            wire.HEADER_LANE: lane,
        }
        reason = objection(
            headers,
            secret=SECRET,
            cluster_id=mine.cluster_id,
            node_id=mine.node_id,
            disk_id=mine.disk_id,
            members=self._peers,
        )
        return reason is not None

    def receive(self, sender: TwinTransport, data: bytes) -> None:
        """Frames arrived; what the receiver cannot bear ends the process."""
        if self._receiver is None:
            return
        number = sender._meta.node_id
        if number not in self._peers:
            stranger = Peer(number, f"node {number}", sender.address, sender._meta.disk_id)
            self.set_peers({**self._peers, number: stranger})
        try:
            self._receiver.on_frames(number, wire.decode_frames(data))
        except Exception as error:
            if self._broken is not None and not self._broken.done():
                self._broken.set_exception(error)

    def lost(self, address: str) -> None:
        """Nobody listens there any more."""
        for number, peer in list(self._peers.items()):
            if peer.address == address and self._receiver is not None:
                self._receiver.on_lost(number)
