"""Arrow streams into pyarrow and polars, both imported when they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from everwhen_client.errors import ClientMisuse, ConnectionFailed

if TYPE_CHECKING:
    from pandas import DataFrame as PandasFrame
    from polars import DataFrame as PolarsFrame
    from pyarrow import RecordBatch, Table

__all__ = [
    "PandasFrame",
    "PolarsFrame",
    "RecordBatch",
    "Table",
    "batches",
    "table",
    "to_pandas",
    "to_polars",
]


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ImportError as error:
        raise ClientMisuse("Arrow results need pyarrow: pip install everwhen-client[arrow]") from (
            error
        )
    return pa


async def table(pieces: AsyncIterator[bytes]) -> Table:
    """The whole stream as one table."""
    pa = _pyarrow()
    content = b"".join([piece async for piece in pieces])

    def read() -> Any:
        try:
            return pa.ipc.open_stream(content).read_all()
        except pa.ArrowInvalid as error:
            raise ConnectionFailed(f"the Arrow stream is not whole: {error}") from error

    return await asyncio.to_thread(read)


async def batches(pieces: AsyncIterator[bytes]) -> AsyncIterator[RecordBatch]:
    """Batch after batch; no more than one and what the network holds is in memory."""
    pa = _pyarrow()
    file = _File(pieces)

    def following(reader: Any) -> Any:
        try:
            return reader.read_next_batch()
        except StopIteration:
            return None
        except pa.ArrowInvalid as error:
            raise ConnectionFailed(f"the Arrow stream is not whole: {error}") from error

    reader = await asyncio.to_thread(pa.ipc.open_stream, file)
    while (batch := await asyncio.to_thread(following, reader)) is not None:
        yield batch


class _File:
    """What pyarrow reads from, in a thread, while the pieces come on the loop."""

    closed = False

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._loop = asyncio.get_running_loop()
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Exactly ``size`` bytes, fewer at the end."""
        parts, missing = [], size
        while missing > 0 or size < 0:
            if not self._rest:
                coming = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
                self._rest = coming.result()
                if not self._rest:
                    break
            part = self._rest if size < 0 else self._rest[:missing]
            self._rest = self._rest[len(part) :]
            missing -= len(part)
            parts.append(part)
        return b"".join(parts)

    async def _next(self) -> bytes:
        return await anext(self._pieces, b"")

    def close(self) -> None:
        """Nothing of its own is open."""
        self.closed = True


def to_pandas(found: Table) -> PandasFrame:
    """As a frame of pandas."""
    try:
        frame: PandasFrame = found.to_pandas()
    except ImportError as error:
        raise ClientMisuse("this needs pandas: pip install pandas") from error
    return frame


def to_polars(found: Table) -> PolarsFrame:
    """As a frame of polars."""
    try:
        import polars as pl
    except ImportError as error:
        raise ClientMisuse("this needs polars: pip install polars") from error
    frame: PolarsFrame = pl.from_arrow(found)
    return frame
