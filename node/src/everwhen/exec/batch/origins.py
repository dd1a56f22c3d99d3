"""Which argument row a row of an inner plan belongs to (see ``core``)."""

from __future__ import annotations

import numpy as np

from everwhen.exec.batch.core import Batch
from everwhen.exec.batch.elements import Positions
from everwhen.model.columns import INT, Vector


def numbered(batch: Batch, slot: int) -> Batch:
    """The argument of an inner plan."""
    origins = Vector(INT, np.arange(batch.length, dtype=np.int64))
    return Batch(batch.length, {**batch.columns, slot: origins})


def origins_of(batch: Batch, slot: int) -> Positions:
    """The argument row of each row of an inner plan."""
    return batch.columns[slot].data
