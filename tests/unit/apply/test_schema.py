"""Indexes and constraints from creation to drop, and what they hold up under races."""

from __future__ import annotations

import pytest

from everwhen.errors import (
    ConstraintAlreadyExists,
    ConstraintNotFound,
    ConstraintViolation,
    ForbiddenOnConstraintIndex,
    IndexAlreadyExists,
    IndexNotFound,
    QueryArgumentError,
    TransactionConflict,
)
from everwhen.model.schema import IndexState
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database


@pytest.fixture
def db() -> Database:
    return Database()


def fill(db: Database, count: int, **more) -> None:
    t = db.begin()
    for i in range(count):
        t.create_node(["P"], {"k": i, **more})
    db.commit(t)


def constraint(kind: str, name: str = "", *, keys=("k",), lenient=False, type_text="", label="P"):
    return c.CreateConstraint(c.FORMAT, name, kind, "NODE", label, list(keys), type_text, lenient)


def index(name: str = "", *, keys=("k",), lenient=False, label="P"):
    return c.CreateIndex(c.FORMAT, name, "NODE", label, list(keys), lenient)


def test_an_index_builds_while_others_write(db):
    fill(db, 10)
    made = db.do(index("p_k"))
    assert db.view().catalog.indexes["p_k"].state is IndexState.BUILDING
    assert db.do(c.BackfillStep(c.FORMAT, made.id, 4)).more
    assert 0 < db.view().catalog.indexes["p_k"].percent < 100
    t = db.begin()
    t.set_property(t.node(1), "k", 100)  # looked at already
    t.set_property(t.node(8), "k", 101)  # not yet
    t.delete_node(9)
    t.create_node(["P"], {"k": 102})
    db.commit(t)
    db.open()
    db.backfill(made.id)
    view = db.view()
    assert view.catalog.indexes["p_k"].state is IndexState.ONLINE
    assert [view.node_property(n, "k") for n in view.index_scan("p_k")] == [
        0,
        2,
        3,
        4,
        5,
        6,
        7,
        100,
        101,
        102,
    ]
    for value, wanted in ((8, []), (101, [8]), (9, []), (1, [])):
        assert list(view.index_seek("p_k", [value])) == wanted
    assert view.index_size("p_k") == 10
    assert list(db.view(1).index_seek("p_k", [8])) == [8]
    assert verify(db.store).problems == []


def test_an_index_over_relationships_and_the_past(db):
    t = db.begin()
    a = t.create_node([], {})
    made = [t.create_relationship(a.id, "R", a.id, {"w": i}) for i in range(5)]
    db.commit(t)
    t = db.begin()
    t.set_property(t.relationship(made[0].id), "w", 9)
    db.commit(t)
    number = db.create_index("R", "w", name="r_w", entity="RELATIONSHIP")
    assert list(db.view().index_seek("r_w", [9])) == [made[0].id]
    assert list(db.view(1).index_seek("r_w", [0])) == [made[0].id]
    assert list(db.view(1).index_seek("r_w", [9])) == []
    assert number


def test_equal_definitions_and_names(db):
    first = db.do(index("a"))
    for command, error in (
        (index("a", keys=("z",)), IndexAlreadyExists),
        (index("b"), IndexAlreadyExists),
        (constraint("UNIQUENESS", "c"), IndexAlreadyExists),
        (constraint("UNIQUENESS", "a", keys=("z",)), IndexAlreadyExists),
    ):
        with pytest.raises(error):
            db.do(command)
    assert not db.do(index("a", lenient=True)).changed
    assert not db.do(index("b", lenient=True)).changed
    assert db.view().catalog.version == first.catalog_version
    db.do(constraint("UNIQUENESS", "u", keys=("q",)))
    for command, refusal in (
        (constraint("UNIQUENESS", "u", keys=("z",)), ConstraintAlreadyExists),
        (constraint("UNIQUENESS", "v", keys=("q",)), ConstraintAlreadyExists),
        (constraint("KEY", "v", keys=("q",)), ConstraintAlreadyExists),
        (index("v", keys=("q",)), IndexAlreadyExists),
        (index("u", keys=("zz",)), IndexAlreadyExists),
    ):
        with pytest.raises(refusal):
            db.do(command)
    assert not db.do(constraint("UNIQUENESS", "v", keys=("q",), lenient=True)).changed
    assert db.do(constraint("PROPERTY_EXISTENCE", "v", keys=("q",))).changed


