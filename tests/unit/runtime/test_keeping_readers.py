"""What is forgotten, and who reads meanwhile."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import pytest

from everwhen.codec.keys import after, segment_prefix
from everwhen.errors import (
    SnapshotExpired,
)
from everwhen.mvcc.difference import touched
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.store import Batch
from everwhen.runtime import flashback
from everwhen.runtime.background import Upkeep
from everwhen.runtime.pins import Pins, Report
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.transaction import OpenTransaction
from everwhen.runtime.vacuum import VacuumOptions
from everwhen.runtime.vacuum_preview import preview
from tests.unit.runtime.keeping import DAY, Kept, history, load_rows


def test_an_open_snapshot_holds_the_horizon_back_until_it_has_been_open_too_long(
    kept: Kept,
) -> None:
    history(kept, 3)
    session = kept.db.session()
    session.run("BEGIN")
    assert session.run("MATCH (c:City) RETURN c.v").rows == [[2]]
    kept.run("MATCH (c:City) SET c.v = 3")
    kept.run("MATCH (c:City) SET c.v = 4")
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    kept.clock.ahead = 2 * DAY
    # the clock is ahead, the snapshot's age with it
    kept.vacuuming.options = VacuumOptions(wait_s=10 * 86_400.0, keys_per_s=0.0)
    kept.vacuum()
    assert kept.oldest == 3
    assert session.run("MATCH (c:City) RETURN c.v").rows == [[2]]
    kept.vacuuming.options = VacuumOptions(wait_s=3_600.0, keys_per_s=0.0)
    kept.vacuum()
    assert kept.oldest == 5
    with pytest.raises(SnapshotExpired, match="the oldest readable version is 5") as expired:
        session.run("MATCH (c:City) RETURN c.v")
    assert expired.value.retryable
    session.close()


def test_readers_who_follow_one_another_hold_it_back_no_longer_than_one(kept: Kept) -> None:
    """None of them is open for long, and there is always one."""
    history(kept)
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    kept.clock.ahead = 2 * DAY
    kept.vacuuming.options = VacuumOptions(wait_s=3_600.0, keys_per_s=0.0)
    session = None
    for minute in range(0, 60, 10):
        following = kept.db.session()
        following.run("BEGIN AT VERSION 2")
        assert following.run("MATCH (c:City) RETURN c.v").rows == [[1]]
        if session is not None:
            session.close()
        session = following
        kept.clock.ahead = 2 * DAY + minute * 60_000_000
        kept.vacuum()
        assert kept.oldest == 2
    kept.clock.ahead += 600_000_000
    kept.vacuum()
    assert kept.oldest == 5
    assert session is not None
    with pytest.raises(SnapshotExpired):
        session.run("MATCH (c:City) RETURN c.v")
    session.close()
    # what became old since is waited for anew
    kept.run("MATCH (c:City) SET c.v = 5")
    session = kept.db.session()
    session.run("BEGIN AT VERSION 5")
    kept.clock.ahead += DAY
    kept.vacuuming.options = VacuumOptions(wait_s=10 * 86_400.0, keys_per_s=0.0)
    kept.vacuum()
    assert kept.oldest == 5
    session.close()


def test_a_member_that_answers_and_does_not_keep_up_is_waited_for_no_longer_than_a_silent_one(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(kept)
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    everyone = kept.vacuuming._pins.everyone

    async def with_one_behind() -> dict[int, Report | None]:
        return {**await everyone(), 9: Report(1, 1, 0, [])}

    monkeypatch.setattr(kept.vacuuming._pins, "everyone", with_one_behind)
    kept.vacuuming.options = VacuumOptions(wait_s=60.0, keys_per_s=0.0)
    kept.clock.ahead = 2 * DAY
    kept.vacuum()
    assert kept.vacuuming.waiting == "members [9] have not applied the new horizons"
    assert not kept.db.service.database.state.current.vacuum.keys
    kept.clock.ahead += 61_000_000
    kept.vacuum()
    assert kept.vacuuming.waiting == ""
    assert kept.db.service.database.state.current.vacuum.keys


def test_the_first_version_of_a_range_is_held(kept: Kept) -> None:
    history(kept)
    times = [kept.run("RETURN toString(datetime()) AS now")[0][0]]
    kept.run("MATCH (c:City) SET c.v = 9")
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    session = kept.db.session()
    session.run("BEGIN")
    text = "MATCH (c:City) BETWEEN TIME $a AND datetime() RETURN c.v"
    assert session.run(text, {"a": times[0]}).rows == [[4], [9]]
    kept.clock.ahead = 2 * DAY
    kept.vacuuming.options = VacuumOptions(wait_s=10 * 86_400.0, keys_per_s=0.0)
    kept.vacuum()
    assert kept.oldest == 5
    session.run("ROLLBACK")
    kept.vacuum()
    assert kept.oldest == 6
    session.close()


def test_nothing_goes_under_the_eyes_of_a_flashback(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would find missing, it would delete."""
    history(kept)
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    kept.vacuuming.options = VacuumOptions(wait_s=10 * 86_400.0, keys_per_s=0.0)

    def meanwhile(*arguments: Any) -> Any:
        kept.clock.ahead = 2 * DAY
        kept.vacuum()
        return touched(*arguments)

    monkeypatch.setattr(flashback, "touched", meanwhile)
    kept.run("FLASHBACK TO VERSION 2")
    assert kept.oldest == 2
    assert kept.run("MATCH (c:City) RETURN c.v") == [[1]]


