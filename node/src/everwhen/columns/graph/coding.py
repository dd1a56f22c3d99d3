"""Property values as a tag and eight bytes: how the image holds them where kinds may mix.

======= ======================================================
tag     payload
======= ======================================================
NULL    0
BOOL    0 or 1
INT     the integer
FLOAT   its bits
TEXT    its code among the texts of the key
OTHER   number of its bytes (``codec.values``) in the heap
======= ======================================================

In logs there is also UNBORN: what stood there before a relationship began, which nobody asks for.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.codec.columns import (
    BoolColumn,
    Column,
    DictionaryColumn,
    FloatColumn,
    IntColumn,
    TextColumn,
)
from everwhen.codec.values import decode_value, encode_value
from everwhen.columns.arena import Arena
from everwhen.columns.graph.texts import Heap, Texts
from everwhen.model.columns import ANY, BOOLEAN, FLOAT, INT, NULL, STRING, Mask, Vector

Array = npt.NDArray[Any]
Tags = npt.NDArray[np.uint8]
Payloads = npt.NDArray[np.int64]

NULL_TAG: Final = 0
BOOL_TAG: Final = 1
INT_TAG: Final = 2
FLOAT_TAG: Final = 3
TEXT_TAG: Final = 4
OTHER_TAG: Final = 5
UNBORN_TAG: Final = 6

#: by tag: kind of a vector and dtype of its data
KINDS: Final = (NULL, BOOLEAN, INT, FLOAT, STRING, ANY)
DTYPES: Final[tuple[npt.DTypeLike, ...]] = (
    np.bool_,
    np.bool_,
    np.int64,
    np.float64,
    np.int32,
    np.int64,
)

_DOUBLE = Struct("<d")
_LONG = Struct("<q")
#: values turned into objects at once
_AT_ONCE: Final = 20_000
Coded = tuple[int, int]
NOTHING: Final[Coded] = (NULL_TAG, 0)
UNBORN: Final[Coded] = (UNBORN_TAG, 0)


class Coder:
    """The values of one property key. One writer gives codes, any readers decode."""

    __slots__ = ("heap", "texts")

    def __init__(self, arena: Arena, heap: Heap) -> None:
        self.texts = Texts(arena)
        self.heap = heap

    # --- to tag and payload ---

    def coded(self, value: Any) -> Coded:
        """Of a value; None is null."""
        kind = type(value)
        if kind is int:
            return INT_TAG, value
        if kind is str:
            return TEXT_TAG, self.texts.code(value)
        if kind is float:
            return FLOAT_TAG, _LONG.unpack(_DOUBLE.pack(value))[0]
        if kind is bool:
            return BOOL_TAG, int(value)
        if value is None:
            return NOTHING
        return OTHER_TAG, self.heap.add(encode_value(value))

    def coded_bytes(self, raw: bytes | None) -> Coded:
        """Of a value as ``codec.values`` has it."""
        return NOTHING if raw is None else self.coded(decode_value(raw))

    def coded_column(self, column: Column) -> tuple[int, Array, Mask | None]:
        """Tag, data as the tag's vectors have it, and validity; OTHER: nothing is said of tags,
        take ``coded_values``."""
        if isinstance(column, IntColumn):
            return INT_TAG, column.ints.whole(), column.valid
        if isinstance(column, FloatColumn):
            return FLOAT_TAG, column.values, column.valid
        if isinstance(column, BoolColumn):
            return BOOL_TAG, column.values, column.valid
        if isinstance(column, TextColumn | DictionaryColumn):
            heap = np.frombuffer(column.heap, np.uint8)
            codes = self.texts.codes(heap, column.offsets.astype(np.int64))
            if isinstance(column, DictionaryColumn):
                codes = codes[column.codes] if len(codes) else np.zeros(len(column), np.int32)
            return TEXT_TAG, codes, column.valid
        return OTHER_TAG, np.zeros(0, np.int64), None

    def coded_values(self, column: Column) -> tuple[Tags, Payloads]:
        """Of a column whose values mix."""
        tags, payloads = np.zeros(len(column), np.uint8), np.zeros(len(column), np.int64)
        for row in range(len(column)):
            tags[row], payloads[row] = self.coded(column.get(row))
        return tags, payloads

    def coded_rows(self, column: Column) -> tuple[Tags, Payloads]:
        """Of any column."""
        tag, data, valid = self.coded_column(column)
        if tag == OTHER_TAG:
            return self.coded_values(column)
        return self.coded_data(tag, data, valid)

    def coded_data(self, tag: int, data: Array, valid: Mask | None) -> tuple[Tags, Payloads]:
        """Of what ``coded_column`` gave."""
        tags = np.full(len(data), tag, np.uint8)
        if valid is not None:
            tags[~valid] = NULL_TAG
        return tags, payloads_of(tag, data)

    # --- to vectors ---

    def vector(self, tags: Tags, payloads: Payloads) -> Vector:
        """Typed where the values are of one kind, else objects."""
        valid: Mask | None = tags != NULL_TAG
        kinds = np.bincount(tags, minlength=len(KINDS))
        if not kinds[NULL_TAG]:
            valid = None
        (there,) = kinds[1:].nonzero()
        if not len(there):
            return Vector(NULL, np.zeros(len(tags), np.bool_), np.zeros(len(tags), np.bool_))
        tag = int(there[0]) + 1
        if len(there) == 1 and tag != OTHER_TAG:
            return self.typed(tag, data_of(tag, payloads), valid)
        found = np.empty(len(tags), object)
        for low in range(0, len(tags), _AT_ONCE):
            part = slice(low, low + _AT_ONCE)
            found[part] = self._objects(tags[part], payloads[part])
        return Vector(ANY, found, valid)

    def typed(self, tag: int, data: Array, valid: Mask | None) -> Vector:
        """A vector of data of one kind."""
        return Vector(KINDS[tag], data, valid, self.texts if tag == TEXT_TAG else None)

    def _objects(self, tags: Tags, payloads: Payloads) -> Array:
        found = np.empty(len(tags), object)
        for tag in np.unique(tags).tolist():
            (at,) = (tags == tag).nonzero()
            some = payloads[at]
            values: list[Any]
            if tag == TEXT_TAG:
                values = list(self.texts.some(some.astype(np.int32)))
            elif tag == OTHER_TAG:
                values = [decode_value(self.heap.get(number)) for number in some.tolist()]
            else:
                values = data_of(tag, some).tolist() if tag != NULL_TAG else [None] * len(at)
            for place, value in zip(at.tolist(), values, strict=True):
                found[place] = value
        return found


def data_of(tag: int, payloads: Payloads) -> Array:
    """Payloads of one tag as the data of vectors."""
    if tag == FLOAT_TAG:
        return payloads.view(np.float64)
    return payloads.astype(DTYPES[tag], copy=False)


def payloads_of(tag: int, data: Array) -> Payloads:
    """Data of vectors as payloads."""
    if tag == FLOAT_TAG:
        return np.ascontiguousarray(data, np.float64).view(np.int64)
    return data.astype(np.int64)
