"""A round of vacuum looks at what may have changed since the round before."""

from __future__ import annotations

from everwhen.codec.keys import Kind
from everwhen.codec.retention import Horizon
from everwhen.mvcc.memory import MemoryStore
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database


class Journals(MemoryStore):
    """Counts commits whose record is read."""

    __slots__ = ("read",)

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def get(self, key: bytes) -> bytes | None:
        self.read += key[2] == Kind.JOURNAL
        return super().get(key)


def commits(db: Database, number: int) -> None:
    for _ in range(number):
        t = db.begin()
        t.create_node(["Log"], {})
        t.create_node(["City"], {})
        db.commit(t)


def vacuumed(db: Database, store: Journals, *horizons: Horizon) -> int:
    """Commits read by a round with these horizons."""
    db.do(c.RaiseHorizon(c.FORMAT, db.state.current.retention.revision, list(horizons)))
    store.read = 0
    begin = True
    while db.do(c.VacuumStep(c.FORMAT, 1_000, len(db.log), begin)).more:
        begin = False
    return store.read


def test_of_the_journal_only_what_a_horizon_passed() -> None:
    store = Journals()
    db = Database(store)
    commits(db, 100)
    db.do(c.SetRetention(c.FORMAT, "NODE", "Log", 10**9))
    db.do(c.SetRetention(c.FORMAT, "NODE", "City", 10**9))
    assert vacuumed(db, store, Horizon("NODE", "Log", 60, 0)) >= 60
    assert vacuumed(db, store, Horizon("NODE", "Log", 70, 0)) < 20
    assert vacuumed(db, store) < 5
    # what the other label's rule lets go was not looked at before
    assert vacuumed(db, store, Horizon("NODE", "City", 30, 0)) >= 30
    assert vacuumed(db, store, Horizon("NODE", "City", 40, 0), Horizon("", "", 20, 0)) >= 40
