"""What apply says to a commit that brings back what was deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from everwhen import limits
from everwhen.codec.cluster import Cluster
from everwhen.errors import (
    ConstraintViolation,
    DeleteConnectedNode,
    EverwhenError,
    PreconditionFailed,
    TransactionConflict,
)
from everwhen.mvcc.difference import touched
from everwhen.mvcc.undo import Step, Undo
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from everwhen.txn.flashback import Batch, batches
from everwhen.txn.transaction import Transaction
from tests.unit.apply.harness import Database, origin_of


def put(transaction: Transaction, node: int, key: str, value: Any) -> None:
    found = transaction.node(node)
    assert found is not None
    transaction.set_property(found, key, value)


@pytest.fixture
def db() -> Iterator[Database]:
    """Version 1: nodes 0 and 1, relationship 0 between them, node 2. Version 2: 0 and 1 are gone,
    2 has another value."""
    database = Database()
    t = database.begin()
    a = t.create_node(["A"], {"x": 1})
    b = t.create_node(["A", "B"], {"x": 2})
    t.create_relationship(a.id, "R", b.id, {"w": 1})
    t.create_node(["A"], {"x": 3})
    database.commit(t)
    t = database.begin()
    t.delete_relationship(0)
    t.delete_node(0)
    t.delete_node(1)
    put(t, 2, "x", 4)
    database.commit(t)
    yield database
    report = verify(database.store)
    assert report.ok, report.problems


def steps(db: Database, version: int) -> Iterator[Step]:
    now = db.view().entities
    undo = Undo(now.as_of(version), now, now)
    return undo.steps(touched(now, version))


class Flashback:
    """One that has read and is committed later, whole or by the chunk."""

    def __init__(self, db: Database, version: int, form: str) -> None:
        self.db = db
        self.read = db.view().version
        self.number = 0
        [self.batch] = list(batches(steps(db, version)))
        assert isinstance(self.batch, Batch)
        if form == "chunks":
            self.number = db.do(c.BeginChunks(c.FORMAT, 0, self.read, origin_of())).transaction
        self.sent = 0

    def send(self) -> None:
        for mutation in self.batch.mutations:
            chunk = c.Chunk(
                c.FORMAT, self.number, self.sent, self.batch.names, [mutation], [], c.Checks()
            )
            self.db.do(chunk)
            self.sent += 1

    def commit(self) -> Any:
        if not self.number:
            names, mutations = self.batch.names, self.batch.mutations
            time = self.db.tick()
            return self.db.do(
                c.Commit(c.FORMAT, time, self.read, names, mutations, c.Checks(), origin_of())
            )
        if not self.sent:
            self.send()
        return self.db.do(c.CommitChunks(c.FORMAT, self.db.tick(), self.number, self.sent))


FORMS = pytest.mark.parametrize("form", ["whole", "chunks"])


def shown(db: Database, version: int | None = None) -> list[Any]:
    view = db.view(version)
    return [
        [(n.id, view.node_labels(n.id), dict(view.node_properties(n.id))) for n in view.nodes()],
        [(r.id, r.start, r.end, dict(r.properties)) for r in view.relationships()],
    ]


@FORMS
def test_it_is_as_it_was_and_history_stays(db: Database, form: str) -> None:
    between = shown(db, 2)
    Flashback(db, 1, form).commit()
    assert shown(db) == shown(db, 1)
    assert shown(db, 2) == between
    db.fold(3)
    db.open()
    assert shown(db) == shown(db, 1)
    Flashback(db, 2, form).commit()
    assert shown(db) == between


@FORMS
def test_a_lifetime_knows_nothing_of_the_one_before(db: Database, form: str) -> None:
    t = db.begin()
    put(t, 2, "later", 1)
    t.add_labels(2, ["L"])
    db.commit(t)
    t = db.begin()
    t.delete_node(2)
    db.commit(t)
    Flashback(db, 2, form).commit()
    assert dict(db.view().node_properties(2)) == {"x": 4}
    assert db.view().node_labels(2) == ("A",)
    assert [n.id for n in db.view().nodes_with_label("L")] == []


@FORMS
def test_two_at_once_conflict(db: Database, form: str) -> None:
    one, other = Flashback(db, 1, form), Flashback(db, 1, "whole")
    other.commit()
    with pytest.raises(TransactionConflict, match=r"was (changed|deleted) by"):
        one.commit()


@pytest.mark.parametrize("first", [0, 1])
def test_two_in_chunks_conflict(db: Database, first: int) -> None:
    both = [Flashback(db, 1, "chunks"), Flashback(db, 1, "chunks")]
    for each in both:
        each.send()
    both[first].commit()
    with pytest.raises(TransactionConflict, match="large transaction"):
        both[1 - first].commit()
    assert shown(db) == shown(db, 1)


def test_in_chunks_and_whole_conflict(db: Database) -> None:
    large, small = Flashback(db, 1, "chunks"), Flashback(db, 1, "whole")
    large.send()
    small.commit()
    with pytest.raises(TransactionConflict, match="committed first changed it too"):
        large.commit()


@FORMS
def test_a_writer_of_the_same_thing_conflicts(db: Database, form: str) -> None:
    flashback = Flashback(db, 1, form)
    if form == "chunks":
        flashback.send()
    t = db.begin()
    put(t, 2, "x", 99)
    db.commit(t)
    with pytest.raises(TransactionConflict):
        flashback.commit()
    assert db.view().node_property(2, "x") == 99


@FORMS
def test_a_writer_of_another_thing_does_not(db: Database, form: str) -> None:
    flashback = Flashback(db, 1, form)
    t = db.begin()
    put(t, 2, "other", 99)
    t.create_relationship(2, "R", 2, {})
    db.commit(t)
    flashback.commit()
    assert dict(db.view().node_properties(2)) == {"other": 99, "x": 3}


@FORMS
def test_the_end_of_a_relationship_that_comes_back_is_deleted_meanwhile(
    db: Database, form: str
) -> None:
    t = db.begin()
    one = t.create_relationship(2, "R", 2, {})
    db.commit(t)
    t = db.begin()
    t.delete_relationship(one.id)
    db.commit(t)
    flashback = Flashback(db, 3, form)
    if form == "chunks":
        flashback.send()
    t = db.begin()
    t.delete_node(2)
    db.commit(t)
    with pytest.raises(TransactionConflict):
        flashback.commit()


@FORMS
def test_a_new_relationship_at_what_goes(db: Database, form: str) -> None:
    t = db.begin()
    new = t.create_node(["A"], {})
    db.commit(t)
    flashback = Flashback(db, 2, form)
    if form == "chunks":
        flashback.send()
    t = db.begin()
    t.create_relationship(new.id, "R", 2, {})
    db.commit(t)
    with pytest.raises((TransactionConflict, DeleteConnectedNode)):
        flashback.commit()
    assert db.view().has_node(new.id)


@FORMS
def test_a_unique_value_that_another_has_by_now(db: Database, form: str) -> None:
    t = db.begin()
    taken = t.create_node(["A"], {"y": 1})
    db.commit(t)
    db.create_constraint("UNIQUENESS", "A", "x")
    t = db.begin()
    put(t, taken.id, "x", 1)
    db.commit(t)
    before = shown(db)
    now = db.view().entities
    undo = Undo(now.as_of(1), now.as_of(2), now)
    [batch] = list(batches(undo.steps(touched(now.as_of(2), 1))))
    assert not undo.conflicts_found
    flashback = Flashback(db, 1, form)
    flashback.batch = batch
    with pytest.raises(ConstraintViolation, match=r"Node\(3\) already exists .* `x` = 1"):
        flashback.commit()
    assert shown(db) == before


def revive(db: Database, node: int) -> c.Commit:
    read = db.view().version
    mutations: list[c.AnyMutation] = [c.ReviveNode(node, [], {})]
    return c.Commit(c.FORMAT, db.tick(), read, [], mutations, c.Checks(), origin_of())


def test_what_lives_or_never_lived_cannot_come_back(db: Database) -> None:
    for node in (2, 40):
        outcome = db.propose(revive(db, node))
        assert isinstance(outcome, TransactionConflict)
    assert isinstance(db.propose(revive(db, 0)), c.Committed)


def test_below_the_feature_level_nothing_comes_back(db: Database) -> None:
    db.machine._work.cluster = Cluster(feature_level=3)
    assert isinstance(db.propose(revive(db, 0)), PreconditionFailed)
    chunks = db.do(c.BeginChunks(c.FORMAT, 0, db.view().version, origin_of())).transaction
    mutations: list[c.AnyMutation] = [c.ReviveRelationship(0, 0, 2, 2, {})]
    chunk = c.Chunk(c.FORMAT, chunks, 0, ["R"], mutations, [], c.Checks())
    outcome = db.propose(chunk)
    assert isinstance(outcome, EverwhenError)
    assert isinstance(outcome, PreconditionFailed)


def test_the_same_log_gives_the_same_state(db: Database) -> None:
    Flashback(db, 1, "chunks").commit()
    Flashback(db, 2, "whole").commit()
    other = Database()
    for payload in db.log:
        other.log.append(payload)
        other.machine.apply(len(other.log), 1, payload)
    assert other.machine.digest == db.machine.digest
    assert list(other.store.scan(b"", b"\xff")) == list(db.store.scan(b"", b"\xff"))


def test_what_one_commit_carries_is_one_and_more_is_in_batches(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = list(steps(db, 1))
    [only] = list(batches(iter(wanted)))
    assert only.whole
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 3)
    monkeypatch.setattr(limits, "FLASHBACK_MUTATIONS_PER_CHUNK", 2)
    parts = list(batches(iter(wanted)))
    assert [len(each.mutations) for each in parts] == [3, 1]
    assert not any(each.whole for each in parts)
    assert [len(each) for each in parts[0].chunks()] == [2, 1]
    monkeypatch.setattr(limits, "CHUNK_BYTES", 0)
    assert [len(each.mutations) for each in batches(iter(wanted))] == [1, 1, 1, 1]
