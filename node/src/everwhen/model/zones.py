"""Time zones: offsets from UTC at an instant, and of a local time (as java.time resolves it).

The rules come from the locked ``tzdata`` package (RFC 8536 files), never from the host, so that
every node answers alike. Years after the last listed transition follow the POSIX rule at the
file's end. A local time in a gap moves forward by the gap's length; one that exists twice takes
the earlier offset unless the caller prefers the later one (``java.time.ZonedDateTime``).
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from everwhen.errors import QueryArgumentError
from everwhen.model.calendar import (
    SECONDS_PER_DAY,
    civil_from_days,
    days_from_civil,
    days_in_month,
    is_leap,
    week_day,
)

OFFSET_MAX: Final = 18 * 3600


class _Transition(NamedTuple):
    at: int  # seconds since 1970 UTC
    before: int  # offset in seconds
    after: int


class _Rule(NamedTuple):
    """When within a year a POSIX rule changes the offset: Mm.w.d, Jn or n, at a local time."""

    kind: str
    month: int
    week: int
    day: int
    time: int

    def days(self, year: int) -> int:
        """The day of the change, since 1970."""
        first = days_from_civil(year, 1, 1)
        if self.kind == "n":
            return first + self.day
        if self.kind == "J":
            return first + self.day - 1 + (1 if is_leap(year) and self.day >= 60 else 0)
        first = days_from_civil(year, self.month, 1)
        wanted = 7 if self.day == 0 else self.day
        found = first + (wanted - week_day(first)) % 7 + (self.week - 1) * 7
        last = first + days_in_month(year, self.month) - 1
        return found if found <= last else found - 7


class Zone:
    """One named zone."""

    __slots__ = (
        "_ats",
        "_daylight",
        "_first",
        "_last",
        "_rules",
        "_standard",
        "_transitions",
        "name",
    )

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        transitions, self._first, self._last, footer = _parse(data)
        self._transitions = transitions
        self._ats = [transition.at for transition in transitions]
        self._standard, self._daylight, self._rules = _parse_footer(footer)

    def offset_at(self, epoch_seconds: int) -> int:
        """Offset in seconds at an instant."""
        ats = self._ats
        if self._rules is not None and epoch_seconds >= self._last:
            return self._offset_by_rule(epoch_seconds)
        index = bisect_right(ats, epoch_seconds)
        return self._transitions[index - 1].after if index else self._first

    def resolve(self, local_seconds: int, preferred: int | None = None) -> tuple[int, int]:
        """Local seconds since 1970 (moved out of a gap) and their offset."""
        for at, before, after in self._near(local_seconds):
            if after > before:
                if at + before <= local_seconds < at + after:
                    return local_seconds + after - before, after
            elif at + after <= local_seconds < at + before:
                return local_seconds, after if preferred == after else before
        return local_seconds, self.offset_at(local_seconds - self.offset_at(local_seconds))

    def offsets_of(self, local_seconds: int) -> tuple[int, ...]:
        """The offsets at which a local time exists: none in a gap, two in an overlap."""
        for at, before, after in self._near(local_seconds):
            if after > before and at + before <= local_seconds < at + after:
                return ()
            if after < before and at + after <= local_seconds < at + before:
                return before, after
        return (self.resolve(local_seconds)[1],)

    def _near(self, local_seconds: int) -> Iterator[_Transition]:
        """Transitions within a day and a bit of an instant."""
        low, high = local_seconds - 100_000, local_seconds + 100_000
        ats = self._ats
        yield from self._transitions[bisect_right(ats, low) : bisect_right(ats, high)]
        if self._rules is not None and high >= self._last:
            year = civil_from_days(local_seconds // SECONDS_PER_DAY)[0]
            for around in (year - 1, year, year + 1):
                for transition in self._yearly(around):
                    if low < transition.at <= high and transition.at > self._last:
                        yield transition

    def _yearly(self, year: int) -> tuple[_Transition, ...]:
        return _yearly(self._standard, self._daylight, self._rules, year)

    def _offset_by_rule(self, epoch_seconds: int) -> int:
        year = civil_from_days((epoch_seconds + self._standard) // SECONDS_PER_DAY)[0]
        offset = None
        for around in (year - 1, year, year + 1):
            for transition in self._yearly(around):
                if transition.at <= epoch_seconds:
                    offset = transition.after
        assert offset is not None  # the year before has a transition
        return offset


@lru_cache(maxsize=2048)
def _yearly(
    standard: int, daylight: int, rules: tuple[_Rule, _Rule] | None, year: int
) -> tuple[_Transition, ...]:
    """The two changes of a year, in order of time."""
    assert rules is not None
    start, end = rules
    begins = start.days(year) * SECONDS_PER_DAY + start.time - standard
    ends = end.days(year) * SECONDS_PER_DAY + end.time - daylight
    both = (_Transition(begins, standard, daylight), _Transition(ends, daylight, standard))
    return both if begins < ends else both[::-1]


# --- reading RFC 8536 ----------------------------------------------------------------------

_HEADER: Final = struct.Struct(">4sc15x6I")


def _parse(data: bytes) -> tuple[list[_Transition], int, int, str]:
    """Transitions that change the offset, the offset before them, the instant from which the
    POSIX rule decides, and that rule."""
    magic, version, *counts = _HEADER.unpack_from(data)
    if magic != b"TZif" or version < b"2":
        raise ValueError("no TZif file of version 2 or later")
    utc, std, leap, times, types, chars = counts
    # the 32-bit block is skipped: the 64-bit one repeats it
    start = _HEADER.size + times * 5 + types * 6 + chars + leap * 8 + std + utc
    _, _, utc, std, leap, times, types, chars = _HEADER.unpack_from(data, start)
    at = start + _HEADER.size
    instants = struct.unpack_from(f">{times}q", data, at)
    at += times * 8
    indexes = data[at : at + times]
    at += times
    offsets = [struct.unpack_from(">iBB", data, at + number * 6)[0] for number in range(types)]
    at += types * 6 + chars + leap * 12 + std + utc
    footer = data[at:].strip(b"\n").decode("ascii")
    transitions = []
    before = first = offsets[0]
    for instant, index in zip(instants, indexes, strict=True):
        after = offsets[index]
        if after != before:
            transitions.append(_Transition(instant, before, after))
        before = after
    return transitions, first, instants[-1] if instants else -(10**18), footer


_NAME: Final = r"(?:[A-Za-z]+|<[^>]+>)"
_TIME: Final = r"[-+]?\d+(?::\d+(?::\d+)?)?"
_FOOTER: Final = re.compile(
    rf"{_NAME}({_TIME})(?:{_NAME}({_TIME})?,([^,/]+)(?:/({_TIME}))?,([^,/]+)(?:/({_TIME}))?)?"
)


def _parse_footer(text: str) -> tuple[int, int, tuple[_Rule, _Rule] | None]:
    """Standard and daylight offset, and the rules if the zone changes every year."""
    found = _FOOTER.fullmatch(text)
    if found is None:
        raise ValueError(f"no POSIX time zone rule: {text!r}")
    standard_text, daylight_text, start, start_time, end, end_time = found.groups()
    standard = -_seconds(standard_text)
    if start is None:
        return standard, standard, None
    daylight = -_seconds(daylight_text) if daylight_text else standard + 3600
    return standard, daylight, (_rule(start, start_time), _rule(end, end_time))


def _rule(text: str, time: str | None) -> _Rule:
    seconds = _seconds(time) if time else 7200
    if text[0] == "M":
        month, week, day = (int(part) for part in text[1:].split("."))
        return _Rule("M", month, week, day, seconds)
    if text[0] == "J":
        return _Rule("J", 0, 0, int(text[1:]), seconds)
    return _Rule("n", 0, 0, int(text), seconds)


def _seconds(text: str) -> int:
    sign = -1 if text[0] == "-" else 1
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    parts += [0] * (3 - len(parts))
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


# --- names ---------------------------------------------------------------------------------


@cache
def zone_names() -> frozenset[str]:
    """Names of all zones of the package."""
    text = files("tzdata").joinpath("zones").read_text("utf-8")
    return frozenset(text.split())


@cache
def _zone(name: str) -> Zone | None:
    if name not in zone_names():
        return None
    place = files("tzdata").joinpath("zoneinfo")
    for part in name.split("/"):
        place = place.joinpath(part)
    return Zone(name, place.read_bytes())


def zone(name: str) -> Zone:
    """A named zone.

    :raises QueryArgumentError: no zone of that name.
    """
    found = _zone(name) if len(name) < 64 else None
    if found is None:
        raise QueryArgumentError(
            f"no time zone is named {name!r}",
            hint="use an offset such as +02:00 or a name such as Europe/Stockholm",
            detail="InvalidArgumentValue",
        )
    return found


_OFFSET: Final = re.compile(r"([+-])(\d{1,2})(?::?(\d{2})(?::?(\d{2}))?)?")


def parse_offset(text: str) -> int | None:
    """Seconds of ``Z``, ``+01``, ``+0100``, ``+01:00`` or ``+01:00:30``; None: no offset.

    :raises QueryArgumentError: an offset beyond 18 hours.
    """
    if text in ("Z", "z"):
        return 0
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    sign, hours, minutes, seconds = found.groups()
    total = int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    if total > OFFSET_MAX or int(minutes or 0) > 59 or int(seconds or 0) > 59:
        raise QueryArgumentError(
            f"invalid time zone offset {text!r}: must be between -18:00 and +18:00",
            detail="InvalidArgumentValue",
        )
    return -total if sign == "-" else total


def offset_text(offset: int) -> str:
    """``Z``, ``+01:00`` or, where it has seconds, ``+01:12:12``."""
    if offset == 0:
        return "Z"
    sign = "-" if offset < 0 else "+"
    minutes, seconds = divmod(abs(offset), 60)
    text = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{seconds:02}" if seconds else text
