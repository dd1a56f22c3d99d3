"""Mathematical functions (openCypher 9; Neo4j 5 manual, "Mathematical functions").

Outside its domain a function gives NaN or an infinity, as IEEE 754 and Java do, never an error.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from typing import Any, Final

from everwhen.errors import ArithmeticFailure
from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import (
    Registry,
    bad_value,
    need_integer,
    need_number,
    need_string,
    register,
)
from everwhen.limits import INT_MIN

FUNCTIONS: Final[Registry] = {}
_NUMERIC: Final = "Numeric"


# --- numbers as they are -------------------------------------------------------------------


@register(
    FUNCTIONS,
    _NUMERIC,
    "abs(input :: INTEGER | FLOAT) :: INTEGER | FLOAT",
    "The absolute value.",
)
def _abs(ctx: FunctionContext, value: Any) -> float:
    if value == INT_MIN and type(value) is int:
        raise ArithmeticFailure(f"integer overflow: abs({value}) needs more than 64 bits")
    return abs(need_number("abs", value))


@register(
    FUNCTIONS, _NUMERIC, "sign(input :: INTEGER | FLOAT) :: INTEGER", "-1, 0 or 1, by the sign."
)
def _sign(ctx: FunctionContext, value: Any) -> int:
    number = need_number("sign", value)
    return (number > 0) - (number < 0)


@register(FUNCTIONS, _NUMERIC, "isNaN(input :: INTEGER | FLOAT) :: BOOLEAN", "Whether it is NaN.")
def _is_nan(ctx: FunctionContext, value: Any) -> bool:
    return math.isnan(need_number("isNaN", value))


@register(FUNCTIONS, _NUMERIC, "rand() :: FLOAT", "A random number in [0, 1).", volatile=True)
def _rand(ctx: FunctionContext) -> float:
    return ctx.random()


# --- rounding ------------------------------------------------------------------------------


def _ceil(value: float) -> float:
    return float(math.ceil(value)) if value > 0 else math.copysign(math.ceil(value), value)


def _floor(value: float) -> float:
    return math.copysign(math.floor(value), value) if value >= 0 else float(math.floor(value))


def _half_up(value: float) -> float:
    """To the nearest whole number, ties towards positive infinity."""
    below = math.floor(value)
    whole = below if value - below < 0.5 else below + 1
    return float(whole) if whole else math.copysign(0.0, value)


_MODES: Final = {
    "UP": decimal.ROUND_UP,
    "DOWN": decimal.ROUND_DOWN,
    "CEILING": decimal.ROUND_CEILING,
    "FLOOR": decimal.ROUND_FLOOR,
    "HALF_UP": decimal.ROUND_HALF_UP,
    "HALF_DOWN": decimal.ROUND_HALF_DOWN,
    "HALF_EVEN": decimal.ROUND_HALF_EVEN,
}
#: wide enough for every float with as many places as one can have
_WIDE: Final = decimal.Context(prec=1500)
_PLACES_MAX: Final = 1074


@register(
    FUNCTIONS,
    _NUMERIC,
    "round(value :: FLOAT, precision = :: INTEGER, mode = :: STRING) :: FLOAT",
    "The number rounded to a number of decimal places; modes are UP, DOWN, CEILING, FLOOR, "
    "HALF_UP, HALF_DOWN and HALF_EVEN.",
)
def _round(ctx: FunctionContext, value: Any, precision: Any = 0, mode: Any = None) -> float:
    number = float(need_number("round", value))
    places = need_integer("round", precision)
    if places < 0:
        raise bad_value(f"round() takes a precision of 0 or more, got {places}")
    rounding = None
    if mode is not None:
        name = need_string("round", mode)
        rounding = _MODES.get(name.upper())
        if rounding is None:
            raise bad_value(f"no rounding mode is named {name!r}: use {', '.join(_MODES)}")
    if not math.isfinite(number) or places > _PLACES_MAX:
        return number
    if rounding is None and places == 0:
        return _half_up(number)
    unit = decimal.Decimal(1).scaleb(-places, _WIDE)
    exact = decimal.Decimal(repr(number))
    return float(exact.quantize(unit, rounding or decimal.ROUND_HALF_UP, _WIDE))


# --- of one float --------------------------------------------------------------------------


def _log(value: float) -> float:
    return math.log(value) if value != 0 else -math.inf


def _log10(value: float) -> float:
    return math.log10(value) if value != 0 else -math.inf


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _cot(value: float) -> float:
    tangent = math.tan(value)
    return 1 / tangent if tangent else math.copysign(math.inf, tangent)


def _coth(value: float) -> float:
    return 1 / math.tanh(value) if value else math.nan


def _sinh(value: float) -> float:
    try:
        return math.sinh(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _cosh(value: float) -> float:
    try:
        return math.cosh(value)
    except OverflowError:
        return math.inf


def _haversin(value: float) -> float:
    return (1 - math.cos(value)) / 2


def _whole(function: Callable[[float], float]) -> Callable[[float], float]:
    """Rounding leaves NaN and infinities as they are."""
    return lambda value: function(value) if math.isfinite(value) else value


#: name -> category, function, description
_OF_ONE: Final[dict[str, tuple[str, Callable[[float], float], str]]] = {
    "ceil": (_NUMERIC, _whole(_ceil), "The smallest whole number not below."),
    "ceiling": (_NUMERIC, _whole(_ceil), "The smallest whole number not below."),
    "floor": (_NUMERIC, _whole(_floor), "The largest whole number not above."),
    "sqrt": ("Logarithmic", math.sqrt, "The square root."),
    "exp": ("Logarithmic", _exp, "e to the power of the number."),
    "log": ("Logarithmic", _log, "The natural logarithm."),
    "ln": ("Logarithmic", _log, "The natural logarithm."),
    "log10": ("Logarithmic", _log10, "The logarithm to base 10."),
    "sin": ("Trigonometric", math.sin, "The sine of an angle in radians."),
    "cos": ("Trigonometric", math.cos, "The cosine of an angle in radians."),
    "tan": ("Trigonometric", math.tan, "The tangent of an angle in radians."),
    "cot": ("Trigonometric", _cot, "The cotangent of an angle in radians."),
    "asin": ("Trigonometric", math.asin, "The arcsine in radians."),
    "acos": ("Trigonometric", math.acos, "The arccosine in radians."),
    "atan": ("Trigonometric", math.atan, "The arctangent in radians."),
    "sinh": ("Trigonometric", _sinh, "The hyperbolic sine."),
    "cosh": ("Trigonometric", _cosh, "The hyperbolic cosine."),
    "tanh": ("Trigonometric", math.tanh, "The hyperbolic tangent."),
    "coth": ("Trigonometric", _coth, "The hyperbolic cotangent."),
    "haversin": ("Trigonometric", _haversin, "Half the versine of an angle in radians."),
    "degrees": ("Trigonometric", math.degrees, "Radians as degrees."),
    "radians": ("Trigonometric", math.radians, "Degrees as radians."),
}


def _of_one(name: str, function: Callable[[float], float]) -> Callable[[FunctionContext, Any], Any]:
    def run(ctx: FunctionContext, value: Any) -> float:
        number = float(need_number(name, value))
        try:
            return function(number)
        except ValueError:  # outside the domain
            return math.nan

    return run


for _name, (_category, _function, _description) in _OF_ONE.items():
    register(FUNCTIONS, _category, f"{_name}(input :: FLOAT) :: FLOAT", _description)(
        _of_one(_name, _function)
    )


@register(
    FUNCTIONS,
    "Trigonometric",
    "atan2(y :: FLOAT, x :: FLOAT) :: FLOAT",
    "The angle of a point, in radians.",
)
def _atan2(ctx: FunctionContext, y: Any, x: Any) -> float:
    return math.atan2(need_number("atan2", y), need_number("atan2", x))


@register(FUNCTIONS, "Logarithmic", "e() :: FLOAT", "The base of the natural logarithm.")
def _e(ctx: FunctionContext) -> float:
    return math.e


@register(FUNCTIONS, "Trigonometric", "pi() :: FLOAT", "The ratio of circumference to diameter.")
def _pi(ctx: FunctionContext) -> float:
    return math.pi
