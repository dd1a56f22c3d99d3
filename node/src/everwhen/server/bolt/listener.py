"""The Bolt port: accepts connections, bounds them, looks after them, ends them in good order."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

from everwhen.server.bolt.connection import Connection
from everwhen.server.bolt.conversation import Server

#: seconds between two looks at all connections
_LOOK_SECONDS = 1.0
#: seconds that statements under way get when the server stops
_END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class BoltOptions:
    """What the door is told; see ``settings.BoltSettings``."""

    host: str
    port: int
    connections_max: int
    unauthenticated_seconds: float
    idle_seconds: float
    #: an auto-commit result of which no row is asked for
    open_result_seconds: float
    #: while a statement runs, at least this often something is sent
    keep_alive_seconds: float


class Listener:
    """``start`` it, ``stop`` it."""

    def __init__(
        self, server: Server, options: BoltOptions, tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._options = options
        self._tls = tls
        self._accepting: asyncio.Server | None = None
        self._group = cast("asyncio.TaskGroup", None)
        self._looking: asyncio.Task[None] | None = None
        self._open: dict[int, Connection] = {}
        self._next = 1
        #: refused because too many were open
        self.refused = 0

    @property
    def listening(self) -> bool:
        """Whether connections are accepted."""
        return self._accepting is not None and self._accepting.is_serving()

    @property
    def connections(self) -> int:
        """Open now."""
        return len(self._open)

    @property
    def accepted(self) -> int:
        """Accepted so far."""
        return self._next - 1

    @property
    def port(self) -> int:
        """The port in use; the one asked for may have been 0."""
        assert self._accepting is not None  # started
        return int(self._accepting.sockets[0].getsockname()[1])

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Accept connections from now on; their tasks belong to ``group``."""
        self._group = group
        loop = asyncio.get_running_loop()
        self._accepting = await loop.create_server(
            self._accept, self._options.host, self._options.port, ssl=self._tls, backlog=512
        )
        self._looking = group.create_task(self._look())

    def _accept(self) -> asyncio.Protocol:
        self._next += 1
        return Connection(self._server, self, self._next - 1, self._group)

    def came(self, connection: Connection) -> bool:
        """See ``connection.Owner``."""
        if len(self._open) >= self._options.connections_max:
            self.refused += 1
            return False
        self._open[connection.number] = connection
        return True

    def gone(self, connection: Connection) -> None:
        """See ``connection.Owner``."""
        self._open.pop(connection.number, None)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = self._server.clock.monotonic()
            for connection in list(self._open.values()):
                connection.look_after(now, self._options)

    async def stop(self) -> None:
        """Accept nothing, let statements and transactions under way end, close."""
        if self._accepting is None:
            return
        self._accepting.close()
        open_now = list(self._open.values())
        for connection in open_now:
            connection.leave()
        tasks = [connection.task for connection in open_now]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_END_SECONDS)
            for connection in open_now:
                if connection.task in late:
                    connection.abort("the server is stopping")
            if late:
                await asyncio.wait(late, timeout=_END_SECONDS)
        if self._looking is not None:
            self._looking.cancel()  # not before: who waits for an answer hears that it is worked on
        await self._accepting.wait_closed()
