"""Which of several changes of a row counts, for few and for many changes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from everwhen.columns.graph.log import decisive


@given(st.lists(st.integers(0, 40), max_size=60), st.sampled_from((1, 1_000)))
def test_the_last_change_counts_going_forward_and_the_first_going_back(
    changed: list[int], apart: int
) -> None:
    rows = np.array(changed, np.int32) * apart  # far apart: few for so many rows
    last = {row: place for place, row in enumerate(rows.tolist())}
    first = {row: len(rows) - 1 - place for place, row in enumerate(rows[::-1].tolist())}
    for forward, expected in ((True, last), (False, first)):
        touched, places = decisive(rows, forward)
        assert touched.dtype == np.int32
        assert dict(zip(touched.tolist(), places.tolist(), strict=True)) == expected
        assert (np.diff(touched) > 0).all()
