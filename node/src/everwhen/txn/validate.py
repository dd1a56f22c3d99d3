"""What may be stored: the check every property value and every name passes before it is buffered.

Storable are booleans, 64-bit integers, floats, strings, bytes, temporal values, points, vectors,
and lists of those. Maps, entities, paths, lists in lists and nulls in lists are not (openCypher,
"Property types"). Nothing that fails here ever reaches the log, so apply need not look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from everwhen import limits
from everwhen.errors import ArithmeticFailure, QueryArgumentError, QueryTypeError
from everwhen.model.elements import Value
from everwhen.model.spatial import Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.vector import Vector

#: classes whose every instance is storable, with a rough size in memory
_FIXED: Final[dict[type, int]] = {
    bool: 8,
    float: 24,
    Date: 64,
    LocalTime: 64,
    Time: 72,
    LocalDateTime: 80,
    DateTime: 112,
    Duration: 96,
    Point: 96,
}
#: of a string beside its characters, and of a property beside its value
_STRING_BYTES: Final = 50
_PROPERTY_BYTES: Final = 60
#: the shortest limit that a string may meet is far above this
_SHORT: Final = 4_096


def checked_size(value: Value) -> int:
    """Roughly the bytes ``value`` takes in memory.

    :raises QueryTypeError: the value cannot be a property (detail ``InvalidPropertyType``).
    :raises QueryArgumentError: it is larger than a property may be.
    """
    kind = type(value)
    if kind is list:
        return _list_size(value)
    return _scalar_size(value, kind)


def _scalar_size(value: Value, kind: type) -> int:
    size = _FIXED.get(kind)
    if size is not None:
        return size
    if kind is int:
        if not limits.INT_MIN <= value <= limits.INT_MAX:
            raise ArithmeticFailure(f"The integer {value} does not fit in 64 bits")
        return 32
    if kind is str or kind is bytes:
        size = len(value) if kind is bytes or value.isascii() else _utf8_size(value)
        if size > limits.STRING_BYTES_MAX:
            raise QueryArgumentError(
                f"A property of {size} bytes is larger than the limit of "
                f"{limits.STRING_BYTES_MAX} bytes"
            )
        return size + _STRING_BYTES
    if kind is Vector:
        return 64 + 8 * len(value)
    raise QueryTypeError(
        f"Property values can only be of primitive types or lists of them, not {_type_text(value)}",
        detail="InvalidPropertyType",
    )


def _utf8_size(value: str) -> int:
    try:
        return len(value.encode())
    except UnicodeEncodeError as error:
        raise QueryArgumentError(
            f"Text with a lone surrogate (character {error.start}) cannot be stored"
        ) from None


def _list_size(values: list[Value]) -> int:
    if len(values) > limits.LIST_ELEMENTS_MAX:
        raise QueryArgumentError(
            f"A list property of {len(values)} elements is longer than the limit of "
            f"{limits.LIST_ELEMENTS_MAX}"
        )
    total = 64 + 8 * len(values)
    for value in values:
        if value is None:
            raise QueryTypeError(
                "Lists that contain null cannot be stored in properties",
                detail="InvalidPropertyType",
            )
        kind = type(value)
        if kind is list:
            raise QueryTypeError(
                "Lists of lists cannot be stored in properties", detail="InvalidPropertyType"
            )
        total += _scalar_size(value, kind)
    if total > limits.STRING_BYTES_MAX * 2:
        raise QueryArgumentError(
            f"A list property of about {total} bytes is larger than the limit of "
            f"{limits.STRING_BYTES_MAX * 2}"
        )
    return total


def _type_text(value: Value) -> str:
    names = {dict: "a map", type(None): "null"}
    kind = type(value)
    return names.get(kind, f"a {kind.__name__}")


def check_properties(properties: Mapping[str, Value]) -> int:
    """Size of all properties; nulls must have been left out.

    :raises QueryTypeError: one of them cannot be stored.
    """
    check_count(len(properties))
    total = 0
    for key, value in properties.items():
        check_name(key)
        if type(value) is str and value.isascii() and len(value) <= _SHORT:
            total += len(value) + _STRING_BYTES + _PROPERTY_BYTES
            continue
        try:
            total += checked_size(value) + _PROPERTY_BYTES
        except (QueryTypeError, QueryArgumentError) as error:
            raise type(error)(f"{error.message} (property `{key}`)", detail=error.detail) from None
    return total


def check_count(count: int) -> None:
    """:raises QueryArgumentError: more properties than one entity may have."""
    if count > limits.PROPERTIES_PER_ENTITY_MAX:
        raise QueryArgumentError(
            f"{count} properties on one entity are more than the limit of "
            f"{limits.PROPERTIES_PER_ENTITY_MAX}"
        )


def check_name(name: str) -> None:
    """:raises QueryArgumentError: no name for a label, type or property key."""
    if type(name) is not str or not name:
        raise QueryArgumentError("A label, type or property key needs a name that is not empty")
    if len(name) > limits.IDENTIFIER_CHARS_MAX:
        raise QueryArgumentError(
            f"A name of {len(name)} characters is longer than the limit of "
            f"{limits.IDENTIFIER_CHARS_MAX}"
        )