def test_a_flashback_that_takes_too_long_ends(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    history(kept)
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    kept.vacuuming.options = VacuumOptions(wait_s=1.0, keys_per_s=0.0)

    def meanwhile(*arguments: Any) -> Any:
        kept.clock.ahead = 2 * DAY
        kept.vacuum()
        return touched(*arguments)

    monkeypatch.setattr(flashback, "touched", meanwhile)
    with pytest.raises(SnapshotExpired, match="version 2, which this transaction reads"):
        kept.run("FLASHBACK TO VERSION 2")
    assert kept.run("MATCH (c:City) RETURN c.v") == [[4]]


def test_a_dropped_restore_point_ends_who_reads_there_and_nobody_else(kept: Kept) -> None:
    history(kept)
    kept.run("ALTER DATABASE neo4j SET RETENTION KEEP FOREVER FOR (c:City)")
    kept.run("CREATE RESTORE POINT two AT VERSION 2")
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    kept.clock.ahead = 2 * DAY
    kept.vacuum()
    city, point = kept.db.session(), kept.db.session()
    city.run("BEGIN AT VERSION 3")
    point.run("BEGIN AT VERSION 2")
    assert city.run("MATCH (c:City) RETURN c.v").rows == [[2]]
    assert point.run("MATCH (c) RETURN c.v").rows == [[1]]
    kept.run("DROP RESTORE POINT two")
    assert city.run("MATCH (c:City) RETURN c.v").rows == [[2]]
    with pytest.raises(SnapshotExpired, match="version 2, which this transaction reads"):
        point.run("MATCH (c) RETURN c.v")
    city.close()
    point.close()


def test_a_transaction_that_begins_while_its_node_is_asked_is_told_of(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(kept, 1)
    database = kept.db.service.database
    asked, begun = Event(), Event()
    take, listed = database.snapshot, database.open_transactions

    def slow(version: int) -> GraphSnapshot:
        found = take(version)
        asked.wait(10)
        return found

    def list_then_begin() -> list[OpenTransaction]:
        found = listed()
        asked.set()
        assert begun.wait(10)
        return found

    def begin() -> None:
        database.begin(1, TransactionOptions(), Caller("", ""))
        begun.set()

    pins = Pins(database)
    monkeypatch.setattr(pins, "expire", lambda: None)
    monkeypatch.setattr(database, "snapshot", slow)
    monkeypatch.setattr(database, "open_transactions", list_then_begin)
    thread = Thread(target=begin)
    thread.start()
    report = pins.own()
    thread.join()
    assert [pin.version for pin in report.pins] == [1]


def test_nothing_goes_under_the_eyes_of_who_reads_the_graph_in_the_background(kept: Kept) -> None:
    """A segment that is replaced meanwhile stays until it is through."""
    database = kept.db.service.database
    upkeep = Upkeep(database, kept.db._parts.consensus, kept.db._threads)
    settled: list[int] = []

    class Beside:
        def tend(self) -> bool:
            kept.run("CREATE (:City)")
            [report] = kept.db.call(kept.vacuuming._pins.everyone()).values()
            assert report is not None
            settled.extend(pin.index for pin in report.pins)
            return False

        def interrupt(self) -> None: ...

    before = database.state.current.head.applied_index
    kept.db.call(upkeep._reading(Beside()))
    assert settled == [before]


def test_who_is_open_for_too_long_is_told_when_a_segment_it_reads_is_gone(kept: Kept) -> None:
    """The bytes are gone, and that ends the transaction, not the node."""
    load_rows(kept, 50)
    kept.run("MATCH (p:P) WHERE p.i < 40 DELETE p")
    kept.run("CREATE (:Q)")
    session = kept.db.session()
    session.run("BEGIN")
    assert session.run("MATCH (p:P) RETURN count(p)").rows == [[10]]
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    kept.clock.ahead = 2 * DAY
    kept.vacuuming.options = VacuumOptions(wait_s=1.0, keys_per_s=0.0)
    kept.vacuum()
    state = kept.db.service.database.state
    # its version can be read still, but not by the directory it has
    assert state.current.head.oldest_version == state.current.head.version
    assert state.current.vacuum.retired == ()
    state.cache._kept.clear()
    with pytest.raises(SnapshotExpired):
        session.run("MATCH (p:P) RETURN sum(p.i)")
    session.close()
    assert kept.run("MATCH (p:P) RETURN sum(p.i)") == [[445]]


def test_a_preview_does_not_need_segments_that_were_replaced(kept: Kept) -> None:
    """They may go while it looks."""
    load_rows(kept, 50)
    kept.run("MATCH (p:P) WHERE p.i < 40 DELETE p")
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 day'")
    kept.clock.ahead = 2 * DAY
    session = kept.db.session()
    session.run("BEGIN")
    kept.vacuuming.options = VacuumOptions(wait_s=10 * 86_400.0, keys_per_s=0.0)
    kept.vacuuming.now()
    state = kept.db.service.database.state
    while not state.current.vacuum.retired:
        kept.db.call(kept.vacuuming.step())
    gone = Batch()
    for one in state.current.vacuum.retired:
        prefix = segment_prefix(one.segment)
        gone.delete_range(prefix, after(prefix))
    state.store.write(gone)
    state.cache._kept.clear()
    preview(state, [])
    session.close()
