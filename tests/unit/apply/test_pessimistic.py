"""PESSIMISTIC: what asks for a lock, what a fresh snapshot notices, what a savepoint brings back."""

from __future__ import annotations

import pytest

from everwhen.errors import TransactionConflict
from everwhen.txn import footprint
from everwhen.txn.transaction import Isolation
from tests.unit.apply.test_conflicts import db, set_lone, set_w, set_x, set_y

__all__ = ["db"]


def test_pessimistic_asks_for_a_lock_at_first_touch(db):
    asked: list[list[bytes]] = []
    t = db.begin(Isolation.PESSIMISTIC, lock=asked.append)
    set_x(t)
    set_y(t)
    set_w(t)
    made = t.create_node([], {})
    t.set_property(made, "x", 1)
    assert asked == [[footprint.node_key(0)], [footprint.relationship_key(0)]]
    other = db.begin()
    set_lone(other)
    db.commit(other)
    t.refresh(db.view())
    assert t.node_property(2, "x") == 7
    assert t.node_property(0, "x") == 9
    db.commit(t)


def test_refresh_notices_what_took_no_lock(db):
    t = db.begin(Isolation.PESSIMISTIC, lock=lambda keys: None)
    set_x(t)
    other = db.begin()
    set_y(other)
    db.commit(other)
    with pytest.raises(TransactionConflict):
        t.refresh(db.view())


def test_a_savepoint_brings_the_buffer_back(db):
    t = db.begin(Isolation.PESSIMISTIC, lock=lambda keys: None)
    set_x(t, 5)
    savepoint = t.savepoint()
    set_x(t, 6)
    t.create_node(["A"], {})
    t.rollback_to(savepoint)
    assert t.node_property(0, "x") == 5
    assert [node.id for node in t.nodes()] == [0, 1, 2]
    db.commit(t)
    assert db.view().node_property(0, "x") == 5
