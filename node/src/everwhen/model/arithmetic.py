"""``+ - * / % ^ ||``: 64-bit integers that never wrap, IEEE floats, text, lists, time.

Null on either side gives null. Two integers give an integer (``/`` cuts toward zero), a float on
either side gives a float, ``^`` always does.
"""

from __future__ import annotations

import math
from typing import Any, Final

from everwhen.errors import ArithmeticFailure, QueryArgumentError, QueryTypeError
from everwhen.limits import INT_MAX, INT_MIN, LIST_ELEMENTS_MAX, STRING_BYTES_MAX
from everwhen.model.spatial import Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.temporal_math import plus as temporal_plus
from everwhen.model.value_text import float_text, to_text, type_name

_MOMENTS: Final = frozenset({Date, DateTime, LocalDateTime, LocalTime, Time})
_NUMBERS: Final = frozenset({int, float})
#: what may stand beside text in ``+``
_PRINTABLE: Final = _MOMENTS | {str, int, float, bool, Duration, Point}


def _overflow(left: Any, operator: str, right: Any) -> ArithmeticFailure:
    return ArithmeticFailure(f"integer overflow: {left} {operator} {right} needs more than 64 bits")


def _wrong(left: Any, operator: str, right: Any) -> QueryTypeError:
    return QueryTypeError(
        f"{type_name(left)} {operator} {type_name(right)} is not defined: "
        f"{_short(left)} {operator} {_short(right)}",
        detail="InvalidArgumentType",
    )


def _short(value: Any) -> str:
    text = to_text(value)
    return text if len(text) <= 60 else text[:60] + "…"


def plain_text(value: Any) -> str:
    """A value as ``toString`` and ``+`` with text print it."""
    kind = type(value)
    if kind is bool:
        return "true" if value else "false"
    return float_text(value) if kind is float else str(value)


def _joined(left: Any, right: Any) -> Any:
    """Two texts or two lists, bounded: doubling a text thirty times must not end the process.

    :raises QueryArgumentError: longer than a value may be.
    """
    length = len(left) + len(right)
    if length > LIST_ELEMENTS_MAX:
        most = STRING_BYTES_MAX if type(left) is str else LIST_ELEMENTS_MAX
        if length > most:
            raise QueryArgumentError(
                f"a value of length {length:,} is longer than the limit of {most:,}",
                detail="InvalidArgumentValue",
            )
    return left + right


def add(left: Any, right: Any) -> Any:
    """``left + right``: numbers, text with what prints, lists with anything, time."""
    kind, other = type(left), type(right)
    if kind is int and other is int:
        total = left + right
        if INT_MIN <= total <= INT_MAX:
            return total
        raise _overflow(left, "+", right)
    if kind is str and other is str:
        return _joined(left, right)
    if left is None or right is None:
        return None
    if kind in _NUMBERS and other in _NUMBERS:
        return float(left) + float(right)
    if kind is list:
        return _joined(left, right if other is list else [right])
    if other is list:
        return _joined([left], right)
    if (kind is str or other is str) and kind in _PRINTABLE and other in _PRINTABLE:
        return _joined(plain_text(left), plain_text(right))
    if other is Duration:
        if kind in _MOMENTS:
            return temporal_plus(left, right)
        if kind is Duration:
            return left.plus(right)
    if kind is Duration and other in _MOMENTS:
        return temporal_plus(right, left)
    raise _wrong(left, "+", right)


def concatenate(left: Any, right: Any) -> Any:
    """``left || right``: two texts or two lists."""
    if left is None or right is None:
        return None
    if type(left) is type(right) and type(left) in (str, list):
        return _joined(left, right)
    raise _wrong(left, "||", right)


