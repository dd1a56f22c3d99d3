"""A lane to a peer, over connections that break."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import UUID

import aiohttp
import pytest

from everwhen.runtime.replica.peers import Identity, Peers, _Lane


class Closing:
    """A connection that is going down, and nobody who waits for its end knows yet."""

    async def send_bytes(self, data: bytes) -> None:
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")

    async def receive(self) -> None:
        await asyncio.Event().wait()


def test_a_connection_that_breaks_while_sending_is_one_to_dial_again() -> None:
    """What a dialler expects of a broken connection, not a group of it: that would end the node."""

    async def main() -> None:
        lane = _Lane()
        pumping = asyncio.ensure_future(lane.pump(cast(Any, Closing())))
        await asyncio.sleep(0)
        assert lane.put(b"frame")
        with pytest.raises(aiohttp.ClientConnectionResetError):
            await asyncio.wait_for(pumping, 5)

    asyncio.run(main())


def test_urgent_messages_have_a_lane_of_their_own() -> None:
    """Heartbeats do not wait for the entries before them to arrive (P59)."""
    identity = Identity(UUID(int=1), 1, UUID(int=2), "", "127.0.0.1", 0, "127.0.0.1:0")
    peers = Peers(identity, lambda event, fields: None)
    urgent, bulk = _Lane(), _Lane()
    peers._lanes[2] = {"urgent": urgent, "bulk": bulk}
    for lane in (urgent, bulk):
        lane.connected = True
    assert peers.send(2, b"entries", urgent=False)
    assert peers.send(2, b"beat", urgent=True)
    assert (urgent._take(), bulk._take()) == (b"beat", b"entries")
