"""A layer of new pairs over a store reads as a store that has them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from everwhen.apply.layered import Layered
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch

keys = st.binary(min_size=1, max_size=2)
pairs = st.dictionaries(keys, st.binary(max_size=2), max_size=12)


def stores(below: dict[bytes, bytes], above: dict[bytes, bytes]) -> tuple[Layered, MemoryStore]:
    store, whole = MemoryStore(), MemoryStore()
    for target, content in ((store, below), (whole, {**below, **above})):
        batch = Batch()
        batch.put_all(content.items())
        target.write(batch)
    layered = Layered(store)
    layered.put_all(list(above.items()))
    return layered, whole


@given(pairs, pairs, keys, keys)
def test_reads(
    below: dict[bytes, bytes], above: dict[bytes, bytes], start: bytes, end: bytes
) -> None:
    layered, whole = stores(below, above)
    assert list(layered.scan(start, end)) == list(whole.scan(start, end))
    assert layered.first(start, end) == whole.first(start, end)
    assert layered.last(start, end) == whole.last(start, end)
    assert layered.get(start) == whole.get(start)


@given(pairs, pairs, st.lists(st.one_of(st.none(), keys), max_size=8))
def test_a_cursor(
    below: dict[bytes, bytes], above: dict[bytes, bytes], moves: list[bytes | None]
) -> None:
    layered, whole = stores(below, above)
    one, other = layered.cursor(), whole.cursor()
    one.seek(b"")
    other.seek(b"")
    for move in moves:
        assert one.valid() == other.valid()
        if other.valid():
            assert (one.key(), one.value()) == (other.key(), other.value())
        if move is not None:
            one.seek(move)
            other.seek(move)
        elif other.valid():
            one.next()
            other.next()
