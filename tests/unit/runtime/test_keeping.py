"""Retention, restore points and ERASE as statements; open snapshots hold horizons back."""

from __future__ import annotations

import pytest

from everwhen.errors import (
    EraseRefused,
    EverwhenError,
    TimeOutOfRange,
)
from everwhen.mvcc.verify import verify
from everwhen.runtime import vacuum_preview
from everwhen.runtime.vacuum_preview import preview
from tests.unit.runtime.keeping import DAY, Kept, history, load_rows


def test_nothing_goes_without_a_rule(kept: Kept) -> None:
    history(kept)
    kept.clock.ahead = 1_000 * DAY
    kept.vacuum()
    assert kept.oldest == 0
    assert kept.run("MATCH (c:City) RETURN c.v AT VERSION 2") == [[1]]


def test_what_is_old_goes_and_a_restore_point_stays(kept: Kept) -> None:
    history(kept)
    kept.run("CREATE RESTORE POINT two AT VERSION 2")
    kept.run("ALTER DATABASE neo4j SET RETENTION '30 days'")
    kept.clock.ahead = 31 * DAY
    state = kept.db.service.database.state
    promised = preview(state, kept.vacuuming.wanted(state.current.retention))
    kept.vacuum()
    assert kept.oldest == 5
    assert state.current.vacuum.keys == promised.keys
    assert kept.run("MATCH (c:City) RETURN c.v AT VERSION 5") == [[4]]
    assert kept.run("MATCH (c:City) RETURN c.v AT VERSION 2") == [[1]]
    with pytest.raises(TimeOutOfRange, match=r"readable ones are 5 to 5 \(from "):
        kept.run("MATCH (c:City) RETURN c.v AT VERSION 3")
    kept.run("FLASHBACK TO VERSION 2")
    assert kept.run("MATCH (c:City) RETURN c.v") == [[1]]
    assert verify(kept.db.store).problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ALTER DATABASE neo4j SET RETENTION '3 months'", "no unit of retention"),
        ("ALTER DATABASE neo4j SET RETENTION 'P1M'", "no fixed length"),
        ("ALTER DATABASE neo4j SET RETENTION 5", "a retention is a duration"),
        ("ALTER DATABASE neo4j SET RETENTION '0 days'", "for some time, or for ever"),
        ("ALTER DATABASE other SET RETENTION '3 days'", "there is no database"),
        ("ALTER DATABASE neo4j REMOVE RETENTION FOR (n:X)", "there is no rule"),
        ("ALTER DATABASE neo4j SET RETENTION '3 days' FOR (n)", "needs a label"),
        ("CREATE RESTORE POINT p AT VERSION 99", "there is no version 99"),
        ("CREATE RESTORE POINT p AT VERSION 'x'", "needs an integer"),
        ("DROP RESTORE POINT p", "there is no restore point"),
        ("WITH 1 AS one ERASE one", "ERASE takes nodes and relationships"),
        ("MATCH (n) ERASE m", "`m` not defined"),
        ("CREATE (n) ERASE n", "only reads"),
    ],
)
def test_bad_input_changes_nothing(kept: Kept, text: str, problem: str) -> None:
    history(kept, 1)
    before = kept.db.version
    with pytest.raises(EverwhenError, match=problem):
        kept.run(text)
    assert kept.db.version == before
    assert kept.run("SHOW RETENTION YIELD keep") == [["forever"]]


def test_erase_refuses_what_is_kept_and_leaves_it(kept: Kept) -> None:
    history(kept, 1)
    kept.run("ALTER DATABASE neo4j SET RETENTION KEEP FOREVER FOR (c:City)")
    with pytest.raises(EraseRefused, match="kept for ever as :City"):
        kept.run("MATCH (c:City) ERASE c")
    assert kept.run("MATCH (c:City) RETURN count(c)") == [[1]]
    kept.run("MATCH (c:City) ERASE c FORCE")
    assert kept.run("MATCH (c:City) RETURN count(c)") == [[0]]
    assert kept.run("MATCH (c:City) RETURN count(c) AT VERSION 1") == [[0]]


def test_what_was_deleted_long_ago_is_erased_from_its_past(kept: Kept) -> None:
    history(kept)
    kept.run("MATCH (c:City) DELETE c")
    kept.run("MATCH (c:City) AT VERSION 1 ERASE c")
    everything = list(kept.db.store.scan(b"", b"\xff" * 40))
    assert not [key for key, value in everything if b"Oslo" in value]
    told = kept.db.service.database.snapshot(kept.db.version).changes(None)
    assert list(told) == []
    (line,) = kept.run("SHOW ERASURES YIELD nodes, nodeIds, by, state")
    assert line[:3] == [1, [0], "neo4j"]
    assert [row[0] for row in kept.run("CALL audit.verify()")] == ["erased", "verified"]


def test_what_is_kept_in_memory_does_not_tell_of_what_was_erased(kept: Kept) -> None:
    """Not even before the erasure is done: that waits for readers."""
    kept.run("UNWIND range(1, 100) AS i CREATE (:P {i: i})")
    kept.run("MATCH (p:P {i: 7}) DELETE p")
    state = kept.db.service.database.state
    assert state.graph is not None
    before = state.graph.view(1, 1_000_000)
    assert before is not None
    assert len(before.labelled("P")) == 100
    kept.run("MATCH (p:P {i: 7}) AT VERSION 1 ERASE p")
    assert state.erased.next_open() is not None
    after = state.graph.view(1, 1_000_000)
    assert after is None or len(after.labelled("P")) == 99
    assert kept.run("MATCH (p:P) RETURN count(p) AT VERSION 1") == [[99]]


def test_a_preview_of_many_steps_counts_the_rows_of_all(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_rows(kept, 50)
    kept.run("MATCH (p:P) WHERE p.i < 40 DELETE p")
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    kept.clock.ahead = 2 * DAY
    state = kept.db.service.database.state
    monkeypatch.setattr(vacuum_preview, "VACUUM_KEYS_PER_STEP", 7)
    promised = preview(state, kept.vacuuming.wanted(state.current.retention))
    kept.vacuum()
    assert state.current.vacuum.keys == promised.keys
