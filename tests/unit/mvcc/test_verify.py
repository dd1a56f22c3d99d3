"""Verification: a whole record is found whole, and each kind of damage is named."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from everwhen.codec import journal, keys, records
from everwhen.codec.values import encode_value
from everwhen.model.schema import IndexDefinition
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch, Store
from everwhen.mvcc.verify import verify
from tests.unit.mvcc.builder import Builder, Form
from tests.unit.mvcc.naive import NaiveGraph, NaiveNode, NaiveRelationship

INDEXES = (IndexDefinition(1, "one", "NODE", "A", ("a",), unique=True),)


def record(form: Form = Form.KEYS) -> MemoryStore:
    """Nodes 0 and 1 with label A, relationship 0 between them; then a change of both."""
    store = MemoryStore()
    builder = Builder(store, INDEXES)
    graph = NaiveGraph(
        {key: NaiveNode(frozenset("A"), {"a": key}) for key in range(2)},
        {0: NaiveRelationship("R", 0, 1, {"w": 1})},
    )
    builder.commit(graph, form)
    graph.nodes[0].properties["a"] = 7
    graph.nodes[1].labels = frozenset("AB")
    builder.commit(graph)
    return store


def put(store: Store, stem: bytes, version: int, value: bytes) -> None:
    batch = Batch()
    batch.put(keys.at_version(stem, version), value)
    store.write(batch)


def put_key(store: Store, key: bytes, value: bytes) -> None:
    batch = Batch()
    batch.put(key, value)
    store.write(batch)


def drop(store: Store, key: bytes) -> None:
    batch = Batch()
    batch.delete(key)
    store.write(batch)


@pytest.mark.parametrize("form", list(Form))
def test_a_whole_record(form: Form) -> None:
    report = verify(record(form))
    assert report.problems == []
    assert report.ok
    assert report.checked["nodes"] == 2


def _forge_time(store: Store) -> None:
    raw = store.get(keys.journal_key(1))
    assert raw is not None
    old = journal.decode_record(raw)
    header = msgspec.structs.replace(old.header, time=999)
    forged = msgspec.structs.replace(old, header=header, chain=journal.chain_hash(header))
    put_key(store, keys.journal_key(1), journal.encode_record(forged))


ENTRY = keys.index_stem(1, b"\x20", 1)
DAMAGE: dict[str, tuple[Callable[[Store], None], str]] = {
    "unknown key": (lambda s: put_key(s, b"\x00\x01\x77x", b""), "unknown kind"),
    "broken head": (lambda s: put(s, keys.node_stem(0), 1, b"\xc1"), "node head"),
    "long integer": (
        lambda s: put(s, keys.node_stem(0, keys.SUB_PROPERTY), 2, b"\xcc\x07"),
        "not as it would be written",
    ),
    "labels out of order": (
        lambda s: put(s, keys.node_stem(1, keys.SUB_LABELS), 2, b"\x92\x01\x00"),
        "do not ascend",
    ),
    "no out entry": (
        lambda s: drop(s, keys.at_version(keys.out_stem(0, 0, 1, 0), 1)),
        "no matching entry adjacent (0)-[0 :R]->(1)",
    ),
    "no in entry": (
        lambda s: drop(s, keys.at_version(keys.in_stem(1, 0, 0, 0), 1)),
        "no matching entry adjacent (1)<-[0 :R]-(0)",
    ),
    "no head": (
        lambda s: drop(s, keys.at_version(keys.relationship_stem(0), 1)),
        "no matching relationship head",
    ),
    "deleted node": (lambda s: put(s, keys.node_stem(1), 2, b""), "hangs on it"),
    "dangling": (
        lambda s: drop(s, keys.at_version(keys.node_stem(1), 1)),
        "dangling: node 1 is not there",
    ),
    "missing label": (
        lambda s: drop(s, keys.at_version(keys.label_stem(1, 1), 2)),
        "the label index misses :B",
    ),
    "wrong label": (
        lambda s: put(s, keys.label_stem(1, 0), 2, keys.PRESENT),
        "the node says otherwise",
    ),
    "wrong index entry": (
        lambda s: put(s, ENTRY, 2, keys.PRESENT),
        "the entity says otherwise (index one)",
    ),
    "missing index entry": (
        lambda s: put(s, keys.node_stem(1, keys.SUB_PROPERTY), 2, encode_value(9)),
        "node 1 is missing from index one",
    ),
    "not unique": (
        lambda s: put(s, keys.node_stem(1, keys.SUB_PROPERTY), 2, encode_value(7)),
        "node 1 is missing from index one",
    ),
    "wrong count": (
        lambda s: put_key(s, keys.stats_key(keys.Counter.NODES), records.encode_count(5)),
        "count nodes 0 is 5; there are 2",
    ),
    "missing count": (
        lambda s: drop(s, keys.stats_key(keys.Counter.RELATIONSHIPS)),
        "count relationships 0 is missing; there are 1",
    ),
    "missing commit": (lambda s: drop(s, keys.journal_key(2)), "journal: ends at commit 1"),
    "forged time": (_forge_time, "not chained to the commit before it"),
    "time table": (
        lambda s: put_key(s, keys.time_key(1500), records.encode_version(9)),
        "commit 2 at 2000 stands after commit 9",
    ),
    "token gap": (lambda s: drop(s, keys.token_key(keys.Space.LABEL, 0)), "out of line"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(name: str) -> None:
    store = record()
    damage, expected = DAMAGE[name]
    damage(store)
    report = verify(store)
    assert not report.ok
    assert any(expected in problem for problem in report.problems), report.problems


def test_a_broken_segment_is_named() -> None:
    store = record(Form.SEGMENTS)
    data = store.get(keys.segment_key(1, 0))
    assert data is not None
    put_key(store, keys.segment_key(1, 0), data[:-1] + bytes((data[-1] ^ 1,)))
    assert "checksum" in verify(store).problems[0]
    drop(store, keys.segment_key(1, 0))
    assert "0 pieces" in verify(store).problems[0]


def test_a_segment_whose_end_is_gone_is_named() -> None:
    store = record(Form.SEGMENTS)
    put(store, keys.node_stem(1), 1, b"")
    problems = verify(store).problems
    assert "segment 2: dangling: node 1 is not there" in problems


def test_the_list_is_bounded_and_the_count_is_not() -> None:
    store = record()
    for number in range(20):
        put_key(store, b"\x00\x01\x77" + bytes((number,)), b"")
    report = verify(store, problems_max=5)
    assert len(report.problems) == 5
    assert report.count == 20
