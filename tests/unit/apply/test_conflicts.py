"""The conflict tables: who may commit after whom, per pair of writes and per isolation level."""

from __future__ import annotations

import pytest

from everwhen import limits
from everwhen.errors import (
    CommitTimeClosed,
    DeleteConnectedNode,
    TransactionConflict,
    TransactionTooOld,
)
from everwhen.model.graph import Bound, Direction, MergedPart
from everwhen.txn import commands as c
from everwhen.txn import commit, footprint
from everwhen.txn.transaction import Isolation
from tests.unit.apply.harness import Database, origin_of, small_commit


@pytest.fixture
def db() -> Database:
    """Nodes 0 and 1 with labels and properties, relationship 0 between them, a lone node 2."""
    database = Database()
    t = database.begin()
    a = t.create_node(["A"], {"x": 1, "y": 1})
    b = t.create_node(["B"], {"x": 2})
    t.create_relationship(a.id, "R", b.id, {"w": 1})
    t.create_node(["A"], {"x": 3})
    database.commit(t)
    return database


def set_x(t, value=9):
    t.set_property(t.node(0), "x", value)


def set_y(t, value=9):
    t.set_property(t.node(0), "y", value)


def add_label(t):
    t.add_labels(0, ["C"])


def drop_label(t):
    t.remove_labels(0, ["A"])


def join(t):
    t.create_relationship(0, "S", 2, {})


def join_lone(t):
    t.create_relationship(2, "S", 2, {})


def set_w(t):
    t.set_property(t.relationship(0), "w", 2)


def set_v(t):
    t.set_property(t.relationship(0), "v", 2)


def cut(t):
    t.delete_relationship(0)


def delete_lone(t):
    t.delete_node(2)


def set_lone(t):
    t.set_property(t.node(2), "x", 7)


def create(t):
    t.create_node(["A"], {"x": 1})


CLASHES = [
    (set_x, set_x),
    (add_label, add_label),
    (add_label, drop_label),
    (set_w, set_w),
    (set_w, cut),
    (cut, cut),
    (delete_lone, delete_lone),
    (delete_lone, set_lone),
    (delete_lone, join),
    (delete_lone, join_lone),
]
PEACE = [
    (set_x, set_y),
    (set_x, add_label),
    (set_x, join),
    (join, join),
    (set_w, set_v),
    (set_w, set_x),
    (create, create),
    (create, set_x),
    (cut, set_x),
    (cut, join),
]


@pytest.mark.parametrize("second_chunked", [False, True])
@pytest.mark.parametrize("first_chunked", [False, True])
@pytest.mark.parametrize(
    ("one", "two"), CLASHES + [(b, a) for a, b in CLASHES if a is not b], ids=lambda f: f.__name__
)
def test_the_first_to_commit_wins(db, one, two, first_chunked, second_chunked):
    first, second = db.begin(), db.begin()
    one(first)
    two(second)
    db.commit(first, chunked=first_chunked)
    version = db.view().version
    with pytest.raises(TransactionConflict):
        db.commit(second, chunked=second_chunked)
    assert db.view().version == version


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("one", "two"), PEACE + [(b, a) for a, b in PEACE if a is not b], ids=lambda f: f.__name__
)
def test_what_need_not_conflict_does_not(db, one, two, chunked):
    first, second = db.begin(), db.begin()
    one(first)
    two(second)
    db.commit(first)
    db.commit(second, chunked=chunked)


