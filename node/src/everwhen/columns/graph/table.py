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
from everwhen.columns.graph.properties import PATCHES, Property
from everwhen.columns.graph.recent import Recent
from everwhen.errors import CorruptData
from everwhen.model.columns import NEVER, Ids, Offsets, Rows, Versions

Array = npt.NDArray[Any]

KIND: Final = "relationships"
#: version, count
_SUMS: Final = (np.uint32, np.int64)
_FIRST: Final = 64
#: by whether it is outgoing, and for the past
_PLACES: Final = {
    (True, False): "outgoing",
    (False, False): "incoming",
    (True, True): "past_outgoing",
    (False, True): "past_incoming",
}


class Table:
    """See the module. One writer, any readers."""

    __slots__ = (
        "_arena",
        "_building",
        "_map",
        "_nodes",
        "_seen",
        "_sums",
        "alive",
        "begins",
        "count",
        "ends",
        "finish",
        "first_end",
        "ids",
        "incoming",
        "last_begin",
        "lock",
        "number",
        "older",
        "outgoing",
        "past_incoming",
        "past_outgoing",
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
        self._building = Lock()
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
        #: over all rows
        self.last_begin = 0
        self.first_end: int = NEVER
        self.properties: dict[int, Property] = {}
        self.outgoing = Side(arena, True, Sorted(arena, self, True, 0, 0))
        self.incoming = Side(arena, False, Sorted(arena, self, False, 0, 0))
        #: for readers of versions before those that the others are for
        self.past_outgoing: Side | None = None
        self.past_incoming: Side | None = None
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
        if self.last_begin <= version < self.first_end:
            return None
        key = (version, count)
        found = self._seen.get(key)
        if found is None:
            from everwhen.kernels.layout import seen

            rows = self._arena.empty(count + 1, np.int32, PATCHES)
            found = rows[: seen(self.begins[:count], self.ends[:count], version, rows)]
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

    def side(self, outgoing: bool, version: int) -> Side:
        """Where readers at a version find their adjacency. It stays right for that version when
        another one takes its place."""
        side = self.outgoing if outgoing else self.incoming
        if side.base.since <= version:
            return side
        with self._building:
            past = self.past_outgoing if outgoing else self.past_incoming
        return past or self.renew(outgoing, past=True)

    def renew(self, outgoing: bool, since: int = 0, *, past: bool = False) -> Side:
        """Make a side anew, beside readers and the writer, and put it into its place: the one for
        versions from ``since`` on, or the one for all that are older."""
        with self._building:
            base = Sorted(self._arena, self, outgoing, self.count, self._nodes.count, since)
            return self._place(outgoing, base, past=past)

    def _place(self, outgoing: bool, base: Sorted, *, past: bool = False) -> Side:
        side = Side(self._arena, outgoing, base)
        with self.lock:
            base.span(self)
            if self.count > base.rows:
                later = slice(base.rows, self.count)
                if outgoing and side.meets(self, self.start[later], self.finish[later]):
                    side.parallel = True
                side.link(self, base.rows, self.count, self._nodes.count)
            setattr(self, _PLACES[outgoing, past], side)
        return side

    @property
    def sides(self) -> list[Side]:
        """All there are."""
        every = (self.outgoing, self.incoming, self.past_outgoing, self.past_incoming)
        return [side for side in every if side is not None]

    # --- the writer ---

    def load(self, ids: Ids, starts: Rows, ends: Rows) -> None:
        """Fill an empty table with what was there at the first version."""
        count = len(ids)
        self.ids[:count], self.start[:count], self.finish[:count] = ids, starts, ends
        self.begins[:count], self.ends[:count] = 0, NEVER
        self._map.put(ids, np.arange(count, dtype=np.int32))
        self.count = self.alive = count
        for outgoing in (True, False):
            self.renew(outgoing)

    def restore(
        self,
        ids: Ids,
        starts: Rows,
        ends: Rows,
        begins: Versions,
        finished: Versions,
        *,
        older: list[int],
        alive: int,
    ) -> None:
        """Fill an empty table with what another one had; then both sides are to be put."""
        count = len(ids)
        self.ids[:count], self.start[:count], self.finish[:count] = ids, starts, ends
        self.begins[:count], self.ends[:count] = begins, finished
        self.count, self.alive, self.older = count, alive, older
        self.last_begin = int(begins.max(initial=0))
        self.first_end = int(finished.min(initial=NEVER))
        newest = np.ones(count, np.bool_)
        newest[older] = False
        rows = newest.nonzero()[0].astype(np.int32)
        self._map.put(ids[rows], rows)

    def put_side(
        self, outgoing: bool, rows: int, since: int, offsets: Offsets, edges: Rows
    ) -> None:
        """One side, with a base that was made before."""
        self._place(
            outgoing, Sorted.again(self._arena, self, outgoing, rows, since, offsets, edges)
        )

    def add(self, ids: Ids, starts: Rows, ends: Rows, begin: int, end: int = NEVER) -> Rows:
        """New rows, of distinct ids."""
        first, last = self.count, self.count + len(ids)
        with self.lock:
            self._meet(starts, ends)
            if last > len(self.ids):
                self._grow(max(last + last // 8, _FIRST))
            self.ids[first:last], self.start[first:last] = ids, starts
            self.finish[first:last] = ends
            self.begins[first:last], self.ends[first:last] = begin, end
            self.last_begin = max(self.last_begin, begin)
            self.first_end = min(self.first_end, end)
            for side in self.sides:
                # what ended before is nothing to those who see only what had not
                if end > side.base.since:
                    side.link(self, first, last, self._nodes.count)
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

    def _meet(self, starts: Rows, ends: Rows) -> None:
        """Note whether rows to be added have the nodes of others."""
        for side in (self.outgoing, self.past_outgoing):
            if side is not None and not side.parallel and side.meets(self, starts, ends):
                side.parallel = True

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
                self.first_end = min(self.first_end, version)
            else:
                self.last_begin = max(self.last_begin, version)
            (self.ends if ends else self.begins)[rows] = version
            versions = np.full(len(rows), version, np.uint32)
            for side in self.sides:
                side.stamp(self, rows, versions, ends)

    def cover(self) -> None:
        """Chains have a head for each node row there is."""
        with self.lock:
            for side in self.sides:
                side.cover(self._nodes.count)
