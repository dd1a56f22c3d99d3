"""A segment of some rows of another one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from everwhen.codec.columns import (
    BoolColumn,
    Column,
    DictionaryColumn,
    FloatColumn,
    IntColumn,
    TextColumn,
    Valid,
    ValueColumn,
)
from everwhen.codec.integers import Array
from everwhen.codec.segment_making import (
    node_segment,
    relationship_segment,
    versioned_relationships,
)
from everwhen.codec.segments import NodeSegment, Segment

Rows = npt.NDArray[np.intp]


def taken(segment: Segment, rows: Rows) -> Segment:
    """The rows (ascending) of a segment as a segment of their own."""
    columns = {
        name: column
        for name, whole in segment.columns.items()
        if (column := _column(whole, rows)) is not None
    }
    ids = segment.ids.whole()[rows]
    versions = None if segment.versions is None else segment.versions.whole()[rows]
    if isinstance(segment, NodeSegment):
        return node_segment(segment.labels, ids, columns, versions)
    starts, ends = segment.starts.whole()[rows], segment.ends.whole()[rows]
    if versions is None:
        return relationship_segment(segment.type, ids, starts, ends, columns)
    return versioned_relationships(segment.type, ids, starts, ends, columns, versions)


def _column(column: Column, rows: Rows) -> Column | None:
    """The rows of a column; None if none of them has a value."""
    if isinstance(column, ValueColumn):
        offsets, heap = _slices(column.offsets, column.heap, rows)
        return ValueColumn(offsets, heap) if heap else None
    mask = getattr(column, "valid", None)
    valid: Valid | None = None if mask is None else mask[rows]
    if valid is not None and not bool(valid.any()):
        return None
    if isinstance(column, IntColumn):
        integers = column.ints.whole()[rows]
        if valid is not None:
            integers[~valid] = integers[valid].min()  # it may be the value of a row that went
        return IntColumn(integers, valid)
    if isinstance(column, FloatColumn):
        return FloatColumn(column.values[rows], valid)
    if isinstance(column, BoolColumn):
        return BoolColumn(column.values[rows], valid)
    if isinstance(column, DictionaryColumn):
        # distinct texts that nobody has any more must go, so they are numbered anew
        return _dictionary(column, rows, valid)
    assert isinstance(column, TextColumn)
    offsets, heap = _slices(column.offsets, column.heap, rows)
    return TextColumn(offsets, heap, valid)


def _dictionary(column: DictionaryColumn, rows: Rows, valid: Valid | None) -> Column:
    codes = column.codes[rows]
    used, renumbered = np.unique(codes if valid is None else codes[valid], return_inverse=True)
    offsets, heap = _slices(column.offsets, column.heap, used.astype(np.intp))
    fresh = np.zeros(len(rows), np.uint64)
    fresh[slice(None) if valid is None else valid] = renumbered
    return DictionaryColumn(fresh, offsets, heap, valid)


def _slices(offsets: Array, heap: bytes, rows: Rows) -> tuple[Array, bytes]:
    """The pieces of a heap that belong to some rows, joined."""
    wide = offsets.astype(np.int64)
    starts, ends = wide[rows].tolist(), wide[rows + 1].tolist()
    cut = [heap[start:end] for start, end in zip(starts, ends, strict=True)]
    fresh = np.zeros(len(cut) + 1, np.uint64)
    np.cumsum([len(one) for one in cut], out=fresh[1:])
    return fresh, b"".join(cut)
