"""Answers the requests that ``front`` reads itself: one statement in a transaction of its own.

The same steps as the route of ``app`` takes (``query.auto_commit`` behind its middlewares).
"""

from __future__ import annotations

import time
from typing import Final

from everwhen.errors import TooManyRequests
from everwhen.server.http.answers import ACCEPTED, error_body, json_response
from everwhen.server.http.app import Door, admit, failure
from everwhen.server.http.body import json_object, query_of
from everwhen.server.http.front import Answering, Out
from everwhen.server.http.heads import Head
from everwhen.server.http.query import execute
from everwhen.server.http.stream import answer_on
from everwhen.server.http.wire import response_bytes

#: the route's pattern, as metrics name it
_ROUTE: Final = "/db/{database}/query/v2"


def answering(door: Door) -> Answering:
    """What a ``FrontSite`` is given."""

    async def answer(head: Head, body: bytes, out: Out) -> None:
        started = time.monotonic()
        status = ACCEPTED
        try:
            await _answer(door, head, body, out)
        except Exception as error:  # noqa: BLE001 - every kind has its answer
            response = failure(door, head, error)
            status = response.status
            out.write(response_bytes(response))
        door.metrics.request("POST", _ROUTE, status, time.monotonic() - started)

    return answer


def full() -> bytes:
    """What a connection is told for which there is no room."""
    problem = TooManyRequests("too many connections are open", hint="try again shortly")
    response = json_response({"errors": [error_body(problem)]}, status=problem.http_status)
    response.headers["Connection"] = "close"
    response.headers["Retry-After"] = "1"
    return response_bytes(response)


async def _answer(door: Door, head: Head, body: bytes, out: Out) -> None:
    caller = await admit(door, head)
    door.requests_open += 1
    try:
        service = door.node.parts.service
        wanted = query_of(json_object(body), service, head.form, is_typed=head.is_typed)
        execution = await execute(service, wanted, caller)
        await answer_on(out, head.path, service, wanted, execution)
    finally:
        door.requests_open -= 1
