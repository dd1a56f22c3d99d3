"""One connection on the event loop: bytes to the machine, requests to the conversation."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast

from everwhen.errors import ClientError
from everwhen.limits import BOLT_REQUESTS_AHEAD_MAX, BOLT_UNSENT_BYTES_MAX
from everwhen.server.auth.port import NoAuthentication
from everwhen.server.bolt import messages as m
from everwhen.server.bolt.chunking import NOOP
from everwhen.server.bolt.conversation import Closed, Conversation, Server
from everwhen.server.bolt.machine import Broken, Event, Interrupt, Received, Send
from everwhen.server.bolt.websocket import START, WebSocket, WebSocketError

#: answers are sent together up to this many bytes
_TOGETHER_BYTES = 64 << 10
#: seconds a client may take no bytes
_STALL_SECONDS = 60.0
#: seconds a client gets to take the last answers
_LINGER_SECONDS = 5.0


class Owner(Protocol):
    """The listener."""

    def came(self, connection: Connection) -> bool:
        """It is connected; False if there is no room for it."""
        ...

    def gone(self, connection: Connection) -> None:
        """It ended, and everything it held."""
        ...


class Connection(asyncio.Protocol):
    """See the module. One task handles the requests in order; reading goes on meanwhile."""

    def __init__(self, server: Server, owner: Owner, number: int, group: asyncio.TaskGroup) -> None:
        self._server = server
        self._group = group
        self._owner = owner
        self.number = number
        self._queue: deque[m.Request | ClientError | Broken] = deque()
        self._ahead_bytes = 0
        self._paused = False
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._flushing = False
        self._awake: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._web: WebSocket | None = None
        self._sniffed = False
        self._lost = False
        self._refused = False
        self._ending = False
        #: it ends with the transaction that is open, or now
        self._leaving = False
        self.busy = False
        now = server.clock.monotonic()
        self._opened = self._heard = self._sent = now
        self._stalled: float | None = None
        self._transport = cast("asyncio.Transport", None)
        self._conversation = cast("Conversation", None)
        #: handles the requests, from ``connection_made`` on
        self.task = cast("asyncio.Task[None]", None)

    # --- the socket ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._owner.came(self):
            self._ending = True
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=BOLT_UNSENT_BYTES_MAX)
        peer = transport.get_extra_info("peername")
        remote = str(peer[0]) if peer else ""
        self._conversation = Conversation(self._server, self, self.number, remote)
        self.task = self._group.create_task(self._run())

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        self._heard = self._server.clock.monotonic()
        if not self._sniffed:
            self._sniffed = True
            if START.startswith(data[:4]) or data.startswith(START):
                local = isinstance(self._server.authenticator, NoAuthentication)
                self._web = WebSocket(local_origins_only=local)
        if self._web is not None:
            try:
                data, reply = self._web.receive(data)
            except WebSocketError as error:
                self._transport.write(error.reply)
                self.end()
                return
            if reply:
                self._transport.write(reply)
            if self._web.closed:
                self.end()
        for event in self._conversation.machine.receive(data):
            self._take(event)
        self._ahead_bytes += len(data)
        self._pause_if_ahead()

    def _take(self, event: Event) -> None:
        match event:
            case Received():
                self._put(event.request)
            case Interrupt():
                self._conversation.interrupt("the client asked to stop (RESET)")
            case Send():
                self._write(event.data)
            case Broken():
                self._put(event)
                self._transport.pause_reading()
                self._paused = self._ending = True

    def _put(self, item: m.Request | ClientError | Broken) -> None:
        self._queue.append(item)
        if self._awake is not None and not self._awake.done():
            self._awake.set_result(None)

    def _pause_if_ahead(self) -> None:
        """Reads no further while too much waits to be done."""
        bound = self._server.message_bytes_max
        if len(self._queue) > BOLT_REQUESTS_AHEAD_MAX or self._ahead_bytes > 2 * bound:
            if self._queue and not self._paused:
                self._transport.pause_reading()
                self._paused = True

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = self._ending = True
        if self._conversation is None:
            return  # there was no room for it
        self._conversation.interrupt("the connection is gone")
        for waiting in (self._awake, self._writable):
            if waiting is not None and not waiting.done():
                waiting.set_result(None)

    def pause_writing(self) -> None:
        self._stalled = self._server.clock.monotonic()
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        self._stalled = None
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # --- answers (``conversation.Channel``) ---

    def send(self, data: bytes) -> None:
        """Answers made in one go leave in one go."""
        self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > _TOGETHER_BYTES:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush_later)

    async def drained(self) -> None:
        """See ``Channel.drained``.

        :raises Closed: the client is gone.
        """
        if self._writable is not None and not self._writable.done():
            await self._writable
        if self._lost:
            raise Closed

    def _flush_later(self) -> None:
        self._flushing = False
        self._flush()

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._out_bytes = 0
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._lost:
            self._sent = self._server.clock.monotonic()
            self._transport.write(data if self._web is None else self._web.send(data))

    # --- requests ---

    async def _run(self) -> None:
        """Handles requests until the end, then lets go of everything."""
        try:
            while True:
                while self._queue:
                    await self._handle(self._queue.popleft())
                self._flush()
                if self._ending or (self._leaving and not self._conversation.holds):
                    return
                if self._ahead_bytes:
                    self._ahead_bytes = 0
                    if self._paused:
                        self._paused = False
                        self._transport.resume_reading()
                self._awake = asyncio.get_running_loop().create_future()
                await self._awake
        except Closed:
            self._flush()
        except Exception as error:  # noqa: BLE001 - one connection's end, logged with its trace
            self._server.unexpected(error)
        finally:
            self._queue.clear()
            try:
                await self._conversation.close()
            finally:
                self._leave()
                self._owner.gone(self)

    def _leave(self) -> None:
        """Close once the client took what was sent, or soon. Who is in the middle of a message
        that was refused sends the rest into nothing: a reset would take the answer away."""
        if self._lost or self._transport.is_closing():
            # one that was encrypted may have let go of everything: it answers no question
            pass
        elif self._refused and self._transport.can_write_eof():
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            waiting = self._transport.get_write_buffer_size()
            self._transport.close()
            if not waiting:
                return
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._transport.abort)

    async def _handle(self, item: m.Request | ClientError | Broken) -> None:
        if self._lost:
            raise Closed
        if isinstance(item, Broken):
            if item.error is None:
                self._write(bytes(4))
            else:
                self._conversation.tell(item.error)
                self._refused = True
            raise Closed
        self.busy = True
        try:
            await self._conversation.handle(item)
        finally:
            self.busy = False

    # --- looking after it ---

    def end(self) -> None:
        """Finish what runs, answer it, then close."""
        self._ending = True
        self._look_up()

    def leave(self) -> None:
        """As ``end``, after the transaction that is open: a COMMIT that is on its way to a closed
        connection leaves a client that does not know."""
        self._leaving = True
        self._look_up()

    def _look_up(self) -> None:
        if self._awake is not None and not self._awake.done():
            self._awake.set_result(None)

    def abort(self, reason: str) -> None:
        """Stop what runs and close now."""
        self._conversation.interrupt(reason)
        self._transport.abort()

    def look_after(self, now: float, bounds: Bounds) -> None:
        """Called every second: keep-alive, and ends for those who stay silent or take nothing."""
        if self._stalled is not None and now - self._stalled > _STALL_SECONDS:
            self.abort("the client takes no answers")
        elif not self._conversation.machine.authenticated:
            if now - self._opened > bounds.unauthenticated_seconds:
                self.abort("nobody logged on in time")
        elif self.busy:
            if now - self._sent > bounds.keep_alive_seconds and self._stalled is None:
                self._write(NOOP)
        elif now - self._heard > bounds.idle_seconds or (
            self._conversation.streaming and now - self._heard > bounds.open_result_seconds
        ):
            self.abort("nothing was heard for too long")


class Bounds(Protocol):
    """How long a client may be silent, in seconds."""

    @property
    def unauthenticated_seconds(self) -> float: ...

    @property
    def idle_seconds(self) -> float: ...

    @property
    def open_result_seconds(self) -> float: ...

    @property
    def keep_alive_seconds(self) -> float: ...
