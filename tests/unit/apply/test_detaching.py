"""Deleted nodes of large transactions have no relationship left, however many they had."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from everwhen import limits
from everwhen.apply import detaching
from everwhen.codec.cluster import Cluster
from everwhen.codec.keys import Kind, kind_range
from everwhen.errors import (
    DeleteConnectedNode,
    PreconditionFailed,
    TransactionConflict,
    TransactionStateError,
)
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from everwhen.txn import commit
from everwhen.txn.transaction import Transaction
from tests.unit.apply.harness import Database, dump, origin_of
from tests.unit.apply.test_supernodes import TOUCHED, Counting, loaded, written

LIMIT = 50
#: what a chunk of three mutations reads apart from what it looks at
OWN = 150

Make = Callable[[Database, int], None]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MUTATIONS_PER_CHUNK", 3)
    monkeypatch.setattr(limits, "DETACHED_PER_STEP", LIMIT)
    monkeypatch.setattr(detaching, "CHUNK_ROOM", LIMIT)


@pytest.fixture(params=[written, loaded])
def db(request: pytest.FixtureRequest) -> Database:
    """Node 0 has 300 relationships."""
    made = Database(Counting())
    request.param(made, 300)
    return made


def emptied(db: Database, kept: int = 0) -> Transaction:
    """Deletes node 0 and its relationships but for some."""
    t = db.begin()
    ids = [one.id for one in t.relationships()]
    for one in ids[kept:]:
        t.delete_relationship(one)
    t.delete_node(0)
    return t


def staged(db: Database, t: Transaction) -> int:
    """All its chunks are in; the number."""
    number: int = db.do(commit.begin_of(t, origin_of())).transaction
    for chunk in commit.take_chunks(t, number, last=True):
        more = db.do(chunk).more
    assert more
    return number


def checks(db: Database, t: Transaction, number: int) -> Iterator[bool]:
    """Steps one by one."""
    more = True
    while more:
        more = db.do(c.CheckChunks(c.FORMAT, number, t.chunks_taken, LIMIT)).more
        yield more


def left(db: Database) -> int:
    return sum(1 for kind in (Kind.STAGE, Kind.RUN) for _ in db.store.scan(*kind_range(kind)))


@pytest.mark.parametrize("relationships", [300, 3_000])
@pytest.mark.parametrize("make", [written, loaded])
def test_no_step_grows_with_what_was_there(make: Make, relationships: int) -> None:
    store = Counting()
    db = Database(store)
    make(db, relationships)
    t = emptied(db)
    number: int = db.do(commit.begin_of(t, origin_of())).transaction
    most = 0
    for chunk in commit.take_chunks(t, number, last=True):
        store.read = 0
        db.do(chunk)
        most = max(most, store.read)
    steps = 0
    for _ in checks(db, t, number):
        most, store.read, steps = max(most, store.read), 0, steps + 1
    db.do(commit.commit_chunks_of(t, number, db.tick()))
    assert max(most, store.read) <= LIMIT * TOUCHED + OWN
    assert steps >= relationships // LIMIT - 1
    assert db.view().node_count() == relationships
    db.fold()
    assert left(db) == 0
    assert verify(store).problems == []


@pytest.mark.parametrize("reopened", [False, True])
def test_it_goes_on_after_a_restart_and_by_the_commit_itself(db: Database, reopened: bool) -> None:
    t = emptied(db)
    number = staged(db, t)
    for _ in zip(range(2), checks(db, t, number), strict=False):
        if reopened:
            db.open()
    db.do(commit.commit_chunks_of(t, number, db.tick()))
    assert dump(db.view())[1] == {}
    assert left(db) > 0
    db.fold()
    assert left(db) == 0
    assert verify(db.store).problems == []


@pytest.mark.parametrize("at_once", [False, True])
def test_one_that_is_left_is_found(db: Database, at_once: bool) -> None:
    before = dump(db.view())
    t = emptied(db, kept=1)
    number = staged(db, t)
    if not at_once:
        with pytest.raises(DeleteConnectedNode, match="node<0>"):
            list(checks(db, t, number))
    with pytest.raises(DeleteConnectedNode, match="node<0>"):
        db.do(commit.commit_chunks_of(t, number, db.tick()))
    assert dump(db.view()) == before
    assert left(db) == 0


@pytest.mark.parametrize("when", ["first", "before", "between", "after"])
def test_one_that_joins(db: Database, when: str) -> None:
    """Whenever another transaction gives the node a relationship, the large one ends."""
    t = emptied(db)

    def now(moment: str) -> None:
        if when == moment:
            other = db.begin()
            other.create_relationship(0, "R", other.create_node([], {}).id, {})
            db.commit(other)

    def committed() -> None:
        steps = checks(db, t, number)
        next(steps)
        now("between")
        list(steps)
        now("after")
        db.do(commit.commit_chunks_of(t, number, db.tick()))

    now("first")
    number = staged(db, t)
    now("before")
    with pytest.raises(TransactionConflict):
        committed()
    db.do(commit.abort_of(number, "refused"))
    assert len(dump(db.view())[1]) == 301


@pytest.mark.parametrize("kept", [0, 1])
def test_a_small_commit_of_a_node_that_had_many(
    db: Database, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its relationships went before: one mutation, but apply has to pass all of them."""
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 200)
    for one in [one.id for one in db.view().relationships()][kept:]:
        t = db.begin()
        t.delete_relationship(one)
        db.commit(t)
    t = db.begin()
    if kept:
        t.delete_relationship(next(iter(t.relationships())).id)
    t.delete_node(0)
    entries = len(db.log)
    db.commit(t)
    kinds = [type(c.decode(entry)) for entry in db.log[entries:]]
    assert kinds == [c.BeginChunks, c.Chunk, *[c.CheckChunks] * (6 - 1), c.CommitChunks]
    assert dump(db.view())[1] == {}
    assert verify(db.store).problems == []


