"""Parts of a bulk load: Arrow streams into column segments and mutations.

A part is one Arrow IPC stream. Every column is a property, except those whose name begins with a
colon: ``:start`` and ``:end`` are the ends of relationships, ``:id`` says which elements are
changed or deleted, ``:row`` only carries a number of rows. Columns of integers, floats, booleans,
text, bytes and lists of them travel as Arrow has them; temporal values travel as text, with the
field's metadata ``everwhen.type`` naming the type.

What a client sends is not trusted: compressed bodies are refused (a few bytes could become any
number), offsets and text are checked before anything follows them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from everwhen import limits
from everwhen.codec.columns import (
    BoolColumn,
    Column,
    DictionaryColumn,
    FloatColumn,
    IntColumn,
    TextColumn,
    column_of,
)
from everwhen.codec.segment_making import node_segment, relationship_order, relationship_segment
from everwhen.codec.segments import encode_segment
from everwhen.codec.values import encode_value
from everwhen.errors import RequestInvalid, RequestTooLarge
from everwhen.model.duration import parse_duration
from everwhen.model.temporal_parse import (
    parse_date,
    parse_datetime,
    parse_local_datetime,
    parse_local_time,
    parse_time,
)
from everwhen.txn import commands as c
from everwhen.txn.validate import check_name, checked_size

Ids = npt.NDArray[np.int64]

START: Final = ":start"
END: Final = ":end"
ID: Final = ":id"
#: how many other mutations the delete of a node takes as long as
_DELETE_IS: Final = 5
_RESERVED: Final = frozenset({START, END, ID, ":row"})
_PARSERS: Final = {
    "date": parse_date,
    "time": parse_time,
    "localtime": parse_local_time,
    "datetime": parse_datetime,
    "localdatetime": parse_local_datetime,
    "duration": parse_duration,
}


@dataclass(frozen=True, slots=True)
class Part:
    """A checked part."""

    rows: int
    #: reserved columns
    ids: Mapping[str, Ids]
    #: properties: Arrow values and the temporal type they are texts of ("" for none)
    columns: Mapping[str, tuple[pa.Array, str]]
    #: bytes its values take
    size: int

    def need(self, *names: str) -> None:
        """:raises RequestInvalid: other reserved columns than these are there."""
        if set(self.ids) != set(names):
            wanted = ", ".join(names) or "none"
            raise RequestInvalid(f"this part needs these columns with a colon: {wanted}")

    def cut(self, rows: int) -> Iterator[slice]:
        """Slices of at most ``rows`` rows and about ``CHUNK_BYTES`` bytes."""
        each = max(self.size // max(self.rows, 1), 1)
        step = max(min(rows, limits.CHUNK_BYTES // each), 1)
        for low in range(0, self.rows, step):
            yield slice(low, min(low + step, self.rows))


# --- reading --------------------------------------------------------------------------------


def read_part(body: bytes) -> Part:
    """The part a body holds.

    :raises RequestInvalid: no Arrow stream, or columns that cannot be stored.
    :raises RequestTooLarge: too many rows.
    """
    try:
        _refuse_compressed(body)
        table = pa.ipc.open_stream(body).read_all()
        if table.num_rows > limits.BULK_PART_ROWS_MAX:
            raise RequestTooLarge(
                f"a part has {table.num_rows:,} rows, the limit is {limits.BULK_PART_ROWS_MAX:,}"
            )
        table.validate(full=True)
        return _part(table)
    except (pa.ArrowException, OSError, struct.error, UnicodeDecodeError) as error:
        raise RequestInvalid(f"the body is no Arrow stream that can be loaded: {error}") from error


def _part(table: pa.Table) -> Part:
    ids: dict[str, Ids] = {}
    columns: dict[str, tuple[pa.Array, str]] = {}
    for place, field in enumerate(table.schema):
        name = field.name
        if name in ids or name in columns:
            raise RequestInvalid(f"the column {name!r} is there twice")
        values = table.column(place).combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = (
                pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], field.type)
            )
        if name.startswith(":"):
            if name not in _RESERVED:
                raise RequestInvalid(f"a column {name!r} means nothing here")
            if name != ":row":
                ids[name] = _ids(name, values)
            continue
        check_name(name)
        kind = (field.metadata or {}).get(b"everwhen.type", b"").decode()
        if kind and kind not in _PARSERS:
            raise RequestInvalid(f"column {name!r}: {kind!r} is no type of text that is known")
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        columns[name] = (values, kind)
    return Part(table.num_rows, ids, columns, table.nbytes)


def _ids(name: str, values: pa.Array) -> Ids:
    if not pa.types.is_int64(values.type) or values.null_count:
        raise RequestInvalid(f"the column {name!r} must hold 64-bit integers and no null")
    found: Ids = values.to_numpy(zero_copy_only=False)
    if len(found) and int(found.min()) < 0:
        raise RequestInvalid(f"the column {name!r} holds a negative id")
    return found


def _refuse_compressed(body: bytes) -> None:
    """:raises RequestInvalid: a record batch says that its buffers are compressed."""
    for message in pa.ipc.MessageReader.open_stream(body):
        if message.type in ("record batch", "dictionary"):
            raw = message.metadata.to_pybytes()
            header = _table_at(raw, struct.unpack_from("<I", raw)[0], 2)
            if header and message.type == "dictionary":
                header = _table_at(raw, header, 1)
            if header and _table_at(raw, header, 3):
                raise RequestInvalid("compressed Arrow buffers are not taken; send them plain")


def _table_at(raw: bytes, table: int, field: int) -> int:
    """Where a field of a flatbuffer's table that is a table itself begins, 0 for none."""
    (back,) = struct.unpack_from("<i", raw, table)
    (size,) = struct.unpack_from("<H", raw, table - back)
    slot = 4 + 2 * field
    if slot + 2 > size:
        return 0
    (offset,) = struct.unpack_from("<H", raw, table - back + slot)
    if not offset:
        return 0
    place: int = table + offset + struct.unpack_from("<I", raw, table + offset)[0]
    return place


