"""``python -m bench.image``: the graph in memory: how long it takes to be read, what it takes, how
fast it follows commits, and what a view of the past costs.

A graph of 200,000 nodes and 4,000,000 relationships from a fixed seed, loaded as segments; the
state machine alone, without log, network or statements.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from bench.common import Report, scratch
from everwhen import limits
from everwhen.codec.columns import IntColumn, column_of
from everwhen.codec.segment_making import node_segment, relationship_order, relationship_segment
from everwhen.codec.segments import encode_segment
from everwhen.columns.graph.image import GraphImage
from everwhen.runtime.system import SystemDisk
from everwhen.storage.image_file import ImageFile
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database, origin_of

SEED: Final = 20_231
ALL: Final = 1 << 40


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.image", description=__doc__)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--edges", type=int, default=4_000_000)
    parser.add_argument("--commits", type=int, default=2_000)
    options = parser.parse_args(arguments)
    report = Report()
    chance = np.random.default_rng(SEED)
    db = Database()
    load(db, chance, options.nodes, options.edges)
    image = GraphImage(db.state, 8 << 30)
    GraphImage(Database().state).view(0, ALL)  # compiles
    seconds = timed(lambda: read(image))
    elements = options.nodes + options.edges
    report.add("image_load", "elements/s", elements / seconds, seconds=seconds)
    held = image.by_kind
    nodes = sum(held.get(kind, 0) for kind in ("ids", "labels", "properties", "texts"))
    report.add("image_memory", "bytes/relationship", image.bytes / options.edges, held=held)
    report.add("image_node_memory", "bytes/node, at most", nodes / options.nodes)
    follow(report, db, image, options.commits)
    past(report, db, image, chance)
    saved(report, db, image)
    return report.end()


def timed(call: Callable[[], Any]) -> float:
    """Seconds of this process, so that others on the machine matter less."""
    started = time.process_time()
    call()
    return time.process_time() - started


def read(image: GraphImage) -> None:
    """As the background does."""
    while image.view(image._state.current.head.version, ALL) is None:
        image.tend()


def load(db: Database, chance: np.random.Generator, nodes: int, edges: int) -> None:
    """People who know each other, with a skewed degree distribution, as segments."""
    leased = db.do(c.LeaseIds(c.FORMAT, nodes, edges))
    begun = db.do(c.BeginChunks(c.FORMAT, 0, 0, origin_of()))
    number = 0

    def send(segment: Any) -> None:
        nonlocal number
        data = encode_segment(segment)
        db.do(c.Chunk(c.FORMAT, begun.transaction, number, [], [], [data], c.Checks()))
        db.log[-1] = b""
        number += 1

    ages = chance.integers(0, 100, nodes)
    for low in range(0, nodes, limits.BULK_ROWS):
        ids = np.arange(low, min(low + limits.BULK_ROWS, nodes), dtype=np.int64)
        names = column_of([f"person {one}" for one in ids.tolist()])
        columns = {"name": names, "age": IntColumn(ages[ids])}
        send(node_segment(["Person"], ids + leased.first_node, columns))
    starts = chance.integers(0, nodes, edges)
    ends = (nodes * chance.random(edges) ** 2).astype(np.int64)
    order = relationship_order(starts, ends)
    starts, ends = starts[order] + leased.first_node, ends[order] + leased.first_node
    since = chance.integers(1990, 2026, edges)
    for low in range(0, edges, limits.BULK_ROWS):
        part = slice(low, min(low + limits.BULK_ROWS, edges))
        ids = np.arange(part.start, part.stop, dtype=np.int64) + leased.first_relationship
        send(
            relationship_segment(
                "KNOWS", ids, starts[part], ends[part], {"since": IntColumn(since[part])}
            )
        )
    db.do(c.CommitChunks(c.FORMAT, db.tick(), begun.transaction, number))


def follow(report: Report, db: Database, image: GraphImage, commits: int) -> None:
    """Small commits of each kind, then the image taken over them."""
    view = db.view()
    nodes = [one.id for one, _ in zip(view.nodes(), range(commits), strict=False)]
    relationships = [one.id for one, _ in zip(view.relationships(), range(commits), strict=False)]
    kinds: dict[str, Callable[[Any, int], Any]] = {
        "create_node": lambda t, at: t.create_node(["Person"], {"name": f"new {at}", "age": at}),
        "create_relationship": lambda t, at: t.create_relationship(
            nodes[at], "KNOWS", nodes[-1 - at], {"since": at}
        ),
        "set_property": lambda t, at: t.set_property(t.node(nodes[at]), "age", at),
        "delete_relationship": lambda t, at: t.delete_relationship(relationships[at]),
    }
    for name, write in kinds.items():
        for at in range(commits):
            t = db.begin()
            write(t, at)
            db.commit(t)
            db.log[-1] = b""
        before = image.held
        seconds = timed(lambda: image.view(db.view().version, ALL))
        report.add(f"image_follow_{name}", "commits/s", commits / seconds, versions=before)


def past(report: Report, db: Database, image: GraphImage, chance: np.random.Generator) -> None:
    """Scans and adjacency at the present and at random moments."""
    newest = db.view().version
    oldest = newest - limits.IMAGE_FOLLOW_VERSIONS_MAX

    def scan(version: int) -> int:
        view = image.view(version, ALL)
        assert view is not None
        table = view.relationships("KNOWS")
        assert table is not None
        found = len(view.node_values("age", view.nodes()))
        found += len(table.values("since", table.rows()))
        return found + len(table.adjacency(outgoing=True).ends) + table.count()

    for name in ("first", "again"):
        report.add(f"image_present_{name}", "seconds", timed(lambda: scan(newest)))
    late = GraphImage(db.state, 8 << 30)
    read(late)
    seconds = timed(lambda: late.view(oldest, ALL))
    assert late.held == (oldest, newest)
    report.add("image_extend", "commits/s", limits.IMAGE_FOLLOW_VERSIONS_MAX / seconds)
    for version in sorted(chance.integers(oldest, newest, 5).tolist()):
        for name in ("past", "past_again"):
            seconds = timed(partial(scan, version))
            report.add(f"image_{name}", "seconds", seconds, back=newest - version)
    tended(image)
    report.add("image_present_merged", "seconds", timed(lambda: scan(newest)))
    report.add("image_memory_after", "bytes", image.bytes, held=image.by_kind)


def saved(report: Report, db: Database, image: GraphImage) -> None:
    """A checkpoint written, and taken up as a start does."""
    with scratch("image") as folder:
        shelf = ImageFile(SystemDisk(), folder)
        image.saving.shelf = shelf
        image.saving.drop()
        seconds = timed(lambda: tended(image))
        (path,) = folder.iterdir()
        report.add("image_save", "seconds", seconds, bytes=path.stat().st_size)
        again = GraphImage(db.state, 8 << 30)
        again.saving.shelf = shelf
        report.add("image_take_up", "seconds", timed(again.tend), held=again.held)


def tended(image: GraphImage) -> None:
    while image.tend():
        pass


if __name__ == "__main__":
    raise SystemExit(main())
