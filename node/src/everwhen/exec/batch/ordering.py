"""Numbers that order, and numbers that tell apart, in place of the values of vectors.

``ranks``: ascending as ORDER BY, equal for equivalent values. ``number``: groups of equivalent
values, in the order of their first rows. Nulls are ranked by the caller; groups know them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import OBJECTS_AT_ONCE, BatchContext
from everwhen.exec.batch.keys import Keys
from everwhen.exec.batch.texts import LocalTexts, recoded, sorted_in_pieces
from everwhen.exec.batch.values import by_table, slice_of, values_of
from everwhen.exec.batch.vectors import Constant, valid_of
from everwhen.model.columns import (
    BOOLEAN,
    FLOAT,
    INT,
    NODE,
    NULL,
    RELATIONSHIP,
    STRING,
    Vector,
)
from everwhen.model.ordering import group_key, order_key

Numbers = npt.NDArray[np.int64]

#: products of the ranges of several keys up to here need no hash
_PRODUCT_MAX: Final = 2**62


def float_bits(data: npt.NDArray[np.float64]) -> Numbers:
    """Integers that order as floats do: -0.0 as 0.0, any NaN above all else."""
    clean = np.where(np.isnan(data), np.nan, data + 0.0)
    bits = clean.view(np.int64)
    ordered: Numbers = np.where(bits < 0, bits ^ np.int64(0x7FFF_FFFF_FFFF_FFFF), bits)
    return ordered


def ranks(vector: Vector, ctx: BatchContext) -> Numbers:
    """By row, a number that orders as the value does. What it is for nulls means nothing."""
    kind, data = vector.kind, vector.data
    if isinstance(vector, Constant) or kind == NULL:
        return np.zeros(len(data), np.int64)
    if kind in (INT, BOOLEAN):
        return data.astype(np.int64, copy=False)
    if kind == FLOAT:
        return float_bits(data)
    if vector.valid is not None and not vector.valid.all():
        found = np.zeros(len(data), np.int64)
        found[vector.valid] = ranks(vector.take(vector.valid), ctx)
        return found
    if kind == STRING:
        return _text_ranks(vector)
    if kind == NODE:
        assert vector.graph is not None
        return vector.graph.node_ids(data)
    if kind == RELATIONSHIP:
        assert vector.graph is not None
        ids = np.zeros(len(data), np.int64)
        for places, table, rows in by_table(vector.graph, data):
            ids[places] = table.ids(rows)
        return ids
    return _object_ranks(vector, ctx)


def _text_ranks(vector: Vector) -> Numbers:
    texts = vector.texts
    assert texts is not None
    if len(texts) <= 4 * len(vector.data):
        found: Numbers = texts.ranks()[vector.data].astype(np.int64)
        return found
    local = LocalTexts()
    codes = recoded(vector.data, None, texts, local)
    return local.ranks()[codes].astype(np.int64) if len(codes) else np.zeros(0, np.int64)


def _object_ranks(vector: Vector, ctx: BatchContext) -> Numbers:
    keys: list[Any] = []
    for start in range(0, len(vector.data), OBJECTS_AT_ONCE):
        ctx.check()
        piece = slice_of(vector, start, start + OBJECTS_AT_ONCE)
        keys += [order_key(value) for value in values_of(piece, ctx)]
    found = np.zeros(len(keys), np.int64)
    rank, before = 0, None
    for place in sorted_in_pieces(range(len(keys)), keys.__getitem__):
        key = keys[place]
        if before is not None and key != before:
            rank += 1
        found[place] = rank
        before = key
    return found


# --- groups ----------------------------------------------------------------------------------


class Groups(NamedTuple):
    """Rows by equivalence of their keys."""

    #: by row, the number of its group; groups are numbered by their first rows
    numbers: Numbers
    #: by group, its first row
    firsts: Numbers


def number(keys: Sequence[Vector], length: int, ctx: BatchContext) -> Groups:
    """Groups of rows whose keys are equivalent one by one; of no keys: one group."""
    codes, size = np.zeros(length, np.int64), 1
    for key in keys:
        others, count = _codes(key, ctx)
        if size * count > _PRODUCT_MAX:
            codes, size = _dense(codes, size)
            if size * count > _PRODUCT_MAX:
                others, count = _dense(others, count)
        if size == 1:
            codes, size = others, count
        elif count > 1:
            codes, size = codes * count + others, size * count
    return _numbered(codes, size)


def _dense(codes: Numbers, size: int) -> tuple[Numbers, int]:
    """The same with no more codes than there are rows, as ``_codes`` gives them."""
    numbers, firsts = _numbered(codes, size)
    return numbers, max(1, len(firsts))


def _codes(vector: Vector, ctx: BatchContext) -> tuple[Numbers, int]:
    """Equal numbers for equivalent values, from 0 to less than the second result."""
    if isinstance(vector, Constant) or vector.kind == NULL:
        return np.zeros(len(vector.data), np.int64), 1
    valid = valid_of(vector)
    if valid is not None and not valid.all():
        some, size = _valid_codes(vector.take(valid), ctx)
        codes = np.full(len(valid), size, np.int64)
        codes[valid] = some
        return codes, size + 1
    return _valid_codes(vector, ctx)


def _valid_codes(vector: Vector, ctx: BatchContext) -> tuple[Numbers, int]:
    kind, data = vector.kind, vector.data
    if not len(data):
        return np.zeros(0, np.int64), 1
    if kind == BOOLEAN:
        return data.astype(np.int64), 2
    if kind == STRING:
        assert vector.texts is not None
        return data.astype(np.int64), len(vector.texts)
    if kind == NODE:
        assert vector.graph is not None
        return data.astype(np.int64), vector.graph.node_rows
    if kind in (INT, RELATIONSHIP):
        numbers = data
    elif kind == FLOAT:
        numbers = float_bits(data)
    else:
        numbers = _object_numbers(vector, ctx)
    lowest, highest = int(numbers.min()), int(numbers.max())
    if highest - lowest < _PRODUCT_MAX:
        return numbers - lowest, highest - lowest + 1
    found = _hashed(numbers)
    return found.numbers, len(found.firsts)


def _object_numbers(vector: Vector, ctx: BatchContext) -> Numbers:
    seen: dict[Any, int] = {}
    numbers = np.zeros(len(vector.data), np.int64)
    for start in range(0, len(numbers), OBJECTS_AT_ONCE):
        ctx.check()
        values = values_of(slice_of(vector, start, start + OBJECTS_AT_ONCE), ctx)
        found = [seen.setdefault(group_key(value), len(seen)) for value in values]
        numbers[start : start + OBJECTS_AT_ONCE] = found
    return numbers


def _numbered(codes: Numbers, size: int) -> Groups:
    """Groups of equal codes from 0 to less than ``size``."""
    if size == 1:
        return Groups(codes, np.zeros(min(1, len(codes)), np.int64))
    if size > 4 * len(codes) + 1_024:
        return _hashed(codes)
    first = np.full(size, -1, np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # the last to be set stays
    firsts = np.sort(first[first >= 0])
    first[codes[firsts]] = np.arange(len(firsts))
    return Groups(first[codes], firsts)


def _hashed(codes: Numbers) -> Groups:
    """Groups of any integers."""
    keys = Keys(codes)
    return Groups(keys.numbers, keys.firsts)
