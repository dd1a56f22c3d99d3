"""Bulk loads are transactions whose elements came as columns: nothing else tells them apart."""

from __future__ import annotations

import random

import numpy as np
import pytest

from everwhen.errors import QueryTypeError
from everwhen.model.elements import Node, Relationship
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from everwhen.txn.bulk import BulkLoad
from everwhen.txn.transaction import Transaction
from tests.unit.apply.harness import Database, origin_of
from tests.unit.apply.naive import Graph, compare


def set_property(t: Transaction, entity: Node | Relationship | None, key: str, value: int) -> None:
    """On an entity that must be there."""
    assert entity is not None
    t.set_property(entity, key, value)


def load(db: Database, seed: int, graph: Graph, *, label: str, rows: int = 30) -> None:
    """Load nodes and relationships between them, in small segments, and remember them."""
    chance = random.Random(seed)
    leased = db.do(c.LeaseIds(c.FORMAT, rows, 2 * rows))
    begun = db.do(c.BeginChunks(c.FORMAT, 0, db.view().version, origin_of()))
    bulk = BulkLoad(begun.transaction)
    values = [chance.choice([0, 1, 2, "a", "ab", None]) for _ in range(rows)]
    first = leased.first_node
    for chunk in bulk.nodes([label], first, rows, {"x": values}, cut=7):
        db.do(chunk)
    starts = np.array([first + chance.randrange(rows) for _ in range(2 * rows)], np.int64)
    ends = np.array([first + chance.randrange(rows) for _ in range(2 * rows)], np.int64)
    weights = [chance.choice([1, 2.5, None]) for _ in range(2 * rows)]
    made = bulk.relationships("R", leased.first_relationship, starts, ends, {"y": weights}, cut=11)
    for chunk in made:
        db.do(chunk)
    db.do(bulk.commit(db.tick()))
    for at, value in enumerate(values):
        graph.nodes[first + at] = ({label}, {} if value is None else {"x": value})
    order = np.lexsort((ends, starts)).tolist()
    for at, row in enumerate(order):
        weight = weights[row]
        graph.relationships[leased.first_relationship + at] = (
            "R",
            int(starts[row]),
            int(ends[row]),
            {} if weight is None else {"y": weight},
        )


@pytest.mark.parametrize("seed", range(4))
def test_segments_answer_as_keys_do(seed):
    db, graph = Database(), Graph()
    db.create_index("A", "x", name="i")
    load(db, seed, graph, label="A")
    compare(db.view(), graph, [("i", "A", "x")])
    versions = {db.view().version: graph.copy()}
    chance = random.Random(seed)
    for _ in range(6):
        t = db.begin()
        for node in chance.sample(sorted(graph.nodes), 3):
            kind = chance.randrange(4)
            if kind == 0:
                set_property(t, t.node(node), "x", 5)
                graph.nodes[node][1]["x"] = 5
            elif kind == 1:
                t.add_labels(node, ["B"])
                t.remove_labels(node, ["A"])
                graph.nodes[node] = ((graph.nodes[node][0] - {"A"}) | {"B"}, graph.nodes[node][1])
            elif kind == 2:
                for one in graph.at(node):
                    t.delete_relationship(one)
                    del graph.relationships[one]
                t.delete_node(node)
                del graph.nodes[node]
            elif graph.relationships:
                one = chance.choice(sorted(graph.relationships))
                set_property(t, t.relationship(one), "x", 1)
                graph.relationships[one][3]["x"] = 1
        if t.has_writes:
            db.commit(t, chunked=chance.random() < 0.5)
            versions[db.view().version] = graph.copy()
    load(db, seed + 100, graph, label="A")
    versions[db.view().version] = graph.copy()
    db.create_index("A", "y", name="late")
    db.open()
    for version, was in versions.items():
        compare(db.view(version), was, [("i", "A", "x"), ("late", "A", "y")])
    db.fold()
    compare(db.view(), graph, [("i", "A", "x"), ("late", "A", "y")])
    assert db.view().node_count("A") == sum("A" in labels for labels, _ in graph.nodes.values())
    assert verify(db.store).problems == []


def test_an_element_of_a_segment_changed_and_deleted_in_the_same_load():
    db = Database()
    begun = db.do(c.BeginChunks(c.FORMAT, 0, 0, origin_of()))
    bulk = BulkLoad(begun.transaction)
    for chunk in bulk.nodes(["A"], 0, 4, {"x": [0, 1, 2, 3]}):
        db.do(chunk)
    ends = (np.array([0, 1], np.int64), np.array([1, 2], np.int64))
    for chunk in bulk.relationships("R", 0, *ends, {}):
        db.do(chunk)
    mutations: list[c.AnyMutation] = [
        c.ChangeNode(3, {1: b"\x09"}),
        c.ChangeLabels(3, [2], [0]),
        c.DeleteRelationship(0),
        c.DeleteNode(0),
    ]
    db.do(c.Chunk(c.FORMAT, begun.transaction, 2, ["A", "x", "B"], mutations, [], c.Checks()))
    db.do(c.CommitChunks(c.FORMAT, db.tick(), begun.transaction, 3))
    expected = Graph(
        {1: ({"A"}, {"x": 1}), 2: ({"A"}, {"x": 2}), 3: ({"B"}, {"x": 9})},
        {1: ("R", 1, 2, {})},
    )
    for _ in range(2):
        compare(db.view(), expected)
        db.fold(1)


def test_values_are_checked():
    with pytest.raises(QueryTypeError):
        list(BulkLoad(1).nodes(["A"], 0, 1, {"x": [{}]}))
    with pytest.raises(ValueError, match="rows"):
        list(BulkLoad(1).nodes(["A"], 0, 2, {"x": [1]}))
