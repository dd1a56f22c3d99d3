"""What one step touches does not grow with the relationships of a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from everwhen.codec.retention import Horizon
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch, Cursor
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from everwhen.txn.bulk import BulkLoad
from tests.unit.apply.harness import Database, dump, origin_of

#: keys that one step may look at, and what it may touch for each of them: the key, what the same
#: thing has elsewhere, the commit that wrote it
LIMIT = 120
TOUCHED = 4
WRITTEN = 60


class Counting(MemoryStore):
    """Counts pairs that were read and bytes that were written."""

    __slots__ = ("read", "written")

    def __init__(self) -> None:
        super().__init__()
        self.read = self.written = 0

    def get(self, key: bytes) -> bytes | None:
        self.read += 1
        return super().get(key)

    def first(self, start: bytes, end: bytes) -> tuple[bytes, bytes] | None:
        self.read += 1
        return super().first(start, end)

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        for pair in super().scan(start, end):
            self.read += 1
            yield pair

    def cursor(self) -> Cursor:
        return CountingCursor(self, super().cursor())

    def write(self, batch: Batch) -> None:
        self.written += batch.size
        super().write(batch)


class CountingCursor:
    """A cursor whose steps are counted."""

    def __init__(self, store: Counting, below: Cursor) -> None:
        self._store = store
        self._below = below
        self.close, self.valid = below.close, below.valid
        self.key, self.value = below.key, below.value

    def seek(self, key: bytes) -> None:
        self._store.read += 1
        self._below.seek(key)

    def seek_for_prev(self, key: bytes) -> None:
        self._store.read += 1
        self._below.seek_for_prev(key)

    def next(self) -> None:
        self._store.read += 1
        self._below.next()

    def prev(self) -> None:
        self._store.read += 1
        self._below.prev()


def written(db: Database, relationships: int) -> None:
    """Node 0 with so many relationships, each from a commit of a hundred."""
    for low in range(0, relationships, 100):
        t = db.begin()
        if not low:
            t.create_node(["Hub"], {})
        for _ in range(100):
            t.create_relationship(0, "R", t.create_node(["A"], {}).id, {})
        db.commit(t)


def loaded(db: Database, relationships: int) -> None:
    """The same, as rows of segments."""
    db.do(c.LeaseIds(c.FORMAT, relationships + 1, relationships))
    load = BulkLoad(db.do(c.BeginChunks(c.FORMAT, 0, 0, origin_of())).transaction)
    for chunk in load.nodes(["A"], 0, relationships + 1, {}):
        db.do(chunk)
    for low in range(0, relationships, 1_000):
        ends = np.arange(low + 1, min(low + 1_000, relationships) + 1, dtype=np.int64)
        starts = np.zeros(len(ends), dtype=np.int64)
        for chunk in load.relationships("R", low, starts, ends, {}):
            db.do(chunk)
    db.do(load.commit(db.tick()))


def deleted(db: Database) -> None:
    """Node 0 goes, with all its relationships, in commits of a hundred."""
    ids = [one.id for one in db.view().relationships()]
    for low in range(0, len(ids), 100):
        t = db.begin()
        for one in ids[low : low + 100]:
            t.delete_relationship(one)
        if low + 100 >= len(ids):
            t.delete_node(0)
        db.commit(t)


def gone(make: Callable[[Database, int], None], relationships: int) -> tuple[Database, Counting]:
    """A database in which node 0 was made and deleted, and its store."""
    store = Counting()
    db = Database(store)
    make(db, relationships)
    deleted(db)
    return db, store


def driven(db: Database, store: Counting, step: Callable[[int], c.Vacuumed]) -> tuple[int, int]:
    """Steps to the end: the most pairs that one read, and the most bytes that one wrote."""
    most, number, more = (0, 0), 0, True
    while more:
        store.read = store.written = 0
        more = step(number).more
        most = max(most[0], store.read), max(most[1], store.written)
        number += 1
    return most


@pytest.mark.parametrize("make", [written, loaded])
@pytest.mark.parametrize("relationships", [300, 3_000])
def test_a_step_of_an_erasure_is_bounded(
    make: Callable[[Database, int], None], relationships: int
) -> None:
    db, store = gone(make, relationships)
    before = dump(db.view())
    db.do(c.Erase(c.FORMAT, db.tick(), [0], [], origin_of()))
    read, wrote = driven(db, store, lambda _: db.do(c.EraseStep(c.FORMAT, LIMIT, len(db.log))))
    assert read <= LIMIT * TOUCHED
    assert wrote <= LIMIT * WRITTEN
    assert len(db.state.erased.relationships) == relationships
    assert dump(db.view()) == before
    db.open()
    assert len(db.state.erased.relationships) == relationships
    assert verify(store).problems == []


@pytest.mark.parametrize("make", [written, loaded])
@pytest.mark.parametrize("relationships", [300, 3_000])
def test_a_step_of_vacuum_is_bounded(
    make: Callable[[Database, int], None], relationships: int
) -> None:
    db, store = gone(make, relationships)
    head = db.state.current.head.version
    db.do(c.RaiseHorizon(c.FORMAT, 0, [Horizon("", "", head, 0)]))
    read, wrote = driven(
        db, store, lambda at: db.do(c.VacuumStep(c.FORMAT, LIMIT, len(db.log), not at))
    )
    assert read <= LIMIT * TOUCHED
    assert wrote <= LIMIT * WRITTEN
    assert verify(store).problems == []
