"""A transaction before its commit: own writes, iterators that stand still, what is refused."""

from __future__ import annotations

import pytest

from everwhen.errors import (
    AccessModeViolation,
    ArithmeticFailure,
    EntityNotFound,
    MemoryLimitExceeded,
    QueryArgumentError,
    QueryTypeError,
)
from everwhen.model.elements import Node
from everwhen.model.graph import Bound, Direction
from everwhen.model.temporal import Date
from everwhen.txn import commands as c
from everwhen.txn import commit
from tests.unit.apply.harness import Database, origin_of, small_commit


@pytest.fixture
def db() -> Database:
    database = Database()
    t = database.begin()
    nodes = [t.create_node(["A"], {"x": i}) for i in range(3)]
    t.create_relationship(nodes[0].id, "R", nodes[1].id, {"w": 1})
    database.commit(t)
    database.create_index("A", "x", name="a_x")
    return database


def test_iterators_show_the_state_they_were_made_in(db):
    t = db.begin()
    made = t.create_node(["A"], {"x": 10})
    r = t.create_relationship(0, "R", made.id, {})
    before = {
        "nodes": (t.nodes(), [0, 1, 2, made.id]),
        "label": (t.nodes_with_label("A"), [0, 1, 2, made.id]),
        "relationships": (t.relationships(), [0, r.id]),
        "expand": (t.expand(0, Direction.BOTH), [0, r.id]),
        "into": (t.expand_into(0, 1, Direction.OUT), [0]),
    }
    ids = {
        "seek": (t.index_seek("a_x", [1]), [1]),
        "range": (t.index_range("a_x", [], Bound(1, True), None), [1, 2, made.id]),
        "scan": (t.index_scan("a_x"), [0, 1, 2, made.id]),
    }
    started = t.nodes_with_label("A")
    assert next(started).id == 0
    other = t.create_node(["A"], {"x": 11})
    t.create_relationship(0, "R", other.id, {})
    t.delete_relationship(r.id)
    t.delete_relationship(0)
    t.delete_node(made.id)
    t.delete_node(1)
    t.remove_labels(2, ["A"])
    t.set_property(t.node(2), "x", -1)
    for name, (iterator, wanted) in before.items():
        assert [one.id for one in iterator] == wanted, name
    for name, (found, wanted) in ids.items():
        assert list(found) == wanted, name
    assert [node.id for node in started] == [1, 2, made.id]
    assert [node.id for node in t.nodes_with_label("A")] == [0, other.id]
    assert list(t.index_scan("a_x")) == [0, other.id]


def test_iterators_of_a_transaction_that_has_not_written_yet(db):
    t = db.begin()
    nodes, seek = t.nodes(), t.index_seek("a_x", [1])
    found = next(nodes)
    t.set_property(found, "x", 7)
    t.delete_node(2)
    assert found.get("x") == 7  # bound before the write, shows it
    assert [node.id for node in nodes] == [1, 2]
    assert list(seek) == [1]


def test_elements_carry_the_transaction_as_their_view(db):
    t = db.begin()
    node = t.node(0)
    assert node.view is t
    assert next(t.nodes()).view is t
    assert next(t.expand(0, Direction.OUT)).view is t
    past = next(t.at_version(1).nodes())
    t.set_property(node, "x", 9)
    assert node.get("x") == 9
    assert past.get("x") == 0


def test_ids_out_of_order_stay_ascending(db):
    ids = iter([500, 100, 300, 200])
    t = db.begin()
    t._allocate_node = lambda: next(ids)
    t.create_node([], {})
    walk = t.nodes()
    for _ in range(3):
        t.create_node([], {})
    assert [node.id for node in walk] == [0, 1, 2, 500]
    assert [node.id for node in t.nodes()] == [0, 1, 2, 100, 200, 300, 500]


def test_deleted_entities_cannot_be_read_or_written(db):
    t = db.begin()
    node, r = t.node(0), t.relationship(0)
    t.delete_relationship(0)
    t.delete_node(0)
    assert t.node(0) is None
    assert t.relationship(0) is None
    assert not t.delete_node(0)
    assert not t.delete_relationship(0)
    for read in (
        lambda: node.labels,
        lambda: node.properties,
        lambda: node.get("x"),
        lambda: r.properties,
        lambda: r.get("w"),
        lambda: list(t.expand(0, Direction.OUT)),
        lambda: t.degree(0, Direction.OUT),
        lambda: t.set_property(node, "x", 1),
        lambda: t.set_property(r, "w", 1),
        lambda: t.add_labels(0, ["Z"]),
        lambda: t.create_relationship(0, "R", 1, {}),
        lambda: t.delete_node(77),
        lambda: t.delete_relationship(77),
    ):
        with pytest.raises(EntityNotFound) as error:
            read()
        assert error.value.detail == "DeletedEntityAccess"