def test_checks_are_about_all_chunks(db: Database) -> None:
    t = emptied(db)
    number = staged(db, t)
    with pytest.raises(TransactionStateError, match="chunks are staged"):
        db.do(c.CheckChunks(c.FORMAT, number, 1, LIMIT))


def test_before_the_feature_level_a_chunk_looks_through(db: Database) -> None:
    t = emptied(db)
    db.machine._work.cluster = Cluster(feature_level=7)
    number: int = db.do(commit.begin_of(t, origin_of())).transaction
    for chunk in commit.take_chunks(t, number, last=True):
        assert not db.do(chunk).more
    with pytest.raises(PreconditionFailed, match="checks of chunks need feature level 8"):
        db.do(c.CheckChunks(c.FORMAT, number, t.chunks_taken, LIMIT))
    db.do(commit.commit_chunks_of(t, number, db.tick()))
    assert dump(db.view())[1] == {}


def test_members_agree(db: Database) -> None:
    """One that was opened again after each entry decides as one that was not, with several nodes
    under way."""
    t = db.begin()
    others = [t.create_node([], {}).id for _ in range(3)]
    leaf = t.create_node([], {}).id
    for hub in others:
        for _ in range(70):
            t.create_relationship(leaf, "S", hub, {})
    db.commit(t)
    t = db.begin()
    for one in [one.id for one in t.relationships()]:
        t.delete_relationship(one)
    for hub in (*others, 0):
        t.delete_node(hub)
    number = staged(db, t)
    list(checks(db, t, number))
    db.do(commit.commit_chunks_of(t, number, db.tick()))
    other = Database()
    for index, payload in enumerate(db.log, 1):
        other.machine.apply(index, 1, payload)
        other.open()
    assert other.machine.digest == db.machine.digest
    assert dump(other.view()) == dump(db.view())
