"""``python -m bench.compaction``: what moving small commits into column segments gives, and takes.

Nodes and relationships with two properties and one, written a thousand a commit, on RocksDB. Then
all of them are compacted step by step as a log would drive it; times of steps are of the CPU. Before
and after: bytes on disk, elements a second into the image, and what reading one element and the
neighbours of one node costs, as ratios of the two in one run.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable

from bench.common import Report, scratch
from everwhen.codec.compaction import CHECKING
from everwhen.codec.keys import Kind
from everwhen.columns.graph.image import GraphImage
from everwhen.limits import COMPACTION_ROWS_PER_STEP
from everwhen.model.graph import Direction
from everwhen.mvcc.compactable import Extent, window_of
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.verify import verify
from everwhen.storage.rocks import RocksStore
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database

COMMIT = 1_000
READS = 5_000
TURNS = 7


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.compaction", description=__doc__)
    parser.add_argument("--nodes", type=int, default=50_000)
    parser.add_argument("--relationships", type=int, default=250_000)
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("compaction") as folder:
        store = RocksStore(folder / "db", create=True)
        db = Database(store)
        write(db, options.nodes, options.relationships)
        elements = options.nodes + options.relationships
        GraphImage(db.state).view(db.view().version, 1 << 40)  # what compiles does so now
        before = measured(db, store, elements)
        compact(report, db)
        after = measured(db, store, elements)
        for name, unit in (("bytes an element", "B"), ("into the image", "elements/s")):
            report.add(f"compaction: {name}", unit, after[name], before=before[name])
        for name in ("a node", "a relationship", "neighbours, outgoing", "neighbours, both ways"):
            report.add(
                f"compaction: {name}",
                "x",
                after[name] / before[name],
                bar=1.1,
                at_most=True,
                before_us=before[name],
                after_us=after[name],
            )
        problems = len(verify(store).problems)
        report.add("compaction: problems found afterwards", "", problems, bar=0, at_most=True)
        store.close()
    return report.end()


def write(db: Database, nodes: int, relationships: int) -> None:
    chance, ids = random.Random(1), list[int]()
    for start in range(0, nodes, COMMIT):
        t = db.begin()
        for at in range(start, min(start + COMMIT, nodes)):
            ids.append(t.create_node(["P"], {"name": f"name {at}", "i": at}).id)
        db.commit(t)
    for start in range(0, relationships, COMMIT):
        t = db.begin()
        for at in range(start, min(start + COMMIT, relationships)):
            t.create_relationship(chance.choice(ids), "R", chance.choice(ids), {"w": at})
        db.commit(t)
    db.log.clear()
    db.log.extend([b""] * db.machine.applied_index)


def compact(report: Report, db: Database) -> None:
    """All windows, their segments, and the steps of each."""
    longest = {"proposal": 0.0, "compared": 0.0, "cleared": 0.0}
    began = time.perf_counter()
    looked = 0.0

    def timed(name: str, command: c.Command) -> None:
        started = time.thread_time()
        db.do(command)
        longest[name] = max(longest[name], 1_000 * (time.thread_time() - started))

    for kind in (Kind.NODE, Kind.REL):
        place: int | None = 0
        while place is not None:
            looking = time.perf_counter()
            window = window_of(db.store, db.state.tokens, kind, place, Extent(), lambda: None)
            looked += time.perf_counter() - looking
            place = window.following
            for segment in window.segments:
                timed("proposal", c.CompactSegment(c.FORMAT, segment))
                while phase := db.state.current.compaction.phase:
                    step = c.CompactStep(c.FORMAT, COMPACTION_ROWS_PER_STEP, len(db.log))
                    timed("compared" if phase == CHECKING else "cleared", step)
    seconds = time.perf_counter() - began
    rows = db.state.current.compaction.rows
    told = {name: round(took, 1) for name, took in longest.items()}
    slowest = max(longest.values())
    report.add("compaction: longest step", "ms", slowest, bar=20, at_most=True, by_kind=told)
    report.add(
        "compaction: elements a second", "elements/s", rows / seconds, rows=rows, looking_s=looked
    )


def measured(db: Database, store: RocksStore, elements: int) -> dict[str, float]:
    store.flush()
    store.compact()
    chance = random.Random(2)
    nodes = chance.sample([one.id for one in db.view().nodes()], READS)
    some = chance.sample([one.id for one in db.view().relationships()], READS)
    started = time.perf_counter()
    GraphImage(db.state).view(db.view().version, 1 << 40)
    found = {
        "bytes an element": store.bytes_in_files() / elements,
        "into the image": elements / (time.perf_counter() - started),
    }

    def expand(view: GraphSnapshot, node: int, direction: Direction) -> None:
        for _ in view.expand(node, direction):
            pass

    asked: dict[str, tuple[list[int], Callable[[GraphSnapshot, int], object]]] = {
        "a node": (nodes, lambda view, one: view.node_property(one, "name")),
        "a relationship": (some, lambda view, one: view.relationship_property(one, "w")),
        "neighbours, outgoing": (nodes, lambda view, one: expand(view, one, Direction.OUT)),
        "neighbours, both ways": (nodes, lambda view, one: expand(view, one, Direction.BOTH)),
    }
    for name, (ids, ask) in asked.items():
        best = float("inf")
        for _ in range(TURNS):
            view = GraphSnapshot(db.state)
            started = time.perf_counter()
            for one in ids:
                ask(view, one)
            best = min(best, time.perf_counter() - started)
        found[name] = 1e6 * best / READS
    return found


if __name__ == "__main__":
    sys.exit(main())