def test_names_are_derived_from_definitions(db):
    db.do(index())
    db.do(constraint("UNIQUENESS", keys=("q",)))
    other = Database()
    other.do(constraint("UNIQUENESS", keys=("q",)))
    other.do(index())
    names = db.view().catalog
    assert set(names.indexes) == set(other.view().catalog.indexes)
    assert set(names.constraints) == set(other.view().catalog.constraints)
    assert all(name.startswith(("index_", "constraint_")) for name in names.indexes)


def test_dropping(db):
    fill(db, 5)
    made = db.do(index("i"))
    db.do(c.BackfillStep(c.FORMAT, made.id, 2))
    db.do(c.DropSchema(c.FORMAT, "i", False, False))
    with pytest.raises(IndexNotFound):
        db.do(c.BackfillStep(c.FORMAT, made.id, 2))
    with pytest.raises(IndexNotFound):
        db.do(c.DropSchema(c.FORMAT, "i", False, False))
    assert not db.do(c.DropSchema(c.FORMAT, "i", False, True)).changed
    db.create_constraint("UNIQUENESS", "P", "k", name="u")
    with pytest.raises(ForbiddenOnConstraintIndex):
        db.do(c.DropSchema(c.FORMAT, "u", False, False))
    db.do(c.DropSchema(c.FORMAT, "u", True, False))
    with pytest.raises(ConstraintNotFound):
        db.do(c.DropSchema(c.FORMAT, "u", True, False))
    assert not db.view().catalog.indexes
    fill(db, 1)
    db.open()
    assert not db.view().catalog.constraints
    assert verify(db.store).problems == []


def test_an_index_dropped_under_a_published_run(db):
    db.create_index("P", "k", name="i")
    t = db.begin()
    t.create_node(["P"], {"k": 1})
    db.commit(t, chunked=True)
    db.do(c.DropSchema(c.FORMAT, "i", False, False))
    db.fold()
    assert verify(db.store).problems == []


def test_a_constraint_that_the_past_breaks_fails_with_the_offenders(db):
    fill(db, 3)
    fill(db, 2)
    number = db.create_constraint("UNIQUENESS", "P", "k", name="u")
    found = db.view().catalog.constraints["u"]
    assert found.state is IndexState.FAILED
    assert "0" in found.failure
    assert "3" in found.failure
    assert db.view().catalog.indexes["u"].state is IndexState.FAILED
    fill(db, 1)
    assert not db.do(c.BackfillStep(c.FORMAT, number, 2)).more
    db.create_constraint("PROPERTY_EXISTENCE", "P", "z", name="e")
    assert db.view().catalog.constraints["e"].state is IndexState.FAILED
    assert verify(db.store).problems == []


def test_a_constraint_put_right_while_it_builds(db):
    fill(db, 6)
    t = db.begin()
    t.set_property(t.node(5), "k", 0)
    db.commit(t)
    made = db.do(constraint("UNIQUENESS", "u"))
    assert db.do(c.BackfillStep(c.FORMAT, made.id, 2)).more
    t = db.begin()
    t.set_property(t.node(5), "k", 50)
    db.commit(t)
    db.backfill(made.id)
    assert db.view().catalog.constraints["u"].state is IndexState.ONLINE
    assert verify(db.store).problems == []


