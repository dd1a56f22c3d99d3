"""The same history through keys, runs and segments gives the same answers at every version."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from everwhen.codec.values import encode_value
from everwhen.model.graph import EntityKind, Era
from everwhen.model.schema import IndexDefinition
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.verify import verify
from tests.unit.mvcc.builder import Builder, Form
from tests.unit.mvcc.compare import check
from tests.unit.mvcc.naive import NaiveGraph, NaiveNode, NaiveRelationship

IDS = range(8)
INDEXES = (
    IndexDefinition(1, "one", "NODE", "A", ("a",)),
    IndexDefinition(2, "two", "NODE", "B", ("a", "b")),
    IndexDefinition(3, "three", "RELATIONSHIP", "R", ("a",)),
)

VALUES: tuple[Any, ...] = (
    *(None, None, 0, 1, -1, 2**63 - 1, -(2**63), 2**53, 2**53 + 1, 2.0**53, 0.0, -0.0, 1.0, 0.5),
    *(float("inf"), float("-inf"), float("nan"), True, False, "", "x", "xy", "x\x00", "ü"),
    *("y" * 40, b"", b"\x00\xff", [], [1, 2], [1, 2.5], ["a"], [True]),
)


def steps(random: Random, graph: NaiveGraph) -> list[tuple[Any, ...]]:
    """A commit's steps: mostly ones that make sense in the graph."""
    made: list[tuple[Any, ...]] = []
    for _ in range(random.choice((0, 1, 3, 10, 25))):
        alive = sorted(graph.nodes) or [0]
        key, value = random.choice(IDS), random.choice(VALUES)
        labels = frozenset(random.sample("ABC", random.randrange(4)))
        ends = random.choice(alive), random.choice(alive)
        name = random.choice("abc")
        made.append(
            random.choices(
                (
                    ("node", key, labels, value),
                    ("relationship", key, random.choice("RS"), *ends, value),
                    ("label", key, labels),
                    ("set", key, name, value),
                    ("set relationship", key, name, value),
                    ("delete", key),
                    ("delete relationship", key),
                ),
                (8, 8, 2, 4, 4, 1, 1),
            )[0]
        )
    return made


def play(graph: NaiveGraph, step: tuple[Any, ...], dead: dict[Any, Any]) -> None:
    """One step, as far as it makes sense in this graph."""
    what, key, *rest = step
    node, one = graph.nodes.get(key), graph.relationships.get(key)
    if what == "node" and node is None:
        labels, value = rest
        properties = {} if value is None else {"a": value, "b": "fixed"}
        lifetime = dead.get(("node", key), -1) + 1
        graph.nodes[key] = NaiveNode(labels, properties, lifetime)
        dead["node", key] = lifetime
    elif what == "relationship" and one is None:
        type_, start, end, value = rest
        if ("ends", key) in dead:  # an id that comes back keeps its type and ends
            type_, start, end = dead["ends", key]
        if start in graph.nodes and end in graph.nodes:
            lifetime = dead.get(("relationship", key), -1) + 1
            properties = {} if value is None else {"a": value}
            graph.relationships[key] = NaiveRelationship(type_, start, end, properties, lifetime)
            dead["relationship", key] = lifetime
            dead["ends", key] = (type_, start, end)
    elif what == "label" and node is not None:
        node.labels = rest[0]
    elif what == "set" and node is not None:
        put(node.properties, *rest)
    elif what == "set relationship" and one is not None:
        put(one.properties, *rest)
    elif what == "delete" and node is not None:
        graph.delete_node(key)
    elif what == "delete relationship" and one is not None:
        del graph.relationships[key]


def put(properties: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        properties.pop(key, None)
    else:
        properties[key] = value


@pytest.mark.parametrize("seed", range(60))
def test_every_version_reads_as_it_was(seed: int) -> None:
    random = Random(seed)
    builder = Builder(indexes=INDEXES)
    graph = NaiveGraph()
    dead: dict[Any, Any] = {}
    for _ in range(random.randrange(1, 9)):
        for step in steps(random, graph):
            play(graph, step, dead)
        version = builder.commit(graph, random.choice(list(Form)))
        check(GraphSnapshot(builder.state), graph, IDS)
        assert builder.state.current.head.version == version
    reopened = RecordState.load(builder.store)
    for version, past in enumerate(builder.graphs):
        check(GraphSnapshot(builder.state, version), past, IDS)
        check(GraphSnapshot(reopened, version), past, IDS)
    for kind in EntityKind:
        for key in IDS:
            for state in (builder.state, reopened):
                came = [_exact(e) for e in GraphSnapshot(state).history(kind, key)]
                assert came == eras_of(builder.graphs, kind, key), f"{kind} {key}"
    report = verify(builder.store)
    assert report.problems == []
    assert report.checked["commits"] == len(builder.graphs) - 1


def _exact(era: Era) -> tuple[Any, ...]:
    return era.version, era.names, exact(era.properties)


def exact(properties: dict[str, Any] | None) -> Any:
    """Comparable where NaN is itself and 1 is not 1.0."""
    if properties is None:
        return None
    return {key: encode_value(value) for key, value in properties.items()}


def eras_of(graphs: list[NaiveGraph], kind: EntityKind, key: int) -> list[tuple[Any, ...]]:
    """The history that the states of all versions tell."""
    found: list[tuple[Any, ...]] = []
    last: tuple[Any, ...] = (None, None)
    for version, graph in enumerate(graphs):
        state: tuple[Any, ...] = (None, None)
        node, one = graph.nodes.get(key), graph.relationships.get(key)
        if kind is EntityKind.NODE and node is not None:
            state = (tuple(sorted(node.labels)), exact(node.properties))
        elif kind is EntityKind.RELATIONSHIP and one is not None:
            state = ((one.type,), exact(one.properties))
        if state != last:
            found.append((version, *state))
        last = state
    return found
