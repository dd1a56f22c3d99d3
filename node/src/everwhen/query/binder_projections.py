"""WITH and RETURN: grouping, DISTINCT, ORDER BY, SKIP, LIMIT, WHERE.

The order of work is: group, project, make distinct, sort, skip, limit, filter. ORDER BY and
WHERE see the new columns and, unless rows were grouped or made distinct, the old variables too;
an expression written like a projected one reads that column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from everwhen.errors import QuerySyntaxError, SemanticError
from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query import syntax as s
from everwhen.query.binder_core import Aggregates
from everwhen.query.binder_functions import ClosedAggregates, shown
from everwhen.query.binder_pattern_expressions import PatternExpressionBinder
from everwhen.query.scope import Scope, Variable
from everwhen.query.static_types import StaticType
from everwhen.query.traverse import walk

Keys = list[tuple[s.Expression, int, StaticType]]
_SIMPLE: Final = (s.Variable, s.Parameter)


@dataclass(slots=True)
class Projected:
    """A projection while its tail is bound."""

    columns: list[Variable]
    #: items as written with the slots of their values
    keys: Keys
    #: aggregations as written with their slots
    aggregations: Keys
    grouped: bool
    before: Scope


class ProjectionBinder(PatternExpressionBinder):
    """Binds WITH and RETURN bodies."""

    def project(
        self,
        child: p.Operator,
        body: s.Projection,
        where: s.Expression | None,
        *,
        returns: bool,
        at: int,
    ) -> tuple[p.Operator, list[Variable]]:
        """The operators of the projection, and its columns; the scope is left as it was."""
        items = self._starred(body, returns, at)
        grouped = any(self.aggregates_in(item.expression) for item in body.items)
        if grouped:
            child, projected = self._grouped(child, items, body)
        else:
            child, projected = self._plain(child, items, body)
        if body.distinct:
            slots = tuple(dict.fromkeys(column.slot for column in projected.columns))
            child = p.Distinct(child, slots)
        child = self._tail(child, body, where, projected)
        if not returns:
            self.check_aliases(body, "WITH")
        self._check_columns(body, projected.columns, at)
        return child, projected.columns

    def _starred(self, body: s.Projection, returns: bool, at: int) -> list[Variable]:
        """The variables of ``*``."""
        if not body.star:
            return []
        found = sorted(self.scope.variables.values(), key=lambda variable: variable.name)
        if returns and not found and not body.items:
            raise self.fail(
                at, "RETURN * needs at least one variable in scope", "NoVariablesInScope"
            )
        return found

    def check_aliases(self, body: s.Projection, where: str) -> None:
        """What goes on to other clauses needs a name."""
        for item in body.items:
            if item.alias is None and not isinstance(item.expression, s.Variable):
                raise self.fail(
                    item.expression.at,
                    f"An expression in {where} needs a name",
                    "NoExpressionAlias",
                    hint=f"write {item.text or shown(item.expression)} AS name",
                )

    def _check_columns(self, body: s.Projection, columns: list[Variable], at: int) -> None:
        seen: set[str] = set()
        places = [-1] * (len(columns) - len(body.items)) + [i.at for i in body.items]
        for column, place in zip(columns, places, strict=True):
            if column.name in seen:
                raise self.fail(
                    place if place >= 0 else at,
                    f"Two columns are named `{column.name}`",
                    "ColumnNameConflict",
                )
            seen.add(column.name)

    # --- items ------------------------------------------------------------------------------

    def column_name(self, item: s.ProjectionItem) -> str:
        """Alias, variable name, or the text as written."""
        if item.alias is not None:
            return item.alias.name
        if isinstance(item.expression, s.Variable):
            return item.expression.name
        return item.text or shown(item.expression)

    def _column(
        self, item: s.ProjectionItem, value: b.Expression, type_: StaticType
    ) -> tuple[Variable, bool]:
        """The column, and whether its value has to be written to its slot first."""
        name = self.column_name(item)
        if isinstance(value, b.Slot):
            made = Variable(name, value.index, type_)
            if isinstance(item.expression, s.Variable):
                found = self.scope.find(item.expression.name)
                if found is not None:
                    made = replace(made, past=found.past, view=found.view)
            return made, False
        return Variable(name, self.slots.new(name), type_), True

    def _plain(
        self, child: p.Operator, starred: list[Variable], body: s.Projection
    ) -> tuple[p.Operator, Projected]:
        columns, keys = list(starred), Keys()
        assignments: list[tuple[int, b.Expression]] = []
        with self.without_aggregates():
            for item in body.items:
                value, type_ = self.expression(item.expression)
                column, computed = self._column(item, value, type_)
                if computed:
                    assignments.append((column.slot, value))
                columns.append(column)
                keys.append((item.expression, column.slot, type_))
        if assignments:
            child = p.Project(child, tuple(assignments))
        return child, Projected(columns, keys, Keys(), False, self.scope)

    def _grouped(
        self, child: p.Operator, starred: list[Variable], body: s.Projection
    ) -> tuple[p.Operator, Projected]:
        groups: list[tuple[int, b.Expression]] = [
            (column.slot, self.slot_of(column)) for column in starred
        ]
        keys: Keys = [(s.Variable(column.name), column.slot, column.type) for column in starred]
        made: dict[int, Variable] = {}
        with self.without_aggregates():
            for number, item in enumerate(body.items):
                if not self.aggregates_in(item.expression):
                    value, type_ = self.expression(item.expression)
                    made[number], _ = self._column(item, value, type_)
                    groups.append((made[number].slot, value))
                    keys.append((item.expression, made[number].slot, type_))
        simple = [key for key in keys if _is_simple(key[0])]
        collected = Aggregates(simple, [], strict=True)
        after: list[tuple[int, b.Expression]] = []
        self.views_bound.clear()  # a group's row knows nothing of the rows it was made of
        whole: Keys = []
        with self.scoped(self.scope, collected):
            for number, item in enumerate(body.items):
                if number not in made:
                    value, type_ = self.expression(item.expression)
                    made[number], computed = self._column(item, value, type_)
                    if computed:
                        after.append((made[number].slot, value))
                    whole.append((item.expression, made[number].slot, type_))
        unique = tuple({slot: (slot, value) for slot, value in groups}.values())
        aggregations = tuple((slot, found) for _, slot, found in collected.found)
        child = p.Aggregate(child, unique, aggregations)
        if after:
            child = p.Project(child, tuple(after))
        columns = [*starred, *(made[number] for number in range(len(body.items)))]
        found_keys: Keys = [(e, slot, StaticType("ANY")) for e, slot, _ in collected.found]
        return child, Projected(columns, [*keys, *whole], found_keys, True, self.scope)

    # --- what follows the items -------------------------------------------------------------

    def _tail(
        self,
        child: p.Operator,
        body: s.Projection,
        where: s.Expression | None,
        projected: Projected,
    ) -> p.Operator:
        scope = self._tail_scope(projected, closed=projected.grouped or body.distinct)
        if body.order:
            keys = [
                p.SortKey(self._sort_key(item.expression, scope, projected), item.descending)
                for item in body.order
            ]
            child = p.Sort(child, tuple(keys))
        if body.skip is not None:
            child = p.Skip(child, self.constant_count(body.skip, "SKIP"))
        if body.limit is not None:
            child = p.Limit(child, self.constant_count(body.limit, "LIMIT"))
        if where is not None:
            visible = self._visible_keys(projected, scope)
            with self.scoped(scope, ClosedAggregates(visible, [])):
                child = p.Filter(child, self.predicate(where))
        return child

    def _tail_scope(self, projected: Projected, *, closed: bool) -> Scope:
        columns = {column.name: column for column in projected.columns}
        before = projected.before
        visible = columns if closed else {**before.variables, **columns}
        return Scope(visible, before.constant)

    def _visible_keys(self, projected: Projected, scope: Scope) -> Keys:
        """Items that may be repeated after the projection: names win over what they hide."""
        return [
            key
            for key in (*projected.keys, *projected.aggregations)
            if not (isinstance(key[0], s.Variable) and key[0].name in scope.variables)
        ]

    def _sort_key(self, e: s.Expression, scope: Scope, projected: Projected) -> b.Expression:
        keys = self._visible_keys(projected, scope)
        ambiguous = False
        if projected.grouped and self.aggregates_in(e):
            complex_ = [key for key in keys if not _is_simple(key[0]) and key[0] != e]
            inside = list(walk(e))
            ambiguous = any(key[0] in inside for key in complex_ if not self.aggregates_in(key[0]))
            keys = [key for key in keys if key not in complex_ or key in projected.aggregations]
        with self.scoped(scope, ClosedAggregates(keys, [])):
            try:
                return self.value(e)
            except SemanticError as error:
                if ambiguous and error.detail == "UndefinedVariable":
                    raise self.ambiguous(e) from error
                raise

    def constant_count(self, e: s.Expression, what: str) -> b.Expression:
        """The count of SKIP, LIMIT and the like: an integer that no row can change."""
        try:
            with self.scoped(Scope()):
                value, type_ = self.expression(e)
        except QuerySyntaxError as error:
            if error.detail != "UndefinedVariable":
                raise
            raise self.fail(
                e.at, f"{what} cannot depend on a variable", "NonConstantExpression"
            ) from error
        if type_.known and type_.name != "INTEGER":
            raise self.mismatch(e.at, "INTEGER", type_)
        if isinstance(e, s.IntegerLiteral) and e.value < 0:
            raise self.fail(e.at, f"{what} needs a non-negative integer", "NegativeIntegerArgument")
        return value


def _is_simple(e: s.Expression) -> bool:
    """Grouping keys that an aggregating item may use by repeating them."""
    if isinstance(e, s.Property):
        return _is_simple(e.subject)
    return isinstance(e, _SIMPLE)
