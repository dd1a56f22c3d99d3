"""The total order of ORDER BY, and equivalence."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from everwhen.model import values as v
from everwhen.model.duration import parse_duration
from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.spatial import CARTESIAN, Point
from everwhen.model.temporal_parse import (
    parse_date,
    parse_datetime,
    parse_local_datetime,
    parse_local_time,
    parse_time,
)
from everwhen.model.vector import Vector
from tests.unit.model.strategies import NOTHING, values

NODE = Node(1, NOTHING)
RELATIONSHIP = Relationship(1, "T", 1, 2, NOTHING)


def test_types_have_their_places():
    ladder = [
        {"a": 1},
        NODE,
        RELATIONSHIP,
        [1],
        Path((NODE,), ()),
        parse_datetime("2020-01-01T00:00Z"),
        parse_local_datetime("2020-01-01T00:00"),
        parse_date("2020-01-01"),
        parse_time("12:00Z"),
        parse_local_time("12:00"),
        parse_duration("P1D"),
        Point(CARTESIAN, (1.0, 2.0)),
        Vector.of([1]),
        b"a",
        "a",
        False,
        True,
        -math.inf,
        1,
        1.5,
        math.inf,
        math.nan,
        None,
    ]
    keys = [v.order_key(value) for value in ladder]
    assert all(a < b for a, b in pairwise(keys))


def test_lists_order_by_element_then_length():
    ordered = [[], ["a"], ["a", 1], [1], [1, "a"], [1, None], [None, 1], [None, 2]]
    keys = [v.order_key(value) for value in ordered]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_times_order_by_instant():
    ordered = [
        "12:35:15+05:00",
        "12:30:14.645876123+01:01",
        "12:31:14.645876123+01:00",
        "10:35-08:00",
    ]
    keys = [v.order_key(parse_time(text)) for text in ordered]
    assert keys == sorted(keys)


def test_durations_order_by_average_length():
    ordered = ["P-1D", "PT0S", "PT23H", "P1D", "PT25H", "P30D", "P1M", "P31D", "P1Y"]
    keys = [v.order_key(parse_duration(text)) for text in ordered]
    assert keys == sorted(keys)


@given(st.lists(values, min_size=3, max_size=3))
def test_the_order_is_total(three):
    a, b, c = (v.order_key(value) for value in three)
    assert (a < b) + (a == b) + (b < a) == 1
    if a <= b <= c:
        assert a <= c


@given(values, values)
def test_equivalence_is_what_the_order_cannot_tell_apart(left, right):
    same_place = v.order_key(left) == v.order_key(right)
    same_group = v.group_key(left) == v.group_key(right)
    assert same_place is same_group
    if same_group:
        assert hash(v.group_key(left)) == hash(v.group_key(right))
    if v.equals(left, right) is True:
        assert same_group


@given(values, values)
def test_the_order_extends_comparability(left, right):
    order = v.compare(left, right)
    if order is not None and not math.isnan(order) and order != 0:
        assert (v.order_key(left) < v.order_key(right)) is (order < 0)


def test_groups():
    assert v.group_key(None) == v.group_key(None)
    assert v.group_key(math.nan) == v.group_key(-math.nan)
    assert v.group_key(1) == v.group_key(1.0)
    assert v.group_key(0.0) == v.group_key(-0.0)
    assert v.group_key(True) != v.group_key(1)
    assert v.group_key([True]) != v.group_key([1])
    assert v.group_key("a") != v.group_key(b"a")
    assert v.group_key({"a": 1, "b": None}) == v.group_key({"b": None, "a": 1.0})
    assert v.group_key([None, math.nan]) == v.group_key([None, math.nan])
    assert v.group_key(NODE) != v.group_key(1)
    assert v.group_key(NODE) != v.group_key(RELATIONSHIP)
