"""Column segments: thousands of freshly created elements as one immutable, checksummed value.

Made by whoever bulk loads, carried by the log as they are, stored as they are, read as numpy views
on the stored bytes. A segment holds either nodes that all carry the same label set, or
relationships of one type; names (not tokens) stand in it, because it is made before apply numbers
them. Layout::

    magic "EWSG" | format u8 | 3 zero bytes | header length u32 | crc32 of all else u32
    header: msgpack of Header
    buffers, each at a multiple of 8 from the start of the segment (zeros between)

Relationship rows ascend by (start, end, id); ``by_end`` is the permutation that sorts them by
(end, start, id). Ids are one run (base + row) where possible, else their own array.

All rows of a segment of format 1 count from the version at which it was published, and stand for
everything that keys would say of their creation. Those of format 2 were created by many commits and
have a version each. They stand for heads only: labels and adjacency are keys, for where one commit
wrote little each node would have to be looked for in every segment. Their rows ascend by id.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from struct import Struct
from typing import Any, Final
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

from everwhen.codec.columns import Column, FloatColumn, IntColumn, build
from everwhen.codec.integers import Array, Ascending, Ints
from everwhen.errors import CorruptData, FormatUnsupported

FORMAT: Final = 1
#: of segments whose rows have versions of their own
FORMAT_VERSIONED: Final = 2
NODES: Final = 1
RELATIONSHIPS: Final = 2
#: rows a segment should have at most: keeps it below the size of a log entry
ROWS_MAX: Final = 65_536
#: a stored segment is cut into pieces of this size
PIECE_BYTES: Final = 4 << 20
#: neighbours turned into Python integers at a time
_NEIGHBOURS: Final = 4_096

#: ``by_end`` where rows have versions
UNORDERED: Final[Array] = np.zeros(0, np.uint32)

_MAGIC: Final = b"EWSG"
_FRAME = Struct("<4sB3xII")
_ENCODER = msgspec.msgpack.Encoder()


class _ColumnHeader(msgspec.Struct, frozen=True, array_like=True):
    name: str
    code: str
    #: numpy dtype, byte offset, element count of each part
    parts: list[tuple[str, int, int]]
    #: lowest and highest value of a number column, for pruning
    low: float | int | None = None
    high: float | int | None = None


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What stands before the buffers."""

    kind: int
    #: labels (ascending) or the one type
    names: list[str]
    rows: int
    #: id of row 0 if ids are one run; else -1 and the ids are the column of name ""
    first_id: int
    columns: list[_ColumnHeader]


_HEADER = msgspec.msgpack.Decoder(Header)

#: names of the columns that are not properties; property keys are never empty, so no clash
_ID: Final = ""
_START: Final = "\x00start"
_END: Final = "\x00end"
_BY_END: Final = "\x00by_end"
_VERSION: Final = "\x00version"


@dataclass(frozen=True)
class NodeSegment:
    """Nodes of one label set, ascending by id."""

    labels: tuple[str, ...]
    ids: Ints
    columns: Mapping[str, Column]
    #: bytes it takes in memory
    size: int = 0
    #: of each row; None: all are of the version at which the segment was published
    versions: Ints | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _ids_sorted(self) -> Ascending:
        return Ascending(self.ids)

    def row(self, node: int) -> int | None:
        """The row of a node id."""
        return self._ids_sorted.row(node)

    def property(self, row: int, key: str) -> Any:
        """One property, or None."""
        column = self.columns.get(key)
        return None if column is None else column.get(row)

    def properties(self, row: int) -> dict[str, Any]:
        """All properties of a row, ascending by key."""
        return _properties(self.columns, row)


