"""Durations: months, days, seconds and nanoseconds, kept apart because none has a fixed length.

``nanoseconds`` is always 0 to 999,999,999; the other three have signs of their own. Fractions
of a larger unit flow into the smaller ones with the average month of the Gregorian calendar
(2,629,746 seconds) and days of 86,400 seconds; this is done in exact rational numbers and cut,
not rounded, at nanoseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from everwhen.errors import ArithmeticFailure, QueryArgumentError, QueryTypeError
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.calendar import NANOS_PER_SECOND, SECONDS_PER_DAY, days_of

SECONDS_PER_MONTH: Final = 2_629_746


class Duration:
    """Made with :meth:`of`, which checks and normalises; ``__init__`` trusts its caller."""

    __slots__ = ("days", "months", "nanoseconds", "seconds")

    def __init__(self, months: int, days: int, seconds: int, nanoseconds: int) -> None:
        self.months = months
        self.days = days
        self.seconds = seconds
        self.nanoseconds = nanoseconds

    @classmethod
    def of(cls, months: int, days: int, seconds: int, nanoseconds: int = 0) -> Duration:
        """Normalised and checked.

        :raises ArithmeticFailure: a part, or the whole in seconds, exceeds 64 bits.
        """
        carry, nanoseconds = divmod(nanoseconds, NANOS_PER_SECOND)
        seconds += carry
        total = months * SECONDS_PER_MONTH + days * SECONDS_PER_DAY + seconds
        for part in (months, days, seconds, total):
            if not INT_MIN <= part <= INT_MAX:
                raise ArithmeticFailure("the duration does not fit into 64 bits")
        return cls(months, days, seconds, nanoseconds)

    @property
    def total_nanos(self) -> int:
        """Seconds and nanoseconds as nanoseconds."""
        return self.seconds * NANOS_PER_SECOND + self.nanoseconds

    def order(self) -> tuple[int, ...]:
        """What durations are sorted by: average length, then the parts. (``<`` is null.)"""
        length = (
            self.months * SECONDS_PER_MONTH + self.days * SECONDS_PER_DAY + self.seconds,
            self.nanoseconds,
        )
        return (*length, self.months, self.days)

    def plus(self, other: Duration) -> Duration:
        return Duration.of(
            self.months + other.months,
            self.days + other.days,
            self.seconds + other.seconds,
            self.nanoseconds + other.nanoseconds,
        )

    def negated(self) -> Duration:
        return Duration.of(-self.months, -self.days, -self.seconds, -self.nanoseconds)

    def times(self, factor: float) -> Duration:
        """:raises ArithmeticFailure: the product exceeds 64 bits, or the factor is no number."""
        if type(factor) is int:
            return Duration.of(
                self.months * factor,
                self.days * factor,
                self.seconds * factor,
                self.nanoseconds * factor,
            )
        return self._scaled(exact(factor))

    def divided_by(self, divisor: float) -> Duration:
        """:raises ArithmeticFailure: the divisor is zero or no number."""
        if divisor == 0:
            raise ArithmeticFailure("division of a duration by zero")
        return self._scaled(1 / exact(divisor))

    def _scaled(self, factor: Fraction) -> Duration:
        return approximate(
            self.months * factor,
            self.days * factor,
            Fraction(self.total_nanos, NANOS_PER_SECOND) * factor,
        )

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is Duration
            and other.months == self.months
            and other.days == self.days
            and other.seconds == self.seconds
            and other.nanoseconds == self.nanoseconds
        )

    def __hash__(self) -> int:
        return hash((Duration, self.months, self.days, self.seconds, self.nanoseconds))

    def __str__(self) -> str:
        years, months = split_toward_zero(self.months, 12)
        date = _part(years, "Y") + _part(months, "M") + _part(self.days, "D")
        time = _time_text(self.total_nanos)
        if time:
            return f"P{date}T{time}"
        return f"P{date}" if date else "PT0S"

    def __repr__(self) -> str:
        return f"Duration({self})"


def split_toward_zero(value: int, unit: int) -> tuple[int, int]:
    """Quotient towards zero, and a remainder of the value's sign."""
    quotient, rest = divmod(abs(value), unit)
    return (-quotient, -rest) if value < 0 else (quotient, rest)


def _part(value: int, unit: str) -> str:
    return f"{value}{unit}" if value else ""


