"""Temporal functions: constructors, their clocks, truncation, durations.

``date()`` and its kin without an argument are the instant the statement began, seen from UTC;
``.transaction``, ``.statement`` and ``.realtime`` name the clock, and take a time zone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import Registry, need_integer, register
from everwhen.exec.functions.definition import wrong_type as _wrong_type
from everwhen.model import temporal_truncate as cut
from everwhen.model.duration import duration_of_map, parse_duration
from everwhen.model.temporal import (
    Date,
    DateTime,
    Duration,
    LocalDateTime,
    LocalTime,
    Time,
    ZoneId,
)
from everwhen.model.temporal_between import between, in_days, in_months, in_seconds
from everwhen.model.temporal_build import (
    build_date,
    build_datetime,
    build_local_datetime,
    build_local_time,
    build_time,
    zone_of_field,
)
from everwhen.model.temporal_parse import (
    parse_date,
    parse_datetime,
    parse_local_datetime,
    parse_local_time,
    parse_time,
)

FUNCTIONS: Final[Registry] = {}
_CATEGORY: Final = "Temporal"
_UTC: Final = 0

Now = Callable[[FunctionContext], int]


def _now(ctx: FunctionContext, where: ZoneId = _UTC) -> DateTime:
    return DateTime.of_micros(ctx.now_statement, where)


# --- what each constructor makes of an instant, a map, a text, another value ----------------


def _date(ctx: FunctionContext, value: Any) -> Date:
    kind = type(value)
    if kind is str:
        return parse_date(value)
    if kind is dict:
        return build_date(value)
    return build_date({"date": value})


def _local_time(ctx: FunctionContext, value: Any) -> LocalTime:
    kind = type(value)
    if kind is str:
        return parse_local_time(value)
    if kind is dict:
        return build_local_time(value)
    return build_local_time({"time": value})


def _time(ctx: FunctionContext, value: Any) -> Time:
    kind = type(value)
    if kind is str:
        return parse_time(value)
    return build_time(value if kind is dict else {"time": value}, _UTC, _now(ctx))


def _local_datetime(ctx: FunctionContext, value: Any) -> LocalDateTime:
    kind = type(value)
    if kind is str:
        return parse_local_datetime(value)
    if kind is dict:
        return build_local_datetime(value)
    return build_local_datetime({"date" if kind is Date else "datetime": value})


def _datetime(ctx: FunctionContext, value: Any) -> DateTime:
    kind = type(value)
    if kind is str:
        return parse_datetime(value)
    if kind is dict:
        return build_datetime(value, _UTC)
    return build_datetime({"date" if kind is Date else "datetime": value}, _UTC)


_SOURCES: Final = frozenset({str, dict, Date, LocalTime, Time, LocalDateTime, DateTime})

#: name -> type, how it is made from a value, and from an instant
_KINDS: Final[
    dict[str, tuple[str, Callable[[FunctionContext, Any], Any], Callable[[Any], Any]]]
] = {
    "date": ("DATE", _date, lambda now: Date(now.days)),
    "localtime": ("LOCAL TIME", _local_time, lambda now: LocalTime(now.nanos)),
    "time": ("ZONED TIME", _time, lambda now: Time(now.nanos, now.offset)),
    "localdatetime": (
        "LOCAL DATETIME",
        _local_datetime,
        lambda now: LocalDateTime(now.days, now.nanos),
    ),
    "datetime": ("ZONED DATETIME", _datetime, lambda now: now),
}
_CLOCKS: Final[dict[str, Now]] = {
    "transaction": lambda ctx: ctx.now_transaction,
    "statement": lambda ctx: ctx.now_statement,
    "realtime": lambda ctx: ctx.now_realtime(),
}


def _zone_argument(name: str, value: Any) -> ZoneId:
    """A time zone: text, or a map that holds only one."""
    if type(value) is dict and value.keys() == {"timezone"}:
        value = value["timezone"]
    if type(value) is not str:
        raise _wrong_type(name, "a time zone", value)
    return zone_of_field(value)


def _constructor(
    name: str, make: Callable[[FunctionContext, Any], Any], of_now: Callable[[Any], Any]
) -> Callable[..., Any]:
    def run(ctx: FunctionContext, *arguments: Any) -> Any:
        if not arguments:
            return of_now(_now(ctx))
        value = arguments[0]
        if type(value) is dict and value.keys() == {"timezone"}:
            return of_now(_now(ctx, _zone_argument(name, value)))
        if type(value) not in _SOURCES:
            raise _wrong_type(name, "a string, a map or a temporal value", value)
        return make(ctx, value)

    return run


def _clock(name: str, of_now: Callable[[Any], Any], now: Now) -> Callable[..., Any]:
    def run(ctx: FunctionContext, *arguments: Any) -> Any:
        where = _zone_argument(name, arguments[0]) if arguments else _UTC
        return of_now(DateTime.of_micros(now(ctx), where))

    return run


for _name, (_type, _make, _of_now) in _KINDS.items():
    register(
        FUNCTIONS,
        _CATEGORY,
        f"{_name}(input = :: ANY) :: {_type}",
        f"A {_type} from text, components or another temporal value; without argument, now.",
    )(_constructor(_name, _make, _of_now))
    for _clock_name, _instant in _CLOCKS.items():
        register(
            FUNCTIONS,
            _CATEGORY,
            f"{_name}.{_clock_name}(timezone = :: ANY) :: {_type}",
            f"The current {_type} by the {_clock_name} clock.",
            volatile=_clock_name == "realtime",
        )(_clock(f"{_name}.{_clock_name}", _of_now, _instant))


@register(
    FUNCTIONS,
    _CATEGORY,
    "datetime.fromepoch(seconds :: INTEGER, nanoseconds :: INTEGER) :: ZONED DATETIME",
    "The datetime of seconds and nanoseconds since 1970 UTC.",
)
def _from_epoch(ctx: FunctionContext, seconds: Any, nanos: Any) -> DateTime:
    extra, fraction = divmod(need_integer("datetime.fromepoch", nanos), 1_000_000_000)
    return DateTime.of_instant(need_integer("datetime.fromepoch", seconds) + extra, fraction)


@register(
    FUNCTIONS,
    _CATEGORY,
    "datetime.fromepochmillis(milliseconds :: INTEGER) :: ZONED DATETIME",
    "The datetime of milliseconds since 1970 UTC.",
)
def _from_epoch_millis(ctx: FunctionContext, millis: Any) -> DateTime:
    return DateTime.of_micros(need_integer("datetime.fromepochmillis", millis) * 1_000)


# --- truncation ----------------------------------------------------------------------------

Truncate = Callable[[FunctionContext, Any, Any, Mapping[str, Any]], Any]

_TRUNCATE: Final[dict[str, Truncate]] = {
    "date": lambda ctx, unit, value, fields: cut.truncate_date(unit, value, fields),
    "localtime": lambda ctx, unit, value, fields: cut.truncate_local_time(unit, value, fields),
    "time": lambda ctx, unit, value, fields: cut.truncate_time(
        unit, value, fields, _UTC, _now(ctx)
    ),
    "localdatetime": lambda ctx, unit, value, fields: cut.truncate_local_datetime(
        unit, value, fields
    ),
    "datetime": lambda ctx, unit, value, fields: cut.truncate_datetime(unit, value, fields, _UTC),
}


def _truncate(name: str, truncate: Truncate, of_now: Callable[[Any], Any]) -> Callable[..., Any]:
    def run(ctx: FunctionContext, unit: Any, *rest: Any) -> Any:
        value = rest[0] if rest else of_now(_now(ctx))
        fields = rest[1] if len(rest) > 1 else {}
        if type(fields) is not dict:
            raise _wrong_type(f"{name}.truncate", "a map of components", fields)
        return truncate(ctx, unit, value, fields)

    return run


for _name, (_type, _make, _of_now) in _KINDS.items():
    register(
        FUNCTIONS,
        _CATEGORY,
        f"{_name}.truncate(unit :: STRING, input = :: ANY, fields = :: MAP) :: {_type}",
        "The start of the unit a temporal value lies in, with components set on top.",
    )(_truncate(_name, _TRUNCATE[_name], _of_now))


# --- durations -----------------------------------------------------------------------------


@register(
    FUNCTIONS,
    _CATEGORY,
    "duration(input :: STRING | MAP | DURATION) :: DURATION",
    "A duration from text or components.",
)
def _duration(ctx: FunctionContext, value: Any) -> Duration:
    if type(value) is str:
        return parse_duration(value)
    if type(value) is dict:
        return duration_of_map(value)
    if type(value) is Duration:
        return value
    raise _wrong_type("duration", "a string or a map", value)


_BETWEEN: Final[dict[str, tuple[Callable[[Any, Any], Duration], str]]] = {
    "duration.between": (between, "The duration from one temporal value to another."),
    "duration.inMonths": (in_months, "The whole months from one temporal value to another."),
    "duration.inDays": (in_days, "The whole days from one temporal value to another."),
    "duration.inSeconds": (in_seconds, "The seconds from one temporal value to another."),
}


def _of_two(
    function: Callable[[Any, Any], Duration],
) -> Callable[[FunctionContext, Any, Any], Duration]:
    return lambda ctx, start, end: function(start, end)


for _name, (_function, _description) in _BETWEEN.items():
    register(FUNCTIONS, _CATEGORY, f"{_name}(from :: ANY, to :: ANY) :: DURATION", _description)(
        _of_two(_function)
    )
