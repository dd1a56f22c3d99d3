"""Bulk loads as commands: columns of fresh elements, cut into chunks of column segments.

The form for loading thousands of elements of one kind: they travel, are stored and are read as
columns, and apply looks at them by the array. Ids come from one leased block, so that they take
no space. A load is a large transaction like any other: ``BeginChunks``, these chunks, and a
``CommitChunks`` that says how many there were.

Relationships are sorted as a whole before they are cut, so that each segment covers a narrow range
of start nodes and most segments can be passed over when one node is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from everwhen import limits
from everwhen.codec.columns import column_of
from everwhen.codec.segment_making import node_segment, relationship_order, relationship_segment
from everwhen.codec.segments import encode_segment
from everwhen.model.elements import Value
from everwhen.txn import commands as c
from everwhen.txn.validate import check_name, checked_size

Ids = npt.NDArray[np.int64]
Columns = Mapping[str, Sequence[Value]]
"""Property key -> one value per row, None where there is none."""


class BulkLoad:
    """Makes the chunks of one load.

    ``rows`` bounds a segment; where the label or type has an index or constraint, apply looks at
    each row, so far fewer belong into one (``limits.BULK_ROWS_INDEXED``).
    """

    __slots__ = ("chunks", "transaction")

    def __init__(self, transaction: int) -> None:
        #: number of the large transaction, from ``Begun``
        self.transaction = transaction
        #: chunks made so far: what ``CommitChunks`` must say
        self.chunks = 0

    def nodes(
        self, labels: Sequence[str], first_id: int, rows: int, columns: Columns, *, cut: int = 0
    ) -> Iterator[c.Chunk]:
        """``rows`` nodes with the same labels and ascending ids from ``first_id`` on."""
        for label in labels:
            check_name(label)
        check_columns(columns, rows)
        cut = cut or limits.BULK_ROWS
        for start in range(0, rows, cut):
            end = min(start + cut, rows)
            ids = np.arange(first_id + start, first_id + end, dtype=np.int64)
            made = {key: column_of(values[start:end]) for key, values in columns.items()}
            yield self._chunk(encode_segment(node_segment(labels, ids, made)))

    def relationships(
        self,
        type_: str,
        first_id: int,
        starts: Ids,
        ends: Ids,
        columns: Columns,
        *,
        cut: int = 0,
    ) -> Iterator[c.Chunk]:
        """Relationships of one type; ids ascend from ``first_id`` in sorted order."""
        check_name(type_)
        rows = len(starts)
        check_columns(columns, rows)
        order = relationship_order(starts, ends)
        cut = cut or limits.BULK_ROWS
        for start in range(0, rows, cut):
            part = order[start : start + cut]
            ids = np.arange(first_id + start, first_id + start + len(part), dtype=np.int64)
            places = part.tolist()
            made = {
                key: column_of([values[at] for at in places]) for key, values in columns.items()
            }
            segment = relationship_segment(type_, ids, starts[part], ends[part], made)
            yield self._chunk(encode_segment(segment))

    def _chunk(self, segment: bytes) -> c.Chunk:
        number = self.chunks
        self.chunks = number + 1
        return c.Chunk(c.FORMAT, self.transaction, number, [], [], [segment], c.Checks())

    def commit(self, time: int = 0, *, own_time: bool = False) -> c.CommitChunks:
        """The command that publishes everything."""
        return c.CommitChunks(c.FORMAT, time, self.transaction, self.chunks, own_time)


def check_columns(columns: Columns, rows: int) -> None:
    """:raises QueryTypeError: a value that cannot be stored.
    :raises ValueError: a column has another number of rows."""
    for key, values in columns.items():
        check_name(key)
        if len(values) != rows:
            raise ValueError(f"column {key!r} has {len(values)} rows, not {rows}")
        for value in values:
            if value is not None:
                checked_size(value)
