"""Aggregating functions."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import ArithmeticFailure, QueryArgumentError, QueryTypeError
from everwhen.exec.functions.aggregates import AGGREGATES
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.duration import parse_duration
from everwhen.model.ordering import order_key
from tests.unit.model.strategies import values


def aggregate(name, items, *extra):
    state = AGGREGATES[name.lower()](*extra)
    for item in items:
        state.update(item)
    return state.result()


@pytest.mark.parametrize(
    ("name", "items", "extra", "expected"),
    [
        ("count", ["a", 1], (), 2),
        ("sum", [1, 2, 2], (), 5),
        ("sum", [1, 2.5], (), 3.5),
        ("sum", [INT_MAX, 1, -1], (), INT_MAX),
        ("avg", [1, 2, 2, 4], (), 2.25),
        ("avg", [INT_MAX, INT_MAX], (), float(INT_MAX)),
        ("min", [1, "a", [1], True], (), [1]),
        ("max", [1, "a", [1], True], (), 1),
        ("max", [1, 2.0, 5, 3.2], (), 5),
        ("min", ["b", "B", "abc"], (), "B"),
        ("min", [[2], [2, 1], [1]], (), [1]),
        ("collect", [1, "a"], (), [1, "a"]),
        ("percentileDisc", [10.0, 20.0, 30.0], (0.0,), 10.0),
        ("percentileDisc", [10.0, 20.0, 30.0], (0.5,), 20.0),
        ("percentileDisc", [30.0, 10.0, 20.0], (1.0,), 30.0),
        ("percentileDisc", [10, 20, 30, 40], (0.5,), 20),
        ("percentileCont", [10, 20, 30, 40], (0.5,), 25.0),
        ("percentileCont", [10, 20, 30, 40], (0,), 10.0),
        ("stDev", [1], (), 0.0),
        ("stDevP", [10, 20, 30, 40], (), 11.180339887498949),
    ],
)
def test_answers(name, items, extra, expected):
    got = aggregate(name, items, *extra)
    assert got == expected
    assert type(got) is type(expected)


def test_nothing_to_aggregate():
    empty: dict[str, Any] = {"count": 0, "sum": 0, "avg": None, "min": None, "max": None, "collect": [],
             "stDev": 0.0, "stDevP": 0.0}  # fmt: skip
    for name, expected in empty.items():
        assert aggregate(name, []) == expected
    assert aggregate("percentileCont", [], 0.5) is None
    assert aggregate("percentileDisc", [], 0.5) is None


def test_durations():
    items = [parse_duration("P1D"), parse_duration("PT2H")]
    assert str(aggregate("sum", items)) == "P1DT2H"
    assert str(aggregate("avg", items)) == "PT13H"
    for mixed in ([1, items[0]], [items[0], 1], [items[0], 1.5]):
        with pytest.raises(QueryTypeError):
            aggregate("sum", mixed)


def test_what_is_refused():
    with pytest.raises(ArithmeticFailure):
        aggregate("sum", [INT_MAX, 1])
    for name in ("sum", "avg", "stDev", "stDevP"):
        with pytest.raises(QueryTypeError):
            aggregate(name, ["a"])
    for name in ("percentileCont", "percentileDisc"):
        for percentile in (1.5, -0.1, 2, math.nan):
            with pytest.raises(QueryArgumentError) as error:
                aggregate(name, [1], percentile)
            assert error.value.detail == "NumberOutOfRange"
        with pytest.raises(QueryTypeError):
            aggregate(name, ["a"], 0.5)
        with pytest.raises(QueryTypeError):
            aggregate(name, [1], "0.5")


@given(st.lists(st.integers(INT_MIN, INT_MAX), max_size=20))
def test_sums_are_exact(items):
    if INT_MIN <= sum(items) <= INT_MAX:
        assert aggregate("sum", items) == sum(items)
    if items:
        assert aggregate("avg", items) == sum(items) / len(items)


@given(st.lists(values, min_size=1, max_size=6))
def test_extremes_are_those_of_the_order(items):
    keys = sorted(order_key(item) for item in items)
    assert order_key(aggregate("min", items)) == keys[0]
    assert order_key(aggregate("max", items)) == keys[-1]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_deviations(items):
    assert aggregate("stDev", items) == pytest.approx(statistics.stdev(items), abs=1e-6)
    assert aggregate("stDevP", items) == pytest.approx(statistics.pstdev(items), abs=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 1))
def test_percentiles_lie_between_the_extremes(items, percentile):
    low, high = min(items), max(items)
    assert aggregate("percentileDisc", items, percentile) in items
    slack = 1e-9 * max(abs(low), abs(high))
    assert low - slack <= aggregate("percentileCont", items, percentile) <= high + slack
