"""From a bound statement to a plan that can be run.

Order of work: patterns are ordered (``rules/pattern_order``, with access paths, uniqueness and
hash joins), inner plans of subqueries likewise; then filters are folded, sorts are told their
limits, limits above writes are told to run them all, and reads are kept apart from writes
(``rules/eager``). Everything is a pure function of text, catalog, statistics and environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from everwhen.errors import Position, SemanticError
from everwhen.limits import PLAN_HEIGHT_MAX
from everwhen.model.graph import Statistics
from everwhen.model.schema import Catalog
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query import syntax as s
from everwhen.query.binder import bind
from everwhen.query.cost import Estimator
from everwhen.query.environment import Environment
from everwhen.query.names import remark_unknown
from everwhen.query.rules.constant_folding import fold_filter
from everwhen.query.rules.context import PlanContext
from everwhen.query.rules.count_scan import count_scan
from everwhen.query.rules.eager import insert_eager
from everwhen.query.rules.or_to_in import or_to_in
from everwhen.query.rules.pattern_order import PatternOrder
from everwhen.query.rules.top_k import sort_limit
from everwhen.query.static_types import StaticType
from everwhen.query.traverse import operators_below, rewrite, walk

_MODES = {None: "run", "EXPLAIN": "explain", "PROFILE": "profile"}
_WRITERS = (p.Create, p.Update, p.Merge, p.Delete, p.ApplyInTransactions)


def plan(
    statement: s.Statement,
    catalog: Catalog,
    statistics: Statistics,
    environment: Environment,
    lifted: Mapping[str, StaticType] | None = None,
) -> p.Plan:
    """The plan of a query or SHOW statement.

    ``lifted``: types of the parameters that stand for literals (``query.literals``).

    :raises SemanticError: see :func:`everwhen.query.binder.bind`.
    """
    found = bind(statement, environment, lifted)
    ctx = PlanContext(
        catalog,
        Estimator(catalog, statistics),
        found.slot_names,
        dict(lifted or {}),
        found.notifications,
    )
    remark_unknown(found, statement.text, statistics, ctx.notifications)
    body = _Lowering(ctx).operator(found.root)
    root = p.ProduceResults(body, found.columns, estimate=body.estimate)
    insert_eager(root)
    exhaust_limits(root)
    _check_height(root)
    kind = "r" if not found.writes else ("rw" if found.columns else "w")
    return p.Plan(
        root,
        len(ctx.slot_names),
        tuple(name for name, _ in found.columns),
        kind,
        frozenset(found.parameters),
        catalog.version,
        _MODES[statement.mode],
        tuple(ctx.notifications),
        tuple(ctx.slot_names),
    )


class _Lowering:
    """Replaces every logical node, from the leaves up."""

    def __init__(self, ctx: PlanContext) -> None:
        self.ctx = ctx

    def operator(self, op: p.Operator) -> p.Operator:
        """The physical form of an operator and all below it, from the leaf up."""
        chain = [op]
        while isinstance(chain[-1], p.Unary):
            chain.append(chain[-1].child)
        lower = self._one(chain.pop())
        while chain:
            upper = chain.pop()
            if isinstance(upper, p.Unary):
                upper.child = lower
            lower = self._one(upper)
        return lower

    def _one(self, op: p.Operator) -> p.Operator:
        """One operator whose child is physical already."""
        for item in fields(op):
            if item.name == "child":
                continue
            value = getattr(op, item.name)
            changed = self._value(value)
            if changed is not value:
                setattr(op, item.name, changed)
        if isinstance(op, lg.PatternMatch):
            op.predicates = tuple(or_to_in(x) for x in op.predicates)
            return self._match(op)
        if isinstance(op, p.Argument):
            op.estimate = 1.0
        elif isinstance(op, p.Unary):
            op.estimate = self.ctx.estimator.relational(op, op.child.estimate)
        elif isinstance(op, p.Union):
            op.estimate = sum(part.estimate for part in op.parts)
        elif isinstance(op, p.ShowTable):
            op.estimate = 10.0
        return count_scan(sort_limit(fold_filter(op)))

    def _value(self, value: Any) -> Any:
        if isinstance(value, p.Operator):
            return self.operator(value)
        if isinstance(value, b.Expression):
            return self.expression(value)
        if isinstance(value, tuple):
            items = [self._value(item) for item in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else tuple(items)
        if isinstance(value, lg.GroupPart):
            self._inside(value.inner)
            return value
        if is_dataclass(value) and not isinstance(value, type):
            return rewrite(value, self._subquery)
        return value

    def _inside(self, match: lg.PatternMatch) -> None:
        """Expressions of a repeated pattern; it is ordered itself only when its ends are known."""
        match.predicates = tuple(self.expression(x) for x in match.predicates)

    def expression(self, e: b.Expression) -> b.Expression:
        """An expression whose subqueries have physical plans."""
        found: b.Expression = rewrite(e, self._subquery)
        return found

    def _subquery(self, node: Any) -> Any:
        if isinstance(node, lg.SubqueryExpression):
            plan_ = node.plan
            return b.Subquery(node.kind, self.operator(plan_), node.column, at=node.at)
        return node

    def _match(self, match: lg.PatternMatch) -> p.Operator:
        if not match.optional:
            return PatternOrder(self.ctx, match, match.child).plan()
        outer = match.child
        inner = PatternOrder(self.ctx, match, p.Argument(estimate=1.0)).plan()
        found = p.Optional(outer, inner, match.introduced)
        found.estimate = outer.estimate * max(inner.estimate, 1.0)
        return found


def _check_height(root: p.Operator) -> None:
    """Operators run inside each other, so a plan's height is bounded like any nesting.

    :raises SemanticError: too many clauses follow each other.
    """
    waiting: list[tuple[p.Operator, int]] = [(root, 1)]
    while waiting:
        op, height = waiting.pop()
        if height > PLAN_HEIGHT_MAX:
            raise SemanticError(
                f"the statement has more than {PLAN_HEIGHT_MAX} steps that follow each other",
                hint="send several statements, or UNWIND a list",
                position=Position(0, 1, 1),
                detail="StatementTooLong",
            )
        waiting += [(below, height + 1) for below in operators_below(op)]


def exhaust_limits(root: p.Operator) -> None:
    """A Limit above writes still runs all of them."""
    for op in walk(root):
        if isinstance(op, p.Limit):
            op.exhaust = any(isinstance(x, _WRITERS) for x in walk(op.child))
