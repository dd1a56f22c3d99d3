"""The cache of recent entries holds a run that ends at the newest one, whatever is replaced."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.runtime.replica.log_view import RecentEntries, membership_entries
from everwhen.storage.frames import Entry


@given(
    st.integers(0, 5),
    st.lists(st.tuples(st.integers(0, 8), st.lists(st.integers(0, 9), min_size=1, max_size=6))),
    st.integers(1, 2_000),
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
        assert cache.bytes <= bytes_max or cache.get(last - 1) is None
        assert cache.get(last + 1) is None
        for low in range(base + 1, last + 2):
            found = cache.slice(low, last + 1)
            assert found is None or found == model[low - base - 1 :]


class _Log:
    """Entries of these kinds, from ``first_index`` on."""

    def __init__(self, first_index: int, kinds: list[int]) -> None:
        self.first_index = first_index
        self.last_index = first_index + len(kinds) - 1
        self._entries = [Entry(first_index + at, 1, kind, b"") for at, kind in enumerate(kinds)]

    def term(self, index: int) -> int | None:
        return 1

    def entries(self, low: int, high: int) -> Iterator[Entry]:
        return iter(self._entries[low - self.first_index : high - self.first_index])


@pytest.mark.parametrize(
    ("first_index", "kinds", "applied", "committed"),
    [
        (1, [], 0, 0),
        (1, [1, 1, 1], 0, 0),
        # the only one may not be committed
        (1, [1, 2, 1], 0, 0),
        (1, [1, 2, 1, 2, 1], 0, 2),
        (1, [2, 3, 3, 1], 0, 2),
        # those that were applied say nothing of the others
        (1, [2, 1, 3, 1], 2, 0),
        (5, [2, 1, 3, 1], 4, 5),
        (5, [2, 1, 3, 1], 0, 5),
    ],
)
def test_all_but_the_newest_membership_entry_are_committed(
    first_index: int, kinds: list[int], applied: int, committed: int
) -> None:
    assert membership_entries(_Log(first_index, kinds), applied)[0] == committed
