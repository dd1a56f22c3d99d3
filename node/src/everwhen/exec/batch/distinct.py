"""Equal rows dropped early, where nobody counts them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import Batch
from everwhen.exec.batch.needs import Need
from everwhen.model.columns import INT, NODE, RELATIONSHIP, Vector

Key = npt.NDArray[np.int64]

#: fewer rows than this are not worth the look
_FEW = 16


def once(batch: Batch, need: Need | None) -> Batch:
    """The batch with each combination of its columns once, if their number does not count and
    telling them apart is cheap."""
    if need is None or need.bag or batch.length < _FEW:
        return batch
    batch = Batch(batch.length, batch.columns)
    if not batch.columns:
        return batch.take(np.zeros(1, np.intp))
    keys: list[Key] = []
    for vector in batch.columns.values():
        if vector.kind not in (NODE, RELATIONSHIP, INT):
            return batch
        keys += _keys(vector)
    if len(keys) == 1:
        first = np.unique(keys[0], return_index=True)[1]
    else:
        order = np.lexsort(keys)
        differs = np.zeros(batch.length, np.bool_)
        differs[0] = True
        for key in keys:
            sorted_key = key[order]
            differs[1:] |= sorted_key[1:] != sorted_key[:-1]
        first = order[differs]
    return batch if len(first) == batch.length else batch.take(np.sort(first))


def _keys(vector: Vector) -> list[Key]:
    data = vector.data.astype(np.int64)
    if vector.valid is None:
        return [data]
    return [np.where(vector.valid, data, np.int64(0)), vector.valid.astype(np.int64)]