@pytest.mark.parametrize(
    ("one", "two"), CLASHES + [(b, a) for a, b in CLASHES if a is not b], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("small", [False, True])
def test_a_staged_transaction_meets_what_commits_before_it(db, one, two, small):
    """The chunks arrive first, then the other commits, then the large one wants to."""
    large, other = db.begin(), db.begin()
    one(large)
    two(other)
    large.prepare()
    number = db.do(commit.begin_of(large, origin_of())).transaction
    for chunk in commit.take_chunks(large, number, last=True):
        db.do(chunk)
    db.commit(other, chunked=not small)
    with pytest.raises(TransactionConflict):
        db.do(commit.commit_chunks_of(large, number, db.tick()))
    assert db.machine.open_stagings == []


@pytest.mark.parametrize(
    ("one", "two"), PEACE + [(b, a) for a, b in PEACE if a is not b], ids=lambda f: f.__name__
)
def test_a_staged_transaction_passes_what_it_does_not_meet(db, one, two):
    large, other = db.begin(), db.begin()
    one(large)
    two(other)
    large.prepare()
    number = db.do(commit.begin_of(large, origin_of())).transaction
    for chunk in commit.take_chunks(large, number, last=True):
        db.do(chunk)
    db.open()
    db.commit(other)
    db.do(commit.commit_chunks_of(large, number, db.tick()))


def test_deleting_a_node_with_relationships(db):
    t = db.begin()
    t.delete_node(0)
    with pytest.raises(DeleteConnectedNode):
        t.prepare()
    t = db.begin()
    t.delete_node(2)
    other = db.begin()
    other.create_relationship(2, "R", 0, {})
    db.commit(other)
    with pytest.raises(TransactionConflict):
        db.commit(t)


def test_a_merge_key_meets_only_merge_keys(db):
    first, second, third = db.begin(), db.begin(), db.begin()
    for t, labels, value in ((first, ["A", "B"], 1), (second, ["B", "A"], 1.0)):
        t.note_merge([MergedPart(labels, {"k": value})])
        t.create_node(["A", "B"], {"k": 1})
    third.create_node(["A", "B"], {"k": 1})
    db.commit(first)
    db.commit(third)
    db.open()
    with pytest.raises(TransactionConflict, match="merged"):
        db.commit(second)


def test_merge_keys_differ_where_patterns_do():
    node = MergedPart(["A"], {"k": 1})
    patterns = [
        [node],
        [node, node],
        [MergedPart(["A"], {})],
        [MergedPart(["A"], {"k": "1"})],
        [MergedPart(["A"], {"k": [1]})],
        [MergedPart(["A", "k"], {})],
        [MergedPart(["R"], {}, (1, 2))],
        [MergedPart(["R"], {}, (1, 1))],
        [MergedPart(["R"], {}, (1, -1))],
        [MergedPart(["S"], {}, (1, 2))],
    ]
    assert len({footprint.merge_key(pattern) for pattern in patterns}) == len(patterns)
    there, back = MergedPart(["R"], {}, (1, 2)), MergedPart(["R"], {}, (2, 1))
    assert footprint.merge_key([there]) == footprint.merge_key([back])


def test_a_merge_older_than_the_window_is_refused(db, monkeypatch):
    monkeypatch.setattr(limits, "CONFLICT_WINDOW_VERSIONS", 3)
    old = db.begin()
    old.note_merge([MergedPart(["A"], {})])
    old.create_node([], {})
    for _ in range(5):
        t = db.begin()
        t.create_node([], {})
        db.commit(t)
    with pytest.raises(TransactionTooOld):
        db.commit(old)


def test_a_request_id_has_one_effect(db):
    def once(sequence):
        t = db.begin()
        t.create_node(["N"], {})
        return db.commit(t, client="me", sequence=sequence)

    first = once(1)
    again = once(1)
    assert again.repeated
    assert (again.version, again.time) == (first.version, first.time)
    assert not once(2).repeated
    db.open()
    assert once(2).repeated
    assert db.view().node_count("N") == 2


def test_request_ids_are_forgotten_by_versions(db, monkeypatch):
    monkeypatch.setattr(limits, "REQUEST_WINDOW_VERSIONS", 200)
    t = db.begin()
    t.create_node(["N"], {})
    first = db.commit(t, client="me", sequence=1)
    for _ in range(330):
        t = db.begin()
        t.set_property(t.node(0), "x", 1)
        db.commit(t)
    t = db.begin()
    t.create_node(["N"], {})
    second = db.commit(t, client="me", sequence=1)
    assert not second.repeated
    assert second.version > first.version


def test_time_closes(db):
    def at(time, own=True):
        t = db.begin()
        t.create_node([], {})
        command = small_commit(t, origin_of())
        return db.do(commit.stamp(command, time, own_time=own))

    last = db.state.current.head.time
    with pytest.raises(CommitTimeClosed, match="commit 1"):
        at(last)
    at(last + 10)
    db.do(c.CloseTime(c.FORMAT, last + 100))
    with pytest.raises(CommitTimeClosed, match="read"):
        at(last + 100)
    with pytest.raises(TransactionConflict):
        at(last + 50, own=False)
    at(last + 101)
    assert db.view().version_at(last + 50) == 2


# --- SERIALIZABLE ---------------------------------------------------------------------------


READS = {
    "entity": lambda t: t.node_property(0, "x"),
    "labels": lambda t: t.node_labels(0),
    "scan": lambda t: list(t.nodes_with_label("A")),
    "all": lambda t: list(t.nodes()),
    "expand": lambda t: list(t.expand(0, Direction.OUT, ["R"])),
    "expand any": lambda t: list(t.expand(0, Direction.BOTH)),
    "types": lambda t: list(t.relationships(["R"])),
    "point": lambda t: list(t.index_seek("a_x", [1])),
    "range": lambda t: list(t.index_range("a_x", [], Bound(0, True), None)),
    "relationship": lambda t: t.relationship_property(0, "w"),
}
WRITES = {
    "set x of 0": lambda t: t.set_property(t.node(0), "x", 5),
    "set x of 2": lambda t: t.set_property(t.node(2), "x", 1),
    "set x of 1": lambda t: t.set_property(t.node(1), "x", 1),
    "create A": lambda t: t.create_node(["A"], {"x": 1}),
    "create C": lambda t: t.create_node(["C"], {}),
    "label 1 A": lambda t: t.add_labels(1, ["A"]),
    "join R": lambda t: t.create_relationship(0, "R", 2, {}),
    "join S": lambda t: t.create_relationship(1, "S", 2, {}),
    "set w": lambda t: t.set_property(t.relationship(0), "w", 7),
    "cut": lambda t: t.delete_relationship(0),
}
#: what each read depends on
MET = {
    "entity": {"set x of 0"},
    "labels": {"set x of 0"},
    "scan": {"create A", "label 1 A"},
    "all": {"create A", "create C"},
    "expand": {"join R", "cut"},
    "expand any": {"join R", "cut"},
    "types": {"join R", "cut"},
    "point": {"set x of 0", "set x of 2", "create A", "label 1 A"},
    "range": {"set x of 0", "set x of 2", "create A", "label 1 A"},
    "relationship": {"set w", "cut"},
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("chunked", [False, True])
def test_serializable_validates_what_was_read(db, read, write, chunked):
    db.create_index("A", "x", name="a_x")
    reader, writer = db.begin(Isolation.SERIALIZABLE), db.begin()
    READS[read](reader)
    reader.create_node(["Other"], {})
    WRITES[write](writer)
    db.commit(writer)
    if write in MET[read]:
        with pytest.raises(TransactionConflict):
            db.commit(reader, chunked=chunked)
    else:
        db.commit(reader, chunked=chunked)


def test_snapshot_isolation_lets_write_skew_pass_and_serializable_does_not(db):
    for isolation in (Isolation.SNAPSHOT, Isolation.SERIALIZABLE):
        first, second = db.begin(isolation), db.begin(isolation)
        for t, mine, other in ((first, 0, 1), (second, 1, 0)):
            t.node_property(other, "x")
            t.set_property(t.node(mine), "z", 1)
        db.commit(first)
        if isolation is Isolation.SNAPSHOT:
            db.commit(second)
        else:
            with pytest.raises(TransactionConflict):
                db.commit(second)


def test_many_read_keys_widen_to_labels(db):
    t = db.begin()
    for _ in range(footprint._SORT_MAX + 10):
        t.create_node(["Many"], {"x": 0})
    db.commit(t)
    reader = db.begin(Isolation.SERIALIZABLE)
    for node in reader.nodes_with_label("Many"):
        node.get("x")
    assert len(reader.read_keys()) < 10
    reader.create_node([], {})
    writer = db.begin()
    writer.set_property(writer.node(next(iter(writer.nodes_with_label("Many"))).id), "x", 1)
    db.commit(writer)
    with pytest.raises(TransactionConflict):
        db.commit(reader)
