"""Columns of a bulk load."""

from __future__ import annotations

import pyarrow as pa
import pytest

from everwhen.errors import ArithmeticFailure
from everwhen.runtime.bulk_parts import column


def test_unsigned_integers_are_taken_as_far_as_they_fit() -> None:
    most = column(pa.array([2**63 - 1, None, 0], pa.uint64()), "")
    assert most is not None
    assert [most.get(row) for row in range(3)] == [2**63 - 1, None, 0]
    with pytest.raises(ArithmeticFailure, match="9223372036854775808 does not fit in 64 bits"):
        column(pa.array([1, 2**63], pa.uint64()), "")
