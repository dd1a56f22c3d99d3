"""Schema commands and SHOW: indexes, constraints, listings.

Source: Neo4j 5 manual ("Indexes", "Constraints", "Database management"); the older forms
(``ON :L(p)``, ``ASSERT``) are refused with a hint that shows the present form.
"""

from __future__ import annotations

from typing import Final, Literal

from everwhen.errors import QuerySyntaxError
from everwhen.query.lexer import END, PARAM
from everwhen.query.parser_clauses import ClauseParser
from everwhen.query.syntax import (
    Body,
    CreateConstraint,
    CreateIndex,
    DropConstraint,
    DropIndex,
    EntityKind,
    Expression,
    Parameter,
    Show,
    StringLiteral,
    TerminateTransactions,
    TypeExpression,
    Variable,
    YieldPart,
)

_INDEX_KINDS: Final[dict[str, Literal["RANGE", "LOOKUP", "TEXT", "POINT", "FULLTEXT", "VECTOR"]]] = {
    "RANGE": "RANGE", "BTREE": "RANGE", "LOOKUP": "LOOKUP", "TEXT": "TEXT", "POINT": "POINT",
    "FULLTEXT": "FULLTEXT", "VECTOR": "VECTOR",
}  # fmt: skip
#: last words of a SHOW subject -> its canonical form
_SUBJECTS: Final[dict[str, str]] = {
    "INDEX": "INDEXES", "INDEXES": "INDEXES", "CONSTRAINT": "CONSTRAINTS",
    "CONSTRAINTS": "CONSTRAINTS", "PROCEDURE": "PROCEDURES", "PROCEDURES": "PROCEDURES",
    "FUNCTION": "FUNCTIONS", "FUNCTIONS": "FUNCTIONS", "DATABASES": "DATABASES",
    "DATABASE": "DATABASE", "TRANSACTION": "TRANSACTIONS", "TRANSACTIONS": "TRANSACTIONS",
    "SETTING": "SETTINGS", "SETTINGS": "SETTINGS", "USER": "USERS", "USERS": "USERS",
    "ROLE": "ROLES", "ROLES": "ROLES", "PRIVILEGE": "PRIVILEGES", "PRIVILEGES": "PRIVILEGES",
    "SERVER": "SERVERS", "SERVERS": "SERVERS", "ALIAS": "ALIASES", "ALIASES": "ALIASES",
    "RETENTION": "RETENTION", "VACUUM": "VACUUM", "ERASURES": "ERASURES",
    "ERASURE": "ERASURES", "POINTS": "POINTS", "POINT": "POINTS",
    "LABELS": "LABELS", "TYPES": "RELATIONSHIP TYPES", "KEYS": "PROPERTY KEYS",
}  # fmt: skip
#: subject and qualifier that belong together -> subject
_JOINED: Final[dict[tuple[str, str], str]] = {
    ("DATABASE", "DEFAULT"): "DEFAULT DATABASE", ("DATABASE", "HOME"): "HOME DATABASE",
    ("USERS", "CURRENT"): "CURRENT USER", ("PRIVILEGES", "SUPPORTED"): "SUPPORTED PRIVILEGES",
    ("POINTS", "RESTORE"): "RESTORE POINTS",
    ("RELATIONSHIP TYPES", "RELATIONSHIP"): "RELATIONSHIP TYPES",
    ("PROPERTY KEYS", "PROPERTY"): "PROPERTY KEYS",
}  # fmt: skip
_TAKE_ARGUMENTS: Final = frozenset(("DATABASE", "DATABASES", "TRANSACTIONS", "SETTINGS"))
_PART_STARTS: Final = frozenset(("YIELD", "WHERE", "RETURN", END, ";"))
_QUALIFIER_WORDS_MAX: Final = 4


