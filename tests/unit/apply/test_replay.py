"""The log decides everything: replay after a crash, any cutting into batches, any store."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from everwhen.apply.machine import Machine
from everwhen.errors import ConstraintViolation, FormatUnsupported
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.storage.rocks import RocksStore
from everwhen.txn import commands as c
from everwhen.txn.replies import encode_reply
from tests.unit.apply.harness import Database
from tests.unit.apply.test_histories import run


def history(seed: int) -> Database:
    """A log with commits, conflicts, chunks, folds, indexes, constraints and refusals."""
    database = Database()
    database.create_constraint("UNIQUENESS", "Z", "k", name="u")
    run(seed, database, 150)
    for value in (1, 2, 1):
        t = database.begin()
        node = t.create_node([], {"k": value})
        number = len(database.log)
        t._checks.any_unique = False  # let apply be the one who refuses
        t.add_labels(node.id, ["Z"])
        with suppress(ConstraintViolation):
            database.commit(t, client="c", sequence=number)
    return database


def content(store: Store) -> list[tuple[bytes, bytes]]:
    return list(store.scan(b"", b"\xff" * 4))


def entries(database: Database) -> list[tuple[int, int, bytes]]:
    return [(at + 1, 1, payload) for at, payload in enumerate(database.log)]


def machine(store: Store) -> Machine:
    return Machine(store, RecordState.load(store))


@pytest.mark.parametrize("seed", range(8))
def test_replay_after_a_crash_gives_the_same_record(seed):
    database = history(seed)
    log = entries(database)
    chance = random.Random(seed)
    store = MemoryStore()
    first = machine(store)
    upto = chance.randrange(len(log))
    first.apply_batch(log[: upto // 2])
    store.flush()
    first.apply_batch(log[upto // 2 : upto])
    store = store.crash()
    again = machine(store)
    assert again.applied_index == upto // 2
    again.apply_batch(log)  # what was applied already is skipped
    assert again.digest == database.machine.digest
    assert content(store) == content(database.store)
    again.apply_batch(log)
    assert content(store) == content(database.store)


@pytest.mark.parametrize("seed", range(8))
def test_batches_may_be_cut_anywhere(seed):
    database = history(seed)
    log = entries(database)
    chance = random.Random(seed)
    store = MemoryStore()
    other = machine(store)
    replies = []
    at = 0
    while at < len(log):
        size = chance.randrange(1, 40)
        replies += other.apply_batch(log[at : at + size])
        at += size
        if chance.random() < 0.2:
            assert other.digest == RecordState.load(store).current.head.digest
            other = machine(store)
    assert content(store) == content(database.store)
    alone = machine(MemoryStore())
    for entry, reply in zip(log, replies, strict=True):
        assert encode_reply(alone.apply(*entry)) == encode_reply(reply)
    assert alone.digest == other.digest


def test_disk_and_memory_hold_the_same(tmp_path: Path):
    database = history(99)
    store = RocksStore(tmp_path / "record", create=True)
    machine(store).apply_batch(entries(database))
    assert content(store) == content(database.store)
    store.close()


def test_entries_nobody_understands_stop_the_machine():
    one = machine(MemoryStore())
    with pytest.raises(FormatUnsupported):
        one.apply(1, 1, b"\x93\x01\x02\x03")
    with pytest.raises(FormatUnsupported):
        one.apply(1, 1, c.encode(c.CloseTime(c.FORMAT + 1, 5)))
    assert one.apply(1, 1, b"") == c.Done()
    assert one.applied_index == 1
    assert RecordState.load(one._work.layer.store).current.head.applied_index == 1