@pytest.mark.parametrize("value", [{}, {"a": 1}, [[1]], [None], [1, {}], object()])
def test_what_cannot_be_stored(db, value):
    t = db.begin()
    with pytest.raises(QueryTypeError) as error:
        t.create_node([], {"v": value})
    assert error.value.detail == "InvalidPropertyType"
    with pytest.raises(QueryTypeError):
        t.set_property(t.node(0), "v", value)
    with pytest.raises(QueryTypeError):
        t.set_property(t.node(0), "v", Node(1, t))
    assert not t.has_writes


def test_other_bounds(db):
    t = db.begin()
    with pytest.raises(ArithmeticFailure):
        t.set_property(t.node(0), "v", 2**63)
    with pytest.raises(QueryArgumentError):
        t.set_property(t.node(0), "", 1)
    with pytest.raises(QueryArgumentError):
        t.create_node([""], {})
    with pytest.raises(QueryArgumentError, match="surrogate"):
        t.set_property(t.node(0), "v", "\ud800")
    with pytest.raises(AccessModeViolation):
        db.begin(read_only=True).create_node([], {})
    small = db.begin(memory_limit=5_000)
    for _ in range(5):
        small.create_node([], {"x": "some text"})
    with pytest.raises(MemoryLimitExceeded):
        small.create_node([], {"x": "long text" * 500})


def test_lists_and_dates_are_kept(db):
    t = db.begin()
    made = t.create_node([], {"l": [1, "a", 2.5], "e": [], "d": Date(19_000), "b": b"\x00"})
    db.commit(t)
    assert dict(db.view().node_properties(made.id)) == {
        "b": b"\x00",
        "d": Date(19_000),
        "e": [],
        "l": [1, "a", 2.5],
    }


def test_counts_of_what_was_done(db):
    t = db.begin()
    node = t.node(0)
    assert t.set_property(node, "x", None) == 1
    assert t.set_property(node, "x", None) == 0
    assert t.set_property(node, "x", 1) == 1
    assert t.add_labels(0, ["A", "B", "B"]) == 1
    assert t.remove_labels(0, ["A", "Z"]) == 1
    assert t.node_count("A") == 2
    assert t.node_count("B") == 1
    assert t.label_names() == ["A", "B"]
    t.create_relationship(0, "NEW", 1, {"k": 1})
    assert t.relationship_type_names() == ["NEW", "R"]
    assert t.property_key_names() == ["k", "w", "x"]
    assert t.relationship_count() == 2


def test_what_cancels_itself_never_reaches_the_log(db):
    t = db.begin()
    made = t.create_node(["A"], {"x": 5})
    r = t.create_relationship(0, "R", made.id, {})
    t.add_labels(1, ["B"])
    t.remove_labels(1, ["B"])
    t.delete_relationship(r.id)
    t.delete_node(made.id)
    command = small_commit(t, origin_of())
    assert command.mutations == []
    t.set_property(t.node(1), "x", 1)
    t.set_property(t.node(1), "x", 2)
    command = small_commit(t, origin_of())
    assert [type(one) for one in command.mutations] == [c.ChangeNode]
    assert command.names == ["x"]


def test_index_reads_merge_own_writes_in_order(db):
    t = db.begin()
    t.set_property(t.node(0), "x", 1.5)
    late = t.create_node(["A"], {"x": 0.5})
    t.create_node(["A"], {"x": "text"})
    assert list(t.index_range("a_x", [], Bound(0, True), Bound(2, True))) == [late.id, 1, 0, 2]
    assert list(t.index_range("a_x", [], Bound(1, False), Bound(2, False))) == [0]
    assert list(t.index_seek("a_x", [0])) == []
    assert list(t.index_seek("a_x", [1.5])) == [0]
    assert list(t.index_seek("a_x", [float("nan")])) == []
    assert list(t.index_prefix("a_x", [], "te")) == [late.id + 1]


def test_commands_survive_their_bytes(db):
    t = db.begin()
    made = t.create_node(["A", "B"], {"x": [1, 2]})
    t.create_relationship(made.id, "R", 0, {"w": 1.0})
    t.set_property(t.node(1), "x", None)
    t.add_labels(2, ["C"])
    t.delete_relationship(0)
    command = commit.stamp(small_commit(t, origin_of("c", 4)), 77)
    assert command.time == 77
    assert c.decode(c.encode(command)) == command