class SchemaParser(ClauseParser):
    """Adds schema and listing commands."""

    # --- deciding ---------------------------------------------------------------------------

    def schema_ahead(self) -> bool:
        """At CREATE or DROP: whether an index or constraint follows, not a pattern."""
        if self.kinds[self.i] == "DROP":
            return True
        distance = 3 if self.ahead("CREATE", "OR", "REPLACE") else 1
        if self.peek(distance) in _INDEX_KINDS:
            distance += 1
        if self.peek(distance + 1) in ("=", "("):
            return False
        return self.peek(distance) in ("INDEX", "CONSTRAINT")

    def schema_command(self) -> Body:
        create = self.take("CREATE")
        if not create:
            self.expect("DROP", "CREATE or DROP")
            if self.take("INDEX"):
                return self._drop_index()
            self.expect("CONSTRAINT", "INDEX or CONSTRAINT after DROP")
            return self._drop_constraint()
        at = self.starts[self.i - 1]
        if self.ahead("OR", "REPLACE"):
            raise self.fail("INDEX or CONSTRAINT", hint="OR REPLACE is not part of schema commands")
        kind = _INDEX_KINDS.get(self.kinds[self.i])
        if kind is not None:
            self.i += 1
        if self.take("INDEX"):
            return self._create_index(kind or "RANGE", at)
        self.expect("CONSTRAINT", "INDEX")
        return self._create_constraint(at)

    def _schema_name(self) -> str | Parameter | None:
        """The optional name of an index or constraint."""
        if self.kinds[self.i] == PARAM:
            return self.parameter()
        if self.kinds[self.i] in ("IF", "FOR", "ON") and not self.is_name_before_for():
            return None
        return self.name("a name, IF NOT EXISTS or FOR")

    def is_name_before_for(self) -> bool:
        """``CREATE INDEX for FOR …``: a keyword that is a name after all."""
        return self.peek(1) in ("FOR", "IF")

    def _if_not_exists(self) -> bool:
        if not self.take("IF"):
            return False
        self.expect("NOT", "NOT EXISTS after IF")
        self.expect("EXISTS", "EXISTS")
        return True

    def _if_exists(self) -> bool:
        if not self.take("IF"):
            return False
        self.expect("EXISTS", "EXISTS after IF")
        return True

    def _options(self) -> Expression | None:
        if not self.take("OPTIONS"):
            return None
        return self.parameter() if self.kinds[self.i] == PARAM else self.map_literal()

    # --- what it is about -------------------------------------------------------------------

    def _target(self, *, many: bool) -> tuple[EntityKind, Variable, tuple[str, ...]]:
        """``(n:L)`` or ``()-[r:T]-()``; several labels with "|" where allowed."""
        self.expect("(", "'(' and a node or relationship pattern")
        if not self.take(")"):
            variable, labels = self._target_inner(many=many)
            self.expect(")")
            return "NODE", variable, labels
        self.take("<")
        self.expect("-", "a relationship")
        self.expect("[", "'['")
        variable, labels = self._target_inner(many=many)
        self.expect("]")
        self.expect("-")
        self.take(">")
        self.expect("(")
        self.expect(")")
        return "RELATIONSHIP", variable, labels

    def _target_inner(self, *, many: bool) -> tuple[Variable, tuple[str, ...]]:
        variable = self.variable()
        if self.kinds[self.i] in (")", "]"):
            return variable, ()
        self.expect(":", "':' and a label")
        labels = [self.name("a label")]
        while many and self.take("|"):
            labels.append(self.name("a label"))
        return variable, tuple(labels)

    def _properties(self, variable: Variable, *, brackets: bool = False) -> tuple[str, ...]:
        """``n.p``, ``(n.p, n.q)`` or, for full-text, ``[n.p, n.q]``."""
        closer = {"(": ")", "[": "]"}.get(self.kinds[self.i]) if not brackets else "]"
        if brackets:
            self.expect("[", "'[' and properties")
        elif closer is not None:
            self.i += 1
        keys = [self._property(variable)]
        while closer is not None and self.take(","):
            keys.append(self._property(variable))
        if closer is not None:
            self.expect(closer, f"',' or '{closer}'")
        return tuple(keys)

    def _property(self, variable: Variable) -> str:
        at = self.i
        if self.name(f"{variable.name}.property") != variable.name:
            raise self.fail_at(
                at, f"Expected a property of {variable.name}", detail="UndefinedVariable"
            )
        self.expect(".", "'.' and a property key")
        return self.name("a property key")

    # --- indexes ----------------------------------------------------------------------------

    def _create_index(
        self, kind: Literal["RANGE", "LOOKUP", "TEXT", "POINT", "FULLTEXT", "VECTOR"], at: int
    ) -> CreateIndex:
        if self.kinds[self.i] == "ON" and self.peek(1) == ":":
            raise self._old_form("CREATE INDEX name FOR (n:Label) ON (n.property)")
        name = self._schema_name()
        if_not_exists = self._if_not_exists()
        self.expect("FOR", "IF NOT EXISTS or FOR")
        entity, variable, labels = self._target(many=kind == "FULLTEXT")
        if not labels and kind != "LOOKUP":
            raise self.fail_at(self.i, "The index needs a label or relationship type")
        self.expect("ON", "ON")
        properties: tuple[str, ...] = ()
        if kind == "LOOKUP":
            self._lookup_function()
        else:
            if kind == "FULLTEXT":
                self.expect("EACH", "EACH")
            properties = self._properties(variable, brackets=kind == "FULLTEXT")
        return CreateIndex(
            kind, entity, labels, properties, name, if_not_exists, self._options(), at=at
        )

    def _lookup_function(self) -> None:
        """``EACH labels(n)`` or ``EACH type(r)``; the target already says which."""
        self.take("EACH")
        if self.kinds[self.i] not in ("LABELS", "TYPE"):
            raise self.fail("labels(n) or type(r)")
        self.i += 1
        self.expect("(")
        self.variable()
        self.expect(")")

    def _drop_index(self) -> DropIndex:
        at = self.starts[self.i - 2]
        if self.kinds[self.i] == "ON" and self.peek(1) == ":":
            raise self._old_form("DROP INDEX name")
        return DropIndex(self._dropped_name(), self._if_exists(), at=at)

    def _dropped_name(self) -> str | Parameter:
        if self.kinds[self.i] == PARAM:
            return self.parameter()
        return self.name("the name of an index or constraint")

    def _old_form(self, present: str) -> QuerySyntaxError:
        return self.fail("the present form of this command", hint=f"write {present}")

    # --- constraints ------------------------------------------------------------------------

    def _create_constraint(self, at: int) -> CreateConstraint:
        name = self._schema_name()
        if_not_exists = self._if_not_exists()
        if self.kinds[self.i] == "ON":
            raise self._old_form(
                "CREATE CONSTRAINT name FOR (n:Label) REQUIRE n.property IS UNIQUE"
            )
        self.expect("FOR", "IF NOT EXISTS or FOR")
        entity, variable, labels = self._target(many=False)
        if not labels:
            raise self.fail_at(self.i, "The constraint needs a label or relationship type")
        if self.kinds[self.i] == "ASSERT":
            raise self._old_form("FOR … REQUIRE … instead of ASSERT")
        self.expect("REQUIRE", "REQUIRE")
        properties = self._properties(variable)
        kind, of_type = self._constraint_kind(entity)
        if len(properties) > 1 and kind in ("NOT NULL", "TYPED"):
            raise self.fail_at(self.i - 1, "This kind of constraint is about one property")
        return CreateConstraint(
            kind, entity, labels[0], properties, of_type, name, if_not_exists, self._options(),
            at=at,
        )  # fmt: skip

    def _constraint_kind(
        self, entity: EntityKind
    ) -> tuple[Literal["UNIQUE", "NOT NULL", "KEY", "TYPED"], TypeExpression | None]:
        if self.take("::"):
            return "TYPED", self.type_expression()
        self.expect("IS", "IS or '::'")
        if self.take("::") or self.take("TYPED"):
            return "TYPED", self.type_expression()
        if self.ahead("NOT", "NULL"):
            self.i += 2
            return "NOT NULL", None
        words = ("NODE",) if entity == "NODE" else ("RELATIONSHIP", "REL")
        if self.kinds[self.i] in words:
            self.i += 1
        if self.take("UNIQUE"):
            return "UNIQUE", None
        self.expect("KEY", "UNIQUE, NOT NULL, KEY or '::' and a type")
        return "KEY", None

    def _drop_constraint(self) -> DropConstraint:
        at = self.starts[self.i - 2]
        if self.kinds[self.i] == "ON" and self.peek(1) == "(":
            raise self._old_form("DROP CONSTRAINT name")
        return DropConstraint(self._dropped_name(), self._if_exists(), at=at)

    # --- listings ---------------------------------------------------------------------------

    def show(self) -> Show:
        """``SHOW words subject arguments YIELD … WHERE … RETURN …``."""
        at = self.expect("SHOW")
        words: list[str] = []
        first = self.i
        while self.kinds[self.i] not in _SUBJECTS or self.ahead("USER", "DEFINED"):
            if not self.is_name() or len(words) == _QUALIFIER_WORDS_MAX:
                self.i = first
                raise self.fail(
                    "INDEXES, CONSTRAINTS, PROCEDURES, FUNCTIONS, DATABASES or the like"
                )
            words.append(self.name().upper())
        subject = _SUBJECTS[self.name().upper()]
        if subject == "ALIASES" and self.take("FOR") and not self.take("DATABASES"):
            self.expect("DATABASE", "DATABASE")
        qualifier: str | None = " ".join(words) or None
        if qualifier is not None and (subject, qualifier) in _JOINED:
            subject, qualifier = _JOINED[subject, qualifier], None
        executable = self._executable_by() if subject in ("PROCEDURES", "FUNCTIONS") else None
        arguments = self._arguments() if subject in _TAKE_ARGUMENTS else ()
        if subject == "DATABASE" and not arguments:
            raise self.fail("the name of a database")
        return Show(subject, qualifier, arguments, executable, self.yield_part(), at=at)

    def _executable_by(self) -> str | None:
        if not self.take("EXECUTABLE"):
            return None
        if not self.take("BY"):
            return ""
        if self.ahead("CURRENT", "USER"):
            self.i += 2
            return ""
        return self.name("CURRENT USER or the name of a user")

    def _arguments(self) -> tuple[Expression, ...]:
        """Names (a name stands for its own text), strings or parameters."""
        if self.kinds[self.i] in _PART_STARTS:
            return ()
        arguments = [self._argument()]
        while self.take(","):
            arguments.append(self._argument())
        return tuple(arguments)

    def _argument(self) -> Expression:
        if self.is_name():
            at = self.starts[self.i]
            return StringLiteral(self.dotted_name("a name"), at=at)
        return self.expression()

    def terminate(self) -> TerminateTransactions:
        at = self.expect("TERMINATE")
        if not (self.take("TRANSACTIONS") or self.take("TRANSACTION")):
            raise self.fail("TRANSACTIONS")
        ids = self._arguments()
        if not ids:
            raise self.fail("the id of a transaction")
        return TerminateTransactions(ids, self.yield_part(), at=at)

    def yield_part(self) -> YieldPart | None:
        """``YIELD … ORDER BY … SKIP … LIMIT … WHERE … RETURN …`` or ``WHERE …``."""
        at, kind = self.starts[self.i], self.kinds[self.i]
        if kind not in ("YIELD", "WHERE"):
            return None
        if kind == "WHERE":
            self.i += 1
            return YieldPart(where=self.expression(), at=at)
        self.i += 1
        yields, star = self.yields()
        order, skip, limit = self.order_and_bounds()
        where = self.expression() if self.take("WHERE") else None
        returns = self.return_clause() if self.kinds[self.i] == "RETURN" else None
        return YieldPart(yields, star, order, skip, limit, where, returns, at=at)
