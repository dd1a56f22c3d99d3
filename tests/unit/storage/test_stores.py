"""The record's two storages do the same, and RocksDB's damage and stalls show as they should."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rocksdict import Checkpoint

from everwhen.errors import CorruptData, DiskFailed
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch, Store
from everwhen.storage import rocks
from everwhen.storage.rocks import RocksStore

#: few and short, so that operations meet
KEYS = st.binary(min_size=1, max_size=2).map(lambda key: bytes(byte % 3 for byte in key))
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.binary(max_size=3)),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("delete_range"), KEYS, KEYS),
    ),
    max_size=8,
)


def batch(changes: list[tuple[object, ...]]) -> Batch:
    made = Batch()
    for name, *arguments in changes:
        getattr(made, str(name))(*arguments)
    return made


def puts(*pairs: tuple[bytes, bytes]) -> Batch:
    made = Batch()
    made.put_all(pairs)
    return made


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = (
        MemoryStore() if request.param == "memory" else RocksStore(tmp_path / "db", create=True)
    )
    yield made
    made.close()


# --- both alike ---


def test_a_cursor_after_a_closed_one_sees_what_was_written_since(store: Store) -> None:
    for value in (b"1", b"2", b"3"):
        store.write(puts((b"k", value)))
        first, second = store.cursor(), store.cursor()
        for cursor in (first, second):
            cursor.seek(b"a")
            assert cursor.valid()
            assert cursor.value() == value
        first.close()
        first.close()  # counts once
        third, fourth = store.cursor(), store.cursor()
        third.seek(b"z")
        fourth.seek(b"a")
        assert fourth.valid()
        assert not third.valid()


def everything_about(store: Store, low: bytes, high: bytes) -> dict[str, object]:
    cursor = store.cursor()
    walk: list[object] = []
    cursor.seek(low)
    while cursor.valid():
        walk.append((cursor.key(), cursor.value()))
        cursor.next()
    cursor.seek_for_prev(high)
    while cursor.valid():
        walk.append((cursor.key(), cursor.value()))
        cursor.prev()
    return {
        "get": store.get(low),
        "first": store.first(low, high),
        "last": store.last(low, high),
        "scan": list(store.scan(low, high)),
        "walk": walk,
    }


@pytest.fixture(scope="module")
def shared_rocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RocksStore]:
    made = RocksStore(tmp_path_factory.mktemp("rocks") / "db", create=True)
    yield made
    made.close()


@settings(max_examples=200, deadline=None)
@given(batches=st.lists(CHANGES, max_size=5), reads=st.lists(st.tuples(KEYS, KEYS), max_size=4))
def test_memory_and_rocksdb_answer_alike(
    shared_rocks: RocksStore,
    batches: list[list[tuple[object, ...]]],
    reads: list[tuple[bytes, bytes]],
) -> None:
    memory = MemoryStore()
    start = Batch()
    start.delete_range(b"", b"\xff")
    shared_rocks.write(start)
    for number, changes in enumerate(batches):
        for each in (memory, shared_rocks):
            each.write(batch(changes))
            if number % 2:
                each.flush()
        for low, high in [*reads, (b"", b"\xff")]:
            assert everything_about(memory, low, high) == everything_about(shared_rocks, low, high)


def test_a_later_change_of_a_batch_counts(store: Store) -> None:
    changes = Batch()
    changes.put(b"a", b"1")
    changes.delete(b"a")
    changes.put(b"a", b"2")
    changes.put(b"b", b"1")
    changes.delete_range(b"b", b"c")
    assert (len(changes), changes.size) == (5, 9)
    store.write(changes)
    assert list(store.scan(b"", b"z")) == [(b"a", b"2")]


def test_a_scan_goes_on_while_others_write(store: Store) -> None:
    store.write(puts(*((number.to_bytes(4, "big"), b"old") for number in range(2_000))))
    seen: list[bytes] = []
    for key, _ in store.scan(b"", b"\xff"):
        seen.append(key)
        number = len(seen)
        changes = Batch()
        changes.delete(key)
        changes.put(b"\x00" + number.to_bytes(4, "big"), b"behind")
        changes.put(b"\x80" + number.to_bytes(4, "big"), b"ahead")
        store.write(changes)
        if number > 3_000:
            break
    assert seen == sorted(set(seen))
    assert {number.to_bytes(4, "big") for number in range(2_000)} <= set(seen)


def test_a_scan_sees_the_state_at_its_call(store: Store) -> None:
    store.write(puts(*((bytes([number]), b"old") for number in range(100))))
    scan = store.scan(b"", b"\xff")
    changes = Batch()
    changes.delete_range(b"", b"\x40")
    changes.put(b"\x50", b"new")
    store.write(changes)
    assert list(scan) == [(bytes([number]), b"old") for number in range(100)]


def test_every_thread_reads_what_was_written_before(store: Store) -> None:
    """A writer publishes a number after writing its key; no reader may miss a published key."""
    newest = -1
    missing: list[int] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            number = newest
            if number < 0:
                continue
            key = number.to_bytes(4, "big")
            if store.first(key, key + b"\x00") is None or store.get(key) is None:
                missing.append(number)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(3_000):
        store.write(puts((number.to_bytes(4, "big"), b"x")))
        newest = number
        if number % 1_000 == 0:
            store.flush()
    over.set()
    for reader in readers:
        reader.join()
    assert missing == []


def test_persisted_is_what_was_flushed(store: Store) -> None:
    store.write(puts((b"applied", b"1")))
    assert store.persisted(b"applied") is None
    store.flush()
    store.write(puts((b"applied", b"2")))
    assert store.persisted(b"applied") == b"1"
    store.flush()
    assert store.persisted(b"applied") == b"2"
    assert store.get(b"applied") == b"2"


def test_compaction_and_sizes(store: Store) -> None:
    store.write(puts(*((number.to_bytes(4, "big"), b"v" * 100) for number in range(20_000))))
    store.flush()
    store.compact()
    whole = store.approximate_size(b"", b"\xff")
    half = store.approximate_size(b"", (10_000).to_bytes(4, "big"))
    assert whole > 0
    assert 0.3 < half / whole < 0.7
    assert store.approximate_size(b"\x80", b"\xff") == 0


# --- the twin's own ---


def test_forks_are_independent_and_a_crash_goes_back_to_the_flush() -> None:
    one = MemoryStore()
    one.write(puts((b"a", b"1")))
    one.flush()
    two = one.fork()
    one.write(puts((b"b", b"1")))
    two.write(puts((b"c", b"1")))
    assert [key for key, _ in one.scan(b"", b"z")] == [b"a", b"b"]
    assert [key for key, _ in two.scan(b"", b"z")] == [b"a", b"c"]
    assert [key for key, _ in one.crash().scan(b"", b"z")] == [b"a"]
    one.close()
    with pytest.raises(RuntimeError, match="closed"):
        one.write(puts((b"d", b"1")))


# --- RocksDB's own ---


def test_a_full_memtable_makes_the_write_wait_and_not_fail(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "db", create=True, memtable_bytes=256 << 10)
    for number in range(200):
        store.write(puts((number.to_bytes(4, "big"), bytes(50_000))))
    assert sum(1 for _ in store.scan(b"", b"\xff")) == 200
    assert store.bytes_in_files() > 0
    buffers, cache = store.bytes_in_memory()
    assert 50_000 <= buffers <= 512 << 10
    assert cache > 0
    store.close()


def damage_the_largest_file(folder: Path) -> None:
    path = max(folder.glob("*.sst"), key=lambda each: each.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def key_of(number: int) -> bytes:
    return number.to_bytes(4, "big")


def walk(store: RocksStore) -> None:
    cursor = store.cursor()
    cursor.seek(b"")
    while cursor.valid():
        cursor.next()


@pytest.mark.parametrize(
    "read",
    [
        lambda store: sum(1 for _ in store.scan(b"", b"\xff")),
        lambda store: [store.get(key_of(number)) for number in range(20_000)],
        lambda store: [store.first(key_of(number), key_of(number + 1)) for number in range(20_000)],
        lambda store: [store.last(key_of(number), key_of(number + 1)) for number in range(20_000)],
        walk,
    ],
    ids=["scan", "get", "first", "last", "cursor"],
)
def test_damage_is_an_error_and_never_the_end(
    tmp_path: Path, read: Callable[[RocksStore], object]
) -> None:
    store = RocksStore(tmp_path / "db", create=True)
    store.write(puts(*((key_of(number), key_of(number) * 20) for number in range(20_000))))
    store.flush()
    store.close()
    damage_the_largest_file(tmp_path / "db")
    store = RocksStore(tmp_path / "db")
    with pytest.raises(CorruptData, match="Corruption"):
        read(store)
    store.close()


def test_who_misses_amid_a_write_what_it_moved_finds_it_where_it_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folding moves keys; who reads the old place first must not miss them in the new one."""
    store = RocksStore(tmp_path / "db", create=True)
    store.write(puts((b"old", b"1")))
    assert store.first(b"old", b"ole") == (
        b"old",
        b"1",
    )  # with an iterator that is idle from now on
    seen: list[tuple[bytes, bytes] | None] = []

    def look() -> None:
        found = next(store.scan(b"old", b"ole"), None)
        seen.append(found or store.first(b"new", b"nex"))
        again = store.cursor()
        again.seek(b"new")
        seen.append((again.key(), again.value()) if again.valid() else None)
        again.close()

    def amid(batch: Batch) -> None:
        look()
        write(batch)
        look()

    write = store._write
    monkeypatch.setattr(store, "_write", amid)
    moving = puts((b"new", b"1"))
    moving.delete(b"old")
    store.write(moving)
    look()
    store.close()
    old, new = (b"old", b"1"), (b"new", b"1")
    assert seen == [old, old, new, new, new, new]


