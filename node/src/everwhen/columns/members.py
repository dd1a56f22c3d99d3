"""One column of the image: the ids of the nodes with a label, or of all nodes, through versions.

An ascending array as of a base version, and after it what every later version added or took away.
Counting at a version is a look-up; the ids are the base with the delta laid over it. Folding moves
the older part of the delta into the base, which then begins later.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]

#: a delta is folded from this many changes on, or an eighth of the base if that is more
_FOLD_FROM: Final = 1_024
_FOLD_SHARE: Final = 8
#: Python's own bytes of one change: four entries of lists and their numbers
_CHANGE_BYTES: Final = 128


class Members:
    """See the module. One writer at a time, and no reader meanwhile."""

    __slots__ = ("_ids", "_nodes", "_present", "_sums", "_versions", "base")

    def __init__(self, ids: Iterable[int], base: int) -> None:
        self._ids: Ids = np.fromiter(ids, np.int64)
        #: the oldest version it answers for
        self.base = base
        self._versions: list[int] = []
        self._nodes: list[int] = []
        self._present: list[bool] = []
        #: how many more there are than in the base, after each change
        self._sums: list[int] = []

    @property
    def bytes(self) -> int:
        """Memory held."""
        return self._ids.nbytes + _CHANGE_BYTES * len(self._nodes)

    def note(self, version: int, node: int, present: bool) -> None:
        """A node came or went at a version, which is no older than the last one noted."""
        before = self._sums[-1] if self._sums else 0
        self._versions.append(version)
        self._nodes.append(node)
        self._present.append(present)
        self._sums.append(before + (1 if present else -1))

    def count(self, version: int) -> int:
        """How many there are at a version from the base on."""
        at = bisect_right(self._versions, version)
        return len(self._ids) + (self._sums[at - 1] if at else 0)

    def settled(self, version: int) -> bool:
        """Whether the ids at a version are there as they are, without laying changes over them."""
        return self.base <= version and (not self._versions or version < self._versions[0])

    def ids(self, version: int) -> Ids:
        """All of them, ascending, at a version from the base on; not to be written to."""
        return self._as_of(bisect_right(self._versions, version))

    def _as_of(self, changes: int) -> Ids:
        if not changes:
            return self._ids
        last = dict(zip(self._nodes[:changes], self._present[:changes], strict=True))
        touched = np.fromiter(last, np.int64, len(last))
        there = touched[np.fromiter(last.values(), np.bool_, len(last))]
        kept = np.setdiff1d(self._ids, touched, assume_unique=True)
        return np.sort(np.concatenate((kept, there)))

    def fold(self) -> None:
        """Move the older half of a long delta into the base, whole versions at a time."""
        if len(self._nodes) < max(_FOLD_FROM, len(self._ids) // _FOLD_SHARE):
            return
        base = self._versions[len(self._versions) // 2]
        cut = bisect_right(self._versions, base)
        ids, before = self._as_of(cut), self._sums[cut - 1]
        self._ids, self.base = ids, base
        del self._versions[:cut], self._nodes[:cut], self._present[:cut]
        self._sums = [total - before for total in self._sums[cut:]]
