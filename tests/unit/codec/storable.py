"""Hypothesis strategies for every value that can be a property."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

from everwhen.model.duration import Duration
from everwhen.model.spatial import CARTESIAN, CARTESIAN_3D, WGS_84, WGS_84_3D, Point
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time
from everwhen.model.vector import ELEMENT_TYPES, Vector

DAY_NANOS = 86_400 * 10**9

integers = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    [
        sign * (2**power) + step
        for power in (52, 53, 54, 62)
        for sign in (1, -1)
        for step in (-1, 0, 1)
    ]
)
floats = st.floats() | integers.map(float)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
nanos = st.integers(0, DAY_NANOS - 1) | st.integers(0, 3)
days = st.integers(-365_000_000_000, 365_000_000_000) | st.integers(-2, 2)
offsets = st.integers(-64_800, 64_800) | st.sampled_from([0, 3600])
zones = st.sampled_from([None, "Europe/Berlin", "UTC"])
coordinates = st.floats(allow_nan=False)


def _vector(data: tuple[str, list[int]]) -> Vector:
    element, numbers = data
    code = ELEMENT_TYPES[element]
    return Vector(element, struct.pack(f">{len(numbers)}{code}", *numbers))


temporals = st.one_of(
    st.builds(Date, days),
    st.builds(LocalTime, nanos),
    st.builds(Time, nanos, offsets),
    st.builds(LocalDateTime, days, nanos),
    st.builds(DateTime, days, nanos, offsets, zones),
)
durations = st.builds(
    Duration.of,
    st.integers(-(10**12), 10**12) | st.integers(-2, 2),
    st.integers(-(10**13), 10**13) | st.integers(-62, 62),
    st.integers(-(2**61), 2**61) | st.integers(-100, 100),
    st.integers(0, 999_999_999),
)
points = st.one_of(
    st.builds(Point, st.sampled_from([CARTESIAN, WGS_84]), st.tuples(coordinates, coordinates)),
    st.builds(
        Point,
        st.sampled_from([CARTESIAN_3D, WGS_84_3D]),
        st.tuples(coordinates, coordinates, coordinates),
    ),
)
vectors = st.tuples(
    st.sampled_from(sorted(ELEMENT_TYPES)), st.lists(st.integers(-128, 127), min_size=1, max_size=3)
).map(_vector)
scalars: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    integers,
    floats,
    texts,
    st.binary(max_size=6),
    temporals,
    durations,
    points,
    vectors,
)
values: st.SearchStrategy[Any] = st.one_of(scalars, st.lists(scalars, max_size=3))
