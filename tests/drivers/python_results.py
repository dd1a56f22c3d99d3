"""Results, values of every type, errors; see ``python_suite``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytz  # type: ignore[import-untyped]
from neo4j import exceptions as e
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

from tests.drivers.python_common import (
    MAJOR,
    case,
    driver,
    raises,
)

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
