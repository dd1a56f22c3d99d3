"""Walks as lists of relationships, the values of the language."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import BatchContext
from everwhen.exec.batch.elements import relationship_vector
from everwhen.exec.batch.values import values_of
from everwhen.model.columns import ANY, GraphColumns, Vector

#: references of walks of one length, one row each
Walks = npt.NDArray[np.int64]


def lists_of(walks: Walks, graph: GraphColumns, ctx: BatchContext) -> Vector:
    """One list of relationships a walk; the caller sees to how many they are together."""
    flat = values_of(relationship_vector(np.ascontiguousarray(walks).ravel(), graph), ctx)
    count, length = walks.shape
    lists = np.empty(count, np.object_)
    for row in range(count):
        lists[row] = flat[row * length : (row + 1) * length]
    return Vector(ANY, lists)
