"""The HTTP application: routes, limits, identity, one shape for every error."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from everwhen.errors import (
    EverwhenError,
    Fault,
    RequestInvalid,
    RequestTooLarge,
    TooManyRequests,
)
from everwhen.runtime.node import Node
from everwhen.runtime.requests import Caller
from everwhen.server.auth.port import Authenticator
from everwhen.server.hot import HotSettings
from everwhen.server.http import admin, audit, bulk, changes, cluster, query, transactions, verify
from everwhen.server.http.answers import error_response
from everwhen.server.http.identity import caller_of, knows_secret, need_own_password
from everwhen.server.http.media import Asked, NotAcceptable
from everwhen.server.logging import logger
from everwhen.server.metrics import Metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What the door is told."""

    body_bytes_max: int
    connections_max: int


@dataclass(slots=True)
class Door:
    """What handlers need."""

    node: Node
    metrics: Metrics
    options: HttpOptions
    authenticator: Authenticator
    ready: Callable[[], bool]
    #: called when a Fault reaches the door: the node must end
    fatal: Callable[[Fault], None]
    transactions: transactions.Registry
    #: the cluster's secret, for whoever changes who belongs to it
    secret: str = ""
    #: signs exported heads of the audit; None: they are not signed
    audit_key: bytes | None = None
    #: the settings, which follow their file
    hot: HotSettings | None = None
    requests_open: int = 0
    #: the node is about to stop: connections end with their next answer
    leaving: bool = False


DOOR = web.AppKey("door", Door)
#: answered without credentials
_OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/metrics", "/openapi.json"})
#: where statements go; one of them changes a password that must be changed
_STATEMENTS = "/db/"
#: answered to who knows the cluster's secret
_ADMINISTRATION = frozenset(
    {
        "/v1/status",
        "/v1/diagnose",
        "/v1/audit/head",
        "/v1/verify",
        *(each.path for each in cluster.routes()),
    }
)


def routes() -> list[web.RouteDef]:
    """Every route of this door; the OpenAPI document describes the same ones."""
    return [
        web.get("/", admin.discovery),
        web.get("/livez", admin.livez),
        web.get("/readyz", admin.readyz),
        web.get("/metrics", admin.metrics),
        web.get("/openapi.json", admin.openapi),
        web.get("/v1/status", admin.status),
        web.get("/v1/diagnose", admin.diagnose),
        web.get("/v1/audit/head", audit.head),
        web.get("/v1/verify", verify.image),
        *cluster.routes(),
        web.post("/db/{database}/query/v2", query.auto_commit),
        web.post("/db/{database}/query/v2/tx", transactions.begin),
        web.post("/db/{database}/query/v2/tx/{transaction}", transactions.run),
        web.post("/db/{database}/query/v2/tx/{transaction}/commit", transactions.commit),
        web.delete("/db/{database}/query/v2/tx/{transaction}", transactions.rollback),
        *bulk.routes(),
        *changes.routes(),
    ]


def build_app(door: Door) -> web.Application:
    """The application, ready for a runner."""
    app = web.Application(
        client_max_size=door.options.body_bytes_max, middlewares=[_measured, _guarded]
    )
    app[DOOR] = door
    app.add_routes(routes())
    return app


@web.middleware
async def _measured(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Counts and times every request, and turns whatever goes wrong into the one error shape."""
    door = request.app[DOOR]
    started = time.monotonic()
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = error_response(request, _of_aiohttp(error), error.status)
        if isinstance(error, web.HTTPMethodNotAllowed):
            response.headers["Allow"] = error.headers["Allow"]
    except (ConnectionResetError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001 - every kind has its answer
        response = failure(door, request, error)
    if door.leaving and not response.prepared:
        response.force_close()
    route = request.match_info.route.resource
    pattern = "unknown" if route is None else route.canonical
    seconds = time.monotonic() - started
    door.metrics.request(request.method, pattern, response.status, seconds)
    return response


def failure(door: Door, request: Asked, error: Exception) -> web.Response:
    """The answer to a request that went wrong."""
    if isinstance(error, NotAcceptable):
        problem = RequestInvalid(f"none of {error.wanted!r} is offered")
        return error_response(request, problem, 406)
    if isinstance(error, EverwhenError):
        if isinstance(error, Fault):
            door.fatal(error)
        return error_response(request, error)
    # logged with its trace, answered in the shape
    logger("http").error("unexpected_error", path=request.path, exc_info=error)
    text = f"internal error: {type(error).__name__}: {error}"
    return error_response(request, EverwhenError(text))


def _of_aiohttp(error: web.HTTPException) -> EverwhenError:
    """Errors of aiohttp itself (no such path, body too large) as ours."""
    if error.status == 413:
        return RequestTooLarge(
            "the request body is larger than this server takes",
            hint="send smaller requests, or raise http.body_bytes_max",
        )
    return RequestInvalid(f"{error.status} {error.reason}")


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bounds requests under way and asks who is there."""
    door = request.app[DOOR]
    if request.path not in _OPEN_PATHS:
        caller = _administrator(door, request) or await admit(door, request)
        if not request.path.startswith(_STATEMENTS) or request.path.endswith("/commit"):
            need_own_password(caller)
        request["caller"] = caller
    door.requests_open += 1
    try:
        return await handler(request)
    finally:
        door.requests_open -= 1


def _administrator(door: Door, request: web.Request) -> Caller | None:
    """Whoever knows the cluster's secret needs no password to administer the group. What changes
    it asks for the secret by itself."""
    resource = request.match_info.route.resource
    if resource is None or resource.canonical not in _ADMINISTRATION:
        return None
    if request.method == "GET" and not knows_secret(request, door.secret):
        return None
    return Caller("", request.remote or "")


async def admit(door: Door, request: Asked) -> Caller:
    """Who asks.

    :raises TooManyRequests: as many as there is room for are under way.
    :raises Unauthorized: see ``caller_of``.
    """
    if door.requests_open >= door.options.connections_max:
        raise TooManyRequests("too many requests are under way", hint="try again shortly")
    return await caller_of(door.authenticator, request)
