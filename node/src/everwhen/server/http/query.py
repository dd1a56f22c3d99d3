"""``POST /db/neo4j/query/v2``: one statement in a transaction of its own."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from everwhen.errors import RequestInvalid
from everwhen.server.http import door_of
from everwhen.server.http.body import check_database, read_query
from everwhen.server.http.media import answer_form
from everwhen.server.http.stream import answer


async def auto_commit(request: web.Request) -> web.StreamResponse:
    """Runs a statement; the answer carries its rows, counters and bookmark."""
    check_database(request)
    service = door_of(request).node.parts.service
    wanted = await read_query(request, service, answer_form(request))
    if wanted.statement is None:
        raise RequestInvalid("the request has no statement")
    options = replace(wanted.options, auto_commit=True)
    execution = await service.auto_commit(
        wanted.statement, wanted.parameters, options, request["caller"]
    )
    return await answer(request, service, wanted, execution)
