"""Operators that read the graph give over batches what they give over rows."""

from __future__ import annotations

import random

import pytest

import everwhen.exec.batch.operators  # noqa: F401 - registers them
import everwhen.exec.batch.operators.gather as gather_module
from everwhen.query import physical as p
from tests.model.query_generator import INDEXES, random_graph
from tests.unit.exec.batch.harness import Both


@pytest.fixture(scope="module")
def graph():
    both = Both([*random_graph(random.Random(7), 14, 45), "MATCH (a:A) CREATE (a)-[:T]->(a)"])
    yield both
    both.close()


@pytest.fixture(scope="module")
def indexed():
    both = Both([*random_graph(random.Random(8), 14, 45), *INDEXES])
    yield both
    both.close()


SCANS = (
    "MATCH (n) RETURN n",
    "MATCH (n:A) RETURN n",
    "MATCH (n:Nobody) RETURN n",
    "MATCH (n:A), (m:B) RETURN n, m",
    "MATCH (n), (m:B) RETURN n",
    "MATCH (n:A) RETURN count(*)",
    "MATCH (n) WHERE id(n) IN [0, 3, 3, 77, null, 'x'] RETURN n",
    "MATCH ()-[r]->() WHERE id(r) IN [0, 3, 3, 77, null] RETURN r",
    "MATCH (a)-[r]-(b) WHERE id(r) IN [0, 3, 3, 77, 45, 46] RETURN a, r, b",
    "MATCH ()-[r]->() RETURN r",
    "MATCH ()-[r:T]-() RETURN r",
    "MATCH ()-[r:T|Nothing]-() RETURN count(*)",
    "MATCH ()-[r:S]->(), ()-[q:S]->() RETURN r, q",
)
EXPANDS = (
    "MATCH (a:A)-[r:T]->(b) RETURN a, r, b",
    "MATCH (a:A)<-[r:T]-(b) RETURN a, r, b",
    "MATCH (a:A)-[r]-(b) RETURN a, r, b",
    "MATCH (a:A)-[r]-(b) RETURN a, b",
    "MATCH (a:A)-[r:T|S]->(b) RETURN b",
    "MATCH (a:A)-[r:Nothing]->(b) RETURN b",
    "MATCH (a:A)-[]-()-[]-(c) RETURN a, c",
    "MATCH (a:A)-[]-()-[]-() RETURN a",
    "MATCH (a:A)-[]-()-[]-()-[]-() RETURN a",
    "MATCH (a:A)-[:T]->()-[:S]->()-[:T]->() RETURN a",
    "MATCH (a:A)-[:T]-(b)-[:T]-(a) RETURN a, b",
    "MATCH (a:A)-[:T]-(b)-[r:T]-(a) RETURN a, b, r",
    "MATCH (a:A)-[]->(b)-[]->(c), (c)-[]->(a) RETURN a",
    "MATCH (a:A)-[]->(b)-[]->(c)-[]->(a) RETURN a, c",
    "MATCH (a:A)-[]-(b)-[]-(c)-[]-(a) RETURN a, c",
    "MATCH (a:A)-[]-(b)-[]-(c)-[]-(a) RETURN b",
    "MATCH (a:A)-[:T]-(b)-[:T]-(c)-[:T]-(a) RETURN count(*)",
    "MATCH (a:A)-[:T]-(b)-[:T]-(c)-[:T]-(a) RETURN DISTINCT c",
    "MATCH (a:A)-[]->()-[]->(c) RETURN DISTINCT c",
    "MATCH (a)-[]-()-[]-()-[]-(c) RETURN DISTINCT c",
    "MATCH (a:A)-[r]->(b) MATCH (b)<-[r]-(a) RETURN a, r, b",
    "MATCH ()-[r:T]-() MATCH (x)-[r]->(y) RETURN x, y",
    "MATCH (a)-[r]->(b) MATCH (a)-[r:T]-(c)-[q]->() RETURN a, c, q",
)
OPTIONALS = (
    "MATCH (a:A) OPTIONAL MATCH (a)-[r:T]->(b) RETURN a, r, b",
    "MATCH (a:A) OPTIONAL MATCH (a)-[r:T]->(b)-[q:S]-(c) RETURN a, c",
    "MATCH (a:A) OPTIONAL MATCH (a)-[r:T]->(b) OPTIONAL MATCH (b)-[q:S]->(c) RETURN a, b, c",
    "OPTIONAL MATCH (a:Nobody) OPTIONAL MATCH (a)-[r]->(b) RETURN a, b",
    "OPTIONAL MATCH (a:Nobody) MATCH (a)-[r]->(b) RETURN a, b",
    "MATCH (a:A) OPTIONAL MATCH (a)-[r:T]->(b) RETURN count(*)",
    "MATCH (a:A) OPTIONAL MATCH (a)-[r:T]->(b) RETURN DISTINCT a",
)
SHORTEST = (
    "MATCH (a:A), (b:B), p = shortestPath((a)-[:T|S*1..8]->(b)) RETURN a, b, length(p)",
    "MATCH (a:A), (b:B), p = shortestPath((a)-[*..3]-(b)) RETURN a, b, length(p)",
    "MATCH (a:A), (b:B), p = shortestPath((a)-[*0..3]-(b)) RETURN a, b, length(p)",
    "MATCH (a:A), (b:B), p = allShortestPaths((a)-[*..4]->(b)) RETURN a, b, relationships(p)",
    "MATCH (a:A), (b:B), p = allShortestPaths((a)<-[:T|S*..6]-(b)) RETURN nodes(p)",
    "MATCH (a:A), (b:B), p = shortestPath((a)-[*]-(b)) RETURN a, b, length(p)",
    "MATCH (a:A), (b:C), p = ALL SHORTEST (a)-[:T]->{1,4}(b) RETURN a, length(p)",
    "MATCH (a:A), (b:C), p = SHORTEST 2 (a)-[:T]->{1,3}(b) RETURN count(*)",
)
FILTERED = (
    "MATCH (a)-[:T]->(b:A)-[:S]->(c:B) RETURN count(*)",
    "MATCH (a)-[]-(b)-[]-(c:B) WHERE b.k > 0 RETURN a, b",
    "MATCH (a)-[]-(b)-[r]-(c:A&!B) RETURN r",
    "MATCH (a)-[]-(b) WHERE b.uid > a.uid AND b.k = 1 RETURN a, b",
    "MATCH (a)-[]-(b) WHERE b.k = 1 AND b.uid > a.uid RETURN count(*)",
    "MATCH (a)-[]-(b) WHERE EXISTS { (b)-[:T]->(:A) } RETURN a, b",
    "MATCH (a)-[]-(b) WHERE rand() >= 0 RETURN a, b",
    "MATCH (a)-[]-(b) WHERE b.uid < 10 AND size(labels(b)) = 1 RETURN DISTINCT a",
    "MATCH (a:A)-[:T]-(b:B)-[:T]-(c:B)-[:T]-(a) RETURN count(*)",
    "MATCH (a)-[]->(b) OPTIONAL MATCH (b)-[]->(c:A) WHERE c.k > 0 RETURN a, c",
)
CYCLES = (
    "MATCH (a:A)-[:T]->(b)-[:T]->(c)-[:T]->(a) RETURN count(*)",
    "MATCH (a:A)-[:T]->(b)-[:T]->(c)<-[:T]-(a) RETURN a, c",
    "MATCH (a:A)-[:T]-(b)-[:S]-(c)-[:T]-(a) RETURN b, c",
    "MATCH (a:A)-[:T]-(b)-[:T]-(c:B)-[:T]-(a) RETURN count(*)",
    "MATCH (a:A)-[:T]-(b)-[:T]-(c) WHERE c.k > 0 MATCH (c)-[:T]-(a) RETURN count(*)",
    "MATCH (a:A)-[:T]-(b) MATCH (b)-[:T]-(c)-[:T|S]->(a) RETURN a, b",
    "MATCH (a:A)-[r:T]-(b), (b)-[:T]-(c), (c)-[:T]-(a) RETURN r",
    "MATCH (a)-[r:T]-(b), (b)-[:S|U]->(c), (c)<-[:T|S]-(a) RETURN a, b, c",
    "MATCH (a:A)-[:T]-(b)-[:T]-(c)-[:T]-(a) RETURN DISTINCT b",
    "MATCH (a:A)-[:T]-(b)-[:T]-(c)-[:T]-(d)-[:T]-(a) RETURN count(*)",
    "MATCH (a:A), (b:B) MATCH (a)-[:T]-(c)-[:T]-(b) RETURN a, b",
    "MATCH (a:A), (b:B) MATCH (a)-[:T]-(c) MATCH (c)-[:T]-(b) RETURN a, b, c",
    "MATCH (a:A)-[:T]-(a) RETURN a",
    "MATCH (a:A) OPTIONAL MATCH (a)-[:T]-(b:B)-[:T]-(c)-[:T]-(a) RETURN a, c",
    "MATCH (a)-[q:T]-(b) MATCH (a)-[:T]-(c)-[:T]-(b) RETURN a, q, c",
)
WALKS = (
    "MATCH (a:A)-[r:T*1..3]->(b) RETURN a, r, b",
    "MATCH (a:A)-[r*0..2]-(b) RETURN a, r, b",
    "MATCH (a:A)-[r:T*0..0]->(b) RETURN r, b",
    "MATCH (a:A)-[r:T*2]->(b) RETURN b",
    "MATCH (a:A)-[*2..3]-(b) RETURN a",
    "MATCH (a:A)-[*1..3]-() RETURN count(*)",
    "MATCH (a:A)-[:U*]->() RETURN count(*)",
    "MATCH (a:A)-[:T*..4]->(b) RETURN DISTINCT b",
    "MATCH (a:A)-[:T*0..2]-(b) RETURN DISTINCT a, b",
    "MATCH (a:A)-[:T*1..2]-(b) RETURN DISTINCT a, b",
    "MATCH (a:A)-[:S*2..3]->(b) RETURN DISTINCT b",
    "MATCH (a:A)-[q:T]->()-[r*1..2]-(b) RETURN a, b",
    "MATCH (a:A)-[r*1..2]-()-[q:T]->(b) RETURN a, b",
    "MATCH (a:A)-[r*1..2]-()-[q*1..2]->(b) RETURN a, b",
    "MATCH (a:A)-[:T]-(b), (a)-[r*1..3]->(b) RETURN a, r",
    "MATCH (a:A)-[:T]-(b), (a)-[*1..3]->(b) RETURN a",
    "MATCH (a:A)-[r*1..3 {k: 1}]->(b) RETURN a, b",
    "MATCH p = (a:A)<-[*1..3]-(b) WHERE all(x IN nodes(p) WHERE x.k IS NOT NULL) RETURN a, b",
    "MATCH (a:A)-[r:T*1..2]->() MATCH (x)-[r*..3]->(y) RETURN x, y",
    "MATCH (x:A) OPTIONAL MATCH (x)-[r*2..2]->(y:B) RETURN x, y",
    "MATCH (a:A)((x)-[r:T]->(y) WHERE x.k > 0){1,2}(b) RETURN a, x, r, b",
    "MATCH (a:A)-[:S]-{1,3}(b:B) RETURN count(*)",
)


