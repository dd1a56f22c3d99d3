"""Sends from a thread of its own, so that reading files and sending overlap."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from everwhen.errors import ClientError
from everwhen_client.bulk import BulkClient, BulkError, Load

_T = TypeVar("_T")
#: parts under way at the same time
_AT_ONCE: Final = 3
#: rows and bytes of one part
PART_ROWS: Final = 131_072
PART_BYTES: Final = 16 << 20


class ServerRefused(ClientError):
    """What the server answered."""


class Wire:
    """One server, driven from synchronous code."""

    def __init__(
        self, uri: str, auth: tuple[str, str] | None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self.client = BulkClient(uri, auth, tls=tls, at_once=_AT_ONCE + 1)
        self._sent: deque[Future[Any]] = deque()

    def __enter__(self) -> Wire:
        self._thread.start()
        self.call(self.client.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for future in self._sent:
            future.cancel()
        self.call(self.client.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run it and wait.

        :raises ServerRefused: what the server answered.
        """
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
        except BulkError as error:
            raise ServerRefused(error.message, detail=error.code) from error

    def send(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run it beside this thread; waits while too many are under way."""
        while len(self._sent) >= _AT_ONCE:
            self._first()
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._sent.append(future)
        return future

    def _first(self) -> None:
        try:
            self._sent.popleft().result()
        except BulkError as error:
            raise ServerRefused(error.message, detail=error.code) from error

    def settle(self) -> None:
        """Wait for all that was sent."""
        while self._sent:
            self._first()

    def give_up(self, load: Load) -> None:
        """Stop what is under way and let the server forget a load, if it can still be told."""
        while self._sent:
            self._sent.popleft().cancel()
        with suppress(ServerRefused):
            self.call(load.abort())

    def table(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        at: str | int | None = None,
    ) -> pa.Table:
        """The rows of a read.

        :raises ServerRefused: it failed, perhaps in the middle.
        """

        async def collect() -> bytes:
            found = io.BytesIO()
            async for piece in self.client.stream(statement, parameters, at=at):
                found.write(piece)
            return found.getvalue()

        raw = self.call(collect())
        try:
            return pa.ipc.open_stream(raw).read_all()
        except pa.ArrowException as error:
            raise ServerRefused(f"the server ended its answer with an error: {error}") from error

    def batches(self, statement: str, *, at: str | int | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of a read as they come.

        :raises ServerRefused: it failed, perhaps in the middle.
        """
        pieces = _Pieces(self, self.client.stream(statement, at=at))
        try:
            with pa.ipc.open_stream(pieces) as reader:
                yield from reader
        except pa.ArrowException as error:
            raise ServerRefused(f"the server ended its answer with an error: {error}") from error


class _Pieces(io.RawIOBase):
    """Pieces of an answer as a file."""

    def __init__(self, wire: Wire, pieces: AsyncIterator[bytes]) -> None:
        super().__init__()
        self._wire = wire
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = self._wire.call(self._next())
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def read(self, size: int = -1) -> bytes:
        parts = []
        while size:
            if not self._left:
                self._left = self._wire.call(self._next())
            if not self._left:
                break
            part = self._left if size < 0 else self._left[:size]
            self._left = self._left[len(part) :]
            size -= len(part) if size > 0 else 0
            parts.append(part)
        return b"".join(parts)

    async def _next(self) -> bytes:
        return await anext(self._pieces, b"")


def ipc(fields: Sequence[pa.Field], arrays: Sequence[pa.Array]) -> bytes:
    """Columns as an Arrow stream."""
    schema = pa.schema(list(fields))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(arrays), schema=schema))
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def cut(arrays: Sequence[pa.Array], rows: int) -> Iterator[slice]:
    """Slices for parts that keep within their bounds."""
    each = max(sum(one.nbytes for one in arrays) // max(rows, 1), 1)
    step = max(min(PART_ROWS, PART_BYTES // each), 1)
    for low in range(0, rows, step):
        yield slice(low, min(low + step, rows))


def parts(
    fields: Sequence[pa.Field], arrays: Sequence[pa.Array | npt.NDArray[np.int64]], rows: int
) -> Iterator[tuple[slice, bytes]]:
    """Columns as streams of bounded size; without columns a row is all there is."""
    columns = [pa.array(one) if isinstance(one, np.ndarray) else one for one in arrays]
    used = list(fields)
    if not columns:
        columns, used = [pa.nulls(rows)], [pa.field(":row", pa.null())]
    for part in cut(columns, rows):
        pieces = [one.slice(part.start, part.stop - part.start) for one in columns]
        yield part, ipc(used, pieces)
