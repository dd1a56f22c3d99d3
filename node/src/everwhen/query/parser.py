"""Text to statement: the parser's top layer and its two doors.

``parse`` takes one statement, ``parse_script`` several with semicolons between. Both raise only
:class:`everwhen.errors.QuerySyntaxError` (or ``RequestTooLarge`` for a text above its limit).
Sources: openCypher 9 grammar, Neo4j 5 manual, architecture brief sections 5 and 6.
"""

from __future__ import annotations

from typing import Final, Literal

from everwhen.errors import QuerySyntaxError
from everwhen.query.diagnostics import query_error
from everwhen.query.lexer import END, FLOAT, INT, Tokens, tokenize
from everwhen.query.parser_keeping import KeepingParser
from everwhen.query.syntax import Begin, Body, Commit, QueryBody, Rollback, Statement

Mode = Literal["EXPLAIN", "PROFILE"] | None
_STATEMENTS: Final = "a statement (MATCH, CREATE, MERGE, RETURN, CALL, SHOW, BEGIN …)"


class Parser(KeepingParser):
    """Adds what stands around a query: options, EXPLAIN, transactions."""

    def statement(self) -> Statement:
        """The whole text as one statement; one semicolon or more may end it."""
        while self.take(";"):
            pass
        at = self.starts[self.i]
        options, mode = self._before()
        body = self.body()
        if self.kinds[self.i] not in (END, ";"):
            raise self.fail("the end of the statement")
        while self.take(";"):
            pass
        if self.kinds[self.i] != END:
            raise self.fail("the end of input: one statement at a time")
        return Statement(body, mode, options, self.text, at=at)

    def _before(self) -> tuple[tuple[tuple[str, str], ...], Mode]:
        """``CYPHER version key=value`` and ``EXPLAIN`` or ``PROFILE``, in any order."""
        options: list[tuple[str, str]] = []
        mode: Mode = None
        while True:
            kind = self.kinds[self.i]
            if kind == "CYPHER":
                self.i += 1
                options += self._options_after_cypher()
            elif kind in ("EXPLAIN", "PROFILE"):
                if mode is not None and mode != kind:
                    raise self.fail("either EXPLAIN or PROFILE")
                self.i += 1
                mode = "EXPLAIN" if kind == "EXPLAIN" else "PROFILE"
            else:
                return tuple(options), mode

    def _options_after_cypher(self) -> list[tuple[str, str]]:
        options: list[tuple[str, str]] = []
        if self.kinds[self.i] in (INT, FLOAT):
            options.append(("version", self.tokens.source(self.i)))
            self.i += 1
        while self.is_name() and self.peek(1) == "=":
            key = self.name().lower()
            self.i += 1
            if not (self.is_name() or self.kinds[self.i] in (INT, FLOAT)):
                raise self.fail("the value of an option")
            options.append((key, self.tokens.source(self.i)))
            self.i += 1
        return options

    def body(self) -> Body:
        kind = self.kinds[self.i]
        if kind == "BEGIN":
            return self._begin()
        if kind in ("COMMIT", "ROLLBACK"):
            at = self.starts[self.i]
            self.i += 1
            self.take("TRANSACTION")
            return Commit(at=at) if kind == "COMMIT" else Rollback(at=at)
        if kind == "FLASHBACK":
            return self.flashback()
        if kind == "SHOW":
            return self.show()
        if kind == "TERMINATE":
            return self.terminate()
        if kind in ("CREATE", "ALTER", "DROP") and self.keeping_ahead():
            return self.keeping_command()
        if kind in ("CREATE", "ALTER", "DROP") and self.user_ahead():
            return self.user_command()
        if kind in ("CREATE", "DROP") and self.schema_ahead():
            return self.schema_command()
        if kind == END:
            raise self.fail(_STATEMENTS)
        at = self.starts[self.i]
        query, time = self.query(), self.time_spec()
        if self.kinds[self.i] == "ERASE":
            return self.erase(query, time)
        return QueryBody(query, time, at=at)

    def _begin(self) -> Begin:
        at = self.expect("BEGIN")
        self.take("TRANSACTION")
        isolation: Literal["SNAPSHOT", "SERIALIZABLE", "PESSIMISTIC"] = "SNAPSHOT"
        read_only = False
        while True:
            if self.take("READ"):
                if not self.take("WRITE"):
                    self.expect("ONLY", "ONLY or WRITE after READ")
                    read_only = True
            elif self.take("SERIALIZABLE"):
                isolation = "SERIALIZABLE"
            elif self.take("PESSIMISTIC"):
                isolation = "PESSIMISTIC"
            elif not self.take("SNAPSHOT"):
                break
        if self.kinds[self.i] in ("BETWEEN", "FROM"):
            raise self.fail("AT TIME or AT VERSION: a transaction reads one moment")
        return Begin(isolation, read_only, self.time_spec(), at=at)


def parse(text: str) -> Statement:
    """One statement."""
    return parse_tokens(tokenize(text))


def parse_tokens(tokens: Tokens) -> Statement:
    """One statement whose tokens are already there (see ``everwhen.query.literals``)."""
    return Parser(tokens).statement()


def split_script(text: str) -> list[tuple[int, str]]:
    """Statements of a text as (offset, statement text), semicolons and comments between left
    out. The statements are not parsed."""
    tokens = tokenize(text)
    pieces: list[tuple[int, str]] = []
    start = None
    for kind, begin, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        if kind not in (";", END):
            start = begin if start is None else start
            last = end
        elif start is not None:
            pieces.append((start, text[start:last]))
            start = None
    return pieces


def parse_script(text: str) -> list[tuple[str, Statement]]:
    """All statements of a text with their own texts; an error's position is in the whole text."""
    statements: list[tuple[str, Statement]] = []
    for offset, piece in split_script(text):
        try:
            statements.append((piece, parse(piece)))
        except QuerySyntaxError as error:
            if error.position is None:
                raise
            problem = error.message.split(" (line ", 1)[0]
            place = offset + error.position.offset
            raise query_error(
                text, place, problem, hint=error.hint, detail=error.detail or "UnexpectedSyntax"
            ) from None
    return statements
