"""The HTTP port's connections: requests of the usual shape for one statement are answered here,
everything else goes, connection and all, to aiohttp.

The library's router, middlewares and request objects cost more than a short statement does. What is
answered here takes the same way through authentication, bounds, metrics and error shapes (``app``);
only how bytes are read and written differs. A connection that was handed over stays with aiohttp,
so neither side ever sees half of what the other one read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from operator import itemgetter
from typing import Final, Protocol, cast

from aiohttp import web

from everwhen.limits import HTTP_HEAD_BYTES_MAX, HTTP_QUICK_BODY_BYTES_MAX
from everwhen.server.http.heads import END, Head, Heads
from everwhen.settings_doors import HttpSettings

#: seconds after which a connection without a request, or with half of one, is closed
IDLE_SECONDS: Final = 3_600.0
HALF_SECONDS: Final = 60.0
#: seconds a client may take no bytes
STALL_SECONDS: Final = 60.0
#: seconds that answers under way get when the node stops
END_SECONDS: Final = 5.0
#: and that clients get to ask once more and be told that the connection ends
LEAVE_SECONDS: Final = 0.5
_STATUS_END: Final = b"\r\n"
_CLOSE: Final = b"\r\nConnection: close\r\n"


class Out(Protocol):
    """Where an answer goes."""

    def write(self, data: bytes) -> None:
        """Soon; in order."""

    async def drained(self) -> None:
        """Returns once the client has taken most of what was written.

        :raises TimeoutError: it takes nothing.
        """

    def abort(self) -> None:
        """Cut the connection off."""


Answering = Callable[[Head, bytes, Out], Awaitable[None]]
"""Answers one request."""


class Front(asyncio.Protocol):
    """One connection; see the module."""

    def __init__(self, site: FrontSite) -> None:
        self._site = site
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", None)
        self._heads = Heads(None)
        #: what came and belongs to no request that was begun
        self._rest = b""
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._ending = False
        #: it ends with the next answer, which says so, or with the one under way
        self._leaving = site.leaving
        #: the present answer has begun
        self._begun = False
        #: there is no room for it: it is told so when it asks for something
        self._crowded = False

    # --- the socket ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._heads = Heads(str(peer[0]) if peer else None)
        self._heard = self._loop.time()
        self._crowded = not self._site.room()
        self._timer = self._loop.call_later(HALF_SECONDS, self._look)
        self._site.fronts.add(self)

    def data_received(self, data: bytes) -> None:
        if self._crowded:
            if not self._ending:
                self._transport.write(self._site.full())
                self.end()
            return
        self._heard = self._loop.time()
        self._rest = self._rest + data if self._rest else data
        if self._task is None:
            self._next()
        elif len(self._rest) > HTTP_HEAD_BYTES_MAX + HTTP_QUICK_BODY_BYTES_MAX:
            self._transport.pause_reading()

    def _next(self) -> None:
        """Begin the next request if it is whole."""
        data = self._rest
        end = data.find(END, 0, HTTP_HEAD_BYTES_MAX)
        if end < 0 and len(data) < HTTP_HEAD_BYTES_MAX and _may_be_head(data):
            return
        found = self._heads.read(data[:end]) if end >= 0 else None
        if found is None:
            self._hand_over()
            return
        head, length = found
        if length > self._site.body_max:
            self._hand_over()
            return
        begin = end + len(END)
        if len(data) >= begin + length:
            self._rest = data[begin + length :]
            body = data[begin : begin + length]
            self._task = self._loop.create_task(self._answer(head, body))

    def _hand_over(self) -> None:
        """From here on the connection is aiohttp's."""
        self._forget()
        handler = self._site.handler()
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        handler.data_received(self._rest)
        self._rest = b""

    def _forget(self) -> None:
        self._site.left(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connection_lost(self, error: Exception | None) -> None:
        self._ending = True
        self._forget()
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # --- one request ---

    async def _answer(self, head: Head, body: bytes) -> None:
        self._begun = False
        try:
            await self._site.answer(head, body, self)
            if self._writable is not None:
                await self.drained()
        except TimeoutError:
            self.abort()
        finally:
            self._task = None
        if self._ending:
            self._transport.close()
        elif self._rest:
            self._transport.resume_reading()
            self._next()

    def write(self, data: bytes) -> None:
        """See ``Out``."""
        if not self._begun:
            self._begun = True
            if self._leaving:
                data = data.replace(_STATUS_END, _CLOSE, 1)
                self._ending = True
        self._transport.write(data)

    async def drained(self) -> None:
        """See ``Out``."""
        if self._writable is not None:
            async with asyncio.timeout(STALL_SECONDS):
                await asyncio.shield(self._writable)

    def abort(self) -> None:
        """See ``Out``."""
        self._transport.abort()

    # --- looking after it ---

    def _look(self) -> None:
        """Close a connection that is silent for too long."""
        self._timer = self._loop.call_later(HALF_SECONDS, self._look)
        allowed = HALF_SECONDS if self._rest else IDLE_SECONDS
        if self._task is None and self._loop.time() - self._heard > allowed:
            self._transport.close()

    @property
    def idle_since(self) -> float | None:
        """Since when nothing is done for it."""
        return self._heard if self._task is None else None

    def leave(self) -> None:
        """End with an answer that says so: a client that is about to send its next request would
        not know whether it was done, if the connection just ended."""
        self._leaving = True

    def end(self) -> asyncio.Task[None] | None:
        """Close, after the answer that is under way, if there is one."""
        self._ending = True
        if self._task is None:
            self._transport.close()
        return self._task


def _may_be_head(data: bytes) -> bool:
    """Whether more bytes can make it the head of a request; anything else is told so at once."""
    return data[:1].isalpha() and b"\n\n" not in data


class FrontSite(web.BaseSite):
    """Listens; belongs to the runner whose server takes what is handed over."""

    __slots__ = (
        "_emptied",
        "_host",
        "_port",
        "answer",
        "body_max",
        "connections_max",
        "fronts",
        "full",
        "leaving",
    )

    def __init__(
        self,
        runner: web.AppRunner,
        http: HttpSettings,
        answer: Answering,
        full: Callable[[], bytes],
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(runner, ssl_context=tls)
        self._host = http.host
        self._port = http.port
        self.answer = answer
        self.body_max = min(http.body_bytes_max, HTTP_QUICK_BODY_BYTES_MAX)
        self.connections_max = http.connections_max
        #: what a connection is told for which there is no room
        self.full = full
        #: the connections that are not aiohttp's
        self.fronts: set[Front] = set()
        #: the node is about to stop: every connection ends with its next answer
        self.leaving = False
        #: done when the last of them is gone, while the node stops
        self._emptied: asyncio.Future[None] | None = None

    def room(self) -> bool:
        """Whether one more connection may come. One for which nothing is done gives way to it,
        the one that is silent for longest."""
        server = self._runner.server
        if len(self.fronts) + len(server.connections if server else ()) < self.connections_max:
            return True
        idle = [(since, front) for front in self.fronts if (since := front.idle_since) is not None]
        if not idle:
            return False
        front = min(idle, key=itemgetter(0))[1]
        front.end()
        self.fronts.discard(front)
        return True

    @property
    def name(self) -> str:
        """Where it listens."""
        scheme = "http" if self._ssl_context is None else "https"
        return f"{scheme}://{self._host}:{self._port}"

    def handler(self) -> asyncio.Protocol:
        """A connection of aiohttp."""
        server = self._runner.server
        assert server is not None  # set up before a site is made
        return server()

    def left(self, front: Front) -> None:
        """A connection ended, or is aiohttp's now."""
        self.fronts.discard(front)
        if self._emptied is not None and not self.fronts and not self._emptied.done():
            self._emptied.set_result(None)

    async def start(self) -> None:
        """Listen."""
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Front(self),
            self._host,
            self._port,
            ssl=self._ssl_context,
            backlog=self._backlog,
        )

    def leave(self) -> None:
        """The node is about to stop: answers say that the connection ends with them."""
        self.leaving = True
        for front in self.fronts:
            front.leave()

    async def stop(self) -> None:
        """Take no more connections; those that are here end after what they answer."""
        await super().stop()
        self.leave()
        if self.fronts:
            emptied = self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.wait([emptied], timeout=LEAVE_SECONDS)
        under_way = {task for front in list(self.fronts) if (task := front.end()) is not None}
        if under_way:
            _, under_way = await asyncio.wait(under_way, timeout=END_SECONDS)
        for front in list(self.fronts):
            front.abort()
        if under_way:
            await asyncio.wait(under_way, timeout=END_SECONDS)
