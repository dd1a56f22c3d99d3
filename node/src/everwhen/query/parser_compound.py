"""Expressions with a grammar of their own: CASE, comprehensions, quantifiers, reduce, map
projections, subqueries, patterns as values, type names.

Source: openCypher 9, Neo4j 5 manual ("Expressions", "Subqueries", "Values and types").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from everwhen.query.lexer import NAME_START, PARAM, Tokens
from everwhen.query.parser_patterns import PatternParser
from everwhen.query.syntax import (
    AllPropertiesEntry,
    Case,
    CollectSubquery,
    Comparison,
    CountStar,
    CountSubquery,
    ExistsSubquery,
    Expression,
    FunctionCall,
    ListComprehension,
    ListLiteral,
    LiteralEntry,
    MapProjection,
    PatternComprehension,
    PatternExpression,
    ProjectionEntry,
    PropertyEntry,
    Quantified,
    QuantifierKind,
    Reduce,
    StringLiteral,
    TypeExpression,
    TypeName,
    TypeUnion,
    Variable,
    VariableEntry,
)

#: words of a type as written -> canonical name; the longest that fits is taken
_TYPES: Final[dict[str, str]] = {
    "BOOL": "BOOLEAN", "BOOLEAN": "BOOLEAN",
    "STRING": "STRING", "VARCHAR": "STRING",
    "INT": "INTEGER", "INTEGER": "INTEGER", "SIGNED INTEGER": "INTEGER",
    "FLOAT": "FLOAT",
    "DATE": "DATE", "DURATION": "DURATION", "POINT": "POINT",
    "LOCAL TIME": "LOCAL TIME", "TIME WITHOUT TIMEZONE": "LOCAL TIME",
    "TIME WITHOUT TIME ZONE": "LOCAL TIME",
    "ZONED TIME": "ZONED TIME", "TIME WITH TIMEZONE": "ZONED TIME",
    "TIME WITH TIME ZONE": "ZONED TIME",
    "LOCAL DATETIME": "LOCAL DATETIME", "TIMESTAMP WITHOUT TIMEZONE": "LOCAL DATETIME",
    "TIMESTAMP WITHOUT TIME ZONE": "LOCAL DATETIME",
    "ZONED DATETIME": "ZONED DATETIME", "TIMESTAMP WITH TIMEZONE": "ZONED DATETIME",
    "TIMESTAMP WITH TIME ZONE": "ZONED DATETIME",
    "NODE": "NODE", "ANY NODE": "NODE", "VERTEX": "NODE", "ANY VERTEX": "NODE",
    "RELATIONSHIP": "RELATIONSHIP", "ANY RELATIONSHIP": "RELATIONSHIP",
    "EDGE": "RELATIONSHIP", "ANY EDGE": "RELATIONSHIP",
    "PATH": "PATH", "PATHS": "PATH", "MAP": "MAP", "ANY MAP": "MAP", "VECTOR": "VECTOR",
    "LIST": "LIST", "ARRAY": "LIST",
    "PROPERTY VALUE": "PROPERTY VALUE", "ANY PROPERTY VALUE": "PROPERTY VALUE",
    "ANY VALUE": "ANY", "ANY": "ANY", "NOTHING": "NOTHING", "NULL": "NULL",
}  # fmt: skip
_TYPE_WORDS_MAX: Final = 4
_TRIMS: Final = {"BOTH": "btrim", "LEADING": "ltrim", "TRAILING": "rtrim"}
_FORMS: Final = frozenset(("NFC", "NFD", "NFKC", "NFKD"))
#: after ``trim(word``: the word is a variable
_AFTER_ARGUMENT: Final = frozenset((")", ",", ".", "[", "(", "+", "||", "{"))


class CompoundParser(PatternParser):
    """Adds the compound expressions to the patterns."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        #: word before "(" or "{" -> the form it may begin; None when it turns out not to
        self.compounds: dict[str, Callable[[], Expression | None]] = {
            "ALL": self.quantified,
            "ANY": self.quantified,
            "NONE": self.quantified,
            "SINGLE": self.quantified,
            "REDUCE": self.reduce,
            "COUNT": self.count,
            "EXISTS": self.exists,
            "COLLECT": self.collect,
            "SHORTESTPATH": self.shortest_path_value,
            "ALLSHORTESTPATHS": self.shortest_path_value,
            "TRIM": self.trim,
            "NORMALIZE": self.normalize,
        }

    # --- CASE -------------------------------------------------------------------------------

    def case_expression(self) -> Case:
        """``CASE [subject] WHEN … THEN … ELSE … END``."""
        at = self.expect("CASE")
        subject = None if self.kinds[self.i] == "WHEN" else self.expression()
        alternatives: list[tuple[Expression, Expression]] = []
        wholes: list[bool] = []
        self.expect("WHEN", "WHEN")
        while True:
            conditions = [self.case_condition(subject)]
            while subject is not None and self.take(","):
                conditions.append(self.case_condition(subject))
            self.expect("THEN", "THEN")
            value = self.expression()
            alternatives += [(condition, value) for condition, _ in conditions]
            wholes += [whole for _, whole in conditions]
            if not self.take("WHEN"):
                break
        default = self.expression() if self.take("ELSE") else None
        self.expect("END", "WHEN, ELSE or END")
        if subject is not None and any(wholes):
            # ``CASE x WHEN > 1 …``: all conditions written out, so that one form remains
            alternatives = [
                (when if whole else Comparison(subject, (("=", when),), at=when.at), then)
                for (when, then), whole in zip(alternatives, wholes, strict=True)
            ]
            subject = None
        return Case(subject, tuple(alternatives), default, at=at)

    def case_condition(self, subject: Expression | None) -> tuple[Expression, bool]:
        """What follows WHEN, and whether it is a whole condition: ``> 3``, ``IS NULL``."""
        raise NotImplementedError

    # --- lists ------------------------------------------------------------------------------

    def list_or_comprehension(self) -> Expression:
        """After "[": a list, a list comprehension or a pattern comprehension."""
        opening = self.i
        at = self.expect("[")
        if self.is_name() and self.peek(1) == "IN":
            comprehension = self._list_comprehension(opening, at)
            if comprehension is not None:
                return comprehension
        elif self._pattern_comprehension_ahead():
            return self._pattern_comprehension(opening, at)
        items: list[Expression] = []
        if not self.take("]"):
            items.append(self.expression())
            while self.take(","):
                items.append(self.expression())
            self.expect("]", "',' or ']'")
        return ListLiteral(tuple(items), at=at)

    def _list_comprehension(self, opening: int, at: int) -> ListComprehension | None:
        variable = self.variable()
        self.i += 1
        source = self.before_bar(opening)
        if self.kinds[self.i] == ",":
            # a list whose first item is a membership test
            self.i = opening + 1
            return None
        where = self._comprehension_where(opening)
        projection = self.expression() if self.take("|") else None
        self.expect("]", "WHERE, '|' or ']'")
        return ListComprehension(variable, source, where, projection, at=at)

    def _comprehension_where(self, opening: int) -> Expression | None:
        return self.before_bar(opening) if self.take("WHERE") else None

    def _pattern_comprehension_ahead(self) -> bool:
        """After "[": a pattern up to WHERE or a bar."""
        distance = 2 if self.is_name() and self.peek(1) == "=" else 0
        if not self.pattern_ahead(distance):
            return False
        if distance:
            return True
        # skip nodes and relationships: brackets and what arrows are made of
        index = self.i
        while self.kinds[index] in _PATTERN_TOKENS:
            close = self.closer(index) if self.kinds[index] in ("(", "[", "{") else index
            if close < 0:
                return False
            index = close + 1
        return self.kinds[index] in ("WHERE", "|")

    def _pattern_comprehension(self, opening: int, at: int) -> PatternComprehension:
        pattern = self.path_pattern()
        where = self._comprehension_where(opening)
        self.expect("|", "WHERE or '|'")
        projection = self.expression()
        self.expect("]")
        return PatternComprehension(pattern, where, projection, at=at)

    def pattern_ahead(self, distance: int = 0) -> bool:
        """Whether a node pattern with a relationship after it begins at this distance.

        ``(a)-->(b)`` could also mean ``a - (-(> …``; what stands in the parentheses and what
        follows them decides, so no text needs to be read twice.
        """
        index = self.i + distance
        kinds = self.kinds
        if kinds[index] != "(":
            return False
        first = kinds[index + 1]
        if first[0] in NAME_START:
            if first not in ("WHERE", "IS") and kinds[index + 2] not in _NODE_TOKENS:
                return False
        elif first not in _NODE_TOKENS:
            return False
        close = self.closer(index)
        if close < 0:
            return False
        after = kinds[close + 1 : close + 4]
        if after[0] == "<":
            return after[1] == "-" and after[2] in ("-", "[")
        return after[0] == "-" and (
            after[1] == "[" or (after[1] == "-" and after[2] in _AFTER_TWO_DASHES)
        )

    # --- forms that begin with a word and a bracket -----------------------------------------

    def quantified(self) -> Expression | None:
        """``all(x IN xs WHERE p)`` and any, none, single."""
        kind, at = self.kinds[self.i], self.starts[self.i]
        if self.peek(1) != "(" or not self.is_name(2) or self.peek(3) != "IN":
            return None
        self.i += 2
        variable = self.variable()
        self.i += 1
        source = self.expression()
        where = self.expression() if self.take("WHERE") else None
        self.expect(")", "WHERE or ')'")
        name: dict[str, QuantifierKind] = {
            "ALL": "all", "ANY": "any", "NONE": "none", "SINGLE": "single",
        }  # fmt: skip
        return Quantified(name[kind], variable, source, where, at=at)

    def reduce(self) -> Expression | None:
        """``reduce(acc = start, x IN xs | expression)``."""
        at = self.starts[self.i]
        if not self.is_name(2) or self.peek(3) != "=":
            return None
        opening = self.i + 1
        self.i += 2
        accumulator = self.variable()
        self.i += 1
        initial = self.expression()
        self.expect(",")
        variable = self.variable()
        self.expect("IN", "IN")
        source = self.before_bar(opening)
        self.expect("|")
        expression = self.expression()
        self.expect(")")
        return Reduce(accumulator, initial, variable, source, expression, at=at)

    def count(self) -> Expression | None:
        """``count(*)`` and ``COUNT { … }``."""
        at = self.starts[self.i]
        if self.ahead("COUNT", "(", "*", ")"):
            self.i += 4
            return CountStar(at=at)
        if self.peek(1) == "(":
            return None
        self.i += 1
        return CountSubquery(self.subquery(), at=at)

    def exists(self) -> Expression | None:
        """``EXISTS { … }``; ``exists(…)`` is a function."""
        at = self.starts[self.i]
        if self.peek(1) == "(":
            return None
        self.i += 1
        return ExistsSubquery(self.subquery(), at=at)

    def collect(self) -> Expression | None:
        """``COLLECT { … }``; ``collect(…)`` is a function."""
        at = self.starts[self.i]
        if self.peek(1) == "(":
            return None
        self.i += 1
        return CollectSubquery(self.subquery(), at=at)

    def shortest_path_value(self) -> Expression | None:
        at = self.starts[self.i]
        if self.peek(1) != "(":
            return None
        return PatternExpression(self.shortest_path(), at=at)

    def trim(self) -> Expression | None:
        """``trim(BOTH 'x' FROM text)``, LEADING, TRAILING; ``trim(text)`` is a function."""
        at = self.starts[self.i]
        if self.peek(1) != "(":
            return None
        side = self.peek(2)
        if side in _TRIMS and self.peek(3) not in _AFTER_ARGUMENT:
            self.i += 3
        elif side == "FROM" and self.peek(3) not in _AFTER_ARGUMENT:
            side = "BOTH"
            self.i += 2
        else:
            return None
        characters = None if self.kinds[self.i] == "FROM" else self.expression()
        self.expect("FROM", "FROM")
        text = self.expression()
        self.expect(")")
        arguments = (text,) if characters is None else (text, characters)
        return FunctionCall(_TRIMS[side], arguments, at=at)

    def normalize(self) -> Expression | None:
        """``normalize(text, NFD)``: the form is a word; otherwise a function like any other."""
        at = self.starts[self.i]
        close = self.closer(self.i + 1)
        form = self.kinds[close - 1]
        if self.peek(1) != "(" or form not in _FORMS or self.kinds[close - 2] != ",":
            return None
        self.i += 2
        text = self.expression()
        self.expect(",")
        literal = StringLiteral(form, at=self.starts[self.i])
        self.i += 1
        self.expect(")")
        return FunctionCall("normalize", (text, literal), at=at)

    # --- map projections --------------------------------------------------------------------

    def map_projection(self, subject: Variable) -> MapProjection:
        """``subject {.key, .*, variable, key: expression}``."""
        at = self.expect("{")
        items: list[ProjectionEntry] = []
        if not self.take("}"):
            items.append(self._projection_entry())
            while self.take(","):
                items.append(self._projection_entry())
            self.expect("}", "',' or '}'")
        return MapProjection(subject, tuple(items), at=at)

    def _projection_entry(self) -> ProjectionEntry:
        at = self.starts[self.i]
        if self.take("."):
            if self.take("*"):
                return AllPropertiesEntry(at=at)
            return PropertyEntry(self.name("a property key or '*'"), at=at)
        if self.take("*"):
            return AllPropertiesEntry(at=at)
        variable = self.variable("'.', a variable or a key")
        if self.take(":"):
            return LiteralEntry(variable.name, self.expression(), at=at)
        return VariableEntry(variable, at=at)

    # --- types ------------------------------------------------------------------------------

    def type_expression(self, *, inner: bool = False) -> TypeExpression:
        """``INTEGER NOT NULL``, ``LIST<STRING>``, ``A | B``, ``ANY<A | B>``."""
        self.enter(1)
        at = self.starts[self.i]
        members = [self._type()]
        while self.kinds[self.i] == "|" and (inner or self.bar_joins()):
            self.i += 1
            members.append(self._type())
        self.depth -= 1
        return members[0] if len(members) == 1 else TypeUnion(tuple(members), at=at)

    def _type(self) -> TypeExpression:
        at = self.starts[self.i]
        name = self._type_words()
        result: TypeExpression
        if name in ("LIST", "ANY") and self.take("<"):
            inner = self.type_expression(inner=True)
            self.expect(">")
            if name == "ANY":
                result = inner if isinstance(inner, TypeUnion) else TypeUnion((inner,), at=at)
                return result
            return TypeName("LIST", self._nullable(), inner, at=at)
        result = TypeName(name, self._nullable(), at=at)
        while self.kinds[self.i] in ("LIST", "ARRAY"):
            # the postfix form: INTEGER NOT NULL LIST
            self.i += 1
            result = TypeName("LIST", self._nullable(), result, at=at)
        return result

    def _type_words(self) -> str:
        for count in range(_TYPE_WORDS_MAX, 0, -1):
            words = self.kinds[self.i : self.i + count]
            name = _TYPES.get(" ".join(words))
            if name is not None:
                self.i += count
                return name
        raise self.fail("a type such as INTEGER, STRING or LIST<FLOAT>")

    def _nullable(self) -> bool:
        if self.take("!"):
            return False
        if self.ahead("NOT", "NULL"):
            self.i += 2
            return False
        return True


#: what stands after "(" or after its variable in a node pattern
_NODE_TOKENS: Final = frozenset((")", ":", "{", "WHERE", "IS", PARAM))
_AFTER_TWO_DASHES: Final = frozenset(("(", ">", "{", "+", "*"))
_PATTERN_TOKENS: Final = frozenset(("(", "[", "{", "-", "<", ">", "+", "*"))
