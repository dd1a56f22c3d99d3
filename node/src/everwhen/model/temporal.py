"""The temporal values: what they hold, how they compare, their ISO 8601 text.

Own classes because Python's know neither nanoseconds nor years beyond 9999. Every field is a
whole number; constructors trust their caller, so checks live where values come in
(``temporal_build``, ``temporal_parse``). Values are immutable by convention. Components are in
``temporal_parts``, arithmetic in ``temporal_math``.

A ``DateTime`` keeps local date and time *and* the offset, so that reading a stored value never
depends on the version of the zone rules. Equality is identity of all fields; order is by
instant first, then by what tells two values of one instant apart (``java.time.ZonedDateTime``).
"""

from __future__ import annotations

from typing import Any, Final

from everwhen.model.calendar import (
    NANOS_PER_DAY,
    NANOS_PER_SECOND,
    SECONDS_PER_DAY,
    check_days,
)
from everwhen.model.calendar import civil_from_days as _civil
from everwhen.model.duration import Duration
from everwhen.model.zones import offset_text, zone

__all__ = ["Date", "DateTime", "Duration", "LocalDateTime", "LocalTime", "Time", "ZoneId"]

ZoneId = str | int
"""The name of a zone, or an offset from UTC in seconds."""

_MICROS_PER_SECOND: Final = 1_000_000


def _date_text(days: int) -> str:
    year, month, day = _civil(days)
    if 0 <= year <= 9999:
        return f"{year:04}-{month:02}-{day:02}"
    sign = "-" if year < 0 else "+"
    return f"{sign}{abs(year):04}-{month:02}-{day:02}"


def _time_text(nanos: int) -> str:
    """The shortest of HH:MM, HH:MM:SS and a fraction of 3, 6 or 9 digits that says all."""
    seconds, fraction = divmod(nanos, NANOS_PER_SECOND)
    minutes, seconds = divmod(seconds, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    if fraction == 0:
        return f"{text}:{seconds:02}" if seconds else text
    if fraction % 1_000_000 == 0:
        return f"{text}:{seconds:02}.{fraction // 1_000_000:03}"
    if fraction % 1_000 == 0:
        return f"{text}:{seconds:02}.{fraction // 1_000:06}"
    return f"{text}:{seconds:02}.{fraction:09}"


class Date:
    """A day: ``days`` since 1970-01-01."""

    __slots__ = ("days",)

    def __init__(self, days: int) -> None:
        self.days = days

    def order(self) -> tuple[int, ...]:
        """What values of this class are compared by."""
        return (self.days,)

    def __eq__(self, other: object) -> bool:
        return type(other) is Date and other.days == self.days

    def __hash__(self) -> int:
        return hash((Date, self.days))

    def __str__(self) -> str:
        return _date_text(self.days)

    def __repr__(self) -> str:
        return f"Date({self})"


class LocalTime:
    """A time of day without a zone: ``nanos`` since midnight."""

    __slots__ = ("nanos",)

    def __init__(self, nanos: int) -> None:
        self.nanos = nanos

    def order(self) -> tuple[int, ...]:
        """What values of this class are compared by."""
        return (self.nanos,)

    def __eq__(self, other: object) -> bool:
        return type(other) is LocalTime and other.nanos == self.nanos

    def __hash__(self) -> int:
        return hash((LocalTime, self.nanos))

    def __str__(self) -> str:
        return _time_text(self.nanos)

    def __repr__(self) -> str:
        return f"LocalTime({self})"


class Time:
    """A time of day with an offset: local ``nanos`` since midnight, ``offset`` in seconds."""

    __slots__ = ("nanos", "offset")

    def __init__(self, nanos: int, offset: int) -> None:
        self.nanos = nanos
        self.offset = offset

    @property
    def utc_nanos(self) -> int:
        """Nanoseconds since midnight UTC; below 0 or above a day where the offset says so."""
        return self.nanos - self.offset * NANOS_PER_SECOND

    def at_offset(self, offset: int) -> Time:
        """The same instant with another offset."""
        shift = (offset - self.offset) * NANOS_PER_SECOND
        return Time((self.nanos + shift) % NANOS_PER_DAY, offset)

    def order(self) -> tuple[int, ...]:
        """What values of this class are compared by: the instant, then the local time."""
        return (self.nanos - self.offset * NANOS_PER_SECOND, self.nanos)

    def __eq__(self, other: object) -> bool:
        return type(other) is Time and other.nanos == self.nanos and other.offset == self.offset

    def __hash__(self) -> int:
        return hash((Time, self.nanos, self.offset))

    def __str__(self) -> str:
        return _time_text(self.nanos) + offset_text(self.offset)

    def __repr__(self) -> str:
        return f"Time({self})"


class LocalDateTime:
    """A date and a time of day without a zone."""

    __slots__ = ("days", "nanos")

    def __init__(self, days: int, nanos: int) -> None:
        self.days = days
        self.nanos = nanos

    def order(self) -> tuple[int, ...]:
        """What values of this class are compared by."""
        return (self.days, self.nanos)

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is LocalDateTime and other.days == self.days and other.nanos == self.nanos
        )

    def __hash__(self) -> int:
        return hash((LocalDateTime, self.days, self.nanos))

    def __str__(self) -> str:
        return f"{_date_text(self.days)}T{_time_text(self.nanos)}"

    def __repr__(self) -> str:
        return f"LocalDateTime({self})"


