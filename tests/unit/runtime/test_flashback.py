"""FLASHBACK in transactions, beside other sessions, and over what was loaded in bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from everwhen import limits
from everwhen.apply import detaching
from everwhen.codec.cluster import Cluster
from everwhen.errors import (
    AccessModeViolation,
    EverwhenError,
    FlashbackConflict,
    MemoryLimitExceeded,
    PreconditionFailed,
    QueryCancelled,
    TimeOutOfRange,
    TransactionConflict,
    TransactionStateError,
)
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch
from everwhen.mvcc.verify import verify
from everwhen.runtime.embedded import Embedded, EmbeddedSession
from everwhen.txn.commands import CheckChunks, Chunk, CommitChunks, decode


@pytest.fixture
def db() -> Iterator[Embedded]:
    """Version 1: ten nodes in a row. Version 2: every other is gone. Version 3: new values."""
    with Embedded() as database:
        database.execute(
            "UNWIND range(0, 9) AS i CREATE (n:N {i: i}) WITH collect(n) AS ns "
            "UNWIND range(0, 8) AS i WITH ns[i] AS a, ns[i + 1] AS b CREATE (a)-[:TO {at: a.i}]->(b)"
        )
        database.execute("MATCH (n:N) WHERE n.i % 2 = 1 DETACH DELETE n")
        database.execute("MATCH (n:N) SET n.i = n.i + 100, n:M")
        yield database
        still = MemoryStore()
        batch = Batch()
        batch.put_all(list(database.store.scan(b"", b"\xff")))
        still.write(batch)
        report = verify(still)
        assert report.ok, report.problems


def rows(at: Embedded | EmbeddedSession, query: str, **parameters: Any) -> list[list[Any]]:
    run = at.execute if isinstance(at, Embedded) else at.run
    return [list(row) for row in run(query, parameters).rows]


def shown(at: Embedded | EmbeddedSession, version: int | None = None) -> list[list[Any]]:
    when = "" if version is None else f" AT VERSION {version}"
    nodes = rows(at, f"MATCH (n) RETURN id(n), labels(n), properties(n) ORDER BY id(n){when}")
    return nodes + rows(at, f"MATCH ()-[r]->() RETURN id(r), r.at ORDER BY id(r){when}")


def refused(at: Embedded | EmbeddedSession, query: str, kind: type[EverwhenError]) -> str:
    with pytest.raises(kind) as caught:
        rows(at, query)
    return caught.value.message


# --- in transactions ---


def test_it_is_committed_with_its_transaction(db: Embedded) -> None:
    session = db.session()
    session.run("BEGIN", {})
    assert rows(session, "MATCH (n) RETURN count(n)") == [[5]]
    [[version, revived, *_]] = rows(session, "FLASHBACK TO VERSION 1")
    assert (version, revived) == (1, 5)
    assert db.version == 3
    assert shown(db) == shown(db, 3)
    session.run("COMMIT", {})
    assert db.version == 4
    assert shown(db) == shown(db, 1)


@pytest.mark.parametrize("most", [5_000, 2])
def test_it_is_rolled_back_with_its_transaction(
    db: Embedded, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", most)
    session = db.session()
    session.run("BEGIN", {})
    rows(session, "FLASHBACK TO VERSION 1")
    session.run("ROLLBACK", {})
    assert db.version == 3
    rows(db, "MATCH (n:M) SET n.after = 1")
    assert not db._parts.machine.open_stagings


def test_it_is_the_last_statement_of_its_transaction(db: Embedded) -> None:
    for after in ("RETURN 1", "CREATE (:N)", "FLASHBACK TO VERSION 2", "EXPLAIN RETURN 1"):
        session = db.session()
        session.run("BEGIN", {})
        rows(session, "FLASHBACK TO VERSION 1")
        assert "last statement" in refused(session, after, TransactionStateError)
        session.close()
    assert db.version == 3


def test_it_does_not_follow_writes(db: Embedded) -> None:
    session = db.session()
    session.run("BEGIN", {})
    session.run("CREATE (:N)", {})
    assert "cannot follow writes" in refused(
        session, "FLASHBACK TO VERSION 1", TransactionStateError
    )
    session.close()


def test_explain_may_stand_anywhere(db: Embedded) -> None:
    session = db.session()
    session.run("BEGIN", {})
    session.run("CREATE (:N)", {})
    assert rows(session, "EXPLAIN FLASHBACK TO VERSION 1")[0][:4] == [1, 5, 0, 5]
    session.run("COMMIT", {})
    session = db.session()
    session.run("BEGIN READ ONLY", {})
    assert rows(session, "EXPLAIN FLASHBACK TO VERSION 1")[0][:4] == [1, 5, 1, 5]
    session.close()


@pytest.mark.parametrize("begin", ["BEGIN READ ONLY", "BEGIN AT VERSION 2"])
def test_who_only_reads_cannot(db: Embedded, begin: str) -> None:
    session = db.session()
    session.run(begin, {})
    assert "only reads" in refused(session, "FLASHBACK TO VERSION 1", AccessModeViolation)
    session.close()


@pytest.mark.parametrize("level", ["SERIALIZABLE", "PESSIMISTIC"])
def test_it_needs_a_snapshot(db: Embedded, level: str) -> None:
    session = db.session()
    session.run(f"BEGIN {level}", {})
    assert level in refused(session, "FLASHBACK TO VERSION 1", TransactionStateError)
    session.close()


@pytest.mark.parametrize("moment", ["datetime.realtime()", "VERSION 4"])
def test_a_moment_after_the_snapshot_is_not_the_past(db: Embedded, moment: str) -> None:
    session = db.session()
    session.run("BEGIN", {})
    assert rows(session, "RETURN 1") == [[1]]
    rows(db, "CREATE (:N)")
    assert "version 4" in refused(session, f"FLASHBACK TO {moment}", TimeOutOfRange)
    session.close()


def test_below_the_feature_level(db: Embedded) -> None:
    state = db._parts.state
    state.publish(state.current.head, cluster=Cluster(feature_level=3))
    assert "feature level 4" in refused(db, "FLASHBACK TO VERSION 1", PreconditionFailed)
    assert rows(db, "EXPLAIN FLASHBACK TO VERSION 1")[0][:2] == [1, 5]


# --- beside others ---


def test_who_changed_the_same_thing_conflicts(db: Embedded) -> None:
    session = db.session()
    session.run("BEGIN", {})
    rows(session, "FLASHBACK TO VERSION 1")
    rows(db, "MATCH (n:M {i: 100}) SET n.i = 7")
    with pytest.raises(TransactionConflict):
        session.run("COMMIT", {})
    assert rows(db, "MATCH (n:N) RETURN n.i ORDER BY n.i")[0] == [7]
    # by itself it is run again on what is there by then
    rows(db, "FLASHBACK TO VERSION 1")
    assert shown(db) == shown(db, 1)


def test_what_others_wrote_meanwhile_stays(db: Embedded) -> None:
    session = db.session()
    session.run("BEGIN", {})
    rows(session, "FLASHBACK TO VERSION 1")
    rows(db, "CREATE (:Other)")
    rows(db, "MATCH (n:M {i: 100}) SET n.mine = 1")
    session.run("COMMIT", {})
    assert rows(db, "MATCH (o:Other) RETURN count(o)") == [[1]]
    assert rows(db, "MATCH (n:N {i: 0}) RETURN n.mine") == [[1]]


# --- large ones ---


class Watched:
    """Every command proposed; ``also`` is called with each before it is."""

    def __init__(
        self,
        db: Embedded,
        monkeypatch: pytest.MonkeyPatch,
        also: Callable[[Any], None] = lambda command: None,
    ) -> None:
        self.commands: list[Any] = []
        consensus = db._parts.consensus
        propose = consensus.propose

        async def watched(payload: bytes, *rest: Any, **more: Any) -> Any:
            self.commands.append(decode(payload))
            also(self.commands[-1])
            return await propose(payload, *rest, **more)

        monkeypatch.setattr(consensus, "propose", watched)

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.commands if type(each) is kind]


def test_a_large_one_travels_in_chunks_behind_one_version(
    db: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 6)
    monkeypatch.setattr(limits, "FLASHBACK_MUTATIONS_PER_CHUNK", 2)
    seen = Watched(db, monkeypatch)
    rows(db, "FLASHBACK TO VERSION 1")
    assert db.version == 4
    chunks = seen.of(Chunk)
    assert len(chunks) > 5
    assert max(len(each.mutations) for each in chunks) <= 4
    assert len(seen.of(CommitChunks)) == 1
    assert shown(db) == shown(db, 1)


@pytest.mark.parametrize("text", ["FLASHBACK TO VERSION 3", "MATCH (h:Hub) DETACH DELETE h"])
def test_what_a_large_one_deletes_is_checked_in_steps(
    db: Embedded, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    rows(db, "CREATE (h:Hub) WITH h MATCH (n:N) UNWIND range(1, 4) AS i CREATE (h)-[:AT]->(n)")
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 6)
    monkeypatch.setattr(limits, "DETACHED_PER_STEP", 3)
    monkeypatch.setattr(detaching, "CHUNK_ROOM", 3)
    seen = Watched(db, monkeypatch)
    rows(db, text)
    assert len(seen.of(CheckChunks)) >= 5
    assert len(seen.of(CommitChunks)) == 1
    assert shown(db) == shown(db, 3)


def test_a_conflict_sends_nothing_more_and_leaves_nothing(
    db: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(db, "MATCH (n:M) SET n.i = 5")
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 1)
    monkeypatch.setattr(limits, "FLASHBACK_CONFLICTS_SHOWN", 2)
    monkeypatch.setattr("everwhen.mvcc.undo.FLASHBACK_CONFLICTS_SHOWN", 2)
    seen = Watched(db, monkeypatch)
    message = refused(db, "FLASHBACK TRANSACTION 3", FlashbackConflict)
    assert message.count("\n  node") == 2
    assert "and 3 more" in message
    assert not seen.of(CommitChunks)
    assert db.version == 4
    assert not db._parts.machine.open_stagings


def test_a_chunk_that_is_refused_leaves_nothing(
    db: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(db, "CREATE CONSTRAINT one FOR (n:N) REQUIRE n.i IS UNIQUE")
    rows(db, "CREATE (:N {i: 1})")
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 1)
    before = shown(db)
    assert "already exists" in refused(db, "FLASHBACK TRANSACTION 2", EverwhenError)
    assert shown(db) == before
    assert not db._parts.machine.open_stagings


def test_what_it_holds_is_bounded(db: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("everwhen.mvcc.difference._CHUNK", 1)
    monkeypatch.setattr(db._parts.database, "statement_memory", 100)
    refused(db, "FLASHBACK TO VERSION 1", MemoryLimitExceeded)
    refused(db, "EXPLAIN FLASHBACK TRANSACTION 1", MemoryLimitExceeded)
    monkeypatch.setattr(db._parts.database, "statement_memory", 10_000)
    rows(db, "FLASHBACK TO VERSION 1")
    assert shown(db) == shown(db, 1)


def test_it_can_be_stopped_on_the_way(db: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 1)
    monkeypatch.setattr(limits, "FLASHBACK_MUTATIONS_PER_CHUNK", 1)

    def stop(command: Any) -> None:
        if isinstance(command, Chunk) and command.number == 2:
            for each in db._parts.database.open_transactions():
                each.deadline.cancelled = "enough"

    seen = Watched(db, monkeypatch, stop)
    refused(db, "FLASHBACK TO VERSION 1", QueryCancelled)
    assert len(seen.of(Chunk)) == 3
    assert db.version == 3
    assert not db._parts.machine.open_stagings
