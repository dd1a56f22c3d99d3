"""Connections to the other members over aiohttp: two lanes to each peer, frames in binary messages.

Every node dials every other one, once for each lane, and only sends on the connections it dialled;
what it receives comes in on those the others dialled. The headers of a connection say who is
calling whom (``codec.peer_frames``); a caller of another cluster, of another protocol, with a wrong
secret, or speaking for a member from another data directory is turned away with the reason
(research/raft.md P29, P34).
"""

from __future__ import annotations

import asyncio
import hmac
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import aiohttp
from aiohttp import web

from everwhen.codec import peer_frames as wire
from everwhen.errors import CorruptData
from everwhen.limits import (
    PEER_CONNECT_SECONDS,
    PEER_FRAME_BYTES_MAX,
    PEER_MESSAGE_BYTES,
    PEER_QUEUE_BYTES_MAX,
    PEER_RETRY_SECONDS,
)
from everwhen.runtime.replica.transport import Peer, Receiver

PATH = "/peer"
LANES = ("urgent", "bulk")
#: messages may be longer than one frame by what else was queued
_MESSAGE_BYTES_MAX = PEER_FRAME_BYTES_MAX + PEER_MESSAGE_BYTES + 1024
_HEARTBEAT_SECONDS = 2.0
#: connections of others that stay open are not waited for longer
_CLOSE_SECONDS = 0.5

Report = Callable[[str, dict[str, object]], None]
"""Something worth a log line: event and its fields."""


@dataclass(frozen=True, slots=True)
class PeerTls:
    """How connections between members are encrypted; both sides show a certificate. Whoever keeps
    the contexts renews them in place."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is, and what opens its doors to the others."""

    cluster_id: UUID
    node_id: int
    disk_id: UUID
    secret: str
    host: str
    port: int
    #: where the others reach this node
    advertised: str
    tls: PeerTls | None = None


