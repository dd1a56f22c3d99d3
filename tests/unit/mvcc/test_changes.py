"""The changes of commits: replayed from anywhere they lead from one version to another."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from everwhen import limits
from everwhen.codec.columns import column_of
from everwhen.codec.keys import Kind, kind_range
from everwhen.codec.retention import Horizon, Retention
from everwhen.codec.segment_making import node_segment, relationship_segment
from everwhen.codec.segments import encode_segment
from everwhen.codec.values import encode_value
from everwhen.errors import ChangesGone
from everwhen.model.changes import ChangeRecord, Names, Position
from everwhen.model.graph import EntityKind
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.state import RecordState
from everwhen.runtime.embedded import Embedded
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database, origin_of
from tests.unit.mvcc.test_difference import STATEMENTS

START = Position(0)
Things = dict[tuple[EntityKind, int], tuple[Any, Any, dict[str, Any]]]


def state_of(snapshot: GraphSnapshot) -> Things:
    """Names, ends and properties of everything there is."""
    found: Things = {}
    for node in snapshot.nodes():
        found[EntityKind.NODE, node.id] = node.labels, None, dict(node.properties)
    for one in snapshot.relationships():
        ends = one.start, one.end
        found[EntityKind.RELATIONSHIP, one.id] = (one.type,), ends, dict(one.properties)
    return found


def replay(things: Things, record: ChangeRecord) -> None:
    """What a reader of changes does; everything it is told must fit."""
    key = record.kind, record.id
    if record.event == "created":
        assert key not in things
        assert record.old is None
        things[key] = record.names, record.ends, dict(record.new or {})
        return
    names, ends, properties = things[key]
    assert ends == record.ends
    if record.event == "deleted":
        assert (names, exact(properties)) == (record.names, exact(record.old or {}))
        assert record.new is None
        del things[key]
        return
    assert names == (record.names if record.old_names is None else record.old_names)
    before, after = record.old or {}, record.new or {}
    assert before.keys() == after.keys()
    assert exact({k: properties.get(k) for k in before}) == exact(before)
    merged = {**properties, **after}
    things[key] = record.names, ends, {k: v for k, v in merged.items() if v is not None}


def exact(values: dict[str, Any]) -> dict[str, bytes | None]:
    return {key: None if v is None else encode_value(v) for key, v in values.items()}


def same(one: Things, other: Things) -> bool:
    def plain(things: Things) -> Any:
        return {key: (n, e, exact(p)) for key, (n, e, p) in things.items()}

    return bool(plain(one) == plain(other))


def check(state: RecordState) -> int:
    """Every way from one version to a later one; how many changes there are."""
    newest = state.current.head.version
    records = list(GraphSnapshot(state).changes(0))
    positions = [record.position for record in records]
    assert positions == sorted(positions)
    assert len(set(positions)) == len(positions)
    for version in range(newest + 1):
        things = state_of(GraphSnapshot(state, version))
        for record in GraphSnapshot(state).changes(version):
            replay(things, record)
        assert same(things, state_of(GraphSnapshot(state)))
    for number, record in enumerate(records):
        reader = GraphSnapshot(state).change_reader(record.position, None)
        assert list(reader) == records[number + 1 :]
        assert reader.position == Position(newest)
    return len(records)


@pytest.mark.parametrize("seed", range(4))
def test_random_histories(seed: int) -> None:
    chance = random.Random(seed)
    with Embedded() as database:
        for number in range(15):
            statement = STATEMENTS[0] if number < 3 else chance.choice(STATEMENTS)
            database.execute(statement.replace("{n}", str(chance.randrange(12))))
        assert check(RecordState.load(database.store)) > 0


def test_what_large_transactions_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MUTATIONS_PER_CHUNK", 3)
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 10)
    with Embedded() as database:
        database.execute("CREATE (:A {k: 1})")
        database.execute("UNWIND range(1, 12) AS i CREATE (:A {k: i})-[:R {w: i}]->(:B {k: i})")
        database.execute("MATCH (x) WHERE x.k % 2 = 0 SET x.v = x.k")
        database.execute("MATCH (x:A) WHERE x.k % 3 = 0 DETACH DELETE x")
        assert next(iter(database.store.scan(*kind_range(Kind.PIECE))), None) is not None
        assert check(RecordState.load(database.store)) > 36


def loaded() -> Database:
    database = Database()
    small = database.begin()
    small.create_node(["N"], {})
    database.commit(small)
    ids = np.arange(100, 120, dtype=np.int64)
    piece = [
        encode_segment(node_segment(["P", "O"], ids, {"k": column_of(ids.tolist())})),
        encode_segment(relationship_segment("E", np.arange(20, dtype=np.int64), ids, ids, {})),
    ]
    begin = c.BeginChunks(c.FORMAT, 0, database.view().version, origin_of())
    number = database.do(begin).transaction
    database.do(c.Chunk(c.FORMAT, number, 0, [], [], piece, c.Checks()))
    database.do(c.CommitChunks(c.FORMAT, database.tick(), number, 1))
    return database


def test_what_was_loaded_as_segments() -> None:
    state = loaded().state
    assert check(state) == 41
    first, second = list(GraphSnapshot(state).changes(1))[:2]
    assert (first.names, first.new, first.number) == (("O", "P"), {"k": 100}, 0)
    assert second.number == 1


def test_only_what_is_wanted() -> None:
    state = loaded().state

    def wanted(labels: str, types: str, after: Position = START) -> list[Position]:
        names = Names(frozenset(labels.split()), frozenset(types.split()))
        reader = GraphSnapshot(state).change_reader(after, names)
        found = [record.position for record in reader]
        assert reader.position == Position(2)
        return found

    assert wanted("P", "") == [Position(2, n) for n in range(20)]
    assert wanted("N P X", "") == [Position(1, 0), *(Position(2, n) for n in range(20))]
    assert wanted("", "E", Position(2, 24)) == [Position(2, n) for n in range(25, 40)]
    assert wanted("N", "E", Position(2, 39)) == []
    assert wanted("X", "X") == []


def test_a_label_that_was_taken_away_counts() -> None:
    with Embedded() as database:
        database.execute("CREATE (:A)")
        database.execute("MATCH (n:A) REMOVE n:A SET n:B")
        database.execute("MATCH (n:B) SET n.k = 1")
        reader = GraphSnapshot(RecordState.load(database.store)).change_reader(
            Position(0), Names(frozenset({"A"}), frozenset())
        )
        found = list(reader)
    assert [(r.event, r.old_names, r.names) for r in found] == [
        ("created", None, ("A",)),
        ("changed", ("A",), ("B",)),
    ]


def test_older_than_what_is_kept() -> None:
    state = loaded().state
    state.publish(state.current.head, retention=Retention(journal_floor=1))
    assert [r.commit.version for r in GraphSnapshot(state).changes(1)][:1] == [2]
    with pytest.raises(ChangesGone, match="oldest position to go on from is 1"):
        list(GraphSnapshot(state).changes(0))
    with pytest.raises(ChangesGone):
        list(GraphSnapshot(state).change_reader(Position(1, 0), None))


def test_vacuum_under_the_eyes_of_a_reader() -> None:
    """It is told so, and not that there was less."""
    database = Database()
    for _ in range(3):
        t = database.begin()
        t.create_node(["A"], {})
        database.commit(t)
    reader = iter(GraphSnapshot(database.state).change_reader(Position(0), None))
    assert next(reader).commit.version == 1
    database.do(c.RaiseHorizon(c.FORMAT, 0, [Horizon("", "", 2, 0)]))
    while database.do(c.VacuumStep(c.FORMAT, 100, len(database.log), True)).more:
        pass
    with pytest.raises(ChangesGone, match="oldest position to go on from is 2"):
        next(reader)
