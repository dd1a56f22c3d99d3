"""The graph as plain dictionaries, and the question whether a view shows exactly that."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from everwhen.errors import EntityNotFound
from everwhen.model.graph import Bound, Direction, GraphView

LABELS = ("A", "B", "C")
TYPES = ("R", "S")
KEYS = ("x", "y")
VALUES = (0, 1, 2, 1.0, "a", "ab", True, None, [1, 2])


@dataclass
class Graph:
    """One state; ``touched`` holds what a transaction wrote, for the conflict rules."""

    nodes: dict[int, tuple[set[str], dict[str, Any]]] = field(default_factory=dict)
    relationships: dict[int, tuple[str, int, int, dict[str, Any]]] = field(default_factory=dict)

    def copy(self) -> Graph:
        return deepcopy(self)

    def at(self, node: int) -> list[int]:
        """Relationships of a node."""
        return [i for i, (_, s, e, _) in self.relationships.items() if node in (s, e)]


def compare(view: GraphView, graph: Graph, indexes: Iterable[tuple[str, str, str]] = ()) -> None:
    """Every answer of a view; ``indexes`` are (name, label, key)."""
    assert [node.id for node in view.nodes()] == sorted(graph.nodes)
    for node, (labels, properties) in graph.nodes.items():
        assert view.has_node(node)
        assert view.node_labels(node) == tuple(sorted(labels))
        assert list(view.node_properties(node).items()) == sorted(properties.items())
        for key in KEYS:
            assert same(view.node_property(node, key), properties.get(key))
        _adjacent(view, graph, node)
    for label in LABELS:
        wanted = sorted(n for n, (labels, _) in graph.nodes.items() if label in labels)
        assert [node.id for node in view.nodes_with_label(label)] == wanted
    for types in (None, ("R",), ("R", "S")):
        wanted = sorted(
            r for r, one in graph.relationships.items() if types is None or one[0] in types
        )
        assert [one.id for one in view.relationships(types)] == wanted
    for one, (type_, start, end, properties) in graph.relationships.items():
        found = view.relationship(one)
        assert found is not None
        assert (found.type, found.start, found.end) == (type_, start, end)
        assert dict(found.properties) == properties
    for gone in range(max(graph.nodes, default=0) + 2):
        if gone not in graph.nodes:
            assert not view.has_node(gone)
            assert view.node(gone) is None
            try:
                view.node_labels(gone)
            except EntityNotFound:
                continue
            raise AssertionError(f"node {gone} is not there, but has labels")
    for name, label, key in indexes:
        _index(view, graph, name, label, key)


def same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and left == right


def _adjacent(view: GraphView, graph: Graph, node: int) -> None:
    for direction in Direction:
        for types in (None, ("S",)):
            wanted = []
            for one, (type_, start, end, _) in graph.relationships.items():
                out = start == node and direction is not Direction.IN
                into = end == node and direction is not Direction.OUT
                if (out or into) and (types is None or type_ in types):
                    wanted.append(one)
            found = [one.id for one in view.expand(node, direction, types)]
            assert sorted(found) == sorted(wanted), (node, direction, types)
            assert view.degree(node, direction, types) == len(wanted)
            for other in graph.nodes:
                into_ = sorted(
                    one.id
                    for one in view.expand(node, direction, types)
                    if one.other(node) == other
                )
                found = sorted(one.id for one in view.expand_into(node, other, direction, types))
                assert found == into_


def _index(view: GraphView, graph: Graph, name: str, label: str, key: str) -> None:
    held = {
        node: properties[key]
        for node, (labels, properties) in graph.nodes.items()
        if label in labels and key in properties
    }
    assert sorted(view.index_scan(name)) == sorted(held)
    for value in VALUES:
        if value is not None:
            wanted = sorted(n for n, v in held.items() if v == value and _kind(v) == _kind(value))
            assert sorted(view.index_seek(name, [value])) == wanted
    numbers = sorted(
        ((v, n) for n, v in held.items() if type(v) in (int, float) and v >= 1),
    )
    found = list(view.index_range(name, [], Bound(1, True), None))
    assert [held[n] for n in found] == [v for v, _ in numbers]
    assert sorted(found) == sorted(n for _, n in numbers)
    texts = sorted(n for n, v in held.items() if type(v) is str and v.startswith("a"))
    assert sorted(view.index_prefix(name, [], "a")) == texts


def _kind(value: Any) -> str:
    return {int: "number", float: "number"}.get(type(value), type(value).__name__)
