"""The queries that are measured, one text for each engine where their languages differ.

Every column has an alias, every order is total, and floats are summed by nobody whose order of
summing could show. Parameters are drawn anew for every run.

``ladybug`` lets a pattern walk a relationship twice; where that could show, its text says that it
must not.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """``kind``: ``point`` (a read of one node), ``pattern`` or ``aggregate``."""

    name: str
    kind: str
    text: str
    draw: Callable[[random.Random, int], Parameters]
    #: engine -> its own text
    texts: dict[str, str] = field(default_factory=dict)

    def of(self, engine: str) -> str:
        """The text for an engine."""
        return self.texts.get(engine, self.text)


def _person(chance: random.Random, nodes: int) -> Parameters:
    return {"id": chance.randrange(nodes)}


def _two_people(chance: random.Random, nodes: int) -> Parameters:
    first, second = chance.sample(range(nodes), 2)
    return {"a": first, "b": second}


def _age(low: int, high: int) -> Callable[[random.Random, int], Parameters]:
    return lambda chance, _: {"age": chance.randint(low, high)}


def _ages(chance: random.Random, _: int) -> Parameters:
    low = chance.randint(0, 40)
    return {"low": low, "high": low + 30}


def _city(chance: random.Random, _: int) -> Parameters:
    return {"city": f"city {chance.randrange(100)}"}


def _two_cities(chance: random.Random, _: int) -> Parameters:
    first, second = chance.sample(range(100), 2)
    return {"city": f"city {first}", "other": f"city {second}"}


def _since(chance: random.Random, _: int) -> Parameters:
    return {"since": chance.randint(2000, 2020)}


TWELVE: Final = (
    Query(
        "point_read",
        "point",
        "MATCH (p:Person {id: $id}) RETURN p.age AS age, p.city AS city",
        _person,
    ),
    Query(
        "one_hop",
        "pattern",
        "MATCH (p:Person {id: $id})-[:KNOWS]->(q:Person) RETURN q.id AS id, q.age AS age",
        _person,
    ),
    Query(
        "two_hop_distinct",
        "pattern",
        "MATCH (p:Person {id: $id})-[:KNOWS]->(:Person)-[:KNOWS]->(q:Person)"
        " RETURN count(DISTINCT q) AS n",
        _person,
    ),
    Query(
        "three_hop_distinct",
        "pattern",
        "MATCH (p:Person {id: $id})-[:KNOWS]->(:Person)-[:KNOWS]->(:Person)-[:KNOWS]->(q:Person)"
        " RETURN count(DISTINCT q) AS n",
        _person,
        {
            "ladybug": "MATCH (p:Person {id: $id})-[:KNOWS]->(a:Person)-[:KNOWS]->(b:Person)"
            "-[:KNOWS]->(q:Person) WHERE NOT (p.id = b.id AND a.id = q.id)"
            " RETURN count(DISTINCT q) AS n"
        },
    ),
    Query(
        "two_path_count",
        "pattern",
        "MATCH (a:Person)-[:KNOWS]->(b:Person)-[:KNOWS]->(c:Person) WHERE b.age >= $age"
        " RETURN count(*) AS n",
        _age(10, 30),
    ),
    Query(
        "triangle_count",
        "pattern",
        "MATCH (a:Person)-[:KNOWS]->(b:Person)-[:KNOWS]->(c:Person)-[:KNOWS]->(a)"
        " WHERE a.age < $age RETURN count(*) AS n",
        _age(5, 15),
    ),
    Query(
        "filter_aggregate",
        "aggregate",
        "MATCH (p:Person) WHERE p.age >= $low AND p.age < $high"
        " RETURN count(*) AS n, min(p.score) AS low, max(p.score) AS high, sum(p.age) AS ages",
        _ages,
    ),
    Query(
        "filter_expand_group",
        "aggregate",
        "MATCH (p:Person)-[:KNOWS]->(q:Person) WHERE p.age < $age"
        " RETURN q.city AS city, count(*) AS n ORDER BY n DESC, city",
        _age(20, 60),
    ),
    Query(
        "variable_length",
        "pattern",
        "MATCH (p:Person {id: $id})-[:KNOWS*1..3]->(q:Person) WHERE q.id <> $id"
        " RETURN count(DISTINCT q) AS n",
        _person,
    ),
    Query(
        "shortest_path",
        "pattern",
        "MATCH (a:Person {id: $a}), (b:Person {id: $b}),"
        " p = shortestPath((a)-[:KNOWS*1..8]->(b)) RETURN length(p) AS n",
        _two_people,
        {
            "ladybug": "MATCH (a:Person {id: $a})-[r:KNOWS* SHORTEST 1..8]->(b:Person {id: $b})"
            " RETURN length(r) AS n"
        },
    ),
    Query(
        "top_k",
        "aggregate",
        "MATCH (p:Person) WHERE p.age >= $low AND p.age < $high"
        " RETURN p.id AS id, p.score AS score ORDER BY score DESC, id LIMIT 10",
        _ages,
    ),
    Query(
        "pattern_predicate",
        "pattern",
        "MATCH (p:Person) WHERE p.city = $city"
        " AND NOT EXISTS { MATCH (p)-[:KNOWS]->(:Person {city: $other}) } RETURN count(*) AS n",
        _two_cities,
    ),
    Query(
        "relationship_filter",
        "aggregate",
        "MATCH (p:Person)-[k:KNOWS]->(q:Person) WHERE k.since >= $since AND q.city = $city"
        " RETURN p.age AS age, count(*) AS n, max(k.weight) AS most ORDER BY age",
        lambda chance, nodes: {**_since(chance, nodes), **_city(chance, nodes)},
    ),
)