def subtract(left: Any, right: Any) -> Any:
    """``left - right``."""
    kind, other = type(left), type(right)
    if kind is int and other is int:
        total = left - right
        if INT_MIN <= total <= INT_MAX:
            return total
        raise _overflow(left, "-", right)
    if left is None or right is None:
        return None
    if kind in _NUMBERS and other in _NUMBERS:
        return float(left) - float(right)
    if other is Duration:
        if kind in _MOMENTS:
            return temporal_plus(left, right.negated())
        if kind is Duration:
            return left.plus(right.negated())
    raise _wrong(left, "-", right)


def multiply(left: Any, right: Any) -> Any:
    """``left * right``."""
    kind, other = type(left), type(right)
    if kind is int and other is int:
        product = left * right
        if INT_MIN <= product <= INT_MAX:
            return product
        raise _overflow(left, "*", right)
    if left is None or right is None:
        return None
    if kind in _NUMBERS and other in _NUMBERS:
        return float(left) * float(right)
    if kind is Duration and other in _NUMBERS:
        return left.times(right)
    if other is Duration and kind in _NUMBERS:
        return right.times(left)
    raise _wrong(left, "*", right)


def divide(left: Any, right: Any) -> Any:
    """``left / right``: integers are cut toward zero, floats follow IEEE.

    :raises ArithmeticFailure: an integer divided by the integer zero.
    """
    kind, other = type(left), type(right)
    if kind is int and other is int:
        if right == 0:
            raise ArithmeticFailure(f"division by zero: {left} / 0")
        quotient = abs(left) // abs(right)
        if (left < 0) is not (right < 0):
            return -quotient
        if quotient > INT_MAX:
            raise _overflow(left, "/", right)
        return quotient
    if left is None or right is None:
        return None
    if kind in _NUMBERS and other in _NUMBERS:
        return _divide_floats(float(left), float(right))
    if kind is Duration and other in _NUMBERS:
        return left.divided_by(right)
    raise _wrong(left, "/", right)


def _divide_floats(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def modulo(left: Any, right: Any) -> Any:
    """``left % right``, with the sign of ``left``.

    :raises ArithmeticFailure: an integer divided by the integer zero.
    """
    kind, other = type(left), type(right)
    if kind is int and other is int:
        if right == 0:
            raise ArithmeticFailure(f"division by zero: {left} % 0")
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    if left is None or right is None:
        return None
    if kind in _NUMBERS and other in _NUMBERS:
        dividend, divisor = float(left), float(right)
        if divisor == 0 or math.isinf(dividend):
            return math.nan
        return math.fmod(dividend, divisor)
    raise _wrong(left, "%", right)


def power(left: Any, right: Any) -> Any:
    """``left ^ right``, always a float."""
    if left is None or right is None:
        return None
    if type(left) not in _NUMBERS or type(right) not in _NUMBERS:
        raise _wrong(left, "^", right)
    base, exponent = float(left), float(right)
    if abs(base) == 1 and not math.isfinite(exponent):
        return math.nan  # as java.lang.Math.pow; C says 1
    if base == 1 and math.isnan(exponent):
        return math.nan
    odd = exponent % 2 == 1 if math.isfinite(exponent) else False
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:  # zero to a negative power, or a negative base to a fraction
        if base != 0:
            return math.nan
        return math.copysign(math.inf, base) if odd else math.inf


def negate(value: Any) -> Any:
    """``-value``."""
    kind = type(value)
    if kind is int:
        if value == INT_MIN:
            raise ArithmeticFailure(f"integer overflow: -({value}) needs more than 64 bits")
        return -value
    if kind is float:
        return -value
    if value is None:
        return None
    if kind is Duration:
        return value.negated()
    raise QueryTypeError(
        f"- needs a number or a duration, got {type_name(value)}: {_short(value)}",
        detail="InvalidArgumentType",
    )


def plus(value: Any) -> Any:
    """``+value``."""
    if value is None or type(value) in _NUMBERS or type(value) is Duration:
        return value
    raise QueryTypeError(
        f"+ needs a number or a duration, got {type_name(value)}: {_short(value)}",
        detail="InvalidArgumentType",
    )
