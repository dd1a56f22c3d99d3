"""The history that every golden data directory holds, and what must be read from it.

It uses every kind of key: entities with all value types, deltas, deletions, relationships,
constraints and indexes, a large transaction that is folded and one that is not, column segments, a
transaction that is still staged, request ids, a closed time. Part of it is in the record, the rest
only in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from everwhen.codec.columns import column_of
from everwhen.codec.segment_making import node_segment, relationship_segment
from everwhen.codec.segments import encode_segment
from everwhen.model.spatial import CARTESIAN_3D, WGS_84, Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.value_text import to_text
from everwhen.model.vector import Vector
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.runtime.system import SystemDisk, SystemRandom
from everwhen.storage.directory import DataDirectory
from everwhen.storage.frames import Entry
from everwhen.storage.rocks import RocksStore
from everwhen.txn import commands as c
from everwhen.txn import commit
from tests.unit.apply.harness import Database, origin_of

VALUES: dict[str, Any] = {
    "bool": True,
    "int": 2**63 - 1,
    "negative": -1,
    "float": -0.0,
    "nan": float("nan"),
    "text": "Grüße\x00",
    "bytes": b"\x00\xff",
    "ints": [1, 2],
    "texts": ["a", ""],
    "empty": [],
    "date": Date(19_000),
    "local_time": LocalTime(1),
    "time": Time(3_600_000_000_000, 7_200),
    "local_date_time": LocalDateTime(-1, 5),
    "date_time": DateTime(20_000, 0, 3_600, "Europe/Berlin"),
    "duration": Duration.of(14, -3, 5, 999_999_999),
    "point": Point(WGS_84, (13.4, 52.5)),
    "point_3d": Point(CARTESIAN_3D, (1.0, 2.0, 3.0)),
    "vector": Vector.of([0.5, -1.0], "FLOAT32"),
}


class LoggedDatabase(Database):
    """The harness over a data directory: every entry goes through its log."""

    def __init__(self, directory: DataDirectory) -> None:
        self.directory = directory
        super().__init__(directory.store)
        low, high = directory.log.first_index, directory.log.last_index + 1
        entries = list(directory.log.entries(low, high)) if low < high else []
        self.log = [entry.payload for entry in entries]
        first = self.machine.applied_index + 1
        replay = [(e.index, e.term, e.payload) for e in entries if e.index >= first]
        if replay:
            self.machine.apply_batch(replay)
        #: entries that the record did not have when it was opened
        self.replayed = len(replay)
        self.time = max(self.time, self.state.current.head.closed_time)

    def propose(self, command: c.Command) -> Any:
        payload = c.encode(command)
        self.directory.log.append([Entry(len(self.log) + 1, 1, 0, payload)])
        return super().propose(command)


@contextmanager
def opened(root: Path) -> Iterator[LoggedDatabase]:
    """The data directory at ``root``, made if it is not there."""
    directory = DataDirectory.open(
        SystemDisk(),
        root,
        SystemRandom(),
        lambda path, create: RocksStore(path, create=create, memtable_bytes=1 << 20),
        holder="tests/compat",
        ballast_bytes=0,
        segment_bytes=64 << 10,
    )
    try:
        yield LoggedDatabase(directory)
    finally:
        directory.close()


def write(db: Database) -> None:
    """All of the history."""
    _small_commits(db)
    _large_commits(db)
    db.store.flush()
    _only_in_the_log(db)


def _small_commits(db: Database) -> None:
    t = db.begin()
    t.create_node(["Everything"], VALUES)
    for number in range(4):
        t.create_node(["Person"], {"name": f"p{number}", "age": number * 10})
    db.commit(t, client="golden", sequence=1)
    db.create_constraint("UNIQUENESS", "Person", "name", name="person_name")
    db.create_constraint("PROPERTY_EXISTENCE", "Person", "age", name="person_age")
    db.create_index("Person", "age", "name", name="by_age")
    t = db.begin()
    people = list(t.nodes_with_label("Person"))
    for one, other in pairwise(people):
        t.create_relationship(one.id, "KNOWS", other.id, {"since": one.id})
    t.create_relationship(people[0].id, "LIKES", people[0].id, {})
    db.commit(t)
    t = db.begin()
    t.set_property(people[1], "age", 11.5)
    t.set_property(people[1], "nick", "one")
    t.add_labels(people[2].id, ["Dog"])
    t.remove_labels(people[0].id, ["Person"])
    t.set_property(next(t.relationships(["KNOWS"])), "since", None)
    db.commit(t)
    t = db.begin()
    last = people[3]
    for known in list(t.relationships(["KNOWS"])):
        if last.id in (known.start, known.end):
            t.delete_relationship(known.id)
    t.delete_node(last.id)
    t.set_property(people[1], "nick", None)
    db.commit(t)


def _large_commits(db: Database) -> None:
    t = db.begin()
    made = [t.create_node(["Bulk"], {"i": number}) for number in range(6)]
    for node in t.nodes_with_label("Person"):
        t.create_relationship(made[0].id, "OWNS", node.id, {})
        t.set_property(node, "age", 1)
    db.commit(t, chunked=True)
    db.fold()
    _segments(db)
    db.fold()
    t = db.begin()
    for node in list(t.nodes_with_label("Bulk"))[:3]:
        t.set_property(node, "i", "changed")
    t.delete_node(made[5].id)
    db.commit(t, chunked=True)


def _segments(db: Database) -> None:
    leased: c.Leased = db.do(c.LeaseIds(c.FORMAT, 10, 20))
    nodes = np.arange(10, dtype=np.int64) + leased.first_node
    links = np.arange(20, dtype=np.int64) + leased.first_relationship
    words = column_of(["red", "red", "green", "green", None] * 2)
    columns = {"n": column_of(list(range(10))), "colour": words, "ok": column_of([True] * 10)}
    starts = np.repeat(nodes, 2)
    ends = np.tile(nodes[:2], 10)
    weights = column_of([number / 4 for number in range(20)])
    pieces = [
        encode_segment(node_segment(["Row", "Bulk"], nodes, columns)),
        encode_segment(relationship_segment("LINK", links, starts, ends, {"w": weights})),
    ]
    begin = c.BeginChunks(c.FORMAT, 0, db.view().version, origin_of())
    number = db.do(begin).transaction
    db.do(c.Chunk(c.FORMAT, number, 0, [], [], pieces, c.Checks()))
    db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 1))
    t = db.begin()
    third = t.node(int(nodes[3]))
    assert third is not None
    t.set_property(third, "n", -3)
    t.delete_relationship(int(links[4]))
    db.commit(t)


def _only_in_the_log(db: Database) -> None:
    t = db.begin()
    t.create_node(["Late"], {"where": "log"})
    db.commit(t)
    db.do(c.CloseTime(c.FORMAT, db.tick()))
    t = db.begin()
    t.create_node(["Never"], {})
    t.prepare()
    number = db.do(commit.begin_of(t, origin_of())).transaction
    for chunk in commit.take_chunks(t, number, last=True):
        db.do(chunk)


def reading(db: Database) -> dict[str, Any]:
    """What must be read from it, at every version, as JSON."""
    newest = db.view()
    return {
        "versions": {str(v): _graph(db.view(v)) for v in range(newest.version + 1)},
        "times": [newest.version_at(db.state.current.head.time)],
        "indexes": {
            name: [list(db.view(v).index_scan(name)) for v in range(newest.version + 1)]
            for name in newest.catalog.indexes
        },
        "constraints": sorted(newest.catalog.constraints),
        "repeated": db.state.current.head.version,
    }


def _graph(view: GraphSnapshot) -> dict[str, Any]:
    return {
        "nodes": {
            str(node.id): [list(node.labels), {k: to_text(v) for k, v in node.properties.items()}]
            for node in view.nodes()
        },
        "relationships": {
            str(one.id): [
                one.type,
                one.start,
                one.end,
                {k: to_text(v) for k, v in one.properties.items()},
            ]
            for one in view.relationships()
        },
        "labels": {
            label: [node.id for node in view.nodes_with_label(label)]
            for label in ("Person", "Dog", "Bulk", "Row", "Late", "Never")
        },
    }
