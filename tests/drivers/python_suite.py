"""What a program does with Neo4j's Python driver, versions 4.4, 5 and 6: run by each of them.

Knows nothing of this project but an address, so that it runs in an environment that holds the
driver alone: ``python -m tests.drivers.python_suite PORT SECURED_PORT`` prints one line a case.
"""

from __future__ import annotations

import sys
import threading
import time
from datetime import datetime, timezone
from typing import Any

import neo4j
from neo4j import Query
from neo4j import exceptions as e

from tests.drivers import python_auth as python_auth
from tests.drivers import python_results as python_results
from tests.drivers.python_common import (
    MAJOR,
    bookmarks,
    case,
    driver,
    raises,
    read,
    write,
)
from tests.drivers.python_main import main

# --- connection ----------------------------------------------------------------------------


@case
def connect_bolt_and_neo4j(port: int, _: int) -> None:
    for scheme in ("bolt", "neo4j"):
        with driver(port, scheme) as opened:
            opened.verify_connectivity()
            with opened.session() as session:
                result = session.run("RETURN 1 AS one")
                assert result.single()["one"] == 1
                info = result.consume().server
                assert info.agent.startswith("Neo4j/")
                wanted = {4: (4, 4), 5: (5, 8), 6: (6, 0)}[MAJOR]
                assert tuple(info.protocol_version) == wanted, info.protocol_version


