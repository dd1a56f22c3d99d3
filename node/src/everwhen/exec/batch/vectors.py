"""Vectors made, joined and put back together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import Batch, BatchContext
from everwhen.exec.batch.texts import LocalTexts, recoded
from everwhen.exec.sizes import value_bytes
from everwhen.model.columns import (
    ANY,
    BOOLEAN,
    FLOAT,
    INT,
    NODE,
    NULL,
    RELATIONSHIP,
    STRING,
    GraphColumns,
    Mask,
    Rows,
    Vector,
)

#: dtype of the data of each kind
DTYPES: dict[str, type] = {
    NULL: np.bool_,
    INT: np.int64,
    FLOAT: np.float64,
    BOOLEAN: np.bool_,
    STRING: np.int32,
    NODE: np.int32,
    RELATIONSHIP: np.int64,
    ANY: np.object_,
}


class Constant(Vector):
    """One value in every row; its data has no strides, so that it costs nothing."""

    __slots__ = ("value",)

    def __init__(self, vector: Vector, value: Any, length: int) -> None:
        """``vector``: the value once, not null unless the value is."""
        valid = None if vector.kind != NULL else np.broadcast_to(np.False_, (length,))
        data = np.broadcast_to(vector.data[:1].reshape(()), (length,))
        super().__init__(vector.kind, data, valid, vector.texts, vector.graph)
        self.value = value

    def take(self, indexes: npt.NDArray[Any]) -> Vector:
        length = int(indexes.sum()) if indexes.dtype == np.bool_ else len(indexes)
        return Constant(self, self.value, length) if len(self.data) else super().take(indexes)


class Run(Vector):
    """Nodes whose rows follow each other, so that their properties need not be gathered."""

    __slots__ = ("rows",)

    def __init__(self, data: Rows, graph: GraphColumns) -> None:
        super().__init__(NODE, data, None, None, graph)
        first = int(data[0])
        self.rows = slice(first, first + len(data))


def nodes_of(rows: Rows, graph: GraphColumns) -> Vector:
    """Nodes by row, known as a run if they are one."""
    if not len(rows) or int(rows[-1]) - int(rows[0]) != len(rows) - 1:
        return Vector(NODE, rows, None, None, graph)
    consecutive = bool((rows[1:] > rows[:-1]).all())
    return Run(rows, graph) if consecutive else Vector(NODE, rows, None, None, graph)


def nulls(length: int) -> Vector:
    """Nothing but nulls."""
    nothing = np.broadcast_to(np.False_, (length,))
    return Vector(NULL, nothing, nothing)


def column(batch: Batch, slot: int) -> Vector:
    """A slot's column; of a slot without one: nulls."""
    found = batch.columns.get(slot)
    return nulls(batch.length) if found is None else found


def valid_of(vector: Vector) -> Mask | None:
    """``vector.valid``, also of vectors of nulls."""
    if vector.kind == NULL and vector.valid is None:
        return np.broadcast_to(np.False_, (len(vector.data),))
    return vector.valid


def both_valid(left: Vector, right: Vector) -> Mask | None:
    """Where neither is null."""
    one, other = left.valid, right.valid
    if one is None:
        return other
    return one if other is None else one & other


def sure(valid: Mask | None) -> Mask | None:
    """None instead of a mask that marks nothing."""
    return None if valid is None or bool(valid.all()) else valid


