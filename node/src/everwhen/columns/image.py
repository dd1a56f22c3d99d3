"""The image of the record in memory: columns that follow the commit journal.

A column is made when it is first asked for, from the record, and follows the journal from then
on, up to the version that a reader needs; nobody waits for it: who finds it busy, or asks for a
version it does not hold, reads the record. It is never the only copy of anything, so whatever it
cannot follow (a large transaction, a gap) makes it forget, and memory above its bound is given
back least recently used first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import Lock

from everwhen.codec.journal import (
    AnyChange,
    LabelsChanged,
    NodeCreated,
    NodeDeleted,
    changes_of,
    decode_record,
)
from everwhen.codec.keys import Counter, journal_key
from everwhen.columns.members import Ids, Members
from everwhen.limits import IMAGE_BYTES_DEFAULT, IMAGE_FOLLOW_VERSIONS_MAX
from everwhen.mvcc.state import RecordState

_ID_BYTES = 8


class Image:
    """See the module. Any thread; a :class:`~everwhen.mvcc.state.NodeColumns`."""

    __slots__ = ("_bytes_max", "_columns", "_lock", "_stale", "_state", "_upto")

    def __init__(self, state: RecordState, bytes_max: int = IMAGE_BYTES_DEFAULT) -> None:
        self._state = state
        self._bytes_max = bytes_max
        self._lock = Lock()
        #: by label token, None for all nodes; least recently used first
        self._columns: dict[int | None, Members] = {}
        #: the version all columns have followed to
        self._upto = 0
        #: something was erased since
        self._stale = False

    def forget(self) -> None:
        """Whatever is held is read anew; from any thread, without waiting."""
        self._stale = True

    @property
    def bytes(self) -> int:
        """Memory held by all columns."""
        return sum(column.bytes for column in list(self._columns.values()))

    def count(
        self, label: int | None, version: int, nodes: Callable[[int], Iterator[int]]
    ) -> int | None:
        """Number of nodes (with a label) at a version; ``nodes`` gives their ids at a version,
        ascending, from the record. None: ask the record."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            self._follow(version)
            column = self._column(label)
            if column is None and self._worth(label, version):
                column = self._columns[label] = Members(nodes(self._upto), self._upto)
            answer = None if column is None or version < column.base else column.count(version)
            self._give_back()
            return answer
        finally:
            self._lock.release()

    def ids(self, label: int | None, version: int) -> Ids | None:
        """Ids of the nodes at a version, if they are at hand: a scan may be after a few only, so
        nothing is worked out for it. None: ask the record."""
        if (
            self._stale
            or label not in self._columns
            or version > self._upto
            or not self._lock.acquire(blocking=False)
        ):
            return None
        try:
            column = self._column(label)
            at_hand = column is not None and version <= self._upto and column.settled(version)
            return column.ids(version) if column is not None and at_hand else None
        finally:
            self._lock.release()

    def _column(self, label: int | None) -> Members | None:
        column = self._columns.pop(label, None)
        if column is not None:
            self._columns[label] = column
        return column

    def _worth(self, label: int | None, version: int) -> bool:
        """Whether to make a column for a reader at ``version``."""
        counters = self._state.counters
        if label is None:
            nodes = counters.get(Counter.NODES)
        else:
            nodes = counters.get(Counter.NODES_WITH_LABEL, label)
        return version == self._upto and nodes * _ID_BYTES <= self._bytes_max

    def _give_back(self) -> None:
        """Stay within the bound."""
        while self._columns and self.bytes > self._bytes_max:
            del self._columns[next(iter(self._columns))]

    # --- the journal ---

    def _follow(self, version: int) -> None:
        """Follow the journal up to a version; forget what cannot follow."""
        if self._stale or self._upto < self._state.current.retention.journal_floor:
            self._stale = False
            self._columns.clear()
        if version <= self._upto:
            return
        if version - self._upto > IMAGE_FOLLOW_VERSIONS_MAX:
            self._columns.clear()
        while self._columns and self._upto < version:
            changes = self._changes(self._upto + 1)
            if changes is None:
                self._columns.clear()
            else:
                self._upto += 1
                self._apply(changes)
        if not self._columns:
            self._upto = version
        for column in self._columns.values():
            column.fold()

    def _changes(self, version: int) -> list[AnyChange] | None:
        """What a commit changed; None if its journal record does not say it all."""
        raw = self._state.store.get(journal_key(version))
        if raw is None:
            return None
        record = decode_record(raw)
        if record.header.pieces or not record.content:
            return None
        return changes_of(record)

    def _apply(self, changes: Iterable[AnyChange]) -> None:
        for change in changes:
            if isinstance(change, NodeCreated):
                self._note(change.id, [None, *change.labels], present=True)
            elif isinstance(change, NodeDeleted):
                self._note(change.id, [None, *change.labels], present=False)
            elif isinstance(change, LabelsChanged):
                gained = [label for label in change.new if label not in change.old]
                lost = [label for label in change.old if label not in change.new]
                self._note(change.id, gained, present=True)
                self._note(change.id, lost, present=False)

    def _note(self, node: int, labels: Iterable[int | None], *, present: bool) -> None:
        for label in labels:
            column = self._columns.get(label)
            if column is not None:
                column.note(self._upto, node, present)