def test_a_missing_record_is_not_made_anew_silently(tmp_path: Path) -> None:
    with pytest.raises(DiskFailed, match="does not exist"):
        RocksStore(tmp_path / "db")


def test_reopening_finds_what_was_flushed(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "db", create=True)
    store.write(puts((b"a", b"1")))
    assert store.first(b"a", b"b") == (b"a", b"1")
    store.flush()
    store.close()
    store = RocksStore(tmp_path / "db")
    assert store.get(b"a") == b"1"
    store.close()


def test_after_a_failed_write_nothing_more_is_written(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "db", create=True)
    store._db.close()
    with pytest.raises(DiskFailed, match="writing to the record"):
        store.write(puts((b"a", b"1")))
    with pytest.raises(DiskFailed, match="writing to the record"):
        store.flush()


def test_closing_ends_a_compaction(tmp_path: Path) -> None:
    """RocksDB cannot be closed while one runs; whoever stops a node must not wait for its end."""
    store = RocksStore(tmp_path / "db", create=True, memtable_bytes=1 << 20)
    for number in range(60):
        store.write(puts(*((b"%06d %d" % (key, number), bytes(200)) for key in range(2_000))))
    begun = threading.Event()
    ended: list[str] = []

    def compact() -> None:
        begun.set()
        store.compact()
        ended.append("quietly")

    thread = threading.Thread(target=compact)
    thread.start()
    begun.wait()
    store.close()
    thread.join(60)
    assert ended == ["quietly"]
    again = RocksStore(tmp_path / "db")
    assert again.get(b"%06d %d" % (7, 7)) in (None, bytes(200))  # nothing was flushed at the end
    again.close()


def test_a_copy_is_made_of_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library would flush itself it would flush with the interpreter held."""
    store = RocksStore(tmp_path / "db", create=True)
    in_memory: list[int | None] = []

    def look_first(db: Any) -> Any:
        in_memory.append(db.property_int_value("rocksdb.num-entries-active-mem-table"))
        return Checkpoint(db)

    monkeypatch.setattr(rocks, "Checkpoint", look_first)
    store.write(puts(*((b"%05d" % number, b"value") for number in range(1_000))))
    store.checkpoint(str(tmp_path / "copy"))
    assert in_memory == [0]
    copy = RocksStore(tmp_path / "copy", read_only=True)
    assert copy.get(b"00999") == b"value"
    copy.close()
    store.close()
