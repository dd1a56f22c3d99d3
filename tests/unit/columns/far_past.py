"""What tests of the image of the far past share."""

from __future__ import annotations

import random

from everwhen.columns.graph.image import GraphImage
from everwhen.runtime.embedded import Embedded
from tests.unit.columns.test_graph_image import STATEMENTS

#: rows that are worth any work
ALL = 1 << 40


def history(database: Embedded, chance: random.Random, length: int) -> None:
    """Commits at random."""
    while database.version < length:
        database.execute(chance.choice(STATEMENTS[:-1]))


def in_little_memory(database: Embedded) -> tuple[GraphImage, list[int]]:
    """An image of a MiB over 2,000 nodes that changed five times, and a list whose only number is
    what others take of that."""
    database.execute("UNWIND range(1, 2000) AS i CREATE (:A {s: 'text ' + i})")
    for i in range(5):
        database.execute("MATCH (a:A) SET a.i = $i", {"i": i})
    beside = [0]
    return GraphImage(database.service.database.state, 1 << 20, beside=lambda: beside[0]), beside


def tended(image: GraphImage) -> None:
    """All that is to be done in the background."""
    while image.tend():
        pass
