"""Vectors as values of the language and back, batches as rows and back.

Elements come out bound at the view that the row path binds (``BatchContext.views``), and go back
to rows of the columns of that view.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from everwhen.exec.batch.core import OBJECTS_AT_ONCE, Batch, BatchContext
from everwhen.exec.batch.texts import LocalTexts, distinct
from everwhen.exec.batch.vectors import Constant, joined, nulls, valid_of
from everwhen.exec.context import Row
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.columns import (
    ANY,
    BOOLEAN,
    FLOAT,
    INT,
    NODE,
    NULL,
    REFERENCE_BITS,
    RELATIONSHIP,
    STRING,
    GraphColumns,
    Ids,
    References,
    Rows,
    TypeColumns,
    Vector,
)
from everwhen.model.elements import Node, Relationship

_ROW_BITS = (1 << REFERENCE_BITS) - 1


# --- vectors to values -----------------------------------------------------------------------


def values_of(vector: Vector, ctx: BatchContext) -> list[Any]:
    """The values of a vector of at most ``OBJECTS_AT_ONCE`` elements."""
    if isinstance(vector, Constant):
        return [vector.value] * len(vector.data)
    if vector.kind == NULL:
        return [None] * len(vector.data)
    valid = vector.valid
    if valid is None:
        return _values(vector, ctx)
    found: list[Any] = [None] * len(valid)
    some = _values(vector.take(valid), ctx)
    for place, value in zip(np.flatnonzero(valid).tolist(), some, strict=True):
        found[place] = value
    return found


def _values(vector: Vector, ctx: BatchContext) -> list[Any]:
    """Of a vector without nulls."""
    kind, graph = vector.kind, vector.graph
    if kind == STRING:
        return _texts(vector)
    if graph is None:
        return vector.data.tolist()  # type: ignore[no-any-return]
    view = ctx.view_of(graph)
    if kind == NODE:
        return [Node(node_id, view) for node_id in graph.node_ids(vector.data).tolist()]
    found: list[Any] = [None] * len(vector.data)
    for places, table, rows in by_table(graph, vector.data):
        starts, ends = table.ends(rows)
        parts = zip(
            places.tolist(),
            table.ids(rows).tolist(),
            graph.node_ids(starts).tolist(),
            graph.node_ids(ends).tolist(),
            strict=True,
        )
        for place, relationship_id, start, end in parts:
            found[place] = Relationship(relationship_id, table.type, start, end, view)
    return found


def _texts(vector: Vector) -> list[str]:
    assert vector.texts is not None
    found, places = distinct(vector.data, len(vector.texts))
    texts = vector.texts.some(found)
    return [texts[place] for place in places.tolist()]


def by_table(
    graph: GraphColumns, references: References
) -> Iterator[tuple[Any, TypeColumns, Rows]]:
    """Relationships of each type: positions among the references, the type's table, its rows."""
    if not len(references):
        return
    numbers = references >> REFERENCE_BITS
    rows = (references & _ROW_BITS).astype(np.int32)
    first = int(numbers[0])
    if bool((numbers == first).all()):
        yield np.arange(len(rows)), graph.table(first), rows
        return
    for number in np.unique(numbers).tolist():
        places = np.flatnonzero(numbers == number)
        yield places, graph.table(number), rows[places]


def objects_of(vector: Vector, ctx: BatchContext) -> Vector:
    """The same elements as a vector of values."""
    if vector.kind == ANY:
        return vector
    data = np.empty(len(vector.data), np.object_)
    for start in range(0, len(data), OBJECTS_AT_ONCE):
        piece = slice_of(vector, start, start + OBJECTS_AT_ONCE)
        data[start : start + OBJECTS_AT_ONCE] = _as_objects(values_of(piece, ctx))
    return Vector(ANY, data, valid_of(vector))


def slice_of(vector: Vector, start: int, stop: int) -> Vector:
    """Elements from one position to another; nothing is copied."""
    if isinstance(vector, Constant) and len(vector.data):
        return Constant(vector, vector.value, len(vector.data[start:stop]))
    valid = None if vector.valid is None else vector.valid[start:stop]
    return Vector(vector.kind, vector.data[start:stop], valid, vector.texts, vector.graph)


# --- values to vectors -----------------------------------------------------------------------


def constant(value: Any, length: int, ctx: BatchContext) -> Vector:
    """One value in every row."""
    return Constant(_vector_of([value], ctx), value, length)


def vector_of(values: Sequence[Any], ctx: BatchContext) -> Vector:
    """The tightest vector that holds some values of the language."""
    if len(values) <= OBJECTS_AT_ONCE:
        return _vector_of(values, ctx)
    pieces = [
        _vector_of(values[start : start + OBJECTS_AT_ONCE], ctx)
        for start in range(0, len(values), OBJECTS_AT_ONCE)
    ]
    return joined(pieces, ctx)