@pytest.mark.parametrize("size", [1, 3, 1024])
@pytest.mark.parametrize(
    "text", [*SCANS, *EXPANDS, *OPTIONALS, *SHORTEST, *FILTERED, *CYCLES, *WALKS]
)
def test_rows_are_the_same(graph, text, size):
    for seed in range(3):
        assert graph.compare(text, size, seed) is not None


GATHERED = (
    "MATCH ()-[:T]->(b) RETURN b.k AS k, count(*) AS n",
    "MATCH ()-[:T]-(b) RETURN b, count(*) AS n",
    "MATCH (a:A)-->(b:B) RETURN b, count(*) AS n",
    "MATCH ()-[:T]->()-[:T]->() RETURN count(*) AS n",
    "MATCH ()<-[:T]-()<-[:T]-(c) RETURN c, count(*) AS n",
    "MATCH ()-[:T]->()<-[:T]-(c) RETURN c, count(*) AS n",
    "MATCH ()-[:T]->()-[:S|T]->(c)-[:T]->() RETURN count(*) AS n",
    "MATCH ()-->()-->(c)-->(d) WHERE c.k >= 0 RETURN d, count(*) AS n",
    "MATCH ()-[:T]-()-[:T]-(c) RETURN c, count(*) AS n",
    "MATCH ()-->(b)-->(c) WHERE b:A RETURN count(DISTINCT c) AS n",
    "MATCH ()-->(b)-->(b) RETURN count(*) AS n",
    "MATCH (a)-->(a)-->(b) RETURN b, count(*) AS n",
    "MATCH ()-[r:T]->(b) WITH b, count(r) AS n MATCH (b)-->(c) RETURN sum(n) AS n, c",
)