@dataclass(frozen=True)
class RelationshipSegment:
    """Relationships of one type, ascending by (start, end, id); with versions by id, and then they
    are not found by their ends."""

    type: str
    ids: Ints
    starts: Ints
    ends: Ints
    by_end: Array
    columns: Mapping[str, Column]
    #: bytes it takes in memory, with the tables that look-ups make
    size: int = 0
    #: of each row; None: all are of the version at which the segment was published
    versions: Ints | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _by_id(self) -> Array | None:
        """The rows ascending by id; None if they are so already."""
        offsets = self.ids.offsets
        if not len(offsets) or bool((offsets[1:] > offsets[:-1]).all()):
            return None
        return np.argsort(offsets, kind="stable").astype(np.uint32)

    @cached_property
    def _ids_sorted(self) -> Ascending:
        order = self._by_id
        return Ascending(
            self.ids if order is None else Ints(self.ids.base, self.ids.offsets[order])
        )

    @cached_property
    def _starts_sorted(self) -> Ascending:
        return Ascending(self.starts)

    @cached_property
    def _ends_sorted(self) -> Ascending:
        return Ascending(Ints(self.ends.base, self.ends.offsets[self.by_end]))

    def row(self, relationship: int) -> int | None:
        """The row of a relationship id."""
        position = self._ids_sorted.row(relationship)
        order = self._by_id
        return position if position is None or order is None else int(order[position])

    def rows_by_id(self) -> npt.NDArray[Any]:
        """All rows, ascending by id."""
        order = self._by_id
        return np.arange(len(self)) if order is None else order

    def rows_of(self, node: int, outgoing: bool) -> Sequence[int]:
        """The rows of a node's relationships, ascending by (other node, id)."""
        if outgoing:
            low, high = self._starts_sorted.span(node)
            return range(low, high)
        low, high = self._ends_sorted.span(node)
        rows: list[int] = self.by_end[low:high].tolist()
        return rows

    def neighbours(
        self,
        node: int,
        outgoing: bool,
        other: int | None = None,
        behind: tuple[int, int] | None = None,
    ) -> Iterator[tuple[int, int]]:
        """(other node, id) of a node's relationships, ascending: of those with one other node, or
        of those behind a place."""
        low, high = (self._starts_sorted if outgoing else self._ends_sorted).span(node)
        far = self.ends if outgoing else self.starts
        if other is not None and low < high:
            rows = slice(low, high) if outgoing else self.by_end[low:high]
            first, last = far.span_within(rows, other)
            low, high = low + first, low + last
        if behind is not None:
            low = self._behind(range(low, high), outgoing, behind)
        while low < high:
            top = min(high, low + _NEIGHBOURS)
            rows = slice(low, top) if outgoing else self.by_end[low:top]
            yield from zip(far.some(rows), self.ids.some(rows), strict=True)
            low = top

    def _behind(self, places: range, outgoing: bool, behind: tuple[int, int]) -> int:
        """The first of a node's places with a neighbour behind one."""
        far, rows = (self.ends, None) if outgoing else (self.starts, self.by_end)

        def neighbour(place: int) -> tuple[int, int]:
            row = place if rows is None else rows.item(place)
            return far.get(row), self.ids.get(row)

        return places.start + bisect_right(places, behind, key=neighbour)

    @property
    def table_bytes(self) -> int:
        """What look-ups by either end take."""
        return self._starts_sorted.table_bytes + self._ends_sorted.table_bytes

    def ends_of(self, row: int) -> tuple[int, int]:
        """Start and end node."""
        return self.starts.get(row), self.ends.get(row)

    def property(self, row: int, key: str) -> Any:
        """One property, or None."""
        column = self.columns.get(key)
        return None if column is None else column.get(row)

    def properties(self, row: int) -> dict[str, Any]:
        """All properties of a row, ascending by key."""
        return _properties(self.columns, row)


Segment = NodeSegment | RelationshipSegment


def _properties(columns: Mapping[str, Column], row: int) -> dict[str, Any]:
    found = {}
    for key, column in columns.items():
        value = column.get(row)
        if value is not None:
            found[key] = value
    return found


# --- bytes ----------------------------------------------------------------------------------


def encode_segment(segment: Segment) -> bytes:
    """The bytes of a segment."""
    ids = segment.ids
    run = len(ids) == 0 or bool((ids.offsets == np.arange(len(ids))).all())
    columns: list[tuple[str, str, list[Array], Column | None]] = []
    if not run:
        columns.append((_ID, "i", IntColumn(ids).parts(), None))
    if isinstance(segment, RelationshipSegment):
        columns.append((_START, "i", IntColumn(segment.starts).parts(), None))
        columns.append((_END, "i", IntColumn(segment.ends).parts(), None))
        if segment.versions is None:
            columns.append((_BY_END, "p", [segment.by_end], None))
    if segment.versions is not None:
        columns.append((_VERSION, "i", IntColumn(segment.versions).parts(), None))
    for name, column in segment.columns.items():
        columns.append((name, column.code, column.parts(), column))
    # offsets are counted from the start of the buffers, which begin at a multiple of 8
    buffers: list[bytes] = []
    at = 0
    headers: list[_ColumnHeader] = []
    for name, code, parts, source in columns:
        places: list[tuple[str, int, int]] = []
        for part in parts:
            little = np.ascontiguousarray(part, part.dtype.newbyteorder("<"))
            raw = little.tobytes()
            places.append((little.dtype.str, at, len(part)))
            padding = -len(raw) % 8
            buffers.append(raw + bytes(padding))
            at += len(raw) + padding
        low, high = _zone(source)
        headers.append(_ColumnHeader(name, code, places, low, high))
    header = _ENCODER.encode(
        Header(
            kind=NODES if isinstance(segment, NodeSegment) else RELATIONSHIPS,
            names=list(segment.labels) if isinstance(segment, NodeSegment) else [segment.type],
            rows=len(segment),
            first_id=ids.base if run else -1,
            columns=headers,
        )
    )
    body = b"".join([header, bytes(-len(header) % 8), *buffers])
    format_ = FORMAT if segment.versions is None else FORMAT_VERSIONED
    return _FRAME.pack(_MAGIC, format_, len(header), crc32(body)) + body