def _vector_of(values: Sequence[Any], ctx: BatchContext) -> Vector:
    kinds = set(map(type, values))
    if type(None) not in kinds:
        return _typed(values, kinds, ctx)
    kinds.discard(type(None))
    if not kinds:
        return nulls(len(values))
    valid = np.fromiter((value is not None for value in values), np.bool_, len(values))
    some = _typed([value for value in values if value is not None], kinds, ctx)
    order = np.cumsum(valid) - 1
    order[order < 0] = 0
    return Vector(some.kind, some.data[order], valid, some.texts, some.graph)


def _typed(values: Sequence[Any], kinds: set[type], ctx: BatchContext) -> Vector:
    """Of values that are not null."""
    if len(kinds) == 1:
        kind = next(iter(kinds))
        if kind is int and min(values) >= INT_MIN and max(values) <= INT_MAX:
            return Vector(INT, np.array(values, np.int64))
        if kind is float:
            return Vector(FLOAT, np.array(values, np.float64))
        if kind is bool:
            return Vector(BOOLEAN, np.array(values, np.bool_))
        if kind is str:
            texts = LocalTexts()
            codes = np.fromiter(map(texts.add, values), np.int32, len(values))
            return Vector(STRING, codes, None, texts)
        if kind is Node:
            found = _nodes(values, ctx)
        elif kind is Relationship:
            found = _relationships(values, ctx)
        else:
            found = None
        if found is not None:
            return found
    return Vector(ANY, _as_objects(values)) if values else nulls(0)


def _as_objects(values: Sequence[Any]) -> Any:
    data = np.empty(len(values), np.object_)
    for place, value in enumerate(values):  # lists must not become dimensions
        data[place] = value
    return data


def _columns_of(elements: Sequence[Any], ctx: BatchContext) -> GraphColumns | None:
    view = elements[0].view
    if any(element.view is not view for element in elements):
        return None
    return ctx.columns_of(view)


def _nodes(nodes: Sequence[Node], ctx: BatchContext) -> Vector | None:
    graph = _columns_of(nodes, ctx)
    if graph is None:
        return None
    rows = graph.node_rows_of(np.array([node.id for node in nodes], np.int64))
    return None if bool((rows < 0).any()) else Vector(NODE, rows, None, None, graph)


def _relationships(relationships: Sequence[Relationship], ctx: BatchContext) -> Vector | None:
    graph = _columns_of(relationships, ctx)
    if graph is None:
        return None
    types = [relationship.type for relationship in relationships]
    ids: Ids = np.array([relationship.id for relationship in relationships], np.int64)
    references = np.empty(len(ids), np.int64)
    for name in sorted(set(types)):
        table = graph.relationships(name)
        if table is None:
            return None
        places = np.fromiter((found == name for found in types), np.bool_, len(types))
        rows = table.rows_of(ids[places])
        if bool((rows < 0).any()):
            return None
        references[places] = (table.number << REFERENCE_BITS) | rows.astype(np.int64)
    return Vector(RELATIONSHIP, references, None, None, graph)


# --- batches and rows ------------------------------------------------------------------------


def rows_of(batch: Batch, ctx: BatchContext, slots: Sequence[int] | None = None) -> list[Row]:
    """The rows of a batch of at most ``OBJECTS_AT_ONCE``; ``slots``: only these are filled."""
    wanted = batch.columns if slots is None else [s for s in slots if s in batch.columns]
    columns: list[list[Any]] = [[None] * batch.length] * ctx.width
    for slot in wanted:
        if slot >= 0:
            columns[slot] = values_of(batch.columns[slot], ctx)
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[]] * batch.length


def row_pieces(
    batch: Batch, ctx: BatchContext, slots: Sequence[int] | None = None
) -> Iterator[list[Row]]:
    """All rows of a batch, each as often as its weight says, in lists that are not too long."""
    for some in batch.unfolded(OBJECTS_AT_ONCE):
        for piece in pieces(some, OBJECTS_AT_ONCE):
            yield rows_of(piece, ctx, slots)


def batch_of(rows: Sequence[Row], slots: Sequence[int], ctx: BatchContext) -> Batch:
    """A batch of rows; ``slots``: what is taken over."""
    columns = {slot: vector_of([row[slot] for row in rows], ctx) for slot in slots}
    return Batch(len(rows), columns)


def slice_batch(batch: Batch, start: int, stop: int) -> Batch:
    """Rows from one position to another; nothing is copied."""
    if start == 0 and stop >= batch.length:
        return batch
    columns = {slot: slice_of(vector, start, stop) for slot, vector in batch.columns.items()}
    weights = None if batch.weights is None else batch.weights[start:stop]
    return Batch(max(0, min(stop, batch.length) - start), columns, weights)


def pieces(batch: Batch, most: int) -> Iterator[Batch]:
    """A batch cut into batches of at most so many rows."""
    for start in range(0, batch.length, most):
        yield slice_batch(batch, start, start + most)
