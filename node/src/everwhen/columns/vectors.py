"""Vector indexes in memory: tables that follow the record (``columns.following``), and the graphs
that are made of them in the background.

Until a table is read and its graph made, vectors are read by who searches first, and compared one
by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from everwhen.columns.following import Followed, Held, Tick
from everwhen.columns.hnsw import Sealed, graph_bytes
from everwhen.columns.touched import Matters, value_at
from everwhen.columns.vectors_table import VectorTable
from everwhen.limits import (
    IMAGE_BYTES_DEFAULT,
    VECTOR_FOLLOW_VERSIONS_MAX,
    VECTOR_TAIL_MIN,
)
from everwhen.model.graph import Wanted
from everwhen.model.schema import ConstraintDefinition
from everwhen.model.vector_index import parse_config
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.nearest import Floats, stored, values_of
from everwhen.mvcc.state import RecordState


class Vectors(Followed[VectorTable]):
    """See the module. Any thread; a :class:`~everwhen.mvcc.state.VectorColumns`."""

    __slots__ = ("_tail_min",)

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
        super().__init__(state, bytes_max, follow_max, beside)
        self._tail_min = tail_min

    @property
    def unsealed(self) -> int:
        """Rows that are compared one by one."""
        return sum(table.unsealed for table in self._tables())

    def nearest(
        self, index: ConstraintDefinition, version: int, query: Floats, wanted: Wanted
    ) -> list[tuple[int, float]] | None:
        """See ``VectorColumns``."""
        held = self._of(index)
        self._locked(held, wanted.tick)
        try:
            table = self._moved(index, held, version, wanted.tick)
            if table is None or not table.base <= version <= table.upto:
                return None
            view = table.view()
        finally:
            held.lock.release()
        return view.nearest(query, wanted.most, version, exact=wanted.exact)

    # --- what is in an index ---

    def _definitions(self) -> dict[str, ConstraintDefinition]:
        return self._state.current.catalog.vector_indexes()

    def _table(self, index: ConstraintDefinition, version: int) -> VectorTable:
        return VectorTable(parse_config(index.type_text), version)

    def _rows(
        self, index: ConstraintDefinition, version: int, tick: Tick
    ) -> Iterator[tuple[int, Floats]]:
        config = parse_config(index.type_text)
        for entity, value in values_of(GraphSnapshot(self._state, version), index):
            tick()
            row = stored(config, value)
            if row is not None:
                yield entity, row

    def _row(
        self, index: ConstraintDefinition, snapshot: GraphSnapshot, entity: int
    ) -> Floats | None:
        return stored(parse_config(index.type_text), value_at(snapshot, index, entity))

    def _matters(self, index: ConstraintDefinition) -> Matters:
        return Matters(index.entity, (index.label,), index.properties[:1])

    # --- in the background ---

    def _seal(self, held: Held[VectorTable]) -> bool:
        """Make a graph, without holding a lock."""
        with held.lock:
            table = held.table
            if table is None or held.sealing:
                return False
            if self._forget_worn(held, self._tail_min):
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
