"""Relationships of one type by the node they start (or end) at: see ``model.columns.Adjacency``.

The base holds rows of its table up to a number, sorted by node, other node and row; chains hold the
rows that came after. Where many rows have ended, a base for the present leaves them out, and one
for the past is made when a reader needs it. Begins and ends stand in the table; copies in the order of the base
are made when a reader first needs them, which is as soon as some row of the base is not visible
for it, and are kept up to date from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.columns.arena import Arena
from everwhen.model.columns import NEVER, Adjacency, Offsets, Rows, Versions

if TYPE_CHECKING:
    from everwhen.columns.graph.table import Table

Array = npt.NDArray[Any]

KIND: Final = "adjacency"
#: entries of a chain, or new rows, that are compared one by one
_LOOKED_AT: Final = 64
_NO_ROWS: Final[Rows] = np.zeros(0, np.int32)
_NO_VERSIONS: Final[Versions] = np.zeros(0, np.uint32)


class Sorted:
    """Rows of a table up to a number, sorted by (node, other node, row): all of them, or those
    that have not ended at a version."""

    __slots__ = (
        "begins",
        "edges",
        "ended",
        "ends",
        "first_end",
        "last_begin",
        "offsets",
        "others",
        "rows",
        "since",
    )

    def __init__(
        self, arena: Arena, table: Table, outgoing: bool, rows: int, nodes: int, since: int = 0
    ) -> None:
        """``since``: the version at which rows must not have ended; 0: all rows."""
        from everwhen.kernels.layout import grouped

        near, far = table.nodes(outgoing)
        near, far = near[:rows], far[:rows]
        self.rows = rows
        #: versions from there on find everything here and in the chains
        self.since = since
        chosen = np.arange(rows, dtype=np.int32)
        if since:
            # what ends meanwhile ends later
            chosen = chosen[table.ends[:rows] > since]
        size = len(chosen)
        self.offsets: Offsets = arena.empty(nodes + 1, np.int64, KIND)
        self.edges: Rows = arena.empty(size, np.int32, KIND)
        by_other, scratch = np.empty(size, np.int32), np.empty(nodes + 1, np.int64)
        grouped(far, chosen, scratch, by_other)
        grouped(near, by_other, self.offsets, self.edges)
        self.others: Rows = arena.empty(size, np.int32, KIND)
        np.take(far, self.edges, out=self.others, mode="clip")
        self._finish(table)

    @classmethod
    def again(
        cls,
        arena: Arena,
        table: Table,
        outgoing: bool,
        rows: int,
        since: int,
        offsets: Offsets,
        edges: Rows,
    ) -> Sorted:
        """One that was made before, from what cannot be told from the table."""
        base = cls.__new__(cls)
        base.rows, base.since = rows, since
        base.offsets, base.edges = arena.copied(offsets, KIND), arena.copied(edges, KIND)
        base.others = arena.empty(len(edges), np.int32, KIND)
        np.take(table.nodes(outgoing)[1], edges, out=base.others, mode="clip")
        base._finish(table)
        return base

    def _finish(self, table: Table) -> None:
        #: of its rows, how many ended since it was made
        self.ended = 0
        #: over all of its rows
        self.last_begin = 0
        self.first_end: int = NEVER
        self.span(table)
        #: in the order of the base, once a reader needed them
        self.begins: Versions = _NO_VERSIONS
        self.ends: Versions = _NO_VERSIONS

    def span(self, table: Table) -> None:
        """Look again at when its rows begin and end; under the table's lock."""
        if len(self.edges) == self.rows:
            begins, ends = table.begins[: self.rows], table.ends[: self.rows]
        else:
            begins, ends = table.begins[self.edges], table.ends[self.edges]
        self.last_begin = int(begins.max(initial=0))
        self.first_end = int(ends.min(initial=NEVER))

    def parallel(self) -> bool:
        """Whether two rows have the same two nodes."""
        same = self.others[1:] == self.others[:-1]
        bounds = self.offsets[1:-1]
        bounds = bounds[(bounds > 0) & (bounds < len(self.others))]
        same[bounds - 1] = False
        return bool(same.any())

    def has(self, node: int, other: int) -> bool:
        """Whether a row has these two nodes."""
        if node + 1 >= len(self.offsets):
            return False
        low, high = self.offsets[node : node + 2].tolist()
        at = low + int(self.others[low:high].searchsorted(other))
        return at < high and int(self.others[at]) == other


