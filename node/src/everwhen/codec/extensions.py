"""The classes of values that msgpack does not know: one extension code each, never reused.

Payloads are big endian and of fixed size but for the zone name and the vector's coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, nan
from struct import Struct
from struct import error as StructError  # noqa: N812 - the module names it in lower case
from typing import Any, Final

from msgspec.msgpack import Ext

from everwhen.errors import EverwhenError
from everwhen.model.calendar import NANOS_PER_DAY, NANOS_PER_SECOND, check_days
from everwhen.model.duration import Duration
from everwhen.model.spatial import NAMES, Point
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time
from everwhen.model.vector import ELEMENT_TYPES, Vector

DATE: Final = 1
LOCAL_TIME: Final = 2
TIME: Final = 3
LOCAL_DATE_TIME: Final = 4
DATE_TIME: Final = 5
DURATION: Final = 6
POINT: Final = 7
VECTOR: Final = 8

#: seconds an offset may lie from UTC
_OFFSET_MAX: Final = 18 * 3600

_Q = Struct(">q")
_QI = Struct(">qi")
_QQ = Struct(">qq")
_QQI = Struct(">qqi")
_QQQI = Struct(">qqqi")
_POINT = {2: Struct(">idd"), 3: Struct(">iddd")}
#: the first byte of a vector's payload is a position here: only ever appended to
_ELEMENTS: Final = ("INTEGER8", "INTEGER16", "INTEGER32", "INTEGER64", "FLOAT32", "FLOAT64")
_SIZES: Final = tuple(Struct(f">{ELEMENT_TYPES[element]}").size for element in _ELEMENTS)

# --- encode ---------------------------------------------------------------------------------


def _point(value: Point) -> Ext:
    coordinates = [nan if isnan(c) else c for c in value.coordinates]
    return Ext(POINT, _POINT[len(coordinates)].pack(value.srid, *coordinates))


def _vector(value: Vector) -> Ext:
    return Ext(VECTOR, bytes((_ELEMENTS.index(value.element),)) + value.data)


ENCODERS: Final[dict[type, Callable[[Any], Ext]]] = {
    Date: lambda v: Ext(DATE, _Q.pack(v.days)),
    LocalTime: lambda v: Ext(LOCAL_TIME, _Q.pack(v.nanos)),
    Time: lambda v: Ext(TIME, _QI.pack(v.nanos, v.offset)),
    LocalDateTime: lambda v: Ext(LOCAL_DATE_TIME, _QQ.pack(v.days, v.nanos)),
    DateTime: lambda v: Ext(
        DATE_TIME, _QQI.pack(v.days, v.nanos, v.offset) + (v.zone or "").encode()
    ),
    Duration: lambda v: Ext(DURATION, _QQQI.pack(v.months, v.days, v.seconds, v.nanoseconds)),
    Point: _point,
    Vector: _vector,
}

# --- decode ---------------------------------------------------------------------------------


def _nanos(nanos: int) -> int:
    if not 0 <= nanos < NANOS_PER_DAY:
        raise ValueError(f"{nanos} nanoseconds are not within a day")
    return nanos


def _offset(offset: int) -> int:
    if not -_OFFSET_MAX <= offset <= _OFFSET_MAX:
        raise ValueError(f"an offset of {offset} seconds")
    return offset


def _read_time(data: memoryview) -> Time:
    nanos, offset = _QI.unpack(data)
    return Time(_nanos(nanos), _offset(offset))


def _read_local_date_time(data: memoryview) -> LocalDateTime:
    days, nanos = _QQ.unpack(data)
    return LocalDateTime(check_days(days), _nanos(nanos))


def _read_date_time(data: memoryview) -> DateTime:
    days, nanos, offset = _QQI.unpack_from(data)
    zone = str(data[_QQI.size :], "utf-8")
    return DateTime(check_days(days), _nanos(nanos), _offset(offset), zone or None)


def _read_duration(data: memoryview) -> Duration:
    months, days, seconds, nanos = _QQQI.unpack(data)
    if not 0 <= nanos < NANOS_PER_SECOND:
        raise ValueError(f"a duration with {nanos} nanoseconds")
    return Duration.of(months, days, seconds, nanos)


def _read_point(data: memoryview) -> Point:
    layout = _POINT[2] if len(data) == _POINT[2].size else _POINT[3]
    srid, *coordinates = layout.unpack(data)
    if srid not in NAMES:
        raise ValueError(f"unknown srid {srid}")
    return Point(srid, tuple(coordinates))


def _read_vector(data: memoryview) -> Vector:
    element = data[0]
    if element >= len(_ELEMENTS) or (len(data) - 1) % _SIZES[element]:
        raise ValueError("a vector that does not fit its element type")
    return Vector(_ELEMENTS[element], bytes(data[1:]))


_DECODERS: Final[dict[int, Callable[[memoryview], Any]]] = {
    DATE: lambda data: Date(check_days(*_Q.unpack(data))),
    LOCAL_TIME: lambda data: LocalTime(_nanos(*_Q.unpack(data))),
    TIME: _read_time,
    LOCAL_DATE_TIME: _read_local_date_time,
    DATE_TIME: _read_date_time,
    DURATION: _read_duration,
    POINT: _read_point,
    VECTOR: _read_vector,
}


def extension(code: int, data: memoryview) -> Any:
    """The value of an extension; handed to msgpack's decoder.

    :raises ValueError: an unknown code, or a payload that is no such value.
    """
    decoder = _DECODERS.get(code)
    if decoder is None:
        raise ValueError(f"unknown extension code {code}")
    try:
        return decoder(data)
    except (StructError, EverwhenError, IndexError) as error:
        raise ValueError(f"extension {code}: {error}") from error
