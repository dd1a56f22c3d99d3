"""A pair of nodes that one client has for itself: made, spoiled, flashed back, and as it was again.

The statements, in that order; all but the flashback itself take the parameter ``k`` alone, which
nobody used before.
"""

from __future__ import annotations

from typing import Any, Final

MAKE: Final = "CREATE (:Und {k: $k, v: 0})-[:OF {v: 0}]->(:Und {k: $k, v: 0})"
VERSION: Final = "MATCH (u:Und {k: $k}) RETURN max(version(u))"
#: one of them
SPOIL: Final = (
    "MATCH (u:Und {k: $k}) DETACH DELETE u",
    "MATCH (u:Und {k: $k})-[r:OF]->() SET u.v = 1, r.v = 2",
    "MATCH (u:Und {k: $k}) SET u:Spoiled CREATE (u)-[:OF {v: 3}]->(:Und {k: $k, v: 4})",
)
#: followed by the version
UNDO: Final = "FLASHBACK (u:Und {k: $k})-[r:OF]->(w:Und) TO VERSION"
LOOK: Final = (
    "MATCH (u:Und {k: $k}) OPTIONAL MATCH (u)-[r:OF]->(w) RETURN labels(u), u.v, r.v, w.k "
    "ORDER BY r.v"
)


def problem(k: int, found: list[list[Any]]) -> str | None:
    """What is wrong with the answer to ``LOOK`` after the flashback."""
    if found == [[["Und"], 0, 0, k], [["Und"], 0, None, None]]:
        return None
    return f"what flashback made of {k} is not what was: {found}"
