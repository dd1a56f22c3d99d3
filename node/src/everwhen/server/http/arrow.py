"""Rows as an Arrow IPC stream.

A column whose values are all of one plain type has that type; any other is JSON text, which its
metadata ``everwhen.json`` says. Types are settled by the first piece; a later value that does not
fit ends the stream with an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import pyarrow as pa

from everwhen.errors import QueryTypeError
from everwhen.server.http.answers import json_bytes
from everwhen.server.http.values import plain


class ArrowWriter:
    """Bytes of the stream, batch after batch; use it with ``with``."""

    def __init__(self, columns: Sequence[str], first: list[list[Any]]) -> None:
        fields = [_field(name, [row[at] for row in first]) for at, name in enumerate(columns)]
        self._schema = pa.schema(fields)
        self._sink = _Sink()
        self._writer = pa.ipc.new_stream(self._sink, self._schema)

    def __enter__(self) -> ArrowWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def batch(self, rows: list[list[Any]]) -> bytes:
        """These rows, behind the schema if they are the first.

        :raises QueryTypeError: a column changes its type.
        """
        if rows:
            self._writer.write_batch(_batch(self._schema, rows))
        return self._sink.take()

    def end(self) -> bytes:
        """The mark behind the last batch, after the block has been left."""
        return self._sink.take()


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
            raise QueryTypeError(
                f"column {field.name!r} changes its type within the result: {error}"
            ) from error
    return pa.record_batch(columns, schema=schema)
