"""Relational operators over batches give what they give over rows."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everwhen.query import bound as b
from everwhen.query import physical as p
from tests.unit.batch import harness as h

X, Y, Z = b.Slot(0, "x"), b.Slot(1, "y"), b.Slot(2, "z")
SLOTS = [0, 1, 2, 4, 5, 6]

sizes = st.sampled_from([1, 3, 1024])
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


@given(sizes, sources(), st.integers(0, 5), st.integers(0, 9))
def test_skip_and_limit(size, source, skip, limit):
    same(p.Skip(source, b.Literal(skip)), size)
    same(p.Limit(source, b.Literal(limit)), size)
    same(p.Limit(p.Skip(source, b.Literal(skip)), b.Literal(limit)), size)


@given(sizes, sources())
def test_filter_and_project(size, source):
    kept = p.Filter(source, b.IsNull(X, True))
    same(p.Project(kept, ((4, b.Binary("=", X, Y)), (0, Y), (1, X))), size)


def _aggregations(argument: b.Expression, distinct: bool) -> list[b.Aggregation]:
    names = ("count", "min", "max", "collect")
    return [b.Aggregation(name, argument, distinct) for name in names]


@given(sizes, sources(), st.integers(0, 2), st.booleans(), st.sampled_from([Y, Z]))
def test_aggregates_by_groups(size, source, keys, distinct, argument):
    groups = ((0, X), (1, Y))[:keys]
    cells = [b.Aggregation("count", None, False), *_aggregations(argument, distinct)]
    op = p.Aggregate(source, groups, tuple((4 + n, cell) for n, cell in enumerate(cells)))
    same(op, size, [*range(keys), *range(4, 9)])


@pytest.mark.parametrize("name", ["sum", "avg", "stdev", "stdevp"])
@given(sizes, sources(), st.booleans(), st.booleans())
def test_totals(name, size, source, grouped, distinct):
    groups = ((0, X),) if grouped else ()
    op = p.Aggregate(source, groups, ((4, b.Aggregation(name, Y, distinct)),))
    same(op, size, [0, 4] if grouped else [4])


@given(sizes, h.columns({"huge": h.KINDS["huge"]}), st.booleans())
def test_totals_beyond_64_bits(size, rows, whole):
    source = h.Given(rows, whole)
    for name in ("sum", "avg"):
        same(p.Aggregate(source, (), ((4, b.Aggregation(name, Y, False)),)), size, [4])
        same(p.Aggregate(source, ((0, X),), ((4, b.Aggregation(name, Y, False)),)), size, [0, 4])


@given(sizes, h.columns({"number": h.FEW["number"]}), st.sampled_from([0, 0.5, 0.3, 1, 2, "a"]))
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


@st.composite
def orders(draw: st.DrawFn) -> tuple[p.SortKey, ...]:
    found = draw(
        st.lists(st.tuples(st.sampled_from([X, Y]), st.booleans()), min_size=1, max_size=2)
    )
    return tuple(p.SortKey(expression, descending) for expression, descending in found)


@given(sizes, sources(), orders(), st.none() | st.integers(0, 8))
def test_sort(size, source, keys, limit):
    if limit is None:
        same(p.Sort(source, keys), size)
    else:
        same(p.Limit(p.Sort(source, keys, b.Literal(limit)), b.Literal(limit)), size)


@given(sizes, sources(), st.sampled_from([(0,), (0, 1), (0, 1, 2), ()]))
def test_distinct(size, source, slots):
    same(p.Distinct(source, slots), size, [*slots])


@given(sizes, sources(), sources())
def test_hash_join(size, left, right):
    inner = p.Project(right, ((4, X), (5, Y), (0, b.Literal(None)), (1, b.Literal(None))))
    # rows that stand for several meet in another order
    ordered = left.weights is None and right.weights is None
    same(p.HashJoin(left, inner, Y, b.Slot(5, "y"), (4, 5)), size, ordered=ordered)


@given(sizes, sources(), sources())
def test_union_and_eager(size, left, right):
    same(p.Eager(p.Union((left, right), ((0, 1), (1, 2)), (4, 5))), size, [0, 1, 2, 4, 5])


@given(
    sizes,
    h.columns({"list": h.KINDS["list"], "mixed": h.FEW["mixed"], "int": h.FEW["int"]}),
    st.sampled_from([X, b.Literal([1, "a", None]), b.Literal([]), b.Literal(7), b.Slot(3, "none")]),
)
def test_unwind(size, rows, expression):
    same(p.Unwind(h.Given(rows), 4, expression), size)


def test_rows_are_dropped_early_that_cannot_be_among_the_first(monkeypatch):
    from everwhen.exec.batch.operators import sort

    monkeypatch.setattr(sort, "_GATHERED_ROWS", 4)
    rows: list[list[Any]] = [[n * 37 % 11 or None, n, *[None] * 10] for n in range(60)]
    for descending in (True, False):
        keys = (p.SortKey(X, descending), p.SortKey(Y, True))
        same(p.Limit(p.Sort(h.Given(rows), keys, b.Literal(3)), b.Literal(3)), 2)


def test_limit_stops_pulling():
    source = h.Given([[n, *[None] * 11] for n in range(9)])
    pulled: list[int] = []
    first = p.Limit(h.Watched(source, pulled), b.Literal(3))
    assert len(h.by_batches(first, [0], 2)) == 3
    assert pulled == [2, 2]
    assert h.by_batches(p.Limit(h.Watched(source, pulled), b.Literal(0), True), [0], 3) == []
    assert pulled == [2, 2, 3, 3, 3]


# --- within origins --------------------------------------------------------------------------


def _plans(source: p.Operator) -> list[p.Operator]:
    count = ((4, b.Aggregation("count", X, False)), (5, b.Aggregation("collect", X, True)))
    inner = p.Project(source, ((4, X), (5, Y)))
    return [
        p.Aggregate(source, (), count),
        p.Aggregate(source, ((0, Y),), ((4, b.Aggregation("max", X, False)),)),
        p.Distinct(source, (0, 1)),
        p.Sort(source, (p.SortKey(X, True),)),
        p.Limit(p.Sort(source, (p.SortKey(X, False),), b.Literal(2)), b.Literal(2)),
        p.Skip(source, b.Literal(1)),
        p.Limit(source, b.Literal(2)),
        p.Union((source, source), ((0,), (1,)), (4,)),
        p.HashJoin(source, inner, X, b.Slot(4, "x"), (4, 5)),
    ]


@given(sizes, few, st.booleans(), st.data())
def test_inner_plans_work_within_each_argument_row(size, rows, whole, data):
    origins = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    arguments = [["outer", n] for n in range(4)]
    for place, op in enumerate(_plans(h.Given(rows, whole, None, origins))):
        found = h.by_origins(op, arguments, [0, 1, 4, 5], size)
        for origin in range(4):
            mine = [row for row, at in zip(rows, origins, strict=True) if at == origin]
            alone = _plans(h.Given(mine))[place]
            assert found[origin] == h.by_rows(alone, [0, 1, 4, 5], arguments[origin])


@settings(max_examples=5)
@given(
    st.integers(0, 10**6),
    st.sampled_from([3, 400, 10**6, 2**62]),
    st.sampled_from([0, 3000]),
    st.booleans(),
    st.sampled_from([700, 5000]),
)
def test_many_rows_take_the_ways_of_many(seed, wide, more, whole, size):
    """Compiled kernels, tables by range and by hash, and counting sorts, in place of numpy."""
    chance = random.Random(seed)
    texts = ["", "𝕏", "a", "b", *map(str, range(more))]
    rows: list[list[Any]] = [
        [chance.randrange(-wide, wide), chance.choice(texts), chance.choice([0.5, -0.0, None, n])]
        + [None] * 9
        for n in range(2_100)
    ]
    source = h.Given(rows, whole)
    cells = [b.Aggregation("min", Z, False), b.Aggregation("max", Y, False)]
    same(p.Aggregate(source, ((0, X),), ((4, cells[0]), (5, cells[1]))), size, [0, 4, 5])
    same(p.Distinct(source, (1, 2)), size, [1, 2])
    same(p.Sort(source, (p.SortKey(Y, True), p.SortKey(X, False))), size)
    first = p.Sort(source, (p.SortKey(X, True), p.SortKey(Y, False)), b.Literal(3))
    same(p.Limit(first, b.Literal(3)), size)
    few_rows = h.Given([[*row[:3], *[None] * 9] for row in rows[::40]], source.whole)
    inner = p.Project(few_rows, ((4, X), (5, Y)))
    same(p.HashJoin(source, inner, X, b.Slot(4, "x"), (5,)), size)
    same(p.HashJoin(source, inner, Y, b.Slot(5, "y"), (4,)), size)
