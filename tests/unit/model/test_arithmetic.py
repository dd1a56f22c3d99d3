"""Arithmetic against Python's exact integers and IEEE floats."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from everwhen.errors import ArithmeticFailure, QueryArgumentError, QueryTypeError
from everwhen.limits import INT_MAX, INT_MIN, LIST_ELEMENTS_MAX, STRING_BYTES_MAX
from everwhen.model import values as v
from everwhen.model.duration import parse_duration
from everwhen.model.temporal_parse import parse_date
from tests.unit.model.strategies import integers, numbers

DIVISIONS = {v.divide, v.modulo}


def exact(operation, left, right):
    if operation in DIVISIONS:
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return quotient if operation is v.divide else left - quotient * right
    return {v.add: left + right, v.subtract: left - right, v.multiply: left * right}[operation]


@pytest.mark.parametrize("operation", [v.add, v.subtract, v.multiply, v.divide, v.modulo])
@given(left=integers, right=integers)
def test_integers_are_exact_or_fail(operation, left, right):
    if right == 0 and operation in DIVISIONS:
        with pytest.raises(ArithmeticFailure):
            operation(left, right)
        return
    expected = exact(operation, left, right)
    if INT_MIN <= expected <= INT_MAX:
        got = operation(left, right)
        assert got == expected
        assert type(got) is int
    else:
        with pytest.raises(ArithmeticFailure):
            operation(left, right)


@given(integers)
def test_negation(value):
    if value == INT_MIN:
        with pytest.raises(ArithmeticFailure):
            v.negate(value)
    else:
        assert v.negate(value) == -value


@given(numbers, numbers)
def test_floats_never_fail(left, right):
    left = float(left)
    for operation in (v.add, v.subtract, v.multiply, v.divide, v.modulo, v.power):
        assert type(operation(left, right)) is float
        assert type(operation(right, left)) is float


def test_division_by_a_float_zero():
    assert v.divide(1, 0.0) == math.inf
    assert v.divide(-1.0, 0.0) == -math.inf
    assert v.divide(1.0, -0.0) == -math.inf
    assert math.isnan(v.divide(0.0, 0.0))
    assert math.isnan(v.modulo(1, 0.0))
    assert v.modulo(-7.5, 2) == -1.5
    assert v.modulo(1.0, math.inf) == 1.0


def test_powers():
    assert v.power(2, 3) == 8.0
    assert type(v.power(2, 3)) is float
    assert math.isnan(v.power(-8, 1 / 3))
    assert v.power(0, -1) == math.inf
    assert v.power(-0.0, -1) == -math.inf
    assert v.power(10, 400) == math.inf
    assert v.power(-10, 401) == -math.inf
    assert v.power(2, -1) == 0.5


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("a", "b", "ab"),
        ("a", 1, "a1"),
        (1, "a", "1a"),
        ("a", 1.0, "a1.0"),
        ("a", True, "atrue"),
        ("on ", parse_date("2020-01-02"), "on 2020-01-02"),
        ([1], [2], [1, 2]),
        ([1], 2, [1, 2]),
        (1, [2], [1, 2]),
        ([[1]], [2], [[1], 2]),
        ("a", None, None),
        ([1], None, None),
    ],
)
def test_text_and_lists(left, right, expected):
    assert v.add(left, right) == expected


def test_adding_makes_a_new_list():
    first = [1]
    assert v.add(first, 2) is not first
    assert first == [1]


@pytest.mark.parametrize(
    ("operation", "left", "right"),
    [
        (v.add, 1, True),
        (v.add, {}, 1),
        (v.add, {}, "a"),
        (v.subtract, "a", "b"),
        (v.multiply, "a", 2),
        (v.divide, [], 1),
        (v.modulo, "a", 1),
        (v.power, "a", 1),
        (v.concatenate, "a", 1),
        (v.concatenate, [1], "a"),
        (v.subtract, parse_duration("P1D"), parse_date("2020-01-01")),
    ],
)
def test_what_does_not_go_together(operation, left, right):
    with pytest.raises(QueryTypeError) as error:
        operation(left, right)
    assert error.value.detail == "InvalidArgumentType"


def test_null_is_contagious():
    for operation in (v.add, v.subtract, v.multiply, v.divide, v.modulo, v.power, v.concatenate):
        assert operation(None, 1) is None
        assert operation(1, None) is None
    assert v.negate(None) is None
    assert v.plus(None) is None


def test_values_cannot_grow_without_bound():
    text = "a" * STRING_BYTES_MAX
    numbers_ = [1] * LIST_ELEMENTS_MAX
    for operation, left, right in (
        (v.add, text, "a"),
        (v.add, 1, text),
        (v.concatenate, text, "a"),
        (v.add, numbers_, 1),
        (v.add, 1, numbers_),
        (v.concatenate, numbers_, [1]),
    ):
        with pytest.raises(QueryArgumentError):
            operation(left, right)
    assert len(v.add("a", text[1:])) == STRING_BYTES_MAX
