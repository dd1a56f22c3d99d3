"""What others see, and may do, while an erasure is under way."""

from __future__ import annotations

import numpy as np
import pytest

from everwhen.apply.erasing import SETTLING
from everwhen.codec.keys import Kind, kind_range
from everwhen.codec.retention import Horizon
from everwhen.errors import TransactionConflict
from everwhen.limits import VACUUM_KEYS_PER_STEP
from everwhen.model.graph import Described, EntityKind
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from everwhen.txn.bulk import BulkLoad
from tests.unit.apply.harness import Database, dump, origin_of


def erase(db: Database, nodes: list[int], relationships: list[int]) -> None:
    db.do(c.Erase(c.FORMAT, db.tick(), nodes, relationships, origin_of()))


def loaded(db: Database) -> None:
    """Version 1, as segments: nodes 0 to 3, R from each to the next. Version 2: node 1 is gone."""
    db.do(c.LeaseIds(c.FORMAT, 50, 50))
    load = BulkLoad(db.do(c.BeginChunks(c.FORMAT, 0, 0, origin_of())).transaction)
    for chunk in load.nodes(["A"], 0, 4, {"x": [1, 2, 3, 4]}):
        db.do(chunk)
    starts = np.arange(3, dtype=np.int64)
    for chunk in load.relationships("R", 0, starts, starts + 1, {}):
        db.do(chunk)
    db.do(load.commit(db.tick()))
    t = db.begin()
    t.delete_relationship(0)
    t.delete_relationship(1)
    t.delete_node(1)
    db.commit(t)


@pytest.mark.parametrize("limit", [1, 3, 1_000])
def test_what_was_loaded_and_deleted_is_not_seen_again_while_it_is_erased(limit: int) -> None:
    db = Database()
    loaded(db)
    before = dump(db.view())
    begun = db.view()
    erase(db, [1], [])
    waiting = False
    while not waiting:
        db.do(c.EraseStep(c.FORMAT, limit, 0))
        for view in (db.view(), begun):
            assert dump(view) == before
            assert [node.id for node in view.nodes_with_label("A")] == [0, 2, 3]
            assert view.node(1) is None
        still = db.state.erased.next_open()
        waiting = still is not None and still.phase == SETTLING
    assert dump(begun.at_version(1)) == before
    while db.do(c.EraseStep(c.FORMAT, limit, len(db.log))).more:
        assert dump(db.view()) == before
    assert dump(db.view()) == dump(db.view(1)) == before
    db.do(c.VacuumStep(c.FORMAT, 1_000, len(db.log)))
    assert db.state.current.vacuum.retired == ()
    kinds = (Kind.NODE, Kind.REL, Kind.OUT, Kind.IN, Kind.LABEL)
    assert [key for kind in kinds for key, _ in db.store.scan(*kind_range(kind))] == []
    assert verify(db.store).problems == []


def test_a_large_transaction_that_brings_something_back_meets_its_erasure() -> None:
    db = Database()
    t = db.begin()
    node = t.create_node(["A"], {"x": 1}).id
    db.commit(t)
    t = db.begin()
    t.delete_node(node)
    db.commit(t)
    number = db.do(c.BeginChunks(c.FORMAT, 0, 2, origin_of())).transaction
    back = c.ReviveNode(node, [0], {})
    db.do(c.Chunk(c.FORMAT, number, 0, ["A"], [back], [], c.Checks()))
    erase(db, [node], [])
    with pytest.raises(TransactionConflict):
        db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 1))
    while db.do(c.EraseStep(c.FORMAT, 100, len(db.log))).more:
        pass
    assert db.view().node(node) is None
    assert verify(db.store).problems == []


