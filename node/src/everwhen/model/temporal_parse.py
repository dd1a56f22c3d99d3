"""Text to temporal values: the ISO 8601 forms of openCypher 9, basic and extended."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from everwhen.errors import QueryArgumentError
from everwhen.model import calendar as cal
from everwhen.model import zones
from everwhen.model.calendar import NANOS_PER_SECOND
from everwhen.model.duration import Duration
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time

_YEAR = r"(?P<year>[+-]\d{1,9}|\d{4})"
_DATE_FORMS: Final = tuple(
    re.compile(form)
    for form in (
        _YEAR,
        _YEAR + r"-(?P<month>\d{1,2})",
        _YEAR + r"-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
        r"(?P<year>\d{4})(?P<month>\d{2})",
        _YEAR + r"-(?P<ordinal>\d{3})",
        r"(?P<year>\d{4})(?P<ordinal>\d{3})",
        _YEAR + r"-?W(?P<week>\d{1,2})",
        _YEAR + r"-?W(?P<week>\d{2})-?(?P<weekday>\d)",
        _YEAR + r"-?Q(?P<quarter>\d)",
        _YEAR + r"-?Q(?P<quarter>\d)-?(?P<quarterday>\d{1,2})",
    )
)
_TIME_FORM: Final = re.compile(
    r"(?P<hour>\d{1,2})(?:(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9}))?)?)"
    r"|(?:(?P<minute2>\d{2})(?:(?P<second2>\d{2})(?:[.,](?P<fraction2>\d{1,9}))?)?))?"
)
_ZONE_FORM: Final = re.compile(
    r"(?P<local>[^Zz+\-\[]*)(?P<offset>[Zz]|[+-][\d:]+)?(?:\[(?P<zone>[^\]]+)\])?"
)
_PART = r"(?P<{0}>[+-]?\d+(?:[.,]\d+)?)"
_DURATION_FORM: Final = re.compile(
    r"(?P<sign>[+-])?P"
    + "".join(f"(?:{_PART.format(name)}{unit})?" for name, unit in (
        ("years", "Y"), ("months", "M"), ("weeks", "W"), ("days", "D")))
    + r"(?:T"
    + "".join(f"(?:{_PART.format(name)}{unit})?" for name, unit in (
        ("hours", "H"), ("minutes", "M"), ("seconds", "S")))
    + r")?",
    re.IGNORECASE,
)
_DURATION_DATE_FORM: Final = re.compile(
    r"P(?P<years>\d{4})-?(?P<months>\d{2})-?(?P<days>\d{2})"
    r"T(?P<hours>\d{2}):?(?P<minutes>\d{2}):?(?P<seconds>\d{2}(?:[.,]\d{1,9})?)"
)


def _malformed(kind: str, text: str) -> QueryArgumentError:
    return QueryArgumentError(
        f"{text!r} cannot be read as a {kind}", detail="InvalidArgumentValue"
    )


def parse_days(text: str, kind: str = "date") -> int:
    """The day number of a date in text.

    :raises QueryArgumentError: no such form, or no such day.
    """
    for form in _DATE_FORMS:
        match = form.fullmatch(text)
        if match is None:
            continue
        parts = {name: int(value) for name, value in match.groupdict().items() if value}
        year = cal.check("year", parts["year"], cal.YEAR_MIN, cal.YEAR_MAX)
        if "week" in parts:
            return cal.week_days(year, parts["week"], parts.get("weekday", 1))
        if "quarter" in parts:
            return cal.quarter_days(year, parts["quarter"], parts.get("quarterday", 1))
        if "ordinal" in parts:
            return cal.ordinal_days(year, parts["ordinal"])
        return cal.date_days(year, parts.get("month", 1), parts.get("day", 1))
    raise _malformed(kind, text)


def parse_nanos(text: str, kind: str) -> int:
    """Nanoseconds of the day of a time in text.

    :raises QueryArgumentError: no such form or time.
    """
    match = _TIME_FORM.fullmatch(text)
    if match is None:
        raise _malformed(kind, text)
    parts = match.groupdict()
    hour = cal.check("hour", int(parts["hour"]), 0, 23)
    minute = cal.check("minute", int(parts["minute"] or parts["minute2"] or 0), 0, 59)
    second = cal.check("second", int(parts["second"] or parts["second2"] or 0), 0, 59)
    fraction = (parts["fraction"] or parts["fraction2"] or "").ljust(9, "0")
    return ((hour * 60 + minute) * 60 + second) * NANOS_PER_SECOND + int(fraction)


def _split_zone(text: str, kind: str) -> tuple[str, int | None, str | None]:
    """(local part, offset, zone name)."""
    match = _ZONE_FORM.fullmatch(text)
    if match is None:
        raise _malformed(kind, text)
    offset = None
    if match["offset"] is not None:
        offset = zones.parse_offset(match["offset"])
        if offset is None:
            raise _malformed(kind, text)
    return match["local"], offset, match["zone"]


def parse_date(text: str) -> Date:
    """``2015-07-21``, ``20150721``, ``2015-W30-2``, ``2015-Q2-60``, ``2015-202``, ``2015`` …"""
    return Date(parse_days(text))


def parse_local_time(text: str) -> LocalTime:
    """``21:40:32.142``, ``214032.142``, ``21:40``, ``2140``, ``21``."""
    return LocalTime(parse_nanos(text, "local time"))


def parse_time(text: str, default_offset: int = 0) -> Time:
    """A local time with ``Z``, ``+01:00``, ``+0100`` or ``+01`` after it."""
    local, offset, zone = _split_zone(text, "time")
    if zone is not None:
        raise _malformed("time", text)
    return Time(parse_nanos(local, "time"), default_offset if offset is None else offset)


def _split_date_time(text: str, kind: str) -> tuple[int, str]:
    date, separator, time = text.partition("T")
    if not separator:
        return parse_days(text, kind), ""
    return parse_days(date, kind), time


def parse_local_date_time(text: str) -> LocalDateTime:
    """A date, ``T``, a local time."""
    days, time = _split_date_time(text, "local datetime")
    return LocalDateTime(days, parse_nanos(time, "local datetime") if time else 0)


def parse_date_time(text: str, default_zone: str | int = 0) -> DateTime:
    """A date, ``T``, a local time, an offset, a zone in brackets; the last two may be missing.

    :raises QueryArgumentError: malformed, or the offset is not one of the zone's then.
    """
    days, rest = _split_date_time(text, "datetime")
    local, offset, zone = _split_zone(rest, "datetime")
    nanos = parse_nanos(local, "datetime") if local else 0
    if zone is None:
        return DateTime.of_local(days, nanos, default_zone if offset is None else offset)
    numeric = zones.parse_offset(zone)
    if numeric is not None:
        return DateTime.of_local(days, nanos, numeric)
    if offset is None:
        return DateTime.of_local(days, nanos, zone)
    instant = DateTime(days, nanos, offset)
    seen = instant.in_zone(zone)
    if seen.offset != offset:
        return DateTime.of_local(days, nanos, zone)
    return seen


def parse_duration(text: str) -> Duration:
    """``P1Y2M3W4DT5H6M7.8S`` with any part missing, or ``P2012-02-02T14:37:21.545``."""
    match = _DURATION_DATE_FORM.fullmatch(text) or _DURATION_FORM.fullmatch(text)
    parts = {} if match is None else {k: v for k, v in match.groupdict().items() if v}
    sign = -1 if parts.pop("sign", "+") == "-" else 1
    if not parts or text[-1:] in "Tt":
        raise _malformed("duration", text)

    def part(name: str) -> Fraction:
        return sign * Fraction(parts.get(name, "0").replace(",", "."))

    return Duration.approximate(
        part("years") * 12 + part("months"),
        part("weeks") * 7 + part("days"),
        part("hours") * 3600 + part("minutes") * 60 + part("seconds"),
        Fraction(0),
    )
