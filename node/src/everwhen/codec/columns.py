"""Typed columns of a segment: numpy arrays on the way in, views on the stored bytes on the way out.

A column knows one value per row, or none (null). Five encodings:

======= ==========================================================================================
code    arrays
======= ==========================================================================================
``i``   integers, as the lowest one plus unsigned differences of the narrowest width (frame of
        reference)
``f``   float64
``b``   booleans, one byte each
``s``   text: offsets into a heap of UTF-8
``d``   text that repeats: a code per row, offsets and heap of the distinct texts
``v``   anything else: offsets into a heap of ``codec.values``; an empty slice is null
======= ==========================================================================================

Every one but ``v`` has a byte per row that says whether there is a value, left out when all rows
have one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from everwhen.codec.integers import Array, Ints, narrow
from everwhen.codec.values import decode_value, encode_value
from everwhen.errors import CorruptData
from everwhen.limits import INT_MAX, INT_MIN

Valid = npt.NDArray[np.bool_]

#: a text column repeats enough for a dictionary from this many rows per distinct text on
_REPEATS: Final = 2


class Column(Protocol):
    """One property of the rows of a segment."""

    code: str

    def get(self, row: int) -> Any:
        """The value of a row, or None."""
        ...

    def parts(self) -> list[Array]:
        """The arrays as they are stored; ``build`` takes them back in this order."""
        ...

    def __len__(self) -> int: ...


class _Masked:
    """What columns with a validity array share."""

    __slots__ = ("valid",)

    def __init__(self, valid: Valid | None) -> None:
        self.valid = None if valid is None or bool(valid.all()) else valid

    def _mask(self) -> Array:
        return np.zeros(0, np.bool_) if self.valid is None else self.valid


class IntColumn(_Masked):
    """Encoding ``i``."""

    __slots__ = ("ints",)
    code = "i"

    def __init__(self, values: Array | Ints, valid: Valid | None = None) -> None:
        super().__init__(valid)
        self.ints = values if isinstance(values, Ints) else Ints.pack(values)

    def get(self, row: int) -> int | None:
        if self.valid is not None and not self.valid[row]:
            return None
        return self.ints.get(row)

    def parts(self) -> list[Array]:
        return [np.array([self.ints.base], np.int64), self.ints.offsets, self._mask()]

    def __len__(self) -> int:
        return len(self.ints)


class FloatColumn(_Masked):
    """Encoding ``f``."""

    __slots__ = ("values",)
    code = "f"

    def __init__(self, values: npt.NDArray[np.float64], valid: Valid | None = None) -> None:
        super().__init__(valid)
        self.values = values

    def get(self, row: int) -> float | None:
        if self.valid is not None and not self.valid[row]:
            return None
        number: float = self.values.item(row)
        return number

    def parts(self) -> list[Array]:
        canonical = np.where(np.isnan(self.values), np.nan, self.values)
        return [canonical, self._mask()]

    def __len__(self) -> int:
        return len(self.values)


class BoolColumn(_Masked):
    """Encoding ``b``."""

    __slots__ = ("values",)
    code = "b"

    def __init__(self, values: npt.NDArray[np.bool_], valid: Valid | None = None) -> None:
        super().__init__(valid)
        self.values = values

    def get(self, row: int) -> bool | None:
        if self.valid is not None and not self.valid[row]:
            return None
        truth: bool = self.values.item(row)
        return truth

    def parts(self) -> list[Array]:
        return [self.values, self._mask()]

    def __len__(self) -> int:
        return len(self.values)


class TextColumn(_Masked):
    """Encoding ``s``: ``offsets`` has one more element than rows, from 0 to the heap's size."""

    __slots__ = ("heap", "offsets")
    code = "s"

    def __init__(self, offsets: Array, heap: bytes, valid: Valid | None = None) -> None:
        super().__init__(valid)
        self.offsets = offsets
        self.heap = heap

    def get(self, row: int) -> str | None:
        if self.valid is not None and not self.valid[row]:
            return None
        return _text(self.heap, self.offsets, row)

    def parts(self) -> list[Array]:
        return [narrow(self.offsets), np.frombuffer(self.heap, np.uint8), self._mask()]

    def __len__(self) -> int:
        return len(self.offsets) - 1


class DictionaryColumn(_Masked):
    """Encoding ``d``: ``codes`` are positions among the distinct texts."""

    __slots__ = ("_texts", "codes", "heap", "offsets")
    code = "d"

    def __init__(
        self, codes: Array, offsets: Array, heap: bytes, valid: Valid | None = None
    ) -> None:
        super().__init__(valid)
        self.codes = codes
        self.offsets = offsets
        self.heap = heap
        self._texts: dict[int, str] = {}

    def get(self, row: int) -> str | None:
        if self.valid is not None and not self.valid[row]:
            return None
        code: int = self.codes.item(row)
        text = self._texts.get(code)
        if text is None:
            text = self._texts[code] = _text(self.heap, self.offsets, code)
        return text

    def parts(self) -> list[Array]:
        heap = np.frombuffer(self.heap, np.uint8)
        return [narrow(self.codes), narrow(self.offsets), heap, self._mask()]

    def __len__(self) -> int:
        return len(self.codes)


