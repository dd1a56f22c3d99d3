"""The binder: a statement's syntax in, a logical plan with every name resolved out.

It gives out slots, checks every rule of openCypher 9 that can be checked before running
(``SemanticError`` with the kit's detail, place and caret), and puts the operators of the clauses
one above the other. The layers below: ``binder_core`` (state), ``binder_expressions``,
``binder_patterns`` (reading), ``binder_projections`` (WITH, RETURN), ``binder_updates``,
``binder_calls``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from everwhen.errors import DatabaseNotFound
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query import static_types as t
from everwhen.query import syntax as s
from everwhen.query.binder_calls import CallBinder, Columns
from everwhen.query.diagnostics import position
from everwhen.query.environment import Environment
from everwhen.query.pattern_build import variables_of
from everwhen.query.scope import Scope, Variable
from everwhen.query.static_types import StaticType

DATABASE: Final = "neo4j"
_UPDATES: Final = (s.Create, s.Merge, s.Set, s.Remove, s.Delete, s.Foreach)
_TIME_WORDS: Final = {"between": "BETWEEN TIME", "from_to": "FROM TIME"}
_WORDS: Final = {
    s.Match: "MATCH",
    s.With: "WITH",
    s.Unwind: "UNWIND",
    s.LoadCsv: "LOAD CSV",
    s.CallProcedure: "CALL",
    s.CallSubquery: "CALL { }",
    s.Use: "USE",
}


class Binder(CallBinder):
    """Binds one statement; use :func:`bind`."""

    # --- queries ----------------------------------------------------------------------------

    def query_plan(self, query: s.Query, scopes: list[Scope]) -> tuple[p.Operator, Columns]:
        self.depth += 1
        found = self.query(query, scopes)
        self.depth -= 1
        return found

    def query(self, query: s.Query, scopes: list[Scope]) -> tuple[p.Operator, Columns]:
        """All parts of a query, joined by UNION."""
        if len(set(query.all_rows)) > 1:
            raise self.fail(
                query.parts[-1].at,
                "UNION and UNION ALL cannot be mixed in one query",
                "InvalidClauseComposition",
            )
        parts: list[tuple[p.Operator, Columns]] = []
        start = set(self.views_bound)
        for part, scope in zip(query.parts, scopes, strict=True):
            self.views_bound = set(start)
            self.scope = Scope(dict(scope.variables), scope.constant)
            parts.append(self._single(part, alone=len(query.parts) == 1))
        if len(parts) == 1:
            return parts[0]
        self.views_bound = start
        return self._union(query, parts)

    def _union(
        self, query: s.Query, parts: list[tuple[p.Operator, Columns]]
    ) -> tuple[p.Operator, Columns]:
        first = parts[0][1]
        sources = []
        for (_, columns), part in zip(parts, query.parts, strict=True):
            names = None if columns is None else sorted(c.name for c in columns)
            wanted = None if first is None else sorted(c.name for c in first)
            if names != wanted:
                raise self.fail(
                    part.at,
                    "All parts of a UNION must return columns of the same names",
                    "DifferentColumnsInUnion",
                )
            by_name = {c.name: c.slot for c in columns or ()}
            sources.append(tuple(by_name[c.name] for c in first or ()))
        targets: list[Variable] = []
        for column in first or ():
            found = [c for _, columns in parts for c in columns or () if c.name == column.name]
            type_ = t.common([c.type for c in found])
            past = any(c.past for c in found)
            slot = self.slots.new(column.name)
            targets.append(Variable(column.name, slot, type_, past))
        slots = tuple(variable.slot for variable in targets)
        union: p.Operator = p.Union(tuple(plan for plan, _ in parts), tuple(sources), slots)
        if first is not None and not query.all_rows[0]:
            union = p.Distinct(union, slots)
        return union, None if first is None else targets

    def _single(self, part: s.SingleQuery, *, alone: bool) -> tuple[p.Operator, Columns]:
        clauses = [c for c in part.clauses if not self._use(c)]
        if alone and self.depth == 0 and len(clauses) == 1:
            only = clauses[0]
            if isinstance(only, s.CallProcedure):
                found, columns = self.call_procedure(p.Argument(), only, standalone=True)
                return found, columns or None
        self._check_end(clauses, part)
        plan: p.Operator = p.Argument()
        if self.whole_view and self.depth == 0:
            plan = self.ensure_view(plan)  # a wrong time is an error even if nothing is read
        for clause in clauses:
            if isinstance(clause, s.Return):
                return self.project(plan, clause.projection, None, returns=True, at=clause.at)
            plan = self._clause(plan, clause)
        return plan, None

    def _use(self, clause: s.Clause) -> bool:
        """``USE neo4j`` is the only database there is."""
        if not isinstance(clause, s.Use):
            return False
        if clause.name.lower() != DATABASE:
            raise DatabaseNotFound(
                f"there is no database `{clause.name}`",
                hint=f"there is one database, `{DATABASE}`",
                position=position(self.text, clause.at),
            )
        return True

    def _check_end(self, clauses: list[s.Clause], part: s.SingleQuery) -> None:
        """A query ends with something that gives rows or writes."""
        last = clauses[-1] if clauses else None
        fine = isinstance(last, (s.Return, s.Finish, *_UPDATES))
        if isinstance(last, s.CallSubquery):
            fine = not any(isinstance(c, s.Return) for x in last.query.parts for c in x.clauses)
        if isinstance(last, s.CallProcedure):
            fine = not last.yields
        if fine or self.open_end:
            return
        word = _WORDS.get(type(last), "nothing") if last is not None else "nothing"
        raise self.fail(
            last.at if last is not None else part.at,
            f"A query cannot end with {word}",
            "InvalidClauseComposition",
            hint="end it with RETURN, FINISH or an updating clause",
        )

    #: EXISTS { } and COUNT { } may end anywhere
    open_end = False

    def _clause(self, plan: p.Operator, clause: s.Clause) -> p.Operator:
        return _CLAUSES[type(clause)](self, plan, clause)

    def clauses(self, plan: p.Operator, clauses: tuple[s.Clause, ...]) -> p.Operator:
        """The updating clauses inside FOREACH."""
        for clause in clauses:
            if not isinstance(clause, _UPDATES):
                raise self.fail(
                    clause.at,
                    "FOREACH takes updating clauses only",
                    "InvalidClauseComposition",
                    hint="use UNWIND or CALL { } to read inside a loop",
                )
            plan = self._clause(plan, clause)
        return plan

    # --- clauses ----------------------------------------------------------------------------

    def _match(self, plan: p.Operator, clause: s.Match) -> p.Operator:
        before = self.view
        self.view, plan = self.clause_view(plan, clause.time)
        for hint in clause.hints:
            known = {v.name for pattern in clause.patterns for v in variables_of(pattern)}
            for variable in hint.variables:
                if variable.name not in known and self.scope.find(variable.name) is None:
                    raise self.undefined(variable)
        found = self.match(
            plan,
            clause.patterns,
            clause.where,
            optional=clause.optional,
            repeatable=clause.repeatable,
            at=clause.at,
        )
        self.view = before
        return found

    def clause_view(
        self, child: p.Operator, time: s.TimeSpec | None
    ) -> tuple[lg.View | None, p.Operator]:
        """The view of a clause: its own time, or that of what is around it."""
        before = self.view
        if time is not None:
            self.view = self.time_view(time)
        child = self.ensure_view(child)
        found, self.view = self.view, before
        if time is None and found is not None and found.is_range:
            # each clause narrows a range of its own
            own = replace(found, slot=self.slots.new("time"))
            child = p.Project(child, ((own.slot, b.Slot(found.slot, "time")),))
            self.views_bound.add(own.slot)
            found = own
        return found, child

    def time_view(self, time: s.TimeSpec) -> lg.View:
        """A slot for the graph at a time."""
        word = "AT VERSION" if time.kind == "version" else _TIME_WORDS.get(time.kind, "AT TIME")
        start = self._moment(time.start, word)
        end = None if time.end is None else self._moment(time.end, word)
        return lg.View(self.slots.new("time"), time.kind, start, end)

    def _moment(self, e: s.Expression, word: str) -> b.Expression:
        with self.without_aggregates():
            found, type_ = self.expression(e)
        if word == "AT VERSION" and type_.known and type_.name != "INTEGER":
            raise self.type_error(e.at, f"AT VERSION needs an INTEGER, not {type_}")
        if word != "AT VERSION" and type_.known and type_.name not in ("STRING", "INTEGER"):
            raise self.type_error(e.at, f"{word} needs a DATETIME, not {type_}")
        return found

    def _with(self, plan: p.Operator, clause: s.With) -> p.Operator:
        plan, columns = self.project(
            plan, clause.projection, clause.where, returns=False, at=clause.at
        )
        for column, at in zip(columns[::-1], _places(clause), strict=False):
            hidden = self.scope.constant.get(column.name)
            if hidden is not None and hidden.slot != column.slot:
                raise self.already_bound(s.Variable(column.name, at=at))
        self.scope = self.scope.replaced(columns)
        return plan

    def _unwind(self, plan: p.Operator, clause: s.Unwind) -> p.Operator:
        with self.without_aggregates():
            source, type_ = self.expression(clause.expression)
        inner = t.element_of(type_) if type_.name == "LIST" else type_
        variable = self.declare(clause.variable, inner)
        return p.Unwind(plan, variable.slot, source)

    def _foreach(self, plan: p.Operator, clause: s.Foreach) -> p.Operator:
        return self.foreach(plan, clause, self.clauses)

    def _call(self, plan: p.Operator, clause: s.CallProcedure) -> p.Operator:
        return self.call_procedure(plan, clause, standalone=False)[0]

    def _finish(self, plan: p.Operator, clause: s.Finish) -> p.Operator:
        return plan

    # --- subquery expressions ---------------------------------------------------------------

    def subquery_plan(self, query: s.Query, what: str) -> tuple[p.Operator, list[int]]:
        outer, before = self.scope, set(self.views_bound)
        read_only, open_end = self.read_only, self.open_end
        self.read_only, self.open_end = what, what != "COLLECT"
        with self.scoped(outer.child()):
            inside = self.scope
            plan, columns = self.query_plan(query, [inside for _ in query.parts])
        self.read_only, self.open_end = read_only, open_end
        self.views_bound = before
        return plan, [column.slot for column in columns or ()]

    # --- statements -------------------------------------------------------------------------

    def statement(self, statement: s.Statement) -> lg.BoundStatement:
        """The whole statement."""
        body = statement.body
        columns: Columns
        if isinstance(body, s.Show):
            root, columns = self.show(body, body.subject, body.arguments, body.qualifier or "")
        elif isinstance(body, s.TerminateTransactions):
            root, columns = self.show(body, "TERMINATE TRANSACTIONS", body.ids)
        elif isinstance(body, s.QueryBody):
            if body.time is not None:
                self.view = self.time_view(body.time)
                self.whole_view = True
            root, columns = self.query(body.query, [Scope() for _ in body.query.parts])
        else:
            raise TypeError(f"{type(body).__name__} is not planned")
        return lg.BoundStatement(
            root,
            tuple((column.name, column.slot) for column in columns or ()),
            self.slots.names,
            self.parameters,
            self.writes,
            self.notifications,
            tuple(self.names_used),
        )


def _places(clause: s.With) -> list[int]:
    """Where the items of WITH stand, the last one first."""
    return [item.at for item in clause.projection.items[::-1]]


_CLAUSES: Final[dict[type, Callable[[Any, p.Operator, Any], p.Operator]]] = {
    s.Match: Binder._match,
    s.With: Binder._with,
    s.Unwind: Binder._unwind,
    s.Create: Binder.create,
    s.Merge: Binder.merge,
    s.Set: Binder.set_clause,
    s.Remove: Binder.remove,
    s.Delete: Binder.delete,
    s.Foreach: Binder._foreach,
    s.CallProcedure: Binder._call,
    s.CallSubquery: Binder.call_subquery,
    s.LoadCsv: Binder.load_csv,
    s.Finish: Binder._finish,
}


def bind(
    statement: s.Statement,
    environment: Environment,
    lifted: Mapping[str, StaticType] | None = None,
) -> lg.BoundStatement:
    """The logical plan of a query or SHOW statement.

    :raises SemanticError: it parses but means nothing; ``detail`` is openCypher's word for why.
    """
    return Binder(statement.text, environment, lifted).statement(statement)
