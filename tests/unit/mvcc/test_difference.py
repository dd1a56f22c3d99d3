"""What differs between two versions, against a comparison of everything there is."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest

from everwhen import limits
from everwhen.codec.columns import column_of
from everwhen.codec.keys import Kind, journal_key, kind_range
from everwhen.codec.segment_making import node_segment, relationship_segment
from everwhen.codec.segments import encode_segment
from everwhen.errors import CorruptData
from everwhen.mvcc.difference import (
    node_differences,
    relationship_differences,
    same_node,
    same_relationship,
    touched,
)
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Batch
from everwhen.mvcc.versioned import Versioned
from everwhen.runtime.embedded import Embedded
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database, origin_of

STATEMENTS = (
    "CREATE (:A {k: {n}})-[:R {w: {n}}]->(:B {k: {n}})",
    "MATCH (x) WHERE x.k % 3 = {n} % 3 SET x.v = {n} % 2",
    "MATCH (x:A) WHERE x.k % 2 = {n} % 2 SET x:C REMOVE x.v",
    "MATCH (x:C) WHERE x.k % 2 = {n} % 2 REMOVE x:C",
    "MATCH ()-[r]->() WHERE r.w % 3 = {n} % 3 SET r.v = {n} % 2",
    "MATCH ()-[r]->() WHERE r.w % 4 = {n} % 4 DELETE r",
    "MATCH (x) WHERE x.k % 5 = {n} % 5 DETACH DELETE x",
)


def at(state: RecordState, version: int) -> Entities:
    record = Versioned(state.store, state.current.runs)
    return Entities(record, state.tokens, state.current.segments, state.cache, version)


def compare(state: RecordState, one: int, other: int) -> int:
    old, new = at(state, one), at(state, other)
    written = touched(new, one)
    nodes = {row.id for row in node_differences(old, new, written.nodes)}
    relationships = {row.id for row in relationship_differences(old, new, written.relationships)}
    before, now = dict(old.nodes()), dict(new.nodes())
    assert nodes == {
        key for key in before.keys() | now.keys() if not same_node(before.get(key), now.get(key))
    }
    left, right = dict(old.relationships()), dict(new.relationships())
    assert relationships == {
        key
        for key in left.keys() | right.keys()
        if not same_relationship(left.get(key), right.get(key))
    }
    return len(nodes) + len(relationships)


@pytest.mark.parametrize("seed", range(4))
def test_random_histories(seed: int) -> None:
    chance = random.Random(seed)
    with Embedded() as database:
        for number in range(20):
            statement = STATEMENTS[0] if number < 4 else chance.choice(STATEMENTS)
            database.execute(statement.replace("{n}", str(chance.randrange(12))))
        state = RecordState.load(database.store)
        versions = range(1, state.current.head.version + 1)
        pairs = [(one, other) for one, other in product(versions, versions) if one <= other]
        assert sum(compare(state, one, other) for one, other in pairs) > 0


def test_changed_and_changed_back_is_no_difference() -> None:
    with Embedded() as database:
        database.execute("CREATE (:A {k: 1})")
        version = database.version
        database.execute("MATCH (x:A) SET x.k = 2")
        database.execute("MATCH (x:A) SET x.k = 1")
        assert compare(RecordState.load(database.store), version, database.version) == 0


def test_another_type_of_number_is_a_difference() -> None:
    with Embedded() as database:
        database.execute("CREATE (:A {k: 1})")
        version = database.version
        database.execute("MATCH (x:A) SET x.k = 1.0")
        assert compare(RecordState.load(database.store), version, database.version) == 1


def test_a_commit_missing_in_the_journal_is_an_error() -> None:
    with Embedded() as database:
        database.execute("CREATE (:A)")
        database.execute("CREATE (:B)")
        state = RecordState.load(database.store)
        batch = Batch()
        batch.delete(journal_key(2))
        state.store.write(batch)
        with pytest.raises(CorruptData, match="commit 2 is missing"):
            touched(at(state, 2), 1)


def test_what_large_transactions_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MUTATIONS_PER_CHUNK", 3)
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 10)
    with Embedded() as database:
        database.execute("CREATE (:A {k: 1})")
        database.execute("UNWIND range(1, 40) AS i CREATE (:A {k: i})-[:R {w: i}]->(:B {k: i})")
        database.execute("MATCH (x) WHERE x.k % 2 = 0 SET x.v = x.k")
        database.execute("MATCH (x:A) WHERE x.k % 3 = 0 DETACH DELETE x")
        assert next(iter(database.store.scan(*kind_range(Kind.PIECE))), None) is not None
        state = RecordState.load(database.store)
        assert compare(state, 1, 2) == 120
        assert compare(state, 2, 3) == 40
        assert compare(state, 3, 4) == 26
        assert compare(state, 1, 4) == 94


def test_what_was_loaded_as_segments() -> None:
    database = Database()
    small = database.begin()
    small.create_node(["N"], {})
    database.commit(small)
    ids = np.arange(100, 120, dtype=np.int64)
    piece = [
        encode_segment(node_segment(["P"], ids, {"k": column_of(ids.tolist())})),
        encode_segment(relationship_segment("E", np.arange(20, dtype=np.int64), ids, ids, {})),
    ]
    begin = c.BeginChunks(c.FORMAT, 0, database.view().version, origin_of())
    number = database.do(begin).transaction
    database.do(c.Chunk(c.FORMAT, number, 0, [], [], piece, c.Checks()))
    database.do(c.CommitChunks(c.FORMAT, database.tick(), number, 1))
    assert compare(database.state, 0, 1) == 1
    assert compare(database.state, 1, 2) == 40
