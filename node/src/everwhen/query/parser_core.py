"""The parser's floor: tokens by index, names, errors, and the depth bound.

The parser is one class in layers, each in its module ``parser_*``, each using only what is below
it or declared here: core < patterns < compound < expressions < updates < calls < clauses <
schema < users < flashback < parser. It does not backtrack (but for one list, ``[x IN xs, …]``): every choice is made
by looking at a few tokens, in one place by finding a closing bracket.

Depth: every nested expression, pattern or subquery takes from one budget
(limits.QUERY_DEPTH_MAX) what it costs in Python frames, so that no text can exhaust the stack;
:meth:`Core.bounded` checks the height (limits.QUERY_HEIGHT_MAX) of trees that grow to the left
without nesting (``1 + 1 + 1 …``, ``a.b.c …``).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from everwhen.errors import QuerySyntaxError
from everwhen.limits import QUERY_DEPTH_MAX, QUERY_HEIGHT_MAX
from everwhen.query.diagnostics import query_error, suggest
from everwhen.query.lexer import BAD, END, INT, NAME, NAME_START, PARAM, STRING, Tokens
from everwhen.query.syntax import (
    Expression,
    Parameter,
    PathPattern,
    Query,
    StringLiteral,
    Syntax,
    TimeSpec,
    Variable,
)

#: what one nested subquery or pattern costs of the depth budget, where an expression costs 1
SUBQUERY_COST: Final = 8
PATTERN_COST: Final = 2

#: words that end one thing or begin another; suggested when a word looks like a misspelt one
KEYWORDS: Final = (
    "MATCH", "OPTIONAL", "WHERE", "WITH", "RETURN", "ORDER", "BY", "SKIP", "OFFSET", "LIMIT",
    "DISTINCT", "UNWIND", "CREATE", "MERGE", "ON", "SET", "REMOVE", "DELETE", "DETACH",
    "FOREACH", "CALL", "YIELD", "UNION", "ALL", "LOAD", "USE", "FINISH", "AND", "OR", "XOR",
    "NOT", "IN", "STARTS", "ENDS", "CONTAINS", "IS", "NULL", "AS", "ASC", "DESC", "CASE", "WHEN",
    "THEN", "ELSE", "END", "EXISTS", "SHOW", "DROP", "EXPLAIN", "PROFILE", "BEGIN", "COMMIT",
    "ROLLBACK", "FLASHBACK", "FORCE", "TIME", "VERSION", "BETWEEN", "TRANSACTIONS", "INDEX", "CONSTRAINT", "REQUIRE",
)  # fmt: skip


class Core:
    """Cursor over the tokens of one statement."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.text = tokens.text
        self.kinds = tokens.kinds
        self.values = tokens.values
        self.starts = tokens.starts
        self.i = 0
        self.depth = 0
        #: deepest nesting and number of left-growing steps of the outermost expression
        self.deepest = 0
        self.steps = 0
        self.inside_expression = False
        #: while an expression that a bar may end is read: the bracket that closes the whole form
        self.bar_close = -1
        self._closers: dict[int, int] | None = None

    # --- to be given by higher layers -------------------------------------------------------

    def expression(self, floor: int = 0) -> Expression:
        raise NotImplementedError

    def path_pattern(self) -> PathPattern:
        raise NotImplementedError

    def subquery(self) -> Query:
        raise NotImplementedError

    def time_spec(self) -> TimeSpec | None:
        raise NotImplementedError

    def time_ahead(self) -> bool:
        raise NotImplementedError

    # --- looking and taking -----------------------------------------------------------------

    def take(self, kind: str) -> bool:
        """Step over a token of that kind if it is next."""
        if self.kinds[self.i] == kind:
            self.i += 1
            return True
        return False

    def expect(self, kind: str, what: str | None = None) -> int:
        """Step over a token that must be next; its offset."""
        if self.kinds[self.i] != kind:
            raise self.fail(what or f"'{kind}'")
        self.i += 1
        return self.starts[self.i - 1]

    def ahead(self, *kinds: str) -> bool:
        """Whether the next tokens are of these kinds."""
        i = self.i
        return self.kinds[i : i + len(kinds)] == list(kinds)

    def peek(self, distance: int) -> str:
        """Kind of a token further on; END behind the end."""
        i = self.i + distance
        return self.kinds[i] if i < len(self.kinds) else END

    def is_name(self, distance: int = 0) -> bool:
        return self.peek(distance)[0] in NAME_START

    def name(self, what: str = "a name") -> str:
        """An identifier; any keyword may be one."""
        i = self.i
        if self.kinds[i][0] not in NAME_START:
            raise self.fail(what)
        self.i = i + 1
        return self.values[i]  # type: ignore[no-any-return]

    def variable(self, what: str = "a variable") -> Variable:
        return Variable(self.name(what), at=self.starts[self.i - 1])

    def parameter(self) -> Parameter:
        at = self.expect(PARAM, "a parameter")
        return Parameter(self.values[self.i - 1], at=at)

    def string(self) -> StringLiteral:
        at = self.expect(STRING, "a string")
        return StringLiteral(self.values[self.i - 1], at=at)

    def whole_number(self, what: str) -> int:
        """A non-negative integer that is part of the grammar, not an expression."""
        if self.kinds[self.i] != INT:
            raise self.fail(what)
        value: int = self.values[self.i]
        if value > 2**63 - 1:
            raise self.fail_at(self.i, "An integer above 2^63 - 1", detail="IntegerOverflow")
        self.i += 1
        return value

    def dotted_name(self, what: str) -> str:
        """``a.b.c``."""
        name = self.name(what)
        while self.kinds[self.i] == ".":
            self.i += 1
            name = f"{name}.{self.name(what)}"
        return name

    def closer(self, opener: int) -> int:
        """Index of the bracket that closes the one at ``opener``; -1 if none does."""
        if self._closers is None:
            self._closers = _match_brackets(self.kinds)
        return self._closers.get(opener, -1)

    def before_bar(self, opening: int) -> Expression:
        """An expression that may end at a bar, in the form whose bracket opened there."""
        outer, self.bar_close = self.bar_close, self.closer(opening)
        expression = self.expression()
        self.bar_close = outer
        return expression

    # --- depth ------------------------------------------------------------------------------

    def enter(self, cost: int) -> None:
        """Take from the depth budget; whoever enters gives back with ``self.depth -= cost``."""
        self.depth += cost
        if self.depth > self.deepest:
            self.deepest = self.depth
            if self.depth > QUERY_DEPTH_MAX:
                raise self._too_deep(QUERY_DEPTH_MAX)

    def bounded(self, tree: Syntax) -> None:
        """Refuse a tree higher than the bound; asked once per outermost expression."""
        if self.deepest + self.steps <= QUERY_HEIGHT_MAX:
            return
        if self.depth + _height(tree) > QUERY_HEIGHT_MAX:
            raise self._too_deep(QUERY_HEIGHT_MAX)

    def _too_deep(self, limit: int) -> QuerySyntaxError:
        return query_error(
            self.text,
            self.starts[self.i],
            f"Nested deeper than {limit} levels",
            hint="use a list with reduce(), or parameters, instead of one long expression",
        )

    # --- errors -----------------------------------------------------------------------------

    def shown(self, index: int) -> str:
        """A token as an error names it."""
        if self.kinds[index] == END:
            return "end of input"
        source = self.tokens.source(index)
        return f"'{source if len(source) <= 40 else source[:40] + '…'}'"

    def fail(
        self, expected: str, *, hint: str | None = None, detail: str | None = None
    ) -> QuerySyntaxError:
        """The next token is not what the grammar wants."""
        index = self.i
        if hint is None and self.kinds[index][0] in NAME_START and self.kinds[index] != NAME:
            close = suggest(self.kinds[index], KEYWORDS)
            if close is not None and close != self.kinds[index]:
                hint = f"did you mean {close}?"
        elif hint is None and self.kinds[index] == "!=":
            hint = "not equal is written <>"
        return self.fail_at(
            index,
            f"Invalid input {self.shown(index)}: expected {expected}",
            hint=hint,
            detail=detail or "UnexpectedSyntax",
        )

    def fail_number(self, index: int) -> QuerySyntaxError:
        """A malformed number where a number may stand."""
        assert self.kinds[index] == BAD
        problem, detail = self.values[index]
        return self.fail_at(index, problem, detail=detail)

    def fail_at(
        self,
        index: int,
        problem: str,
        *,
        hint: str | None = None,
        detail: str = "UnexpectedSyntax",
        error: type[QuerySyntaxError] = QuerySyntaxError,
    ) -> QuerySyntaxError:
        """An error at a token."""
        return query_error(
            self.text, self.starts[index], problem, hint=hint, detail=detail, error=error
        )


def _match_brackets(kinds: list[str]) -> dict[int, int]:
    """Opening bracket -> closing bracket, of ``()`` ``[]`` ``{}`` that pair up."""
    closers: dict[int, int] = {}
    pairs = {")": "(", "]": "[", "}": "{"}
    opened: list[int] = []
    for index, kind in enumerate(kinds):
        if kind in ("(", "[", "{"):
            opened.append(index)
        elif kind in pairs:
            if opened and kinds[opened[-1]] == pairs[kind]:
                closers[opened.pop()] = index
            else:
                break
    return closers


def _height(tree: Syntax) -> int:
    """Levels of a tree, counted without recursion."""
    highest = 0
    pending: list[tuple[Any, int]] = [(tree, 1)]
    while pending:
        value, level = pending.pop()
        highest = max(highest, level)
        if isinstance(value, Syntax):
            children = (getattr(value, field.name) for field in fields(value))
            pending += [(child, level + 1) for child in children if isinstance(child, _INNER)]
        else:
            pending += [(child, level) for child in value if isinstance(child, _INNER)]
    return highest


_INNER: Final = (Syntax, tuple)
