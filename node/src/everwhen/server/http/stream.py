"""Rows as they come: JSON or Arrow, written in pieces with back-pressure.

A client that reads slowly holds its own transaction and nothing else: rows are pulled when the
socket takes them, and a client that takes none for long is cut off.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from aiohttp import web

from everwhen.errors import EverwhenError
from everwhen.runtime.service import Execution, Service
from everwhen.server.http.answers import ACCEPTED, error_body, json_bytes, tail_of
from everwhen.server.http.media import Form, content_type
from everwhen.server.http.values import plain, typed

if TYPE_CHECKING:
    from everwhen.server.http.body import QueryRequest

#: rows fetched and encoded at a time
ROWS_PER_PIECE = 1_000
#: answers up to this many rows are sent whole, with a Content-Length
ROWS_WHOLE_MAX = ROWS_PER_PIECE
#: seconds a client may take no bytes
STALL_SECONDS = 60.0


async def answer(
    request: web.Request,
    service: Service,
    wanted: QueryRequest,
    execution: Execution,
    extra: dict[str, Any] | None = None,
) -> web.StreamResponse:
    """The whole answer to a statement."""
    try:
        if wanted.form is Form.ARROW:
            return await _arrow(request, service, execution)
        return await _json(request, service, wanted, execution, extra or {})
    finally:
        if execution.transaction.options.auto_commit:
            await service.finish(execution)


async def _json(
    request: web.Request,
    service: Service,
    wanted: QueryRequest,
    execution: Execution,
    extra: dict[str, Any],
) -> web.StreamResponse:
    cursor = execution.cursor
    encode = typed if wanted.form is Form.TYPED else plain
    rows = await service.fetch(execution, ROWS_PER_PIECE)
    values = [[encode(value) for value in row] for row in rows]
    if cursor.done:
        body = {
            "data": {"fields": list(cursor.columns), "values": values},
            **tail_of(cursor.summary, execution.bookmark, counters=wanted.counters),
            **extra,
        }
        response = web.Response(body=json_bytes(body), status=ACCEPTED)
        response.headers["Content-Type"] = content_type(wanted.form)
        return response
    stream = web.StreamResponse(status=ACCEPTED)
    stream.headers["Content-Type"] = content_type(wanted.form)
    await stream.prepare(request)
    await _write(stream, b'{"data":{"fields":' + json_bytes(list(cursor.columns)))
    await _write(stream, b',"values":[' + json_bytes(values)[1:-1])
    tail: dict[str, Any]
    try:
        while not cursor.done:
            rows = await service.fetch(execution, ROWS_PER_PIECE)
            if rows:
                piece = json_bytes([[encode(value) for value in row] for row in rows])
                await _write(stream, b"," + piece[1:-1])
        tail = tail_of(cursor.summary, execution.bookmark, counters=wanted.counters)
    except EverwhenError as error:
        # the status line is gone already: the error stands behind the rows that were sent
        tail = {"errors": [error_body(error)]}
    await _write(stream, b"]}")
    for name, part in {**tail, **extra}.items():
        await _write(stream, b"," + json_bytes(name) + b":" + json_bytes(part))
    await _write(stream, b"}")
    await stream.write_eof()
    return stream


async def _write(stream: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(STALL_SECONDS):
        await stream.write(data)


# --- Arrow ---------------------------------------------------------------------------------


async def _arrow(
    request: web.Request, service: Service, execution: Execution
) -> web.StreamResponse:
    """An Arrow IPC stream: a column whose values are all of one plain type has that type, any
    other is JSON text (field metadata ``everwhen.json``). Types are settled by the first piece;
    a later value that does not fit ends the stream with an error."""
    cursor = execution.cursor
    rows = await service.fetch(execution, ROWS_PER_PIECE)
    fields = [_field(name, [row[at] for row in rows]) for at, name in enumerate(cursor.columns)]
    schema = pa.schema(fields)
    stream = web.StreamResponse(status=ACCEPTED)
    stream.headers["Content-Type"] = content_type(Form.ARROW)
    await stream.prepare(request)
    sink = _Sink()
    with pa.ipc.new_stream(sink, schema) as writer:
        while True:
            if rows:
                writer.write_batch(_batch(schema, rows))
            await _write(stream, sink.take())
            if cursor.done:
                break
            rows = await service.fetch(execution, ROWS_PER_PIECE)
    await _write(stream, sink.take())
    await stream.write_eof()
    return stream


class _Sink:
    """A file for pyarrow that hands over what was written."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


_PLAIN = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def _field(name: str, values: list[Any]) -> pa.Field:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1 and (kind := next(iter(kinds))) in _PLAIN:
        return pa.field(name, _PLAIN[kind])
    if not kinds:
        return pa.field(name, pa.string(), metadata={"everwhen.json": "1"})
    return pa.field(name, pa.string(), metadata={"everwhen.json": "1"})


def _batch(schema: pa.Schema, rows: list[list[Any]]) -> pa.RecordBatch:
    columns = []
    for at, field in enumerate(schema):
        values = [row[at] for row in rows]
        if field.metadata:
            values = [
                None if value is None else json_bytes(plain(value)).decode() for value in values
            ]
        try:
            columns.append(pa.array(values, field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise EverwhenError(
                f"column {field.name!r} changes its type within the result: {error}"
            ) from error
    return pa.record_batch(columns, schema=schema)
