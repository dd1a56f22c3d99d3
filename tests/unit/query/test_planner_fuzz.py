"""Random statements: planning gives a plan or one of our errors, never anything else.

Every plan must hang together: no logical node is left, every slot is within the row, every view
that is read was bound before, and it can be described.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from everwhen.errors import EverwhenError
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query import syntax as s
from everwhen.query.explain import describe, render
from everwhen.query.parser import parse
from everwhen.query.planner import plan
from everwhen.query.pretty import pretty
from everwhen.query.traverse import operators_below, slots_of, walk
from tests.golden.plan.world import ENVIRONMENT, World
from tests.model.query_generator import random_queries
from tests.unit.query.trees import Grower

SEEDS = st.integers(0, 2**48)
_FUNCTIONS = ("size", "count", "collect", "id", "labels", "coalesce", "exists", "toUpper", "head")


class Scoped(Grower):
    """Few names, so that most of what is grown is bound to something."""

    def name(self) -> str:
        return self.one("a", "b", "n", "r", "x", "A", "R")

    def statement(self) -> s.Statement:
        """A query whose first clauses bind some of the names."""
        node = s.NodePattern
        first = s.Match(
            (
                s.PathPattern(
                    (
                        node(s.Variable("a"), s.LabelName("A")),
                        s.RelationshipPattern("out", s.Variable("r")),
                        node(s.Variable("b")),
                    )
                ),
            )
        )
        second = s.Unwind(s.ListLiteral((s.IntegerLiteral(1),)), s.Variable("x"))
        before = self.one((), (first,), (first, second))
        parts = tuple(s.SingleQuery((*before, *part.clauses)) for part in self.query().parts)
        every = self.flag()
        time = self.maybe(lambda: s.TimeSpec("version", s.IntegerLiteral(3)))
        query = s.Query(parts, tuple(every for _ in parts[1:]))
        return s.Statement(s.QueryBody(query, time))

    def compound(self) -> s.Expression:
        found = super().compound()
        if isinstance(found, s.FunctionCall):
            name = self.one(*_FUNCTIONS)
            return s.FunctionCall(name, (self.expression(),), name == "count" and self.flag())
        return found


def world() -> World:
    made = World()
    for line in (
        "nodes 1000",
        "label A 100",
        "type R 500",
        "keys a b n",
        "index a_n NODE A(n) 100 50",
        "index r_n RELATIONSHIP R(n) 500 50",
    ):
        made.declare(line)
    return made


WORLD = world()


def check(made: p.Plan) -> None:
    """What holds for every plan."""
    for op in walk(made.root):
        assert not isinstance(op, (lg.PatternMatch, lg.SubqueryExpression)), op
    assert all(0 <= slot < made.width for slot in slots_of(made.root))
    assert render(describe(made))
    check_views(made.root, frozenset())


def check_views(op: p.Operator, bound: frozenset[int]) -> frozenset[int]:
    """View slots that hold a view above ``op``; every one that is read must be among them."""
    outer = bound
    if isinstance(op, p.Unary):
        bound = check_views(op.child, bound)
        if isinstance(op, p.BindView):
            return bound | {op.slot}
    view = getattr(op, "view", None)
    assert view is None or view in bound, op
    below = operators_below(op)
    for inner in below[1:] if isinstance(op, p.Unary) else below:
        check_views(inner, bound)
    return outer if isinstance(op, p.Aggregate) else bound


@settings(max_examples=400, deadline=None)
@given(SEEDS)
def test_planning_never_breaks(seed: int) -> None:
    tree = Scoped(random.Random(seed), depth=3).statement()
    try:
        made = plan(tree, WORLD.catalog, WORLD.counts, ENVIRONMENT)
    except EverwhenError:
        return
    try:
        check(made)
    except AssertionError as error:
        raise AssertionError(f"{pretty(tree)}\n{error}") from error


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20))
def test_valid_queries_have_sound_plans(seed: int) -> None:
    """Now, and with a time that every clause has to carry."""
    for text in random_queries(seed, 20):
        for variant in (text, f"{text}\nAT VERSION 3"):
            made = plan(parse(variant), WORLD.catalog, WORLD.counts, ENVIRONMENT)
            try:
                check(made)
            except AssertionError as error:
                raise AssertionError(f"{variant}\n{error}") from error
