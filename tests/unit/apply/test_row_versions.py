"""A record reads the same whether elements stand in keys, in rows with versions of their own, or in
both: at every version, by every way to ask."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everwhen.codec.columns import column_of
from everwhen.codec.keys import Kind, at_version, segment_key, segref_key
from everwhen.codec.records import encode_segment_entry
from everwhen.codec.segments import NODES, encode_segment
from everwhen.columns.graph.image import GraphImage
from everwhen.model.graph import Direction, EntityKind, RangeView
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database, dump
from tests.unit.apply.row_versions import Audited, moved, single, stem_of
from tests.unit.apply.test_erasing_verified import audited
from tests.unit.apply.test_forgetting import ROUNDS, Forgetful
from tests.unit.apply.test_histories import run
from tests.unit.columns.test_graph_image_bulk import agree


class Moving(Audited):
    """Elements move into rows now and then."""

    moves = 0

    def step(self) -> None:
        if not self.open and self.random.random() < 0.2:
            self.moves += moved(self.db, self.random, 0.7, drop=self.random.choice((0, 0.5, 1)))
        super().step()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_every_version_answers_as_the_dictionaries_do(seed: int) -> None:
    history = Moving(seed, Database(MemoryStore()))
    for _ in range(60):
        history.step()
    history.finish()


def test_a_long_history() -> None:
    history = Moving(11, Database(MemoryStore()))
    for _ in range(500):
        history.step()
    history.finish()
    assert history.moves > 20
    assert history.commits > 10


class ForgettingRows(Forgetful):
    """Elements move into rows, and are forgotten or erased there."""

    moves = 0

    def step(self) -> None:
        if self.random.random() < 0.06:
            self.open.clear()
            self.db.fold()
            while self.db.do(c.VacuumStep(c.FORMAT, 2_000, len(self.db.log))).more:
                pass
            self.moves += moved(self.db, self.random, 0.7, drop=1)
        super().step()


@pytest.mark.parametrize("rules", [False, True], ids=["one horizon", "rules"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_rows_are_forgotten_and_erased(seed: int, rules: bool) -> None:
    history = ForgettingRows(seed, Database(MemoryStore()), rules=rules)
    for _ in range(130):
        history.step()
    history.open.clear()
    for _ in range(2):
        history.finish()
        assert audited(history.db)[0] == []
        history.do_round()
    history.finish()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("drop", [0, 0.5, 1])
def test_the_same_as_keys_alone(seed: int, drop: float) -> None:
    """Differences, pasts, ranges of versions and changes; two images in memory, one made of each."""
    store = MemoryStore()
    keys = run(seed, Database(store), 120).db
    rows = Database(store.fork())
    assert moved(rows, random.Random(seed), 0.7, drop=drop)
    newest = keys.view().version
    for version in range(newest + 1):
        one, other = keys.view(version), rows.view(version)
        assert dump(one) == dump(other)
        assert list(one.changes(0)) == list(other.changes(0))
        for since in range(version):
            assert list(one.differences(since)) == list(other.differences(since))
        ranges = [db.view().between(version, newest) for db in (keys, rows)]
        assert _seen(ranges[0]) == _seen(ranges[1])
        agree(rows, GraphImage(rows.state), version)
    for kind, ids in ((EntityKind.NODE, 80), (EntityKind.RELATIONSHIP, 80)):
        for identity in range(ids):
            assert list(keys.view().history(kind, identity)) == list(
                rows.view().history(kind, identity)
            )
    assert verify(rows.store).problems == []
    assert audited(rows)[0] == []


def _seen(view: RangeView) -> list[object]:
    """What a range of versions shows."""
    nodes = [node.id for node in view.nodes()]
    found: list[object] = [nodes, [node.id for node in view.nodes_with_label("A")]]
    found += [sorted(one.id for one in view.expand(node, Direction.BOTH)) for node in nodes]
    return [*found, sorted(one.id for one in view.relationships(["R"]))]


@pytest.mark.parametrize("kind", [Kind.NODE, Kind.REL])
def test_a_row_that_is_not_what_was_committed_is_found(kind: Kind) -> None:
    db = run(3, Database(MemoryStore()), 120).db
    t = db.begin()
    one, other = t.create_node(["A"], {"x": 1}), t.create_node(["A"], {"x": 2})
    t.create_relationship(one.id, "R", other.id, {"x": 1})
    db.commit(t)
    assert moved(db, random.Random(1), 1, drop=0)
    # the same rows with another value, and then without the keys
    ref = next(
        ref
        for ref in db.state.current.segments.refs
        if (ref.entry.kind == NODES) == (kind is Kind.NODE)
        and ref.last_version == db.view().version
    )
    segment = db.state.cache.get(ref)
    columns = {"x": column_of([9] * len(segment))}
    data = encode_segment(replace(segment, columns=columns))
    entry = msgspec.structs.replace(ref.entry, bytes=len(data), pieces=1)
    batch = Batch()
    batch.put(segment_key(ref.id, 0), data)
    batch.put(segref_key(ref.version, ref.id), encode_segment_entry(entry))
    db.store.write(batch)
    db.open()
    assert any("is not what its key says" in one for one in verify(db.store).problems)
    assert audited(db)[0]
    batch = Batch()
    for element in single(db.store, kind):
        batch.delete(at_version(stem_of(kind, element), element[1]))
    db.store.write(batch)
    db.open()
    assert any("its value is not the one of the commit" in one for one in audited(db)[0])
