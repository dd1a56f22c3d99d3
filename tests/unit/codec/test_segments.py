"""Segments: every column encoding comes back, look-ups find rows, damage shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.codec import columns as c
from everwhen.codec import segment_making as making
from everwhen.codec import segments as s
from everwhen.codec.segment_taking import taken
from everwhen.codec.values import encode_value
from everwhen.errors import CorruptData, FormatUnsupported

i64 = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
cells = st.one_of(
    st.lists(st.none() | i64),
    st.lists(st.none() | st.integers(5, 9)),
    st.lists(st.none() | st.floats()),
    st.lists(st.none() | st.booleans()),
    st.lists(st.none() | texts),
    st.lists(st.none() | st.sampled_from(["a", "b"]), max_size=30),
    st.lists(st.none() | i64 | texts | st.booleans() | st.lists(i64, max_size=3)),
)


def same(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return left is right
    return encode_value(left) == encode_value(right)


@given(cells)
def test_columns_come_back(values: list[Any]) -> None:
    column = c.column_of(values)
    assert all(same(column.get(row), value) for row, value in enumerate(values))
    ids = np.arange(len(values), dtype=np.int64) + 100
    segment = making.node_segment(["B", "A"], ids, {"x": column})
    read = s.decode_segment(s.encode_segment(segment))
    assert isinstance(read, s.NodeSegment)
    assert read.labels == ("A", "B")
    assert len(read) == len(values)
    for row, value in enumerate(values):
        assert read.row(100 + row) == row
        assert same(read.property(row, "x"), value)
        assert ("x" in read.properties(row)) == (value is not None)
    assert read.row(99) is None
    assert read.row(100 + len(values)) is None


def test_the_tightest_encoding_is_chosen() -> None:
    def code(values: list[Any]) -> str:
        return c.column_of(values).code

    assert code([1, None]) == "i"
    assert code([1.0, None]) == "f"
    assert code([True, None]) == "b"
    assert code(["a", "b", None]) == "s"
    assert code(["a", "a", "b", "b", None]) == "d"
    assert code([1, 1.0]) == "v"
    assert code([True, 1]) == "v"
    assert code([None, None]) == "v"


@given(st.sets(st.integers(0, 2**40), max_size=20))
def test_scattered_ids_are_found(ids: set[int]) -> None:
    array = np.array(sorted(ids), np.int64)
    read = s.decode_segment(s.encode_segment(making.node_segment([], array, {})))
    assert isinstance(read, s.NodeSegment)
    for row, node in enumerate(sorted(ids)):
        assert read.row(node) == row
        assert read.row(node + 1) == (row + 1 if node + 1 in ids else None)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40), st.booleans())
def test_relationships_are_found_by_id_and_by_both_ends(
    pairs: list[tuple[int, int]], one_run: bool
) -> None:
    starts = np.array([pair[0] for pair in pairs], np.int64)
    ends = np.array([pair[1] for pair in pairs], np.int64)
    ids = np.arange(len(pairs), dtype=np.int64) * (1 if one_run else 3) + 50
    if one_run:
        order = making.relationship_order(starts, ends)
    else:
        order = np.lexsort((ids, ends, starts))
        ids = ids[order]
    starts, ends = starts[order], ends[order]
    weights = c.IntColumn(starts * 100 + ends)
    made = making.relationship_segment("R", ids, starts, ends, {"w": weights})
    read = s.decode_segment(s.encode_segment(made))
    assert isinstance(read, s.RelationshipSegment)
    rows = list(zip(ids.tolist(), starts.tolist(), ends.tolist(), strict=True))
    for number, start, end in rows:
        row = read.row(number)
        assert row is not None
        assert read.ends_of(row) == (start, end)
        assert read.property(row, "w") == start * 100 + end
    for node in range(11):
        out = [(end, number) for number, start, end in rows if start == node]
        came = [(start, number) for number, start, end in rows if end == node]
        found = [
            (read.ends.get(row), read.ids.get(row)) for row in read.rows_of(node, outgoing=True)
        ]
        assert found == sorted(out)
        found = [
            (read.starts.get(row), read.ids.get(row)) for row in read.rows_of(node, outgoing=False)
        ]
        assert found == sorted(came)
        assert list(read.neighbours(node, outgoing=True)) == sorted(out)
        assert list(read.neighbours(node, outgoing=False)) == sorted(came)
        for other in (-1, *range(11), 2**70):
            assert list(read.neighbours(node, outgoing=True, other=other)) == sorted(
                entry for entry in out if entry[0] == other
            )
            assert list(read.neighbours(node, outgoing=False, other=other)) == sorted(
                entry for entry in came if entry[0] == other
            )
    by_id = [read.ids.get(int(row)) for row in read.rows_by_id()]
    assert by_id == sorted(ids.tolist())


def test_wrong_order_and_wrong_lengths_are_refused() -> None:
    two = np.array([2, 1], np.int64)
    with pytest.raises(ValueError, match="ascend"):
        making.node_segment([], two, {})
    with pytest.raises(ValueError, match="rows"):
        making.node_segment([], np.array([1], np.int64), {"x": c.column_of([1, 2])})
    with pytest.raises(ValueError, match="ascend"):
        making.relationship_segment("R", np.array([1, 2], np.int64), two, two, {})
    with pytest.raises(ValueError, match="number"):
        making.relationship_segment("R", np.array([1], np.int64), two, two, {})


@given(st.data())
def test_every_changed_byte_shows(data: st.DataObject) -> None:
    columns = {"a": c.column_of([1, 2, None]), "b": c.column_of(["x", None, "z"])}
    good = s.encode_segment(making.node_segment(["L"], np.array([7, 8, 9], np.int64), columns))
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    if at in (5, 6, 7):  # zeros nobody reads
        return
    with pytest.raises((CorruptData, FormatUnsupported)):
        s.decode_segment(bytes(bad))
    with pytest.raises(CorruptData):
        s.decode_segment(good[:at])


def test_a_segment_is_cut_into_pieces() -> None:
    data = bytes(s.PIECE_BYTES) + b"x"
    assert s.pieces(data) == [bytes(s.PIECE_BYTES), b"x"]


@given(st.lists(st.integers(1, 2**63 - 1), min_size=2, max_size=40), st.integers(0, 2**32))
def test_rows_with_versions_of_their_own(versions: list[int], seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows, own = len(versions), np.array(versions, np.int64)
    ids = np.sort(chance.choice(10 * rows, rows, replace=False)).astype(np.int64)
    nodes = making.node_segment(["A"], ids, {}, own)
    starts, ends = chance.integers(0, 3, rows), np.arange(rows)
    made = making.versioned_relationships("R", ids, starts, ends, {}, own)
    some = np.flatnonzero(chance.random(rows) < 0.5)
    for segment in (nodes, made):
        raw = s.encode_segment(segment)
        assert raw[4] == s.FORMAT_VERSIONED
        read = s.decode_segment(raw)
        cut = taken(read, some)
        assert read.versions is not None
        assert cut.versions is not None
        assert read.versions.whole().tolist() == versions
        assert cut.versions.whole().tolist() == own[some].tolist()
        assert [read.row(one) for one in ids.tolist()] == list(range(rows))
        if isinstance(read, s.RelationshipSegment):
            assert read.starts.whole().tolist() == starts.tolist()
            assert read.ends.whole().tolist() == ends.tolist()
    with pytest.raises(ValueError, match="versions for"):
        making.node_segment(["A"], ids, {}, own[1:])
    with pytest.raises(ValueError, match="ascend"):
        making.versioned_relationships("R", -ids, starts, ends, {}, own)
