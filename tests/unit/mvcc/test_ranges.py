"""Ranges of versions, in every physical form, against the graphs of those versions."""

from __future__ import annotations

from itertools import pairwise, zip_longest
from random import Random
from typing import Any

import pytest

from everwhen.errors import TimeOutOfRange
from everwhen.model.graph import Bound, Direction, EntityKind, Era, RangeView
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.state import RecordState
from tests.unit.mvcc.builder import Builder, Form
from tests.unit.mvcc.naive import NaiveGraph
from tests.unit.mvcc.test_forms import IDS, INDEXES, VALUES, eras_of, play, steps

#: versions a history has at most
MOST = 12


def history(random: Random) -> Builder:
    builder = Builder(indexes=INDEXES)
    graph = NaiveGraph()
    dead: dict[Any, Any] = {}
    for _ in range(random.randrange(2, MOST)):
        for step in steps(random, graph):
            play(graph, step, dead)
        builder.commit(graph, random.choice(list(Form)))
    return builder


def versions(eras: list[Any], low: int, high: int) -> list[tuple[int, int]]:
    """What the versions of an entity have in common with a range."""
    found = []
    for era, following in zip_longest(eras, eras[1:]):
        if era[2] is not None:
            first, last = max(low, era[0]), high
            if following is not None:
                last = min(high, following[0] - 1)
            if first <= last:
                found.append((first, last))
    return found


def bounds(view: RangeView) -> tuple[int, int]:
    return view.first().version, view.version


@pytest.mark.parametrize("seed", range(40))
def test_nothing_of_a_range_is_missed(seed: int) -> None:
    random = Random(seed)
    builder = history(random)
    newest = len(builder.graphs) - 1
    for state in (builder.state, RecordState.load(builder.store)):
        for _ in range(8):
            low, high = sorted((random.randint(0, newest), random.randint(0, newest)))
            view = GraphSnapshot(state).between(low, high)
            graphs = builder.graphs[low : high + 1]
            for kind in EntityKind:
                for key in IDS:
                    eras = eras_of(builder.graphs, kind, key)
                    met = [bounds(part) for part, _ in view.versions_of(kind, key)]
                    assert met == versions(eras, low, high), f"{kind} {key} {low}..{high}"
            check_candidates(view, graphs, random)


def check_candidates(view: RangeView, graphs: list[NaiveGraph], random: Random) -> None:
    """Everything that was there at one of the versions is yielded, once, and in order."""
    nodes = [node.id for node in view.nodes()]
    assert nodes == sorted({key for graph in graphs for key in graph.nodes})
    for label in "ABC":
        labelled = [node.id for node in view.nodes_with_label(label)]
        assert labelled == sorted(
            {key for graph in graphs for key, n in graph.nodes.items() if label in n.labels}
        )
    ever = {key: one for graph in graphs for key, one in graph.relationships.items()}
    assert [one.id for one in view.relationships()] == sorted(ever)
    for key in IDS:
        assert view.has_node(key) == (key in nodes)
        assert view.has_relationship(key) == (key in ever)
        for type_ in (None, "R"):
            there = [k for k, r in ever.items() if type_ in (None, r.type)]
            types = None if type_ is None else [type_]
            out = [one.id for one in view.expand(key, Direction.OUT, types)]
            assert sorted(out) == sorted(k for k in there if ever[k].start == key)
            both = [one.id for one in view.expand(key, Direction.BOTH, types)]
            assert sorted(both) == sorted(k for k in there if key in (ever[k].start, ever[k].end))
            other = random.choice(IDS)
            into = [one.id for one in view.expand_into(key, other, Direction.OUT, types)]
            ends = (key, other)
            assert sorted(into) == sorted(k for k in there if (ever[k].start, ever[k].end) == ends)
    check_indexes(view, graphs, random)


def check_indexes(view: RangeView, graphs: list[NaiveGraph], random: Random) -> None:
    value = random.choice([v for v in VALUES if type(v) is int])
    indexed = {
        key
        for graph in graphs
        for key, node in graph.nodes.items()
        if "A" in node.labels and "a" in node.properties
    }
    scanned = list(view.index_scan("one"))
    assert len(scanned) == len(set(scanned))
    assert indexed <= set(scanned)
    exact = {
        key
        for graph in graphs
        for key, node in graph.nodes.items()
        if "A" in node.labels and type(node.properties.get("a")) is int
    }
    equal = {
        key
        for graph in graphs
        for key, node in graph.nodes.items()
        if key in exact and "A" in node.labels and node.properties.get("a") == value
        and type(node.properties["a"]) is int
    }  # fmt: skip
    assert equal <= set(view.index_seek("one", [value]))
    assert equal <= set(view.index_range("one", [], Bound(value, inclusive=True), None))


@pytest.mark.parametrize("seed", range(10))
def test_what_versions_share_is_narrowed(seed: int) -> None:
    random = Random(seed)
    builder = history(random)
    newest = len(builder.graphs) - 1
    whole = GraphSnapshot(builder.state).between(0, newest)
    for node in IDS:
        for part, moment in whole.versions_of(EntityKind.NODE, node):
            assert moment.node(node) is not None
            for other in IDS:
                shared = [bounds(both) for both, _ in part.versions_of(EntityKind.NODE, other)]
                eras = eras_of(builder.graphs, EntityKind.NODE, other)
                assert shared == versions(eras, *bounds(part))


@pytest.mark.parametrize("seed", range(10))
def test_lifetimes_are_versions_without_a_gap(seed: int) -> None:
    random = Random(seed)
    builder = history(random)
    newest = len(builder.graphs) - 1
    whole = GraphSnapshot(builder.state).between(0, newest)
    for key in IDS:
        alive = [v for v, graph in enumerate(builder.graphs) if key in graph.nodes]
        found = [bounds(part) for part in whole.lifetimes_of(EntityKind.NODE, key)]
        assert [v for first, last in found for v in range(first, last + 1)] == alive
        assert all(b[0] > a[1] + 1 for a, b in pairwise(found))


def test_no_moment_and_no_such_version() -> None:
    builder = history(Random(1))
    snapshot = GraphSnapshot(builder.state)
    empty = snapshot.between(2, 1)
    assert all(not list(empty.versions_of(EntityKind.NODE, key)) for key in IDS)
    with pytest.raises(TimeOutOfRange, match="no readable version 99"):
        snapshot.between(0, 99)


def test_what_the_naive_history_says() -> None:
    era = Era(3, 0, ("A",), {})
    gone = Era(5, 0, None, None)
    assert versions([era, gone], 1, 9) == [(3, 4)]
    assert versions([era], 4, 9) == [(4, 9)]
    assert versions([gone], 1, 9) == []
