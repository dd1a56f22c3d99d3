"""``python -m bench.vacuum``: what forgetting gives back, what it takes, what versions cost.

Nodes get versions by single properties, then all but the newest version is let go, on RocksDB, step
by step as a log would drive it; times are of the CPU. What may go is counted by itself: every entry that nobody reads at
the newest version, and the contents of the journal (its headers are the audit trail and stay). Then
what a version of a wide node takes against a full copy of it, and what reading one costs after a
hundred versions against after one. Then the longest step while a node with very many relationships
is erased, and while it is vacuumed.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from statistics import median

from bench.common import Report, scratch
from everwhen.apply.machine import Outcome
from everwhen.apply.vacuum import PHASES
from everwhen.codec import journal
from everwhen.codec.keys import VERSIONED, Kind, kind_range
from everwhen.codec.records import encode_node_head
from everwhen.codec.retention import Horizon
from everwhen.codec.values import encode_value
from everwhen.limits import FOLD_KEYS_PER_STEP, VACUUM_KEYS_PER_STEP
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.verify import verify
from everwhen.storage.rocks import RocksStore
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database, origin_of
from tests.unit.apply.test_supernodes import deleted, loaded

WIDE = 50
READS = 1_000
TURNS = 5


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.vacuum", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2_000)
    parser.add_argument("--versions", type=int, default=100)
    parser.add_argument("--relationships", type=int, default=100_000, help="of one node")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("vacuum") as folder:
        store = RocksStore(folder / "db", create=True)
        forgetting(report, Database(store), store, options)
        store.close()
        wide = RocksStore(folder / "wide", create=True)
        wide_versions(report, Database(wide), wide)
        wide.close()
        for erased in (True, False):
            store = RocksStore(folder / f"hub-{erased}", create=True)
            supernode(report, Timed(store), options.relationships, erased=erased)
            store.close()
    return report.end()


class Timed(Database):
    """Keeps how long each step of apply took, ms of a core."""

    def __init__(self, store: RocksStore) -> None:
        self.took: list[float] = []
        super().__init__(store)

    def propose(self, command: c.Command) -> Outcome:
        started = time.thread_time()
        outcome = super().propose(command)
        self.took.append(1_000 * (time.thread_time() - started))
        return outcome


def write(db: Database, nodes: int, properties: int) -> list[int]:
    """Nodes with so many properties; their ids."""
    ids: list[int] = []
    for start in range(0, nodes, 1_000):
        transaction = db.begin()
        for number in range(start, min(start + 1_000, nodes)):
            values = {f"p{at}": f"value {at} of node {number}" for at in range(properties)}
            ids.append(transaction.create_node(["N"], {**values, "k": number}).id)
        db.commit(transaction)
    return ids


def change(db: Database, ids: list[int], version: int, key: str = "k") -> None:
    """One property of each node, in commits of a thousand."""
    for start in range(0, len(ids), 1_000):
        transaction = db.begin()
        for one in ids[start : start + 1_000]:
            node = transaction.node(one)
            assert node is not None
            transaction.set_property(node, key, f"version {version} of {one}")
        db.commit(transaction)


def forgetting(
    report: Report, db: Database, store: RocksStore, options: argparse.Namespace
) -> None:
    """History, then a round of vacuum down to the newest version."""
    db.create_index("N", "k", name="i")
    ids = write(db, options.nodes, 5)
    for version in range(options.versions):
        change(db, ids, version)
    store.flush()
    store.compact()
    files, entries = store.bytes_in_files(), total(store)
    may = may_go(db.state)
    head = db.state.current.head.version
    db.do(c.RaiseHorizon(c.FORMAT, 0, [Horizon("", "", head, 0)]))
    longest, steps = 0.0, 0
    by_phase: dict[str, float] = {}
    began = time.perf_counter()
    while True:
        phase = db.state.current.vacuum.phase
        started = time.thread_time()
        more = db.do(c.VacuumStep(c.FORMAT, VACUUM_KEYS_PER_STEP, len(db.log), not steps)).more
        took = time.thread_time() - started
        name = PHASES[max(phase, 1) - 1].name.lower()
        by_phase[name] = max(by_phase.get(name, 0.0), took)
        longest, steps = max(longest, took), steps + 1
        if not more:
            break
    seconds = time.perf_counter() - began
    keys = db.state.current.vacuum.keys
    gone = entries - total(store)
    store.flush()
    store.compact()
    slowest = {name: round(1_000 * took, 1) for name, took in by_phase.items()}
    report.add("vacuum: given back of what may go", "%", 100 * gone / may, bar=90)
    report.add(
        "vacuum: given back of the files",
        "%",
        100 * (files - store.bytes_in_files()) / files,
        before=files,
        after=store.bytes_in_files(),
    )
    report.add("vacuum: keys a second", "keys/s", keys / seconds, keys=keys, steps=steps)
    report.add("vacuum: longest step", "ms", 1_000 * longest, bar=20, at_most=True, by_kind=slowest)
    report.add(
        "vacuum: problems found afterwards", "", len(verify(store).problems), bar=0, at_most=True
    )


def total(store: RocksStore) -> int:
    """Bytes of all keys and values."""
    return sum(len(key) + len(value) for key, value in store.scan(b"", b"\xff" * 40))


def may_go(state: RecordState) -> int:
    """Bytes of what nobody reads at the newest version; counted apart from vacuum."""
    found = 0
    for kind in sorted(VERSIONED):
        stem = b""
        for key, value in state.store.scan(*kind_range(kind)):
            if key[:-8] == stem or (not value and kind is not Kind.NODE):
                found += len(key) + len(value)
            stem = key[:-8]
    for _, value in state.store.scan(*kind_range(Kind.JOURNAL)):
        record = journal.decode_record(value)
        found += len(value) - len(journal.encode_record(journal.with_left(record, b"")))
    times = list(state.store.scan(*kind_range(Kind.TIME)))
    return found + sum(len(key) + len(value) for key, value in times[:-1])


def supernode(report: Report, db: Timed, relationships: int, *, erased: bool) -> None:
    """A node that was loaded and deleted with all its relationships, in many commits or in one, is
    erased, or vacuumed."""

    def longest(what: str) -> None:
        report.add(
            f"{what} of a node of {relationships} relationships: longest step", "ms", max(db.took),
            bar=20, at_most=True, steps=len(db.took), median=median(db.took),
        )  # fmt: skip
        db.took.clear()

    loaded(db, relationships)
    gc.collect()
    gc.freeze()  # a served node sets aside what stays (server.collector)
    db.took.clear()
    if erased:
        deleted(db)
        longest("deletion in commits of a hundred")
    else:
        t = db.begin(spill=db.spill)
        for one in [one.id for one in t.relationships()]:
            t.delete_relationship(one)
        t.delete_node(0)
        db.commit(t)
        db.fold(FOLD_KEYS_PER_STEP)
        longest("deletion at once")
    head, limit = db.state.current.head.version, VACUUM_KEYS_PER_STEP
    if erased:
        db.do(c.Erase(c.FORMAT, db.tick(), [0], [], origin_of()))
    else:
        db.do(c.RaiseHorizon(c.FORMAT, 0, [Horizon("", "", head, 0)]))
    db.took.clear()
    more = True
    while more:
        step: c.Command = c.VacuumStep(c.FORMAT, limit, len(db.log), not db.took)
        more = db.do(c.EraseStep(c.FORMAT, limit, len(db.log)) if erased else step).more
    longest("erasure" if erased else "vacuum")


def wide_versions(report: Report, db: Database, store: RocksStore) -> None:
    """Space and reads of a few wide nodes with many versions."""
    ids = write(db, 20, WIDE)
    before = entity_bytes(store)
    alone = reading(db, ids)
    changed = 0.0
    for version in range(100):
        change(db, ids, version, f"p{version % WIDE}")
        if version + 1 == WIDE:
            changed = reading(db, ids)
    taken = (entity_bytes(store) - before) / (100 * len(ids))
    values = {at: encode_value(f"value {at} of node 1") for at in range(WIDE)}
    copy = len(encode_node_head([1], values)) + 23
    report.add(
        "a version of a node of 50 properties",
        "bytes",
        taken,
        {"full copy": float(copy)},
        bar=1 / 3,
        at_most=True,
        against_peer=True,
    )
    report.add(
        "reading it whole after 100 versions",
        "µs",
        reading(db, ids),
        {"after each property changed once": changed},
        bar=1.3,
        at_most=True,
        against_peer=True,
        after_one=alone,
    )


def entity_bytes(store: RocksStore) -> int:
    """Bytes of the entities' entries."""
    return sum(len(key) + len(value) for key, value in store.scan(*kind_range(Kind.NODE)))


def reading(db: Database, ids: list[int]) -> float:
    """µs of reading all properties of one node, nothing kept; median of turns."""
    turns = []
    for _ in range(TURNS):
        started = time.thread_time()
        for number in range(READS // len(ids)):
            snapshot = GraphSnapshot(db.state)
            for one in ids:
                dict(snapshot.node_properties(one))
            del number
        turns.append((time.thread_time() - started) / READS * 1e6)
    return median(turns)


if __name__ == "__main__":
    sys.exit(main())
