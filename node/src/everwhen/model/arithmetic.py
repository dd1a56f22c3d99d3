"""``+ - * / % ^`` on values: 64-bit integers that never wrap, IEEE floats, text, lists, time."""

from __future__ import annotations

import math
from typing import Any, Final

from everwhen.errors import ArithmeticFailure, QueryTypeError
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.value_text import float_text, to_text, type_name

_MOMENTS: Final = frozenset({Date, DateTime, LocalDateTime, LocalTime, Time})
_NUMBERS: Final = frozenset({int, float})


def _integer(value: int, what: str) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise ArithmeticFailure(f"integer overflow: {what} does not fit into 64 bits")


def _wrong(operator: str, left: Any, right: Any) -> QueryTypeError:
    return QueryTypeError(
        f"{type_name(left)} {operator} {type_name(right)} is not defined: "
        f"{to_text(left)[:60]} {operator} {to_text(right)[:60]}",
        detail="InvalidArgumentType",
    )


def _as_text(value: Any) -> str:
    return float_text(value) if type(value) is float else str(value)


def add(left: Any, right: Any) -> Any:
    """``left + right``: numbers, text with text or numbers, lists with anything, time."""
    kind, other = type(left), type(right)
    if kind is int and other is int:
        return _integer(left + right, f"{left} + {right}")
    if left is None or right is None:
        return None
    if kind in _NUMBERS and other in _NUMBERS:
        return left + right
    if kind is list:
        return left + (right if other is list else [right])
    if other is list:
        return [left, *right]
    if kind is str and (other is str or other in _NUMBERS):
        return left + _as_text(right)
    if other is str and kind in _NUMBERS:
        return _as_text(left) + right
    if kind in _MOMENTS and other is Duration:
        return left.plus(right)
    if kind is Duration and other in _MOMENTS:
        return right.plus(left)
    if kind is Duration and other is Duration:
        return left.plus(right)
    raise _wrong("+", left, right)


def concatenate(left: Any, right: Any) -> Any:
    """``left || right``: two texts or two lists."""
    if left is None or right is None:
        return None
    if type(left) is type(right) and type(left) in (str, list):
        return left + right
    raise _wrong("||", left, right)


def subtract(left: Any, right: Any) -> Any:
    """``left - right``."""
    kind, other = type(left), type(right)
    if kind is int and other is int:
        return _integer(left - right, f"{left} - {right}")
    if left is None or right is None:
        return None
    if kind in _NUMBERS and other in _NUMBERS:
        return left - right
    if other is Duration and (kind in _MOMENTS or kind is Duration):
        return left.plus(right, -1)
    raise _wrong("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    """``left * right``."""
    kind, other = type(left), type(right)
    if kind is int and other is int:
        return _integer(left * right, f"{left} * {right}")
    if left is None or right is None:
        return None
    if kind in _NUMBERS and other in _NUMBERS:
        return left * right
    if kind is Duration and other in _NUMBERS:
        return left.times(right)
    if other is Duration and kind in _NUMBERS:
        return right.times(left)
    raise _wrong("*", left, right)


def divide(left: Any, right: Any) -> Any:
    """``left / right``: integers are cut toward zero; floats follow IEEE."""
    kind, other = type(left), type(right)
    if left is None or right is None:
        return None
    if kind is int and other is int:
        if right == 0:
            raise ArithmeticFailure("division by zero")
        quotient = abs(left) // abs(right)
        return _integer(quotient if (left < 0) == (right < 0) else -quotient, f"{left} / {right}")
    if kind in _NUMBERS and other in _NUMBERS:
        return _divide_floats(float(left), float(right))
    if kind is Duration and other in _NUMBERS:
        return left.divided(right)
    raise _wrong("/", left, right)


def _divide_floats(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def modulo(left: Any, right: Any) -> Any:
    """``left % right``, with the sign of ``left``."""
    kind, other = type(left), type(right)
    if left is None or right is None:
        return None
    if kind is int and other is int:
        if right == 0:
            raise ArithmeticFailure("division by zero")
        rest = abs(left) % abs(right)
        return rest if left >= 0 else -rest
    if kind in _NUMBERS and other in _NUMBERS:
        if right == 0 or math.isinf(left):
            return math.nan
        return math.fmod(left, right)
    raise _wrong("%", left, right)


def power(left: Any, right: Any) -> Any:
    """``left ^ right``, always a float."""
    if left is None or right is None:
        return None
    if type(left) not in _NUMBERS or type(right) not in _NUMBERS:
        raise _wrong("^", left, right)
    base, exponent = float(left), float(right)
    try:
        return math.pow(base, exponent)
    except OverflowError:
        odd = exponent.is_integer() and int(exponent) % 2 == 1
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


def negate(value: Any) -> Any:
    """``-value``."""
    if value is None:
        return None
    if type(value) is int:
        return _integer(-value, f"-({value})")
    if type(value) is float:
        return -value
    if type(value) is Duration:
        return value.times(-1)
    raise QueryTypeError(
        f"- needs a number or duration, got {type_name(value)}", detail="InvalidArgumentType"
    )


def plus(value: Any) -> Any:
    """``+value``."""
    if value is None or type(value) in _NUMBERS:
        return value
    raise QueryTypeError(
        f"+ needs a number, got {type_name(value)}", detail="InvalidArgumentType"
    )
