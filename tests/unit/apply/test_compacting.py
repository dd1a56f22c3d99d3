"""Compaction in steps of the log, with anything else between them: every answer stays the same, on
every member, after every restart."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everwhen.apply.machine import Machine
from everwhen.codec.cluster import Cluster
from everwhen.codec.compaction import CHECKING, CLEARING, IDLE
from everwhen.codec.keys import Kind, kind_range
from everwhen.codec.segments import Segment, decode_segment, encode_segment
from everwhen.errors import PreconditionFailed, RequestInvalid
from everwhen.model.graph import Direction
from everwhen.mvcc.compactable import Extent, window_of
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from tests.unit.apply import row_versions as rows
from tests.unit.apply.harness import Database, dump
from tests.unit.apply.row_versions import Audited, segments_of
from tests.unit.apply.test_erasing_verified import audited
from tests.unit.apply.test_flashback import revive
from tests.unit.apply.test_forgetting import ROUNDS, Forgetful
from tests.unit.apply.test_histories import Open


@dataclass
class Began:
    """When an open transaction began."""

    one: Open
    index: int


class Compacts(Audited):
    """Segments are proposed and steps are taken at any moment, whoever reads."""

    compacted = 0

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.began: list[Began] = []
        self.ready: list[bytes] = []

    def step(self) -> None:
        if self.random.random() < 0.3:
            self.compact()
        super().step()

    def begin(self) -> None:
        super().begin()
        self.began.append(Began(self.open[-1], len(self.db.log)))

    @property
    def settled(self) -> int:
        self.began = [one for one in self.began if one.one in self.open]
        return min([one.index for one in self.began], default=len(self.db.log))

    def compact(self) -> None:
        """What a leader does next, which may have looked long ago."""
        now = self.db.state.current.compaction
        if now.phase == IDLE:
            if not self.ready:
                made, _ = segments_of(self.db, self.random, 0.7)
                self.ready = [encode_segment(segment) for segment, _ in made]
            if self.ready and self.random.random() < 0.7:
                self.propose()
            return
        for _ in range(self.random.randint(1, 4)):
            limit = self.random.choice((1, 3, 1_000))
            self.db.do(c.CompactStep(c.FORMAT, limit, self.settled))
        self.compacted = self.db.state.current.compaction.segments

    def propose(self) -> None:
        current = self.db.state.current
        busy = current.runs or current.vacuum.phase or current.vacuum.retired
        command = c.CompactSegment(c.FORMAT, self.ready.pop())
        if busy or self.db.state.erased.next_open() is not None:
            with pytest.raises(PreconditionFailed, match="is under way"):
                self.db.do(command)
        else:
            self.db.do(command)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_every_version_answers_as_the_dictionaries_do(seed: int) -> None:
    history = Compacts(seed, Database(MemoryStore()))
    for _ in range(80):
        history.step()
    history.finish()


def test_a_long_history() -> None:
    history = Compacts(4, Database(MemoryStore()))
    for _ in range(900):
        history.step()
    history.finish()
    assert history.compacted > 10
    assert history.commits > 20


class CompactsAndForgets(Compacts, Forgetful):
    """Beside vacuum and erasures."""


def forgets(seed: int, *, rules: bool) -> CompactsAndForgets:
    history = CompactsAndForgets(seed, Database(MemoryStore()), rules=rules)
    for _ in range(200):
        history.step()
    history.open.clear()
    return history


@pytest.mark.parametrize("rules", [False, True], ids=["one horizon", "rules"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_beside_what_forgets(seed: int, rules: bool) -> None:
    history = forgets(seed, rules=rules)
    for _ in range(2):
        history.finish()
        history.do_round()
    history.finish()


@pytest.mark.parametrize("seed", range(max(ROUNDS // 2, 2)))
def test_another_node_decides_the_same(seed: int) -> None:
    history = forgets(1_000 + seed, rules=True)
    flushed = MemoryStore()
    machine = Machine(flushed, RecordState.load(flushed))
    chance, at = random.Random(seed), 0
    while at < len(history.db.log):
        at += 1
        machine.apply(at, 1, history.db.log[at - 1])
        if chance.random() < 0.05:
            flushed.flush()
        if chance.random() < 0.05:  # a crash anywhere: the log brings the rest back
            flushed = flushed.crash()
            machine = Machine(flushed, RecordState.load(flushed))
            at = machine.applied_index
    assert machine.digest == history.db.machine.digest
    everything = (b"", b"\xff" * 40)
    assert list(flushed.scan(*everything)) == list(history.db.store.scan(*everything))


# --- one at a time ---


def written(db: Database, number: int = 12) -> None:
    for at in range(number):
        t = db.begin()
        one, other = t.create_node(["A"], {"x": at}), t.create_node(["A", "B"], {})
        t.create_relationship(one.id, "R", other.id, {"w": str(at)})
        db.commit(t)


def segment_of(db: Database, which: int = 0) -> bytes:
    made, _ = segments_of(db, random.Random(0), 1)
    return encode_segment(made[which][0])


def steps(db: Database, phase: int, *, limit: int = 3, settled: int | None = None) -> int:
    """Steps until a phase is over; how many."""
    number = 0
    while db.state.current.compaction.phase == phase and number < 100:
        index = len(db.log) if settled is None else settled
        db.do(c.CompactStep(c.FORMAT, limit, index))
        number += 1
    return number


def keys_of(db: Database) -> int:
    return sum(1 for kind in (Kind.NODE, Kind.REL) for _ in db.store.scan(*kind_range(kind)))


def test_keys_go_only_when_nobody_reads_without_the_rows() -> None:
    db = Database()
    written(db)
    before, keys = db.view(), keys_of(db)
    everything = dump(before)
    db.do(c.CompactSegment(c.FORMAT, segment_of(db)))
    assert dump(db.view()) == everything
    index = len(db.log)
    assert steps(db, CHECKING) == 4
    assert steps(db, CLEARING, settled=index) == 100
    assert keys_of(db) == keys
    assert dump(before) == dump(db.view()) == everything
    assert steps(db, CLEARING) == 1
    assert keys_of(db) == keys - 12
    assert dump(db.view()) == everything
    assert (db.state.current.compaction.segments, db.state.current.compaction.rows) == (1, 12)
    assert db.state.let_go > index
    assert verify(db.store).problems == []


def test_a_row_that_is_not_what_its_key_says_stays_out() -> None:
    db = Database()
    written(db)
    data = segment_of(db)
    other = Database()
    written(other, 11)
    t = other.begin()
    t.create_node(["A"], {"x": 99})
    node = t.create_node(["A", "B"], {})
    t.create_relationship(node.id, "R", node.id, {"w": "11"})
    other.commit(t)
    everything = dump(other.view())
    other.do(c.CompactSegment(c.FORMAT, data))
    steps(other, CHECKING)
    assert other.state.current.compaction.phase == IDLE
    assert other.state.current.segments.refs == ()
    assert list(other.store.scan(*kind_range(Kind.SEGMENT))) == []
    assert dump(other.view()) == everything


def test_what_goes_meanwhile_is_gone() -> None:
    db = Database()
    written(db, 2)
    db.do(c.CompactSegment(c.FORMAT, segment_of(db, -1)))
    first, second = [one.id for one in db.view().relationships()]
    for phase, one in ((CHECKING, first), (CLEARING, second)):
        t = db.begin()
        t.delete_relationship(one)
        db.commit(t)
        steps(db, phase)
    assert db.state.current.compaction.rows == 2
    found = [[one.id for one in db.view(version).relationships()] for version in range(5)]
    assert found == [[], [first], [first, second], [second], []]
    assert verify(db.store).problems == []
    assert audited(db)[0] == []


def test_what_was_brought_back_stays_a_key() -> None:
    """A row is the oldest that is known of an element: below this one lies a tombstone."""
    db = Database()
    written(db, 2)
    [node] = [one.id for one in db.view().nodes() if one.properties.get("x") == 1]
    everything = dump(db.view())
    t = db.begin()
    for one in list(t.expand(node, Direction.BOTH)):
        t.delete_relationship(one.id)
    t.delete_node(node)
    db.commit(t)
    db.do(revive(db, node))
    revived = rows.nodes_of(db, (), [(node, db.view().version, ([], {}))])
    db.do(c.CompactSegment(c.FORMAT, encode_segment(revived)))
    steps(db, CHECKING)
    assert db.state.current.compaction.phase == IDLE
    assert db.state.current.segments.refs == ()
    assert dump(db.view(2)) == everything


def test_erasures_and_vacuum_come_first_until_keys_go() -> None:
    db = Database()
    written(db)
    db.do(c.CompactSegment(c.FORMAT, segment_of(db)))
    with pytest.raises(PreconditionFailed, match="a compaction is under way"):
        db.do(c.CompactSegment(c.FORMAT, segment_of(db)))
    db.do(c.VacuumStep(c.FORMAT, 10, 0, True))
    assert db.state.current.compaction.phase == IDLE
    assert db.state.current.vacuum.phase
    with pytest.raises(PreconditionFailed, match="vacuum is under way"):
        db.do(c.CompactSegment(c.FORMAT, segment_of(db)))
    while db.do(c.VacuumStep(c.FORMAT, 1_000, 0)).more:
        pass
    db.do(c.CompactSegment(c.FORMAT, segment_of(db)))
    steps(db, CHECKING)
    [ref] = db.state.current.segments.refs
    db.do(c.VacuumStep(c.FORMAT, 10, 0, True))
    assert [one.segment for one in db.state.current.vacuum.retired] == [ref.id]
    assert db.state.current.segments.refs == ()
    while db.do(c.VacuumStep(c.FORMAT, 1_000, len(db.log))).more:
        pass
    db.do(c.CompactSegment(c.FORMAT, segment_of(db)))
    steps(db, CHECKING)
    db.do(c.CompactStep(c.FORMAT, 1, len(db.log)))
    assert db.state.current.compaction.place
    assert not db.do(c.VacuumStep(c.FORMAT, 10, 0, True)).more
    assert db.state.current.vacuum.round == 2
    steps(db, CLEARING)
    assert db.do(c.VacuumStep(c.FORMAT, 10, 0, True)).more


def test_what_is_no_such_segment_is_refused() -> None:
    db = Database()
    written(db)
    data = segment_of(db)
    other = Database()
    with pytest.raises(RequestInvalid, match="not there"):
        other.do(c.CompactSegment(c.FORMAT, data))
    with pytest.raises(RequestInvalid, match="a segment of 4 bytes"):
        db.do(c.CompactSegment(c.FORMAT, b"EWSG"))
    with pytest.raises(RequestInvalid, match="checksum"):
        db.do(c.CompactSegment(c.FORMAT, data[:-1] + b"\x07"))
    assert db.state.current.compaction.phase == IDLE


def test_below_the_feature_level_nothing_is_compacted() -> None:
    db = Database()
    written(db)
    data = segment_of(db)
    db.machine._work.cluster = Cluster(feature_level=6)
    with pytest.raises(PreconditionFailed, match="compactions need feature level 7"):
        db.do(c.CompactSegment(c.FORMAT, data))
    with pytest.raises(PreconditionFailed, match="compactions need feature level 7"):
        db.do(c.CompactStep(c.FORMAT, 10, len(db.log)))


# --- what a leader proposes ---


def windows(db: Database, kind: Kind, extent: Extent) -> tuple[list[Segment], list[int]]:
    """The segments of all windows, and where the windows after the first begin."""
    found: list[Segment] = []
    places: list[int] = []
    place: int | None = 0
    while place is not None:
        window = window_of(db.store, db.state.tokens, kind, place, extent, lambda: None)
        found += [decode_segment(one) for one in window.segments]
        place = window.following
        places += [] if place is None else [place]
    return found, places


def test_windows_hold_what_keys_say_once() -> None:
    db = Database()
    written(db, 30)
    nodes = [one.id for one in db.view().nodes()]
    t = db.begin()
    found = t.node(nodes[0])
    assert found is not None
    t.set_property(found, "x", 100)
    t.create_node(["Rare"], {})
    db.commit(t)
    segments, places = windows(db, Kind.NODE, Extent(window=25, rows_min=5))
    assert places == [nodes[25], nodes[50]]
    ids = sorted(one for segment in segments for one in segment.ids.whole().tolist())
    assert ids == nodes[1:]
    assert len(segments) == 6
    assert windows(db, Kind.NODE, Extent(window=25, rows_min=26)) == ([], places)
    one, places = windows(db, Kind.REL, Extent(rows_min=5))
    assert (len(one), len(one[0]), places) == (1, 30, [])
    every, places = windows(db, Kind.REL, Extent(rows_min=1, bytes=1))
    assert (len(every), len(places)) == (30, 29)
    for kind in (Kind.NODE, Kind.REL):
        for segment in windows(db, kind, Extent(window=25, rows_min=5))[0]:
            db.do(c.CompactSegment(c.FORMAT, encode_segment(segment)))
            steps(db, CHECKING, limit=1_000)
            steps(db, CLEARING, limit=1_000)
    assert db.state.current.compaction.rows == len(nodes) - 1 + 30
    assert verify(db.store).problems == []
    assert audited(db)[0] == []
    # what is left: a changed node, and one of its own kind
    assert keys_of(db) == 3
