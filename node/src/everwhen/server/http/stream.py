"""Rows as they come: JSON, lines of JSON or Arrow, written in pieces with back-pressure.

A client that reads slowly holds its own transaction and nothing else: rows are pulled when the
socket takes them, and a client that takes none for long is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from everwhen.errors import EverwhenError
from everwhen.runtime.service import Execution, Service
from everwhen.server.http.answers import ACCEPTED, error_body, json_bytes, tail_of
from everwhen.server.http.arrow import ArrowWriter
from everwhen.server.http.front import STALL_SECONDS, Out
from everwhen.server.http.media import Form, content_type
from everwhen.server.http.values import plain, typed
from everwhen.server.http.wire import LAST_CHUNK, answer_head
from everwhen.server.logging import logger

if TYPE_CHECKING:
    from everwhen.server.http.body import QueryRequest

#: rows fetched and encoded at a time
ROWS_PER_PIECE = 1_000
#: answers up to this many rows are sent whole, with a Content-Length
ROWS_WHOLE_MAX = ROWS_PER_PIECE


async def answer(
    request: web.Request,
    service: Service,
    wanted: QueryRequest,
    execution: Execution,
    extra: dict[str, Any] | None = None,
) -> web.StreamResponse:
    """The whole answer to a statement."""
    answering = _Answer(service, wanted, execution, extra or {})
    try:
        whole = await answering.begin()
        if whole is not None:
            response = web.Response(body=whole, status=ACCEPTED)
            response.headers["Content-Type"] = content_type(wanted.form)
            return response
        stream = web.StreamResponse(status=ACCEPTED)
        stream.headers["Content-Type"] = content_type(wanted.form)
        await stream.prepare(request)
        async with _cut_off(request.path, partial(_abort, request)):
            await answering.write(stream)
            await stream.write_eof()
        return stream
    finally:
        if execution.transaction.options.auto_commit:
            await service.finish(execution)


async def answer_on(
    out: Out, path: str, service: Service, wanted: QueryRequest, execution: Execution
) -> None:
    """The same for a request that ``front`` read: written as bytes of HTTP."""
    answering = _Answer(service, wanted, execution, {})
    try:
        whole = await answering.begin()
        media = content_type(wanted.form)
        if whole is not None:
            out.write(answer_head(ACCEPTED, media, len(whole)) + whole)
            return
        out.write(answer_head(ACCEPTED, media, None))
        async with _cut_off(path, out.abort):
            await answering.write(_Chunks(out))
            out.write(LAST_CHUNK)
    finally:
        if execution.transaction.options.auto_commit:
            await service.finish(execution)


class Sink(Protocol):
    """Takes an answer piece by piece."""

    async def write(self, data: bytes) -> None: ...


class _Chunks:
    """A sink that writes chunks."""

    def __init__(self, out: Out) -> None:
        self._out = out

    async def write(self, data: bytes) -> None:
        if data:  # an empty one would be the last
            self._out.write(b"%x\r\n%b\r\n" % (len(data), data))
            await self._out.drained()


class _Answer:
    """One answer under way: ``begin``, then ``write`` if it is not whole."""

    def __init__(
        self, service: Service, wanted: QueryRequest, execution: Execution, extra: dict[str, Any]
    ) -> None:
        self._service = service
        self._wanted = wanted
        self._execution = execution
        self._cursor = execution.cursor
        self._extra = extra
        is_typed = wanted.form in (Form.TYPED, Form.TYPED_LINES)
        self._encode = typed if is_typed else plain
        #: the first attempt's rows are gone; those of this one may differ from them
        self._repeated = execution.commit is not None and execution.commit.repeated
        self._first: list[list[Any]] = []
        self._now = service.database.clock.monotonic
        #: when the statement had begun to give its result
        self._available = self._now()

    async def _rows(self) -> list[list[Any]]:
        """The next rows as they came."""
        try:
            rows = await self._service.fetch(self._execution, ROWS_PER_PIECE)
        except EverwhenError:
            # also behind the first rows, where the answer only tells of it
            await self._service.rollback(self._execution.transaction)
            raise
        return [] if self._repeated else rows

    def _values(self, rows: list[list[Any]]) -> list[list[Any]]:
        """Rows as JSON."""
        encode = self._encode
        return [[encode(value) for value in row] for row in rows]

    def _tail(self) -> dict[str, Any]:
        """What stands behind the rows when all went well."""
        counters = self._wanted.counters and not self._repeated
        tail = tail_of(self._cursor.summary, self._execution.bookmark, counters=counters)
        tail["resultAvailableAfter"] = int((self._available - self._wanted.started) * 1_000)
        tail["resultConsumedAfter"] = int((self._now() - self._available) * 1_000)
        if self._repeated:
            tail["repeated"] = True
        return tail

    async def begin(self) -> bytes | None:
        """The first rows, so that what fails before them is answered as an error; the whole
        answer, if it is one JSON object and they are all."""
        self._first = await self._rows()
        if not self._cursor.done or self._wanted.form not in (Form.PLAIN, Form.TYPED):
            return None
        data = {"fields": list(self._cursor.columns), "values": self._values(self._first)}
        return json_bytes({"data": data, **self._tail(), **self._extra})

    async def write(self, sink: Sink) -> None:
        """What was not whole, piece by piece."""
        if self._wanted.form is Form.ARROW:
            await self._arrow(sink)
        elif self._wanted.form in (Form.LINES, Form.TYPED_LINES):
            await self._lines(sink)
        else:
            await self._json(sink)

    async def _json(self, sink: Sink) -> None:
        """One object: data, then everything else."""
        cursor = self._cursor
        values = self._values(self._first)
        await _write(sink, b'{"data":{"fields":' + json_bytes(list(cursor.columns)))
        await _write(sink, b',"values":[' + json_bytes(values)[1:-1])
        try:
            while not cursor.done:
                values = self._values(await self._rows())
                if values:
                    await _write(sink, b"," + json_bytes(values)[1:-1])
            tail = self._tail()
        except EverwhenError as error:
            # the status line is gone already: the error stands behind the rows that were sent
            tail = {"errors": [error_body(error)]}
        await _write(sink, b"]}")
        for name, part in {**tail, **self._extra}.items():
            await _write(sink, b"," + json_bytes(name) + b":" + json_bytes(part))
        await _write(sink, b"}")

    async def _lines(self, sink: Sink) -> None:
        """An event a line: a header, records, and a summary or an error."""
        cursor = self._cursor
        values = self._values(self._first)
        header = {"fields": list(cursor.columns), **self._extra}
        await _write(sink, _event("Header", header))
        try:
            while True:
                await _write(sink, b"".join(_event("Record", row) for row in values))
                if cursor.done:
                    break
                values = self._values(await self._rows())
            await _write(sink, _event("Summary", self._tail()))
        except EverwhenError as error:
            await _write(sink, _event("Error", {"errors": [error_body(error)]}))

    async def _arrow(self, sink: Sink) -> None:
        """Record batches. An error behind the first rows has no place in the format: the
        connection is cut, so that nobody takes a part for the whole."""
        rows = self._first
        with ArrowWriter(self._cursor.columns, rows) as writer:
            while True:
                await _write(sink, writer.batch(rows))
                if self._cursor.done:
                    break
                rows = await self._rows()
        await _write(sink, writer.end())


def _event(kind: str, body: Any) -> bytes:
    return b'{"$event":"' + kind.encode() + b'","_body":' + json_bytes(body) + b"}\n"


@asynccontextmanager
async def _cut_off(path: str, abort: Callable[[], None]) -> AsyncIterator[None]:
    """What goes wrong behind the first byte ends the connection: no second answer fits there."""
    try:
        yield
    except (EverwhenError, TimeoutError) as error:
        logger("http").warning(
            "answer_cut_off", path=path, error=type(error).__name__, message=str(error)
        )
        abort()


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _write(sink: Sink, data: bytes) -> None:
    async with asyncio.timeout(STALL_SECONDS):
        await sink.write(data)