class Peers:
    """``Transport`` over the network; see the module."""

    def __init__(self, identity: Identity, report: Report) -> None:
        self._identity = identity
        self._report = report
        self._peers: dict[int, Peer] = {}
        self._lanes: dict[int, dict[str, _Lane]] = {}
        self._receiver: Receiver | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._session: aiohttp.ClientSession | None = None

    # --- Transport ---

    def set_peers(self, peers: Mapping[int, Peer]) -> None:
        """See ``Transport.set_peers``."""
        wanted = {number: peer for number, peer in peers.items() if number != self.node_id}
        for number in [n for n in self._lanes if self._peers.get(n) != wanted.get(n)]:
            for lane in self._lanes.pop(number).values():
                lane.close()
        self._peers = wanted
        if self._tasks is not None:
            for number, peer in wanted.items():
                if number not in self._lanes:
                    self._lanes[number] = {name: self._dial(peer, name) for name in LANES}

    def send(self, to: int, frame: bytes, *, urgent: bool) -> bool:
        """See ``Transport.send``."""
        lanes = self._lanes.get(to)
        return lanes is not None and lanes["urgent" if urgent else "bulk"].put(frame)

    def connected(self, peer: int) -> bool:
        """See ``Transport.connected``."""
        lanes = self._lanes.get(peer)
        return lanes is not None and lanes["urgent"].connected

    async def run(self, receiver: Receiver) -> None:
        """See ``Transport.run``."""
        self._receiver = receiver
        app = web.Application()
        app.router.add_get(PATH, self._accept)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_CLOSE_SECONDS
        )
        await runner.setup()
        identity = self._identity
        tls = None if identity.tls is None else identity.tls.server
        site = web.TCPSite(runner, identity.host, identity.port, ssl_context=tls)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=PEER_CONNECT_SECONDS)
        try:
            await site.start()
            async with (
                aiohttp.ClientSession(
                    # a connection on which a node refused, while it was joining, is not used again
                    connector=aiohttp.TCPConnector(force_close=True),
                    timeout=timeout,
                ) as self._session,
                asyncio.TaskGroup() as self._tasks,
            ):
                self.set_peers(dict(self._peers))
                await asyncio.get_running_loop().create_future()
        finally:
            self._tasks = None
            await runner.cleanup()

    # --- outgoing ---

    @property
    def node_id(self) -> int:
        """This node."""
        return self._identity.node_id

    def _dial(self, peer: Peer, name: str) -> _Lane:
        assert self._tasks is not None
        lane = _Lane()
        lane.task = self._tasks.create_task(self._keep_connected(peer, name, lane))
        return lane

    async def _keep_connected(self, peer: Peer, name: str, lane: _Lane) -> None:
        reached, told = False, ""
        while not lane.closed:
            try:
                # all of it, the encryption and the answer too: who stands still answers nothing
                async with asyncio.timeout(PEER_CONNECT_SECONDS):
                    connected = await self._connect(peer, name)
                async with connected as socket:
                    reached, told = True, ""
                    await lane.pump(socket)
            except aiohttp.WSServerHandshakeError as error:
                if told != error.message:
                    told = error.message
                    self._report("peer_refused_us", {"peer": peer.node_id, "reason": told})
                reached = False
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                gone = isinstance(error, ConnectionRefusedError | aiohttp.ClientConnectorError)
                if gone and reached and self._receiver is not None:
                    # it was there and now nobody listens: the process is gone
                    self._receiver.on_lost(peer.node_id)
                    self._report("peer_lost", {"peer": peer.node_id, "lane": name})
                elif told != _reason(error):
                    told = _reason(error)
                    self._report("peer_not_reached", {"peer": peer.node_id, "reason": told})
                reached = False
            lane.drop()
            if not lane.closed:
                await asyncio.sleep(0 if reached else PEER_RETRY_SECONDS)

    def _connect(self, peer: Peer, name: str) -> aiohttp.client._WSRequestContextManager:
        identity = self._identity
        assert self._session is not None
        scheme = "http" if identity.tls is None else "https"
        return self._session.ws_connect(
            f"{scheme}://{peer.address}{PATH}",
            headers={
                wire.HEADER_SECRET: identity.secret,
                wire.HEADER_PROTOCOL: str(wire.PROTOCOL),
                wire.HEADER_CLUSTER: str(identity.cluster_id),
                wire.HEADER_FROM: str(identity.node_id),
                wire.HEADER_FROM_ADDRESS: identity.advertised,
                wire.HEADER_FROM_DISK: str(identity.disk_id),
                wire.HEADER_TO: str(peer.node_id),
                wire.HEADER_TO_DISK: str(peer.disk_id),
                wire.HEADER_LANE: name,
            },
            compress=0,
            heartbeat=_HEARTBEAT_SECONDS,
            max_msg_size=_MESSAGE_BYTES_MAX,
            ssl=True if identity.tls is None else identity.tls.client,
        )

    # --- incoming ---

    async def _accept(self, request: web.Request) -> web.StreamResponse:
        reason = self._objection(request)
        if reason is not None:
            self._report("peer_turned_away", {"remote": request.remote, "reason": reason})
            return web.Response(status=403, reason=reason, text=reason)
        sender = int(request.headers[wire.HEADER_FROM])
        self._answer_stranger(sender, request.headers)
        socket = web.WebSocketResponse(
            compress=False, max_msg_size=_MESSAGE_BYTES_MAX, heartbeat=_HEARTBEAT_SECONDS
        )
        try:
            await socket.prepare(request)
        except ConnectionError:
            # whoever called is gone again; nobody reads this answer
            return web.Response(status=400)
        try:
            await self._take_in(sender, socket)
        except ConnectionError:
            pass  # it broke while a ping of the other side was answered: that is its end
        return socket

    async def _take_in(self, sender: int, socket: web.WebSocketResponse) -> None:
        """Hand on what comes until the connection ends.

        :raises ConnectionError: it broke.
        """
        assert self._receiver is not None
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            try:
                self._receiver.on_frames(sender, wire.decode_frames(message.data))
            except CorruptData as error:
                self._report("peer_sent_damage", {"peer": sender, "message": str(error)})
                break

    def _answer_stranger(self, sender: int, headers: Mapping[str, str]) -> None:
        """A node that was just admitted does not know the others yet: it calls back who calls."""
        address = headers.get(wire.HEADER_FROM_ADDRESS, "")
        if sender in self._peers or not address:
            return
        try:
            disk_id = UUID(headers.get(wire.HEADER_FROM_DISK, ""))
        except ValueError:
            return
        stranger = Peer(sender, f"node {sender}", address, disk_id)
        self.set_peers({**self._peers, sender: stranger})

    def _objection(self, request: web.Request) -> str | None:
        """Why this caller may not speak to this node; None if it may."""
        identity = self._identity
        return objection(
            request.headers,
            secret=identity.secret,
            cluster_id=identity.cluster_id,
            node_id=identity.node_id,
            disk_id=identity.disk_id,
            members=self._peers,
        )


