"""Nodes and relationships of one view's columns, out of the columns of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from everwhen.errors import QueryTypeError
from everwhen.exec.batch.core import OBJECTS_AT_ONCE, Batch, BatchContext
from everwhen.exec.batch.needs import Need
from everwhen.exec.batch.values import values_of
from everwhen.model import values as v
from everwhen.model.columns import (
    ANY,
    NODE,
    NULL,
    REFERENCE_BITS,
    RELATIONSHIP,
    GraphColumns,
    Mask,
    References,
    Rows,
    Vector,
)
from everwhen.model.elements import Node, Relationship

Positions = npt.NDArray[np.intp]
_ROW_MASK = (1 << REFERENCE_BITS) - 1


def node_vector(rows: Rows, graph: GraphColumns, valid: Mask | None = None) -> Vector:
    """Nodes by row."""
    return Vector(NODE, rows, valid, None, graph)


def relationship_vector(
    references: References, graph: GraphColumns, valid: Mask | None = None
) -> Vector:
    """Relationships by reference."""
    return Vector(RELATIONSHIP, references, valid, None, graph)


def nodes_in(batch: Batch, slot: int, graph: GraphColumns, ctx: BatchContext) -> Rows:
    """The rows in ``graph`` of the nodes in a slot, -1 for null and for what is not there.

    :raises QueryTypeError: a value that is no node.
    """
    vector = batch.columns.get(slot)
    if vector is None or vector.kind == NULL:
        return np.full(batch.length, -1, np.int32)
    if vector.kind == NODE and vector.graph is not None:
        rows = _in_graph(vector.data, vector.graph, graph)
        if vector.valid is not None:
            rows = np.where(vector.valid, rows, np.int32(-1))
        return np.ascontiguousarray(rows)
    ids = np.full(batch.length, -1, np.int64)
    present = np.arange(batch.length) if vector.valid is None else np.flatnonzero(vector.valid)
    if vector.kind != ANY:
        present = present[:1]  # which cannot be a node
    for start in range(0, len(present), OBJECTS_AT_ONCE):
        some = present[start : start + OBJECTS_AT_ONCE]
        ids[some] = [_id_of(value) for value in values_of(vector.take(some), ctx)]
    return _rows_of(ids, graph)


def _id_of(value: Any) -> int:
    if type(value) is Node:
        return value.id
    if value is None:
        return -1
    raise QueryTypeError(f"expected a node, got {v.type_name(value)}", detail="InvalidArgumentType")


def _rows_of(ids: npt.NDArray[np.int64], graph: GraphColumns) -> Rows:
    known = ids >= 0
    rows = np.full(len(ids), -1, np.int32)
    if known.any():
        rows[known] = graph.node_rows_of(ids[known])
    return rows


def _in_graph(rows: Rows, bound: GraphColumns, graph: GraphColumns) -> Rows:
    """Rows of one view as rows of another: the same within a generation."""
    if bound is graph or bound.generation == graph.generation:
        return rows
    known = rows >= 0
    found = np.full(len(rows), -1, np.int32)
    if known.any():
        found[known] = graph.node_rows_of(bound.node_ids(rows[known]))
    return found


def there(rows: Rows, graph: GraphColumns) -> Mask:
    """Which of the nodes exist in ``graph``."""
    mask = rows >= 0
    if mask.any():
        mask[mask] = graph.node_rows_of(graph.node_ids(rows[mask])) >= 0
    return mask


def references_in(batch: Batch, slot: int, graph: GraphColumns) -> References | None:
    """The references in ``graph`` of the relationships in a slot, -1 for null and for what is not
    there. None: the slot may hold lists or values that are no relationships."""
    vector = batch.columns.get(slot)
    if vector is None or vector.kind == NULL:
        return np.full(batch.length, -1, np.int64)
    if vector.kind != RELATIONSHIP or vector.graph is None:
        return None
    found = vector.data
    if vector.valid is not None:
        found = np.where(vector.valid, found, np.int64(-1))
    if vector.graph is not graph:
        found = _moved(found, vector.graph, graph)
    return found


def known_references(batch: Batch, slot: int, graph: GraphColumns, ctx: BatchContext) -> References:
    """References in ``graph`` of what stands in a slot, values of the language too."""
    found = references_in(batch, slot, graph)
    if found is not None:
        return found
    return _by_id(batch.columns[slot], graph, ctx)


def _by_id(vector: Vector, graph: GraphColumns, ctx: BatchContext) -> References:
    """References in ``graph`` of relationships that are values; -1 for null and what is not there.

    :raises QueryTypeError: a value that is no relationship.
    """
    out = np.full(len(vector), -1, np.int64)
    for start in range(0, len(vector), OBJECTS_AT_ONCE):
        some = np.arange(start, min(start + OBJECTS_AT_ONCE, len(vector)))
        out[some] = [_reference(value, graph) for value in values_of(vector.take(some), ctx)]
    return out


def _reference(value: Any, graph: GraphColumns) -> int:
    if value is None:
        return -1
    if type(value) is not Relationship:
        raise QueryTypeError(
            f"expected a relationship, got {v.type_name(value)}", detail="InvalidArgumentType"
        )
    table = graph.relationships(value.type)
    row = -1 if table is None else int(table.rows_of(np.array([value.id], np.int64))[0])
    return -1 if table is None or row < 0 else table.number << REFERENCE_BITS | row


def _moved(references: References, bound: GraphColumns, graph: GraphColumns) -> References:
    """References of one view as those of another, by type and id."""
    out = np.full(len(references), -1, np.int64)
    numbers = references >> REFERENCE_BITS
    for number in np.unique(numbers[references >= 0]).tolist():
        table = bound.table(number)
        other = graph.relationships(table.type)
        if other is not None:
            here = numbers == number
            rows = other.rows_of(table.ids(rows_of(references[here])))
            found = rows.astype(np.int64) | (other.number << REFERENCE_BITS)
            out[here] = np.where(rows >= 0, found, -1)
    return out


def rows_of(references: References) -> Rows:
    """The rows within their tables."""
    return (references & _ROW_MASK).astype(np.int32)


def ends_of(references: References, graph: GraphColumns) -> tuple[Rows, Rows]:
    """Rows of the nodes that relationships start and end at; -1 for the reference -1."""
    starts, ends = np.full((2, len(references)), -1, np.int32)
    numbers = references >> REFERENCE_BITS
    for number in np.unique(numbers[references >= 0]).tolist():
        here = numbers == number
        starts[here], ends[here] = graph.table(number).ends(rows_of(references[here]))
    return starts, ends


def ids_of(references: References, graph: GraphColumns) -> npt.NDArray[np.int64]:
    """Ids of relationships; -1 for the reference -1."""
    ids = np.full(len(references), -1, np.int64)
    numbers = references >> REFERENCE_BITS
    for number in np.unique(numbers[references >= 0]).tolist():
        here = numbers == number
        ids[here] = graph.table(number).ids(rows_of(references[here]))
    return ids


class Used:
    """What the slots of ``unique_with`` hold in a batch, to compare new relationships with."""

    def __init__(self, batch: Batch, slots: tuple[int, ...], graph: GraphColumns) -> None:
        self._graph = graph
        #: one array per slot of single relationships
        self.single: list[References] = []
        self._lists: list[list[set[int]]] = []
        for slot in slots:
            found = references_in(batch, slot, graph)
            if found is not None:
                if (found >= 0).any():
                    self.single.append(found)
            else:
                self._lists.append(_ids_by_row(batch.columns[slot]))

    def __bool__(self) -> bool:
        return bool(self.single or self._lists)

    @property
    def countable(self) -> bool:
        """Whether all of them are single relationships."""
        return not self._lists

    def free(self, positions: Positions, references: References) -> Mask | None:
        """Which new relationships are not among those of their row; None: all."""
        mask: Mask | None = None
        for used in self.single:
            differs = used[positions] != references
            mask = differs if mask is None else mask & differs
        for lists in self._lists:
            ids = ids_of(references, self._graph).tolist()
            rows = positions.tolist()
            differs = np.fromiter(
                (number not in lists[row] for row, number in zip(rows, ids, strict=True)),
                np.bool_,
                len(ids),
            )
            mask = differs if mask is None else mask & differs
        return mask


def _ids_by_row(vector: Vector) -> list[set[int]]:
    """Ids of the relationships in each row's value: one, or a list of them."""
    if vector.kind != ANY:
        return [set() for _ in range(len(vector))]
    valid = [True] * len(vector) if vector.valid is None else vector.valid.tolist()
    return [
        {item.id for item in (value if type(value) is list else [value]) if _is_one(item)}
        if known
        else set()
        for value, known in zip(vector.data, valid, strict=True)
    ]


def _is_one(value: Any) -> bool:
    return type(value) is Relationship


def kept(batch: Batch, need: Need | None) -> Batch:
    """The batch without the columns that nobody above reads; origins stay."""
    if need is None:
        return batch
    columns = {slot: c for slot, c in batch.columns.items() if slot < 0 or slot in need.slots}
    return Batch(batch.length, columns, batch.weights)
