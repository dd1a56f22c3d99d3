"""Large transactions: staged out of sight, published at once, folded in steps, forgotten whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from everwhen import limits
from everwhen.codec.columns import column_of
from everwhen.codec.keys import Kind, kind_range
from everwhen.codec.segment_making import node_segment, relationship_segment
from everwhen.codec.segments import encode_segment
from everwhen.errors import (
    ConstraintViolation,
    DeleteConnectedNode,
    TransactionConflict,
    TransactionNotFound,
    TransactionStateError,
)
from everwhen.model.graph import Direction
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from everwhen.txn import commit
from tests.unit.apply.harness import Database, dump, origin_of


@pytest.fixture
def db() -> Database:
    return Database()


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(limits, "MUTATIONS_PER_CHUNK", 3)
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 10)


def keys_of(db: Database, *kinds: Kind) -> int:
    return sum(1 for kind in kinds for _ in db.store.scan(*kind_range(kind)))


def stage(db: Database, t) -> int:
    t.prepare()
    number = db.do(commit.begin_of(t, origin_of())).transaction
    for chunk in commit.take_chunks(t, number, last=True):
        db.do(chunk)
    return number


def test_a_transaction_that_spills_reads_its_own_writes(db, small_chunks):
    t = db.begin(spill=db.spill)
    nodes = [t.create_node(["N"], {"i": i}) for i in range(40)]
    for one, other in pairwise(nodes):
        t.create_relationship(one.id, "NEXT", other.id, {})
    for node in nodes[::2]:
        t.set_property(node, "i", -1)
        t.remove_labels(node.id, ["N"])
        t.add_labels(node.id, ["M"])
    for one in list(t.expand(nodes[39].id, Direction.BOTH)):
        t.delete_relationship(one.id)
    t.delete_node(nodes[39].id)
    assert t.is_large
    expected = dump(t)
    assert dump(db.view()) == ({}, {})
    reply = db.commit(t)
    assert reply.version == 1
    assert dump(db.view()) == expected
    assert db.view().node_count("N") == 19
    assert db.view().node_count("M") == 20
    before = dump(db.view(0))
    db.fold(7)
    assert dump(db.view()) == expected
    assert dump(db.view(0)) == before == ({}, {})
    assert keys_of(db, Kind.RUN, Kind.PUBLISH, Kind.STAGE) == 0
    assert verify(db.store).problems == []


def test_staging_is_invisible_survives_a_restart_and_commits(db, small_chunks):
    t = db.begin()
    a = t.create_node(["A"], {"x": 1})
    db.commit(t)
    t = db.begin()
    t.set_property(t.node(a.id), "x", 2)
    for i in range(20):
        t.create_node(["A"], {"i": i})
    number = stage(db, t)
    assert db.view().node_count() == 1
    assert [n.id for n in db.view().nodes()] == [a.id]
    db.open()
    assert db.machine.open_stagings == [number]
    other = db.begin()
    other.set_property(other.node(a.id), "y", 1)
    db.commit(other)
    db.do(commit.commit_chunks_of(t, number, db.tick()))
    assert dict(db.view().node_properties(a.id)) == {"x": 2, "y": 1}
    assert db.view(2).node_properties(a.id) == {"x": 1, "y": 1}
    assert db.view().node_count() == 21
    with pytest.raises(TransactionNotFound):
        db.do(commit.commit_chunks_of(t, number, db.tick()))
    assert verify(db.store).problems == []


def test_an_abort_leaves_nothing(db, small_chunks):
    t = db.begin()
    for i in range(20):
        t.create_node(["A"], {"i": i})
    number = stage(db, t)
    assert keys_of(db, Kind.RUN, Kind.PIECE, Kind.STAGE) > 0
    db.do(commit.abort_of(number, "expired"))
    db.do(commit.abort_of(number, "again"))
    assert keys_of(db, Kind.RUN, Kind.PIECE, Kind.STAGE, Kind.SEGMENT) == 0
    db.open()
    assert db.machine.open_stagings == []
    with pytest.raises(TransactionNotFound):
        db.do(c.Chunk(c.FORMAT, number, 9, [], [], [], c.Checks()))


def test_chunks_come_in_order_and_once(db, small_chunks):
    t = db.begin()
    for i in range(9):
        t.create_node(["A"], {"i": i})
    t.prepare()
    number = db.do(commit.begin_of(t, origin_of())).transaction
    chunks = list(commit.take_chunks(t, number))
    db.do(chunks[0])
    db.do(chunks[0])
    with pytest.raises(TransactionStateError):
        db.do(chunks[2])
    db.do(chunks[1])
    db.do(chunks[2])
    db.do(commit.commit_chunks_of(t, number, db.tick()))
    assert db.view().node_count("A") == 9


def test_a_commit_that_counts_wrong_is_refused(db, small_chunks):
    t = db.begin()
    for i in range(9):
        t.create_node(["A"], {"i": i})
    number = stage(db, t)
    with pytest.raises(TransactionStateError):
        db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 1))
    assert keys_of(db, Kind.RUN, Kind.STAGE, Kind.PIECE) == 0


def test_constraints_look_at_the_end_of_a_large_transaction(db, small_chunks):
    db.create_constraint("UNIQUENESS", "P", "k")
    db.create_constraint("PROPERTY_EXISTENCE", "P", "k")
    t = db.begin(spill=db.spill)
    a = t.create_node(["P"], {"k": 1})
    for _ in range(12):
        t.create_node([], {})
    b = t.create_node(["P"], {})  # its key comes in a later chunk
    for _ in range(12):
        t.create_node([], {})
    t.set_property(a, "k", 2)  # 1 becomes free, and is taken again
    t.set_property(b, "k", 1)
    db.commit(t)
    name = next(iter(db.view().catalog.indexes))
    assert list(db.view().index_seek(name, [1])) == [b.id]
    assert list(db.view().index_seek(name, [2])) == [a.id]
    assert db.view().index_size(name) == 2
    assert db.view().index_distinct(name) == 2
    db.fold()
    t = db.begin(spill=db.spill)
    with pytest.raises(ConstraintViolation):
        t.create_node(["P"], {"k": 2})
    assert verify(db.store).problems == []


def test_a_unique_value_staged_and_committed_by_another(db, small_chunks):
    db.create_constraint("UNIQUENESS", "P", "k")
    t, other = db.begin(), db.begin()
    t.create_node(["P"], {"k": 1})
    number = stage(db, t)
    other.create_node(["P"], {"k": 1})
    db.commit(other)
    with pytest.raises(TransactionConflict):
        db.do(commit.commit_chunks_of(t, number, db.tick()))
    t, other = db.begin(), db.begin()
    t.create_node(["P"], {"k": 2})
    other.create_node(["P"], {"k": 2})
    one, two = stage(db, t), stage(db, other)
    db.do(commit.commit_chunks_of(other, two, db.tick()))
    with pytest.raises(TransactionConflict):
        db.do(commit.commit_chunks_of(t, one, db.tick()))


def test_a_node_deleted_before_its_relationship(db, small_chunks):
    t = db.begin()
    a, b = t.create_node([], {}), t.create_node([], {})
    r = t.create_relationship(a.id, "R", b.id, {})
    db.commit(t)
    t = db.begin(spill=db.spill)
    t.delete_node(a.id)
    for _ in range(12):
        t.create_node([], {})
    with pytest.raises(DeleteConnectedNode):
        db.commit(t)
    db.do(commit.abort_of(db.spilled.pop(id(t)), "failed"))
    t = db.begin(spill=db.spill)
    t.delete_node(a.id)
    for _ in range(12):
        t.create_node([], {})
    t.delete_relationship(r.id)
    db.commit(t)
    assert db.view().node_count() == 13
    assert verify(db.store).problems == []


def test_a_new_index_ends_what_is_staged(db, small_chunks):
    t = db.begin()
    t.create_node(["A"], {"x": 1})
    number = stage(db, t)
    db.create_index("A", "x")
    with pytest.raises(TransactionConflict, match="index"):
        db.do(commit.commit_chunks_of(t, number, db.tick()))


# --- column segments ------------------------------------------------------------------------


def segments_of(nodes: int, relationships: int) -> list[bytes]:
    ids = np.arange(100, 100 + nodes, dtype=np.int64)
    one = node_segment(
        ["P", "Q"], ids, {"k": column_of([int(i) for i in ids]), "s": column_of(["t"] * nodes)}
    )
    starts = np.sort(np.arange(relationships, dtype=np.int64) % nodes + 100)
    ends = np.full(relationships, 100 + nodes - 1, dtype=np.int64)
    two = relationship_segment(
        "E",
        np.arange(relationships, dtype=np.int64),
        starts,
        ends,
        {"w": column_of([float(i) for i in range(relationships)])},
    )
    return [encode_segment(one), encode_segment(two)]


def load(db: Database, segments: list[bytes], *, apart: bool = True) -> int:
    """Stage segments, a chunk each or all in one; the number."""
    begin = c.BeginChunks(c.FORMAT, 0, db.view().version, origin_of())
    number = db.do(begin).transaction
    for at, piece in enumerate([[s] for s in segments] if apart else [segments]):
        db.do(c.Chunk(c.FORMAT, number, at, [], [], piece, c.Checks()))
    return number


@pytest.mark.parametrize("apart", [False, True])
def test_segments_are_published_with_counts_and_indexes(db, apart):
    db.create_constraint("UNIQUENESS", "P", "k", name="p_k")
    number = load(db, segments_of(20, 50), apart=apart)
    assert db.view().node_count() == 0
    db.open()
    assert dump(db.view()) == ({}, {})
    db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 2 if apart else 1))
    view = db.view()
    assert view.node_count("P") == view.node_count("Q") == 20
    assert view.relationship_count("E") == 50
    assert view.index_size("p_k") == 20
    assert list(view.index_seek("p_k", [105])) == [105]
    assert view.node_labels(105) == ("P", "Q")
    assert len(list(view.expand(119, Direction.IN))) == 50
    db.fold()
    t = db.begin()
    t.set_property(t.node(105), "k", 7)
    t.delete_relationship(next(t.expand(100, Direction.OUT)).id)
    db.commit(t)
    assert list(db.view().index_seek("p_k", [105])) == []
    assert list(db.view(1).index_seek("p_k", [105])) == [105]
    t = db.begin()
    with pytest.raises(ConstraintViolation):
        t.create_node(["P"], {"k": 110})
    assert verify(db.store).problems == []


def test_segments_whose_ends_are_gone(db):
    with pytest.raises(TransactionConflict):
        load(db, segments_of(20, 50)[1:])
    number = db.machine.open_stagings[0]
    db.do(commit.abort_of(number, "refused"))
    number = load(db, segments_of(20, 50)[:1])
    db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 1))
    number = load(db, segments_of(20, 50)[1:])
    t = db.begin()
    t.delete_node(119)
    db.commit(t)
    with pytest.raises(TransactionConflict):
        db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 1))
    with pytest.raises(TransactionConflict):
        load(db, segments_of(20, 50)[1:])
    assert db.view().relationship_count() == 0


def test_segments_with_a_duplicate(db):
    db.create_constraint("UNIQUENESS", "P", "k", name="p_k")
    t = db.begin()
    t.create_node(["P"], {"k": 103})
    db.commit(t)
    number = load(db, segments_of(20, 0)[:1])
    with pytest.raises(ConstraintViolation, match="103"):
        db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 1))
    assert db.view().node_count() == 1
    assert keys_of(db, Kind.SEGMENT, Kind.RUN) == 0


def test_a_label_of_a_row_that_goes_twice(db, small_chunks):
    number = load(db, segments_of(20, 0)[:1])
    db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 1))
    t = db.begin(spill=db.spill)
    for change in (t.remove_labels, t.add_labels, t.remove_labels):
        change(105, ["P"])
        db.spill(t)
    db.commit(t)
    assert db.view().node_labels(105) == ("Q",)
    assert 105 not in [node.id for node in db.view().nodes_with_label("P")]
    assert verify(db.store).problems == []
