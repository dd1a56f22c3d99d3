"""Full-text indexes in memory: tables of texts that follow the record (``columns.following``).

A search holds the lock of its index; commits never wait for it, as tables are moved on by who
searches, or in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from everwhen.columns.following import Followed, Held, Tick
from everwhen.columns.touched import Matters
from everwhen.limits import IMAGE_BYTES_DEFAULT, TEXT_ENDED_MIN, TEXT_FOLLOW_VERSIONS_MAX
from everwhen.model.fulltext_index import Document, parse_config
from everwhen.model.graph import TextWanted
from everwhen.model.schema import ConstraintDefinition
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.matching import document_at, documents_of, found_in
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.text_search import Own, Scores
from everwhen.mvcc.text_table import Ids, TextTable


class Texts(Followed[TextTable]):
    """See the module. Any thread; a :class:`~everwhen.mvcc.state.TextColumns`."""

    __slots__ = ("_ended_min",)

    def __init__(
        self,
        state: RecordState,
        bytes_max: int = IMAGE_BYTES_DEFAULT,
        *,
        follow_max: int = TEXT_FOLLOW_VERSIONS_MAX,
        ended_min: int = TEXT_ENDED_MIN,
        beside: Callable[[], int] = lambda: 0,
    ) -> None:
        """``bytes_max`` bounds the tables and what is held ``beside`` them."""
        super().__init__(state, bytes_max, follow_max, beside)
        self._ended_min = ended_min

    def matching(
        self, index: ConstraintDefinition, version: int, wanted: TextWanted, own: Own | None
    ) -> tuple[Ids, Scores] | None:
        """See ``TextColumns``."""
        held = self._of(index)
        self._locked(held, wanted.tick)
        try:
            table = self._moved(index, held, version, wanted.tick)
            if table is None or not table.base <= version <= table.upto:
                return None
            return found_in(table, version, index, wanted, own)
        finally:
            held.lock.release()

    # --- what is in an index ---

    def _definitions(self) -> dict[str, ConstraintDefinition]:
        return self._state.current.catalog.fulltext_indexes()

    def _table(self, index: ConstraintDefinition, version: int) -> TextTable:
        return TextTable(len(index.properties), version)

    def _rows(
        self, index: ConstraintDefinition, version: int, tick: Tick
    ) -> Iterator[tuple[int, Document]]:
        return documents_of(GraphSnapshot(self._state, version), index, tick)

    def _row(
        self, index: ConstraintDefinition, snapshot: GraphSnapshot, entity: int
    ) -> Document | None:
        return document_at(snapshot, index, entity)

    def _matters(self, index: ConstraintDefinition) -> Matters:
        return Matters(index.entity, parse_config(index.type_text).labels, index.properties)

    def _seal(self, held: Held[TextTable]) -> bool:
        """Rows are never sealed; a table most of which is history is read anew."""
        with held.lock:
            return self._forget_worn(held, self._ended_min)
