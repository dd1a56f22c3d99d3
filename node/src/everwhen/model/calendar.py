"""The proleptic Gregorian calendar over integers: days since 1970-01-01, nanoseconds of a day.

ISO 8601 weeks and quarters as java.time counts them. All in whole numbers of any size, so that
years from -999,999,999 to +999,999,999 are exact. The day arithmetic is Howard Hinnant's
"chrono-Compatible Low-Level Date Algorithms" (days_from_civil, civil_from_days).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from everwhen.errors import QueryArgumentError

YEAR_MIN: Final = -999_999_999
YEAR_MAX: Final = 999_999_999
NANOS_PER_SECOND: Final = 1_000_000_000
NANOS_PER_DAY: Final = 86_400 * NANOS_PER_SECOND
SECONDS_PER_DAY: Final = 86_400


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; the parts must name an existing day."""
    if month <= 2:
        year -= 1
        month += 12
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month - 3) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


DAYS_MIN: Final = days_from_civil(YEAR_MIN, 1, 1)
DAYS_MAX: Final = days_from_civil(YEAR_MAX, 12, 31)


@lru_cache(maxsize=4096)
def civil_from_days(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970-01-01."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (1 if month <= 2 else 0), month, day


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def check_range(name: str, value: int, low: int, high: int) -> int:
    """The value, if it lies between the bounds (both belong).

    :raises QueryArgumentError: it does not.
    """
    if low <= value <= high:
        return value
    raise QueryArgumentError(
        f"invalid value for {name}: {value} (must be between {low} and {high})",
        detail="InvalidArgumentValue",
    )


def check_days(days: int) -> int:
    """:raises QueryArgumentError: a date outside the years that exist."""
    if DAYS_MIN <= days <= DAYS_MAX:
        return days
    raise QueryArgumentError(
        f"the date lies outside the years {YEAR_MIN} to +{YEAR_MAX}",
        detail="InvalidArgumentValue",
    )


def days_of(year: int, month: int = 1, day: int = 1) -> int:
    """Days since 1970-01-01 of parts that are checked first.

    :raises QueryArgumentError: no such day.
    """
    check_range("year", year, YEAR_MIN, YEAR_MAX)
    check_range("month", month, 1, 12)
    check_range("day", day, 1, 31)
    if day > 28 and day > days_in_month(year, month):
        raise QueryArgumentError(
            f"invalid date: {year}-{month:02}-{day:02} does not exist",
            detail="InvalidArgumentValue",
        )
    return days_from_civil(year, month, day)


# --- weeks, quarters, ordinal days ---------------------------------------------------------


def week_day(days: int) -> int:
    """1 is Monday, 7 is Sunday."""
    return (days + 3) % 7 + 1


def ordinal_day(days: int) -> int:
    """1 for 1 January."""
    return days - days_from_civil(civil_from_days(days)[0], 1, 1) + 1


def day_of_quarter(days: int) -> int:
    year, month, _ = civil_from_days(days)
    return days - days_from_civil(year, (month - 1) // 3 * 3 + 1, 1) + 1


def week_year_start(week_year: int) -> int:
    """The Monday on which week 1 of a week-based year begins."""
    fourth = days_from_civil(week_year, 1, 4)
    return fourth - (week_day(fourth) - 1)


def week_and_year(days: int) -> tuple[int, int]:
    """ISO week number and the year it belongs to."""
    thursday = days - (week_day(days) - 1) + 3
    year = civil_from_days(thursday)[0]
    return (thursday - days_from_civil(year, 1, 1)) // 7 + 1, year


def weeks_in_year(week_year: int) -> int:
    """52 or 53."""
    return (week_year_start(week_year + 1) - week_year_start(week_year)) // 7


def days_of_week(week_year: int, week: int, day: int = 1) -> int:
    """:raises QueryArgumentError: no such week in that year, or no such day of a week."""
    check_range("year", week_year, YEAR_MIN, YEAR_MAX)
    check_range("week", week, 1, weeks_in_year(week_year))
    check_range("dayOfWeek", day, 1, 7)
    return check_days(week_year_start(week_year) + (week - 1) * 7 + day - 1)


def days_of_ordinal(year: int, ordinal: int) -> int:
    """:raises QueryArgumentError: no such day in that year."""
    check_range("year", year, YEAR_MIN, YEAR_MAX)
    check_range("ordinalDay", ordinal, 1, 366 if is_leap(year) else 365)
    return days_from_civil(year, 1, 1) + ordinal - 1


def days_of_quarter(year: int, quarter: int, day: int = 1) -> int:
    """:raises QueryArgumentError: no such quarter, or it has fewer days."""
    check_range("year", year, YEAR_MIN, YEAR_MAX)
    check_range("quarter", quarter, 1, 4)
    first = days_from_civil(year, quarter * 3 - 2, 1)
    last = days_from_civil(year, quarter * 3, days_in_month(year, quarter * 3))
    check_range("dayOfQuarter", day, 1, last - first + 1)
    return first + day - 1


def add_months(days: int, months: int) -> int:
    """The same day some months later, or the last day of a month that is too short.

    :raises QueryArgumentError: outside the years that exist.
    """
    if months == 0:
        return days
    year, month, day = civil_from_days(days)
    years, month0 = divmod(month - 1 + months, 12)
    year += years
    check_range("year", year, YEAR_MIN, YEAR_MAX)
    month = month0 + 1
    if day > 28:
        day = min(day, days_in_month(year, month))
    return days_from_civil(year, month, day)


def months_between(start: int, end: int) -> int:
    """Whole months from one day to another, towards zero (``java.time.LocalDate.until``)."""
    start_year, start_month, start_day = civil_from_days(start)
    end_year, end_month, end_day = civil_from_days(end)
    months = (end_year - start_year) * 12 + end_month - start_month
    if months > 0 and end_day < start_day:
        return months - 1
    if months < 0 and end_day > start_day:
        return months + 1
    return months
