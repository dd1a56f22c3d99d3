"""Patterns: nodes, relationships, label expressions, groups, selectors.

Source: openCypher 9 (``Pattern`` … ``RangeLiteral``), Neo4j 5 manual "Patterns" for label
expressions, inline WHERE, quantified path patterns and SHORTEST.
"""

from __future__ import annotations

from typing import Final

from everwhen.errors import QuerySyntaxError
from everwhen.query.lexer import BAD, FLOAT, INT, NAME_START, PARAM
from everwhen.query.parser_core import PATTERN_COST, Core
from everwhen.query.syntax import (
    Direction,
    DynamicLabel,
    Expression,
    GroupPattern,
    LabelAnd,
    LabelExpression,
    LabelName,
    LabelNot,
    LabelOr,
    LabelWildcard,
    MapLiteral,
    NodePattern,
    PathPattern,
    PathSelector,
    PatternElement,
    RelationshipPattern,
    Repetition,
    VariableLength,
)

#: what follows the variable of a node pattern where that is a keyword
_AFTER_NODE_VARIABLE: Final = frozenset((")", ":", "{", "WHERE", "IS"))
_AFTER_RELATIONSHIP_VARIABLE: Final = frozenset(("]", ":", "*", "{", "WHERE", "IS"))


class PatternParser(Core):
    """Adds patterns to the core."""

    # --- paths ------------------------------------------------------------------------------

    def path_patterns(self) -> tuple[PathPattern, ...]:
        """``pattern, pattern …``."""
        patterns = [self.path_pattern()]
        while self.take(","):
            patterns.append(self.path_pattern())
        return tuple(patterns)

    def path_pattern(self) -> PathPattern:
        """``[variable =] [selector] elements``, or a shortestPath function around elements."""
        self.enter(PATTERN_COST)
        at = self.starts[self.i]
        variable = None
        if self.is_name() and self.peek(1) == "=":
            variable = self.variable()
            self.i += 1
        if self.kinds[self.i] in ("SHORTESTPATH", "ALLSHORTESTPATHS") and self.peek(1) == "(":
            pattern = self.shortest_path()
            selector, elements = pattern.selector, pattern.elements
        else:
            selector = None if self.kinds[self.i] == "(" else self.path_selector()
            elements = self.path_elements()
        self.depth -= PATTERN_COST
        return PathPattern(elements, variable, selector, at=at)

    def shortest_path(self) -> PathPattern:
        """``shortestPath((a)-[*]-(b))`` and allShortestPaths."""
        at = self.starts[self.i]
        every = self.kinds[self.i] == "ALLSHORTESTPATHS"
        self.i += 2
        elements = self.path_elements()
        self.expect(")")
        selector = PathSelector("allShortestPaths" if every else "shortestPath", at=at)
        return PathPattern(elements, None, selector, at=at)

    def path_selector(self) -> PathSelector | None:
        """``ANY [k]``, ``ALL SHORTEST``, ``ANY SHORTEST``, ``SHORTEST k [GROUPS]``."""
        at, word = self.starts[self.i], self.kinds[self.i]
        if word == "SHORTEST":
            self.i += 1
            count = self._path_count(default=None)
            if self.kinds[self.i] in ("GROUP", "GROUPS"):
                self.i += 1
                return PathSelector("shortest_groups", count, at=at)
            return PathSelector("shortest", count, at=at)
        if word == "ALL":
            self.i += 1
            every = "all_shortest" if self.take("SHORTEST") else "all"
            self._path_word()
            return PathSelector("all_shortest" if every == "all_shortest" else "all", at=at)
        if word == "ANY":
            self.i += 1
            if self.take("SHORTEST"):
                self._path_word()
                return PathSelector("shortest", 1, at=at)
            return PathSelector("any", self._path_count(default=1), at=at)
        raise self.fail("a pattern")

    def _path_count(self, default: int | None) -> int:
        count = default or 1
        if self.kinds[self.i] == INT or (default is None and self.kinds[self.i] not in _GROUPS):
            at = self.i
            count = self.whole_number("the number of paths")
            if count < 1:
                raise self.fail_at(at, "The number of paths must be at least 1")
        self._path_word()
        return count

    def _path_word(self) -> None:
        if self.kinds[self.i] in ("PATH", "PATHS"):
            self.i += 1

    def path_elements(self) -> tuple[PatternElement, ...]:
        """Nodes, relationships and groups in a row."""
        elements: list[PatternElement] = [self._node_or_group()]
        kinds = self.kinds
        while True:
            kind = kinds[self.i]
            if kind in ("-", "<"):
                elements.append(self.relationship_pattern())
                elements.append(self._node_or_group())
            elif kind == "(" and (isinstance(elements[-1], GroupPattern) or self._group_ahead()):
                elements.append(self._node_or_group())
            else:
                return tuple(elements)

    def _group_ahead(self) -> bool:
        """At "(": whether a parenthesised path begins rather than a node."""
        if self.peek(1) == "(":
            return True
        return self.is_name(1) and self.peek(2) == "="

    def _node_or_group(self) -> NodePattern | GroupPattern:
        return self.group_pattern() if self._group_ahead() else self.node_pattern()

    def group_pattern(self) -> GroupPattern:
        """``(path WHERE where)`` with or without a repetition."""
        self.enter(PATTERN_COST)
        at = self.expect("(", "a pattern")
        path = self.path_pattern()
        where = self.expression() if self.take("WHERE") else None
        self.expect(")")
        self.depth -= PATTERN_COST
        return GroupPattern(path, where, self.repetition(), at=at)

    def repetition(self) -> Repetition | None:
        """``{n}``, ``{n,m}``, ``{,m}``, ``{n,}``, ``+``, ``*``."""
        kind, at = self.kinds[self.i], self.starts[self.i]
        if kind == "+":
            self.i += 1
            return Repetition(1, None, at=at)
        if kind == "*":
            self.i += 1
            return Repetition(0, None, at=at)
        if kind != "{":
            return None
        self.i += 1
        opening = self.i
        minimum = self.whole_number("a number") if self.kinds[self.i] == INT else None
        maximum = minimum
        if self.take(","):
            maximum = self.whole_number("a number") if self.kinds[self.i] == INT else None
        elif minimum is None:
            raise self.fail("a number of repetitions")
        self.expect("}")
        if maximum is not None and (maximum < (minimum or 0) or maximum < 1):
            raise self.fail_at(
                opening, "A repetition must end at 1 or more and not below its start"
            )
        return Repetition(minimum or 0, maximum, at=at)

    # --- nodes ------------------------------------------------------------------------------

    def node_pattern(self) -> NodePattern:
        """``(variable:labels properties WHERE where)``."""
        at = self.expect("(", "a node pattern '('")
        kinds = self.kinds
        kind = kinds[self.i]
        variable = labels = where = None
        if self.is_name() and (kind not in _NO_VARIABLE or self.peek(1) in _AFTER_NODE_VARIABLE):
            variable = self.variable()
        if kinds[self.i] in (":", "IS"):
            labels = self.label_predicate()
        properties = self.properties()
        if self.take("WHERE"):
            where = self.expression()
        self.expect(")", "')' or a label, property map or WHERE of the node pattern")
        return NodePattern(variable, labels, properties, where, at=at)

    def properties(self) -> Expression | None:
        """A map or parameter in a pattern."""
        kind = self.kinds[self.i]
        if kind == "{":
            return self.map_literal()
        return self.parameter() if kind == PARAM else None

    def map_literal(self) -> MapLiteral:
        """``{key: value, …}``."""
        at = self.expect("{")
        entries: list[tuple[str, Expression]] = []
        if not self.take("}"):
            while True:
                key = self.name("a property key")
                self.expect(":")
                entries.append((key, self.expression()))
                if not self.take(","):
                    break
            self.expect("}", "',' or '}'")
        return MapLiteral(tuple(entries), at=at)

    # --- relationships ----------------------------------------------------------------------

    def relationship_pattern(self) -> RelationshipPattern:
        """``-[variable:types*length properties WHERE where]->``, arrow and brackets optional."""
        at = self.starts[self.i]
        left = self.take("<")
        self.expect("-", "'-' of a relationship")
        variable = types = length = properties = where = None
        if self.take("["):
            kind = self.kinds[self.i]
            if self.is_name() and (
                kind not in _NO_VARIABLE or self.peek(1) in _AFTER_RELATIONSHIP_VARIABLE
            ):
                variable = self.variable()
            if self.kinds[self.i] in (":", "IS"):
                types = self.label_predicate()
            length = self.variable_length()
            properties = self.properties()
            if self.take("WHERE"):
                where = self.expression()
            if self.kinds[self.i] != "]":
                raise self._bad_relationship()
            self.i += 1
        self.expect("-", "'-' of a relationship")
        right = self.take(">")
        direction: Direction = "both" if left == right else ("in" if left else "out")
        repetition = self.repetition()
        if repetition is not None and length is not None:
            raise self.fail_at(
                self.i - 1, "A relationship has a length '*' or a repetition, not both"
            )
        return RelationshipPattern(
            direction, variable, types, length, properties, where, repetition, at=at
        )

    def variable_length(self) -> VariableLength | None:
        """``*``, ``*n``, ``*n..``, ``*..m``, ``*n..m``."""
        if self.kinds[self.i] != "*":
            return None
        at = self.starts[self.i]
        self.i += 1
        minimum = self.whole_number("a number") if self.kinds[self.i] == INT else None
        maximum = minimum
        if self.take(".."):
            maximum = self.whole_number("a number") if self.kinds[self.i] == INT else None
        if self.kinds[self.i] in ("-", FLOAT, BAD):
            raise self._bad_relationship()
        return VariableLength(minimum, maximum, at=at)

    def _bad_relationship(self) -> QuerySyntaxError:
        hint = None
        if self.kinds[self.i] == "..":
            hint = "a length begins with an asterisk: *1..3"
        elif self.kinds[self.i] == "-" and self.kinds[self.i - 1] == "*":
            hint = "a length cannot be negative"
        return self.fail("']' of a relationship", hint=hint, detail="InvalidRelationshipPattern")

    # --- labels -----------------------------------------------------------------------------

    def label_predicate(self) -> LabelExpression:
        """``:A|B&!C`` or ``IS A``, with the older ``:A:B`` and ``:A|:B``."""
        self.i += 1
        return self.label_or()

    def label_or(self) -> LabelExpression:
        at = self.starts[self.i]
        first = self.label_and()
        if self.kinds[self.i] != "|" or not self.bar_joins():
            return first
        operands = [first]
        while self.kinds[self.i] == "|" and self.bar_joins():
            self.i += 1
            self.take(":")
            operands.append(self.label_and())
        return LabelOr(tuple(operands), at=at)

    def bar_joins(self) -> bool:
        """In ``[x IN xs WHERE x:A | x.p]`` the bar ends the WHERE; in ``[… x:A|B | x.p]`` the
        first one joins labels: only the last bar before the bracket closes can end it. So too
        for the types of ``IS ::``."""
        if self.bar_close < 0:
            return True
        kinds, index = self.kinds, self.i + 1
        if kinds[index][0] not in NAME_START and kinds[index] not in _LABEL_TOKENS:
            return False
        while True:
            kind = kinds[index]
            if kind == "|":
                return True
            if kind in ("(", "[", "{"):
                index = self.closer(index)
                if index < 0:
                    return False
            elif kind in _ENDS_BAR_SCAN:
                return index != self.bar_close
            index += 1

    def label_and(self) -> LabelExpression:
        at = self.starts[self.i]
        operands = [self.label_atom()]
        while self.kinds[self.i] in ("&", ":"):
            self.i += 1
            operands.append(self.label_atom())
        return operands[0] if len(operands) == 1 else LabelAnd(tuple(operands), at=at)

    def label_atom(self) -> LabelExpression:
        kind, at = self.kinds[self.i], self.starts[self.i]
        if kind == "!":
            self.enter(1)
            self.i += 1
            operand = self.label_atom()
            self.depth -= 1
            return LabelNot(operand, at=at)
        if kind == "%":
            self.i += 1
            return LabelWildcard(at=at)
        if kind == "(":
            self.enter(1)
            self.i += 1
            inner = self.label_or()
            self.expect(")")
            self.depth -= 1
            return inner
        if kind in ("$", PARAM):
            return self.dynamic_label()
        return LabelName(self.name("a label or relationship type"), at=at)

    def dynamic_label(self) -> DynamicLabel:
        """``$(e)``, ``$all(e)``, ``$any(e)``."""
        kind, at = self.kinds[self.i], self.starts[self.i]
        mode = self.values[self.i].lower() if kind == PARAM else "all"
        if mode not in ("all", "any") or self.peek(1) != "(":
            raise self.fail("a label", hint=f"a label given by a parameter is written $(${mode})")
        self.i += 2
        expression = self.expression()
        self.expect(")")
        return DynamicLabel(expression, mode == "any", at=at)


_GROUPS: Final = frozenset(("GROUP", "GROUPS", "PATH", "PATHS"))
#: keywords that begin another part of a node pattern, unless used as its variable
_NO_VARIABLE: Final = frozenset(("WHERE", "IS"))
_LABEL_TOKENS: Final = frozenset((":", "!", "%", "(", "$", PARAM))
_ENDS_BAR_SCAN: Final = frozenset((")", "]", "}", "#end"))