def _zone(column: Column | None) -> tuple[float | int | None, float | int | None]:
    if isinstance(column, IntColumn) and len(column):
        return column.ints.base, column.ints.base + int(column.ints.offsets.max())
    if isinstance(column, FloatColumn) and len(column) and not bool(np.isnan(column.values).any()):
        return float(column.values.min()), float(column.values.max())
    return None, None


def decode_header(data: bytes) -> tuple[Header, int]:
    """The header of a segment and where its buffers begin; the checksum is checked.

    :raises CorruptData: no segment, or a broken one.
    :raises FormatUnsupported: made by a newer build.
    """
    if len(data) < _FRAME.size:
        raise CorruptData(f"a segment of {len(data)} bytes")
    magic, format_, length, checksum = _FRAME.unpack_from(data)
    if magic != _MAGIC:
        raise CorruptData("bytes that do not begin like a segment")
    if format_ not in (FORMAT, FORMAT_VERSIONED):
        raise FormatUnsupported(
            f"a segment of format {format_}; this build reads {FORMAT} and {FORMAT_VERSIONED}"
        )
    body = memoryview(data)[_FRAME.size :]
    if crc32(body) != checksum:
        raise CorruptData("a segment that fails its checksum")
    try:
        header = _HEADER.decode(body[:length])
    except (ValueError, TypeError) as error:
        raise CorruptData(f"a segment with a broken header: {error}") from error
    return header, _FRAME.size + length + -length % 8


def decode_segment(data: bytes) -> Segment:
    """A segment as views on its bytes.

    :raises CorruptData: no segment, or a broken one.
    :raises FormatUnsupported: made by a newer build.
    """
    header, base = decode_header(data)
    arrays = {column.name: _parts(data, base, column) for column in header.columns}
    codes = {column.name: column.code for column in header.columns}
    rows = header.rows
    try:
        if header.first_id >= 0 or not rows:
            ids = Ints(header.first_id, np.arange(rows, dtype=np.uint32))
        else:
            ids = _ints(arrays.pop(_ID), rows)
        raw = arrays.pop(_VERSION, None)
        versions = None if raw is None else _ints(raw, rows)
        if header.kind == NODES:
            columns = {n: build(codes[n], parts, rows) for n, parts in arrays.items()}
            return NodeSegment(tuple(header.names), ids, columns, len(data), versions)
        starts, ends = _ints(arrays.pop(_START), rows), _ints(arrays.pop(_END), rows)
        (by_end,) = arrays.pop(_BY_END) if versions is None else (UNORDERED,)
        columns = {n: build(codes[n], parts, rows) for n, parts in arrays.items()}
        (type_,) = header.names
    except (KeyError, ValueError) as error:
        raise CorruptData(f"a segment without what its kind needs: {error}") from error
    if header.kind != RELATIONSHIPS or len(by_end) != (rows if versions is None else 0):
        raise CorruptData(f"a segment of kind {header.kind} that does not fit its rows")
    found = RelationshipSegment(type_, ids, starts, ends, by_end, columns, versions=versions)
    return replace(found, size=len(data) + (found.table_bytes if versions is None else 0))


def _parts(data: bytes, base: int, column: _ColumnHeader) -> list[Array]:
    try:
        return [
            np.frombuffer(data, np.dtype(dtype), count, base + offset)
            for dtype, offset, count in column.parts
        ]
    except (ValueError, TypeError) as error:
        raise CorruptData(f"segment column {column.name!r}: {error}") from error


def _ints(parts: Sequence[Array], rows: int) -> Ints:
    column = build("i", parts, rows)
    if not isinstance(column, IntColumn):
        raise CorruptData("a segment whose ids are no integers")
    return column.ints


def pieces(data: bytes) -> list[bytes]:
    """A segment's bytes cut for storage."""
    return [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
