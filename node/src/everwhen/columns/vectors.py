"""Vector indexes in memory: tables that are read from the record once and follow the journal.

A table begins some commits before the newest version, so that searches of the near past are
answered by stamps; a search of an older version compares with the vectors of the record. After a
commit whose journal record does not say it all (a bulk load) the table is compared with the
record. Nothing here is ever the only copy of anything.

Reading tables and building graphs takes long: :meth:`Vectors.tend` does a step of it, for a
background thread; until then vectors are read by who searches first, and compared one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock

from everwhen.columns.hnsw import Sealed, graph_bytes
from everwhen.columns.touched import says_all, touched, value_at
from everwhen.columns.vectors_table import VectorTable
from everwhen.errors import ShuttingDown
from everwhen.limits import (
    IMAGE_BYTES_DEFAULT,
    VECTOR_FOLLOW_VERSIONS_MAX,
    VECTOR_TAIL_MIN,
)
from everwhen.model.graph import Wanted
from everwhen.model.schema import ConstraintDefinition, IndexState
from everwhen.model.vector_index import parse_config
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.nearest import Floats, stored, values_of
from everwhen.mvcc.state import RecordState

#: rows that ended, for each that is there, at which a table is read anew
_ENDED_SHARE = 2


#: who waits for a table that is being read looks up so often whether it still may
_LOOK_UP_SECONDS = 0.05


class _Held:
    """One index: its table, and a lock for whoever moves it on."""

    __slots__ = ("lock", "refused", "sealing", "table", "worn")

    def __init__(self) -> None:
        self.lock = Lock()
        self.table: VectorTable | None = None
        #: a graph is being made of its rows
        self.sealing = False
        #: most of the last table was history: the next begins at the newest version
        self.worn = False
        #: bytes that did not fit into memory, 0 if all did
        self.refused = 0


class Vectors:
    """See the module. Any thread; a :class:`~everwhen.mvcc.state.VectorColumns`."""

    __slots__ = (
        "_beside",
        "_bytes_max",
        "_ending",
        "_follow_max",
        "_held",
        "_lock",
        "_state",
        "_tail_min",
    )

    def __init__(
        self,
        state: RecordState,
        bytes_max: int = IMAGE_BYTES_DEFAULT,
        *,
        tail_min: int = VECTOR_TAIL_MIN,
        follow_max: int = VECTOR_FOLLOW_VERSIONS_MAX,
        beside: Callable[[], int] = lambda: 0,
    ) -> None:
        """``bytes_max`` bounds the tables and what is held ``beside`` them."""
        self._state = state
        self._bytes_max = bytes_max
        self._beside = beside
        #: what runs in the background is to end
        self._ending = False
        self._tail_min = tail_min
        self._follow_max = follow_max
        self._lock = Lock()
        #: by the definition's id
        self._held: dict[int, _Held] = {}

    @property
    def bytes(self) -> int:
        """Memory held by all tables."""
        with self._lock:
            tables = [held.table for held in self._held.values()]
        return sum(table.bytes for table in tables if table is not None)

    def _whole(self) -> int:
        """Memory held of what is bounded."""
        return self.bytes + self._beside()

    @property
    def unsealed(self) -> int:
        """Rows that are compared one by one."""
        with self._lock:
            tables = [held.table for held in self._held.values()]
        return sum(table.unsealed for table in tables if table is not None)

    def nearest(
        self, index: ConstraintDefinition, version: int, query: Floats, wanted: Wanted
    ) -> list[tuple[int, float]] | None:
        """See ``VectorColumns``."""
        held = self._of(index)
        while not held.lock.acquire(timeout=_LOOK_UP_SECONDS):
            wanted.tick()
        try:
            table = self._moved(index, held, version, wanted)
            if table is None or not table.base <= version <= table.upto:
                return None
            view = table.view()
        finally:
            held.lock.release()
        return view.nearest(query, wanted.most, version, exact=wanted.exact)

    def _of(self, index: ConstraintDefinition) -> _Held:
        with self._lock:
            return self._held.setdefault(index.id, _Held())

    # --- following the record ---

    def _moved(
        self, index: ConstraintDefinition, held: _Held, version: int, wanted: Wanted
    ) -> VectorTable | None:
        """The table, moved to a version if it was behind; None if there can be none."""
        table = held.table
        if table is None or version - table.upto > self._follow_max:
            held.table = None
            if held.refused and held.refused + self._whole() > self._bytes_max:
                return None  # it still would not fit
            table = held.table = self._read(index, held, self._first(held), wanted)
        while table is not None and table.upto < version:
            wanted.tick()
            if says_all(self._state, table.upto + 1):
                self._follow(index, table)
            else:
                held.table = None  # if it ends halfway
                self._bridge(index, table, version, wanted)
                held.table = table
            if self._whole() > self._bytes_max:
                # without its history it may fit
                held.refused, held.worn = 0 if table.ended else table.bytes, True
                table = held.table = None
        return table

    def _bridge(
        self, index: ConstraintDefinition, table: VectorTable, version: int, wanted: Wanted
    ) -> None:
        """Move a table over what the journal does not tell, by comparing with the record after
        the last commit of that kind."""
        last = version
        while says_all(self._state, last):
            last -= 1
        seen: set[int] = set()
        for entity, row in self._rows(index, last, wanted):
            seen.add(entity)
            table.note(last, entity, row)
        table.keep(last, seen)
        if last > table.upto + 1:
            table.base = last  # what was in between was not looked at
        table.upto = last

    def _first(self, held: _Held) -> int:
        """The version that a new table begins at."""
        head = self._state.current.head
        if held.worn:
            return head.version
        return max(head.oldest_version, head.version - self._follow_max // 2)

    def _read(
        self, index: ConstraintDefinition, held: _Held, version: int, wanted: Wanted
    ) -> VectorTable | None:
        """A table as of a version, from the record."""
        held.table = None
        table = VectorTable(parse_config(index.type_text), version)
        others = self._whole()
        for entity, row in self._rows(index, version, wanted):
            table.note(version, entity, row)
            if others + table.bytes > self._bytes_max:
                held.refused = table.bytes
                return None
        held.refused = 0
        return table

    def _rows(
        self, index: ConstraintDefinition, version: int, wanted: Wanted
    ) -> Iterator[tuple[int, Floats]]:
        """All vectors at a version, from the record."""
        config = parse_config(index.type_text)
        for entity, value in values_of(GraphSnapshot(self._state, version), index):
            wanted.tick()
            row = stored(config, value)
            if row is not None:
                yield entity, row

    def _follow(self, index: ConstraintDefinition, table: VectorTable) -> None:
        """Look again at each entity that the next commit touched."""
        version = table.upto + 1
        snapshot = GraphSnapshot(self._state, version)
        for entity in touched(self._state, index, version):
            value = value_at(snapshot, index, entity)
            table.note(version, entity, stored(table.config, value))
        table.upto = version

    # --- in the background ---

    def tend(self) -> bool:
        """One step: forget what was dropped, read what is new, seal what is due; whether more
        may be left. A graph is made without holding a lock."""
        indexes = {
            one.id: one
            for one in self._state.current.catalog.vector_indexes().values()
            if one.state is not IndexState.FAILED
        }
        with self._lock:
            for gone in [number for number in self._held if number not in indexes]:
                del self._held[gone]
        for index in indexes.values():
            held = self._of(index)
            if self._catch_up(index, held) or self._seal(held):
                return True
        return False

    def _catch_up(self, index: ConstraintDefinition, held: _Held) -> bool:
        """Read a table that is not there, and move one on that would soon be too far behind."""
        version = self._state.current.head.version
        table = held.table
        if table is not None and version - table.upto < self._follow_max // 4:
            return False
        with held.lock:
            before = held.table
            moved = self._moved(index, held, version, Wanted(0, False, self._go_on))
        return moved is not None and moved is not before

    def interrupt(self) -> None:
        """End a step of :meth:`tend` that runs, and all that come; from any thread."""
        self._ending = True

    def _go_on(self) -> None:
        if self._ending:
            raise ShuttingDown("the node is shutting down")

    def _seal(self, held: _Held) -> bool:
        with held.lock:
            table = held.table
            if table is None or held.sealing:
                return False
            if table.ended > _ENDED_SHARE * (len(table) - table.ended) + self._tail_min:
                held.table, held.worn = None, True
                return True
            due = table.due(self._tail_min)
            if due is None:
                return False
            rows = table.rows(*due)
            freed = sum(part.graph.bytes for part in table.parts if part.start >= due[0])
            if self._whole() - freed + graph_bytes(table.config, len(rows)) > self._bytes_max:
                return False
            held.sealing = True
        try:
            graph = Sealed(table.config, rows, self._go_on)
            with held.lock:
                if held.table is table:
                    table.seal(due[0], graph)
        finally:
            held.sealing = False
        return True
