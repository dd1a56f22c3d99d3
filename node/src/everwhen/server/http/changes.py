"""``GET /v1/changes``: change capture, as a long poll or as server-sent events (docs/changes.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web

from everwhen.errors import EverwhenError, RequestInvalid
from everwhen.limits import (
    CHANGES_HEARTBEAT_SECONDS,
    CHANGES_LIMIT_DEFAULT,
    CHANGES_LIMIT_MAX,
    CHANGES_NAMES_MAX,
    CHANGES_WAIT_DEFAULT,
    CHANGES_WAIT_MAX,
)
from everwhen.model.changes import SCHEMA, ChangeRecord, Names, Position
from everwhen.model.graph import EntityKind
from everwhen.model.moments import micros_text
from everwhen.runtime.changes import Changes, Encode
from everwhen.server.http import door_of
from everwhen.server.http.answers import error_body, json_bytes
from everwhen.server.http.front import STALL_SECONDS
from everwhen.server.http.values import plain, typed
from everwhen.server.logging import logger

EVENTS: Final = "text/event-stream"
_KNOWN: Final = frozenset({"from", "wait", "limit", "label", "type", "values"})


def routes() -> Iterable[web.RouteDef]:
    """The routes of this module."""
    return (web.get("/v1/changes", changes),)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asked for."""

    after: Position
    names: Names | None
    limit: int
    wait: float
    encode: Encode


async def changes(request: web.Request) -> web.StreamResponse:
    """The changes after a position: a batch as soon as there is one, or a stream without end."""
    source = door_of(request).node.parts.service.changes
    wanted = _wanted(request, source)
    with source.reader():
        if EVENTS in request.headers.get("Accept", ""):
            return await _stream(request, source, wanted)
        batch = await source.read(
            wanted.after, wanted.names, wanted.limit, wanted.encode, wanted.wait
        )
        head = {"schema": SCHEMA, "position": source.text(batch.position)}
        body = json_bytes(head)[:-1] + b',"changes":[' + b",".join(batch.records) + b"]}"
        response = web.Response(body=body)
        response.headers["Content-Type"] = "application/json; charset=utf-8"
        return response


# --- what is asked ---------------------------------------------------------------------------


def _wanted(request: web.Request, source: Changes) -> Wanted:
    query = request.query
    for name in query:
        if name not in _KNOWN:
            raise RequestInvalid(
                f"the request has an unknown parameter {name!r}",
                hint="known are " + ", ".join(sorted(_KNOWN)),
            )
    start = request.headers.get("Last-Event-ID") or query.get("from")
    if start is None:
        raise RequestInvalid(
            "from is missing: the position to go on from",
            hint="0 for everything that is kept, now, or a position that was answered before",
        )
    labels, types = query.getall("label", []), query.getall("type", [])
    if len(labels) + len(types) > CHANGES_NAMES_MAX:
        raise RequestInvalid(f"more than {CHANGES_NAMES_MAX} labels and types")
    names = Names(frozenset(labels), frozenset(types)) if labels or types else None
    values = query.get("values", "plain")
    if values not in ("plain", "typed"):
        raise RequestInvalid("values must be plain or typed")
    limit = _number(query.get("limit"), "limit", CHANGES_LIMIT_DEFAULT, 1, CHANGES_LIMIT_MAX)
    wait = _number(query.get("wait"), "wait", CHANGES_WAIT_DEFAULT, 0, CHANGES_WAIT_MAX)
    encode = partial(_encoded, source.text, typed if values == "typed" else plain)
    return Wanted(source.parse(start), names, int(limit), wait, encode)


def _number(text: str | None, name: str, usual: float, least: float, most: float) -> float:
    try:
        value = usual if text is None else float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most or (name == "limit" and value % 1):
        raise RequestInvalid(f"{name} must be a number from {least:g} to {most:g}, got {text!r}")
    return value


def _encoded(
    position: Callable[[Position], str], value: Callable[[Any], Any], record: ChangeRecord
) -> bytes:
    """A record as JSON."""
    commit = record.commit
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "position": position(record.position),
        "version": commit.version,
        "number": record.number,
        "time": micros_text(commit.time),
        "principal": commit.principal,
        "tag": commit.tag,
        "metadata": dict(commit.metadata),
        "event": record.event,
    }
    if record.kind is EntityKind.NODE:
        found["entity"] = "node"
        found["elementId"] = f"4:neo4j:{record.id}"
        found["labels"] = list(record.names)
        if record.old_names is not None:
            found["oldLabels"] = list(record.old_names)
    else:
        found["entity"] = "relationship"
        found["elementId"] = f"5:neo4j:{record.id}"
        found["type"] = record.names[0]
        if record.ends is not None:
            found["startElementId"] = f"4:neo4j:{record.ends[0]}"
            found["endElementId"] = f"4:neo4j:{record.ends[1]}"
    for name, side in (("old", record.old), ("new", record.new)):
        found[name] = None if side is None else {key: value(item) for key, item in side.items()}
    return json_bytes(found)


# --- server-sent events ----------------------------------------------------------------------


async def _stream(request: web.Request, source: Changes, wanted: Wanted) -> web.StreamResponse:
    """Events until the client goes or the node stops. A client that reads slowly is waited for; one
    that takes nothing for long is cut off."""
    response = web.StreamResponse()
    response.headers["Content-Type"] = f"{EVENTS}; charset=utf-8"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    await response.prepare(request)
    after = wanted.after
    try:
        await _write(response, b"retry: 1000\n\n")
        while True:
            batch = await source.read(
                after, wanted.names, wanted.limit, wanted.encode, CHANGES_HEARTBEAT_SECONDS
            )
            parts = [_event(record) for record in batch.records]
            if batch.position not in (batch.last, after):
                # all up to here was sent: a reader whose filter lets little through moves on too
                parts.append(_position(source.text(batch.position)))
            await _write(response, b"".join(parts) or b": nothing new\n\n")
            after = batch.position
    except EverwhenError as error:
        data = json_bytes({"errors": [error_body(error)]})
        await _write(response, b"event: error\ndata: " + data + b"\n\n")
    except TimeoutError:
        logger("http").warning("changes_reader_cut_off", path=request.path)
        if request.transport is not None:
            request.transport.abort()
    await response.write_eof()
    return response


def _event(record: bytes) -> bytes:
    # the position is what the record itself says; JSON has no line breaks in it
    identity = record.partition(b'"position":"')[2].partition(b'"')[0]
    return b"event: change\nid: " + identity + b"\ndata: " + record + b"\n\n"


def _position(text: str) -> bytes:
    data = json_bytes({"schema": SCHEMA, "position": text})
    return b"event: position\nid: " + text.encode() + b"\ndata: " + data + b"\n\n"


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(STALL_SECONDS):
        await response.write(data)