@pytest.mark.parametrize("size", [1, 3, 1024])
@pytest.mark.parametrize("text", [*GATHERED, *EXPANDS, *FILTERED, *CYCLES])
def test_rows_of_equal_nodes_become_one(graph, text, size, monkeypatch):
    monkeypatch.setattr(gather_module, "_WORTH", 0.0)
    assert graph.compare(text, size) is not None


@pytest.mark.parametrize("size", [1, 3, 1024])
@pytest.mark.parametrize(
    "text",
    [
        "MATCH (n:A {k: 1}) RETURN n",
        "MATCH (n:A) WHERE n.uid IN [1, 2, 3, 3] RETURN n",
        "MATCH (n:A) WHERE n.uid > 3 RETURN n",
        "MATCH (n:A {uid: 3})-[r]->(m) RETURN n, m",
        "MATCH (n:A), (m:A {k: n.k}) RETURN n, m",
        "MATCH ()-[r:T {k: 1}]-() RETURN r",
        "MATCH (x)-[r:T {k: 1}]->(y) RETURN x, r, y",
    ],
)
def test_rows_are_the_same_from_indexes(indexed, text, size):
    for seed in range(2):
        assert indexed.compare(text, size, seed) is not p.Argument


def test_a_condition_that_fails_for_a_node_nobody_reaches_does_not_fail():
    both = Both(
        ["CREATE (:A)-[:T]->(:B {k: 1}), (:A)-[:T]->(:B {k: 1}), (:C {k: 0}), (:C {k: 'x'})"]
    )
    try:
        text = "MATCH (a:A)-[:T]->(b) WHERE 1 / b.k = 1 RETURN a, b"
        assert both.compare(text) is not None
    finally:
        both.close()
