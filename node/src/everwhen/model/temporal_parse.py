"""Text to temporal values: the ISO 8601 forms of openCypher 9, extended and basic.

A year has four digits, or a sign and up to nine; a signed year needs the separators. Time zones
are ``Z``, an offset, a name in brackets, or an offset and a name that agree.
"""

from __future__ import annotations

import re
from typing import Final

from everwhen.errors import QueryArgumentError
from everwhen.model import calendar as cal
from everwhen.model.calendar import NANOS_PER_DAY, NANOS_PER_SECOND
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time, ZoneId
from everwhen.model.zones import parse_offset, zone

_DATE: Final = re.compile(
    r"""(?: (?P<year>[-+]\d{1,9}|\d{4}) (?:
            -(?P<month>\d{1,2}) (?:-(?P<day>\d{1,2}))?
          | -W(?P<week>\d{1,2}) (?:-(?P<weekday>\d))?
          | -Q(?P<quarter>\d) (?:-(?P<quarterday>\d{1,2}))?
          | -(?P<ordinal>\d{3})
        )?
      | (?P<byear>\d{4}) (?:
            (?P<bmonth>\d{2}) (?P<bday>\d{2})?
          | W(?P<bweek>\d{2}) (?P<bweekday>\d)?
          | Q(?P<bquarter>\d) (?P<bquarterday>\d{2})?
          | (?P<bordinal>\d{3})
        ) )""",
    re.VERBOSE | re.ASCII,
)
_TIME: Final = re.compile(
    r"""(?: (?P<hour>\d{1,2})
            (?: :(?P<minute>\d{1,2}) (?: :(?P<second>\d{1,2}) (?:[.,](?P<fraction>\d{1,9}))? )? )?
      | (?P<bhour>\d{2}) (?P<bminute>\d{2})
            (?: (?P<bsecond>\d{2}) (?:[.,](?P<bfraction>\d{1,9}))? )? )""",
    re.VERBOSE | re.ASCII,
)
_ZONE: Final = re.compile(r"(?P<offset>[Zz]|[-+][\d:]+)?(?:\[(?P<name>[^\[\]]+)\])?", re.ASCII)


def _malformed(what: str, text: str) -> QueryArgumentError:
    shown = text if len(text) <= 80 else text[:80] + "…"
    return QueryArgumentError(
        f"text cannot be parsed to a {what}: {shown!r}", detail="InvalidArgumentValue"
    )


def _days(text: str, what: str) -> int:
    found = _DATE.fullmatch(text)
    if found is None:
        raise _malformed(what, text)

    def part(name: str) -> int | None:
        digits = found[name] or found[f"b{name}"]
        return None if digits is None else int(digits)

    year = int(found["year"] or found["byear"])
    week, quarter, ordinal = part("week"), part("quarter"), part("ordinal")
    if week is not None:
        weekday = part("weekday")
        return cal.days_of_week(year, week, 1 if weekday is None else weekday)
    if quarter is not None:
        day = part("quarterday")
        return cal.days_of_quarter(year, quarter, 1 if day is None else day)
    if ordinal is not None:
        return cal.days_of_ordinal(year, ordinal)
    month, day = part("month"), part("day")
    return cal.days_of(year, 1 if month is None else month, 1 if day is None else day)


def _nanos(text: str, what: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        raise _malformed(what, text)
    hour = cal.check_range("hour", int(found["hour"] or found["bhour"]), 0, 23)
    minute = cal.check_range("minute", int(found["minute"] or found["bminute"] or 0), 0, 59)
    second = cal.check_range("second", int(found["second"] or found["bsecond"] or 0), 0, 59)
    fraction = found["fraction"] or found["bfraction"] or ""
    seconds = (hour * 60 + minute) * 60 + second
    return seconds * NANOS_PER_SECOND + int(fraction.ljust(9, "0"))


def _zone(text: str, what: str) -> tuple[int | None, str | None]:
    """Offset and name, each None if not given."""
    found = _ZONE.fullmatch(text)
    if found is None:
        raise _malformed(what, text)
    offset = None
    if found["offset"] is not None:
        offset = parse_offset(found["offset"])
        if offset is None:
            raise _malformed(what, text)
    name = found["name"]
    if name is not None:
        as_offset = parse_offset(name)
        if as_offset is not None:
            if offset is not None and offset != as_offset:
                raise _malformed(what, text)
            return as_offset, None
    return offset, name


def parse_zone(text: str) -> ZoneId:
    """An offset in seconds, or the name of a zone that exists.

    :raises QueryArgumentError: neither.
    """
    offset = parse_offset(text)
    return zone(text).name if offset is None else offset


def parse_date(text: str) -> Date:
    """``2015-07-21``, ``20150721``, ``2015-W30-2``, ``2015-Q3-21``, ``2015-202``, ``2015-07``, …"""
    return Date(_days(text, "date"))


def parse_local_time(text: str) -> LocalTime:
    """``21:40:32.142``, ``214032.142``, ``21:40``, ``21``."""
    return LocalTime(_nanos(text, "local time"))


def parse_time(text: str, default_offset: int = 0) -> Time:
    """A local time and an optional offset: ``21:40:32.142+01:00``, ``2140-02``."""
    local = re.match(r"[\d:.,]*", text)
    assert local is not None  # it may be empty
    nanos = _nanos(local[0], "time")
    offset, name = _zone(text[local.end() :], "time")
    if name is not None:
        raise QueryArgumentError(
            f"a time has an offset, not a named zone such as {name!r}",
            hint="a zone's offset depends on the day; use datetime",
            detail="InvalidArgumentValue",
        )
    return Time(nanos, default_offset if offset is None else offset)


def parse_local_datetime(text: str) -> LocalDateTime:
    """A date, ``T`` and a local time; the time may be missing."""
    date, time, rest = _split(text, "local datetime")
    if rest:
        raise _malformed("local datetime", text)
    return LocalDateTime(
        _days(date, "local datetime"), 0 if time is None else _nanos(time, "local datetime")
    )


def parse_datetime(text: str, default_zone: ZoneId = 0) -> DateTime:
    """A date, ``T``, a local time and an optional zone.

    :raises QueryArgumentError: malformed, no such day, or an offset the named zone does not have
        at that time.
    """
    date, time, rest = _split(text, "datetime")
    days = _days(date, "datetime")
    nanos = 0 if time is None else _nanos(time, "datetime")
    offset, name = _zone(rest, "datetime")
    if name is None:
        return DateTime.of_local(days, nanos, default_zone if offset is None else offset)
    if offset is None:
        return DateTime.of_local(days, nanos, zone(name).name)
    local = (days * NANOS_PER_DAY + nanos) // NANOS_PER_SECOND
    if offset not in zone(name).offsets_of(local):
        raise QueryArgumentError(
            f"time zone and offset do not match: {text!r}", detail="InvalidArgumentValue"
        )
    return DateTime(days, nanos, offset, name)


def _split(text: str, what: str) -> tuple[str, str | None, str]:
    """Date, time of day (None if there is no T) and the rest."""
    date, mark, tail = text.partition("T")
    if not mark:
        bracket = date.find("[")
        if bracket >= 0:
            return date[:bracket], None, date[bracket:]
        return date, None, ""
    local = re.match(r"[\d:.,]*", tail)
    if local is None or not local[0]:
        raise _malformed(what, text)
    return date, local[0], tail[local.end() :]
