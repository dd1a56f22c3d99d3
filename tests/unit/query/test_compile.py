"""Compiling and caching: what shares a plan, what makes one stale, what is not planned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from everwhen.errors import ProcedureNotFound, SemanticError
from everwhen.query import syntax as s
from everwhen.query.cache import PlanCache
from everwhen.query.compile import Compiled, Compiler, prepare
from everwhen.query.environment import ProcedureSignature
from everwhen.query.explain import describe, render
from everwhen.query.traverse import operators_below
from tests.golden.plan.world import ENVIRONMENT, World


def world(*lines: str) -> World:
    made = World()
    for line in ("nodes 100", "label A 50", "type R 10", "keys x", *lines):
        made.declare(line)
    return made


def compiled(compiler: Compiler, text: str, around: World) -> Compiled:
    found = compiler.compile(text, around.catalog, around.counts, ENVIRONMENT)
    assert isinstance(found, Compiled)
    return found


def test_texts_that_differ_in_literals_share_a_plan() -> None:
    compiler, around = Compiler(10), world()
    one = compiled(compiler, "MATCH (n:A {x: 1}) RETURN n", around)
    other = compiled(compiler, "MATCH (n:A {x: 2}) RETURN n", around)
    assert one.entry is other.entry
    assert list(one.lifted.values()) == [1]
    assert list(other.lifted.values()) == [2]


def test_literals_of_another_type_have_a_plan_of_their_own() -> None:
    compiler, around = Compiler(10), world()
    one = compiled(compiler, "MATCH (n:A {x: 1}) RETURN n", around)
    other = compiled(compiler, "MATCH (n:A {x: 'a'}) RETURN n", around)
    assert one.entry is not other.entry


def test_what_was_built_is_shared_with_the_plan() -> None:
    compiler, around = Compiler(10), world()
    compiled(compiler, "MATCH (n:A {x: 1}) RETURN n", around).built = "runner"
    assert compiled(compiler, "MATCH (n:A {x: 5}) RETURN n", around).built == "runner"


def test_a_new_catalog_makes_plans_stale() -> None:
    compiler, around = Compiler(10), world()
    text = "MATCH (n:A {x: 1}) RETURN n"
    before = compiled(compiler, text, around)
    around.declare("index a_x NODE A(x) 50 50")
    after = compiled(compiler, text, around)
    assert before.entry is not after.entry
    assert after.plan.catalog_version == around.catalog.version


def test_a_much_larger_graph_is_planned_for_anew() -> None:
    compiler, around = Compiler(10), world()
    text = "MATCH (n:A {x: 1}) RETURN n"
    before = compiled(compiler, text, around)
    around.counts.nodes = 101
    assert compiled(compiler, text, around).entry is before.entry
    around.counts.nodes = 1_000_000
    assert compiled(compiler, text, around).entry is not before.entry


def test_a_remark_on_an_unknown_name_goes_when_the_name_comes() -> None:
    compiler, around = Compiler(10), world()
    text = "MATCH (n:B) RETURN n"
    assert [n.at for n in compiled(compiler, text, around).plan.notifications] == [9]
    assert compiled(compiler, text, around).plan.notifications
    around.declare("label B 1")
    assert not compiled(compiler, text, around).plan.notifications


def test_an_error_shows_the_text_as_written() -> None:
    with pytest.raises(SemanticError) as caught:
        compiled(Compiler(10), "RETURN 1 + 2 AS a, true AND 'x' AS b", world())
    assert "expected BOOLEAN but was STRING" in caught.value.message
    assert "true AND 'x'" in caught.value.message


@pytest.mark.parametrize(
    "text", ["CREATE INDEX FOR (n:A) ON (n.x)", "BEGIN", "COMMIT", "DROP CONSTRAINT c"]
)
def test_schema_and_transactions_are_not_planned(text: str) -> None:
    around = world()
    found = prepare(text, around.catalog, around.counts, ENVIRONMENT)
    assert isinstance(found, s.Body)


class Procedure:
    """A procedure that a test registers."""

    planning = ProcedureSignature("test.one", (), (("out", "INTEGER"),))


def test_procedures_can_be_added() -> None:
    around = world()
    text = "CALL test.one() YIELD out RETURN out"
    with pytest.raises(ProcedureNotFound):
        prepare(text, around.catalog, around.counts, ENVIRONMENT)
    found = Compiler(10).compile(
        text, around.catalog, around.counts, ENVIRONMENT, {"test.one": Procedure()}
    )
    assert isinstance(found, Compiled)
    assert found.plan.columns == ("out",)


def test_parameters_of_the_request_are_listed() -> None:
    found = compiled(Compiler(1), "MATCH (n:A {x: $x}) RETURN n SKIP $s", world())
    assert found.plan.parameters == {"x", "s"}


def test_the_cache_forgets_what_was_not_used_longest() -> None:
    cache: PlanCache[str] = PlanCache(2)
    cache.put("a", "A")
    cache.put("b", "B")
    assert cache.get("a") == "A"
    cache.put("c", "C")
    assert cache.get("b") is None
    assert (cache.get("a"), cache.get("c"), len(cache)) == ("A", "C", 2)


def test_planning_is_a_function_of_its_inputs() -> None:
    around = world()
    text = "MATCH (n:A)-[r:R]->(m) WHERE n.x > 1 RETURN n, count(m) AS c ORDER BY c LIMIT 2"
    one = prepare(text, around.catalog, around.counts, ENVIRONMENT)
    other = prepare(text, replace(around.catalog), around.counts, ENVIRONMENT)
    assert isinstance(one, Compiled)
    assert isinstance(other, Compiled)
    assert one.plan == other.plan


def test_explain_of_a_schema_statement_only_names_it() -> None:
    around = world()
    text = "EXPLAIN CREATE INDEX x IF NOT EXISTS FOR (n:A) ON (n.x)"
    found = prepare(text, around.catalog, around.counts, ENVIRONMENT)
    assert isinstance(found, Compiled)
    assert found.plan.mode == "explain"
    assert "CREATE RANGE INDEX x" in render(describe(found.plan))


def test_a_script_of_creates_is_one_step() -> None:
    around = world()
    text = "\n".join(f"CREATE (a{i}:A {{x: {i}}})-[:R]->(:A)" for i in range(500))
    found = prepare(text, around.catalog, around.counts, ENVIRONMENT)
    assert isinstance(found, Compiled)
    assert len(operators_below(found.plan.root)) == 1


def test_too_many_clauses_are_refused() -> None:
    around = world()
    text = "MATCH (n) WITH n " * 2_000 + "RETURN n"
    with pytest.raises(SemanticError) as caught:
        prepare(text, around.catalog, around.counts, ENVIRONMENT)
    assert caught.value.detail == "StatementTooLong"
