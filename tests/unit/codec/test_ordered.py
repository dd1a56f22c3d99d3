"""Ordered bytes against ``model.values``: order, equality, ranges, prefixes."""

from __future__ import annotations

from math import isnan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.codec import ordered
from everwhen.codec.ordered_text import describe
from everwhen.errors import CorruptData, QueryArgumentError, QueryTypeError
from everwhen.model.duration import Duration
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time
from everwhen.model.values import compare, equals, order_key
from tests.unit.codec.storable import floats, integers, texts, values
from tests.unit.codec.test_values import same

numbers = integers | floats


def sign(left: Any, right: Any) -> int:
    return (left > right) - (left < right)


def free_of_nan(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return not any(isinstance(item, float) and isnan(item) for item in items)


@given(values, values)
def test_bytes_order_as_order_by_does(left: Any, right: Any) -> None:
    by_key = sign(order_key(left), order_key(right))
    by_bytes = sign(ordered.encode(left), ordered.encode(right))
    if by_key:
        assert by_bytes == by_key
    elif free_of_nan(left) and free_of_nan(right):
        assert (by_bytes == 0) == (equals(left, right) is True)


@given(numbers, numbers)
def test_numbers_are_one_exact_order(left: float, right: float) -> None:
    if isnan(left) or isnan(right):
        assert sign(ordered.encode(left), ordered.encode(right)) == sign(isnan(left), isnan(right))
    else:
        assert sign(ordered.encode(left), ordered.encode(right)) == sign(left, right)


def test_neighbours_at_the_edge_of_exactness() -> None:
    line = [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**62 + 1, 2**63 - 1, 2.0**63, float("inf")]
    encoded = [ordered.encode(value) for value in line]
    assert encoded == sorted(encoded)
    assert len(set(encoded)) == len(line)
    assert ordered.encode(2**53) == ordered.encode(2.0**53)
    assert ordered.encode(0.0) == ordered.encode(-0.0) == ordered.encode(0)
    assert ordered.encode(-(2**63)) == ordered.encode(-(2.0**63))


@given(values, values)
def test_no_encoding_begins_another(left: Any, right: Any) -> None:
    one, other = ordered.encode(left), ordered.encode(right)
    if one != other:
        assert not one.startswith(other)


@given(st.lists(values, min_size=2, max_size=2), st.lists(values, min_size=2, max_size=2))
def test_tuples_order_like_tuples(left: list[Any], right: list[Any]) -> None:
    one = [ordered.encode(value) for value in left]
    other = [ordered.encode(value) for value in right]
    assert sign(ordered.encode_tuple(left), ordered.encode_tuple(right)) == sign(one, other)


def within(value: Any, lower: Any, upper: Any) -> bool:
    for bound, wanted in ((lower, 1), (upper, -1)):
        if bound is not None:
            order = compare(value, bound[0])
            if (
                order is None
                or isnan(order)
                or (order == 0 and not bound[1])
                or sign(order, 0) == -wanted
            ):
                return False
    return True


limits = st.none() | st.tuples(values, st.booleans())


@given(limits, limits, st.lists(values, max_size=20))
def test_ranges_hold_what_compares(lower: Any, upper: Any, candidates: list[Any]) -> None:
    for bound in (lower, upper):
        if bound is not None and isinstance(bound[0], list):
            return  # lists: the range of the total order, filtered in ``mvcc.lookup``
    found = ordered.range_of(lower, upper)
    candidates += [bound[0] for bound in (lower, upper) if bound is not None]
    for value in candidates:
        inside = found is not None and found[0] <= ordered.encode(value) < found[1]
        assert inside == within(value, lower, upper)


@given(texts, texts)
def test_prefix_ranges(text: str, start: str) -> None:
    low, high = ordered.prefix_range(start)
    assert (low <= ordered.encode(text) < high) == text.startswith(start)
    assert low <= ordered.encode(start + text) < high


@given(values)
def test_what_equals_nothing(value: Any) -> None:
    assert ordered.is_equal_to_something(value) == (equals(value, value) is True)
    assert not ordered.is_equal_to_something(None)


@given(values)
def test_in_words(value: Any) -> None:
    words = describe(ordered.encode_tuple([value, "end"]))
    assert words.endswith(", 'end'")
    if isinstance(value, DateTime | Date | LocalTime | Time | LocalDateTime | Duration):
        assert words == f"{value}, 'end'"
    if isinstance(value, int) and not isinstance(value, bool):
        assert words == f"{value}, 'end'"


@given(st.binary(max_size=30))
def test_any_bytes_are_in_words_or_refused(data: bytes) -> None:
    try:
        assert isinstance(describe(data), str)
    except CorruptData:
        return


def test_entries_are_bounded() -> None:
    assert ordered.encode_entry(["x"]) == ordered.encode_tuple(["x"])
    with pytest.raises(QueryArgumentError, match="index entry"):
        ordered.encode_entry(["x" * 8_000])
    with pytest.raises(QueryTypeError):
        ordered.encode({})


@given(values)
def test_equal_is_equal_bytes(value: Any) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and same(int(float(value)), value):
        assert ordered.encode(float(value)) == ordered.encode(value)
