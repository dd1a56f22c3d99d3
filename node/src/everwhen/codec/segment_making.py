"""Segments from arrays of ids, ends and columns, with what their layout demands checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from everwhen.codec.columns import Column
from everwhen.codec.integers import Ints
from everwhen.codec.segments import UNORDERED, NodeSegment, RelationshipSegment

Ids = npt.NDArray[np.int64]


def node_segment(
    labels: Sequence[str],
    ids: npt.NDArray[np.int64],
    columns: Mapping[str, Column],
    versions: Ids | None = None,
) -> NodeSegment:
    """Nodes with the same labels; ``ids`` must ascend. ``versions``: of the rows, if each has its
    own.

    :raises ValueError: ids do not ascend, or a column has another number of rows.
    """
    if bool((np.diff(ids) <= 0).any()):
        raise ValueError("the ids of a node segment must ascend")
    _same_rows(columns, len(ids))
    return NodeSegment(
        tuple(sorted(set(labels))),
        Ints.pack(ids),
        dict(sorted(columns.items())),
        versions=_versions(versions, len(ids)),
    )


def relationship_order(
    starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The permutation that puts relationships into the order of a segment.

    Sort rows (and property columns) by it first, then give out ids from one block: that makes
    the ids one run, which takes no space.
    """
    return np.lexsort((ends, starts)).astype(np.int64)


def relationship_segment(
    type_: str,
    ids: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    columns: Mapping[str, Column],
) -> RelationshipSegment:
    """Relationships of one type; rows must ascend by (start, end, id).

    :raises ValueError: they do not, or a column has another number of rows.
    """
    if not len(ids) == len(starts) == len(ends):
        raise ValueError("ids, starts and ends of a relationship segment differ in number")
    _same_rows(columns, len(ids))
    start_step, end_step, id_step = np.diff(starts), np.diff(ends), np.diff(ids)
    tied = start_step == 0
    ordered = (start_step >= 0) & (~tied | (end_step >= 0))
    ordered &= ~(tied & (end_step == 0)) | (id_step > 0)
    if not bool(ordered.all()):
        raise ValueError("the rows of a relationship segment must ascend by (start, end, id)")
    by_end = np.lexsort((ids, starts, ends)).astype(np.uint32)
    return RelationshipSegment(
        type_,
        Ints.pack(ids),
        Ints.pack(starts),
        Ints.pack(ends),
        by_end,
        dict(sorted(columns.items())),
    )


def versioned_relationships(
    type_: str,
    ids: Ids,
    starts: Ids,
    ends: Ids,
    columns: Mapping[str, Column],
    versions: Ids,
) -> RelationshipSegment:
    """Relationships of one type that were created at several versions; ``ids`` must ascend.

    :raises ValueError: they do not, or a column has another number of rows.
    """
    if not len(ids) == len(starts) == len(ends):
        raise ValueError("ids, starts and ends of a relationship segment differ in number")
    if bool((np.diff(ids) <= 0).any()):
        raise ValueError("the ids of relationships with versions must ascend")
    _same_rows(columns, len(ids))
    return RelationshipSegment(
        type_,
        Ints.pack(ids),
        Ints.pack(starts),
        Ints.pack(ends),
        UNORDERED,
        dict(sorted(columns.items())),
        versions=_versions(versions, len(ids)),
    )


def _versions(versions: Ids | None, rows: int) -> Ints | None:
    if versions is None:
        return None
    if len(versions) != rows:
        raise ValueError(f"{len(versions)} versions for {rows} rows of a segment")
    return Ints.pack(versions)


def _same_rows(columns: Mapping[str, Column], rows: int) -> None:
    for name, column in columns.items():
        if len(column) != rows:
            raise ValueError(f"column {name!r} has {len(column)} rows, the segment {rows}")
