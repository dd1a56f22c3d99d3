"""Lifting literals: what is lifted, and the law that nothing else changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QuerySyntaxError
from everwhen.query import syntax as s
from everwhen.query.literals import LITERALS_MAX, lift_literals
from everwhen.query.parser import parse, parse_tokens
from everwhen.query.pretty import pretty
from tests.tck import scenario
from tests.unit.query.test_parser_tck import texts
from tests.unit.query.trees import Grower


def exact(value: Any, parameters: dict[str, Any]) -> Any:
    """A tree as plain data, column texts included, with the lifted values put back."""
    if isinstance(value, s.Parameter) and value.name in parameters:
        given = parameters[value.name]
        kinds: dict[type, type] = {int: s.IntegerLiteral, float: s.FloatLiteral}
        return exact(kinds.get(type(given), s.StringLiteral)(given, at=value.at), {})
    if isinstance(value, s.Syntax):
        parts = [exact(getattr(value, field.name), parameters) for field in fields(value)]
        # an alias makes the text of an item meaningless, and lifting may change it
        if isinstance(value, s.Statement):
            parts = parts[:-1]
        return (type(value).__name__, *parts)
    if isinstance(value, tuple):
        return tuple(exact(item, parameters) for item in value)
    return value


def refused(door: Callable[[], object]) -> bool:
    try:
        door()
    except QuerySyntaxError:
        return True
    return False


def check(text: str) -> int:
    """The law, for one text; how many literals were lifted."""
    if refused(lambda: parse(text)):
        assert refused(lambda: parse_tokens(lift_literals(text).tokens)), text
        return 0
    plain = parse(text)
    lifted = lift_literals(text)
    tree = parse_tokens(lifted.tokens)
    assert exact(tree, lifted.parameters) == exact(plain, {}), lifted.key
    assert parse(lifted.key) == tree, lifted.key
    # lifting again finds nothing, and the same key
    assert lift_literals(lifted.key).key == lifted.key
    return len(lifted.parameters)


LIFTED = {
    "MATCH (n:A {id: 7}) RETURN n": "MATCH (n:A {id: $`integer 0`}) RETURN n",
    "MATCH (n) WHERE n.x = 'a' AND n.y > 1.5 OR n.z STARTS WITH 'a' RETURN n": (
        "MATCH (n) WHERE n.x = $`string 0` AND n.y > $`float 1` OR n.z STARTS WITH $`string 0` "
        "RETURN n"
    ),
    "RETURN 1 + 2 AS x, f('a') AS y": (
        "RETURN $`integer 0` + $`integer 1` AS x, f($`string 2`) AS y"
    ),
    "MATCH (n) AT TIME '2024' RETURN n": "MATCH (n) AT TIME $`string 0` RETURN n",
    "RETURN n.x AS x AS OF '2024'": "RETURN n.x AS x AS OF $`string 0`",
    "MATCH (n) SET n.x = 1, n += {y: 2}": (
        "MATCH (n) SET n.x = $`integer 0`, n += {y: $`integer 1`}"
    ),
    "RETURN n.x + 1 AS y ORDER BY n.x + 1": (
        "RETURN n.x + $`integer 0` AS y ORDER BY n.x + $`integer 0`"
    ),
}


@pytest.mark.parametrize(("text", "key"), LIFTED.items())
def test_lifted(text: str, key: str) -> None:
    assert lift_literals(text).key == key
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "RETURN 1 + 2, 'a'",
        "MATCH (n {x: 3}) RETURN n.x + 3",
        "RETURN n.x + (1) AS y ORDER BY n.x + 1",
        "MATCH (n) RETURN n LIMIT 3",
        "MATCH (n) RETURN n SKIP 1 LIMIT 3",
        "RETURN [1, 2, 3] AS xs, ys[0] AS y, zs[1..2] AS z",
        "MATCH (a)-[:R*1..3]->(b)-->{2,4}(c) RETURN a",
        "MATCH p = SHORTEST 2 (a)-->(b) RETURN p",
        "WITH -5 AS x RETURN x",
        "MATCH (n) WHERE n.x =~ 'a.*' RETURN n",
        "CREATE INDEX FOR (n:A) ON (n.x) OPTIONS {a: 1}",
        "SHOW DATABASES WHERE name = 'x'",
        "CYPHER 5 RETURN 1 AS x",
        "EXPLAIN RETURN 1 AS x",
        "WITH $`integer 0` AS y RETURN 1 AS x",
        "CALL { RETURN 1 } RETURN 2",
        "LOAD CSV FROM 'a' AS row FIELDTERMINATOR ';' RETURN row",
        "MATCH (5) RETURN (5) AS m",
    ],
)
def test_left_alone(text: str) -> None:
    assert lift_literals(text).key.count("$`integer") == text.count("$`integer")
    assert "`string" not in lift_literals(text).key
    check(text)


def test_values_and_types_go_with_the_names() -> None:
    lifted = lift_literals("WITH 1 AS a, 1.0 AS b, '1' AS c, 1 AS d RETURN a")
    assert lifted.parameters == {"integer 0": 1, "float 1": 1.0, "string 2": "1"}
    assert [type(value) for value in lifted.parameters.values()] == [int, float, str]


def test_texts_that_differ_in_more_than_literals_have_different_keys() -> None:
    keys = {
        lift_literals(text).key
        for text in (
            "MATCH (n {x: 1}) RETURN n",
            "MATCH (n {x: 1.0}) RETURN n",
            "MATCH (n {x: '1'}) RETURN n",
            "MATCH (n {x: null}) RETURN n",
            "MATCH (n {x: true}) RETURN n",
            "MATCH (n {x: 1})  RETURN n",
            "MATCH (n {x: 1, y: 1}) RETURN n",
            "MATCH (n {x: 1, y: 2}) RETURN n",
        )
    }
    assert len(keys) == 8


def test_a_text_full_of_data_is_left_as_it_is() -> None:
    text = "CREATE " + ", ".join(f"(:A {{x: {i}}})" for i in range(LITERALS_MAX + 1))
    assert lift_literals(text).key == text


@given(st.integers(0, 2**48))
def test_law_on_random_statements(seed: int) -> None:
    check(pretty(Grower(random.Random(seed), 3).statement()))


@pytest.mark.skipif(
    not (scenario.root() / "features").is_dir(),
    reason=f"no openCypher TCK at {scenario.root()} (set TCK=/path/to/tck)",
)
def test_law_on_the_tck() -> None:
    assert sum(check(text) for _, text, _ in texts()) > 1_000