def test_a_commit_of_which_both_erased_and_vacuum_took_something_does_not_pass_for_whole() -> None:
    db = Database()
    t = db.begin()
    a, b = t.create_node(["A"], {"x": 1}), t.create_node(["A"], {"x": 1})
    db.commit(t)
    t = db.begin()
    for one in (a, b):
        found = t.node(one.id)
        assert found is not None
        t.set_property(found, "x", 2)
    db.commit(t)
    t = db.begin()
    t.delete_node(a.id)
    db.commit(t)
    db.do(c.CreateRestorePoint(c.FORMAT, "one", 1))
    db.do(c.Erase(c.FORMAT, db.tick(), [a.id], [], origin_of(), force=True))
    while db.do(c.EraseStep(c.FORMAT, 100, len(db.log))).more:
        pass
    db.do(c.RaiseHorizon(c.FORMAT, 0, [Horizon("", "", 2, 0)]))
    while db.do(c.VacuumStep(c.FORMAT, 100, len(db.log), True)).more:
        pass
    [difference] = db.view().differences(1)
    assert (difference.id, difference.old, difference.new) == (
        b.id,
        Described(("A",), None, {"x": 1}),
        Described(("A",), None, {"x": 2}),
    )


def test_a_large_commit_says_that_pieces_went_before_the_first_one_does() -> None:
    db = Database()
    t = db.begin()
    t.create_node(["A"], {"x": 0})
    db.commit(t)
    db.do(c.LeaseIds(c.FORMAT, 10, 10))
    number = db.do(c.BeginChunks(c.FORMAT, 0, 1, origin_of())).transaction
    for at in range(3):
        made = c.CreateNode(100 + at, [0], {})
        db.do(c.Chunk(c.FORMAT, number, at, ["A"], [made], [], c.Checks()))
    db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 3))
    db.fold()
    db.do(c.CreateRestorePoint(c.FORMAT, "one", 1))
    db.do(c.RaiseHorizon(c.FORMAT, 0, [Horizon("", "", 2, 0)]))
    more = True
    while more:
        more = db.do(c.VacuumStep(c.FORMAT, 1, len(db.log), True)).more
        assert [one.id for one in db.view().differences(1)] == [100, 101, 102]


def test_each_commit_is_gone_through_once_however_many_things_it_made() -> None:
    db = Database()
    db.do(c.LeaseIds(c.FORMAT, 1_000, 1_000))
    number = db.do(c.BeginChunks(c.FORMAT, 0, 0, origin_of())).transaction
    made: list[list[c.AnyMutation]] = [[c.CreateNode(at, [], {}) for at in range(101)]]
    made += [
        [c.CreateRelationship(at, 0, 0, at % 100 + 1, {}) for at in range(low, low + 30)]
        for low in range(0, 300, 30)
    ]
    for at, mutations in enumerate(made):
        db.do(c.Chunk(c.FORMAT, number, at, ["R"], mutations, [], c.Checks()))
    db.do(c.CommitChunks(c.FORMAT, db.tick(), number, len(made)))
    db.fold()
    t = db.begin()
    for at in range(300):
        t.delete_relationship(at)
    t.delete_node(0)
    db.commit(t)
    erase(db, [0], [])
    steps = 1
    while db.do(c.EraseStep(c.FORMAT, VACUUM_KEYS_PER_STEP, len(db.log))).more:
        steps += 1
    assert steps < 16
    assert len(dump(db.view(1))[0]) == 100
    assert dump(db.view(1))[1] == {}
    assert verify(db.store).problems == []


def test_who_reads_changes_since_before_finds_the_segment_that_is_left() -> None:
    db = Database()
    loaded(db)
    begun = db.view()
    erase(db, [1], [])
    while db.do(c.EraseStep(c.FORMAT, 100, 0)).more and db.state.erased.all[1].phase != SETTLING:
        pass
    told = [(one.event, one.kind, one.id) for one in begun.changes(0)]
    assert told == [
        *(("created", EntityKind.NODE, node) for node in (0, 2, 3)),
        ("created", EntityKind.RELATIONSHIP, 2),
    ]