# --- columns --------------------------------------------------------------------------------


def column(values: pa.Array, kind: str) -> Column | None:
    """The stored column of Arrow values; None if they are all null.

    :raises RequestInvalid: of a type that is no property.
    :raises EverwhenError: a value that cannot be stored.
    """
    type_ = values.type
    if values.null_count == len(values):
        return None
    valid = _valid(values)
    if kind:
        return column_of(python_values(values, kind))
    if pa.types.is_boolean(type_):
        return BoolColumn(_numbers(values, pa.bool_()), valid)
    if pa.types.is_integer(type_):
        import pyarrow.compute as pc  # a start need not wait for it

        checked_size(pc.max(values).as_py())  # unsigned ones may not fit
        filled = values if valid is None else values.fill_null(pc.min(values))
        return IntColumn(_numbers(filled, pa.int64()), valid)
    if pa.types.is_floating(type_):
        return FloatColumn(_numbers(values, pa.float64()), valid)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return _text(values, valid)
    return column_of(python_values(values, kind))


def _valid(values: pa.Array) -> npt.NDArray[np.bool_] | None:
    if not values.null_count:
        return None
    found: npt.NDArray[np.bool_] = values.is_valid().to_numpy(zero_copy_only=False)
    return found


def _numbers(values: pa.Array, type_: pa.DataType) -> npt.NDArray[Any]:
    plain = values.cast(type_)
    if plain.null_count:
        plain = plain.fill_null(pa.scalar(0).cast(type_))
    found: npt.NDArray[Any] = plain.to_numpy(zero_copy_only=False)
    return found


def _text(values: pa.Array, valid: npt.NDArray[np.bool_] | None) -> Column:
    coded = values.dictionary_encode()
    if len(values) - values.null_count >= 2 * len(coded.dictionary):
        codes = _numbers(coded.indices, pa.int64()).astype(np.uint64)
        offsets, heap = _heap(coded.dictionary)
        return DictionaryColumn(codes, offsets, heap, valid)
    offsets, heap = _heap(values)
    return TextColumn(offsets, heap, valid)


def _heap(values: pa.Array) -> tuple[npt.NDArray[np.uint64], bytes]:
    """Offsets from 0 and the UTF-8 they point into."""
    wide = np.int64 if pa.types.is_large_string(values.type) else np.int32
    _, places, data = values.buffers()
    low = values.offset
    offsets = np.frombuffer(places, wide)[low : low + len(values) + 1].astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    heap = b"" if data is None else data.slice(first, last - first).to_pybytes()
    return (offsets - first).astype(np.uint64), heap


