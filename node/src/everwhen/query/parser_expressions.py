"""Expressions: precedence climbing over operators, one handler per kind of atom.

Source: openCypher 9 ``Expression`` and the TCK (expressions/precedence) for the levels, loosest
first: OR, XOR, AND, NOT, comparison, predicates (IN, STARTS WITH, =~, IS …), + - ||, * / %, ^,
unary sign, access. All binary operators group to the left; comparisons chain.
"""

from __future__ import annotations

from typing import Any, Final

from everwhen.errors import QuerySyntaxError
from everwhen.query.lexer import BAD, FLOAT, INT, NAME_START, PARAM, STRING
from everwhen.query.parser_compound import CompoundParser
from everwhen.query.syntax import (
    And,
    Arithmetic,
    BooleanLiteral,
    Comparison,
    Expression,
    FloatLiteral,
    FunctionCall,
    HasLabels,
    In,
    Index,
    IntegerLiteral,
    IsNormalized,
    IsNull,
    IsTyped,
    Negate,
    Not,
    NullLiteral,
    Or,
    Parameter,
    PatternExpression,
    Property,
    Slice,
    StringLiteral,
    StringPredicate,
    UnaryPlus,
    Variable,
    Xor,
)

_OR, _XOR, _AND, _NOT, _COMPARE, _PREDICATE, _ADD, _MULTIPLY, _POWER, _UNARY = range(1, 11)
#: floor that keeps AND for whoever asked (BETWEEN TIME a AND b)
ABOVE_AND: Final = _AND

_LEVELS: Final[dict[str, int]] = {
    "OR": _OR, "XOR": _XOR, "AND": _AND,
    "=": _COMPARE, "<>": _COMPARE, "<": _COMPARE, "<=": _COMPARE, ">": _COMPARE, ">=": _COMPARE,
    "IN": _PREDICATE, "STARTS": _PREDICATE, "ENDS": _PREDICATE, "CONTAINS": _PREDICATE,
    "=~": _PREDICATE, "IS": _PREDICATE, "::": _PREDICATE,
    "+": _ADD, "-": _ADD, "||": _ADD, "*": _MULTIPLY, "/": _MULTIPLY, "%": _MULTIPLY,
    "^": _POWER,
}  # fmt: skip
_JUNCTIONS: Final[dict[int, type[And] | type[Or] | type[Xor]]] = {_OR: Or, _XOR: Xor, _AND: And}

#: words that are not variables at the start of an expression, unless what follows shows it
_RESERVED: Final = frozenset((
    "AND", "OR", "XOR", "NOT", "IN", "IS", "AS", "WHERE", "RETURN", "MATCH", "OPTIONAL", "WITH",
    "UNWIND", "CREATE", "MERGE", "SET", "DELETE", "DETACH", "REMOVE", "FOREACH", "CALL", "UNION",
    "THEN", "WHEN", "ELSE", "YIELD", "BY", "DISTINCT", "STARTS", "ENDS", "CONTAINS",
))  # fmt: skip
_AFTER_VARIABLE: Final = frozenset((
    ".", ",", ")", "]", "}", "=", "<>", "<", ">", "<=", ">=", "+", "/", "%", "^", ":", ";", "|",
    "#end", "AS", "IS", "IN",
))  # fmt: skip