@case
def many_sessions_at_a_time(port: int, _: int) -> None:
    with driver(port) as opened:
        seen: list[int] = []

        def work(number: int) -> None:
            for turn in range(10):
                with opened.session() as session:
                    seen.append(session.run("RETURN $n AS n", n=number + turn).value()[0])

        threads = [threading.Thread(target=work, args=(n * 100,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seen) == sorted(n * 100 + turn for n in range(20) for turn in range(10))


@case
def unknown_database(port: int, _: int) -> None:
    with driver(port) as opened, opened.session(database="other") as session:
        error = raises(e.ClientError, lambda: session.run("RETURN 1").consume())
        assert error.code == "Neo.ClientError.Database.DatabaseNotFound"
    with driver(port) as opened, opened.session(database="neo4j") as session:
        assert session.run("RETURN 1").single()[0] == 1


# --- transactions --------------------------------------------------------------------------


@case
def auto_commit_and_counters(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:
        summary = session.run("CREATE (:Auto {x: 1})-[:R]->(:Auto {x: 2})").consume()
        counters = summary.counters
        assert (counters.nodes_created, counters.relationships_created) == (2, 1)
        assert (counters.labels_added, counters.properties_set) == (2, 2)
        assert counters.contains_updates
        assert summary.query_type == "w"
        assert summary.database == "neo4j"
        assert summary.result_available_after >= 0
        assert summary.result_consumed_after >= 0
        summary = session.run("MATCH (n:Auto) DETACH DELETE n").consume()
        assert (summary.counters.nodes_deleted, summary.counters.relationships_deleted) == (2, 1)
        assert not session.run("MATCH (n:Auto) RETURN n").consume().counters.contains_updates


@case
def explicit_transactions(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:
        with session.begin_transaction() as tx:
            tx.run("CREATE (:Explicit {x: 1})")
            assert tx.run("MATCH (n:Explicit) RETURN count(n)").single()[0] == 1
            tx.rollback()
        assert session.run("MATCH (n:Explicit) RETURN count(n)").single()[0] == 0
        with session.begin_transaction() as tx:
            tx.run("CREATE (:Explicit {x: 1})").consume()
            tx.commit()
        assert session.run("MATCH (n:Explicit) RETURN count(n)").single()[0] == 1
        session.run("MATCH (n:Explicit) DELETE n").consume()


@case
def several_results_in_one_transaction(port: int, _: int) -> None:
    with driver(port) as opened, opened.session(fetch_size=2) as session:
        tx = session.begin_transaction()
        first = tx.run("UNWIND range(1, 7) AS x RETURN x")
        second = tx.run("UNWIND range(11, 17) AS x RETURN x")
        pairs = [(a["x"], b["x"]) for a, b in zip(first, second)]  # noqa: B905
        assert pairs == [(x, x + 10) for x in range(1, 8)]
        tx.commit()


@case
def managed_transaction_with_a_conflict(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session, opened.session() as other:
        session.run("CREATE (:Counter {x: 0})").consume()
        attempts = []

        def work(tx: Any) -> None:
            attempts.append(1)
            tx.run("MATCH (c:Counter) RETURN c.x").consume()
            if len(attempts) == 1:
                other.run("MATCH (c:Counter) SET c.x = c.x + 10").consume()
            tx.run("MATCH (c:Counter) SET c.x = c.x + 1").consume()

        write(session, work)
        assert len(attempts) == 2, attempts
        assert session.run("MATCH (c:Counter) RETURN c.x").single()[0] == 11
        session.run("MATCH (c:Counter) DELETE c").consume()


@case
def a_failed_statement_fails_its_transaction(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:
        tx = session.begin_transaction()
        raises(e.ClientError, lambda: tx.run("RETURN 1/0").consume())
        raises(Exception, lambda: tx.run("RETURN 1").consume())
        tx.close()
        assert session.run("RETURN 1").single()[0] == 1


@case
def reading_sessions_cannot_write(port: int, _: int) -> None:
    with driver(port) as opened:
        with opened.session(default_access_mode="READ") as session:
            error = raises(e.ClientError, lambda: session.run("CREATE (:No)").consume())
            assert error.code == "Neo.ClientError.Statement.AccessMode"
        with opened.session() as session:
            assert read(session, lambda tx: tx.run("RETURN 1").single()[0]) == 1
            raises(e.ClientError, lambda: read(session, lambda tx: tx.run("CREATE ()").consume()))


@case
def bookmarks_across_sessions(port: int, _: int) -> None:
    with driver(port, "neo4j") as opened:
        for number in range(5):
            with opened.session() as session:
                text = f"CREATE (:Mark {{x: {number}}})"
                write(session, lambda tx, text=text: tx.run(text).consume())
                mark = bookmarks(session)
            with opened.session(bookmarks=mark) as session:
                query = "MATCH (n:Mark {x: $x}) RETURN count(n)"
                assert session.run(query, x=number).single()[0] == 1
        wrong: Any = ["somebody:else:1"]
        if MAJOR >= 5:
            wrong = neo4j.Bookmarks.from_raw_values(wrong)
        with opened.session(bookmarks=wrong) as session:
            error = raises(e.ClientError, lambda: session.run("RETURN 1").consume())
            assert error.code == "Neo.ClientError.Transaction.InvalidBookmark"
        with opened.session() as session:
            session.run("MATCH (n:Mark) DELETE n").consume()


@case
def metadata_travels_in_time(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:
        session.run("CREATE (:Past {x: 1})").consume()
        before = datetime.now(timezone.utc)  # noqa: UP017 - drivers run on older Pythons
        session.run("MATCH (n:Past) SET n.x = 2").consume()
        moment: Any = before if MAJOR >= 5 else before.isoformat()
        query = Query("MATCH (n:Past) RETURN n.x", metadata={"at_time": moment})
        assert session.run(query).single()[0] == 1
        with session.begin_transaction(metadata={"at_time": before.isoformat()}) as tx:
            assert tx.run("MATCH (n:Past) RETURN n.x").single()[0] == 1
        with session.begin_transaction(metadata={"app": "test", "isolation": "serializable"}) as tx:
            tx.run("MATCH (n:Past) DELETE n").consume()
            tx.commit()


@case
def timeouts(port: int, _: int) -> None:
    long = "UNWIND range(1, 10000) AS {0} WITH * "
    slow = long.format("x") + long.format("y") + "WHERE x + y < 0 RETURN x"
    with driver(port) as opened, opened.session() as session:
        started = time.monotonic()
        error = raises(e.ClientError, lambda: session.run(Query(slow, timeout=0.2)).consume())
        assert error.code.startswith("Neo.ClientError.Transaction.TransactionTimedOut"), error.code
        tx = session.begin_transaction(timeout=0.2)
        raises(e.ClientError, lambda: tx.run(slow).consume())
        tx.close()
        assert time.monotonic() - started < 20
        assert session.run("RETURN 1").single()[0] == 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
