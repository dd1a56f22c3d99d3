"""What vacuum took away is not mistaken for an alteration."""

from __future__ import annotations

from everwhen.codec.keys import PRESENT, at_version, label_stem
from everwhen.codec.retention import Horizon
from everwhen.model.audit import PROBLEM
from everwhen.mvcc.audit import Auditor
from everwhen.mvcc.store import Batch
from everwhen.txn import commands as c
from tests.unit.apply.harness import Database, origin_of


def problems(db: Database) -> list[str]:
    found = Auditor(db.state, b"k" * 16, lambda: None).run(1, db.view().version)
    return [one.detail for one in found if one.event == PROBLEM]


def test_a_tombstone_of_a_large_commit_whose_older_entry_was_vacuumed() -> None:
    """It stands there only because there was something to hide."""
    db = Database()
    t = db.begin()
    node = t.create_node(["L", "K"], {}).id
    db.commit(t)
    gain, lose = c.ChangeLabels(node, [0], []), c.ChangeLabels(node, [], [0])
    db.do(c.Commit(c.FORMAT, db.tick(), 1, ["L"], [lose], c.Checks(), origin_of()))
    number = db.do(c.BeginChunks(c.FORMAT, 0, 2, origin_of())).transaction
    for at, change in enumerate((gain, lose)):
        db.do(c.Chunk(c.FORMAT, number, at, ["L"], [change], [], c.Checks()))
    db.do(c.CommitChunks(c.FORMAT, db.tick(), number, 2))
    db.fold()
    assert problems(db) == []
    db.do(c.RaiseHorizon(c.FORMAT, 0, [Horizon("", "", 2, 0)]))
    while db.do(c.VacuumStep(c.FORMAT, 100, len(db.log), True)).more:
        pass
    assert problems(db) == []
    altered = Batch()
    altered.put(at_version(label_stem(db.state.tokens.labels.ids["L"], node), 3), PRESENT)
    db.store.write(altered)
    assert len(problems(db)) == 1