class ValueColumn:
    """Encoding ``v``: each row's value in the encoding of ``codec.values``."""

    __slots__ = ("heap", "offsets")
    code = "v"

    def __init__(self, offsets: Array, heap: bytes) -> None:
        self.offsets = offsets
        self.heap = heap

    def get(self, row: int) -> Any:
        low, high = self.offsets.item(row), self.offsets.item(row + 1)
        return None if low == high else decode_value(self.heap[low:high])

    def parts(self) -> list[Array]:
        return [narrow(self.offsets), np.frombuffer(self.heap, np.uint8)]

    def __len__(self) -> int:
        return len(self.offsets) - 1


def _text(heap: bytes, offsets: Array, row: int) -> str:
    try:
        return heap[offsets.item(row) : offsets.item(row + 1)].decode()
    except UnicodeDecodeError as error:
        raise CorruptData(f"text in row {row} of a segment column is not UTF-8") from error


def build(code: str, parts: Sequence[Array], rows: int) -> Column:
    """A column of its stored arrays.

    :raises CorruptData: the arrays do not fit each other.
    """
    try:
        column = _BUILDERS[code](parts)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise CorruptData(f"segment column of encoding {code!r}: {error}") from error
    valid = getattr(column, "valid", None)
    if len(column) != rows or (valid is not None and len(valid) != rows):
        raise CorruptData(f"segment column of {len(column)} rows in a segment of {rows}")
    return column


def _valid(mask: Array) -> Valid | None:
    return mask.astype(np.bool_) if len(mask) else None


def _build_ints(parts: Sequence[Array]) -> Column:
    base, offsets, mask = parts
    return IntColumn(Ints(int(base[0]), offsets), _valid(mask))


def _build_floats(parts: Sequence[Array]) -> Column:
    values, mask = parts
    return FloatColumn(values, _valid(mask))


def _build_bools(parts: Sequence[Array]) -> Column:
    values, mask = parts
    return BoolColumn(values.astype(np.bool_), _valid(mask))


def _build_text(parts: Sequence[Array]) -> Column:
    offsets, heap, mask = parts
    return TextColumn(_ascending(offsets, heap), heap.tobytes(), _valid(mask))


def _build_dictionary(parts: Sequence[Array]) -> Column:
    codes, offsets, heap, mask = parts
    if len(codes) and int(codes.max()) >= max(len(offsets) - 1, 1):
        raise ValueError("a code without a text")
    return DictionaryColumn(codes, _ascending(offsets, heap), heap.tobytes(), _valid(mask))


def _build_values(parts: Sequence[Array]) -> Column:
    offsets, heap = parts
    return ValueColumn(_ascending(offsets, heap), heap.tobytes())


def _ascending(offsets: Array, heap: Array) -> Array:
    wide = offsets.astype(np.int64)
    if not len(wide) or wide[0] != 0 or wide[-1] != len(heap) or bool((np.diff(wide) < 0).any()):
        raise ValueError("offsets that are no partition of the heap")
    return offsets


_BUILDERS: Final = {
    "i": _build_ints,
    "f": _build_floats,
    "b": _build_bools,
    "s": _build_text,
    "d": _build_dictionary,
    "v": _build_values,
}


# --- from Python values ---------------------------------------------------------------------


def column_of(values: Sequence[Any]) -> Column:
    """The column for Python values (None: no value), in the tightest encoding that fits."""
    kinds = {type(value) for value in values}
    kinds.discard(type(None))
    valid = np.fromiter((v is not None for v in values), np.bool_, len(values))
    if kinds == {int} and all(v is None or INT_MIN <= v <= INT_MAX for v in values):
        low = min(v for v in values if v is not None)
        filled = np.fromiter((low if v is None else v for v in values), np.int64, len(values))
        return IntColumn(filled, valid)
    if kinds == {float}:
        floats = np.fromiter((0.0 if v is None else v for v in values), np.float64, len(values))
        return FloatColumn(floats, valid)
    if kinds == {bool}:
        bools = np.fromiter((bool(v) for v in values), np.bool_, len(values))
        return BoolColumn(bools, valid)
    if kinds == {str}:
        return _text_column(values, valid)
    return _value_column(values)


def _text_column(values: Sequence[str | None], valid: Valid) -> Column:
    distinct: dict[str, int] = {}
    codes = [distinct.setdefault(v, len(distinct)) for v in values if v is not None]
    if len(codes) >= _REPEATS * len(distinct):
        wide = np.zeros(len(values), np.uint64)
        wide[valid] = codes
        offsets, heap = _heap([text.encode() for text in distinct])
        return DictionaryColumn(wide, offsets, heap, valid)
    offsets, heap = _heap([b"" if v is None else v.encode() for v in values])
    return TextColumn(offsets, heap, valid)


def _value_column(values: Sequence[Any]) -> Column:
    offsets, heap = _heap([b"" if v is None else encode_value(v) for v in values])
    return ValueColumn(offsets, heap)


def _heap(pieces: Sequence[bytes]) -> tuple[Array, bytes]:
    offsets = np.zeros(len(pieces) + 1, np.uint64)
    if pieces:
        np.cumsum([len(piece) for piece in pieces], out=offsets[1:])
    return offsets, b"".join(pieces)
