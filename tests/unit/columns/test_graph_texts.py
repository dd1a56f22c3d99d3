"""Distinct texts without objects: codes, look-up and order, and ids to rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from everwhen.columns.arena import Arena
from everwhen.columns.graph.ids import IdMap, NodeRows
from everwhen.columns.graph.texts import Texts

_text = st.one_of(
    st.text(max_size=12),
    st.text("a\x00b", max_size=20),
    st.builds(
        lambda tail: "a long beginning, common to many " + tail, st.text("xy\x00", max_size=9)
    ),
)


@given(st.lists(st.tuples(_text, st.booleans()), max_size=60))
@settings(max_examples=150, deadline=None)
def test_texts(steps: list[tuple[str, bool]]) -> None:
    texts, codes = Texts(Arena()), dict[str, int]()
    for text, together in steps:
        if together:
            parts = [text, text + "!", text]
            encoded = [part.encode() for part in parts]
            bounds = np.cumsum([0, *map(len, encoded)])
            found = texts.codes(np.frombuffer(b"".join(encoded), np.uint8), bounds).tolist()
        else:
            parts, found = [text], [texts.code(text)]
        for part, code in zip(parts, found, strict=True):
            assert codes.setdefault(part, code) == code
    assert len(texts) == len(codes) == len(set(codes.values()))
    assert texts.some(np.array(list(codes.values()), np.int32)) == list(codes)
    assert [texts.find(text) for text in codes] == list(codes.values())
    assert texts.find("never there") == texts.find("\ud800") == -1
    ranks = texts.ranks().tolist()
    ordered = sorted(codes)
    assert [ranks[codes[text]] for text in ordered] == list(range(len(ordered)))
    again = Texts(Arena())
    again.fill(*texts.whole())
    assert [again.find(text) for text in codes] == list(codes.values())
    assert again.code("never there") == len(codes)


@given(st.lists(st.lists(st.integers(0, 5_000), unique=True, max_size=20), max_size=12))
@settings(max_examples=100, deadline=None)
def test_rows_of_ids(groups: list[list[int]]) -> None:
    nodes, other = NodeRows(Arena(), np.array([3, 700], np.int64)), IdMap(Arena())
    rows = {3: 0, 700: 1}
    latest: dict[int, int] = {}
    for number, ids in enumerate(groups):
        given_rows = nodes.give_all(np.array(ids, np.int64)).tolist()
        for one, row in zip(ids, given_rows, strict=True):
            assert rows.setdefault(one, row) == row
        other.put(np.array(ids, np.int64), np.full(len(ids), number, np.int32))
        latest.update(dict.fromkeys(ids, number))
    wanted = np.array([-1, *range(5_300), 1 << 40], np.int64)
    assert nodes.rows(wanted).tolist() == [rows.get(one, -1) for one in wanted.tolist()]
    assert other.some(wanted).tolist() == [latest.get(one, -1) for one in wanted.tolist()]
    assert nodes.ids[: nodes.count].tolist() == sorted(rows, key=rows.__getitem__)
    in_order = nodes.by_id(np.arange(nodes.count, dtype=np.int32))
    assert nodes.ids[in_order].tolist() == sorted(rows)
