"""Versioned reads on a bare store: newest at or below, many versions, runs."""

from __future__ import annotations

from everwhen.codec import keys
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch
from everwhen.mvcc.versioned import Run, Versioned

STEMS = [keys.label_stem(1, node) for node in range(4)]


def store_of(*entries: tuple[bytes, int, bytes]) -> MemoryStore:
    store = MemoryStore()
    batch = Batch()
    for stem, version, value in entries:
        batch.put(keys.at_version(stem, version), value)
    store.write(batch)
    return store


def stage(store: MemoryStore, run: int, *entries: tuple[bytes, bytes]) -> None:
    batch = Batch()
    for stem, value in entries:
        batch.put(keys.run_key(run, stem), value)
    store.write(batch)


def everything(record: Versioned, version: int) -> list[tuple[int, int, bytes]]:
    found = record.prefix(keys.label_prefix(1), version)
    return [(STEMS.index(stem), at, value) for stem, at, value in found]


def test_the_newest_at_or_below_a_version() -> None:
    record = Versioned(store_of((STEMS[0], 3, b"a"), (STEMS[0], 5, b""), (STEMS[1], 4, b"c")))
    assert record.at(STEMS[0], 2) is None
    assert record.at(STEMS[0], 3) == (3, b"a")
    assert record.at(STEMS[0], 4) == (3, b"a")
    assert record.at(STEMS[0], 99) == (5, b"")
    assert record.newest(STEMS[0]) == (5, b"")
    assert record.newest(STEMS[2]) is None
    assert everything(record, 2) == []
    assert everything(record, 4) == [(0, 3, b"a"), (1, 4, b"c")]
    assert everything(record, 5) == [(0, 5, b""), (1, 4, b"c")]


def test_many_versions_are_jumped_over() -> None:
    history = [
        (STEMS[node], version, b"%d" % version) for node in (0, 2) for version in range(1, 200)
    ]
    record = Versioned(store_of(*history, (STEMS[1], 7, b"x"), (STEMS[3], 150, b"y")))
    for version in (1, 6, 7, 100, 149, 150, 199, 500):
        expected = [
            (node, top, b"%d" % top)
            for node, top in ((0, min(version, 199)), (2, min(version, 199)))
        ]
        if version >= 7:
            expected.append((1, 7, b"x"))
        if version >= 150:
            expected.append((3, 150, b"y"))
        assert everything(record, version) == sorted(expected)


def test_a_run_counts_from_its_version_on() -> None:
    store = store_of((STEMS[0], 2, b"old"), (STEMS[0], 9, b"new"), (STEMS[1], 2, b"kept"))
    stage(store, 7, (STEMS[0], b"run"), (STEMS[2], b"only"))
    stage(store, 8, (STEMS[0], b"later"))
    record = Versioned(store, (Run(7, 5), Run(8, 6)))
    assert record.at(STEMS[0], 4) == (2, b"old")
    assert record.at(STEMS[0], 5) == (5, b"run")
    assert record.at(STEMS[0], 8) == (6, b"later")
    assert record.at(STEMS[0], 9) == (9, b"new")
    assert record.at(STEMS[2], 4) is None
    assert record.newest(STEMS[2]) == (5, b"only")
    assert everything(record, 4) == [(0, 2, b"old"), (1, 2, b"kept")]
    assert everything(record, 5) == [(0, 5, b"run"), (1, 2, b"kept"), (2, 5, b"only")]
    assert everything(record, 9) == [(0, 9, b"new"), (1, 2, b"kept"), (2, 5, b"only")]


def test_an_unpublished_run_is_not_seen() -> None:
    store = store_of((STEMS[0], 2, b"old"))
    stage(store, 7, (STEMS[0], b"run"))
    assert Versioned(store).newest(STEMS[0]) == (2, b"old")


def test_folding_beneath_a_scan_loses_and_repeats_nothing() -> None:
    store = store_of((STEMS[0], 2, b"a"))
    stage(store, 7, (STEMS[1], b"b"), (STEMS[2], b"c"), (STEMS[3], b"d"))
    scan = Versioned(store, (Run(7, 5),)).prefix(keys.label_prefix(1), 9)
    found = [next(scan)]
    batch = Batch()
    for stem, value in ((STEMS[1], b"b"), (STEMS[2], b"c"), (STEMS[3], b"d")):
        batch.put(keys.at_version(stem, 5), value)
    store.write(batch)
    found += scan
    assert [value for _, _, value in found] == [b"a", b"b", b"c", b"d"]
    batch = Batch()
    batch.delete_range(keys.run_prefix(7), keys.after(keys.run_prefix(7)))
    store.write(batch)
    again = Versioned(store, (Run(7, 5),)).prefix(keys.label_prefix(1), 9)
    assert [value for _, _, value in again] == [b"a", b"b", b"c", b"d"]


def test_what_is_folded_while_a_scan_runs_is_seen_once() -> None:
    store = MemoryStore()
    stems = [keys.node_stem(number) for number in range(600)]
    batch = Batch()
    for stem in stems:
        batch.put(keys.run_key(9, stem), b"x")
    store.write(batch)
    start, end = stems[0], stems[-1] + b"\xff"
    scan = Versioned(store, (Run(9, 4),)).scan(start, end, 5)
    found = [next(scan)[0] for _ in range(20)]
    batch = Batch()
    for stem in stems:
        batch.put(stem + keys.VERSION.pack(keys.VERSION_MAX - 4), b"x")
        batch.delete(keys.run_key(9, stem))
    store.write(batch)
    found += [entry[0] for entry in scan]
    assert found == stems