class DateTime:
    """A local date and time, its ``offset`` in seconds, and the named ``zone`` if it has one."""

    __slots__ = ("days", "nanos", "offset", "zone")

    def __init__(self, days: int, nanos: int, offset: int, zone: str | None = None) -> None:
        self.days = days
        self.nanos = nanos
        self.offset = offset
        self.zone = zone

    @classmethod
    def of_instant(cls, seconds: int, nanos: int, where: ZoneId = 0) -> DateTime:
        """The local view of an instant (seconds since 1970 UTC and nanoseconds of the second).

        :raises QueryArgumentError: outside the years that exist.
        """
        offset, name = (
            (where, None) if isinstance(where, int) else (zone(where).offset_at(seconds), where)
        )
        days, rest = divmod(seconds + offset, SECONDS_PER_DAY)
        return cls(check_days(days), rest * NANOS_PER_SECOND + nanos, offset, name)

    @classmethod
    def of_micros(cls, micros: int, where: ZoneId = 0) -> DateTime:
        """From microseconds since 1970 UTC, the unit of commit times."""
        seconds, rest = divmod(micros, _MICROS_PER_SECOND)
        return cls.of_instant(seconds, rest * 1_000, where)

    @classmethod
    def of_local(
        cls, days: int, nanos: int, where: ZoneId, preferred: int | None = None
    ) -> DateTime:
        """A local time in a zone: moved out of a gap; where it exists twice, the earlier one
        unless the offset ``preferred`` says the later.

        :raises QueryArgumentError: outside the years that exist.
        """
        if isinstance(where, int):
            return cls(check_days(days), nanos, where)
        local, fraction = divmod(days * NANOS_PER_DAY + nanos, NANOS_PER_SECOND)
        local, offset = zone(where).resolve(local, preferred)
        days, rest = divmod(local, SECONDS_PER_DAY)
        return cls(check_days(days), rest * NANOS_PER_SECOND + fraction, offset, where)

    @property
    def where(self) -> ZoneId:
        """The named zone, or the offset in seconds."""
        return self.offset if self.zone is None else self.zone

    def at_zone(self, where: ZoneId) -> DateTime:
        """The same instant seen from another zone."""
        return DateTime.of_instant(self.epoch_seconds, self.nanos % NANOS_PER_SECOND, where)

    @property
    def epoch_seconds(self) -> int:
        """Whole seconds since 1970 UTC (floor)."""
        return self.days * SECONDS_PER_DAY + self.nanos // NANOS_PER_SECOND - self.offset

    @property
    def epoch_micros(self) -> int:
        """Microseconds since 1970 UTC (floor): the unit of commit times."""
        return self.epoch_seconds * _MICROS_PER_SECOND + self.nanos % NANOS_PER_SECOND // 1_000

    @property
    def epoch_nanos(self) -> int:
        """Nanoseconds since 1970 UTC."""
        return self.days * NANOS_PER_DAY + self.nanos - self.offset * NANOS_PER_SECOND

    def order(self) -> tuple[Any, ...]:
        """What values of this class are compared by: instant, offset, name of the zone."""
        return (
            self.days * SECONDS_PER_DAY + self.nanos // NANOS_PER_SECOND - self.offset,
            self.nanos % NANOS_PER_SECOND,
            self.offset,
            self.zone or "",
        )

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is DateTime
            and other.days == self.days
            and other.nanos == self.nanos
            and other.offset == self.offset
            and other.zone == self.zone
        )

    def __hash__(self) -> int:
        return hash((DateTime, self.days, self.nanos, self.offset, self.zone))

    def __str__(self) -> str:
        text = f"{_date_text(self.days)}T{_time_text(self.nanos)}{offset_text(self.offset)}"
        return text if self.zone is None else f"{text}[{self.zone}]"

    def __repr__(self) -> str:
        return f"DateTime({self})"
