"""Property values as bytes: in commands, heads, deltas, journal records and segment heaps.

One value is one msgpack object, whose type bytes are the tags: booleans, integers, floats,
strings, byte strings and lists are msgpack's own; every other class is an extension with a code
of ``codec.extensions``. Null is never stored, and neither are maps, nodes, relationships, paths.

Canonical: integers take the shortest form, NaN has one bit pattern, -0.0 stays -0.0 (it is a
value of its own, although equal to 0.0). So equal bytes mean the same value, and ``verify`` can
demand that encoding what was decoded gives the same bytes. New tags are new extension codes;
a code is never given another meaning.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from everwhen.codec.extensions import ENCODERS, extension
from everwhen.errors import CorruptData, QueryArgumentError, QueryTypeError
from everwhen.limits import INT_MAX, INT_MIN, LIST_ELEMENTS_MAX, STRING_BYTES_MAX

__all__ = ["decode_value", "encode_value", "extension", "is_canonical"]

_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(Any, ext_hook=extension).decode
_NAN: Final = float("nan")
#: a string this long in characters may be too long in bytes
_CHECK_CHARS: Final = STRING_BYTES_MAX // 4


def encode_value(value: Any) -> bytes:
    """The bytes of a storable value.

    :raises QueryTypeError: not storable (null, map, node, relationship, path, list with one).
    :raises QueryArgumentError: too large, an integer outside 64 bits, or text that is no Unicode.
    """
    kind = type(value)
    # what is told apart quickly
    if kind is str and len(value) <= _CHECK_CHARS and value.isascii():
        return _ENCODE(value)
    if kind is int and INT_MIN <= value <= INT_MAX:
        return _ENCODE(value)
    if kind is bool:
        return _ENCODE(value)
    return _encode_checked(_prepared(value))


def _encode_checked(prepared: Any) -> bytes:
    try:
        return _ENCODE(prepared)
    except UnicodeEncodeError as error:
        raise QueryArgumentError(
            f"text with a lone surrogate (character {error.start}) cannot be stored"
        ) from error
    except RecursionError as error:
        raise QueryArgumentError("the list is nested too deeply to be stored") from error


def _prepared(value: Any) -> Any:
    """What msgpack can encode for a value: itself, or an extension, or a list of such."""
    kind = type(value)
    if kind is str or kind is bytes:
        return _sized(value)
    if kind is int:
        if INT_MIN <= value <= INT_MAX:
            return value
        raise QueryArgumentError(f"integer {value} does not fit into 64 bits")
    if kind is float:
        return _NAN if math.isnan(value) else value
    if kind is bool:
        return value
    if kind is list or kind is tuple:
        if len(value) > LIST_ELEMENTS_MAX:
            raise QueryArgumentError(
                f"a list of {len(value)} elements; at most {LIST_ELEMENTS_MAX} can be stored"
            )
        return [_prepared(item) for item in value]
    encoder = ENCODERS.get(kind)
    if encoder is None:
        name = "null" if value is None else kind.__name__
        raise QueryTypeError(
            f"a value of type {name} cannot be stored as a property",
            detail="InvalidPropertyType",
        )
    return encoder(value)


def _sized(value: str | bytes) -> str | bytes:
    if len(value) > _CHECK_CHARS:
        try:
            size = len(value) if isinstance(value, bytes) else len(value.encode())
        except UnicodeEncodeError:
            return value  # refused with its position when it is encoded
        if size > STRING_BYTES_MAX:
            raise QueryArgumentError(
                f"a value of {size} bytes; at most {STRING_BYTES_MAX} can be stored"
            )
    return value


def decode_value(data: bytes | memoryview) -> Any:
    """The value of bytes made by :func:`encode_value`.

    :raises CorruptData: they are no value.
    """
    try:
        value: object = _DECODE(data)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CorruptData(f"bytes that are no property value: {error}") from error
    if value is None or type(value) is dict:
        raise CorruptData("bytes that are null or a map, which are never stored")
    return value


def is_canonical(data: bytes) -> bool:
    """Whether bytes are exactly what :func:`encode_value` writes (for ``verify``)."""
    try:
        return encode_value(decode_value(data)) == data
    except (CorruptData, QueryTypeError, QueryArgumentError):
        return False
