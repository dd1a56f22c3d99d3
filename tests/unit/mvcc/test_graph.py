"""What a snapshot says of itself: times, versions, counts, errors, caches, reading ahead."""

from __future__ import annotations

import pytest

from everwhen import limits
from everwhen.errors import EntityNotFound, IndexNotFound, TimeOutOfRange
from everwhen.model.elements import Detached
from everwhen.model.graph import Bound, Direction
from everwhen.model.schema import IndexDefinition
from everwhen.mvcc import graph as graph_module
from everwhen.mvcc.graph import GraphSnapshot
from tests.unit.mvcc.builder import Builder, Form
from tests.unit.mvcc.naive import NaiveGraph, NaiveNode, NaiveRelationship

LATE = IndexDefinition(1, "late", "NODE", "A", ("a",), created_version=2)


def people(number: int, step: int = 1) -> NaiveGraph:
    labels = frozenset("A")
    return NaiveGraph({key * step: NaiveNode(labels, {"a": key}) for key in range(number)})


def test_an_empty_record_is_an_empty_graph() -> None:
    view = GraphSnapshot(Builder().state)
    assert view.version == 0
    assert list(view.nodes()) == []
    assert list(view.nodes_with_label("A")) == []
    assert list(view.relationships(["R"])) == []
    assert view.node(1) is None
    assert view.node_count("A") == view.relationship_count("R") == view.node_count() == 0
    with pytest.raises(TimeOutOfRange, match="nothing was committed"):
        view.version_at(0)


def test_times_find_the_commit_at_or_before() -> None:
    builder = Builder()
    for number in (1, 2, 3):
        builder.commit(people(number))
    view = GraphSnapshot(builder.state)
    assert [view.version_at(time) for time in (1000, 1999, 2000, 3000, 10**15)] == [1, 1, 2, 3, 3]
    for early in (999, 0, -(2**63), 2**80):
        with pytest.raises(TimeOutOfRange, match=r"1970-01-01T00:00:00\.001000Z"):
            view.version_at(early)


def test_versions_outside_the_readable_range_are_refused() -> None:
    builder = Builder()
    builder.commit(people(1))
    view = GraphSnapshot(builder.state)
    assert len(list(view.at_version(1).nodes())) == 1
    assert list(view.at_version(0).nodes()) == []
    for version in (2, -1):
        with pytest.raises(TimeOutOfRange, match="0 to 1"):
            view.at_version(version)


def test_a_snapshot_stays_as_it_is() -> None:
    builder = Builder()
    builder.commit(people(2))
    view = GraphSnapshot(builder.state)
    builder.commit(people(1))
    assert [node.id for node in view.nodes()] == [0, 1]
    assert view.node_property(1, "a") == 1
    assert view.at_version(2).node(1) is None


def test_counts_are_exact_at_the_newest_version() -> None:
    builder = Builder(indexes=(IndexDefinition(1, "one", "NODE", "A", ("a",)),))
    graph = people(3)
    graph.relationships[0] = NaiveRelationship("R", 0, 1, {})
    builder.commit(graph)
    view = GraphSnapshot(builder.state)
    assert (view.node_count(), view.node_count("A"), view.node_count("B")) == (3, 3, 0)
    assert (view.relationship_count(), view.relationship_count("R")) == (1, 1)
    assert view.index_size("one") == 3
    assert view.index_size("none") == view.index_distinct("none") == 0


def test_elements_are_bound_to_the_view_of_the_transaction() -> None:
    builder = Builder()
    graph = people(1)
    graph.relationships[0] = NaiveRelationship("R", 0, 0, {})
    builder.commit(graph)
    own = Detached(("X",), {"a": "own"})
    view = GraphSnapshot(builder.state, view=own)
    node = view.node(0)
    assert node is not None
    assert node.get("a") == "own"
    assert [found.view for found in view.expand(0, Direction.OUT)] == [own]


def test_a_loop_comes_once_in_both_directions() -> None:
    builder = Builder()
    graph = people(2)
    graph.relationships[0] = NaiveRelationship("R", 0, 0, {})
    graph.relationships[1] = NaiveRelationship("R", 1, 0, {})
    builder.commit(graph)
    view = GraphSnapshot(builder.state)
    assert sorted(one.id for one in view.expand(0, Direction.BOTH)) == [0, 1]
    assert [one.id for one in view.expand_into(0, 0, Direction.BOTH)] == [0]
    assert view.degree(0, Direction.BOTH) == 2


def test_what_is_not_there_is_an_error() -> None:
    builder = Builder()
    builder.commit(people(1))
    view = GraphSnapshot(builder.state)
    for read in (view.node_labels, view.node_properties, view.relationship_properties):
        with pytest.raises(EntityNotFound) as caught:
            read(77)
        assert caught.value.detail == "DeletedEntityAccess"
    with pytest.raises(IndexNotFound):
        view.index_scan("nothing")


@pytest.mark.parametrize("form", [Form.KEYS, Form.SEGMENTS, Form.RUN])
@pytest.mark.parametrize("step", [1, 100])
def test_reading_ahead_changes_no_answer(
    form: Form, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_module, "_BATCH", 4)
    monkeypatch.setattr(graph_module, "SNAPSHOT_CACHE_ENTRIES", 10)
    builder = Builder()
    graph = people(50, step)
    builder.commit(graph, form)
    graph.nodes[3 * step].properties["a"] = "changed"
    graph.delete_node(40 * step)
    builder.commit(graph)
    view = GraphSnapshot(builder.state)
    found = [(node.id, node.get("a")) for node in view.nodes_with_label("A")]
    assert found == [(key, node.properties["a"]) for key, node in sorted(graph.nodes.items())]
    found = [(node.id, node.get("a")) for node in view.nodes()]
    assert found == [(key, node.properties["a"]) for key, node in sorted(graph.nodes.items())]
    assert limits.SNAPSHOT_CACHE_ENTRIES > 10


def test_a_snapshot_older_than_an_index_answers_without_it() -> None:
    builder = Builder(indexes=(LATE,))
    builder.commit(people(5))
    index_less = GraphSnapshot(builder.state)
    assert index_less.version < LATE.created_version
    assert list(index_less.index_seek("late", [3])) == [3]
    found = index_less.index_range("late", [], Bound(1, inclusive=False), Bound(3, inclusive=True))
    assert list(found) == [2, 3]
    assert list(index_less.index_scan("late")) == [0, 1, 2, 3, 4]
    assert list(index_less.index_seek("late", [None])) == []


def test_lists_compare_only_where_less_than_does() -> None:
    builder = Builder(indexes=(IndexDefinition(1, "one", "NODE", "A", ("a",)),))
    labels = frozenset("A")
    lists = ([1, 2], [1, "x"], [2], [1, 5], ["y"], [float("nan")], [1, float("nan")])
    graph = NaiveGraph({key: NaiveNode(labels, {"a": value}) for key, value in enumerate(lists)})
    builder.commit(graph)
    view = GraphSnapshot(builder.state)
    found = view.index_range("one", [], Bound([1, 3], inclusive=True), None)
    assert sorted(found) == [2, 3]
