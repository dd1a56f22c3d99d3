"""Hypothesis strategies for values of the language."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model import calendar as cal
from everwhen.model.duration import Duration
from everwhen.model.elements import Detached, Node, Path, Relationship
from everwhen.model.spatial import CARTESIAN, WGS_84_3D, Point
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time
from everwhen.model.vector import Vector

NOTHING = Detached((), {})

integers = st.integers(INT_MIN, INT_MAX) | st.sampled_from(
    [INT_MIN, INT_MAX, 2**53, 2**53 + 1, -(2**53) - 1, 0, 1, -1]
)
floats = st.floats() | integers.map(float)
numbers = integers | floats
texts = st.text(max_size=4)

days = st.integers(cal.DAYS_MIN, cal.DAYS_MAX) | st.integers(-1_000_000, 1_000_000)
nanos = st.integers(0, cal.NANOS_PER_DAY - 1) | st.integers(0, 86_399).map(lambda s: s * 10**9)
offsets = st.integers(-64_800, 64_800) | st.sampled_from([0, 3600, -5400])
zone_names = st.sampled_from(
    ["Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
)

dates = days.map(Date)
local_times = nanos.map(LocalTime)
times = st.builds(Time, nanos, offsets)
local_datetimes = st.builds(LocalDateTime, days, nanos)
#: away from the first and last day, where a zone shift would leave the calendar
inner_days = st.integers(cal.DAYS_MIN + 3, cal.DAYS_MAX - 3) | st.integers(-60_000, 60_000)
datetimes = st.builds(DateTime.of_local, inner_days, nanos, offsets | zone_names)
temporals = dates | local_times | times | local_datetimes | datetimes
durations = st.builds(
    Duration.of,
    st.integers(-(10**6), 10**6),
    st.integers(-(10**9), 10**9),
    st.integers(-(10**12), 10**12),
    st.integers(0, 999_999_999),
)
points = st.builds(
    Point,
    st.just(CARTESIAN),
    st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)),
) | st.builds(Point, st.just(WGS_84_3D), st.tuples(*[st.floats(-90, 90)] * 3))
vectors = st.lists(st.integers(-100, 100), min_size=1, max_size=3).flatmap(
    lambda numbers: st.sampled_from(["INTEGER8", "FLOAT32", "FLOAT64"]).map(
        lambda element: Vector.of(numbers, element)
    )
)

ids = st.integers(0, 3)
nodes = ids.map(lambda i: Node(i, NOTHING))
relationships = st.builds(Relationship, ids, st.just("T"), ids, ids, st.just(NOTHING))
paths = st.builds(lambda a, r, b: Path((a, b), (r,)), nodes, relationships, nodes) | nodes.map(
    lambda n: Path((n,), ())
)

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    integers,
    floats,
    texts,
    st.binary(max_size=3),
    temporals,
    durations,
    points,
    vectors,
    nodes,
    relationships,
    paths,
)
#: small ones too, so that equal values meet
values: st.SearchStrategy[Any] = st.recursive(
    scalars | st.sampled_from([None, 0, 1, 1.0, True, float("nan"), "a", -0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
