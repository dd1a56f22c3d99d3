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


def tended(image: GraphImage) -> None:
    """All that is to be done in the background."""
    while image.tend():
        pass
