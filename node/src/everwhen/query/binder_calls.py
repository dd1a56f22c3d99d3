"""Rows from elsewhere: procedures, CALL { }, LOAD CSV, SHOW."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from everwhen.errors import ProcedureNotFound
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query import static_types as t
from everwhen.query import syntax as s
from everwhen.query.binder_functions import counted
from everwhen.query.binder_updates import UpdateBinder
from everwhen.query.diagnostics import caret, position, suggest
from everwhen.query.environment import ProcedureSignature
from everwhen.query.scope import Scope, Variable
from everwhen.query.static_types import ANY

Columns = list[Variable] | None
#: rows of an inner transaction where the statement does not say
ROWS_PER_INNER_TRANSACTION = 1000


class CallBinder(UpdateBinder):
    """Binds clauses that call something."""

    # --- procedures -------------------------------------------------------------------------

    def call_procedure(
        self, child: p.Operator, clause: s.CallProcedure, *, standalone: bool
    ) -> tuple[p.Operator, Columns]:
        """The call, and its columns where it is the whole statement."""
        signature = self._procedure(clause)
        arguments = self._arguments(clause, signature, standalone=standalone)
        view, child = self.clause_view(child, clause.time)
        if view is not None and view.is_range:
            raise self.fail(
                clause.at if clause.time is None else clause.time.at,
                f"{signature.name} reads at one moment, not through a range of time",
                "RangeOfTime",
                hint="AT TIME behind the call says which",
            )
        yields = self._yields(clause, signature, standalone=standalone, past=view is not None)
        if signature.mode == "WRITE":
            self._writing(clause.at, f"CALL {signature.name}")
        call = p.ProcedureCall(
            child,
            signature.name,
            arguments,
            tuple((column, variable.slot) for column, variable in yields),
            clause.optional,
            view.slot if view is not None else None,
            clause.at,
        )
        found: p.Operator = call
        if clause.where is not None:
            with self.without_aggregates():
                found = p.Filter(found, self.predicate(clause.where))
        return found, [variable for _, variable in yields] if standalone else None

    def _procedure(self, clause: s.CallProcedure) -> ProcedureSignature:
        found = self.environment.procedure(clause.name.lower())
        if found is not None:
            return found
        close = suggest(clause.name, self.environment.procedure_names())
        where = position(self.text, clause.at)
        raise ProcedureNotFound(
            f"There is no procedure `{clause.name}` (line {where.line}, column {where.column})\n"
            f"{caret(self.text, clause.at)}",
            hint=f"did you mean `{close}`?" if close else None,
            position=where,
            detail="ProcedureNotFound",
        )

    def _arguments(
        self, clause: s.CallProcedure, signature: ProcedureSignature, *, standalone: bool
    ) -> tuple[b.Expression, ...] | None:
        if clause.arguments is None:
            if not standalone and signature.arguments:
                raise self.fail(
                    clause.at,
                    f"`{clause.name}` needs its arguments in parentheses here",
                    "InvalidArgumentPassingMode",
                    hint="parameters are passed by name only when CALL stands alone",
                )
            for argument in signature.arguments:
                if not argument.has_default:
                    self.parameters.add(argument.name)
            return None if signature.arguments else ()
        declared, given = signature.arguments, clause.arguments
        needed = sum(not argument.has_default for argument in declared)
        if not needed <= len(given) <= len(declared):
            raise self.fail(
                clause.at,
                f"`{clause.name}` takes {counted(needed, len(declared))}, not {len(given)}",
                "InvalidNumberOfArguments",
            )
        found = []
        with self.without_aggregates():
            for e, argument in zip(given, declared, strict=False):
                value, type_ = self.expression(e)
                if not t.accepts(argument.type, type_):
                    raise self.mismatch(e.at, argument.type, type_)
                found.append(value)
        return tuple(found)

    def _yields(
        self,
        clause: s.CallProcedure,
        signature: ProcedureSignature,
        *,
        standalone: bool,
        past: bool,
    ) -> list[tuple[str, Variable]]:
        results = dict(signature.results)
        if clause.yield_star or (clause.yields is None and standalone):
            if not standalone:
                raise self.fail(
                    clause.at, "YIELD * is only for a CALL that stands alone", "UnexpectedSyntax"
                )
            items = [s.YieldItem(name, at=clause.at) for name in results]
        else:
            items = list(clause.yields or ())
        found = []
        for item in items:
            if item.name not in results:
                close = suggest(item.name, results)
                raise self.fail(
                    item.at,
                    f"`{signature.name}` does not yield `{item.name}`",
                    "UndefinedVariable",
                    hint=f"did you mean `{close}`?" if close else None,
                )
            variable = item.alias or s.Variable(item.name, at=item.at)
            type_ = _RESULT_TYPES.get(results[item.name].rstrip("?").upper(), ANY)
            found.append((item.name, self.declare(variable, type_, past=past)))
        return found

    def clause_view(
        self, child: p.Operator, time: s.TimeSpec | None
    ) -> tuple[lg.View | None, p.Operator]:
        """The view a clause reads through, bound in the row; implemented in :mod:`binder`."""
        raise NotImplementedError

    # --- CALL { } ---------------------------------------------------------------------------

    def call_subquery(self, child: p.Operator, clause: s.CallSubquery) -> p.Operator:
        outer = self.scope
        before = set(self.views_bound)
        for part in clause.query.parts:
            last = part.clauses[-1] if part.clauses else None
            if isinstance(last, s.Return):
                self.check_aliases(last.projection, "the RETURN of CALL { }")
        scopes = [self._import_scope(clause, part) for part in clause.query.parts]
        inner, columns = self.query_plan(clause.query, scopes)
        self.views_bound = before
        self.scope = outer
        unit = columns is None
        slots: list[int] = []
        renamed: list[tuple[int, b.Expression]] = []
        taken = {v.slot for v in (*outer.variables.values(), *outer.constant.values())}
        for column in columns or ():
            if outer.find(column.name) is not None:
                raise self.already_bound(s.Variable(column.name, at=clause.at))
            slot = column.slot
            if slot in taken:
                slot = self.slots.new(column.name)
                renamed.append((slot, self.slot_of(column)))
            slots.append(slot)
            outer.add(replace(column, slot=slot))
        if renamed:
            inner = p.Project(inner, tuple(renamed))
        if clause.transactions is not None:
            return self._in_transactions(child, clause.transactions, inner, tuple(slots), unit)
        return p.Apply(child, inner, tuple(slots), unit, clause.optional)

    def _import_scope(self, clause: s.CallSubquery, part: s.SingleQuery) -> Scope:
        """What the inside sees at its beginning."""
        outer = self.scope
        if clause.import_star:
            return outer.child()
        if clause.imports is not None:
            return Scope({}, {v.name: self.lookup(v) for v in clause.imports})
        first = part.clauses[0] if part.clauses else None
        if isinstance(first, s.With) and self._imports(first):
            return Scope({**outer.constant, **outer.variables})
        return Scope()

    def _imports(self, first: s.With) -> bool:
        body = first.projection
        return body.star or any(isinstance(i.expression, s.Variable) for i in body.items)

    def _in_transactions(
        self,
        child: p.Operator,
        spec: s.InTransactions,
        inner: p.Operator,
        slots: tuple[int, ...],
        unit: bool,
    ) -> p.Operator:
        if self.depth > 0:
            raise self.fail(
                spec.at,
                "CALL { } IN TRANSACTIONS cannot stand inside another subquery",
                "InvalidClauseComposition",
            )
        self.writes = True
        rows: b.Expression = b.Literal(ROWS_PER_INNER_TRANSACTION)
        if spec.rows is not None:
            rows = self.constant_count(spec.rows, "OF … ROWS")
        status = None
        if spec.status is not None:
            status = self.declare(spec.status, t.MAP).slot
        return p.ApplyInTransactions(child, inner, slots, unit, rows, spec.on_error.lower(), status)

    #: how many subqueries are around the clause at hand
    depth = 0

    def query_plan(self, query: s.Query, scopes: list[Scope]) -> tuple[p.Operator, Columns]:
        """A query bound part by part, each in its own scope; implemented in :mod:`binder`."""
        raise NotImplementedError

    # --- LOAD CSV and SHOW ------------------------------------------------------------------

    def load_csv(self, child: p.Operator, clause: s.LoadCsv) -> p.Operator:
        with self.without_aggregates():
            source, type_ = self.expression(clause.source)
        if type_.known and type_.name != "STRING":
            raise self.mismatch(clause.source.at, "STRING", type_)
        variable = self.declare(
            clause.variable, t.MAP if clause.with_headers else t.list_of(t.STRING)
        )
        return p.LoadCsv(
            child, source, variable.slot, clause.with_headers, clause.field_terminator or ","
        )

    def show(
        self,
        body: s.Show | s.TerminateTransactions,
        subject: str,
        asked: Sequence[s.Expression],
        detail: str = "",
    ) -> tuple[p.Operator, list[Variable]]:
        """``SHOW … YIELD … WHERE … RETURN`` as operators; TERMINATE answers in the same way."""
        table = self.environment.show_table(subject)
        if table is None:
            raise self.fail(body.at, f"SHOW {subject} is not known", "UnexpectedSyntax")
        part = body.part or s.YieldPart(at=body.at)
        names = [item.name for item in part.yields or ()]
        if part.yields is None:
            everything = part.star
            names = list(table.columns if everything else table.brief)
        for name, item in zip(names, part.yields or (), strict=False):
            if name not in table.columns:
                raise self.fail(item.at, f"SHOW has no column `{name}`", "UndefinedVariable")
        arguments = tuple(self.value(e) for e in asked)
        yields: list[tuple[str, int]] = []
        for number, name in enumerate(names):
            alias = part.yields[number].alias if part.yields else None
            made = self.declare(alias or s.Variable(name, at=body.at))
            yields.append((name, made.slot))
        columns = list(self.scope.variables.values())
        root: p.Operator = p.ShowTable(subject, tuple(yields), arguments, detail)
        return self._show_tail(root, part, columns)

    def _show_tail(
        self, root: p.Operator, part: s.YieldPart, columns: list[Variable]
    ) -> tuple[p.Operator, list[Variable]]:
        if part.order:
            keys = [p.SortKey(self.value(i.expression), i.descending) for i in part.order]
            root = p.Sort(root, tuple(keys))
        if part.skip is not None:
            root = p.Skip(root, self.constant_count(part.skip, "SKIP"))
        if part.limit is not None:
            root = p.Limit(root, self.constant_count(part.limit, "LIMIT"))
        if part.where is not None:
            root = p.Filter(root, self.predicate(part.where))
        if part.returns is not None:
            projection = part.returns.projection
            return self.project(root, projection, None, returns=True, at=part.returns.at)
        return root, columns


_RESULT_TYPES = {
    "NODE": t.NODE,
    "RELATIONSHIP": t.RELATIONSHIP,
    "PATH": t.PATH,
    "STRING": t.STRING,
    "INTEGER": t.INTEGER,
    "FLOAT": t.FLOAT,
    "BOOLEAN": t.BOOLEAN,
    "MAP": t.MAP,
}
