"""Verification between two steps of an erasure: it says that one is under way, and finds what is
wrong with everything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from everwhen.codec.keys import TOMBSTONE, at_version, label_stem, node_stem
from everwhen.codec.retention import Horizon
from everwhen.model.audit import PROBLEM, UNDER_WAY
from everwhen.mvcc.audit import Auditor
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.report import Report
from everwhen.mvcc.store import Batch
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database, origin_of
from tests.unit.apply.test_supernodes import deleted, loaded, written


def audited(db: Database) -> tuple[list[str], list[str]]:
    """Problems, and what is said of erasures under way."""
    found = list(Auditor(db.state, b"k" * 16, lambda: None).run(1, db.view().version))
    told = [[one.detail for one in found if one.event == event] for event in (PROBLEM, UNDER_WAY)]
    return told[0], told[1]


def looked_at(db: Database) -> Report:
    """Both verifications find nothing, and say the same of the erasure."""
    report = verify(db.store)
    assert report.problems == []
    problems, under_way = audited(db)
    assert problems == []
    assert under_way == report.notes
    return report


def changed(db: Database) -> None:
    """Some of the things get versions and a property that an index holds."""
    db.create_index("A", "x", name="i")
    for value in (1, 2):
        t = db.begin()
        for node in [one.id for one in db.view().nodes()][:30]:
            found = t.node(node)
            assert found is not None
            t.set_property(found, "x", value)
        for one in [one.id for one in db.view().relationships()][:30]:
            relationship = t.relationship(one)
            assert relationship is not None
            t.set_property(relationship, "w", value)
        db.commit(t)


@pytest.mark.parametrize("make", [written, loaded])
@pytest.mark.parametrize(("limit", "every"), [(1, 31), (25, 2)])
def test_an_erasure_under_way_is_no_damage(
    make: Callable[[Database, int], None], limit: int, every: int
) -> None:
    db = Database(MemoryStore())
    make(db, 100)
    changed(db)
    db.do(c.CreateRestorePoint(c.FORMAT, "before", db.view().version))
    deleted(db)
    gone = [0, 1, 2]
    t = db.begin()
    for node in gone[1:]:
        t.delete_node(node)
    db.commit(t)
    db.do(c.RaiseHorizon(c.FORMAT, 0, [Horizon("", "", 2, 0)]))
    assert looked_at(db).notes == []
    db.do(c.Erase(c.FORMAT, db.tick(), gone, [], origin_of(), force=True))
    told = set()
    more, steps = True, 0
    while more:
        more = db.do(c.EraseStep(c.FORMAT, limit, len(db.log))).more
        steps += 1
        if steps % every == 0:
            told.update(looked_at(db).notes)
    assert told
    assert all("erasure 1 is under way" in note for note in told)
    assert looked_at(db).notes == []


def test_what_is_wrong_elsewhere_is_found_meanwhile() -> None:
    db = Database()
    written(db, 100)
    deleted(db)
    t = db.begin()
    other = t.create_node(["A"], {"x": 1}).id
    db.commit(t)
    db.do(c.Erase(c.FORMAT, db.tick(), [0], [], origin_of()))
    while not looked_at(db).notes:
        db.do(c.EraseStep(c.FORMAT, 25, 0))
    db.do(c.EraseStep(c.FORMAT, 25, 0))
    assert looked_at(db).notes
    altered = Batch()
    label = db.state.tokens.labels.ids["A"]
    version = db.view().version - 1
    altered.put(at_version(label_stem(label, other), version), TOMBSTONE)
    altered.put(at_version(node_stem(other + 1), version), TOMBSTONE)
    db.store.write(altered)
    assert len(verify(db.store).problems) >= 1
    assert len(audited(db)[0]) == 2
