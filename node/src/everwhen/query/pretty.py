"""Statements back to text, in one canonical form.

The law: ``parse(pretty(parse(text))) == parse(text)``. Column names of RETURN items without an
alias are texts, not meaning, so the canonical text may name such columns differently. Used by
EXPLAIN, by logs that must not show literals, and by the tests of the parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from everwhen.query import pretty_keeping as keeping
from everwhen.query import pretty_users as users
from everwhen.query import syntax as s
from everwhen.query.pretty_expressions import ExpressionPrinter
from everwhen.query.pretty_words import dotted, identifier, quoted

#: lowest level that BETWEEN TIME a AND b leaves without parentheses
_ABOVE_AND: Final = 4


def pretty(tree: s.Statement | s.Query | s.Expression | s.PathPattern) -> str:
    """The canonical text of a statement, or of a part of one."""
    printer = Printer()
    if isinstance(tree, s.Statement):
        return printer.statement(tree)
    if isinstance(tree, s.Query):
        return printer.query(tree, "\n")
    return printer.pattern(tree) if isinstance(tree, s.PathPattern) else printer.expression(tree)


class Printer(ExpressionPrinter):
    """Adds clauses and statements to expressions and patterns."""

    # --- queries ----------------------------------------------------------------------------

    def query(self, tree: s.Query, separator: str) -> str:
        text = self._single(tree.parts[0], separator)
        for part, every in zip(tree.parts[1:], tree.all_rows, strict=True):
            union = "UNION ALL" if every else "UNION"
            text += f"{separator}{union}{separator}{self._single(part, separator)}"
        return text

    def _single(self, tree: s.SingleQuery, separator: str) -> str:
        return separator.join([self.clause(clause) for clause in tree.clauses])

    def clause(self, tree: s.Clause) -> str:
        return _CLAUSES[type(tree)](self, tree)

    def time(self, tree: s.TimeSpec | None) -> str:
        """With a space before it, or nothing."""
        if tree is None:
            return ""
        start = self.expression(tree.start, _ABOVE_AND if tree.kind == "between" else 0)
        if tree.end is None:
            return f" AT {tree.kind.upper()} {start}"
        if tree.kind == "between":
            return f" BETWEEN TIME {start} AND {self.expression(tree.end, _ABOVE_AND)}"
        return f" FROM TIME {start} TO {self.expression(tree.end)}"

    def _match(self, tree: s.Match) -> str:
        word = "OPTIONAL MATCH" if tree.optional else "MATCH"
        mode = " REPEATABLE ELEMENTS" if tree.repeatable else ""
        hints = "".join([f" USING {self._hint(hint)}" for hint in tree.hints])
        time = self.time(tree.time)
        return f"{word}{mode} {self.patterns(tree.patterns)}{time}{hints}{self._where(tree.where)}"

    def _hint(self, tree: s.Hint) -> str:
        names = ", ".join([self._variable(variable) for variable in tree.variables])
        if tree.kind == "JOIN":
            return f"JOIN ON {names}"
        keys = ", ".join([identifier(key) for key in tree.properties])
        return f"{tree.kind} {names}:{identifier(tree.label or '')}" + (f"({keys})" if keys else "")

    def _alias(self, alias: s.Variable | None) -> str:
        return "" if alias is None else f" AS {self._variable(alias)}"

    def _projection(self, tree: s.Projection) -> str:
        items = ["*"] if tree.star else []
        items += [self.expression(item.expression) + self._alias(item.alias) for item in tree.items]
        bounds = self._bounds(tree.order, tree.skip, tree.limit)
        return f"{'DISTINCT ' if tree.distinct else ''}{', '.join(items)}{bounds}"

    def _bounds(
        self,
        order: tuple[s.SortItem, ...],
        skip: s.Expression | None,
        limit: s.Expression | None,
    ) -> str:
        text = ""
        if order:
            keys = [
                self.expression(item.expression) + (" DESC" if item.descending else "")
                for item in order
            ]
            text += f" ORDER BY {', '.join(keys)}"
        if skip is not None:
            text += f" SKIP {self.expression(skip)}"
        return text if limit is None else f"{text} LIMIT {self.expression(limit)}"

    def _with(self, tree: s.With) -> str:
        return f"WITH {self._projection(tree.projection)}{self._where(tree.where)}"

    def _return(self, tree: s.Return) -> str:
        return f"RETURN {self._projection(tree.projection)}"

    def _finish(self, tree: s.Finish) -> str:
        return "FINISH"

    def _unwind(self, tree: s.Unwind) -> str:
        return f"UNWIND {self.expression(tree.expression)} AS {self._variable(tree.variable)}"

    def _create(self, tree: s.Create) -> str:
        return f"CREATE {self.patterns(tree.patterns)}"

    def _merge(self, tree: s.Merge) -> str:
        text = f"MERGE {self.pattern(tree.pattern)}"
        if tree.on_create:
            text += f" ON CREATE SET {self._set_items(tree.on_create)}"
        if tree.on_match:
            text += f" ON MATCH SET {self._set_items(tree.on_match)}"
        return text

    def _set(self, tree: s.Set) -> str:
        return f"SET {self._set_items(tree.items)}"

    def _set_items(self, items: tuple[s.SetItem, ...]) -> str:
        return ", ".join([self._set_item(item) for item in items])

    def _set_item(self, item: s.SetItem) -> str:
        match item:
            case s.SetProperty(subject=subject, key=key, value=value):
                return f"{self._property(s.Property(subject, key))} = {self.expression(value)}"
            case s.SetDynamicProperty(subject=subject, key=index, value=value):
                return f"{self._index(s.Index(subject, index))} = {self.expression(value)}"
            case s.SetProperties(variable=variable, value=value, merge=merge):
                sign = "+=" if merge else "="
                return f"{self._variable(variable)} {sign} {self.expression(value)}"
            case s.SetLabels(variable=variable, labels=labels):
                return self._labelled(variable, labels)
        raise AssertionError(item)

    def _labelled(
        self, variable: s.Variable, labels: tuple[s.LabelName | s.DynamicLabel, ...]
    ) -> str:
        return self._variable(variable) + "".join([f":{self.labels(label)}" for label in labels])

    def _remove(self, tree: s.Remove) -> str:
        return f"REMOVE {', '.join([self._remove_item(item) for item in tree.items])}"

    def _remove_item(self, item: s.RemoveItem) -> str:
        match item:
            case s.RemoveProperty(subject=subject, key=key):
                return self._property(s.Property(subject, key))
            case s.RemoveDynamicProperty(subject=subject, key=index):
                return self._index(s.Index(subject, index))
            case s.RemoveLabels(variable=variable, labels=labels):
                return self._labelled(variable, labels)
        raise AssertionError(item)

    def _delete(self, tree: s.Delete) -> str:
        return f"{'DETACH ' if tree.detach else ''}DELETE {self.list(tree.expressions)}"

    def _foreach(self, tree: s.Foreach) -> str:
        over = self._variable(tree.variable) + self.before_bar(tree.source, " IN ")
        return f"FOREACH ({over} | {' '.join([self.clause(clause) for clause in tree.clauses])})"

    # --- CALL, LOAD, USE --------------------------------------------------------------------

    def _yields(self, yields: tuple[s.YieldItem, ...] | None, star: bool) -> str:
        if star:
            return " YIELD *"
        if yields is None:
            return ""
        items = [identifier(item.name) + self._alias(item.alias) for item in yields]
        return f" YIELD {', '.join(items) or '-'}"

    def _call(self, tree: s.CallProcedure) -> str:
        text = "OPTIONAL CALL " if tree.optional else "CALL "
        text += dotted(tree.name)
        if tree.arguments is not None:
            text += f"({self.list(tree.arguments)})"
        yields = self._yields(tree.yields, tree.yield_star)
        return f"{text}{self.time(tree.time)}{yields}{self._where(tree.where)}"

    def _call_subquery(self, tree: s.CallSubquery) -> str:
        text = "OPTIONAL CALL " if tree.optional else "CALL "
        if tree.import_star:
            text += "(*) "
        elif tree.imports is not None:
            text += f"({', '.join([self._variable(name) for name in tree.imports])}) "
        text += f"{{ {self.query(tree.query, ' ')} }}"
        return text if tree.transactions is None else text + self._transactions(tree.transactions)

    def _transactions(self, tree: s.InTransactions) -> str:
        text = " IN "
        if tree.concurrent:
            count = "" if tree.concurrency is None else f"{self.expression(tree.concurrency)} "
            text += f"{count}CONCURRENT "
        text += "TRANSACTIONS"
        if tree.rows is not None:
            text += f" OF {self.expression(tree.rows)} ROWS"
        text += f" ON ERROR {tree.on_error}"
        if tree.status is not None:
            text += f" REPORT STATUS AS {self._variable(tree.status)}"
        return text

    def _load_csv(self, tree: s.LoadCsv) -> str:
        headers = " WITH HEADERS" if tree.with_headers else ""
        text = f"LOAD CSV{headers} FROM {self.expression(tree.source)}"
        text += f" AS {self._variable(tree.variable)}"
        if tree.field_terminator is not None:
            text += f" FIELDTERMINATOR {quoted(tree.field_terminator)}"
        return text

    def _use(self, tree: s.Use) -> str:
        return f"USE {dotted(tree.name)}"

    # --- statements -------------------------------------------------------------------------

    def statement(self, tree: s.Statement) -> str:
        text = ""
        if tree.options:
            options = [v if k == "version" else f"{k} = {v}" for k, v in tree.options]
            text = f"CYPHER {' '.join(options)} "
        if tree.mode is not None:
            text += f"{tree.mode} "
        return text + _BODIES[type(tree.body)](self, tree.body)

    def _query_body(self, tree: s.QueryBody) -> str:
        time = self.time(tree.time)
        return self.query(tree.query, "\n") + (f"\n{time[1:]}" if time else "")

    def _begin(self, tree: s.Begin) -> str:
        isolation = "" if tree.isolation == "SNAPSHOT" else f" {tree.isolation}"
        return f"BEGIN{isolation}{' READ ONLY' if tree.read_only else ''}{self.time(tree.time)}"

    def _flashback(self, tree: s.Flashback) -> str:
        what = f" {self.patterns(tree.patterns)}{self._where(tree.where)}" if tree.patterns else ""
        moment = self.expression(tree.moment.start)
        if tree.moment.kind == "version":
            moment = f"VERSION {moment}"
        elif re.match(r"(TIME|TIMESTAMP|VERSION)\b", moment, re.IGNORECASE):
            moment = f"TIME {moment}"
        return f"FLASHBACK{what} TO {moment}"

    def _flashback_transaction(self, tree: s.FlashbackTransaction) -> str:
        force = " FORCE" if tree.force else ""
        return f"FLASHBACK TRANSACTION {self.expression(tree.version)}{force}"

    def _word(self, tree: s.Commit | s.Rollback) -> str:
        return type(tree).__name__.upper()

    def _name(self, name: str | s.Parameter | None) -> str:
        """With a space before it, or nothing."""
        if name is None:
            return ""
        if isinstance(name, s.Parameter):
            return f" {self._parameter(name)}"
        plain = identifier(name)
        return f" `{plain}`" if plain.upper() in ("IF", "FOR", "ON") else f" {plain}"

    def _about(self, entity: s.EntityKind, labels: tuple[str, ...]) -> str:
        inner = "x" + (":" + "|".join([identifier(label) for label in labels]) if labels else "")
        return f"({inner})" if entity == "NODE" else f"()-[{inner}]-()"

    def _options(self, options: s.Expression | None) -> str:
        return "" if options is None else f" OPTIONS {self.expression(options)}"

    def _create_index(self, tree: s.CreateIndex) -> str:
        name = self._name(tree.name) + (" IF NOT EXISTS" if tree.if_not_exists else "")
        keys = ", ".join([f"x.{identifier(key)}" for key in tree.properties])
        on = f"({keys})"
        if tree.kind == "LOOKUP":
            on = "EACH labels(x)" if tree.entity == "NODE" else "EACH type(x)"
        elif tree.kind == "FULLTEXT":
            on = f"EACH [{keys}]"
        about = self._about(tree.entity, tree.labels)
        head = f"CREATE {tree.kind} INDEX{name} FOR {about} ON {on}"
        return head + self._options(tree.options)

    def _drop_index(self, tree: s.DropIndex) -> str:
        return f"DROP INDEX{self._name(tree.name)}{' IF EXISTS' if tree.if_exists else ''}"

    def _create_constraint(self, tree: s.CreateConstraint) -> str:
        name = self._name(tree.name) + (" IF NOT EXISTS" if tree.if_not_exists else "")
        keys = ", ".join([f"x.{identifier(key)}" for key in tree.properties])
        kind = tree.kind if tree.type is None else f":: {self.type(tree.type)}"
        about = self._about(tree.entity, (tree.label,))
        head = f"CREATE CONSTRAINT{name} FOR {about} REQUIRE ({keys}) IS {kind}"
        return head + self._options(tree.options)

    def _drop_constraint(self, tree: s.DropConstraint) -> str:
        return f"DROP CONSTRAINT{self._name(tree.name)}{' IF EXISTS' if tree.if_exists else ''}"

    def _show(self, tree: s.Show) -> str:
        text = "SHOW " + (f"{tree.qualifier} " if tree.qualifier else "") + tree.subject
        if tree.executable_by is not None:
            text += " EXECUTABLE"
            text += f" BY {identifier(tree.executable_by)}" if tree.executable_by else ""
        if tree.arguments:
            text += f" {self.list(tree.arguments)}"
        return text + self._part(tree.part)

    def _terminate(self, tree: s.TerminateTransactions) -> str:
        return f"TERMINATE TRANSACTIONS {self.list(tree.ids)}{self._part(tree.part)}"

    def _part(self, tree: s.YieldPart | None) -> str:
        if tree is None:
            return ""
        text = self._yields(tree.yields, tree.star)
        text += self._bounds(tree.order, tree.skip, tree.limit) + self._where(tree.where)
        return text if tree.returns is None else f"{text} {self._return(tree.returns)}"


_CLAUSES: Final[dict[type[s.Clause], Callable[[Printer, Any], str]]] = {
    s.Match: Printer._match,
    s.With: Printer._with,
    s.Return: Printer._return,
    s.Finish: Printer._finish,
    s.Unwind: Printer._unwind,
    s.Create: Printer._create,
    s.Merge: Printer._merge,
    s.Set: Printer._set,
    s.Remove: Printer._remove,
    s.Delete: Printer._delete,
    s.Foreach: Printer._foreach,
    s.CallProcedure: Printer._call,
    s.CallSubquery: Printer._call_subquery,
    s.LoadCsv: Printer._load_csv,
    s.Use: Printer._use,
}
_BODIES: Final[dict[type[s.Body], Callable[[Printer, Any], str]]] = {
    s.QueryBody: Printer._query_body,
    s.Begin: Printer._begin,
    s.Commit: Printer._word,
    s.Rollback: Printer._word,
    s.Flashback: Printer._flashback,
    s.FlashbackTransaction: Printer._flashback_transaction,
    s.CreateIndex: Printer._create_index,
    s.DropIndex: Printer._drop_index,
    s.CreateConstraint: Printer._create_constraint,
    s.DropConstraint: Printer._drop_constraint,
    s.Show: Printer._show,
    s.TerminateTransactions: Printer._terminate,
    s.CreateUser: lambda _, tree: users.create_user(tree),
    s.AlterUser: lambda _, tree: users.alter_user(tree),
    s.AlterCurrentUser: lambda _, tree: users.alter_current_user(tree),
    s.DropUser: lambda _, tree: users.drop_user(tree),
    s.AlterRetention: lambda p, tree: keeping.alter_retention(tree, p.expression),
    s.CreateRestorePoint: lambda p, tree: keeping.create_restore_point(tree, p.time(tree.time)),
    s.DropRestorePoint: lambda _, tree: keeping.drop_restore_point(tree),
    s.Erase: lambda _, tree: keeping.erase(tree),
}
