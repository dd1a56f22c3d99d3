"""Properties, subscripts, slices, and values as text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QueryArgumentError, QueryTypeError
from everwhen.model import values as v
from everwhen.model.elements import Detached, Node, Path, Relationship
from everwhen.model.spatial import point_from
from everwhen.model.temporal_parse import parse_date

NODE = Node(1, Detached(("A", "B c"), {"x": 1}))
BARE = Node(2, Detached((), {}))
KNOWS = Relationship(7, "KNOWS", 1, 2, Detached((), {"since": 2000}))


def test_properties():
    assert v.get_property({"a": 1}, "a") == 1
    assert v.get_property({"a": 1}, "b") is None
    assert v.get_property(None, "a") is None
    assert v.get_property(NODE, "x") == 1
    assert v.get_property(KNOWS, "since") == 2000
    assert v.get_property(parse_date("2020-02-29"), "ordinalDay") == 60
    assert v.get_property(point_from({"x": 1, "y": 2}), "y") == 2.0
    with pytest.raises(QueryArgumentError):
        v.get_property(parse_date("2020-02-29"), "hour")
    for value in (1, 1.5, "a", True, [1]):
        with pytest.raises(QueryTypeError) as error:
            v.get_property(value, "a")
        assert error.value.detail == "InvalidArgumentType"
    assert v.properties_of(NODE) == {"x": 1}
    with pytest.raises(QueryTypeError):
        v.properties_of(1)


def test_subscripts():
    assert v.subscript([1, 2, 3], -1) == 3
    assert v.subscript([1, 2, 3], 3) is None
    assert v.subscript([1, 2, 3], -4) is None
    assert v.subscript({"a": 1}, "a") == 1
    assert v.subscript(NODE, "x") == 1
    assert v.subscript(None, 1) is None
    assert v.subscript([1], None) is None
    assert v.subscript({"a": 1}, None) is None


@pytest.mark.parametrize(
    ("subject", "index", "detail"),
    [
        ([1], "a", "ListElementAccessByNonInteger"),
        ([1], 1.0, "ListElementAccessByNonInteger"),
        ([1], True, "ListElementAccessByNonInteger"),
        ({"a": 1}, 0, "MapElementAccessByNonString"),
        ({"a": 1}, 12.3, "MapElementAccessByNonString"),
        (NODE, 0, "MapElementAccessByNonString"),
        (100, 0, "InvalidArgumentType"),
        ("abc", 0, "InvalidArgumentType"),
    ],
)
def test_wrong_subscripts(subject, index, detail):
    with pytest.raises(QueryTypeError) as error:
        v.subscript(subject, index)
    assert error.value.detail == detail


def test_slices():
    assert v.slice_list([1, 2, 3], -3, -1) == [1, 2]
    assert v.slice_list([1, 2, 3], 3, 1) == []
    assert v.slice_list([1, 2, 3], 0, v.INT_MAX) == [1, 2, 3]
    assert v.slice_list([1, 2, 3], None, 1) is None
    assert v.slice_list(None, 0, 1) is None
    with pytest.raises(QueryTypeError):
        v.slice_list([1], 0.5, 1)
    with pytest.raises(QueryTypeError):
        v.slice_list("abc", 0, 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (-3, "-3"),
        (1.0, "1.0"),
        (1e7, "1.0E7"),
        (9999999.0, "9999999.0"),
        (1e-3, "0.001"),
        (1e-5, "1.0E-5"),
        (-1.5e-10, "-1.5E-10"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (0.00012, "1.2E-4"),
        (-0.0, "-0.0"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
        ("it's\n\\", "'it\\'s\\n\\\\'"),
        ([1, "a", None], "[1, 'a', null]"),
        ({"a": 1, "b c": {}}, "{a: 1, `b c`: {}}"),
        (b"\x01\xff", "bytes('01ff')"),
        (parse_date("2020-01-02"), "date('2020-01-02')"),
        (NODE, "(:A:`B c` {x: 1})"),
        (BARE, "()"),
        (KNOWS, "[:KNOWS {since: 2000}]"),
        (Path((NODE, BARE), (KNOWS,)), "<(:A:`B c` {x: 1})-[:KNOWS {since: 2000}]->()>"),
        (Path((BARE, NODE), (KNOWS,)), "<()<-[:KNOWS {since: 2000}]-(:A:`B c` {x: 1})>"),
    ],
)
def test_text(value, text):
    assert v.to_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_text_of_floats_reads_back(value):
    assert float(v.float_text(value)) == value


def test_text_of_floats_of_few_bits_is_the_nearest_of_two_digits():
    found = [v.float_text(value) for value in (5e-324, -1e-323, 2e22, 1e-5, 3.5e-310)]
    assert found == ["4.9E-324", "-9.9E-324", "2.0E22", "1.0E-5", "3.5E-310"]


def test_type_names():
    several: tuple[Any, ...] = (None, True, 1, 1.0, "a", [], {}, NODE)
    assert [v.type_name(value) for value in several] == [
        "NULL",
        "BOOLEAN",
        "INTEGER",
        "FLOAT",
        "STRING",
        "LIST",
        "MAP",
        "NODE",
    ]
