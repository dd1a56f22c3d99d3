"""Expressions over vectors give what they give row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import EverwhenError
from everwhen.exec.batch.core import Batch
from everwhen.exec.batch.expressions import compile_mask, compile_vector, text
from everwhen.exec.batch.values import values_of, vector_of
from everwhen.exec.expressions import compile_expression
from everwhen.exec.functions import FUNCTIONS
from everwhen.query import bound as b
from tests.unit.batch import harness as h
from tests.unit.model import strategies as values

slots = st.sampled_from([b.Slot(0, "x"), b.Slot(1, "y"), b.Slot(2, "z"), b.Slot(3, "unset")])
literals = (
    h.small
    | values.numbers
    | st.sampled_from(["", "a", "ab", "𝕏", None, True, False, [1, 2], ["a", None], [], [1.0, "a"]])
).map(b.Literal)
parameters = st.sampled_from(sorted(h.PARAMETERS)).map(b.Parameter)
leaves = (
    slots
    | st.builds(b.Property, slots, st.sampled_from(["i", "s", "m", "w", "none"]))
    | literals
    | parameters
)

OPERATORS = "+ - * / % ^ = <> < <= > >= IN =~ STARTS_WITH ENDS_WITH CONTAINS || XOR".split()
NAMES = (
    "id type labels startnode endnode abs sign isnan ceil floor round sqrt tofloat tointeger "
    "toboolean tostring toupper size exists elementid keys properties valuetype tofloatornull"
).split()
LABELS = [
    b.LabelName("A"),
    b.LabelAnd((b.LabelName("A"), b.LabelNot(b.LabelName("B")))),
    b.LabelOr((b.LabelName("KNOWS"), b.LabelName("B"))),
    b.LabelWildcard(),
]


def _above(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return (
        st.builds(b.Binary, st.sampled_from(OPERATORS), inner, inner)
        | several.map(b.And)
        | several.map(b.Or)
        | inner.map(b.Not)
        | st.builds(b.IsNull, inner, st.booleans())
        | st.builds(b.Unary, st.sampled_from("+-"), inner)
        | st.builds(
            b.Case, inner | st.none(), st.tuples(st.tuples(inner, inner)), inner | st.none()
        )
        | several.map(lambda items: b.FunctionCall("coalesce", items))
        | st.builds(lambda name, x: b.FunctionCall(name, (x,)), st.sampled_from(NAMES), inner)
        | st.builds(b.HasLabels, inner, st.sampled_from(LABELS))
        | several.map(b.ListLiteral)
        | inner.map(lambda x: b.MapLiteral((("i", x),)))
        | st.builds(b.Subscript, inner, inner)
        | st.builds(b.Slice, inner, inner, st.none())
        | st.builds(b.IsTyped, inner, st.sampled_from(["INTEGER", "ANY NOT NULL", "STRING"]))
        | st.builds(lambda x: b.ListComprehension(9, x, None, b.Slot(9, "e")), inner)
    )


expressions = st.recursive(leaves, _above, max_leaves=6)


def _row_by_row(expression: b.Expression, rows: list[list[Any]]) -> tuple[list[Any], set[str]]:
    """Values, and the names of all errors there are."""
    ctx, evaluate = h.context().rows, compile_expression(expression)
    found, errors = [], set()
    for row in rows:
        try:
            found.append(h.plain(evaluate(row[:], ctx)))
        except EverwhenError as error:
            errors.add(type(error).__name__)
    return found, errors


@given(st.sampled_from([1, 3, 1024]), h.columns(), expressions, st.booleans())
def test_vectors_hold_what_rows_give(size, rows, expression, whole):
    expected, errors = _row_by_row(expression, rows)
    ctx, evaluate = h.context(size), compile_vector(expression)

    def run() -> list[Any]:
        found: list[Any] = []
        for batch in h.batches_of(rows, ctx, whole):
            vector = evaluate(batch, ctx)
            assert len(vector) == batch.length
            found += [h.plain(value) for value in values_of(vector, ctx)]
        return found

    found, error = h.error_of(run)
    if errors:
        assert error in errors
    else:
        assert (found, error) == (expected, None)


@given(st.sampled_from([1, 3, 1024]), h.columns(), expressions)
def test_masks_are_true_where_predicates_are(size, rows, predicate):
    expected, errors = _row_by_row(predicate, rows)
    ctx, evaluate = h.context(size), compile_mask(predicate)

    def run() -> list[Any]:
        masks = [evaluate(batch, ctx) for batch in h.batches_of(rows, ctx, True)]
        return [value for mask in masks for value in mask.tolist()]

    found, error = h.error_of(run)
    if errors or any(name not in ("bool", "NoneType") for name, *_ in expected):
        assert error in errors | {"QueryTypeError"}
    else:
        assert (found, error) == ([value is True for _, value in expected], None)


@given(h.columns())
def test_values_come_back_from_vectors(rows):
    ctx = h.context()
    for slot in range(3):
        given_values = [row[slot] for row in rows]
        vector = vector_of(given_values, ctx)
        assert [h.plain(v) for v in values_of(vector, ctx)] == [h.plain(v) for v in given_values]


def test_later_operands_see_undecided_rows_only():
    # 1 / x fails for 0, which the first operand keeps from it
    x = b.Slot(0, "x")
    safe = b.And(
        (
            b.Binary("<>", x, b.Literal(0)),
            b.Binary(">", b.Binary("/", b.Literal(6), x), b.Literal(1)),
        )
    )
    ctx = h.context()
    batch = Batch(4, {0: vector_of([0, 2, None, 6], ctx)})
    assert compile_mask(safe)(batch, ctx).tolist() == [False, True, False, False]
    choice = b.Case(None, ((b.Binary("=", x, b.Literal(0)), b.Literal("none")),), safe.operands[1])
    assert values_of(compile_vector(choice)(batch, ctx), ctx) == ["none", True, None, False]


def test_strings_are_looked_at_once_for_each_text(monkeypatch):
    calls = []

    def counted(left, right):
        calls.append(left)
        return right in left

    monkeypatch.setitem(text.TESTS, "CONTAINS", counted)
    ctx = h.context(1000)
    evaluate = compile_vector(b.Binary("CONTAINS", b.Slot(0, "x"), b.Literal("a")))
    rows = [[value, *[None] * 11] for value in ["a", "b", None] * 1000]
    for batch in h.batches_of(rows, ctx, whole=True):
        found = values_of(evaluate(batch, ctx), ctx)
        assert found == [None if v is None else v == "a" for v in values_of(batch.columns[0], ctx)]
    assert sorted(calls) == ["a", "b"]


def test_functions_are_called_once_for_each_text_of_a_batch(monkeypatch):
    upper, calls = FUNCTIONS["toupper"], []

    def counted(ctx, value):
        calls.append(value)
        return value.upper()

    monkeypatch.setitem(FUNCTIONS, "toupper", replace(upper, fn=counted))
    ctx = h.context()
    evaluate = compile_vector(b.FunctionCall("toupper", (b.Slot(0, "x"),)))
    batch = Batch(3000, {0: vector_of(["a", "b", None] * 1000, ctx)})
    assert values_of(evaluate(batch, ctx), ctx) == ["A", "B", None] * 1000
    assert sorted(calls) == ["a", "b"]


def test_large_integers_do_not_become_floats():
    ctx = h.context()
    numbers = [2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
    batch = Batch(4, {0: vector_of(numbers, ctx)})
    equal = compile_vector(b.Binary("=", b.Slot(0, "x"), b.Literal(float(2**53))))
    assert values_of(equal(batch, ctx), ctx) == [True, False, False, False]
    below = compile_vector(b.Binary("<", b.Slot(0, "x"), b.Literal(float(2**63))))
    assert values_of(below(batch, ctx), ctx) == [True] * 4
    total = compile_vector(b.Binary("+", b.Slot(0, "x"), b.Literal(1)))
    with pytest.raises(EverwhenError, match=r"9223372036854775807 \+ 1"):
        total(batch, ctx)
    assert np.array_equal(batch.columns[0].data, numbers)


def test_texts_of_batches_long_gone_are_not_kept():
    ctx = h.context(8)
    evaluate = compile_vector(b.Binary("CONTAINS", b.Slot(0, "x"), b.Literal("a")))
    for number in range(50):
        rows = [[f"{number} {value}", *[None] * 11] for value in ("a", "b", "a")]
        for batch in h.batches_of(rows, ctx, whole=True):
            assert values_of(evaluate(batch, ctx), ctx) == [True, False, True]
    assert len(ctx.memo) == 1
