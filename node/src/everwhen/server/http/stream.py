"""Rows as they come: JSON, lines of JSON or Arrow, written in pieces with back-pressure.

A client that reads slowly holds its own transaction and nothing else: rows are pulled when the
socket takes them, and a client that takes none for long is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from everwhen.errors import EverwhenError
from everwhen.runtime.service import Execution, Service
from everwhen.server.http.answers import ACCEPTED, error_body, json_bytes, tail_of
from everwhen.server.http.arrow import ArrowWriter
from everwhen.server.http.media import Form, content_type
from everwhen.server.http.values import plain, typed
from everwhen.server.logging import logger

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
    answering = _Answer(request, service, wanted, execution, extra or {})
    try:
        if wanted.form is Form.ARROW:
            return await answering.arrow()
        if wanted.form in (Form.LINES, Form.TYPED_LINES):
            return await answering.lines()
        return await answering.json()
    finally:
        if execution.transaction.options.auto_commit:
            await service.finish(execution)


class _Answer:
    """One answer under way."""

    def __init__(
        self,
        request: web.Request,
        service: Service,
        wanted: QueryRequest,
        execution: Execution,
        extra: dict[str, Any],
    ) -> None:
        self._request = request
        self._service = service
        self._wanted = wanted
        self._execution = execution
        self._cursor = execution.cursor
        self._extra = extra
        is_typed = wanted.form in (Form.TYPED, Form.TYPED_LINES)
        self._encode = typed if is_typed else plain
        #: the first attempt's rows are gone; those of this one may differ from them
        self._repeated = execution.commit is not None and execution.commit.repeated

    async def _rows(self) -> list[list[Any]]:
        """The next rows as they came."""
        rows = await self._service.fetch(self._execution, ROWS_PER_PIECE)
        return [] if self._repeated else rows

    async def _values(self) -> list[list[Any]]:
        """The next rows as JSON."""
        encode = self._encode
        return [[encode(value) for value in row] for row in await self._rows()]

    def _tail(self) -> dict[str, Any]:
        """What stands behind the rows when all went well."""
        counters = self._wanted.counters and not self._repeated
        tail = tail_of(self._cursor.summary, self._execution.bookmark, counters=counters)
        if self._repeated:
            tail["repeated"] = True
        return tail

    async def _begin(self) -> web.StreamResponse:
        stream = web.StreamResponse(status=ACCEPTED)
        stream.headers["Content-Type"] = content_type(self._wanted.form)
        await stream.prepare(self._request)
        return stream

    async def json(self) -> web.StreamResponse:
        """One object: data, then everything else."""
        cursor = self._cursor
        values = await self._values()
        if cursor.done:
            body = {
                "data": {"fields": list(cursor.columns), "values": values},
                **self._tail(),
                **self._extra,
            }
            response = web.Response(body=json_bytes(body), status=ACCEPTED)
            response.headers["Content-Type"] = content_type(self._wanted.form)
            return response
        stream = await self._begin()
        async with _cut_off(self._request):
            await _write(stream, b'{"data":{"fields":' + json_bytes(list(cursor.columns)))
            await _write(stream, b',"values":[' + json_bytes(values)[1:-1])
            try:
                while not cursor.done:
                    values = await self._values()
                    if values:
                        await _write(stream, b"," + json_bytes(values)[1:-1])
                tail = self._tail()
            except EverwhenError as error:
                # the status line is gone already: the error stands behind the rows that were sent
                tail = {"errors": [error_body(error)]}
            await _write(stream, b"]}")
            for name, part in {**tail, **self._extra}.items():
                await _write(stream, b"," + json_bytes(name) + b":" + json_bytes(part))
            await _write(stream, b"}")
            await stream.write_eof()
        return stream

    async def lines(self) -> web.StreamResponse:
        """An event a line: a header, records, and a summary or an error."""
        cursor = self._cursor
        values = await self._values()
        stream = await self._begin()
        async with _cut_off(self._request):
            header = {"fields": list(cursor.columns), **self._extra}
            await _write(stream, _event("Header", header))
            try:
                while True:
                    await _write(stream, b"".join(_event("Record", row) for row in values))
                    if cursor.done:
                        break
                    values = await self._values()
                await _write(stream, _event("Summary", self._tail()))
            except EverwhenError as error:
                await _write(stream, _event("Error", {"errors": [error_body(error)]}))
            await stream.write_eof()
        return stream

    async def arrow(self) -> web.StreamResponse:
        """Record batches. An error behind the first rows has no place in the format: the
        connection is cut, so that nobody takes a part for the whole."""
        rows = await self._rows()
        stream = await self._begin()
        async with _cut_off(self._request):
            with ArrowWriter(self._cursor.columns, rows) as writer:
                while True:
                    await _write(stream, writer.batch(rows))
                    if self._cursor.done:
                        break
                    rows = await self._rows()
            await _write(stream, writer.end())
            await stream.write_eof()
        return stream


def _event(kind: str, body: Any) -> bytes:
    return b'{"$event":"' + kind.encode() + b'","_body":' + json_bytes(body) + b"}\n"


@asynccontextmanager
async def _cut_off(request: web.Request) -> AsyncIterator[None]:
    """What goes wrong behind the first byte ends the connection: no second answer fits there."""
    try:
        yield
    except (EverwhenError, TimeoutError) as error:
        logger("http").warning(
            "answer_cut_off", path=request.path, error=type(error).__name__, message=str(error)
        )
        if request.transport is not None:
            request.transport.abort()


async def _write(stream: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(STALL_SECONDS):
        await stream.write(data)
