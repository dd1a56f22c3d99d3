"""The port to other nodes: frames out, frames in, and who can be reached.

Nothing here waits: a frame is queued or dropped, and consensus sends again what was lost. Frames of
one lane arrive in order or not at all; ``urgent`` ones (votes, heartbeats, answers) have a lane of
their own and never queue behind entries or snapshots (research/raft.md P59).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from everwhen.codec.peer_frames import Frame


@dataclass(frozen=True, slots=True)
class Peer:
    """Another member: where it listens, and which data directory may speak for it."""

    node_id: int
    name: str
    address: str
    disk_id: UUID


class Receiver(Protocol):
    """What a transport calls; on the event loop, one call at a time."""

    def on_frames(self, sender: int, frames: Iterable[Frame]) -> None:
        """A message arrived.

        :raises CorruptData: frames that are none.
        """
        ...

    def on_lost(self, peer: int) -> None:
        """The peer closed its connections and refuses new ones: its process is gone."""
        ...


class Alone:
    """The transport of a node without others."""

    def set_peers(self, peers: Mapping[int, Peer]) -> None:
        """There are none."""

    def send(self, to: int, frame: bytes, *, urgent: bool) -> bool:
        """Nobody is there."""
        return False

    def connected(self, peer: int) -> bool:
        """Nobody is there."""
        return False

    async def run(self, receiver: Receiver) -> None:
        """Until cancelled."""
        await asyncio.get_running_loop().create_future()


class Transport(Protocol):
    """Connections to the other members."""

    def set_peers(self, peers: Mapping[int, Peer]) -> None:
        """Keep connections to exactly these."""
        ...

    def send(self, to: int, frame: bytes, *, urgent: bool) -> bool:
        """Queue a frame; False if it was dropped (no connection, or too much waits)."""
        ...

    def connected(self, peer: int) -> bool:
        """Whether frames can be sent to it just now."""
        ...

    async def run(self, receiver: Receiver) -> None:
        """Serve and connect until cancelled."""
        ...
