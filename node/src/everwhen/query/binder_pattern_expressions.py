"""Patterns as expressions: predicates, comprehensions and shortest paths as values."""

from __future__ import annotations

from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query import syntax as s
from everwhen.query.binder_core import Typed
from everwhen.query.binder_patterns import PatternBinder
from everwhen.query.pattern_build import variables_of
from everwhen.query.static_types import PATH, list_of


class PatternExpressionBinder(PatternBinder):
    """Binds patterns that stand where a value stands."""

    def ensure_view(self, child: p.Operator) -> p.Operator:
        """``child`` with the current view in its slot, if there is one to be filled."""
        view = self.view
        if view is None or view.slot in self.views_bound:
            return child
        self.views_bound.add(view.slot)
        return p.BindView(child, view.slot, view.kind, view.expression, view.end)

    def _inner_match(self, pattern: s.PathPattern, where: s.Expression | None) -> lg.PatternMatch:
        before = set(self.views_bound)
        found = self.match(self.ensure_view(p.Argument()), (pattern,), where, at=pattern.at)
        self.views_bound = before
        return found

    def _known_only(self, pattern: s.PathPattern) -> None:
        """A pattern predicate may not bring new variables."""
        for variable in variables_of(pattern):
            self.lookup(variable)

    def pattern_exists(self, pattern: s.PathPattern, at: int) -> b.Expression:
        self._known_only(pattern)
        with self.scoped(self.scope.child()):
            plan = self._inner_match(pattern, None)
        return lg.SubqueryExpression("EXISTS", plan, at=at)

    def pattern_expression(self, e: s.PatternExpression) -> Typed:
        """``shortestPath(…)`` as a value: the path or null; allShortestPaths: a list."""
        selector = e.pattern.selector
        assert selector is not None
        self._known_only(e.pattern)
        with self.scoped(self.scope.child()):
            name = s.Variable(f" path{len(self.slots)}", at=e.at)
            pattern = s.PathPattern(e.pattern.elements, name, selector, at=e.at)
            plan = self._inner_match(pattern, None)
        found = lg.SubqueryExpression("COLLECT", plan, plan.paths[0][0], at=e.at)
        if selector.kind == "allShortestPaths":
            return found, list_of(PATH)
        return b.Subscript(found, b.Literal(0), at=e.at), PATH

    def pattern_comprehension(self, e: s.PatternComprehension) -> Typed:
        with self.scoped(self.scope.child()), self.within():
            match = self._inner_match(e.pattern, e.where)
            projection, type_ = self.expression(e.projection)
        column = self.slots.new("item")
        plan = p.Project(match, ((column, projection),))
        return lg.SubqueryExpression("COLLECT", plan, column, at=e.at), list_of(type_)
