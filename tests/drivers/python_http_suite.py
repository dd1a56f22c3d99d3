"""What a program does with Neo4j's Python driver over HTTP (the driver's preview of 6.4, which
speaks the Query API): the same questions as ``python_suite`` as far as that protocol goes.

Knows nothing of this project but an address: ``python -m tests.drivers.python_http_suite PORT
SECURED_PORT``, both of HTTP, prints one line a case.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import neo4j
import pytz  # type: ignore[import-untyped]
from neo4j import AsyncGraphDatabase, GraphDatabase
from neo4j import exceptions as e
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

from tests.drivers.python_common import PASSWORD, raises
from tests.drivers.python_main import main

CASES: dict[str, Callable[[int, int], None]] = {}
#: without one the driver refuses to speak HTTP; an open server takes any
ANYBODY = ("neo4j", "anything")


def case(call: Callable[[int, int], None]) -> Callable[[int, int], None]:
    CASES[call.__name__] = call
    return call


@contextmanager
def driver(port: int, auth: Any = ANYBODY) -> Iterator[Any]:
    made = GraphDatabase.driver(f"http://127.0.0.1:{port}", auth=auth)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def session(port: int, **config: Any) -> Iterator[Any]:
    with driver(port) as opened, opened.session(database="neo4j", **config) as made:
        yield made


# --- connection ----------------------------------------------------------------------------


@case
def connect(port: int, _: int) -> None:
    with driver(port) as opened:
        opened.verify_connectivity(database="neo4j")
        records, summary, keys = opened.execute_query("RETURN 1 AS one", database_="neo4j")
        assert [record.data() for record in records] == [{"one": 1}]
        assert keys == ["one"]
        assert summary.server.agent.startswith("Neo4j/")


@case
def passwords(_: int, secured: int) -> None:
    with driver(secured, ("neo4j", PASSWORD)) as opened:
        shown = opened.execute_query("SHOW CURRENT USER YIELD user", database_="neo4j")
        assert shown.records[0]["user"] == "neo4j"
    with driver(secured, ("neo4j", "wrong")) as opened:
        error = raises(e.AuthError, lambda: opened.execute_query("RETURN 1", database_="neo4j"))
        assert error.code == "Neo.ClientError.Security.Unauthorized"


@case
def many_threads(port: int, _: int) -> None:
    seen: list[int] = []
    with driver(port) as opened:

        def work(number: int) -> None:
            for turn in range(10):
                answer = opened.execute_query("RETURN $n AS n", n=number + turn, database_="neo4j")
                seen.append(answer.records[0]["n"])

        threads = [threading.Thread(target=work, args=(n * 100,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seen) == sorted(n * 100 + turn for n in range(10) for turn in range(10))


@case
def the_asynchronous_driver(port: int, _: int) -> None:
    async def work() -> list[int]:
        address = f"http://127.0.0.1:{port}"
        async with (
            AsyncGraphDatabase.driver(address, auth=ANYBODY) as opened,
            opened.session(database="neo4j") as made,
        ):

            async def count(tx: Any) -> list[int]:
                result = await tx.run("UNWIND range(1, 2500) AS x RETURN x")
                return [record["x"] async for record in result]

            assert sum(await made.execute_read(count)) == 2500 * 2501 // 2
            tx = await made.begin_transaction()
            await tx.run("CREATE (:AsyncHttp)")
            await tx.rollback()
            result = await made.run("MATCH (n:AsyncHttp) RETURN count(n) AS n")
            return [record["n"] async for record in result]

    assert asyncio.run(work()) == [0]


@case
def unknown_database(port: int, _: int) -> None:
    with driver(port) as opened, opened.session(database="other") as made:
        error = raises(e.ClientError, lambda: made.run("RETURN 1").consume())
        assert error.code == "Neo.ClientError.Database.DatabaseNotFound"


# --- transactions --------------------------------------------------------------------------


@case
def auto_commit_and_summary(port: int, _: int) -> None:
    with session(port) as made:
        summary = made.run("CREATE (:Auto {x: 1})-[:R]->(:Auto {x: 2})").consume()
        counters = summary.counters
        assert (counters.nodes_created, counters.relationships_created) == (2, 1)
        assert (counters.labels_added, counters.properties_set) == (2, 2)
        assert counters.contains_updates
        assert not counters.contains_system_updates
        assert summary.database == "neo4j"
        assert summary.query_type == "w"
        assert summary.result_available_after >= 0
        assert summary.result_consumed_after >= 0
        summary = made.run("MATCH (n:Auto) RETURN n.x").consume()
        assert summary.query_type == "r"
        summary = made.run("MATCH (n:Auto) DETACH DELETE n").consume()
        assert (summary.counters.nodes_deleted, summary.counters.relationships_deleted) == (2, 1)


@case
def explicit_transactions(port: int, _: int) -> None:
    count = "MATCH (n:Explicit) RETURN count(n)"
    with session(port) as made:
        with made.begin_transaction() as tx:
            tx.run("CREATE (:Explicit {x: 1})")
            assert tx.run(count).single()[0] == 1
            tx.rollback()
        assert made.run(count).single()[0] == 0
        with made.begin_transaction() as tx:
            summary = tx.run("CREATE (:Explicit {x: 1})").consume()
            assert (summary.counters.nodes_created, summary.query_type) == (1, "w")
            tx.commit()
        assert made.run(count).single()[0] == 1
        tx = made.begin_transaction()
        tx.run("MATCH (n:Explicit) DELETE n")
        tx.close()
        assert made.run(count).single()[0] == 1, "a transaction that is not committed is gone"
        made.run("MATCH (n:Explicit) DELETE n").consume()


@case
def several_results_in_one_transaction(port: int, _: int) -> None:
    with session(port) as made:
        tx = made.begin_transaction()
        first = tx.run("UNWIND range(1, 7) AS x RETURN x")
        second = tx.run("UNWIND range(11, 17) AS x RETURN x")
        pairs = [(a["x"], b["x"]) for a, b in zip(first, second, strict=True)]
        assert pairs == [(x, x + 10) for x in range(1, 8)]
        tx.commit()


@case
def managed_transaction_with_a_conflict(port: int, _: int) -> None:
    with session(port) as made, session(port) as other:
        made.run("CREATE (:Counter {x: 0})").consume()
        attempts: list[int] = []

        def work(tx: Any) -> None:
            attempts.append(1)
            tx.run("MATCH (c:Counter) RETURN c.x").consume()
            if len(attempts) == 1:
                other.run("MATCH (c:Counter) SET c.x = c.x + 10").consume()
            tx.run("MATCH (c:Counter) SET c.x = c.x + 1").consume()

        made.execute_write(work)
        assert len(attempts) == 2, attempts
        assert made.run("MATCH (c:Counter) RETURN c.x").single()[0] == 11
        made.run("MATCH (c:Counter) DELETE c").consume()


@case
def a_failed_statement_fails_its_transaction(port: int, _: int) -> None:
    with session(port) as made:
        tx = made.begin_transaction()
        raises(e.ClientError, lambda: tx.run("RETURN 1/0").consume())
        raises(Exception, lambda: tx.run("RETURN 1").consume())
        tx.close()
        assert made.run("RETURN 1").single()[0] == 1


@case
def reading_sessions_cannot_write(port: int, _: int) -> None:
    with session(port, default_access_mode="READ") as made:
        error = raises(e.ClientError, lambda: made.run("CREATE (:No)").consume())
        assert error.code == "Neo.ClientError.Statement.AccessMode"
    with session(port) as made:
        assert made.execute_read(lambda tx: tx.run("RETURN 1").single()[0]) == 1
        raises(e.ClientError, lambda: made.execute_read(lambda tx: tx.run("CREATE ()").consume()))


@case
def bookmarks_across_sessions(port: int, _: int) -> None:
    for number in range(5):
        with session(port) as made:
            made.execute_write(lambda tx, n=number: tx.run("CREATE (:Mark {x: $n})", n=n).consume())
            mark = made.last_bookmarks()
            assert len(mark.raw_values) == 1
        with session(port, bookmarks=mark) as made:
            found = made.run("MATCH (n:Mark {x: $x}) RETURN count(n)", x=number)
            assert found.single()[0] == 1
    wrong = neo4j.Bookmarks.from_raw_values(["somebody:else:1"])
    with session(port, bookmarks=wrong) as made:
        error = raises(e.ClientError, lambda: made.run("RETURN 1").consume())
        assert error.code == "Neo.ClientError.Transaction.InvalidBookmark"
    with session(port) as made:
        made.run("MATCH (n:Mark) DELETE n").consume()


@case
def the_past(port: int, _: int) -> None:
    with session(port) as made:
        made.run("CREATE (:Past {x: 1})").consume()
        before = datetime.now(timezone.utc)  # noqa: UP017 - as a program for older Pythons has it
        made.run("MATCH (n:Past) SET n.x = 2").consume()
        text = "MATCH (n:Past) RETURN n.x AT TIME $t"
        assert made.run(text, t=before).single()[0] == 1
        made.run("MATCH (n:Past) DELETE n").consume()


# --- results -------------------------------------------------------------------------------


@case
def large_and_empty_results(port: int, _: int) -> None:
    with session(port) as made:
        for count in (0, 1, 999, 1000, 1001, 50_000):
            result = made.run("UNWIND range(1, $n) AS x RETURN x", n=count)
            assert sum(row["x"] for row in result) == count * (count + 1) // 2
        result = made.run("UNWIND range(1, 5000) AS x RETURN x")
        assert next(iter(result))["x"] == 1
        assert result.consume().query_type == "r"
        assert list(made.run("MATCH (n:Nothing) RETURN n.x AS x").keys()) == ["x"]
        assert list(made.run("MATCH (n:Nothing) DELETE n")) == []
        text = "x" * 1_000_000
        assert made.run("RETURN $t AS t", t=text).single()["t"] == text


@case
def an_error_behind_many_rows(port: int, _: int) -> None:
    with session(port) as made:
        result = made.run("UNWIND range(-5000, 5) AS x RETURN 1 / x AS y")
        error = raises(e.ClientError, lambda: list(result))
        assert "ArithmeticError" in error.code
        assert made.run("RETURN 1").single()[0] == 1


@case
def plans_profiles_and_remarks(port: int, _: int) -> None:
    with session(port) as made:
        plan = made.run("EXPLAIN MATCH (n) RETURN n").consume().plan
        assert plan["operatorType"]
        assert plan["args"]
        profile = made.run("PROFILE UNWIND [1, 2] AS x RETURN x").consume().profile
        assert profile["rows"] == 2
        summary = made.run("MATCH (n:NoSuchLabelAnywhere) RETURN n").consume()
        assert "UnknownLabelWarning" in summary.notifications[0]["code"]
        said = {(each.raw_severity, each.raw_classification) for each in summary.gql_status_objects}
        assert ("WARNING", "UNRECOGNIZED") in said, said


@case
def errors(port: int, _: int) -> None:
    with session(port) as made:
        error = raises(e.CypherSyntaxError, lambda: made.run("RETRUN 1").consume())
        assert error.code == "Neo.ClientError.Statement.SyntaxError"
        assert "RETRUN" in error.message
        made.run("CREATE CONSTRAINT http_u IF NOT EXISTS FOR (n:HttpU) REQUIRE n.x IS UNIQUE")
        made.run("CREATE (:HttpU {x: 1})").consume()
        raises(e.ConstraintError, lambda: made.run("CREATE (:HttpU {x: 1})").consume())
        raises(e.ClientError, lambda: made.run("RETURN $missing").consume())
        made.run("MATCH (n:HttpU) DELETE n").consume()
        made.run("DROP CONSTRAINT http_u").consume()


# --- values --------------------------------------------------------------------------------


def _values() -> list[Any]:
    zone = pytz.FixedOffset(120)
    return [
        *(None, True, False),
        *(0, 1, -1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)),
        *(0.0, 1.5, -2.25e300, float("inf"), float("-inf")),
        *("", "å∫ç 🙂", "x" * 70_000),
        *(b"", bytes(range(256))),
        *([], [1, "a", None, [2.5, []]], {}, {"a": {"b": [1, {"c": None}]}}),
        *(Date(2024, 2, 29), Date(1, 1, 1), Date(9999, 12, 31)),
        Time(12, 34, 56, 789_000_001),
        Time(12, 34, 56, 789_000_001, tzinfo=zone),
        *(DateTime(2024, 2, 29, 12, 34, 56, 789_000_001), DateTime(2024, 2, 29, 12, 34)),
        DateTime(2024, 2, 29, 12, 34, 56, 789_000_001, tzinfo=zone),
        Duration(months=14, days=-3, seconds=5, nanoseconds=6),
        Duration(months=-1, days=2, seconds=-5, nanoseconds=-600_000_000),
        *(CartesianPoint((1.5, -2.5)), CartesianPoint((1.5, -2.5, 3.5))),
        *(WGS84Point((12.5, 55.5)), WGS84Point((12.5, 55.5, 100.0))),
    ]


@case
def every_value_both_ways(port: int, _: int) -> None:
    with session(port) as made:
        for value in _values():
            back = made.run("RETURN $v AS v", v=value).single()["v"]
            assert type(back) is type(value), (value, back)
            assert back == value, (value, back)
            if value is None or isinstance(value, (list, dict)):
                continue
            stored = made.run("CREATE (n:HttpStored {v: $v}) RETURN n", v=value).single()["n"]
            assert stored["v"] == value
        back = made.run("RETURN $v AS v", v=float("nan")).single()["v"]
        assert back != back
        made.run("MATCH (n:HttpStored) DELETE n").consume()
        back = made.run("RETURN $v AS v", v=timedelta(days=1, seconds=2)).single()["v"]
        assert back == Duration(days=1, seconds=2)


@case
def named_zones(port: int, _: int) -> None:
    with session(port) as made:
        text = "2024-07-01T12:00:00.000000001[Europe/Stockholm]"
        back = made.run("RETURN datetime($t) AS t", t=text).single()["t"]
        assert (back.hour, back.nanosecond) == (12, 1)
        assert back.utcoffset() == timedelta(hours=2)
        again = made.run("RETURN toString($t) AS t", t=back).single()["t"]
        assert again == "2024-07-01T12:00:00.000000001+02:00[Europe/Stockholm]", again


@case
def nodes_relationships_paths(port: int, _: int) -> None:
    with session(port) as made:
        row = made.run(
            "CREATE p = (a:P:Q {x: 1})-[r:R {w: 2.5}]->(b:P {x: 2})<-[s:S]-(c:P) "
            "RETURN a, r, b, p, elementId(a) AS id"
        ).single()
        a, r, b, p = row["a"], row["r"], row["b"], row["p"]
        assert (a.labels, a["x"], a.element_id) == ({"P", "Q"}, 1, row["id"])
        assert (r.type, r["w"], r.start_node, r.end_node) == ("R", 2.5, a, b)
        assert [node.get("x") for node in p.nodes] == [1, 2, None]
        assert [step.type for step in p.relationships] == ["R", "S"]
        assert p.relationships[1].end_node == b
        found = made.run("MATCH (n) WHERE elementId(n) = $id RETURN n", id=a.element_id)
        assert found.single()["n"].element_id == row["id"]
        made.run("MATCH (n:P) DETACH DELETE n").consume()


if __name__ == "__main__":
    sys.exit(main(sys.argv, CASES))
