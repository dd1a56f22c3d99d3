"""The part of ``codec.ordered`` that is about temporal values, points and vectors.

Fields stand as in ``order()`` of the class (or what ``model.values.order_key`` compares), each with
its sign folded, so that byte order is their order.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from math import isnan
from struct import Struct
from typing import Any, Final

from everwhen.model.duration import Duration
from everwhen.model.spatial import Point
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time
from everwhen.model.vector import Vector

_F64 = Struct(">d")
_U64 = Struct(">Q")
_BIAS: Final = 1 << 63
_MASK: Final = (1 << 64) - 1


class Group(IntEnum):
    """The first byte of an encoding, in the order of ``model.values``; never renumbered."""

    LIST = 0x13
    DATE_TIME = 0x15
    LOCAL_DATE_TIME = 0x16
    DATE = 0x17
    TIME = 0x18
    LOCAL_TIME = 0x19
    DURATION = 0x1A
    POINT = 0x1B
    VECTOR = 0x1C
    BYTES = 0x1D
    TEXT = 0x1E
    BOOLEAN = 0x1F
    NUMBER = 0x20
    NULL = 0x22


GROUPS: Final[dict[type, Group]] = {
    DateTime: Group.DATE_TIME,
    LocalDateTime: Group.LOCAL_DATE_TIME,
    Date: Group.DATE,
    Time: Group.TIME,
    LocalTime: Group.LOCAL_TIME,
    Duration: Group.DURATION,
    Point: Group.POINT,
    Vector: Group.VECTOR,
}


def fold_int(value: int) -> bytes:
    """A 64-bit integer whose bytes order as the numbers do."""
    return _U64.pack(value + _BIAS)


def fold_float(value: float) -> bytes:
    """A float whose bytes order as the numbers do; -0.0 is 0.0, NaN comes last."""
    if isnan(value):
        return b"\xff" * 8
    (bits,) = _U64.unpack(_F64.pack(value + 0.0))  # + 0.0 makes -0.0 into 0.0
    return _U64.pack(bits ^ _BIAS if bits < _BIAS else bits ^ _MASK)


def fold_bytes(value: bytes) -> bytes:
    """Bytes that end themselves and order as the bytes do."""
    return value.replace(b"\x00", b"\x00\xff") + b"\x00\x00"


def _time(value: Time) -> bytes:
    return bytes((Group.TIME,)) + b"".join([fold_int(part) for part in value.order()])


def _local_date_time(value: LocalDateTime) -> bytes:
    return bytes((Group.LOCAL_DATE_TIME,)) + fold_int(value.days) + fold_int(value.nanos)


def _date_time(value: DateTime) -> bytes:
    second, nanos, offset, zone = value.order()
    numbers = fold_int(second) + fold_int(nanos) + fold_int(offset)
    return bytes((Group.DATE_TIME,)) + numbers + fold_bytes(zone.encode())


def _duration(value: Duration) -> bytes:
    return bytes((Group.DURATION,)) + b"".join([fold_int(part) for part in value.order()])


def _point(value: Point) -> bytes:
    coordinates = b"".join([fold_float(c) for c in value.coordinates])
    return bytes((Group.POINT,)) + fold_int(value.srid) + coordinates


def _vector(value: Vector) -> bytes:
    # each coordinate after a byte that is above the end mark: shorter vectors come first
    fold = fold_float if value.element.startswith("FLOAT") else fold_int
    coordinates = b"".join([b"\x02" + fold(number) for number in value.values()])  # type: ignore[arg-type]
    # the data itself tells apart what has the same place (0.0 and -0.0)
    end = b"\x01" + fold_bytes(value.data)
    return bytes((Group.VECTOR,)) + fold_bytes(value.element.encode()) + coordinates + end


ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    Date: lambda v: bytes((Group.DATE,)) + fold_int(v.days),
    LocalTime: lambda v: bytes((Group.LOCAL_TIME,)) + fold_int(v.nanos),
    Time: _time,
    LocalDateTime: _local_date_time,
    DateTime: _date_time,
    Duration: _duration,
    Point: _point,
    Vector: _vector,
}
