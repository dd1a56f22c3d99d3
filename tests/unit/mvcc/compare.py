"""Everything a snapshot can be asked, against the naive graph of the same version."""

from __future__ import annotations

from typing import Any

import pytest

from everwhen.codec import ordered
from everwhen.codec.values import encode_value
from everwhen.errors import EntityNotFound
from everwhen.model.graph import Bound, Direction
from everwhen.model.schema import IndexDefinition
from everwhen.mvcc.graph import GraphSnapshot
from tests.unit.mvcc.naive import NaiveGraph


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Equal to the bit (NaN is NaN, -0.0 is not 0.0)."""
    return list(left) == sorted(right) and all(
        encode_value(left[key]) == encode_value(right[key]) for key in left
    )


def check(view: GraphSnapshot, graph: NaiveGraph, ids: range) -> None:
    """:raises AssertionError: some answer differs."""
    check_entities(view, graph, ids)
    check_scans(view, graph)
    check_adjacency(view, graph, ids)
    for index in view.catalog.indexes.values():
        check_index(view, graph, index)


def check_entities(view: GraphSnapshot, graph: NaiveGraph, ids: range) -> None:
    for key in ids:
        node = graph.nodes.get(key)
        assert view.has_node(key) == (node is not None)
        if node is None:
            assert view.node(key) is None
            with pytest.raises(EntityNotFound):
                view.node_labels(key)
        else:
            assert view.node_labels(key) == tuple(sorted(node.labels))
            assert same(dict(view.node_properties(key)), node.properties)
            for name in ("a", "b", "c", "no such key"):
                value = view.node_property(key, name)
                assert same(
                    {"v": value} if value is not None else {},
                    {"v": node.properties[name]} if name in node.properties else {},
                )
        one = graph.relationships.get(key)
        assert view.has_relationship(key) == (one is not None)
        if one is not None:
            bound = view.relationship(key)
            assert bound is not None
            assert (bound.type, bound.start, bound.end) == (one.type, one.start, one.end)
            assert same(dict(bound.properties), one.properties)


def check_scans(view: GraphSnapshot, graph: NaiveGraph) -> None:
    assert [node.id for node in view.nodes()] == sorted(graph.nodes)
    for label in ("A", "B", "C", "no such label"):
        expected = sorted(key for key, node in graph.nodes.items() if label in node.labels)
        assert [node.id for node in view.nodes_with_label(label)] == expected
    for types in (None, ["R"], ["S", "R"], ["no such type"]):
        expected = sorted(
            key for key, one in graph.relationships.items() if types is None or one.type in types
        )
        assert [one.id for one in view.relationships(types)] == expected


def _expected(
    graph: NaiveGraph, node: int, direction: Direction, types: list[str] | None
) -> list[int]:
    found = []
    for key, one in graph.relationships.items():
        if types is not None and one.type not in types:
            continue
        leaves, arrives = one.start == node, one.end == node
        if direction is Direction.OUT:
            hit = leaves
        elif direction is Direction.IN:
            hit = arrives
        else:
            hit = leaves or arrives
        if hit:
            found.append(key)
    return sorted(found)


def check_adjacency(view: GraphSnapshot, graph: NaiveGraph, ids: range) -> None:
    for node in ids:
        for direction in Direction:
            for types in (None, ["R"], ["S", "R", "T"]):
                expected = _expected(graph, node, direction, types)
                found = list(view.expand(node, direction, types))
                assert sorted(one.id for one in found) == expected
                assert view.degree(node, direction, types) == len(expected)
                for one in found:
                    naive = graph.relationships[one.id]
                    assert (one.type, one.start, one.end) == (naive.type, naive.start, naive.end)
                for other in ids:
                    between = [
                        key
                        for key in expected
                        if other in (graph.relationships[key].start, graph.relationships[key].end)
                        and {node, other}
                        == {graph.relationships[key].start, graph.relationships[key].end}
                    ]
                    into = view.expand_into(node, other, direction, types)
                    assert sorted(one.id for one in into) == between


def check_index(view: GraphSnapshot, graph: NaiveGraph, index: IndexDefinition) -> None:
    entries = []
    if index.entity == "NODE":
        entities = [
            (key, node.properties)
            for key, node in graph.nodes.items()
            if index.label in node.labels
        ]
    else:
        entities = [
            (key, one.properties)
            for key, one in graph.relationships.items()
            if one.type == index.label
        ]
    for key, properties in entities:
        values = [properties.get(name) for name in index.properties]
        if None not in values:
            entries.append((ordered.encode_tuple(values), key, values))
    entries.sort(key=lambda entry: entry[:2])
    assert list(view.index_scan(index.name)) == [entry[1] for entry in entries]
    for _, _, values in entries:
        for width in range(1, len(values) + 1):
            wanted = ordered.encode_tuple(values[:width])
            expected = [key for entry, key, _ in entries if entry.startswith(wanted)]
            if values[0] == values[0]:  # NaN equals nothing
                assert list(view.index_seek(index.name, values[:width])) == expected
        first = values[0]
        if isinstance(first, int) and not isinstance(first, bool):
            expected = [
                key
                for _, key, other in entries
                if isinstance(other[0], (int, float))
                and not isinstance(other[0], bool)
                and other[0] >= first
            ]
            found = view.index_range(index.name, [], Bound(first, inclusive=True), None)
            assert list(found) == expected
        if isinstance(first, str):
            expected = [
                key
                for _, key, other in entries
                if isinstance(other[0], str) and other[0].startswith(first[:1])
            ]
            assert list(view.index_prefix(index.name, [], first[:1])) == expected
