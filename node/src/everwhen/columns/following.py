"""Indexes in memory: tables that are read from the record once and follow the journal.

A table begins some commits before the newest version, so that searches of the near past are
answered by stamps; a search of an older version reads the record. After a commit whose journal
record does not say it all (a bulk load) the table is compared with the record. Nothing here is ever
the only copy of anything. What is one entity in the index, and how tables are searched, is said by
who derives from :class:`Followed`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from everwhen.columns.touched import Matters, says_all, touched
from everwhen.errors import ShuttingDown
from everwhen.model.schema import ConstraintDefinition, IndexState
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.state import RecordState

#: who waits for a table that is being read looks up so often whether it still may
_LOOK_UP_SECONDS = 0.05
#: rows that ended, for each that is there, at which a table is read anew
_ENDED_SHARE = 2

Tick = Callable[[], None]


class Table(Protocol):
    """Rows with the versions that began and ended them."""

    #: the oldest version it answers for, and the one it followed the journal to
    base: int
    upto: int
    #: rows that are not there any more
    ended: int

    @property
    def bytes(self) -> int:
        """Memory held."""

    def __len__(self) -> int: ...

    def note(self, version: int, entity: int, value: Any, /) -> None:
        """What an entity is in the index from a version on; None: not in it."""

    def keep(self, version: int, entities: Collection[int], /) -> None:
        """From a version on only these entities are in the index."""


T = TypeVar("T", bound=Table)


class Held(Generic[T]):
    """One index: its table, and a lock for whoever moves it on."""

    __slots__ = ("lock", "refused", "sealing", "table", "worn")

    def __init__(self) -> None:
        self.lock = Lock()
        self.table: T | None = None
        #: something is being made of its rows without the lock
        self.sealing = False
        #: most of the last table was history: the next begins at the newest version
        self.worn = False
        #: bytes that did not fit into memory, 0 if all did
        self.refused = 0


class Followed(ABC, Generic[T]):
    """See the module. Any thread."""

    __slots__ = ("_beside", "_bytes_max", "_ending", "_follow_max", "_held", "_lock", "_state")

    def __init__(
        self, state: RecordState, bytes_max: int, follow_max: int, beside: Callable[[], int]
    ) -> None:
        """``bytes_max`` bounds the tables and what is held ``beside`` them; a table follows up to
        ``follow_max`` commits."""
        self._state = state
        self._bytes_max = bytes_max
        self._beside = beside
        #: what runs in the background is to end
        self._ending = False
        self._follow_max = follow_max
        self._lock = Lock()
        #: by the definition's id
        self._held: dict[int, Held[T]] = {}

    def forget(self) -> None:
        """Something was erased: every table is read anew; from any thread, without waiting."""
        with self._lock:
            self._held = {}

    # --- what is in an index ---

    @abstractmethod
    def _definitions(self) -> dict[str, ConstraintDefinition]:
        """All indexes of the kind, by name."""

    @abstractmethod
    def _table(self, index: ConstraintDefinition, version: int) -> T:
        """An empty table."""

    @abstractmethod
    def _rows(
        self, index: ConstraintDefinition, version: int, tick: Tick
    ) -> Iterator[tuple[int, Any]]:
        """All entities in the index at a version, from the record."""

    @abstractmethod
    def _row(self, index: ConstraintDefinition, snapshot: GraphSnapshot, entity: int) -> Any:
        """One of them; None: it is not in the index."""

    @abstractmethod
    def _matters(self, index: ConstraintDefinition) -> Matters:
        """Which changes are about the index."""

    # --- memory ---

    @property
    def bytes(self) -> int:
        """Memory held by all tables."""
        return sum(table.bytes for table in self._tables())

    def _tables(self) -> list[T]:
        with self._lock:
            tables = [held.table for held in self._held.values()]
        return [table for table in tables if table is not None]

    def _whole(self) -> int:
        """Memory held of what is bounded."""
        return self.bytes + self._beside()

    def _of(self, index: ConstraintDefinition) -> Held[T]:
        with self._lock:
            return self._held.setdefault(index.id, Held())

    # --- following the record ---

    def _locked(self, held: Held[T], tick: Tick) -> None:
        """Take its lock; give it back."""
        while not held.lock.acquire(timeout=_LOOK_UP_SECONDS):
            tick()

    def _moved(
        self, index: ConstraintDefinition, held: Held[T], version: int, tick: Tick
    ) -> T | None:
        """The table, moved to a version if it was behind; None if there can be none."""
        table = held.table
        oldest = self._state.current.retention.journal_floor  # from there on everything is told
        if table is None or version - table.upto > self._follow_max or table.upto < oldest:
            held.table = None
            if held.refused and held.refused + self._whole() > self._bytes_max:
                return None  # it still would not fit
            table = held.table = self._read(index, held, max(self._first(held), oldest), tick)
        while table is not None and table.upto < version:
            tick()
            if says_all(self._state, table.upto + 1):
                self._follow(index, table)
            else:
                held.table = None  # if it ends halfway
                self._bridge(index, table, version, tick)
                held.table = table
            if self._whole() > self._bytes_max:
                # without its history it may fit
                held.refused, held.worn = 0 if table.ended else table.bytes, True
                table = held.table = None
        return table

    def _bridge(self, index: ConstraintDefinition, table: T, version: int, tick: Tick) -> None:
        """Move a table over what the journal does not tell, by comparing with the record after
        the last commit of that kind."""
        last = version
        while says_all(self._state, last):
            last -= 1
        seen: set[int] = set()
        for entity, row in self._rows(index, last, tick):
            seen.add(entity)
            table.note(last, entity, row)
        table.keep(last, seen)
        if last > table.upto + 1:
            table.base = last  # what was in between was not looked at
        table.upto = last

    def _first(self, held: Held[T]) -> int:
        """The version that a new table begins at."""
        head = self._state.current.head
        if held.worn:
            return head.version
        return max(head.oldest_version, head.version - self._follow_max // 2)

    def _read(
        self, index: ConstraintDefinition, held: Held[T], version: int, tick: Tick
    ) -> T | None:
        """A table as of a version, from the record."""
        held.table = None
        table = self._table(index, version)
        others = self._whole()
        for entity, row in self._rows(index, version, tick):
            table.note(version, entity, row)
            if others + table.bytes > self._bytes_max:
                held.refused = table.bytes
                return None
        held.refused = 0
        return table

    def _follow(self, index: ConstraintDefinition, table: T) -> None:
        """Look again at each entity that the next commit touched."""
        version = table.upto + 1
        snapshot = GraphSnapshot(self._state, version)
        for entity in touched(self._state, self._matters(index), version):
            table.note(version, entity, self._row(index, snapshot, entity))
        table.upto = version

    # --- in the background ---

    def tend(self) -> bool:
        """One step: forget what was dropped, read what is new, make what is due; whether more may
        be left."""
        indexes = {
            one.id: one
            for one in self._definitions().values()
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

    def _catch_up(self, index: ConstraintDefinition, held: Held[T]) -> bool:
        """Read a table that is not there, and move one on that would soon be too far behind."""
        version = self._state.current.head.version
        table = held.table
        if table is not None and version - table.upto < self._follow_max // 4:
            return False
        with held.lock:
            before = held.table
            moved = self._moved(index, held, version, self._go_on)
        return moved is not None and moved is not before

    @abstractmethod
    def _seal(self, held: Held[T]) -> bool:
        """Make something of the rows that is due; whether anything was done."""

    def _forget_worn(self, held: Held[T], least: int) -> bool:
        """Under the lock: let go of a table most of which is history."""
        table = held.table
        if table is None or table.ended <= _ENDED_SHARE * (len(table) - table.ended) + least:
            return False
        held.table, held.worn = None, True
        return True

    def interrupt(self) -> None:
        """End a step of :meth:`tend` that runs, and all that come; from any thread."""
        self._ending = True

    def _go_on(self) -> None:
        if self._ending:
            raise ShuttingDown("the node is shutting down")
