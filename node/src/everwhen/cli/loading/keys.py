"""From the keys of a file to ids: one table for each group of keys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ids = npt.NDArray[np.int64]


class Keys:
    """Keys of one group, in the order they came, and the ids of their nodes."""

    def __init__(self) -> None:
        self._keys: list[pa.Array] = []
        self._ids: list[Ids] = []
        self._joined: tuple[pa.Array, Ids] | None = None

    def add(self, keys: pa.Array, ids: Ids) -> None:
        """More nodes; the keys are new."""
        self._keys.append(keys)
        self._ids.append(ids)
        self._joined = None

    def assign(self, keys: pa.Array, ids: Ids) -> None:
        """The ids of keys that were added before these were known."""
        table, known = self._tables()
        places = pc.index_in(keys, value_set=table).to_numpy()
        known[places] = ids

    def _tables(self) -> tuple[pa.Array, Ids]:
        if self._joined is None:
            keys = pa.concat_arrays(self._keys) if self._keys else pa.array([], pa.string())
            ids = np.concatenate(self._ids) if self._ids else np.zeros(0, np.int64)
            self._keys, self._ids = [keys], [ids]
            self._joined = keys, ids
        return self._joined

    def find(self, keys: pa.Array) -> Ids:
        """The ids of keys, -1 where there is none."""
        table, ids = self._tables()
        if not len(table):
            return np.full(len(keys), -1, np.int64)
        places = pc.fill_null(pc.index_in(keys, value_set=table), -1).to_numpy()
        found: Ids = np.where(places < 0, -1, ids[places])
        return found

    def fresh(self, keys: pa.Array) -> npt.NDArray[np.bool_]:
        """Which keys are neither here nor earlier among themselves."""
        codes = keys.dictionary_encode().indices.to_numpy(zero_copy_only=False)
        new = np.zeros(len(keys), np.bool_)
        new[np.unique(codes, return_index=True)[1]] = True
        return new & (self.find(keys) < 0)

    def __len__(self) -> int:
        return sum(map(len, self._keys))
