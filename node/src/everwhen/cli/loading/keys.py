"""From the keys of a file to ids: one table for each group of keys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ids = npt.NDArray[np.int64]


class Keys:
    """Keys of one group, in the order they came, and the ids of their nodes.

    Whoever adds keys may fill in their ids later, up to the first look for one: only keys are
    joined before.
    """

    def __init__(self) -> None:
        self._keys: list[pa.Array] = []
        self._ids: list[Ids] = []

    def add(self, keys: pa.Array, ids: Ids) -> None:
        """More nodes; the keys are new."""
        self._keys.append(keys)
        self._ids.append(ids)

    def find(self, keys: pa.Array) -> Ids:
        """The ids of keys, -1 where there is none."""
        places = self._places(keys)
        if not len(self):
            return places
        found: Ids = np.where(places < 0, -1, self._joined_ids()[places])
        return found

    def fresh(self, keys: pa.Array) -> npt.NDArray[np.bool_]:
        """Which keys are neither here nor earlier among themselves."""
        codes = pc.fill_null(keys.dictionary_encode().indices, -1).to_numpy()
        new = np.zeros(len(keys), np.bool_)
        new[np.unique(codes, return_index=True)[1]] = True
        return new & (self._places(keys) < 0)

    def assign(self, keys: pa.Array, ids: Ids) -> None:
        """The ids of keys that were added before these were known."""
        self._joined_ids()[self._places(keys)] = ids

    def _places(self, keys: pa.Array) -> Ids:
        """Where keys stand, -1 for nowhere."""
        if len(self._keys) > 1:
            self._keys = [pa.concat_arrays(self._keys)]
        if not self._keys:
            return np.full(len(keys), -1, np.int64)
        found = pc.fill_null(pc.index_in(keys, value_set=self._keys[0]), -1)
        places: Ids = found.to_numpy().astype(np.int64)
        return places

    def _joined_ids(self) -> Ids:
        if len(self._ids) > 1:
            self._ids = [np.concatenate(self._ids)]
        return self._ids[0]

    def __len__(self) -> int:
        return sum(map(len, self._keys))