def objection(
    headers: Mapping[str, str],
    *,
    secret: str,
    cluster_id: UUID,
    node_id: int,
    disk_id: UUID,
    members: Mapping[int, Peer],
) -> str | None:
    """Why the caller with these headers may not speak to this node; None if it may."""
    given = headers.get(wire.HEADER_SECRET, "")
    if not hmac.compare_digest(given.encode(), secret.encode()):
        return "the cluster secret is wrong"
    if headers.get(wire.HEADER_PROTOCOL) != str(wire.PROTOCOL):
        return f"this node speaks peer protocol {wire.PROTOCOL}"
    if headers.get(wire.HEADER_CLUSTER) != str(cluster_id):
        return f"this node belongs to cluster {cluster_id}"
    if headers.get(wire.HEADER_TO) != str(node_id):
        return f"this is node {node_id}"
    if headers.get(wire.HEADER_TO_DISK) != str(disk_id):
        return f"node {node_id} has data directory {disk_id} here"
    if headers.get(wire.HEADER_LANE) not in LANES:
        return "no such lane"
    sender = headers.get(wire.HEADER_FROM, "")
    if not sender.isdecimal() or len(sender) > 18:
        return "the caller does not say which node it is"
    known = members.get(int(sender))
    if known is not None and headers.get(wire.HEADER_FROM_DISK) != str(known.disk_id):
        return f"node {sender} has data directory {known.disk_id}"
    return None


def _reason(error: Exception) -> str:
    """An error of a connection in words."""
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    return str(error) or type(error).__name__


class _Lane:
    """Frames waiting for one connection."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.closed = False
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self.connected = False
        self._wake = asyncio.Event()

    def put(self, frame: bytes) -> bool:
        """Queue a frame; False if it was dropped."""
        if not self.connected or self._bytes + len(frame) > PEER_QUEUE_BYTES_MAX:
            return False
        self._waiting.append(frame)
        self._bytes += len(frame)
        self._wake.set()
        return True

    def drop(self) -> None:
        """The connection ended: what waited for it is lost."""
        self.connected = False
        self._waiting.clear()
        self._bytes = 0

    def close(self) -> None:
        """No more connections."""
        self.closed = True
        self.drop()
        if self.task is not None:
            self.task.cancel()

    async def pump(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        """Send what is queued until the connection ends.

        :raises OSError, aiohttp.ClientError: it broke while something was sent.
        """
        self.connected = True
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send(socket))
                # nothing is ever received here but the end (and answers to pings, which it handles)
                await socket.receive()
                self.connected = False
                sending.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _send(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            message = self._take()
            if message:
                await socket.send_bytes(message)

    def _take(self) -> bytes:
        """The next frames, up to the size of a message."""
        waiting = self._waiting
        if not waiting:
            return b""
        size = 0
        frames: list[bytes] = []
        while waiting and (not frames or size + len(waiting[0]) <= PEER_MESSAGE_BYTES):
            frame = waiting.popleft()
            size += len(frame)
            frames.append(frame)
        self._bytes -= size
        return frames[0] if len(frames) == 1 else b"".join(frames)