class Side:
    """Base and chains of one direction. One writer under the table's lock, any readers. It does not
    hold its table, which holds it: a circle would outlive the image, until a collection."""

    __slots__ = ("_chains", "arena", "base", "outgoing", "parallel")

    def __init__(self, arena: Arena, outgoing: bool, base: Sorted) -> None:
        self.arena = arena
        self.outgoing = outgoing
        self.base = base
        #: heads, nexts, rows of entries; None: nothing came since
        self._chains: tuple[Rows, Rows, Rows] | None = None
        #: whether two rows visible at one version may have the same nodes
        self.parallel = outgoing and base.parallel()

    def adjacency(self, table: Table, version: int) -> Adjacency:
        """What a reader at a version takes."""
        base = self.base
        with table.lock:
            begins = ends = _NO_VERSIONS
            if not base.last_begin <= version < base.first_end:
                if not len(base.begins) and len(base.edges):
                    self._copy(table)
                begins, ends = base.begins, base.ends
            chains = self._chains
            if chains is None:
                none = (_NO_ROWS,) * 4
                later = (*none, _NO_VERSIONS, _NO_VERSIONS)
            else:
                heads, nexts, edges = chains
                far = table.nodes(self.outgoing)[1][base.rows :]
                born, gone = table.begins[base.rows :], table.ends[base.rows :]
                later = (heads, nexts, far, edges, born, gone)
        return Adjacency(version, base.offsets, base.others, base.edges, begins, ends, *later)

    def _copy(self, table: Table) -> None:
        base = self.base
        begins = self.arena.empty(len(base.edges), np.uint32, KIND)
        ends = self.arena.empty(len(base.edges), np.uint32, KIND)
        np.take(table.begins, base.edges, out=begins, mode="clip")
        np.take(table.ends, base.edges, out=ends, mode="clip")
        base.begins, base.ends = begins, ends

    # --- the writer, under the table's lock ---

    def link(self, table: Table, first: int, end: int, nodes: int) -> None:
        """Put new rows into chains, all of which come behind the base."""
        from everwhen.kernels.layout import chained

        size = len(table.begins) - self.base.rows
        chains = self._chains
        if chains is None or len(chains[1]) != size or len(chains[0]) < nodes:
            chains = self._chains = self._room(size, nodes)
        near = table.nodes(self.outgoing)[0][first:end]
        chained(near, first - self.base.rows, chains[0], chains[1])

    def chained(self, table: Table, node: int, other: int) -> bool:
        """Whether a chain has an entry with these nodes; True if it is long."""
        if self._chains is None or node >= len(self._chains[0]):
            return False
        heads, nexts, edges = self._chains
        far = table.nodes(self.outgoing)[1]
        at, most = int(heads[node]), _LOOKED_AT
        while at >= 0:
            if not most or far[edges[at]] == other:
                return True
            most -= 1
            at = int(nexts[at])
        return False

    def cover(self, nodes: int) -> None:
        """Have a head for each node row."""
        chains = self._chains
        if chains is not None and len(chains[0]) < nodes:
            self._chains = self._room(len(chains[1]), nodes)

    def _room(self, size: int, nodes: int) -> tuple[Rows, Rows, Rows]:
        """New arrays: whoever holds the old ones must not find entries behind their ends."""
        arena, rows = self.arena, self.base.rows
        heads = arena.filled(nodes + nodes // 8, -1, np.int32, KIND)
        nexts = arena.empty(size, np.int32, KIND)
        edges = arena.empty(size, np.int32, KIND)
        edges[:] = np.arange(rows, rows + size, dtype=np.int32)
        if self._chains is not None:
            old_heads, old_nexts, _ = self._chains
            heads[: len(old_heads)] = old_heads
            nexts[: len(old_nexts)] = old_nexts
        return heads, nexts, edges

    def stamp(self, table: Table, rows: Rows, versions: Versions, ends: bool) -> None:
        """Rows of the table began or ended; chains look into the table itself."""
        base = self.base
        inside = rows < base.rows
        if base.since:
            inside &= table.ends[rows] > base.since
        if not inside.all():
            rows, versions = rows[inside], versions[inside]
        if not len(rows):
            return
        if ends:
            base.first_end = min(base.first_end, int(versions.min()))
            base.ended += len(rows)
        else:
            base.last_begin = max(base.last_begin, int(versions.max()))
        copies = base.ends if ends else base.begins
        if len(copies):
            from everwhen.kernels.layout import stamped

            near, far = table.nodes(self.outgoing)
            stamped(
                base.offsets, base.others, base.edges, near[rows], far[rows], rows, versions, copies
            )

    def meets(self, table: Table, starts: Rows, ends: Rows) -> bool:
        """Whether new rows have the nodes of others; True if that is hard to tell. Outgoing."""
        if len(starts) > _LOOKED_AT:
            return True
        pairs = set(zip(starts.tolist(), ends.tolist(), strict=True))
        if len(pairs) < len(starts):
            return True
        return any(self.base.has(*pair) or self.chained(table, *pair) for pair in sorted(pairs))