def _time_text(nanos: int) -> str:
    sign = "-" if nanos < 0 else ""
    seconds, fraction = divmod(abs(nanos), NANOS_PER_SECOND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{sign}{hours}H" if hours else ""
    if minutes:
        text += f"{sign}{minutes}M"
    if fraction:
        digits = f"{fraction:09}".rstrip("0")
        return f"{text}{sign}{seconds}.{digits}S"
    return f"{text}{sign}{seconds}S" if seconds else text


def exact(value: float) -> Fraction:
    """A number as its shortest decimal text says it, so that 0.1 is a tenth.

    :raises ArithmeticFailure: not finite.
    """
    if type(value) is int:
        return Fraction(value)
    if not math.isfinite(value):
        raise ArithmeticFailure(f"a duration cannot be made from {value}")
    return Fraction(repr(value))


def approximate(months: Fraction, days: Fraction, seconds: Fraction) -> Duration:
    """A duration of parts that need not be whole; fractions flow down, nanoseconds are cut."""
    whole_months = math.trunc(months)
    days += (months - whole_months) * Fraction(SECONDS_PER_MONTH, SECONDS_PER_DAY)
    whole_days = math.trunc(days)
    seconds += (days - whole_days) * SECONDS_PER_DAY
    return Duration.of(whole_months, whole_days, 0, math.trunc(seconds * NANOS_PER_SECOND))


# --- from a map ----------------------------------------------------------------------------

#: component -> (what it adds to: months, days or seconds; how many of them)
_COMPONENTS: Final[dict[str, tuple[int, Fraction]]] = {
    "years": (0, Fraction(12)),
    "quarters": (0, Fraction(3)),
    "months": (0, Fraction(1)),
    "weeks": (1, Fraction(7)),
    "days": (1, Fraction(1)),
    "hours": (2, Fraction(3600)),
    "minutes": (2, Fraction(60)),
    "seconds": (2, Fraction(1)),
    "milliseconds": (2, Fraction(1, 1_000)),
    "microseconds": (2, Fraction(1, 1_000_000)),
    "nanoseconds": (2, Fraction(1, NANOS_PER_SECOND)),
}


def duration_of_map(components: Mapping[str, Any]) -> Duration:
    """``duration({years: 1, days: 1.5})``.

    :raises QueryArgumentError: an unknown component, or none.
    :raises QueryTypeError: a component that is no number.
    """
    if not components:
        raise QueryArgumentError(
            "a duration needs at least one component", detail="InvalidArgumentValue"
        )
    totals = [Fraction(0), Fraction(0), Fraction(0)]
    for name, value in components.items():
        component = _COMPONENTS.get(name)
        if component is None:
            raise QueryArgumentError(
                f"a duration has no component {name!r}",
                hint=f"use {', '.join(_COMPONENTS)}",
                detail="InvalidArgumentValue",
            )
        if value is None:
            continue
        if type(value) is not int and type(value) is not float:
            raise QueryTypeError(
                f"the component {name} of a duration must be a number, got {value!r}",
                detail="InvalidArgumentType",
            )
        place, unit = component
        totals[place] += exact(value) * unit
    return approximate(*totals)


# --- from text -----------------------------------------------------------------------------

_NUMBER: Final = r"([-+]?\d{1,19}(?:[.,]\d{1,18})?)"
_UNITS: Final = re.compile(
    rf"([-+]?)P(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?",
    re.ASCII,
)
_DATE_FORM: Final = re.compile(
    r"([-+]?)P(\d{4})-?(\d{2})-?(\d{2})T(\d{2}):?(\d{2}):?(\d{2})(?:[.,](\d{1,9}))?", re.ASCII
)
_TEXT_UNITS: Final = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")


def parse_duration(text: str) -> Duration:
    """``P1Y2M10DT2H30M``, ``P2012-02-02T14:37:21.545``.

    :raises QueryArgumentError: malformed.
    """
    found = _UNITS.fullmatch(text)
    if found is not None and text[-1] not in "PT":
        sign = -1 if found.group(1) == "-" else 1
        totals = [Fraction(0), Fraction(0), Fraction(0)]
        for name, number in zip(_TEXT_UNITS, found.groups()[1:], strict=True):
            if number is not None:
                place, unit = _COMPONENTS[name]
                totals[place] += sign * Fraction(number.replace(",", ".")) * unit
        return approximate(*totals)
    found = _DATE_FORM.fullmatch(text)
    if found is not None:
        return _duration_of_date_form(found)
    raise QueryArgumentError(
        f"text cannot be parsed to a duration: {text!r}", detail="InvalidArgumentValue"
    )


def _duration_of_date_form(found: re.Match[str]) -> Duration:
    sign = -1 if found.group(1) == "-" else 1
    years, months, days, hours, minutes, seconds = (int(part) for part in found.groups()[1:7])
    if months > 12 or days > 31 or hours > 24 or minutes > 59 or seconds > 59:
        days_of(years, months, days)  # says which part is wrong
        raise QueryArgumentError(
            f"text cannot be parsed to a duration: {found.group()!r}",
            detail="InvalidArgumentValue",
        )
    nanos = int((found.group(8) or "0").ljust(9, "0"))
    return Duration.of(
        sign * (years * 12 + months),
        sign * days,
        sign * (hours * 3600 + minutes * 60 + seconds),
        sign * nanos,
    )
