"""Retention, restore points and ERASE as statements; open snapshots hold horizons back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pyarrow as pa
import pytest

from everwhen.errors import (
    EraseRefused,
    EverwhenError,
    SnapshotExpired,
    TimeOutOfRange,
)
from everwhen.mvcc.difference import touched
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.verify import verify
from everwhen.runtime import flashback, vacuum_preview
from everwhen.runtime.background import Upkeep
from everwhen.runtime.bulk import BulkOptions
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.pins import Pins
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.system import SystemClock
from everwhen.runtime.transaction import OpenTransaction
from everwhen.runtime.vacuum import Vacuuming, VacuumOptions
from everwhen.runtime.vacuum_preview import preview

DAY = 86_400_000_000


class LaterClock(SystemClock):
    """The system's clock, some time later."""

    ahead = 0

    def now_micros(self) -> int:
        return super().now_micros() + self.ahead


class Kept:
    """A database whose clock can be put forward."""

    def __init__(self) -> None:
        self.clock = LaterClock()
        self.db = Embedded(clock=self.clock)

    def run(self, text: str, **parameters: Any) -> list[list[Any]]:
        return self.db.execute(text, parameters).rows

    @property
    def vacuuming(self) -> Vacuuming:
        found = self.db.service.database.vacuuming
        assert found is not None
        return found

    def vacuum(self) -> None:
        """Look now; until it is through."""
        self.db.call(asyncio.wait_for(self._through(), 30))

    async def _through(self) -> None:
        self.vacuuming.now()
        while self.vacuuming.running:
            await self.vacuuming.step()
            await asyncio.sleep(0)
            if self.vacuuming.waiting:
                return

    @property
    def oldest(self) -> int:
        return self.db.service.database.state.current.head.oldest_version


@pytest.fixture
def kept() -> Iterator[Kept]:
    found = Kept()
    yield found
    found.db.close()


def history(kept: Kept, versions: int = 5) -> None:
    kept.run("CREATE (:City {name: 'Oslo', v: 0})")
    for version in range(1, versions):
        kept.run("MATCH (c:City) SET c.v = $v", v=version)


def load_rows(kept: Kept, rows: int) -> None:
    """Nodes :P with i from 0 on, in a segment."""
    bulk = kept.db.service.bulk
    table = pa.table({"i": list(range(rows))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)

    async def load() -> None:
        caller = Caller("", "")
        token, _ = await bulk.begin(BulkOptions(), caller)
        found = bulk.find(token, caller)
        await bulk.nodes(token, found, sink.getvalue().to_pybytes(), ["P"])
        await bulk.commit(token, found)

    kept.db.call(load())


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
