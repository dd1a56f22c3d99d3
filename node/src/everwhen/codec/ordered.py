"""Values as bytes whose order is the order of the values: index entries and conflict keys.

``encode(a) < encode(b)`` exactly when ``a`` comes before ``b`` in the total order of openCypher
(``model.values.order_key``), and equal values are equal bytes, so ``1`` and ``1.0`` are. Every
encoding ends itself: no encoding is a prefix of another one, so encodings can be joined into
tuples that order like tuples.

A value is a group byte (groups in their openCypher order) and a payload:

* numbers: the largest float at or below the number, as its 8 bytes with the sign folded so that
  bytes order like floats (-0.0 becomes 0.0; NaN sorts above infinity), and from 2**53 on the
  distance to it as 2 bytes: integers and floats stand in one exact order;
* text and byte strings: the bytes (UTF-8: code point order) with 00 as 00 FF, ended by 00 00;
* lists: the elements one after the other, ended by 01, which is below every group byte;
* temporal values, points and vectors: ``codec.ordered_types``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isnan, nextafter
from typing import Any, Final

from everwhen.codec.keys import after
from everwhen.codec.ordered_types import ENCODERS as _TYPES
from everwhen.codec.ordered_types import GROUPS as _GROUPS
from everwhen.codec.ordered_types import Group, fold_bytes, fold_float
from everwhen.errors import QueryArgumentError, QueryTypeError
from everwhen.limits import INDEXED_VALUE_BYTES_MAX

#: from here on not every integer is a float
_EXACT: Final = 2.0**53
_LIST_END: Final = b"\x01"
_TEXT_END: Final = b"\x00\x00"

_NUMBER: Final = bytes((Group.NUMBER,))
_TEXT: Final = bytes((Group.TEXT,))
_BYTES: Final = bytes((Group.BYTES,))
_LIST: Final = bytes((Group.LIST,))
_FALSE: Final = bytes((Group.BOOLEAN, 0))
_TRUE: Final = bytes((Group.BOOLEAN, 1))
_NULL: Final = bytes((Group.NULL,))
#: the encoding of NaN
NAN: Final = _NUMBER + b"\xff" * 8


def encode(value: Any) -> bytes:
    """The bytes of any value that can be a property, or null.

    :raises QueryTypeError: a map, node, relationship or path.
    """
    kind = type(value)
    encoder = _ENCODERS.get(kind)
    if encoder is None:
        raise QueryTypeError(f"a value of type {kind.__name__} cannot be in an index")
    return encoder(value)


def encode_tuple(values: Sequence[Any]) -> bytes:
    """The bytes of the values of an index entry."""
    return b"".join([encode(value) for value in values])


def encode_entry(values: Sequence[Any]) -> bytes:
    """:func:`encode_tuple` of what is about to be written to an index.

    :raises QueryArgumentError: larger than an index entry may be.
    """
    entry = encode_tuple(values)
    if len(entry) > INDEXED_VALUE_BYTES_MAX:
        raise QueryArgumentError(
            f"the indexed value takes {len(entry)} bytes; an index entry may take "
            f"{INDEXED_VALUE_BYTES_MAX}",
            hint="index a shorter property, or a hash of this one",
        )
    return entry


def _float(value: float) -> bytes:
    folded = _NUMBER + fold_float(value)
    # NaN takes the plain form too: nothing of its eight bytes is a number's beginning
    return folded if -_EXACT < value < _EXACT or isnan(value) else folded + b"\x00\x00"


def _int(value: int) -> bytes:
    floor = float(value)
    whole = int(floor)
    if whole > value:
        floor = nextafter(floor, -inf)
        whole = int(floor)
    if whole == value:
        return _float(floor)
    return _float(floor)[:-2] + (value - whole).to_bytes(2, "big")


def _bool(value: bool) -> bytes:
    return _TRUE if value else _FALSE


def _text(value: str) -> bytes:
    return _TEXT + fold_bytes(value.encode("utf-8", "surrogatepass"))


def _bytes(value: bytes) -> bytes:
    return _BYTES + fold_bytes(value)


def _list(value: Sequence[Any]) -> bytes:
    return _LIST + b"".join([encode(item) for item in value]) + _LIST_END


def _null(_: None) -> bytes:
    return _NULL


_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _text,
    bytes: _bytes,
    list: _list,
    tuple: _list,
    type(None): _null,
    **_TYPES,
}


# --- ranges ---------------------------------------------------------------------------------

Limit = tuple[Any, bool]
"""A value and whether it belongs to the range itself."""

#: values above every number that can be compared (NaN compares with nothing)
_NUMBERS_END: Final = NAN
_GROUP_OF: Final[dict[type, Group]] = {
    bool: Group.BOOLEAN,
    int: Group.NUMBER,
    float: Group.NUMBER,
    str: Group.TEXT,
    bytes: Group.BYTES,
    list: Group.LIST,
    tuple: Group.LIST,
    **_GROUPS,
}
#: groups whose members ``<`` says nothing about (null), although they have a place in the order
_INCOMPARABLE: Final = frozenset({Group.DURATION, Group.POINT, Group.VECTOR})


def range_of(lower: Limit | None, upper: Limit | None) -> tuple[bytes, bytes] | None:
    """Start and exclusive end of the encodings that are comparable with the bounds and lie
    between them; None if there can be none (null, NaN, bounds of two groups).

    For lists the range is that of the total order, which compares more than ``<`` does.
    """
    groups = {_group(limit[0]) for limit in (lower, upper) if limit is not None}
    if len(groups) > 1 or None in groups:
        return None
    group = groups.pop() if groups else None
    if group is None:
        return b"", _NULL
    start = bytes((group,))
    end = _NUMBERS_END if group is Group.NUMBER else after(start)
    if lower is not None:
        entry = encode(lower[0])
        start = entry if lower[1] else after(entry)
    if upper is not None:
        entry = encode(upper[0])
        end = after(entry) if upper[1] else entry
    return (start, end) if start < end else None


def _group(value: Any) -> Group | None:
    """The group of a value that can be compared with something."""
    if type(value) is float and isnan(value):
        return None
    group = _GROUP_OF.get(type(value))
    return None if group is None or group in _INCOMPARABLE else group


def prefix_range(text: str) -> tuple[bytes, bytes]:
    """Start and exclusive end of the encodings of strings that start with ``text``."""
    start = _text(text)[: -len(_TEXT_END)]
    return start, after(start)


def is_equal_to_something(value: Any) -> bool:
    """Whether any stored value can equal this one: not null, not NaN, and neither inside."""
    if value is None or (type(value) is float and isnan(value)):
        return False
    if type(value) in (list, tuple):
        return all(is_equal_to_something(item) for item in value)
    return type(value) in _ENCODERS
