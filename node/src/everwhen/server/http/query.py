"""``POST /db/neo4j/query/v2``: one statement in a transaction of its own."""

from __future__ import annotations

from aiohttp import web

from everwhen.errors import RequestInvalid
from everwhen.runtime.requests import Caller
from everwhen.runtime.service import Execution, Service
from everwhen.server.http import door_of
from everwhen.server.http.body import QueryRequest, check_database, read_query
from everwhen.server.http.media import answer_form
from everwhen.server.http.stream import answer


async def auto_commit(request: web.Request) -> web.StreamResponse:
    """Runs a statement; the answer carries its rows, counters and bookmark."""
    check_database(request)
    service = door_of(request).node.parts.service
    wanted = await read_query(request, service, answer_form(request))
    execution = await execute(service, wanted, request["caller"])
    return await answer(request, service, wanted, execution)


async def execute(service: Service, wanted: QueryRequest, caller: Caller) -> Execution:
    """The statement of a request in a transaction of its own. It stops when its client is gone."""
    if wanted.statement is None:
        raise RequestInvalid("the request has no statement")
    options = wanted.options
    options.auto_commit = True
    return await service.auto_commit(wanted.statement, wanted.parameters, options, caller)
