"""Clauses of a query, and queries.

Source: openCypher 9 (``RegularQuery`` … ``YieldItem``), Neo4j 5 manual for subqueries, CALL IN
TRANSACTIONS, FINISH, USE, LOAD CSV and hints, architecture brief section 5 for the time clauses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from everwhen.query.diagnostics import query_error
from everwhen.query.lexer import END, Tokens
from everwhen.query.parser_calls import CallParser
from everwhen.query.parser_core import SUBQUERY_COST
from everwhen.query.parser_expressions import ABOVE_AND
from everwhen.query.syntax import (
    CallProcedure,
    CallSubquery,
    Clause,
    Expression,
    Finish,
    Hint,
    Match,
    Projection,
    ProjectionItem,
    Query,
    Return,
    SingleQuery,
    SortItem,
    TimeSpec,
    Unwind,
    Use,
    With,
)

#: what ends a single query
_QUERY_ENDS: Final = frozenset((END, ";", "}", ")", "UNION", "ERASE"))
#: what may follow an alias called "of", as opposed to the start of an AS OF time
_AFTER_ALIAS: Final = frozenset((END, ";", "}", ",", "ORDER", "SKIP", "OFFSET", "LIMIT", "UNION",
    "AT", "AS", "BETWEEN", "FROM", "WHERE", "RETURN", "WITH", "MATCH", "OPTIONAL", "UNWIND",
    "CALL", "CREATE", "MERGE", "SET", "DELETE", "DETACH", "REMOVE", "FOREACH",
))  # fmt: skip
_CLAUSES: Final = "MATCH, CREATE, MERGE, WITH, UNWIND, CALL, SET, DELETE, RETURN or another clause"
#: what else may follow a clause
_BEFORE_CLAUSE: Final[dict[type[Clause], str]] = {
    Match: "',', a relationship, AT TIME, WHERE, ",
    With: "',', AS, ORDER BY, SKIP, LIMIT, WHERE, ",
    CallProcedure: "AT TIME, YIELD, WHERE, ",
    CallSubquery: "IN TRANSACTIONS, ",
}


class ClauseParser(CallParser):
    """Adds reading clauses and whole queries; the other clauses come from the layers below."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        self.clauses: dict[str, Callable[[], Clause]] = {
            "MATCH": self.match,
            "OPTIONAL": self.optional,
            "WITH": self.with_clause,
            "RETURN": self.return_clause,
            "FINISH": self.finish,
            "UNWIND": self.unwind,
            "CALL": self.call_clause,
            "LOAD": self.load_csv,
            "USE": self.use,
            "CREATE": self.create,
            "INSERT": self.create,
            "MERGE": self.merge,
            "SET": self.set_clause,
            "REMOVE": self.remove,
            "DELETE": self.delete,
            "DETACH": self.delete,
            "NODETACH": self.delete,
            "FOREACH": self.foreach,
        }

    # --- queries ----------------------------------------------------------------------------

    def query(self) -> Query:
        """Single queries joined by UNION."""
        at = self.starts[self.i]
        parts = [self.single_query()]
        all_rows: list[bool] = []
        while self.take("UNION"):
            all_rows.append(self.take("ALL"))
            if not all_rows[-1]:
                self.take("DISTINCT")
            parts.append(self.single_query())
        return Query(tuple(parts), tuple(all_rows), at=at)

    def single_query(self) -> SingleQuery:
        at = self.starts[self.i]
        clauses = [self.clause()]
        kinds = self.kinds
        while (kind := kinds[self.i]) not in _QUERY_ENDS:
            last = clauses[-1]
            if isinstance(last, Return | Finish):
                if kind in ("AT", "AS", "BETWEEN", "FROM") and self.time_ahead():
                    break
                raise self.fail(self._after_return(last))
            if kind not in self.clauses:
                if self.time_ahead():
                    break
                raise self.fail(f"{_BEFORE_CLAUSE.get(type(last), '')}{_CLAUSES}")
            clauses.append(self.clause())
        if len(clauses) > 1:
            self._refuse_yield_star(clauses)
        return SingleQuery(tuple(clauses), at=at)

    def _refuse_yield_star(self, clauses: list[Clause]) -> None:
        for clause in clauses:
            if isinstance(clause, CallProcedure) and clause.yield_star:
                raise query_error(
                    self.text,
                    clause.at,
                    "YIELD * is only for a CALL that stands alone",
                    hint="name the columns after YIELD",
                )

    def _after_return(self, clause: Clause) -> str:
        if isinstance(clause, Return):
            order = "" if clause.projection.order else "ORDER BY, "
            return f"an operator, ',', AS, {order}SKIP, LIMIT, UNION or the end of the query"
        return "the end of the query"

    def clause(self) -> Clause:
        handler = self.clauses.get(self.kinds[self.i])
        if handler is None:
            raise self.fail(_CLAUSES, hint=self._clause_hint())
        return handler()

    def _clause_hint(self) -> str | None:
        kind = self.kinds[self.i]
        if kind == "START":
            return "START is gone from the language; use MATCH … WHERE elementId(n) = …"
        if kind == "USING" and self.ahead("USING", "PERIODIC"):
            return "USING PERIODIC COMMIT is gone; use CALL { … } IN TRANSACTIONS"
        return None

    def subquery(self) -> Query:
        """``{ query }``, or ``{ pattern WHERE … }`` as a query of one MATCH."""
        self.enter(SUBQUERY_COST)
        at = self.expect("{")
        query = self._pattern_query() if self._pattern_query_ahead() else self.query()
        self.expect("}")
        self.depth -= SUBQUERY_COST
        return Query(query.parts, query.all_rows, at=at)

    def _pattern_query_ahead(self) -> bool:
        kind, following = self.kinds[self.i], self.peek(1)
        if kind == "(" or (self.is_name() and following == "="):
            return True
        return kind in ("SHORTESTPATH", "ALLSHORTESTPATHS", "SHORTEST", "ANY", "ALL")

    def _pattern_query(self) -> Query:
        match = self._match_body(self.starts[self.i], optional=False)
        return Query((SingleQuery((match,), at=match.at),), at=match.at)

    # --- MATCH ------------------------------------------------------------------------------

    def optional(self) -> Clause:
        """``OPTIONAL MATCH`` and ``OPTIONAL CALL``."""
        at = self.expect("OPTIONAL")
        if self.kinds[self.i] == "CALL":
            return self.call_clause(optional=True)
        self.expect("MATCH", "MATCH or CALL after OPTIONAL")
        return self._match_body(at, optional=True)

    def match(self) -> Match:
        return self._match_body(self.expect("MATCH"), optional=False)

    def _match_body(self, at: int, *, optional: bool) -> Match:
        repeatable = self._match_mode()
        patterns = self.path_patterns()
        time = self.time_spec()
        hints: list[Hint] = []
        while self.kinds[self.i] == "USING":
            hints.append(self.hint())
        where = self.expression() if self.take("WHERE") else None
        return Match(patterns, optional, where, time, tuple(hints), repeatable, at=at)

    def _match_mode(self) -> bool:
        """``REPEATABLE ELEMENTS``, or the default ``DIFFERENT RELATIONSHIPS``."""
        kind = self.kinds[self.i]
        if kind not in ("REPEATABLE", "DIFFERENT") or not self.is_name(1):
            return False
        self.i += 1
        words = ("ELEMENT", "ELEMENTS", "RELATIONSHIP", "RELATIONSHIPS")
        if self.kinds[self.i] not in words:
            raise self.fail("ELEMENTS or RELATIONSHIPS")
        self.i += 1
        self.take("BINDINGS")
        return kind == "REPEATABLE"

    def hint(self) -> Hint:
        """``USING [RANGE|TEXT|POINT] INDEX [SEEK] n:L(p)``, ``USING SCAN n:L``, ``USING JOIN ON n``."""
        at = self.expect("USING")
        words: list[str] = []
        while self.kinds[self.i] in ("RANGE", "TEXT", "POINT", "INDEX", "SEEK", "SCAN", "JOIN"):
            words.append(self.kinds[self.i])
            self.i += 1
        if not words or words[-1] in ("RANGE", "TEXT", "POINT"):
            raise self.fail("INDEX, SCAN or JOIN")
        if words[-1] == "JOIN":
            self.expect("ON", "ON")
            variables = [self.variable()]
            while self.take(","):
                variables.append(self.variable())
            return Hint("JOIN", tuple(variables), at=at)
        variable = self.variable()
        self.expect(":")
        label = self.name("a label")
        properties: list[str] = []
        if words[-1] != "SCAN":
            self.expect("(")
            properties.append(self.name("a property key"))
            while self.take(","):
                properties.append(self.name("a property key"))
            self.expect(")")
        return Hint(" ".join(words), (variable,), label, tuple(properties), at=at)

    # --- time -------------------------------------------------------------------------------

    def time_ahead(self) -> bool:
        """Whether a time clause begins here."""
        kind, word = self.kinds[self.i], self.peek(1)
        if kind == "AT":
            return word in ("TIME", "TIMESTAMP", "VERSION")
        if kind == "AS":
            return word == "OF" and self.peek(2) not in _AFTER_ALIAS
        return kind in ("BETWEEN", "FROM") and word in ("TIME", "TIMESTAMP")

    def time_spec(self) -> TimeSpec | None:
        if not self.time_ahead():
            return None
        at, kind, word = self.starts[self.i], self.kinds[self.i], self.peek(1)
        self.i += 2
        if kind == "BETWEEN":
            start = self.expression(ABOVE_AND)
            self.expect("AND", "AND and the end of the time range")
            return TimeSpec("between", start, self.expression(ABOVE_AND), at=at)
        start = self.expression()
        if kind == "FROM":
            self.expect("TO", "TO and the end of the time range")
            return TimeSpec("from_to", start, self.expression(), at=at)
        return TimeSpec("version" if word == "VERSION" else "time", start, at=at)

    # --- projections ------------------------------------------------------------------------

    def with_clause(self) -> With:
        at = self.expect("WITH")
        projection = self.projection()
        where = self.expression() if self.take("WHERE") else None
        return With(projection, where, at=at)

    def return_clause(self) -> Return:
        at = self.expect("RETURN")
        return Return(self.projection(), at=at)

    def finish(self) -> Finish:
        return Finish(at=self.expect("FINISH"))

    def projection(self) -> Projection:
        at = self.starts[self.i]
        distinct = self.take("DISTINCT")
        star = self.take("*")
        items: list[ProjectionItem] = []
        if not star or self.take(","):
            items.append(self.projection_item())
            while self.take(","):
                items.append(self.projection_item())
        order, skip, limit = self.order_and_bounds()
        return Projection(tuple(items), star, distinct, order, skip, limit, at=at)

    def projection_item(self) -> ProjectionItem:
        first = self.i
        at = self.starts[first]
        expression = self.expression()
        text = self.text[at : self.tokens.ends[self.i - 1]]
        alias = None
        if self.kinds[self.i] == "AS" and not self.time_ahead():
            self.i += 1
            alias = self.variable("a name after AS")
        return ProjectionItem(expression, alias, text, at=at)

    def order_and_bounds(
        self,
    ) -> tuple[tuple[SortItem, ...], Expression | None, Expression | None]:
        """``ORDER BY … SKIP … LIMIT …``, each optional."""
        order: list[SortItem] = []
        if self.take("ORDER"):
            self.expect("BY", "BY after ORDER")
            order.append(self.sort_item())
            while self.take(","):
                order.append(self.sort_item())
        skip = limit = None
        if self.kinds[self.i] in ("SKIP", "OFFSET"):
            self.i += 1
            skip = self.expression()
        if self.take("LIMIT"):
            limit = self.expression()
        return tuple(order), skip, limit

    def sort_item(self) -> SortItem:
        at = self.starts[self.i]
        expression = self.expression()
        descending = self.kinds[self.i] in ("DESC", "DESCENDING")
        if descending or self.kinds[self.i] in ("ASC", "ASCENDING"):
            self.i += 1
        return SortItem(expression, descending, at=at)

    # --- the other reading clauses ----------------------------------------------------------

    def unwind(self) -> Unwind:
        at = self.expect("UNWIND")
        expression = self.expression()
        self.expect("AS", "AS and a variable")
        return Unwind(expression, self.variable(), at=at)

    def use(self) -> Use:
        at = self.expect("USE")
        return Use(self.dotted_name("the name of a database"), at=at)
