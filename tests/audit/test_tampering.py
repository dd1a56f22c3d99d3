"""Every alteration of history is found (10,000 of them: ``make audit-tamper``)."""

from __future__ import annotations

import msgspec
import pytest

from everwhen.codec import journal, keys, records, retention
from everwhen.codec.keys import Kind
from everwhen.model.audit import ERASED, VERIFIED
from everwhen.mvcc.audit import Auditor
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Batch
from tests.audit.tampering import ALTERATIONS, SECRET, audit, original, play
from tests.unit.apply.harness import Database
from tests.unit.apply.test_histories import History

NO_TICK = lambda: None  # noqa: E731 - a callback that never ends anything


@pytest.mark.parametrize("seed", range(3))
def test_every_alteration_is_found(seed: int) -> None:
    done = play(120, seed)
    assert set(done) == {alteration.__name__ for alteration in ALTERATIONS}


@pytest.mark.parametrize("seed", range(20))
def test_a_record_that_is_whole_is_found_whole(seed: int) -> None:
    """Also in the middle of folding, and with transactions open."""
    history = History(seed, Database())
    for _ in range(300):
        history.step()
        if history.random.random() < 0.02:
            assert audit(history.db.store) == []
    assert audit(history.db.store) == []


def test_a_part_of_history_can_be_verified() -> None:
    whole = original(1)
    state = RecordState.load(whole.copy())
    newest = state.current.head.version
    for first, last in ((1, 3), (5, 9), (newest, newest), (newest + 1, newest + 1)):
        (said,) = Auditor(state, SECRET, NO_TICK).run(first, last)
        assert said.event == VERIFIED
        assert said.first == first


@pytest.mark.parametrize("kind", [Kind.JOURNAL, Kind.TIME, Kind.NODE, Kind.OUT, Kind.SEGREF])
def test_what_is_no_key_is_a_finding_too(kind: Kind) -> None:
    whole = original(3)
    store = whole.copy()
    state = RecordState.load(store)
    batch = Batch()
    batch.put(whole.of(kind)[0][:-1] + b"\x00\x01", b"\x01")
    store.write(batch)
    *problems, said = Auditor(state, SECRET, NO_TICK).run(1, 1 << 40)
    assert problems
    assert said.event == VERIFIED
    assert said.detail.endswith(f"{len(problems)} problems")


def test_a_commit_that_never_was() -> None:
    whole = original(3)
    store = whole.copy()
    batch = Batch()
    batch.put(keys.journal_key(whole.head.version + 5), whole.pairs[keys.journal_key(1)])
    store.write(batch)
    [problem] = audit(store)
    assert problem.first == whole.head.version + 5


def test_commits_go_on_meanwhile() -> None:
    """What is committed while a verification runs is none of its business."""
    database = Database()
    history = History(5, database)
    while database.state.current.head.version < 20:
        history.step()
    chances = iter(range(10_000))

    def tick() -> None:
        if next(chances) % 2:
            t = database.begin()
            t.create_node(["Late"], {"n": 1})
            database.commit(t, chunked=database.state.current.head.version % 2 == 0)
        database.fold(1)

    for _ in range(5):
        findings = list(Auditor(database.state, SECRET, tick).run(1, 1 << 40))
        assert [finding.event for finding in findings] == [VERIFIED], findings


def test_what_was_forgotten_is_told() -> None:
    """Content that vacuum took is no problem, but it is said."""
    whole = original(2)
    store = whole.copy()
    batch = Batch()
    for version in (1, 2, 3):
        record = journal.decode_record(whole.pairs[keys.journal_key(version)])
        emptied = msgspec.structs.replace(record, content=b"")
        batch.put(keys.journal_key(version), journal.encode_record(emptied))
    head = records.decode_head(whole.pairs[keys.meta_key(records.META_HEAD)])
    forgotten = retention.encode(retention.Retention(journal_floor=3))
    batch.put(keys.meta_key(retention.META_RETENTION), forgotten)
    store.write(batch)
    findings = list(Auditor(RecordState.load(store), SECRET, NO_TICK).run(1, 1 << 40))
    assert [(one.event, one.first, one.last) for one in findings] == [
        (ERASED, 1, 3),
        (VERIFIED, 1, head.version),
    ]
    assert "from version 4 on" in findings[0].detail
