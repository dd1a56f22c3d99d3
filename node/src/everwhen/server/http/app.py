"""The HTTP application: routes, limits, identity, one shape for every error."""

from __future__ import annotations

import hmac
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from everwhen.errors import (
    EverwhenError,
    Fault,
    RequestInvalid,
    RequestTooLarge,
    TooManyRequests,
    Unauthorized,
)
from everwhen.runtime.node import Node
from everwhen.runtime.requests import Caller
from everwhen.server.http import admin, bulk, cluster, query, transactions
from everwhen.server.http.answers import error_response
from everwhen.server.http.media import Asked, NotAcceptable
from everwhen.server.logging import logger
from everwhen.server.metrics import Metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What the door is told. ``password`` None: no authentication (loopback only)."""

    user: str
    password: str | None
    body_bytes_max: int
    connections_max: int


@dataclass(slots=True)
class Door:
    """What handlers need."""

    node: Node
    metrics: Metrics
    options: HttpOptions
    ready: Callable[[], bool]
    #: called when a Fault reaches the door: the node must end
    fatal: Callable[[Fault], None]
    transactions: transactions.Registry
    #: the cluster's secret, for whoever changes who belongs to it
    secret: str = ""
    requests_open: int = 0


DOOR = web.AppKey("door", Door)
#: answered without credentials
_OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/metrics", "/openapi.json"})


def routes() -> list[web.RouteDef]:
    """Every route of this door; the OpenAPI document describes the same ones."""
    return [
        web.get("/", admin.discovery),
        web.get("/livez", admin.livez),
        web.get("/readyz", admin.readyz),
        web.get("/metrics", admin.metrics),
        web.get("/openapi.json", admin.openapi),
        web.get("/v1/status", admin.status),
        *cluster.routes(),
        web.post("/db/{database}/query/v2", query.auto_commit),
        web.post("/db/{database}/query/v2/tx", transactions.begin),
        web.post("/db/{database}/query/v2/tx/{transaction}", transactions.run),
        web.post("/db/{database}/query/v2/tx/{transaction}/commit", transactions.commit),
        web.delete("/db/{database}/query/v2/tx/{transaction}", transactions.rollback),
        *bulk.routes(),
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
        request["caller"] = admit(door, request)
    door.requests_open += 1
    try:
        return await handler(request)
    finally:
        door.requests_open -= 1


def admit(door: Door, request: Asked) -> Caller:
    """Who asks.

    :raises TooManyRequests: as many as there is room for are under way.
    :raises Unauthorized: see ``authenticate``.
    """
    if door.requests_open >= door.options.connections_max:
        raise TooManyRequests("too many requests are under way", hint="try again shortly")
    return authenticate(request, door.options)


def authenticate(request: Asked, options: HttpOptions) -> Caller:
    """Who asks.

    :raises Unauthorized: no or wrong credentials where they are asked for.
    """
    client = request.remote or ""
    tag = request.headers.get("User-Agent", "")[:200]
    if options.password is None:
        return Caller("", client, tag)
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            user, password = "", ""
        right_user = hmac.compare_digest(user.encode(), options.user.encode())
        right_password = hmac.compare_digest(password.encode(), options.password.encode())
        if right_user and right_password:
            return Caller(user, client, tag)
    raise Unauthorized("the user name or password is wrong, or missing")
