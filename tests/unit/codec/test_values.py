"""Property values: every class comes back, one form per value, nonsense is refused."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.codec.values import decode_value, encode_value, is_canonical
from everwhen.errors import CorruptData, QueryArgumentError, QueryTypeError
from everwhen.limits import STRING_BYTES_MAX
from tests.unit.codec.storable import values


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack(">d", left) == struct.pack(">d", right) or left != left
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@given(values)
def test_values_come_back(value: Any) -> None:
    data = encode_value(value)
    assert same(decode_value(data), value)
    assert same(decode_value(memoryview(data)), value)
    assert is_canonical(data)
    assert data


def test_nan_has_one_form_and_minus_zero_its_own() -> None:
    (odd,) = struct.unpack(">d", bytes.fromhex("fff8000000000001"))
    assert encode_value(odd) == encode_value(float("nan"))
    assert encode_value([odd]) == encode_value([float("nan")])
    assert encode_value(-0.0) != encode_value(0.0)
    assert encode_value(1) != encode_value(1.0)
    assert encode_value(True) != encode_value(1)
    assert encode_value(b"a") != encode_value("a")


@pytest.mark.parametrize("value", [None, {}, {"a": 1}, [None], [{}], object(), [1, [None]]])
def test_what_cannot_be_stored_is_refused(value: Any) -> None:
    with pytest.raises(QueryTypeError, match="cannot be stored") as caught:
        encode_value(value)
    assert caught.value.detail == "InvalidPropertyType"


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "\ud800", ["\udfff"]])
def test_what_does_not_fit_is_refused(value: Any) -> None:
    with pytest.raises(QueryArgumentError):
        encode_value(value)


def test_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(QueryArgumentError, match="at most"):
        encode_value("ü" * (STRING_BYTES_MAX // 2 + 1))


@given(st.binary(max_size=30))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        value = decode_value(data)
    except CorruptData:
        assert not is_canonical(data)
        return
    assert value is not None


@given(values, st.data())
def test_a_cut_value_is_refused(value: Any, data: st.DataObject) -> None:
    encoded = encode_value(value)
    short = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    with pytest.raises(CorruptData):
        decode_value(short)


@pytest.mark.parametrize("data", [b"\xc0", b"\x80", b"\xc7\x00\x63", b"\xd6\x01\x00\x00\x00\x00"])
def test_null_maps_and_unknown_extensions_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptData):
        decode_value(data)
    assert not is_canonical(data)


def test_a_longer_form_is_not_canonical() -> None:
    assert decode_value(b"\xcc\x01") == 1
    assert not is_canonical(b"\xcc\x01")
