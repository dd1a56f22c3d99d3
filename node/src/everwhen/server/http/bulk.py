"""Bulk loads over HTTP: begin, parts as Arrow streams, commit.

``POST /v1/bulk`` begins a load and answers with its address; ``POST …/nodes?label=A``,
``…/relationships?type=T``, ``…/changes?entity=node`` and ``…/deletes?entity=node`` take one Arrow
IPC stream each; ``POST …/commit`` publishes all of it at one version, ``DELETE`` forgets it. A
part that fails ends the load. A load belongs to the user who began it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from everwhen.errors import RequestInvalid
from everwhen.limits import BULK_PART_BYTES_MAX
from everwhen.model.moments import micros_text
from everwhen.runtime.bulk import BulkLoad, BulkLoads, BulkOptions, Entity
from everwhen.server.http import door_of
from everwhen.server.http.answers import ACCEPTED, json_response
from everwhen.server.http.body import options_of, read_body, read_json
from everwhen.txn.commands import Committed

_FIELDS = frozenset({"commitTime", "requestId", "txMetadata", "atVersion"})


def routes() -> Iterable[web.RouteDef]:
    """The routes of this module."""
    return (
        web.post("/v1/bulk", begin),
        web.post("/v1/bulk/{load}/nodes", nodes),
        web.post("/v1/bulk/{load}/relationships", relationships),
        web.post("/v1/bulk/{load}/changes", changes),
        web.post("/v1/bulk/{load}/deletes", deletes),
        web.post("/v1/bulk/{load}/commit", commit),
        web.delete("/v1/bulk/{load}", abort),
    )


def _committed(request: web.Request, reply: Committed) -> dict[str, Any]:
    service = door_of(request).node.parts.service
    return {
        "version": reply.version,
        "time": micros_text(reply.time),
        "repeated": reply.repeated,
        "bookmarks": [service.bookmark(reply.version)],
    }


async def begin(request: web.Request) -> web.StreamResponse:
    """Begins a load; or says that the same request was committed before."""
    service = door_of(request).node.parts.service
    content = await read_json(request)
    for name in content:
        if name not in _FIELDS:
            raise RequestInvalid(
                f"the request has an unknown field {name!r}",
                hint="known are " + ", ".join(sorted(_FIELDS)),
            )
    wanted = options_of(content, service)
    options = BulkOptions(
        wanted.own_time,
        wanted.request_id,
        {str(key): str(value) for key, value in wanted.metadata.items()},
        None if wanted.at is None else wanted.at[1],
    )
    token, known = await service.bulk.begin(options, request["caller"])
    if known is not None:
        return json_response({"committed": _committed(request, known)}, status=ACCEPTED)
    return json_response({"bulk": token}, status=ACCEPTED)


def _found(request: web.Request) -> tuple[BulkLoads, str, BulkLoad]:
    loads = door_of(request).node.parts.service.bulk
    token = request.match_info["load"]
    return loads, token, loads.find(token, request["caller"])


async def _body(request: web.Request) -> bytes:
    return await read_body(request, BULK_PART_BYTES_MAX, "")


async def nodes(request: web.Request) -> web.StreamResponse:
    """Fresh nodes; the answer has the first of their consecutive ids."""
    loads, token, load = _found(request)
    labels = request.query.getall("label", [])
    return json_response(await loads.nodes(token, load, await _body(request), labels))


async def relationships(request: web.Request) -> web.StreamResponse:
    """Fresh relationships."""
    loads, token, load = _found(request)
    type_ = request.query.get("type", "")
    return json_response(await loads.relationships(token, load, await _body(request), type_))


def _entity(request: web.Request) -> Entity:
    match request.query.get("entity"):
        case "node":
            return "node"
        case "relationship":
            return "relationship"
    raise RequestInvalid("entity must be node or relationship")


async def changes(request: web.Request) -> web.StreamResponse:
    """New values of properties."""
    loads, token, load = _found(request)
    entity = _entity(request)
    return json_response(await loads.change(token, load, await _body(request), entity))


async def deletes(request: web.Request) -> web.StreamResponse:
    """Deletes."""
    loads, token, load = _found(request)
    entity = _entity(request)
    return json_response(await loads.delete(token, load, await _body(request), entity))


async def commit(request: web.Request) -> web.StreamResponse:
    """Publishes the load."""
    loads, token, load = _found(request)
    reply = await loads.commit(token, load)
    content = {"committed": _committed(request, reply), "counts": load.counts}
    return json_response(content, status=ACCEPTED)


async def abort(request: web.Request) -> web.StreamResponse:
    """Forgets the load."""
    loads, token, load = _found(request)
    await loads.abort(token, load, "aborted by the client")
    return json_response({})
