"""Keys: what is encoded is decoded, byte order is number order, nonsense is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.codec import keys as k
from everwhen.codec import parse as p
from everwhen.errors import CorruptData

u64 = st.integers(0, 2**64 - 1)
ids = st.integers(0, 2**63 - 1)
u32 = st.integers(0, 2**32 - 1)
u8 = st.integers(0, 255)
versions = st.integers(1, 2**63)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
entries = st.binary(max_size=12)


@given(texts)
def test_meta(name: str) -> None:
    assert p.decode(k.meta_key(name)) == p.MetaKey(name)


@given(st.sampled_from(k.Space), st.sampled_from(k.Counter), u32)
def test_tokens_schema_and_counts(space: k.Space, counter: k.Counter, number: int) -> None:
    assert p.decode(k.token_key(space, number)) == p.TokenKey(space, number)
    assert p.decode(k.schema_key(number)) == p.SchemaKey(number)
    assert p.decode(k.stats_key(counter, number)) == p.StatsKey(counter, number)


@given(ids, u32, versions)
def test_entities(entity: int, sub: int, version: int) -> None:
    node = k.at_version(k.node_stem(entity, sub), version)
    assert p.decode(node) == p.EntityKey(k.Kind.NODE, entity, sub, version)
    relationship = k.at_version(k.relationship_stem(entity, sub), version)
    assert p.decode(relationship) == p.EntityKey(k.Kind.REL, entity, sub, version)
    assert node.startswith(k.node_prefix(entity))
    assert relationship.startswith(k.relationship_prefix(entity))


@given(ids, u32, ids, ids, versions)
def test_adjacency(node: int, type_: int, other: int, one: int, version: int) -> None:
    for kind, stem in ((k.Kind.OUT, k.out_stem), (k.Kind.IN, k.in_stem)):
        key = k.at_version(stem(node, type_, other, one), version)
        assert p.decode(key) == p.AdjacencyKey(kind, node, type_, other, one, version)
        assert key.startswith(k.adjacency_prefix(kind, node))
        assert key.startswith(k.adjacency_prefix(kind, node, type_))
        assert key.startswith(k.adjacency_prefix(kind, node, type_, other))


@given(u32, ids, entries, versions)
def test_labels_and_indexes(number: int, entity: int, values: bytes, version: int) -> None:
    label = k.at_version(k.label_stem(number, entity), version)
    assert p.decode(label) == p.LabelKey(number, entity, version)
    index = k.at_version(k.index_stem(number, values, entity), version)
    assert p.decode(index) == p.IndexKey(number, values, entity, version)
    assert index.startswith(k.index_prefix(number, values))


@given(u64, u32, u8, st.integers(-(2**63), 2**63 - 1), texts)
def test_the_rest(number: int, part: int, sort: int, time: int, client: str) -> None:
    assert p.decode(k.journal_key(number)) == p.JournalKey(number)
    assert p.decode(k.piece_key(number, part)) == p.PieceKey(number, part)
    assert p.decode(k.time_key(time)) == p.TimeKey(time)
    assert p.decode(k.request_key(client, number)) == p.RequestKey(client, number)
    assert p.decode(k.stage_key(number, sort, part)) == p.StageKey(number, sort, part)
    assert p.decode(k.publish_key(number)) == p.PublishKey(number)
    assert p.decode(k.segment_key(number, part)) == p.SegmentKey(number, part)
    assert p.decode(k.segref_key(number, part)) == p.SegrefKey(number, part)
    stem = k.label_stem(part, 7)
    assert p.decode(k.run_key(number, stem)) == p.RunKey(number, stem)
    assert k.run_key(number, stem).startswith(k.run_prefix(number, k.label_prefix(part)))


@given(st.lists(st.tuples(ids, u32, versions), min_size=2, max_size=6))
def test_entities_order_by_id_then_sub_then_newest_first(parts: list[Any]) -> None:
    by_key = sorted(parts, key=lambda part: k.at_version(k.node_stem(part[0], part[1]), part[2]))
    assert by_key == sorted(parts, key=lambda part: (part[0], part[1], -part[2]))


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_times_order_as_numbers(times: list[int]) -> None:
    assert sorted(times, key=k.time_key) == sorted(times)


@given(st.tuples(texts, u64), st.tuples(texts, u64))
def test_request_keys_of_one_client_are_no_prefix_of_another(
    one: tuple[str, int], other: tuple[str, int]
) -> None:
    assert (k.request_key(*one) == k.request_key(*other)) == (one == other)


@given(st.binary(max_size=8), st.binary(max_size=4))
def test_after_is_the_end_of_a_prefix(prefix: bytes, rest: bytes) -> None:
    if prefix.strip(b"\xff"):
        assert prefix <= prefix + rest < k.after(prefix)


def test_nothing_comes_after_all_ones() -> None:
    with pytest.raises(ValueError, match="no byte string"):
        k.after(b"\xff\xff")


@given(st.sampled_from([int(kind) for kind in k.Kind] + [0, 0x7F]), st.binary(max_size=60))
def test_any_bytes_are_a_key_or_refused(kind: int, payload: bytes) -> None:
    key = b"\x00\x01" + bytes((kind,)) + payload
    try:
        parts = p.decode(key)
    except CorruptData:
        return
    assert parts is not None


def test_a_foreign_database_is_refused() -> None:
    with pytest.raises(CorruptData, match="unknown database"):
        p.decode(b"\x00\x02\x01name")
