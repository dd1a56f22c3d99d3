"""The cache of recent entries holds a run that ends at the newest one, whatever is replaced."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from everwhen.runtime.replica.log_view import RecentEntries
from everwhen.storage.frames import Entry


@given(
    st.integers(0, 5),
    st.lists(st.tuples(st.integers(0, 8), st.lists(st.integers(0, 9), min_size=1, max_size=6))),
    st.integers(1, 60),
)
def test_against_a_list(base: int, appends: list[tuple[int, list[int]]], bytes_max: int) -> None:
    cache = RecentEntries(base, bytes_max)
    model: list[Entry] = []
    for term, (back, sizes) in enumerate(appends, start=1):
        keep = max(len(model) - back, 0)
        del model[keep:]
        first = base + len(model) + 1
        added = [Entry(first + at, term, 1, bytes(size)) for at, size in enumerate(sizes)]
        model += added
        cache.append(added)
        last = base + len(model)
        assert cache.get(last) == model[-1]
        assert cache.get(last + 1) is None
        for low in range(base + 1, last + 2):
            found = cache.slice(low, last + 1)
            assert found is None or found == model[low - base - 1 :]