class ExpressionParser(CompoundParser):
    """Adds expressions; compound atoms come from the layer below."""

    def expression(self, floor: int = 0) -> Expression:
        """An expression of operators that bind tighter than ``floor``."""
        outermost = not self.inside_expression
        if outermost:
            self.inside_expression = True
            self.deepest = self.depth
            self.steps = 0
        else:
            self.enter(1)
        kinds = self.kinds
        kind = kinds[self.i]
        if kind == "NOT":
            left = self._negation(floor)
        elif kind == "-" or kind == "+":
            left = self._signed()
        else:
            left = self.primary()
        while True:
            kind = kinds[self.i]
            level = _LEVELS.get(kind)
            if level is None or level <= floor:
                break
            self.steps += 1
            at = self.starts[self.i]
            if level >= _ADD:
                self.i += 1
                right = self.expression(level)
                left = Arithmetic(kind, left, right, at=at)  # type: ignore[arg-type]
            elif level == _COMPARE:
                left = self._comparison(left, at)
            elif level == _PREDICATE:
                left = self._predicate(left, kind, at)
            else:
                left = self._junction(left, kind, level, at)
        if outermost:
            self.bounded(left)
            self.inside_expression = False
        else:
            self.depth -= 1
        return left

    def _negation(self, floor: int) -> Expression:
        if floor > _NOT:
            raise self.fail("an expression", hint="put parentheses around NOT …")
        at = self.starts[self.i]
        self.i += 1
        return Not(self.expression(_NOT - 1), at=at)

    def _junction(self, first: Expression, kind: str, level: int, at: int) -> Expression:
        operands = [first]
        while self.kinds[self.i] == kind:
            self.i += 1
            operands.append(self.expression(level))
        return _JUNCTIONS[level](tuple(operands), at=at)

    def _comparison(self, first: Expression, at: int) -> Comparison:
        rest: list[tuple[Any, Expression]] = []
        while _LEVELS.get(kind := self.kinds[self.i]) == _COMPARE:
            self.i += 1
            rest.append((kind, self.expression(_COMPARE)))
        return Comparison(first, tuple(rest), at=at)

    def _signed(self) -> Expression:
        """A sign: part of a number literal, or an operator."""
        kind, at = self.kinds[self.i], self.starts[self.i]
        self.i += 1
        index = self.i
        number = self.kinds[index] in (INT, FLOAT)
        if number and kind == "-" and self.peek(1) not in (".", "[", ":", "("):
            self.i += 1
            value = self.values[index]
            if self.kinds[index] == FLOAT:
                return FloatLiteral(-value, at=at)
            if value > 2**63:
                raise self.fail_at(index, "An integer below -2^63", detail="IntegerOverflow")
            return IntegerLiteral(-value, at=at)
        operand = self.expression(_UNARY)
        return Negate(operand, at=at) if kind == "-" else UnaryPlus(operand, at=at)

    # --- predicates -------------------------------------------------------------------------

    def _predicate(self, left: Expression, kind: str, at: int) -> Expression:
        self.i += 1
        if kind == "IN":
            return In(left, self.expression(_PREDICATE), at=at)
        if kind == "IS":
            return self._is_predicate(left, at)
        if kind == "::":
            return IsTyped(left, self.type_expression(), False, at=at)
        if kind == "STARTS" or kind == "ENDS":
            self.expect("WITH", f"WITH after {kind}")
            kind = f"{kind} WITH"
        right = self.expression(_PREDICATE)
        return StringPredicate(kind, left, right, at=at)  # type: ignore[arg-type]

    def _is_predicate(self, left: Expression, at: int) -> Expression:
        """After IS: [NOT] NULL, [NOT] :: type, [NOT] TYPED type, [NOT] [form] NORMALIZED, label."""
        if self.kinds[self.i] == "NOT" and self.peek(1) in _AFTER_IS_NOT:
            self.i += 1
            negated = True
        else:
            negated = False
        kind = self.kinds[self.i]
        if kind == "NULL":
            self.i += 1
            return IsNull(left, negated, at=at)
        if kind == "::" or kind == "TYPED":
            self.i += 1
            return IsTyped(left, self.type_expression(), negated, at=at)
        if kind == "NORMALIZED":
            self.i += 1
            return IsNormalized(left, "NFC", negated, at=at)
        if kind in _NORMAL_FORMS and self.peek(1) == "NORMALIZED":
            self.i += 2
            return IsNormalized(left, kind, negated, at=at)
        if kind != "NOT" and (self.is_name() or kind in _LABEL_STARTS):
            return HasLabels(left, self.label_or(), at=at)
        raise self.fail("NULL, NOT NULL, a type or a label after IS")

    def case_condition(self, subject: Expression | None) -> tuple[Expression, bool]:
        kind, at = self.kinds[self.i], self.starts[self.i]
        level = _LEVELS.get(kind)
        if subject is not None and level == _COMPARE:
            return self._comparison(subject, at), True
        if subject is not None and level == _PREDICATE:
            return self._predicate(subject, kind, at), True
        return self.expression(), False

    # --- atoms and access -------------------------------------------------------------------

    def primary(self, *, labels: bool = True) -> Expression:
        """An atom with ``.key``, ``[index]``, ``[a..b]`` and, if allowed, ``:labels`` after it."""
        kinds = self.kinds
        kind = kinds[self.i]
        handler = _ATOMS.get(kind)
        if handler is not None:
            left: Expression = handler(self)
        elif kind[0] in NAME_START:
            left = self._named()
        else:
            raise self._no_expression()
        while True:
            kind = kinds[self.i]
            if kind == ".":
                at = self.starts[self.i]
                self.i += 1
                left = Property(left, self.name("a property key"), at=at)
            elif kind == "[":
                left = self._subscript(left)
            elif kind == ":" and labels:
                at = self.starts[self.i]
                left = HasLabels(left, self.label_predicate(), at=at)
            else:
                return left
            self.steps += 1

    def _subscript(self, subject: Expression) -> Expression:
        at = self.expect("[")
        start = None if self.kinds[self.i] == ".." else self.expression()
        if start is not None and self.take("]"):
            return Index(subject, start, at=at)
        self.expect("..", "']' or '..'")
        end = None if self.kinds[self.i] == "]" else self.expression()
        self.expect("]")
        return Slice(subject, start, end, at=at)

    def _named(self) -> Expression:
        """A function call, map projection or variable; compound forms are tried first."""
        kind, index = self.kinds[self.i], self.i
        following = self.peek(1)
        if following in ("(", "{") and kind in self.compounds:
            compound = self.compounds[kind]()
            if compound is not None:
                return compound
        if following == "(":
            self.i += 1
            return self.call(self.values[index], index)
        if following == "." and self._dotted_call():
            name = self.dotted_name("a function name")
            return self.call(name, index)
        if kind in _RESERVED and following not in _AFTER_VARIABLE:
            raise self._no_expression()
        variable = Variable(self.values[index], at=self.starts[index])
        self.i += 1
        return self.map_projection(variable) if following == "{" else variable

    def _dotted_call(self) -> bool:
        """At ``name .``: whether this is ``name.name…(``, a function in a namespace."""
        distance = 1
        while self.peek(distance) == "." and self.is_name(distance + 1):
            distance += 2
        return self.peek(distance) == "("

    def call(self, name: str, index: int) -> FunctionCall:
        """Arguments of a function; the cursor is at the parenthesis."""
        self.i += 1
        at = self.starts[index]
        distinct = self.take("DISTINCT")
        if not distinct and self.kinds[self.i] == "ALL" and self._starts_argument(1):
            self.i += 1
        if self.take(")"):
            return FunctionCall(name, (), distinct, at=at)
        arguments = [self.expression()]
        while self.take(","):
            arguments.append(self.expression())
        self.expect(")", "',' or ')' after an argument")
        return FunctionCall(name, tuple(arguments), distinct, at=at)

    def _starts_argument(self, distance: int) -> bool:
        """``count(ALL x)``, as opposed to a variable or quantifier called all."""
        return self.is_name(distance) and self.peek(distance) not in _LEVELS

    def _no_expression(self) -> QuerySyntaxError:
        return self.fail("an expression")

    # --- handlers of single-token atoms -----------------------------------------------------

    def _integer(self) -> Expression:
        index = self.i
        value = self.values[index]
        if value > 2**63 - 1:
            raise self.fail_at(index, "An integer above 2^63 - 1", detail="IntegerOverflow")
        self.i = index + 1
        return IntegerLiteral(value, at=self.starts[index])

    def _float(self) -> Expression:
        self.i += 1
        return FloatLiteral(self.values[self.i - 1], at=self.starts[self.i - 1])

    def _bad_number(self) -> Expression:
        raise self.fail_number(self.i)

    def _string(self) -> Expression:
        self.i += 1
        return StringLiteral(self.values[self.i - 1], at=self.starts[self.i - 1])

    def _parameter(self) -> Expression:
        self.i += 1
        return Parameter(self.values[self.i - 1], at=self.starts[self.i - 1])

    def _word(self) -> Expression:
        """true, false, null: variables only where a property or label of them is asked for."""
        kind, at = self.kinds[self.i], self.starts[self.i]
        if self.peek(1) == "(":
            return self._named()
        self.i += 1
        return NullLiteral(at=at) if kind == "NULL" else BooleanLiteral(kind == "TRUE", at=at)

    def _parenthesised(self) -> Expression:
        """``(expression)``, or a pattern, which its arrow gives away."""
        if self.pattern_ahead():
            at = self.starts[self.i]
            return PatternExpression(self.path_pattern(), at=at)
        self.i += 1
        inner = self.expression()
        self.expect(")", "')' or an operator")
        return inner

    def _case(self) -> Expression:
        """CASE … END, unless it is a variable of that name."""
        return self._named() if self.peek(1) in _AFTER_CASE else self.case_expression()


_AFTER_CASE: Final = frozenset((".", ",", ")", "]", "}", "=", "AS", ":", ";", "#end"))
_AFTER_IS_NOT: Final = frozenset(
    ("NULL", "::", "TYPED", "NORMALIZED", "NFC", "NFD", "NFKC", "NFKD")
)
_LABEL_STARTS: Final = frozenset(("(", "!", "%", "$", PARAM))
_NORMAL_FORMS: Final = frozenset(("NFC", "NFD", "NFKC", "NFKD"))
_ATOMS: Final[dict[str, Any]] = {
    INT: ExpressionParser._integer,
    FLOAT: ExpressionParser._float,
    BAD: ExpressionParser._bad_number,
    STRING: ExpressionParser._string,
    PARAM: ExpressionParser._parameter,
    "TRUE": ExpressionParser._word,
    "FALSE": ExpressionParser._word,
    "NULL": ExpressionParser._word,
    "(": ExpressionParser._parenthesised,
    "[": ExpressionParser.list_or_comprehension,
    "{": ExpressionParser.map_literal,
    "CASE": ExpressionParser._case,
}
