"""Updating clauses: CREATE, MERGE, SET, REMOVE, DELETE, FOREACH.

Source: openCypher 9 (``UpdatingClause``), Neo4j 5 manual for dynamic labels and properties.
"""

from __future__ import annotations

from everwhen.query.lexer import PARAM
from everwhen.query.parser_expressions import ExpressionParser
from everwhen.query.syntax import (
    Clause,
    Create,
    Delete,
    DynamicLabel,
    Expression,
    Foreach,
    Index,
    LabelName,
    Merge,
    Property,
    Remove,
    RemoveDynamicProperty,
    RemoveItem,
    RemoveLabels,
    RemoveProperty,
    Set,
    SetDynamicProperty,
    SetItem,
    SetLabels,
    SetProperties,
    SetProperty,
    Variable,
)


class UpdateParser(ExpressionParser):
    """Adds updating clauses to the expressions."""

    def clause(self) -> Clause:
        raise NotImplementedError

    def create(self) -> Create:
        at = self.starts[self.i]
        self.i += 1
        return Create(self.path_patterns(), at=at)

    def merge(self) -> Merge:
        at = self.expect("MERGE")
        pattern = self.path_pattern()
        on_create: list[SetItem] = []
        on_match: list[SetItem] = []
        while self.take("ON"):
            kind = self.kinds[self.i]
            if kind not in ("CREATE", "MATCH"):
                raise self.fail("CREATE or MATCH after ON")
            self.i += 1
            self.expect("SET", "SET")
            (on_create if kind == "CREATE" else on_match).extend(self._set_items())
        return Merge(pattern, tuple(on_create), tuple(on_match), at=at)

    def set_clause(self) -> Set:
        at = self.expect("SET")
        return Set(tuple(self._set_items()), at=at)

    def _set_items(self) -> list[SetItem]:
        items = [self._set_item()]
        while self.take(","):
            items.append(self._set_item())
        return items

    def _set_item(self) -> SetItem:
        at = self.starts[self.i]
        target = self.primary(labels=False)
        if isinstance(target, Variable):
            if self.kinds[self.i] in (":", "IS"):
                return SetLabels(target, self._labels(), at=at)
            merge = self.kinds[self.i] == "+="
            if not merge and self.kinds[self.i] != "=":
                raise self.fail("'=', '+=' or a label")
            self.i += 1
            return SetProperties(target, self.expression(), merge, at=at)
        if isinstance(target, Property):
            self.expect("=", "'=' and a value")
            return SetProperty(target.subject, target.key, self.expression(), at=at)
        if isinstance(target, Index):
            self.expect("=", "'=' and a value")
            return SetDynamicProperty(target.subject, target.index, self.expression(), at=at)
        raise self.fail("a variable, property or label to set")

    def _labels(self) -> tuple[LabelName | DynamicLabel, ...]:
        """``:A:$(e)`` or ``IS A``."""
        self.i += 1
        labels = [self._label()]
        while self.kinds[self.i] in (":", "&"):
            self.i += 1
            labels.append(self._label())
        return tuple(labels)

    def _label(self) -> LabelName | DynamicLabel:
        if self.kinds[self.i] in ("$", PARAM):
            return self.dynamic_label()
        at = self.starts[self.i]
        return LabelName(self.name("a label"), at=at)

    def remove(self) -> Remove:
        at = self.expect("REMOVE")
        items = [self._remove_item()]
        while self.take(","):
            items.append(self._remove_item())
        return Remove(tuple(items), at=at)

    def _remove_item(self) -> RemoveItem:
        at = self.starts[self.i]
        target: Expression = self.primary(labels=False)
        if isinstance(target, Variable) and self.kinds[self.i] in (":", "IS"):
            return RemoveLabels(target, self._labels(), at=at)
        if isinstance(target, Property):
            return RemoveProperty(target.subject, target.key, at=at)
        if isinstance(target, Index):
            return RemoveDynamicProperty(target.subject, target.index, at=at)
        raise self.fail("a property or label to remove")

    def delete(self) -> Delete:
        """``[DETACH|NODETACH] DELETE e, e``."""
        at = self.starts[self.i]
        detach = self.take("DETACH")
        if not detach:
            self.take("NODETACH")
        self.expect("DELETE", "DELETE")
        expressions = [self.expression()]
        while self.take(","):
            expressions.append(self.expression())
        return Delete(tuple(expressions), detach, at=at)

    def foreach(self) -> Foreach:
        """``FOREACH (x IN xs | clauses)``."""
        at = self.expect("FOREACH")
        self.enter(2)
        opening = self.i
        self.expect("(", "'('")
        variable = self.variable()
        self.expect("IN", "IN")
        source = self.before_bar(opening)
        self.expect("|", "'|'")
        clauses = [self.clause()]
        while self.kinds[self.i] != ")":
            clauses.append(self.clause())
        self.i += 1
        self.depth -= 2
        return Foreach(variable, source, tuple(clauses), at=at)