def test_uniqueness_visible_and_raced(db):
    db.create_constraint("UNIQUENESS", "P", "k", name="u")
    first, second = db.begin(), db.begin()
    first.create_node(["P"], {"k": 1})
    with pytest.raises(ConstraintViolation, match=r"`k` = 1.*`u`"):
        first.create_node(["P"], {"k": 1.0})
    first = db.begin()
    made = first.create_node(["P"], {"k": 1})
    second.create_node(["P"], {"k": 1})
    db.commit(first)
    with pytest.raises(TransactionConflict):
        db.commit(second)
    third = db.begin()
    with pytest.raises(ConstraintViolation, match=f"Node\\({made.id}\\)"):
        third.create_node(["P"], {"k": 1})
    third = db.begin()
    node = third.create_node([], {"k": 1})
    with pytest.raises(ConstraintViolation):
        third.add_labels(node.id, ["P"])
    fourth = db.begin()
    fourth.set_property(fourth.node(made.id), "k", 2)
    fourth.create_node(["P"], {"k": 1})
    db.commit(fourth)
    nan = db.begin()
    nan.create_node(["P"], {"k": float("nan")})
    nan.create_node(["P"], {"k": float("nan")})
    db.commit(nan)
    assert verify(db.store).problems == []


def test_swapping_unique_values_in_one_commit(db):
    db.create_constraint("UNIQUENESS", "P", "k", name="u")
    fill(db, 2)
    t = db.begin()
    t.set_property(t.node(0), "k", 9)
    t.set_property(t.node(1), "k", 0)
    t.set_property(t.node(0), "k", 1)
    db.commit(t)
    assert list(db.view().index_seek("u", [0])) == [1]
    assert list(db.view().index_seek("u", [1])) == [0]
    assert list(db.view(1).index_seek("u", [1])) == [1]


def test_existence_key_and_type(db):
    db.create_constraint("PROPERTY_EXISTENCE", "E", "x", name="e")
    db.create_constraint("KEY", "K", "a", "b", name="k")
    db.create_constraint("PROPERTY_TYPE", "T", "n", name="t", type_text="INTEGER")
    for labels, properties, name in (
        (["E"], {}, "e"),
        (["K"], {"a": 1}, "k"),
        (["T"], {"n": "text"}, "t"),
    ):
        t = db.begin()
        t.create_node(labels, properties)
        with pytest.raises(ConstraintViolation, match=f"`{name}`"):
            db.commit(t)
    t = db.begin()
    node = t.create_node(["E", "K", "T"], {})
    t.set_property(node, "x", 1)
    t.set_property(node, "a", 1)
    t.set_property(node, "b", 2)
    db.commit(t)
    t = db.begin()
    with pytest.raises(ConstraintViolation):
        t.create_node(["K"], {"a": 1, "b": 2})
    t = db.begin()
    t.set_property(t.node(node.id), "x", None)
    with pytest.raises(ConstraintViolation):
        db.commit(t)


def test_two_commits_that_break_a_key_together(db):
    """Each alone is right; apply sees the merged post-image."""
    db.create_constraint("KEY", "K", "a", "b", name="k")
    t = db.begin()
    one = t.create_node(["K"], {"a": 1, "b": 1})
    two = t.create_node(["K"], {"a": 2, "b": 2})
    db.commit(t)
    first, second = db.begin(), db.begin()
    first.set_property(first.node(one.id), "a", 3)
    second.set_property(second.node(two.id), "b", 1)
    db.commit(first)
    db.commit(second)
    first, second = db.begin(), db.begin()
    first.set_property(first.node(one.id), "a", 5)
    second.set_property(second.node(two.id), "a", 5)
    db.commit(first)
    with pytest.raises(TransactionConflict):
        db.commit(second)
    label, removal = db.begin(), db.begin()
    other = label.create_node([], {"a": 8, "b": 8})
    db.commit(label)
    label, removal = db.begin(), db.begin()
    label.add_labels(other.id, ["K"])
    removal.set_property(removal.node(other.id), "a", None)
    db.commit(label)
    with pytest.raises(ConstraintViolation):
        db.commit(removal)


def test_values_too_long_for_an_index(db):
    db.create_index("P", "k", name="i")
    t = db.begin()
    t.create_node(["P"], {"k": "x" * 20_000})
    with pytest.raises(QueryArgumentError):
        db.commit(t)
    t = db.begin()
    t.create_node(["Q"], {"k": "x" * 20_000})
    db.commit(t)
    db.create_index("Q", "k", name="q")
    assert db.view().catalog.indexes["q"].state is IndexState.FAILED
