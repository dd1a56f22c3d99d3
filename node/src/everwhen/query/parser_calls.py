"""CALL in all its forms, and LOAD CSV.

Source: openCypher 9 (``StandaloneCall``, ``InQueryCall``), Neo4j 5 manual ("CALL subqueries",
"CALL subqueries in transactions", "LOAD CSV").
"""

from __future__ import annotations

from typing import Literal

from everwhen.query.lexer import STRING
from everwhen.query.parser_core import SUBQUERY_COST
from everwhen.query.parser_updates import UpdateParser
from everwhen.query.syntax import (
    CallProcedure,
    CallSubquery,
    Clause,
    Expression,
    InTransactions,
    LoadCsv,
    Query,
    Variable,
    YieldItem,
)


class CallParser(UpdateParser):
    """Adds calls to the updating clauses."""

    def query(self) -> Query:
        raise NotImplementedError

    def load_csv(self) -> LoadCsv:
        at = self.expect("LOAD")
        self.expect("CSV", "CSV after LOAD")
        headers = self.take("WITH")
        if headers:
            self.expect("HEADERS", "HEADERS")
        self.expect("FROM", "FROM and the file")
        source = self.expression()
        self.expect("AS", "AS and a variable")
        variable = self.variable()
        terminator = None
        if self.take("FIELDTERMINATOR"):
            if self.kinds[self.i] != STRING:
                raise self.fail("a string of one character")
            terminator = self.string().value
        return LoadCsv(source, variable, headers, terminator, at=at)

    def call_clause(self, *, optional: bool = False) -> Clause:
        """``CALL procedure(…) YIELD …`` or ``CALL (…) { … } IN TRANSACTIONS``."""
        at = self.expect("CALL")
        if self.kinds[self.i] in ("(", "{"):
            return self._call_subquery(at, optional=optional)
        name = self.dotted_name("a procedure name, '(' or '{'")
        arguments: tuple[Expression, ...] | None = None
        if self.kinds[self.i] == "(":
            arguments = self.call(name, self.i).arguments
        time = self.time_spec()
        yields: tuple[YieldItem, ...] | None = None
        star = False
        where = None
        if self.take("YIELD"):
            yields, star = self.yields()
            time = self.time_spec() if time is None else time
            where = self.expression() if self.take("WHERE") else None
        return CallProcedure(name, arguments, yields, star, where, optional, time, at=at)

    def yields(self) -> tuple[tuple[YieldItem, ...] | None, bool]:
        """After YIELD: ``*``, ``-`` or names."""
        if self.take("*"):
            return None, True
        if self.take("-"):
            return (), False
        items = [self._yield_item()]
        while self.take(","):
            items.append(self._yield_item())
        return tuple(items), False

    def _yield_item(self) -> YieldItem:
        at = self.starts[self.i]
        name = self.name("a column name")
        alias = None
        if self.kinds[self.i] == "AS" and not self.time_ahead():
            self.i += 1
            alias = self.variable("a name after AS")
        return YieldItem(name, alias, at=at)

    def _call_subquery(self, at: int, *, optional: bool) -> CallSubquery:
        imports: tuple[Variable, ...] | None = None
        star = False
        if self.take("("):
            names: list[Variable] = []
            star = self.take("*")
            if not star and self.kinds[self.i] != ")":
                names.append(self.variable())
                while self.take(","):
                    names.append(self.variable())
            self.expect(")")
            imports = None if star else tuple(names)
        self.enter(SUBQUERY_COST)
        self.expect("{", "'{' of the subquery")
        query = self.query()
        self.expect("}")
        self.depth -= SUBQUERY_COST
        transactions = self._in_transactions() if self.kinds[self.i] == "IN" else None
        return CallSubquery(query, imports, star, optional, transactions, at=at)

    def _on_error(self) -> Literal["FAIL", "CONTINUE", "BREAK"]:
        if self.take("CONTINUE"):
            return "CONTINUE"
        if self.take("BREAK"):
            return "BREAK"
        self.expect("FAIL", "FAIL, CONTINUE or BREAK")
        return "FAIL"

    def _in_transactions(self) -> InTransactions:
        at = self.expect("IN")
        concurrent = False
        concurrency = None
        if self.kinds[self.i] not in ("TRANSACTIONS", "TRANSACTION"):
            if self.kinds[self.i] != "CONCURRENT":
                concurrency = self.expression()
            self.expect("CONCURRENT", "TRANSACTIONS or CONCURRENT")
            concurrent = True
        if not (self.take("TRANSACTIONS") or self.take("TRANSACTION")):
            raise self.fail("TRANSACTIONS")
        rows, status = None, None
        on_error: Literal["FAIL", "CONTINUE", "BREAK"] = "FAIL"
        while True:
            if self.take("OF"):
                rows = self.expression()
                if not (self.take("ROWS") or self.take("ROW")):
                    raise self.fail("ROWS")
            elif self.ahead("ON", "ERROR"):
                self.i += 2
                on_error = self._on_error()
            elif self.ahead("REPORT", "STATUS"):
                self.i += 2
                self.expect("AS", "AS and a variable")
                status = self.variable()
            else:
                break
        return InTransactions(
            rows,
            on_error,
            status,
            concurrent,
            concurrency,
            at=at,
        )
