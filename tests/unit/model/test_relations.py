"""Equality, comparability and three-valued logic."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given

from everwhen.errors import QueryTypeError
from everwhen.model import values as v
from everwhen.model.spatial import CARTESIAN, Point
from everwhen.model.temporal_parse import parse_date, parse_datetime, parse_time
from tests.unit.model.strategies import numbers, values

NAN = float("nan")


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, 1.0, True),
        (2**53 + 1, float(2**53), False),
        (2**53, float(2**53), True),
        (0.0, -0.0, True),
        (NAN, NAN, False),
        (NAN, 1, False),
        (True, 1, False),
        (1, True, False),
        ("1", 1, False),
        (None, None, None),
        (None, 1, None),
        ([], [], True),
        ([1, 2], [1], False),
        ([1], [1, None], False),
        ([None], [1], None),
        ([1, 2], [None, "foo"], False),
        ([1, 2], [None, 2], None),
        ([[1], [2]], [[1], [None]], None),
        ([[1], [2, 3]], [[1], [None]], False),
        ([1], "a", False),
        ({}, {}, True),
        ({"k": None}, {}, False),
        ({"k": None}, {"k": None}, None),
        ({"k": 1, "l": None}, {"k": 2, "l": None}, False),
        ({"k": 1}, {"k": 1.0}, True),
        (b"a", b"a", True),
        (b"a", "a", False),
    ],
)
def test_equality(left, right, expected):
    assert v.equals(left, right) is expected
    assert v.equals(right, left) is expected


def test_equality_of_temporal_values_is_identity():
    assert v.equals(parse_date("2020-01-01"), parse_date("2020-001")) is True
    assert v.equals(parse_time("12:00+01:00"), parse_time("11:00Z")) is False
    one, other = parse_datetime("2020-01-01T12:00+01:00"), parse_datetime("2020-01-01T11:00Z")
    assert v.equals(one, other) is False
    assert v.compare(one, other) == 1  # the same instant: the larger offset is later


@given(values, values)
def test_equality_is_symmetric(left, right):
    assert v.equals(left, right) == v.equals(right, left)


@given(numbers, numbers)
def test_numbers_compare_exactly(left, right):
    if math.isfinite(left) and math.isfinite(right):
        a, b = Fraction(left), Fraction(right)
        assert v.compare(left, right) == (a > b) - (a < b)
        assert v.equals(left, right) is (a == b)


def test_every_comparison_with_nan_is_false():
    for left, right in ((NAN, 1), (1, NAN), (NAN, NAN)):
        order = v.compare(left, right)
        assert order is not None
        assert [order < 0, order <= 0, order > 0, order >= 0] == [False] * 4
    assert v.compare(NAN, "a") is None
    assert not v.comparable(NAN, 1)
    assert not v.comparable([NAN], [1])
    assert not v.comparable(1, None)
    assert v.comparable(1, 2.5)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("a", "b", -1),
        ("a", "B", 1),
        ("\uffff", "\U00010000", -1),  # code points, not UTF-16 units
        (False, True, -1),
        ([1, 0], [1], 1),
        ([1, None], [1], 1),
        ([1, 2], [1, None], None),
        ([1, "a"], [1, None], None),
        ([1, 2], [3, None], -1),
        ([1, "a"], [1, 2], None),
        ([], [], 0),
        (1, "a", None),
        (1, True, None),
        (None, 1, None),
        ({}, {}, None),
        (Point(CARTESIAN, (1.0, 2.0)), Point(CARTESIAN, (1.0, 3.0)), None),
    ],
)
def test_comparability(left, right, expected):
    assert v.compare(left, right) == expected


@given(values, values)
def test_comparison_agrees_with_equality_and_its_mirror(left, right):
    order = v.compare(left, right)
    mirrored = v.compare(right, left)
    if order is None:
        assert mirrored is None
    elif not math.isnan(order):
        assert mirrored == -order
        assert v.equals(left, right) is (order == 0)


def test_in():
    assert v.in_list(1, None) is None
    assert v.in_list(None, []) is False
    assert v.in_list(None, [1]) is None
    assert v.in_list(3, [1, None, 3]) is True
    assert v.in_list(4, [1, None, 3]) is None
    assert v.in_list([1, 2], [[None, 2], [1, 3]]) is None
    assert v.in_list([1, 2], [[None, "foo"]]) is False
    with pytest.raises(QueryTypeError) as error:
        v.in_list(1, 5)
    assert error.value.detail == "InvalidArgumentType"


def test_three_valued_logic():
    t, f, n = True, False, None
    table = [(a, b) for a in (t, f, n) for b in (t, f, n)]
    assert [v.and3(a, b) for a, b in table] == [t, f, n, f, f, f, n, f, n]
    assert [v.or3(a, b) for a, b in table] == [t, t, t, t, f, n, t, n, n]
    assert [v.xor3(a, b) for a, b in table] == [f, t, n, t, f, n, n, n, n]
    assert [v.not3(a) for a in (t, f, n)] == [f, t, n]
    for operation in (v.and3, v.or3, v.xor3):
        with pytest.raises(QueryTypeError):
            operation(False, 1)