def python_values(values: pa.Array, kind: str) -> list[Any]:
    """Arrow values as values of the database.

    :raises EverwhenError: one that is no property, or text that is not of its type.
    """
    found: list[Any] = values.to_pylist()
    if kind:
        parse: Any = _PARSERS[kind]
        known: dict[str, Any] = {}

        def parsed(value: Any) -> Any:
            if isinstance(value, list):
                return [parsed(one) for one in value]
            if not isinstance(value, str):
                raise RequestInvalid(f"a {kind} must travel as text")
            if value not in known:
                known[value] = parse(value)
            return known[value]

        found = [None if value is None else parsed(value) for value in found]
    for value in found:
        if value is not None:
            checked_size(value)
    return found


# --- segments and mutations -----------------------------------------------------------------


def node_segments(part: Part, labels: Sequence[str], first: int, rows: int) -> Iterator[bytes]:
    """Segments of fresh nodes with ids from ``first`` on."""
    part.need()
    for cut in part.cut(rows):
        ids = np.arange(first + cut.start, first + cut.stop, dtype=np.int64)
        yield encode_segment(node_segment(labels, ids, _columns(part, cut)))


def in_order(part: Part) -> Part:
    """A part of relationships, its rows ascending by (start, end)."""
    part.need(START, END)
    starts, ends = part.ids[START], part.ids[END]
    step = np.diff(starts)
    if bool(((step > 0) | ((step == 0) & (np.diff(ends) >= 0))).all()):
        return part
    order = relationship_order(starts, ends)
    taken = {name: (values.take(pa.array(order)), k) for name, (values, k) in part.columns.items()}
    return Part(part.rows, {START: starts[order], END: ends[order]}, taken, part.size)


def relationship_segments(part: Part, type_: str, first: int, rows: int) -> Iterator[bytes]:
    """Segments of fresh relationships of a part that is in order."""
    starts, ends = part.ids[START], part.ids[END]
    for cut in part.cut(rows):
        ids = np.arange(first + cut.start, first + cut.stop, dtype=np.int64)
        made = _columns(part, cut)
        yield encode_segment(relationship_segment(type_, ids, starts[cut], ends[cut], made))


def _columns(part: Part, cut: slice) -> dict[str, Column]:
    found = {}
    for name, (values, kind) in part.columns.items():
        made = column(values.slice(cut.start, cut.stop - cut.start), kind)
        if made is not None:
            found[name] = made
    return found


Change = type[c.ChangeNode] | type[c.ChangeRelationship]
Delete = type[c.DeleteNode] | type[c.DeleteRelationship]


def changes(part: Part, kind: Change) -> Iterator[tuple[list[str], list[c.AnyMutation]]]:
    """Names and mutations of chunks that set the part's columns (null removes)."""
    _need_distinct(part)
    names = sorted(part.columns)
    for cut in part.cut(limits.MUTATIONS_PER_CHUNK):
        count = cut.stop - cut.start
        table: list[list[bytes | None]] = []
        for name in names:
            values, type_ = part.columns[name]
            found = python_values(values.slice(cut.start, count), type_)
            table.append([None if value is None else encode_value(value) for value in found])
        rows = zip(part.ids[ID][cut].tolist(), zip(*table, strict=True), strict=True)
        yield names, [kind(one, dict(enumerate(values))) for one, values in rows]


def deletes(part: Part, kind: Delete) -> Iterator[tuple[list[str], list[c.AnyMutation]]]:
    """Mutations of chunks that delete."""
    _need_distinct(part)
    rows = limits.MUTATIONS_PER_CHUNK
    if kind is c.DeleteNode:
        rows //= _DELETE_IS  # apply looks whether it has relationships left
    for cut in part.cut(rows):
        yield [], [kind(one) for one in part.ids[ID][cut].tolist()]


def _need_distinct(part: Part) -> None:
    part.need(ID)
    ids = part.ids[ID]
    if len(np.unique(ids)) != len(ids):
        raise RequestInvalid("an element is named twice in one part")
