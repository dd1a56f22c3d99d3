"""Vector indexes in memory: tables that are read from the record once and follow the journal.

A table begins some commits before the newest version, so that searches of the near past are
answered by stamps; a search of an older version compares with the vectors of the record. A commit
whose journal record does not say it all (a large transaction, a bulk load) makes the table begin
anew at that commit. Nothing here is ever the only copy of anything.

Building graphs takes long: :meth:`Vectors.tend` does a step of it, for a background thread; until
then vectors are compared one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from everwhen.codec.journal import (
    AnyChange,
    LabelsChanged,
    NodeChanged,
    NodeCreated,
    NodeDeleted,
    RelationshipChanged,
    RelationshipCreated,
    RelationshipDeleted,
    changes_of,
    decode_record,
)
from everwhen.codec.keys import journal_key
from everwhen.columns.hnsw import Sealed
from everwhen.columns.vectors_table import VectorTable
from everwhen.errors import ShuttingDown
from everwhen.limits import (
    VECTOR_BYTES_DEFAULT,
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


class _Held:
    """One index: its table, and a lock for whoever moves it on."""

    __slots__ = ("lock", "refused", "sealing", "table")

    def __init__(self) -> None:
        self.lock = Lock()
        self.table: VectorTable | None = None
        #: a graph is being made of its rows
        self.sealing = False
        #: number of vectors that did not fit into memory, 0 if they did
        self.refused = 0


class Vectors:
    """See the module. Any thread; a :class:`~everwhen.mvcc.state.VectorColumns`."""

    __slots__ = ("_bytes_max", "_ending", "_follow_max", "_held", "_lock", "_state", "_tail_min")

    def __init__(
        self,
        state: RecordState,
        bytes_max: int = VECTOR_BYTES_DEFAULT,
        *,
        tail_min: int = VECTOR_TAIL_MIN,
        follow_max: int = VECTOR_FOLLOW_VERSIONS_MAX,
    ) -> None:
        self._state = state
        self._bytes_max = bytes_max
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
        with held.lock:
            table = self._moved(index, held, version, wanted)
            if table is None or not table.base <= version <= table.upto:
                return None
            view = table.view()
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
            if held.refused and not self._room(index, held.refused):
                return None
            table = held.table = self._read(index, held, self._first(), wanted)
        while table is not None and table.upto < version:
            wanted.tick()
            changes = self._changes(table.upto + 1)
            if changes is None:
                table = held.table = self._read(index, held, self._gap(version), wanted)
            else:
                self._follow(index, table, changes)
                if table.bytes > self._bytes_max:
                    held.refused = len(table)
                    table = held.table = None
        return table

    def _gap(self, version: int) -> int:
        """The last commit up to a version that must be read from the record."""
        while self._changes(version) is not None:
            version -= 1
        return version

    def _first(self) -> int:
        head = self._state.current.head
        return max(head.oldest_version, head.version - self._follow_max // 2)

    def _room(self, index: ConstraintDefinition, rows: int) -> bool:
        """Whether so many vectors may be held beside the others."""
        dimensions = parse_config(index.type_text).dimensions
        return self.bytes + rows * dimensions * 4 <= self._bytes_max

    def _read(
        self, index: ConstraintDefinition, held: _Held, version: int, wanted: Wanted
    ) -> VectorTable | None:
        """A table as of a version, from the record."""
        held.table = None
        config = parse_config(index.type_text)
        table = VectorTable(config, version)
        others = self.bytes
        for entity, value in values_of(GraphSnapshot(self._state, version), index):
            wanted.tick()
            row = stored(config, value)
            if row is not None:
                table.note(version, entity, row)
                if others + table.bytes > self._bytes_max:
                    held.refused = len(table)
                    return None
        held.refused = 0
        return table

    def _changes(self, version: int) -> list[AnyChange] | None:
        """What a commit changed; None if its journal record does not say it all."""
        raw = self._state.store.get(journal_key(version))
        if raw is None:
            return None
        record = decode_record(raw)
        if record.header.pieces or not record.content:
            return None
        return changes_of(record)

    def _follow(
        self, index: ConstraintDefinition, table: VectorTable, changes: Iterable[AnyChange]
    ) -> None:
        """Look again at each entity that a commit touched in a way that matters."""
        version = table.upto + 1
        tokens = self._state.tokens
        label = (tokens.labels if index.entity == "NODE" else tokens.types).ids[index.label]
        key = tokens.keys.ids[index.properties[0]]
        touched = {
            change.id: None
            for change in changes
            if (
                _node_matters(change, label, key)
                if index.entity == "NODE"
                else _relationship_matters(change, label, key)
            )
        }
        snapshot = GraphSnapshot(self._state, version) if touched else None
        for entity in touched:
            assert snapshot is not None
            value = _value(snapshot, index, entity)
            table.note(version, entity, stored(table.config, value))
        table.upto = version

    # --- in the background ---

    def tend(self) -> bool:
        """One step: forget what was dropped, seal what is due; whether more may be left. A
        graph is made without holding a lock."""
        indexes = {
            one.id: one
            for one in self._state.current.catalog.vector_indexes().values()
            if one.state is not IndexState.FAILED
        }
        with self._lock:
            for gone in [number for number in self._held if number not in indexes]:
                del self._held[gone]
            all_held = list(self._held.values())
        return any(self._seal(held) for held in all_held)

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
                held.table = None  # most of it is history: who searches next reads it anew
                return False
            due = table.due(self._tail_min)
            if due is None:
                return False
            rows = table.rows(*due)
            held.sealing = True
        try:
            graph = Sealed(table.config, rows, self._go_on)
            with held.lock:
                if held.table is table:
                    table.seal(due[0], graph)
        finally:
            held.sealing = False
        self._give_back(held)
        return True

    def _give_back(self, held: _Held) -> None:
        """Stay within the bound: what a graph just made too large goes."""
        if self.bytes > self._bytes_max:
            with held.lock:
                if held.table is not None:
                    held.refused, held.table = len(held.table), None


def _node_matters(change: AnyChange, label: int, key: int) -> bool:
    if isinstance(change, LabelsChanged):
        return (label in change.old) != (label in change.new)
    if isinstance(change, NodeCreated | NodeDeleted | NodeChanged):
        return label in change.labels and key in change.properties
    return False


def _relationship_matters(change: AnyChange, type_: int, key: int) -> bool:
    if isinstance(change, RelationshipCreated | RelationshipDeleted | RelationshipChanged):
        return change.type == type_ and key in change.properties
    return False


def _value(snapshot: GraphSnapshot, index: ConstraintDefinition, entity: int) -> object:
    """The property at the snapshot's version, None if the entity is not in the index then."""
    key = index.properties[0]
    if index.entity == "NODE":
        image = snapshot.node_image(entity)
        return image.get(key) if image is not None and index.label in image.labels else None
    there = snapshot.relationship_image(entity)
    return None if there is None else there.get(key)
