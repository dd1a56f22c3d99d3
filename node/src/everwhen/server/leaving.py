"""How a node stops so that nobody fails: leadership first, then its clients, then itself.

A driver does not see that an idle connection ended before it has sent the next request there: then it
does not know whether that was done, or waits a second before it tries again. So a node that stops
says so to the others, who leave it out of the routing tables that they give, serves whoever is
connected until their tables are too old to be used, and only then closes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiohttp import web

from everwhen.limits import ROUTING_LEAVE_SECONDS, ROUTING_TOLD_SECONDS
from everwhen.runtime.node import Node
from everwhen.server.bolt.listener import Listener
from everwhen.server.http.app import Door
from everwhen.server.http.front import FrontSite
from everwhen.server.logging import logger
from everwhen.server.routing import Routing

#: seconds between two looks at who is still here
_LOOK_SECONDS = 0.05


class Leaving:
    """One per node; ``close`` may be called more than once."""

    def __init__(
        self,
        node: Node,
        site: FrontSite,
        runner: web.AppRunner,
        bolt: Listener,
        door: Door,
        routing: Routing,
        hurries: Callable[[], bool],
    ) -> None:
        """``hurries``: something broke, so nobody is to be kept."""
        self._node = node
        self._site = site
        self._runner = runner
        self._bolt = bolt
        self._door = door
        self._routing = routing
        self._hurries = hurries
        node.member.presence.until_gone = self._until_gone

    async def when(self, stop: asyncio.Event, ended: asyncio.Event) -> None:
        """Wait for ``stop``, see everybody off, and set ``ended``."""
        await stop.wait()
        try:
            if not self._hurries():
                member = self._node.member
                await member.presence.leave()
                await member.pass_leadership()
                self._door.leaving = True
                self._site.leave()
                await self._until_gone()
            await self.close()
        finally:
            ended.set()

    async def _until_gone(self) -> None:
        """Until nobody comes any more, nobody else is there to go to, or it takes too long."""
        now = time.monotonic
        deadline = now() + ROUTING_LEAVE_SECONDS
        told_until = now() + ROUTING_TOLD_SECONDS if self._routing.lasts else 0.0
        presence = self._node.member.presence
        while now() < deadline and presence.others_stay and not self._hurries():
            # with a table that names this node a driver may come that is not connected yet
            drivers = now() < max(self._routing.used_until, self._routing.asked_until)
            drivers = drivers or (self._bolt.connections > 0 and now() < told_until)
            if not drivers and not self._door.transactions.open:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        logger("node").info("clients_sent_away", bolt_connections=self._bolt.connections)

    async def close(self) -> None:
        """End the doors, after what they answer."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._bolt.stop())
            group.create_task(self._runner.cleanup())
