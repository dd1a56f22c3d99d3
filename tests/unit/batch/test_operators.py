"""Relational operators over batches give what they give over rows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.query import bound as b
from everwhen.query import physical as p
from tests.unit.batch import harness as h

X, Y, Z = b.Slot(0, "x"), b.Slot(1, "y"), b.Slot(2, "z")
SLOTS = [0, 1, 2, 4, 5, 6]

sizes = pytest.mark.parametrize("size", [1, 3, 1024])
few = h.columns(h.FEW)


@st.composite
def sources(draw: st.DrawFn) -> h.Given:
    rows = draw(few)
    weights = draw(st.none() | st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows)))
    return h.Given(rows, draw(st.booleans()), weights)


def same(op: p.Operator, size: int, slots: list[int] = SLOTS, ordered: bool = True) -> None:
    expected, wanted = h.error_of(lambda: h.by_rows(op, slots))
    found, error = h.error_of(lambda: h.by_batches(op, slots, size))
    assert error == wanted
    if not ordered and expected is not None:
        expected, found = sorted(expected, key=repr), sorted(found, key=repr)
    assert found == expected


@sizes
@given(sources(), st.integers(0, 5), st.integers(0, 9))
def test_skip_and_limit(size, source, skip, limit):
    same(p.Skip(source, b.Literal(skip)), size)
    same(p.Limit(source, b.Literal(limit)), size)
    same(p.Limit(p.Skip(source, b.Literal(skip)), b.Literal(limit)), size)


@sizes
@given(sources())
def test_filter_and_project(size, source):
    kept = p.Filter(source, b.IsNull(X, True))
    same(p.Project(kept, ((4, b.Binary("=", X, Y)), (0, Y), (1, X))), size)


def _aggregations(argument: b.Expression, distinct: bool) -> list[b.Aggregation]:
    names = ("count", "min", "max", "collect")
    return [b.Aggregation(name, argument, distinct) for name in names]


@sizes
@given(sources(), st.integers(0, 2), st.booleans(), st.sampled_from([Y, Z]))
def test_aggregates_by_groups(size, source, keys, distinct, argument):
    groups = ((0, X), (1, Y))[:keys]
    cells = [b.Aggregation("count", None, False), *_aggregations(argument, distinct)]
    op = p.Aggregate(source, groups, tuple((4 + n, cell) for n, cell in enumerate(cells)))
    same(op, size, [*range(keys), *range(4, 9)])


@sizes
@pytest.mark.parametrize("name", ["sum", "avg", "stdev", "stdevp"])
@given(sources(), st.booleans(), st.booleans())
def test_totals(size, name, source, grouped, distinct):
    groups = ((0, X),) if grouped else ()
    op = p.Aggregate(source, groups, ((4, b.Aggregation(name, Y, distinct)),))
    same(op, size, [0, 4] if grouped else [4])


@sizes
@given(h.columns({"huge": h.KINDS["huge"]}), st.booleans())
def test_totals_beyond_64_bits(size, rows, whole):
    source = h.Given(rows, whole)
    for name in ("sum", "avg"):
        same(p.Aggregate(source, (), ((4, b.Aggregation(name, Y, False)),)), size, [4])
        same(p.Aggregate(source, ((0, X),), ((4, b.Aggregation(name, Y, False)),)), size, [0, 4])


@sizes
@given(h.columns({"number": h.FEW["number"]}), st.sampled_from([0, 0.5, 0.3, 1, 2, "a"]))
def test_percentiles(size, rows, percentile):
    for name in ("percentilecont", "percentiledisc"):
        cell = b.Aggregation(name, Y, False, (b.Literal(percentile),))
        same(p.Aggregate(h.Given(rows), ((0, X),), ((4, cell),)), size, [0, 4])


def test_more_groups_than_are_gathered_at_once(monkeypatch):
    from everwhen.exec.batch.operators import aggregate

    monkeypatch.setattr(aggregate, "_GATHERED_ROWS", 4)
    rows: list[list[Any]] = [[n % 7, n * n, *[None] * 10] for n in range(60)]
    cells = _aggregations(Y, False) + _aggregations(Y, True) + [b.Aggregation("avg", Y, False)]
    slots = tuple((3 + n, cell) for n, cell in enumerate(cells))
    same(p.Aggregate(h.Given(rows), ((0, X),), slots), 5, [0, *range(3, 12)])