def joined(vectors: Sequence[Vector], ctx: BatchContext) -> Vector:
    """One vector after the other. Typed as they are if they are alike, else values."""
    if len(vectors) == 1:
        return vectors[0]
    length = sum(len(vector.data) for vector in vectors)
    some = [vector for vector in vectors if vector.kind != NULL]
    if not some:
        return nulls(length)
    first = some[0]
    if any(v.kind != first.kind or v.graph is not first.graph for v in some):
        from everwhen.exec.batch.values import objects_of

        some = vectors = [objects_of(vector, ctx) for vector in vectors]
        first = some[0]
    texts = first.texts
    if any(vector.texts is not texts for vector in some):
        texts = local = LocalTexts()
        vectors = [_recoded(vector, local) for vector in vectors]
    dtype = DTYPES[first.kind]
    empty: npt.NDArray[Any] = np.zeros((), dtype)
    data = np.concatenate(
        [
            np.broadcast_to(empty, (len(v.data),)) if v.kind != first.kind else v.data
            for v in vectors
        ]
    )
    valid = None
    masks = [valid_of(vector) for vector in vectors]
    if any(mask is not None for mask in masks):
        everything = np.True_
        valid = np.concatenate(
            [
                np.broadcast_to(everything, (len(vector.data),)) if mask is None else mask
                for vector, mask in zip(vectors, masks, strict=True)
            ]
        )
    return Vector(first.kind, data, valid, texts, first.graph)


def _recoded(vector: Vector, into: LocalTexts) -> Vector:
    if vector.texts is None:  # nulls
        return vector
    codes = recoded(vector.data, vector.valid, vector.texts, into)
    return Vector(STRING, codes, vector.valid, into)


def spread(
    parts: Sequence[tuple[npt.NDArray[Any], Vector]], length: int, ctx: BatchContext
) -> Vector:
    """Each vector's elements at the positions beside it, null elsewhere."""
    parts = [(positions, vector) for positions, vector in parts if len(positions)]
    if not parts:
        return nulls(length)
    together = joined([vector for _, vector in parts], ctx)
    positions = np.concatenate([positions for positions, _ in parts])
    order = np.zeros(length, np.int64)
    order[positions] = np.arange(len(positions))
    whole = together.take(order)
    if len(positions) == length:
        return whole
    valid = np.zeros(length, np.bool_)
    valid[positions] = True
    if whole.valid is not None:
        valid &= whole.valid
    return Vector(whole.kind, whole.data, valid, whole.texts, whole.graph)


def joined_batches(batches: Sequence[Batch], ctx: BatchContext) -> Batch:
    """One batch of any length after the other."""
    if len(batches) == 1:
        return batches[0]
    slots: dict[int, None] = {}
    for batch in batches:
        slots.update(dict.fromkeys(batch.columns))
    columns = {slot: joined([column(b, slot) for b in batches], ctx) for slot in slots}
    length = sum(batch.length for batch in batches)
    weights = None
    if any(batch.weights is not None for batch in batches):
        weights = np.concatenate([weights_of(batch) for batch in batches])
    return Batch(length, columns, weights)


def weights_of(batch: Batch) -> npt.NDArray[np.int64]:
    """Weights also where all are one."""
    if batch.weights is not None:
        return batch.weights
    return np.ones(batch.length, np.int64)


def batch_bytes(batch: Batch) -> int:
    """About how many bytes a batch takes."""
    total = 0 if batch.weights is None else batch.weights.nbytes
    for vector in batch.columns.values():
        total += vector_bytes(vector)
    return total


#: values looked at to guess how large all of a vector are
_LOOKED_AT: Final = 16


def vector_bytes(vector: Vector) -> int:
    """About how many bytes a vector takes, with its part of texts that the query made itself."""
    if isinstance(vector, Constant):
        return 64
    length, texts = len(vector.data), vector.texts
    total = length * (vector.data.itemsize + (vector.valid is not None))
    if vector.kind == ANY:
        total += _values_bytes(vector.data)
    elif isinstance(texts, LocalTexts) and len(texts):
        total += texts.bytes * min(length, len(texts)) // len(texts)
    return total


def _values_bytes(values: npt.NDArray[Any]) -> int:
    """Guessed from some of them; what seems to be one value everywhere is counted once."""
    some = values[:: max(1, -(-len(values) // _LOOKED_AT))].tolist()
    different = {id(value): value for value in some}
    found = sum(map(value_bytes, different.values()))
    if len(different) < 2:
        return found
    return found * len(values) // len(some)
