"""A node on an empty data directory: it waits until a cluster admits it, or is told to found one.

It never founds a cluster by itself, so a node that lost its disk cannot become a second one of the
same name (architecture brief, section 7). It is admitted by asking members for it, or by a member
that calls it by its data directory's id.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from everwhen.codec import peer_frames as wire
from everwhen.codec.cluster import FEATURE_LEVEL
from everwhen.errors import EverwhenError, MembershipRefused, RequestInvalid
from everwhen.runtime.replica.peers import PATH as PEER_PATH
from everwhen.server import discovery
from everwhen.server.http.answers import error_response, json_response
from everwhen.server.logging import logger
from everwhen.server.problems import RECENT
from everwhen.server.secrets import need_secret
from everwhen.server.tls import Tls
from everwhen.settings import Settings
from everwhen.storage.meta import Meta
from everwhen.version import VERSION

_AGAIN_SECONDS = 1.0
_ASK_SECONDS = 10.0
#: connections that stay open are not waited for longer: the node must open
_CLOSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Admission:
    """What a node was told to be."""

    cluster_id: UUID
    node_id: int


class _Bootstrap(msgspec.Struct, forbid_unknown_fields=True):
    clusterId: str  # noqa: N815 - the name in the interface
    diskId: str | None = None  # noqa: N815 - as above


class Joining:
    """See the module. ``wait`` returns who the node is from now on, or None if it was stopped."""

    def __init__(
        self, settings: Settings, meta: Meta, addresses: dict[str, str], secret: str, tls: Tls
    ) -> None:
        self._settings = settings
        self._meta = meta
        self._addresses = addresses
        self._secret = secret
        self._tls = tls
        self._admitted: asyncio.Future[Admission] = asyncio.get_running_loop().create_future()

    async def wait(self, stop: asyncio.Event) -> Admission | None:
        """Serve status and wait."""
        settings = self._settings
        http = web.AppRunner(self._http(), access_log=None, shutdown_timeout=_CLOSE_SECONDS)
        peer = web.AppRunner(self._peer(), access_log=None, shutdown_timeout=_CLOSE_SECONDS)
        try:
            await http.setup()
            await web.TCPSite(
                http, settings.http.host, settings.http.port, ssl_context=self._tls.doors
            ).start()
            await peer.setup()
            await web.TCPSite(
                peer,
                settings.cluster.host,
                settings.cluster.port,
                ssl_context=None if self._tls.peers is None else self._tls.peers.server,
            ).start()
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(self._ask())
                stopping = group.create_task(stop.wait())
                admitted = group.create_task(self._wait_admitted())
                await asyncio.wait([stopping, admitted], return_when=asyncio.FIRST_COMPLETED)
                for task in (asking, stopping, admitted):
                    task.cancel()
        finally:
            await http.cleanup()
            await peer.cleanup()
        return self._admitted.result() if self._admitted.done() else None

    async def _wait_admitted(self) -> Literal[True]:
        await asyncio.wait([self._admitted])
        return True

    def _admit(self, cluster_id: UUID, node_id: int) -> None:
        if not self._admitted.done():
            self._admitted.set_result(Admission(cluster_id, node_id))

    # --- asking members ---

    async def _ask(self) -> None:
        join = self._settings.cluster.join
        if join is None:
            return
        log = logger("joining")
        told = ""
        timeout = aiohttp.ClientTimeout(total=_ASK_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                problem = "no address to ask"
                for url in await discovery.addresses(join):
                    problem = await self._ask_one(session, url)
                    if not problem:
                        return
                if problem != told:
                    log.info("not_admitted_yet", reason=problem)
                    told = problem
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _ask_one(self, session: aiohttp.ClientSession, url: str) -> str:
        """Ask one member; why not, or an empty text."""
        body = {
            "name": self._settings.node.name,
            "addresses": self._addresses,
            "diskId": str(self._meta.disk_id),
            "version": VERSION,
            "featureLevel": FEATURE_LEVEL,
        }
        try:
            async with session.post(
                f"{url}/v1/members",
                json=body,
                headers={wire.HEADER_SECRET: self._secret},
                ssl=True if self._tls.peers is None else self._tls.peers.client,
            ) as answer:
                content = await answer.json(content_type=None)
                if answer.status != 200:
                    return f"{url}: {_reason(content) or answer.reason}"
                self._admit(UUID(content["clusterId"]), int(content["nodeId"]))
                return ""
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            return f"{url}: {type(error).__name__}: {error}"

    # --- being asked ---

    def _http(self) -> web.Application:
        app = web.Application(middlewares=[_in_shape])
        app.add_routes(
            [
                web.get("/livez", _livez),
                web.get("/readyz", self._readyz),
                web.get("/v1/status", self._status),
                web.get("/v1/diagnose", self._diagnose),
                web.post("/v1/bootstrap", self._bootstrap),
            ]
        )
        return app

    async def _readyz(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=503, text="waiting to be admitted to a cluster\n")

    async def _status(self, request: web.Request) -> web.StreamResponse:
        return json_response(self._facts())

    def _facts(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "clusterId": None,
            "nodeId": None,
            "name": self._settings.node.name,
            "role": "joining",
            "diskId": str(self._meta.disk_id),
            "addresses": self._addresses,
            "featureLevel": FEATURE_LEVEL,
        }

    async def _diagnose(self, request: web.Request) -> web.StreamResponse:
        """What it says of itself; the lines of its log are for who knows the secret."""
        need_secret(request.headers, self._secret)
        found = {"status": self._facts(), "problems": RECENT.lines(), "digests": {}}
        return json_response(found)

    async def _bootstrap(self, request: web.Request) -> web.StreamResponse:
        """Found a cluster here; once, and only on an empty node. Whoever names the data directory
        is refused by any other: a pod that came back on an empty disk founds nothing."""
        need_secret(request.headers, self._secret)
        try:
            body = msgspec.json.decode(await request.read(), type=_Bootstrap)
            cluster_id = UUID(body.clusterId)
        except (msgspec.MsgspecError, ValueError) as error:
            raise RequestInvalid(f"the body needs clusterId, a UUID: {error}") from error
        own = str(self._meta.disk_id)
        if body.diskId not in (None, own):
            raise MembershipRefused(f"the data directory here is {own}, not {body.diskId}")
        self._admit(cluster_id, 1)
        return json_response({"clusterId": str(cluster_id), "nodeId": 1})

    def _peer(self) -> web.Application:
        app = web.Application(middlewares=[_in_shape])
        app.router.add_get(PEER_PATH, self._called)
        return app

    async def _called(self, request: web.Request) -> web.StreamResponse:
        """A member calls this data directory by its id: then it was admitted."""
        headers = request.headers
        need_secret(headers, self._secret)
        if headers.get(wire.HEADER_TO_DISK) == str(self._meta.disk_id):
            try:
                cluster_id = UUID(headers.get(wire.HEADER_CLUSTER, ""))
                node_id = int(headers.get(wire.HEADER_TO, ""))
            except ValueError as error:
                raise RequestInvalid(f"headers that name no member: {error}") from error
            self._admit(cluster_id, node_id)
        answer = web.Response(status=503, reason="joining")
        answer.force_close()
        return answer


def _reason(content: object) -> str:
    """The message of an error in the documented shape."""
    if isinstance(content, dict) and content.get("errors"):
        return str(content["errors"][0].get("message", ""))
    return ""


async def _livez(request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok\n")


@web.middleware
async def _in_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except EverwhenError as error:
        return error_response(request, error)
