"""Nodes that all clients grow and fell by large transactions: what one of those wrote is there whole
or not at all.

The statements take the parameter ``k``, the hub.
"""

from __future__ import annotations

from typing import Any, Final

HUBS: Final = 2
#: relationships that a hub gets at once
BUNDLE: Final = 30

SETUP: Final = ("CREATE CONSTRAINT hub IF NOT EXISTS FOR (n:Hub) REQUIRE n.k IS UNIQUE",)
#: one of them; the smaller ones meet the large ones under way
CHANGES: Final = (
    (
        f"MERGE (h:Hub {{k: $k}}) WITH h UNWIND range(1, {BUNDLE}) AS i "
        "CREATE (h)-[:HAS {i: i}]->(:Spoke {of: $k})"
    ),
    "MATCH (h:Hub {k: $k}) OPTIONAL MATCH (h)-[:HAS]->(s) DETACH DELETE s, h",
    (
        "MATCH (h:Hub {k: $k})-[r:HAS]->(s) WITH r, s ORDER BY id(s) DESC "
        f"WITH collect([r, s])[0..{BUNDLE}] AS some UNWIND some AS one "
        "WITH one[0] AS r, one[1] AS s DELETE r, s"
    ),
    "MERGE (h:Hub {k: $k}) SET h.touched = coalesce(h.touched, 0) + 1",
)
LOOK: Final = (
    "OPTIONAL MATCH (h:Hub {k: $k}) OPTIONAL MATCH (h)-[r:HAS]->() WITH count(r) AS held "
    "OPTIONAL MATCH (s:Spoke {of: $k}) RETURN held, count(s)"
)


def problem(k: int, found: list[list[Any]]) -> str | None:
    """What is wrong with the answer to ``LOOK``."""
    [[held, spokes]] = found
    if held == spokes and held % BUNDLE == 0:
        return None
    return f"hub {k} has {held} relationships and {spokes} spokes: a part of a transaction"
