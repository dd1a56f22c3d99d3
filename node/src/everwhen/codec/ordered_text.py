"""Ordered bytes (``codec.ordered``) in words, for ``everwhen dump`` and error messages.

A way back for people, not for the engine: what the order does not need is not there (``1`` and
``1.0`` read the same, as do 0.0 and -0.0).
"""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from struct import Struct
from typing import Final

from everwhen.codec.ordered_types import Group
from everwhen.errors import ClientError, CorruptData
from everwhen.model.calendar import check_days
from everwhen.model.duration import SECONDS_PER_MONTH, Duration
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time

_U64 = Struct(">Q")
_F64 = Struct(">d")
_BIAS: Final = 1 << 63
_MASK: Final = (1 << 64) - 1
_SECONDS_PER_DAY: Final = 86_400
_NANOS_PER_SECOND: Final = 1_000_000_000


def describe(data: bytes) -> str:
    """The values of an index entry, separated by commas.

    :raises CorruptData: no ordered bytes.
    """
    reader = _Reader(data)
    found = []
    while not reader.done:
        found.append(reader.value())
    return ", ".join(found)


class _Reader:
    """A position in ordered bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._data)

    def _take(self, count: int) -> bytes:
        part = self._data[self._at : self._at + count]
        if len(part) != count:
            raise CorruptData(f"ordered bytes {self._data.hex()} end too early")
        self._at += count
        return part

    def _int(self) -> int:
        return int(_U64.unpack(self._take(8))[0]) - _BIAS

    def _float(self) -> float:
        (bits,) = _U64.unpack(self._take(8))
        unfolded = bits ^ _BIAS if bits & _BIAS else bits ^ _MASK
        return float(_F64.unpack(_U64.pack(unfolded))[0])

    def _bytes(self) -> bytes:
        found = bytearray()
        while True:
            byte = self._take(1)
            if byte == b"\x00":
                mark = self._take(1)
                if mark == b"\x00":
                    return bytes(found)
                if mark != b"\xff":
                    raise CorruptData(f"ordered bytes {self._data.hex()} have a broken escape")
            found += byte

    def value(self) -> str:
        """The next value in words."""
        group = self._take(1)[0]
        read = _READERS.get(group)
        if read is None:
            raise CorruptData(f"ordered bytes {self._data.hex()} have unknown group {group:#04x}")
        try:
            return read(self)
        except (ClientError, ValueError, OverflowError, RecursionError) as error:
            raise CorruptData(f"ordered bytes {self._data.hex()}: {error}") from error

    def number(self) -> str:
        """A number: whole ones without a point."""
        floor = self._float()
        if isnan(floor):
            return "NaN"
        if -(2.0**53) < floor < 2.0**53:
            return str(int(floor)) if floor.is_integer() else repr(floor)
        above = int.from_bytes(self._take(2), "big")
        return repr(floor) if floor in (float("inf"), float("-inf")) else str(int(floor) + above)

    def text(self) -> str:
        return repr(self._bytes().decode("utf-8", "replace"))

    def raw(self) -> str:
        return repr(self._bytes())

    def boolean(self) -> str:
        return "true" if self._take(1) == b"\x01" else "false"

    def items(self) -> str:
        """A list."""
        found = []
        while self._data[self._at : self._at + 1] != b"\x01":
            found.append(self.value())
        self._at += 1
        return f"[{', '.join(found)}]"

    def date(self) -> str:
        return str(Date(check_days(self._int())))

    def local_time(self) -> str:
        return str(LocalTime(self._int()))

    def time(self) -> str:
        instant, nanos = self._int(), self._int()
        return str(Time(nanos, (nanos - instant) // _NANOS_PER_SECOND))

    def local_date_time(self) -> str:
        days, nanos = self._int(), self._int()
        return str(LocalDateTime(check_days(days), nanos))

    def date_time(self) -> str:
        second, nanos, offset = self._int(), self._int(), self._int()
        days, rest = divmod(second + offset, _SECONDS_PER_DAY)
        zone = self._bytes().decode("utf-8", "replace")
        return str(
            DateTime(check_days(days), rest * _NANOS_PER_SECOND + nanos, offset, zone or None)
        )

    def duration(self) -> str:
        total, nanos, months, days = (self._int() for _ in range(4))
        seconds = total - months * SECONDS_PER_MONTH - days * _SECONDS_PER_DAY
        return str(Duration(months, days, seconds, nanos))

    def point(self) -> str:
        srid = self._int()
        count = 3 if srid in (4979, 9157) else 2
        coordinates = [self._float() for _ in range(count)]
        return f"point in {srid} at {', '.join(map(repr, coordinates))}"

    def vector(self) -> str:
        element = self._bytes().decode("utf-8", "replace")
        coordinates = 0
        while self._take(1) == b"\x02":
            self._take(8)
            coordinates += 1
        self._bytes()
        return f"vector of {coordinates} {element}"


_READERS: Final[dict[int, Callable[[_Reader], str]]] = {
    Group.NUMBER: _Reader.number,
    Group.TEXT: _Reader.text,
    Group.BYTES: _Reader.raw,
    Group.BOOLEAN: _Reader.boolean,
    Group.LIST: _Reader.items,
    Group.NULL: lambda _: "null",
    Group.DATE: _Reader.date,
    Group.LOCAL_TIME: _Reader.local_time,
    Group.TIME: _Reader.time,
    Group.LOCAL_DATE_TIME: _Reader.local_date_time,
    Group.DATE_TIME: _Reader.date_time,
    Group.DURATION: _Reader.duration,
    Group.POINT: _Reader.point,
    Group.VECTOR: _Reader.vector,
}
