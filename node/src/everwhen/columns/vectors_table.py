"""All vectors of one index through its versions: rows that are only ever added.

A row is one value of one entity from the version that began it to the one that ended it. Rows
are compared one by one until a background step seals them into graphs; deleting and updating only
stamps rows. A search at a version passes over the rows that were not there then: a graph is asked
for more than is wanted, and where few rows were there they are compared exactly.

One writer at a time under the owner's lock. Searches take a :class:`View` under that lock and
search without it: rows of a view stay where they are, and a stamp set later is one of a version
that the view's reader does not see.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.columns.hnsw import Sealed
from everwhen.limits import VECTOR_TAIL_MIN
from everwhen.model.vector_index import VectorConfig
from everwhen.mvcc.nearest import Floats, Ids, best, scores

Scores = npt.NDArray[np.float64]

FOREVER: Final = np.iinfo(np.int64).max
#: a tail is sealed when it is this share of what is sealed
_TAIL_SHARE: Final = 8
#: a graph is merged into the one before it, if that is not larger than so many times it
_MERGE_RATIO: Final = 3
#: at most this share of a graph's rows is asked for; above it comparing is as quick
_ASKED_SHARE: Final = 8
#: … and so many of a small one
_COMPARED_MAX: Final = 500
#: rows are copied to be compared where no more than this share is there
_COPIED_SHARE: Final = 4
#: rows compared at a time
_CHUNK: Final = 4_096
#: bytes a row takes beside its vector: three stamps and a place in a dictionary
_STAMP_BYTES: Final = 24 + 100
_FIRST_CAPACITY: Final = 64


class Part(NamedTuple):
    """A sealed graph over the rows from ``start`` on."""

    start: int
    graph: Sealed

    @property
    def end(self) -> int:
        return self.start + self.graph.rows


class View(NamedTuple):
    """What one search looks at."""

    config: VectorConfig
    matrix: Floats
    ids: Ids
    begins: Ids
    ends: Ids
    parts: tuple[Part, ...]
    #: from this version on every row is there
    settled: int

    def nearest(
        self, query: Floats, most: int, version: int, *, exact: bool
    ) -> list[tuple[int, float]]:
        """Ids and scores, best first, of what was there at a version."""
        all_there = self.settled <= version
        ids: list[Ids] = []
        values: list[Scores] = []
        done = 0
        for part in self.parts:
            rows = None if exact else self._sealed(part, query, most, version, all_there)
            if rows is None:
                self._compared(part.start, part.end, query, version, ids, values)
            else:
                ids.append(self.ids[rows])
                values.append(scores(self.config, self.matrix[rows], query))
            done = part.end
        self._compared(done, len(self.ids), query, version, ids, values)
        return best(np.concatenate(ids), np.concatenate(values), most) if ids else []

    def _compared(
        self,
        start: int,
        end: int,
        query: Floats,
        version: int,
        ids: list[Ids],
        values: list[Scores],
    ) -> None:
        """Scores of all rows of a range that are there at a version."""
        for at in range(start, end, _CHUNK):
            part = slice(at, min(at + _CHUNK, end))
            there = (self.begins[part] <= version) & (version < self.ends[part])
            rows = self.matrix[part]
            if there.all():
                ids.append(self.ids[part])
                values.append(scores(self.config, rows, query))
            elif (count := np.count_nonzero(there)) * _COPIED_SHARE > len(rows):
                ids.append(self.ids[part][there])
                values.append(scores(self.config, rows, query)[there])
            elif count:
                ids.append(self.ids[part][there])
                values.append(scores(self.config, rows[there], query))

    def _sealed(
        self, part: Part, query: Floats, most: int, version: int, all_there: bool
    ) -> npt.NDArray[np.int64] | None:
        """The nearest of a graph's rows; None: compare with all that are there."""
        graph = part.graph
        asked = min(most if all_there else 2 * most, graph.rows)
        limit = max(graph.rows // _ASKED_SHARE, min(_COMPARED_MAX, graph.rows))
        while asked <= limit:
            near = graph.search(query, asked)
            if near is None:
                return None
            rows = near + part.start
            there = rows[(self.begins[rows] <= version) & (version < self.ends[rows])]
            if len(there) >= most:
                return there[:most]
            if not len(there) and asked >= graph.reach:
                return None
            # what a search looks at anyway costs little to ask for
            asked = max(asked * 2, 2 * most * asked // max(len(there), 1), graph.reach)
        return None


class VectorTable:
    """See the module. ``base`` is the oldest version it answers for."""

    __slots__ = ("_begins", "_count", "_current", "_ends", "_ids", "_matrix", "_newest", "base",
                 "config", "ended", "parts", "upto")  # fmt: skip

    def __init__(self, config: VectorConfig, base: int) -> None:
        self.config = config
        self.base = base
        #: the version it followed the journal to
        self.upto = base
        self.parts: tuple[Part, ...] = ()
        #: rows that are not there any more
        self.ended = 0
        #: the version that began the newest row
        self._newest = base
        self._count = 0
        self._current: dict[int, int] = {}
        self._matrix: Floats = np.empty((_FIRST_CAPACITY, config.dimensions), np.float32)
        self._ids: Ids = np.empty(_FIRST_CAPACITY, np.int64)
        self._begins: Ids = np.empty(_FIRST_CAPACITY, np.int64)
        self._ends: Ids = np.empty(_FIRST_CAPACITY, np.int64)

    def __len__(self) -> int:
        return self._count

    @property
    def unsealed(self) -> int:
        """Rows that no graph covers."""
        return self._count - (self.parts[-1].end if self.parts else 0)

    @property
    def bytes(self) -> int:
        """Memory held."""
        return (
            self._matrix.nbytes
            + _STAMP_BYTES * len(self._ids)
            + sum(part.graph.bytes for part in self.parts)
        )

    # --- writing ---

    def note(self, version: int, entity: int, vector: Floats | None) -> None:
        """What an entity's vector is from a version on, which is no older than the last."""
        row = self._current.get(entity)
        if row is not None:
            if vector is not None and np.array_equal(self._matrix[row], vector):
                return
            self._ends[row] = version
            self.ended += 1
            del self._current[entity]
        if vector is not None:
            self._append(version, entity, vector)

    def keep(self, version: int, entities: Collection[int]) -> None:
        """From a version on there are vectors of these entities only."""
        for entity in [one for one in self._current if one not in entities]:
            self.note(version, entity, None)

    def _append(self, version: int, entity: int, vector: Floats) -> None:
        row = self._count
        if row == len(self._ids):
            more = max(row // 2, _FIRST_CAPACITY)
            self._matrix = np.concatenate(
                (self._matrix, np.empty((more, self.config.dimensions), np.float32))
            )
            extra = np.empty(more, np.int64)
            self._ids = np.concatenate((self._ids, extra))
            self._begins = np.concatenate((self._begins, extra))
            self._ends = np.concatenate((self._ends, extra))
        self._matrix[row] = vector
        self._ids[row], self._begins[row], self._ends[row] = entity, version, FOREVER
        self._current[entity] = row
        self._newest = version
        self._count = row + 1

    # --- searching ---

    def view(self) -> View:
        """What is there now, for a search outside the lock."""
        count = self._count
        return View(
            self.config,
            self._matrix[:count],
            self._ids[:count],
            self._begins[:count],
            self._ends[:count],
            self.parts,
            FOREVER if self.ended else self._newest,
        )

    # --- sealing ---

    def due(self, least: int = VECTOR_TAIL_MIN) -> tuple[int, int] | None:
        """The rows that should be sealed into one graph, if there are enough."""
        sealed = self._count - self.unsealed
        if self._count - sealed < max(least, sealed // _TAIL_SHARE):
            return None
        start = sealed
        for part in reversed(self.parts):
            if part.graph.rows > _MERGE_RATIO * (self._count - start):
                break
            start = part.start
        return start, self._count

    def rows(self, start: int, end: int) -> Floats:
        """Vectors of rows, which never change."""
        return self._matrix[start:end]

    def seal(self, start: int, graph: Sealed) -> None:
        """Put a graph in the place of the parts that it covers."""
        kept: Sequence[Part] = [part for part in self.parts if part.end <= start]
        self.parts = (*kept, Part(start, graph))
