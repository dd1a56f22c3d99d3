"""What readers pay for a large transaction once it is folded: nothing, whenever they began.

The store counts what RocksDB does unseen: a scan walks over keys that were removed until they are
cleaned up, so a reader that looked for each of a million changes in a run that is gone would walk
over a million keys each time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

import pytest

from everwhen import limits
from everwhen.codec.keys import Kind, kind_range
from everwhen.model.graph import Direction
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.ranges import GraphRange
from everwhen.mvcc.store import Batch, Change
from everwhen.mvcc.versioned import Versioned
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database, dump

NODES = 60


class Tombstones(MemoryStore):
    """A store that removes nothing for good."""

    __slots__ = ("removed", "walked")

    def __init__(self) -> None:
        super().__init__()
        self.removed: list[bytes] = []
        #: removed keys that scans passed
        self.walked = 0

    def write(self, batch: Batch) -> None:
        for kind, start, end in batch.changes:
            if kind == Change.DELETE_RANGE:
                self.removed += [key for key, _ in super().scan(start, end)]
        self.removed.sort()
        super().write(batch)

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        # it ends at the first key behind its range
        behind = self.first(end, b"\xff" * 32)
        last = end if behind is None else behind[0]
        self.walked += bisect_left(self.removed, last) - bisect_left(self.removed, start)
        return super().scan(start, end)


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch) -> Database:
    """Where each node but the first is known by the one before it, and a large transaction that is
    not folded yet has changed, deleted and created."""
    monkeypatch.setattr(limits, "MUTATIONS_PER_CHUNK", 20)
    db = Database(Tombstones())
    t = db.begin()
    nodes = [t.create_node(["N"], {"i": i}).id for i in range(NODES)]
    for start, end in pairwise(nodes):
        t.create_relationship(start, "KNOWS", end, {"since": 1})
    db.commit(t)
    t = db.begin()
    for one in list(t.relationships()):
        t.set_property(one, "since", 2)
    for number in nodes[::2]:
        for one in list(t.expand(number, Direction.OUT)):
            t.delete_relationship(one.id)
            t.create_relationship(one.end, "KNOWS", one.start, {})
    for node in list(t.nodes()):
        t.set_property(node, "i", -1)
    db.commit(t, chunked=True)
    assert db.state.current.runs
    return db


def test_a_reader_who_began_before_looks_where_the_changes_are(db: Database) -> None:
    store = db.store
    assert isinstance(store, Tombstones)
    expected, before = dump(db.view()), dump(db.view(1))
    readers = db.view(), db.view(1), GraphRange.whole(db.state, 1, 2)
    runs = db.state.current.runs
    db.fold(7)
    store.walked = 0
    assert dump(readers[0]) == expected
    assert dump(readers[1]) == before
    assert {node.id for node in readers[2].nodes()} == set(expected[0])
    assert all(readers[0].relationship_image(one) is not None for one in expected[1])
    assert store.walked == 0

    assert list(Versioned(store, runs).scan(*kind_range(Kind.NODE), 2))
    assert store.walked >= NODES  # what it would be if the runs were looked into


def test_what_is_folded_half_is_found_once(db: Database) -> None:
    reader, expected = db.view(), dump(db.view())
    while db.state.current.runs:
        assert dump(reader) == dump(db.view()) == expected
        db.do(c.FoldStep(c.FORMAT, 7))
    assert dump(reader) == expected
