"""Points, vectors, and the moments of AT TIME."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QueryArgumentError, QueryTypeError, TimeOutOfRange
from everwhen.model.moments import micros_text, moment_micros
from everwhen.model.spatial import point_from
from everwhen.model.temporal_parse import parse_date, parse_datetime, parse_local_datetime
from everwhen.model.vector import Vector, element_of_name


@pytest.mark.parametrize(
    ("fields", "srid", "coordinates"),
    [
        ({"x": 1, "y": 2}, 7203, (1.0, 2.0)),
        ({"x": 1, "y": 2, "z": 3}, 9157, (1.0, 2.0, 3.0)),
        ({"longitude": 1, "latitude": 2}, 4326, (1.0, 2.0)),
        ({"longitude": 1, "latitude": 2, "height": 3}, 4979, (1.0, 2.0, 3.0)),
        ({"x": 1, "y": 2, "crs": "WGS-84"}, 4326, (1.0, 2.0)),
        ({"x": 1, "y": 2, "srid": 4326}, 4326, (1.0, 2.0)),
        ({"longitude": 190, "latitude": 0}, 4326, (-170.0, 0.0)),
        ({"x": -0.0, "y": 2}, 7203, (0.0, 2.0)),
    ],
)
def test_points(fields, srid, coordinates):
    point = point_from(fields)
    assert point is not None
    assert (point.srid, point.coordinates) == (srid, coordinates)


@pytest.mark.parametrize(
    "fields",
    [
        {"x": 1},
        {"latitude": 1, "longitude": 1, "crs": "cartesian"},
        {"x": 1, "y": 2, "z": 3, "srid": 7203},
        {"x": 1, "y": 2, "srid": 1},
        {"x": 1, "y": 2, "crs": "moon"},
        {"x": 1, "y": 2, "crs": "cartesian", "srid": 4326},
        {"latitude": 91, "longitude": 0},
        {"x": math.inf, "y": 0},
        {"x": math.nan, "y": 0},
    ],
)
def test_points_that_are_none(fields):
    with pytest.raises(QueryArgumentError):
        point_from(fields)


def test_points_with_nulls_and_wrong_types():
    assert point_from({"x": None, "y": 1}) is None
    with pytest.raises(QueryTypeError):
        point_from({"x": "1", "y": 1})


def test_distance():
    def point(**fields):
        return point_from(fields)

    assert point(x=0, y=0).distance(point(x=3, y=4)) == 5.0
    assert point(x=0, y=0).distance(point(x=0, y=0, z=1)) is None
    quarter = point(longitude=0, latitude=0).distance(point(longitude=0, latitude=90))
    assert quarter == pytest.approx(6_378_140 * math.pi / 2)
    up = point(longitude=0, latitude=0, height=0).distance(
        point(longitude=0, latitude=0, height=100)
    )
    assert up == pytest.approx(100)


def test_boxes():
    def place(longitude, latitude):
        return point_from({"longitude": longitude, "latitude": latitude})

    assert place(5, 5).within(place(0, 0), place(10, 10)) is True
    assert place(15, 5).within(place(0, 0), place(10, 10)) is False
    # across the 180th meridian
    assert place(179, 5).within(place(170, 0), place(-170, 10)) is True
    assert place(0, 5).within(place(170, 0), place(-170, 10)) is False
    assert place(5, 5).within(point_from({"x": 0, "y": 0}), place(1, 1)) is None


def test_components_of_points():
    point = point_from({"longitude": 12, "latitude": 56, "height": 9})
    flat = point_from({"x": 1, "y": 2})
    assert point is not None
    assert flat is not None
    names = ("longitude", "latitude", "height", "x", "y", "z", "srid", "crs")
    assert [point.component(name) for name in names] == [
        12.0, 56.0, 9.0, 12.0, 56.0, 9.0, 4979, "wgs-84-3d",
    ]  # fmt: skip
    for name in ("longitude", "z", "w"):
        with pytest.raises(QueryArgumentError):
            flat.component(name)


# --- vectors -------------------------------------------------------------------------------


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=8))
def test_vectors_keep_their_numbers(numbers):
    for element in ("INTEGER8", "INTEGER16", "INTEGER32", "INTEGER64", "FLOAT32", "FLOAT64"):
        vector = Vector.of(numbers, element)
        assert vector.values() == tuple(numbers)
        assert len(vector) == len(numbers)
        assert vector == Vector.of(numbers, element)
        assert hash(vector) == hash(Vector.of(numbers, element))


def test_vectors_that_are_none():
    with pytest.raises(QueryArgumentError):
        Vector.of([128], "INTEGER8")
    with pytest.raises(QueryArgumentError):
        Vector.of([1e39], "FLOAT32")
    with pytest.raises(QueryArgumentError):
        Vector.of([math.nan])
    with pytest.raises(QueryArgumentError):
        Vector.of([])
    with pytest.raises(QueryArgumentError):
        Vector.of([1.0] * 4097)
    with pytest.raises(QueryTypeError):
        Vector.of(["1"])
    with pytest.raises(QueryArgumentError):
        element_of_name("FLOAT16")
    assert element_of_name("int") == "INTEGER64"
    assert element_of_name("FLOAT NOT NULL") == "FLOAT64"
    assert Vector.of([1], "FLOAT32") != Vector.of([1], "FLOAT64")


# --- moments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (parse_datetime("1970-01-01T00:00:01+00:00"), 1_000_000),
        (parse_datetime("1970-01-01T01:00:00.0000019+01:00"), 1),
        (parse_date("1970-01-02"), 86_400_000_000),
        (parse_local_datetime("1970-01-01T00:00:01"), 1_000_000),
        ("1970-01-01T00:00:01Z", 1_000_000),
        (" 1970-01-01 00:00:01 ", 1_000_000),
        ("1970-01-02", 86_400_000_000),
        (1_500, 1_500_000),
    ],
)
def test_moments(value, micros):
    assert moment_micros(value) == micros


@pytest.mark.parametrize(
    "value", [None, 1.5, True, "yesterday", [], parse_date("+999999999-01-01")]
)
def test_what_is_no_moment(value):
    with pytest.raises(TimeOutOfRange):
        moment_micros(value)


def test_moment_text():
    assert micros_text(1_700_000_000_123_456) == "2023-11-14T22:13:20.123456Z"
    assert moment_micros(micros_text(1_700_000_000_123_456)) == 1_700_000_000_123_456
