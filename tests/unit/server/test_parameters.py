"""Parameters of plain JSON are taken as they are, and what is wrong with them is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import RequestInvalid
from everwhen.limits import INT_MAX, INT_MIN, PARAMETER_DEPTH_MAX
from everwhen.server.http.values import parameters_from

NUMBERS = st.integers(INT_MIN - 2, INT_MAX + 2) | st.sampled_from([INT_MIN, INT_MAX + 1])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=3))
def test_as_they_are_unless_an_integer_is_too_large(parameters: dict[str, Any]) -> None:
    def fits(value: Any) -> bool:
        if isinstance(value, dict):
            return all(map(fits, value.values()))
        if isinstance(value, list):
            return all(map(fits, value))
        return not isinstance(value, int) or INT_MIN <= value <= INT_MAX

    if fits(parameters):
        assert parameters_from(parameters, is_typed=False) is parameters
    else:
        with pytest.raises(RequestInvalid, match="does not fit into 64 bits"):
            parameters_from(parameters, is_typed=False)


def test_where_it_is_wrong_is_said() -> None:
    with pytest.raises(
        RequestInvalid, match=r"parameter rows\.n: the integer 18446744073709551616"
    ):
        parameters_from({"rows": [{"m": 1}, {"n": 2 << 63}]}, is_typed=False)


@pytest.mark.parametrize("is_typed", [False, True])
def test_how_deep_they_may_nest(is_typed: bool) -> None:
    deepest = {"a": nested(PARAMETER_DEPTH_MAX)}
    assert parameters_from(deepest, is_typed=is_typed) == deepest
    with pytest.raises(RequestInvalid, match=f"deeper than {PARAMETER_DEPTH_MAX}"):
        parameters_from({"a": [deepest["a"]]}, is_typed=is_typed)
