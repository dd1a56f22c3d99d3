"""What a program does with Neo4j's Python driver, versions 4.4, 5 and 6: run by each of them.

Knows nothing of this project but an address, so that it runs in an environment that holds the
driver alone: ``python python_suite.py PORT SECURED_PORT`` prints one line a case.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from typing import Any

import neo4j
import pytz  # type: ignore[import-untyped]
from neo4j import GraphDatabase, Query
from neo4j import exceptions as e
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

MAJOR = int(neo4j.__version__.split(".")[0])
PASSWORD = "correct horse"
CASES: dict[str, Callable[[int, int], None]] = {}


def case(call: Callable[[int, int], None]) -> Callable[[int, int], None]:
    CASES[call.__name__] = call
    return call


@contextmanager
def driver(port: int, scheme: str = "bolt", **config: Any) -> Iterator[Any]:
    made = GraphDatabase.driver(f"{scheme}://127.0.0.1:{port}", auth=None, **config)
    try:
        yield made
    finally:
        made.close()


def write(session: Any, work: Callable[..., Any]) -> Any:
    return (session.execute_write if MAJOR >= 5 else session.write_transaction)(work)


def read(session: Any, work: Callable[..., Any]) -> Any:
    return (session.execute_read if MAJOR >= 5 else session.read_transaction)(work)


def bookmarks(session: Any) -> Any:
    return session.last_bookmarks() if MAJOR >= 5 else [session.last_bookmark()]


def raises(kind: type[BaseException], call: Callable[[], Any]) -> Any:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} did not come")


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


# --- auth ----------------------------------------------------------------------------------


@case
def right_and_wrong_password(_: int, secured: int) -> None:
    uri = f"neo4j://127.0.0.1:{secured}"
    with GraphDatabase.driver(uri, auth=("neo4j", PASSWORD)) as opened:
        opened.verify_connectivity()
        with opened.session() as session:
            assert session.run("RETURN 1").value() == [1]
    for auth in (("neo4j", "wrong"), ("nobody", PASSWORD), None):
        with GraphDatabase.driver(f"bolt://127.0.0.1:{secured}", auth=auth) as opened:
            session = opened.session()
            error = raises(e.AuthError, lambda: session.run("RETURN 1"))  # noqa: B023
            assert error.code == "Neo.ClientError.Security.Unauthorized", error.code


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
        time.sleep(0.01)
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


# --- results -------------------------------------------------------------------------------


@case
def partial_consumption(port: int, _: int) -> None:
    with driver(port) as opened:
        with opened.session(fetch_size=10) as session:
            result = session.run("UNWIND range(1, 1000000) AS x RETURN x")
            assert [next(iter(result))["x"] for _ in range(25)] == list(range(1, 26))
            assert result.consume().query_type == "r"
            assert session.run("RETURN 1").single()[0] == 1
            result = session.run("UNWIND range(1, 1000000) AS x RETURN x")
            assert result.peek()["x"] == 1
        with opened.session() as session:
            assert session.run("RETURN 1").single()[0] == 1


@case
def large_streams(port: int, _: int) -> None:
    with driver(port) as opened, opened.session(fetch_size=1000) as session:
        total = sum(row["x"] for row in session.run("UNWIND range(1, 100000) AS x RETURN x"))
        assert total == 100_000 * 100_001 // 2
        text = session.run("RETURN $t AS t", t="x" * 1_000_000).single()["t"]
        assert len(text) == 1_000_000


@case
def sizes_around_the_fetch_size(port: int, _: int) -> None:
    with driver(port) as opened, opened.session(fetch_size=5) as session:
        for count in (0, 1, 4, 5, 6, 9, 10, 11, 260):
            result = session.run("UNWIND range(1, $n) AS x RETURN x", n=count)
            assert [row["x"] for row in result] == list(range(1, count + 1))


@case
def no_columns_no_rows(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:
        assert list(session.run("MATCH (n:Nothing) RETURN n.x AS x").keys()) == ["x"]
        result = session.run("MATCH (n:Nothing) DELETE n")
        assert list(result) == []
        assert list(result.keys()) == []


@case
def plans_profiles_and_remarks(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:
        plan = session.run("EXPLAIN MATCH (n) RETURN n").consume().plan
        assert plan["operatorType"]
        assert isinstance(plan["children"], list)
        profile = session.run("PROFILE UNWIND [1, 2] AS x RETURN x").consume().profile
        assert profile["rows"] == 2
        remarks = session.run("MATCH (n:NoSuchLabelAnywhere) RETURN n").consume().notifications
        assert remarks
        assert "UnknownLabelWarning" in remarks[0]["code"]


# --- values --------------------------------------------------------------------------------


def _values() -> list[Any]:
    zone = pytz.FixedOffset(120)
    return [
        None,
        True,
        False,
        *(0, 1, -1, 127, 128, -128, -129, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)),
        *(0.0, 1.5, -2.25e300, float("inf")),
        *("", "å∫ç 🙂", "x" * 70_000),
        bytearray(b""),
        bytearray(range(256)),
        [],
        [1, "a", None, [2.5, []]],
        {},
        {"a": {"b": [1, {"c": None}]}},
        Date(2024, 2, 29),
        Date(1, 1, 1),
        Date(9999, 12, 31),
        Time(12, 34, 56, 789_000_001),
        Time(12, 34, 56, 789_000_001, tzinfo=zone),
        DateTime(2024, 2, 29, 12, 34, 56, 789_000_001),
        DateTime(2024, 2, 29, 12, 34, 56, 789_000_001, tzinfo=zone),
        Duration(months=14, days=-3, seconds=5, nanoseconds=6),
        Duration(months=-1, days=2, seconds=-5, nanoseconds=600_000_000),
        CartesianPoint((1.5, -2.5)),
        CartesianPoint((1.5, -2.5, 3.5)),
        WGS84Point((12.5, 55.5)),
        WGS84Point((12.5, 55.5, 100.0)),
    ]


@case
def every_value_both_ways(port: int, _: int) -> None:
    values = _values()
    with driver(port) as opened, opened.session() as session:
        for value in values:
            back = session.run("RETURN $v AS v", v=value).single()["v"]
            if isinstance(value, bytearray):
                back = bytearray(back)
            assert type(back) is type(value), (value, back)
            assert back == value, (value, back)
        back = session.run("RETURN $v AS v", v=float("nan")).single()["v"]
        assert back != back
        stored = [v for v in values if v is not None and v not in ({}, [])]
        stored = [v for v in stored if not isinstance(v, (list, dict))]
        for value in stored:
            query = "CREATE (n:Stored {v: $v}) RETURN n"
            back = session.run(query, v=value).single()["n"]["v"]
            assert (bytearray(back) if isinstance(value, bytearray) else back) == value
        session.run("MATCH (n:Stored) DELETE n").consume()
        native = {"date": date(2024, 1, 2), "delta": timedelta(days=1, seconds=2)}
        back = session.run("RETURN $date AS a, $delta AS b", **native).single()
        assert back["a"].to_native() == native["date"]
        assert back["b"] == Duration(days=1, seconds=2)


@case
def named_zones(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:
        text = "2024-07-01T12:00:00.000000001[Europe/Stockholm]"
        back = session.run("RETURN datetime($t) AS t", t=text).single()["t"]
        assert (back.hour, back.nanosecond) == (12, 1)
        assert back.utcoffset() == timedelta(hours=2)
        again = session.run("RETURN toString($t) AS t", t=back).single()["t"]
        assert again == "2024-07-01T12:00:00.000000001+02:00[Europe/Stockholm]", again


@case
def nodes_relationships_paths(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:
        row = session.run(
            "CREATE p = (a:Walk:Start {n: 'a'})-[r:TO {w: 1.5}]->(b:Walk)<-[s:TO]-(c:Walk)"
            " RETURN p, a, r, b, [a, r] AS both, {x: c} AS map"
        ).single()
        path, start, link = row["p"], row["a"], row["r"]
        assert set(start.labels) == {"Walk", "Start"}
        assert dict(start) == {"n": "a"}
        assert (link.type, link["w"]) == ("TO", 1.5)
        assert link.start_node == start
        assert link.end_node == row["b"]
        assert len(path) == 2
        assert path.start_node == start
        assert [each.type for each in path.relationships] == ["TO", "TO"]
        assert path.relationships[1].end_node == row["b"]
        assert row["both"] == [start, link]
        if MAJOR >= 5:
            found = session.run(
                "MATCH (n) WHERE elementId(n) = $id RETURN n", id=start.element_id
            ).single()
            assert found["n"].element_id == start.element_id
        session.run("MATCH (n:Walk) DETACH DELETE n").consume()


@case
def vectors(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:
        query = "RETURN vector([1.0, 2.5], 2, 'FLOAT32') AS v"
        back = session.run(query).single()["v"]
        if MAJOR < 6:
            assert back == [1.0, 2.5]
            return
        from neo4j.vector import Vector  # type: ignore[import-not-found,unused-ignore]

        assert back.raw() == Vector([1.0, 2.5], "f32").raw()
        again = session.run("RETURN $v AS v", v=back).single()["v"]
        assert (again.raw(), again.dtype) == (back.raw(), back.dtype)


# --- errors --------------------------------------------------------------------------------


@case
def errors_have_their_classes(port: int, _: int) -> None:
    with driver(port) as opened, opened.session() as session:

        def failing(query: str, **parameters: Any) -> Callable[[], Any]:
            return lambda: session.run(query, **parameters).consume()

        error = raises(e.CypherSyntaxError, failing("RETURN 1 +"))
        assert error.code == "Neo.ClientError.Statement.SyntaxError"
        if MAJOR >= 6:
            assert error.gql_status == "42001"
        raises(e.CypherTypeError, failing("RETURN 1 + {}"))
        raises(e.ClientError, failing("RETURN $missing"))
        raises(e.ClientError, failing("CALL no.such.procedure()"))
        raises(e.ClientError, failing("RETURN 1/0"))
        session.run("CREATE CONSTRAINT drivers FOR (n:Only) REQUIRE n.x IS UNIQUE").consume()
        try:
            session.run("CREATE (:Only {x: 1})").consume()
            raises(e.ConstraintError, failing("CREATE (:Only {x: 1})"))
        finally:
            session.run("MATCH (n:Only) DELETE n").consume()
            session.run("DROP CONSTRAINT drivers").consume()
        failed = session.run("UNWIND [1, 1, 0] AS x RETURN 1/x AS y")
        raises(e.ClientError, lambda: list(failed))
        assert session.run("RETURN 1").single()[0] == 1


def main(port: int, secured: int) -> int:
    failures = 0
    for name, run in CASES.items():
        try:
            run(port, secured)
            print(f"ok {name}", flush=True)
        except Exception:
            failures += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]), int(sys.argv[2])) else 0)
