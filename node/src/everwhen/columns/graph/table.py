"""The relationships of one type, by row, with the versions they begin and end at.

Rows are given once. A lifetime of a relationship is a row: one that is brought back to life gets
another. Versions are counted from the epoch; a begin of 0 means "not after the oldest version
held". What is written in place is never visible to readers of versions held before: an end comes
with a newer version, and a begin is filled in only when older versions are added.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.columns.arena import Arena
from everwhen.columns.graph.adjacency import Side, Sorted
from everwhen.columns.graph.ids import IdMap, NodeRows
from everwhen.columns.graph.log import Log
from everwhen.columns.graph.properties import Property
from everwhen.columns.graph.recent import Recent
from everwhen.errors import CorruptData
from everwhen.model.columns import NEVER, Adjacency, Ids, Rows, Versions

Array = npt.NDArray[Any]

KIND: Final = "relationships"
#: version, count
_SUMS: Final = (np.uint32, np.int64)
_FIRST: Final = 64


class Table:
    """See the module. One writer, any readers."""

    __slots__ = (
        "_arena",
        "_map",
        "_nodes",
        "_seen",
        "_sums",
        "alive",
        "begins",
        "count",
        "ends",
        "finish",
        "ids",
        "incoming",
        "lock",
        "number",
        "older",
        "outgoing",
        "parallel",
        "properties",
        "start",
    )

    def __init__(
        self, arena: Arena, number: int, nodes: NodeRows, ids_map: IdMap, size: int = 0
    ) -> None:
        self._arena = arena
        self._nodes = nodes
        #: relationship id -> its newest row, in whatever table it is
        self._map = ids_map
        self.number = number
        self.lock = Lock()
        self.count = 0
        size += size // 8
        self.ids: Ids = arena.empty(size, np.int64, KIND)
        #: rows of the nodes they start and end at
        self.start: Rows = arena.empty(size, np.int32, KIND)
        self.finish: Rows = arena.empty(size, np.int32, KIND)
        self.begins: Versions = arena.empty(size, np.uint32, KIND)
        self.ends: Versions = arena.empty(size, np.uint32, KIND)
        #: rows of earlier lifetimes, of ids that have a later one
        self.older: list[int] = []
        self.parallel = False
        self.properties: dict[int, Property] = {}
        self.outgoing = Side(arena, self, True, Sorted(arena, self, True, 0, 0))
        self.incoming = Side(arena, self, False, Sorted(arena, self, False, 0, 0))
        self._seen: Recent[Rows] = Recent()
        #: how many have no end, and how many had none from each version on
        self.alive = 0
        self._sums = Log(arena, _SUMS)

    def nodes(self, outgoing: bool) -> tuple[Rows, Rows]:
        """Near and far ends, by row."""
        return (self.start, self.finish) if outgoing else (self.finish, self.start)

    # --- readers ---

    def visible(self, version: int, count: int) -> Rows | None:
        """Rows at a version among the first ``count``, ascending; None: all of them."""
        sides = self.outgoing.base
        if sides.rows >= count and sides.last_begin <= version < sides.first_end:
            return None
        key = (version, count)
        found = self._seen.get(key)
        if found is None:
            begins, ends = self.begins[:count], self.ends[:count]
            found = ((begins <= version) & (version < ends)).nonzero()[0].astype(np.int32)
            self._seen.put(key, found)
        return found

    def number_at(self, version: int, count: int) -> int:
        """How many there are at a version, none after the first ``count`` rows."""
        sums = self._sums
        _, at = sums.between(0, version)
        if at:
            return int(sums.arrays[1][at - 1])
        rows = self.visible(version, count)
        return count if rows is None else len(rows)

    def rows_of(self, ids: Ids, version: int, count: int) -> Rows:
        """The row of each id at a version, -1 where it is not here then."""
        found = self._map.some(ids)
        here = (found >= 0) & (found < count)
        rows = np.where(here, found, 0)
        if not count:
            return np.full(len(ids), -1, np.int32)
        here &= self.ids[rows] == ids
        here &= (self.begins[rows] <= version) & (version < self.ends[rows])
        found[~here] = -1
        if self.older:
            for row in list(self.older):
                if row < count and self.begins[row] <= version < self.ends[row]:
                    found[ids == self.ids[row]] = row
        return found

    def adjacency(self, outgoing: bool, version: int) -> Adjacency:
        """See ``model.columns.TypeColumns.adjacency``."""
        return (self.outgoing if outgoing else self.incoming).adjacency(version)

    # --- the writer ---

    def load(self, ids: Ids, starts: Rows, ends: Rows) -> None:
        """Fill an empty table with what was there at the first version."""
        count = len(ids)
        self.ids[:count], self.start[:count], self.finish[:count] = ids, starts, ends
        self.begins[:count], self.ends[:count] = 0, NEVER
        self._map.put(ids, np.arange(count, dtype=np.int32))
        self.count = self.alive = count
        nodes = self._nodes.count
        for side in (self.outgoing, self.incoming):
            side.base = Sorted(self._arena, self, side.outgoing, count, nodes)
        self.parallel = self.outgoing.base.parallel()

    def add(self, ids: Ids, starts: Rows, ends: Rows, begin: int, end: int = NEVER) -> Rows:
        """New rows, of distinct ids."""
        first, last = self.count, self.count + len(ids)
        if not self.parallel:
            self.parallel = self._any_parallel(starts, ends)
        with self.lock:
            if last > len(self.ids):
                self._grow(max(last + last // 8, _FIRST))
            self.ids[first:last], self.start[first:last] = ids, starts
            self.finish[first:last] = ends
            self.begins[first:last], self.ends[first:last] = begin, end
            for side in (self.outgoing, self.incoming):
                side.link(first, last, self._nodes.count)
            rows = np.arange(first, last, dtype=np.int32)
            self._register(ids, rows, end)
            self.count = last
            if end == NEVER:
                self.alive += len(ids)
        return rows

    def _register(self, ids: Ids, rows: Rows, end: int) -> None:
        """Newest lifetimes into the map; the others are few."""
        known = self._map.some(ids)
        clash = (known >= 0) & (known < self.count)
        clash &= self.ids[np.where(clash, known, 0)] == ids
        if end == NEVER:
            self.older += known[clash].tolist()
            self._map.put(ids, rows)
        else:
            # added for the sake of older versions: what is there already is later
            self.older += rows[clash].tolist()
            self._map.put(ids[~clash], rows[~clash])

    def _any_parallel(self, starts: Rows, ends: Rows) -> bool:
        """Whether one of some new rows has the nodes of another; True if that is hard to tell."""
        if len(starts) > _FIRST:
            return True
        side = self.outgoing
        pairs = set(zip(starts.tolist(), ends.tolist(), strict=True))
        if len(pairs) < len(starts):
            return True
        return any(side.base.has(*pair) or side.chained(*pair, _FIRST) for pair in sorted(pairs))

    def _grow(self, size: int) -> None:
        count, grown = self.count, self._arena.grown
        self.ids = grown(self.ids, count, size, KIND)
        self.start = grown(self.start, count, size, KIND)
        self.finish = grown(self.finish, count, size, KIND)
        self.begins = grown(self.begins, count, size, KIND)
        self.ends = grown(self.ends, count, size, KIND)

    def row_of(self, identity: int, *, ended: bool) -> int:
        """The row of a lifetime that has no end yet, or (of older versions) no begin yet."""
        wanted, stamps = (0, self.begins) if ended else (NEVER, self.ends)
        row = self._map.one(identity)
        if 0 <= row < self.count and self.ids[row] == identity and stamps[row] == wanted:
            return row
        for other in self.older:
            if self.ids[other] == identity and stamps[other] == wanted:
                return other
        return -1

    def unbegun(self, ids: Ids) -> Rows:
        """Of relationships the lifetime without a begin.

        :raises CorruptData: one of them has none.
        """
        rows = self._map.some(ids)
        at = np.where((rows >= 0) & (rows < self.count), rows, 0)
        good = (rows >= 0) & (rows < self.count)
        if self.count:
            good &= (self.ids[at] == ids) & (self.begins[at] == 0)
        for place in (~good).nonzero()[0].tolist():
            rows[place] = self.row_of(int(ids[place]), ended=True)
            if rows[place] < 0:
                raise CorruptData(f"a commit creates relationship {ids[place]}, which never was")
        return rows

    def tally(self, version: int) -> None:
        """Note how many there are from a version on."""
        count, arrays = self._sums.count, self._sums.arrays
        if not count or arrays[1][count - 1] != self.alive:
            self._sums.append(version, self.alive)

    def stamp(self, rows: Rows, version: int, *, ends: bool) -> None:
        """Distinct rows end (or, of older versions, turn out to begin) at a version."""
        with self.lock:
            if ends:
                self.alive -= len(rows)
            (self.ends if ends else self.begins)[rows] = version
            versions = np.full(len(rows), version, np.uint32)
            for side in (self.outgoing, self.incoming):
                side.stamp(rows, versions, ends)

    def cover(self) -> None:
        """Chains have a head for each node row there is."""
        with self.lock:
            for side in (self.outgoing, self.incoming):
                side.cover(self._nodes.count)
