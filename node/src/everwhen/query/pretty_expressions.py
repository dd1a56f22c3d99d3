"""Expressions and patterns back to text; the upper half of :mod:`everwhen.query.pretty`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from everwhen.query import syntax as s
from everwhen.query.pretty_words import (
    AFTER_IS,
    MEMBERSHIP,
    PLAIN,
    QUOTED_FUNCTIONS,
    dotted,
    identifier,
    quoted,
    variable_name,
)

# levels of the grammar; an operand below the level it stands at is put in parentheses
_OR, _XOR, _AND, _NOT, _PATTERN, _COMPARE, _PREDICATE, _ADD, _MULTIPLY, _POWER = range(1, 11)
_SIGN, _LABEL, _ATOM = 11, 12, 13
_ARITHMETIC: Final = {
    "+": _ADD, "-": _ADD, "||": _ADD, "*": _MULTIPLY, "/": _MULTIPLY, "%": _MULTIPLY, "^": _POWER,
}  # fmt: skip
_LEVELS: Final[dict[type[s.Expression], int]] = {
    s.Or: _OR, s.Xor: _XOR, s.And: _AND, s.Not: _NOT, s.Comparison: _COMPARE,
    s.In: _PREDICATE, s.StringPredicate: _PREDICATE, s.IsNull: _PREDICATE,
    s.IsTyped: _PREDICATE, s.IsNormalized: _PREDICATE,
    s.Negate: _SIGN, s.UnaryPlus: _SIGN,
}  # fmt: skip


def level(tree: s.Expression) -> int:
    """How tight the outermost operator binds."""
    if isinstance(tree, s.Arithmetic):
        return _ARITHMETIC[tree.op]
    if isinstance(tree, s.IntegerLiteral | s.FloatLiteral):
        return _SIGN if str(tree.value).startswith("-") else _ATOM
    if isinstance(tree, s.HasLabels):
        return _LABEL if level(tree.subject) == _ATOM else _PREDICATE
    if isinstance(tree, s.PatternExpression):
        return _ATOM if _is_function(tree.pattern) else _PATTERN
    return _LEVELS.get(type(tree), _ATOM)


def _is_function(pattern: s.PathPattern) -> bool:
    selector = pattern.selector
    return selector is not None and selector.kind in ("shortestPath", "allShortestPaths")


class ExpressionPrinter:
    """Prints expressions, labels, types and patterns."""

    def query(self, tree: s.Query, separator: str) -> str:
        raise NotImplementedError

    # --- expressions ------------------------------------------------------------------------

    def expression(self, tree: s.Expression, least: int = 0) -> str:
        """Text of an expression, in parentheses if it binds looser than ``least``."""
        text = _PRINTERS[type(tree)](self, tree)
        return f"({text})" if level(tree) < least else text

    def list(self, trees: tuple[s.Expression, ...]) -> str:
        return ", ".join([self.expression(tree) for tree in trees])

    def _null(self, tree: s.NullLiteral) -> str:
        return "null"

    def _boolean(self, tree: s.BooleanLiteral) -> str:
        return "true" if tree.value else "false"

    def _number(self, tree: s.IntegerLiteral | s.FloatLiteral) -> str:
        return repr(tree.value)

    def _string(self, tree: s.StringLiteral) -> str:
        return quoted(tree.value)

    def _parameter(self, tree: s.Parameter) -> str:
        plain = PLAIN.fullmatch(tree.name) or (tree.name.isdecimal() and tree.name.isascii())
        return f"${tree.name}" if plain else "$`" + tree.name.replace("`", "``") + "`"

    def _variable(self, tree: s.Variable) -> str:
        return variable_name(tree.name)

    def _list(self, tree: s.ListLiteral) -> str:
        items = [self.expression(item) for item in tree.items]
        if items and MEMBERSHIP.match(items[0]):
            items[0] = f"({items[0]})"
        return f"[{', '.join(items)}]"

    def _map(self, tree: s.MapLiteral) -> str:
        entries = [f"{identifier(k)}: {self.expression(v)}" for k, v in tree.entries]
        return "{" + ", ".join(entries) + "}"

    def _property(self, tree: s.Property) -> str:
        return f"{self.expression(tree.subject, _ATOM)}.{identifier(tree.key)}"

    def _index(self, tree: s.Index) -> str:
        return f"{self.expression(tree.subject, _ATOM)}[{self.expression(tree.index)}]"

    def _slice(self, tree: s.Slice) -> str:
        start = "" if tree.start is None else self.expression(tree.start)
        end = "" if tree.end is None else self.expression(tree.end)
        return f"{self.expression(tree.subject, _ATOM)}[{start}..{end}]"

    def _right(self, tree: s.Expression, least: int) -> str:
        """A right operand; after ``-`` or ``<`` it must not look like the rest of an arrow."""
        text = self.expression(tree, least)
        return f"({text})" if text[0] in "-[" else text

    def _arithmetic(self, tree: s.Arithmetic) -> str:
        at = _ARITHMETIC[tree.op]
        left = self.expression(tree.left, at)
        return f"{left} {tree.op} {self._right(tree.right, at + 1)}"

    def _sign(self, tree: s.Negate | s.UnaryPlus) -> str:
        operand = self.expression(tree.operand, _SIGN)
        if isinstance(tree.operand, s.IntegerLiteral | s.FloatLiteral) and operand[0] != "-":
            operand = f"({operand})"
        space = " " if operand[0] in "+-" else ""
        return f"{'-' if isinstance(tree, s.Negate) else '+'}{space}{operand}"

    def _not(self, tree: s.Not) -> str:
        return f"NOT {self.expression(tree.operand, _NOT)}"

    def _junction(self, tree: s.And | s.Or | s.Xor) -> str:
        at = _LEVELS[type(tree)]
        word = f" {type(tree).__name__.upper()} "
        return word.join([self.expression(operand, at + 1) for operand in tree.operands])

    def _comparison(self, tree: s.Comparison) -> str:
        operands = [self.expression(tree.first, _COMPARE + 1)]
        operands += [self._right(operand, _COMPARE + 1) for _, operand in tree.rest]
        text = operands[0]
        for (op, _), before, after in zip(tree.rest, operands, operands[1:], strict=False):
            if op == "<" and before.endswith(("LIST", "ANY")):
                # LIST < would begin the type of its elements
                text = f"{text.removesuffix(before)}({before})"
            text += f" {op} {after}"
        return text

    def _in(self, tree: s.In) -> str:
        left = self.expression(tree.element, _PREDICATE)
        return f"{left} IN {self.expression(tree.container, _PREDICATE + 1)}"

    def _string_predicate(self, tree: s.StringPredicate) -> str:
        left = self.expression(tree.left, _PREDICATE)
        return f"{left} {tree.op} {self.expression(tree.right, _PREDICATE + 1)}"

    def _is(self, operand: s.Expression, negated: bool, what: str) -> str:
        return f"{self.expression(operand, _PREDICATE)} IS {'NOT ' if negated else ''}{what}"

    def _is_null(self, tree: s.IsNull) -> str:
        return self._is(tree.operand, tree.negated, "NULL")

    def _is_typed(self, tree: s.IsTyped) -> str:
        return self._is(tree.operand, tree.negated, f":: {self.type(tree.type)}")

    def _is_normalized(self, tree: s.IsNormalized) -> str:
        return self._is(tree.operand, tree.negated, f"{tree.form} NORMALIZED")

    def _has_labels(self, tree: s.HasLabels) -> str:
        labels = self.labels(tree.labels)
        if isinstance(tree.labels, s.LabelOr):
            labels = f"({labels})"
        if level(tree) == _LABEL:
            return f"{self.expression(tree.subject, _ATOM)}:{labels}"
        word = PLAIN.match(labels)
        if word is not None and word[0].upper() in AFTER_IS:
            labels = f"({labels})"
        return f"{self.expression(tree.subject, _PREDICATE)} IS {labels}"

    def _function(self, tree: s.FunctionCall) -> str:
        name = dotted(tree.name)
        if name.upper() in QUOTED_FUNCTIONS:
            name = f"`{name}`"
        return f"{name}({'DISTINCT ' if tree.distinct else ''}{self.list(tree.arguments)})"

    def _count_star(self, tree: s.CountStar) -> str:
        return "count(*)"

    def _case(self, tree: s.Case) -> str:
        words = ["CASE"] if tree.subject is None else ["CASE", self.expression(tree.subject)]
        for condition, value in tree.alternatives:
            words += ["WHEN", self.expression(condition), "THEN", self.expression(value)]
        if tree.default is not None:
            words += ["ELSE", self.expression(tree.default)]
        return " ".join([*words, "END"])

    def _where(self, where: s.Expression | None) -> str:
        return "" if where is None else f" WHERE {self.expression(where)}"

    def before_bar(self, tree: s.Expression | None, word: str) -> str:
        """What may end at a bar; labels and types are kept apart from it, as it joins them."""
        if tree is None:
            return ""
        text = self.expression(tree)
        return f"{word}({text})" if ":" in text else word + text

    def _list_comprehension(self, tree: s.ListComprehension) -> str:
        head = self._variable(tree.variable) + self.before_bar(tree.source, " IN ")
        tail = "" if tree.projection is None else f" | {self.expression(tree.projection)}"
        return f"[{head}{self.before_bar(tree.where, ' WHERE ')}{tail}]"

    def _pattern_comprehension(self, tree: s.PatternComprehension) -> str:
        pattern = self.pattern(tree.pattern) + self.before_bar(tree.where, " WHERE ")
        return f"[{pattern} | {self.expression(tree.projection)}]"

    def _reduce(self, tree: s.Reduce) -> str:
        start = f"{self._variable(tree.accumulator)} = {self.expression(tree.initial)}"
        over = self._variable(tree.variable) + self.before_bar(tree.source, " IN ")
        return f"reduce({start}, {over} | {self.expression(tree.expression)})"

    def _quantified(self, tree: s.Quantified) -> str:
        over = f"{self._variable(tree.variable)} IN {self.expression(tree.source)}"
        return f"{tree.kind}({over}{self._where(tree.where)})"

    def _pattern_expression(self, tree: s.PatternExpression) -> str:
        return self.pattern(tree.pattern)

    def _subquery(self, tree: s.ExistsSubquery | s.CountSubquery | s.CollectSubquery) -> str:
        word = type(tree).__name__.removesuffix("Subquery").upper()
        return f"{word} {{ {self.query(tree.query, ' ')} }}"

    def _map_projection(self, tree: s.MapProjection) -> str:
        items = [self._entry(item) for item in tree.items]
        return f"{self._variable(tree.subject)} {{{', '.join(items)}}}"

    def _entry(self, item: s.ProjectionEntry) -> str:
        match item:
            case s.PropertyEntry(key=key):
                return f".{identifier(key)}"
            case s.VariableEntry(variable=variable):
                return identifier(variable.name)
            case s.LiteralEntry(key=key, value=value):
                return f"{identifier(key)}: {self.expression(value)}"
            case _:
                return ".*"

    # --- types and labels -------------------------------------------------------------------

    def type(self, tree: s.TypeExpression) -> str:
        if isinstance(tree, s.TypeUnion):
            return f"ANY<{' | '.join([self.type(member) for member in tree.members])}>"
        assert isinstance(tree, s.TypeName)
        inner = "" if tree.inner is None else f"<{self.type(tree.inner)}>"
        return f"{tree.name}{inner}{'' if tree.nullable else ' NOT NULL'}"

    def labels(self, tree: s.LabelExpression) -> str:
        match tree:
            case s.LabelName(name=name):
                return identifier(name)
            case s.LabelNot(operand=operand):
                return f"!{self._label_operand(operand, s.LabelAnd | s.LabelOr)}"
            case s.LabelAnd(operands=operands):
                both = s.LabelAnd | s.LabelOr
                return "&".join([self._label_operand(operand, both) for operand in operands])
            case s.LabelOr(operands=operands):
                return "|".join([self._label_operand(operand, s.LabelOr) for operand in operands])
            case s.DynamicLabel(expression=expression, any=mode):
                return f"${'any' if mode else ''}({self.expression(expression)})"
            case _:
                return "%"

    def _label_operand(self, tree: s.LabelExpression, wrapped: Any) -> str:
        text = self.labels(tree)
        return f"({text})" if isinstance(tree, wrapped) else text

    # --- patterns ---------------------------------------------------------------------------

    def patterns(self, trees: tuple[s.PathPattern, ...]) -> str:
        return ", ".join([self.pattern(tree) for tree in trees])

    def pattern(self, tree: s.PathPattern) -> str:
        text = "".join([self._element(element) for element in tree.elements])
        selector = tree.selector
        if selector is not None:
            if _is_function(tree):
                text = f"{selector.kind}({text})"
            else:
                text = f"{_SELECTORS[selector.kind].format(selector.count)} {text}"
        return text if tree.variable is None else f"{self._variable(tree.variable)} = {text}"

    def _element(self, element: s.PatternElement) -> str:
        if isinstance(element, s.NodePattern):
            return f"({self._inside(element.variable, element.labels, '', element)})"
        if isinstance(element, s.GroupPattern):
            path = f"({self.pattern(element.path)}{self._where(element.where)})"
            return path + self._repetition(element.repetition)
        inside = self._inside(element.variable, element.types, self._length(element), element)
        body = f"-[{inside}]-" if inside else "--"
        left = "<" if element.direction == "in" else ""
        right = ">" if element.direction == "out" else ""
        return f"{left}{body}{right}{self._repetition(element.repetition)}"

    def _inside(
        self,
        variable: s.Variable | None,
        labels: s.LabelExpression | None,
        length: str,
        element: s.NodePattern | s.RelationshipPattern,
    ) -> str:
        head = "" if variable is None else self._variable(variable)
        if labels is not None:
            head += f":{self.labels(labels)}"
        words = [head + length] if head + length else []
        if element.properties is not None:
            words.append(self.expression(element.properties))
        if element.where is not None:
            where = self.expression(element.where)
            # WHERE { alone could be a variable with properties
            words.append(f"WHERE ({where})" if where[0] == "{" else f"WHERE {where}")
        return " ".join(words)

    def _length(self, element: s.RelationshipPattern) -> str:
        length = element.length
        if length is None:
            return ""
        low = "" if length.minimum is None else str(length.minimum)
        high = "" if length.maximum is None else str(length.maximum)
        return f"*{low}" if low == high else f"*{low}..{high}"

    def _repetition(self, tree: s.Repetition | None) -> str:
        if tree is None:
            return ""
        if tree.maximum is None and tree.minimum < 2:
            return "*+"[tree.minimum]
        if tree.minimum == tree.maximum:
            return f"{{{tree.minimum}}}"
        return f"{{{tree.minimum},{'' if tree.maximum is None else tree.maximum}}}"


_SELECTORS: Final = {
    "any": "ANY {} PATHS",
    "all": "ALL PATHS",
    "shortest": "SHORTEST {} PATHS",
    "all_shortest": "ALL SHORTEST PATHS",
    "shortest_groups": "SHORTEST {} PATH GROUPS",
}
_PRINTERS: Final[dict[type[s.Expression], Callable[[ExpressionPrinter, Any], str]]] = {
    s.NullLiteral: ExpressionPrinter._null,
    s.BooleanLiteral: ExpressionPrinter._boolean,
    s.IntegerLiteral: ExpressionPrinter._number,
    s.FloatLiteral: ExpressionPrinter._number,
    s.StringLiteral: ExpressionPrinter._string,
    s.Parameter: ExpressionPrinter._parameter,
    s.Variable: ExpressionPrinter._variable,
    s.ListLiteral: ExpressionPrinter._list,
    s.MapLiteral: ExpressionPrinter._map,
    s.Property: ExpressionPrinter._property,
    s.Index: ExpressionPrinter._index,
    s.Slice: ExpressionPrinter._slice,
    s.Arithmetic: ExpressionPrinter._arithmetic,
    s.Negate: ExpressionPrinter._sign,
    s.UnaryPlus: ExpressionPrinter._sign,
    s.Not: ExpressionPrinter._not,
    s.And: ExpressionPrinter._junction,
    s.Or: ExpressionPrinter._junction,
    s.Xor: ExpressionPrinter._junction,
    s.Comparison: ExpressionPrinter._comparison,
    s.In: ExpressionPrinter._in,
    s.StringPredicate: ExpressionPrinter._string_predicate,
    s.IsNull: ExpressionPrinter._is_null,
    s.IsTyped: ExpressionPrinter._is_typed,
    s.IsNormalized: ExpressionPrinter._is_normalized,
    s.HasLabels: ExpressionPrinter._has_labels,
    s.FunctionCall: ExpressionPrinter._function,
    s.CountStar: ExpressionPrinter._count_star,
    s.Case: ExpressionPrinter._case,
    s.ListComprehension: ExpressionPrinter._list_comprehension,
    s.PatternComprehension: ExpressionPrinter._pattern_comprehension,
    s.Reduce: ExpressionPrinter._reduce,
    s.Quantified: ExpressionPrinter._quantified,
    s.PatternExpression: ExpressionPrinter._pattern_expression,
    s.ExistsSubquery: ExpressionPrinter._subquery,
    s.CountSubquery: ExpressionPrinter._subquery,
    s.CollectSubquery: ExpressionPrinter._subquery,
    s.MapProjection: ExpressionPrinter._map_projection,
}
