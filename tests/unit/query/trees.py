"""Random syntax trees: everything the grammar can say, small but nested.

Grown by hand from a random source (hypothesis gives the source, so a failure has a seed and
shrinks) because combined strategies of this size cost more than the parser they test.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from everwhen.query import syntax as s

NAMES = (
    "a", "n", "x1", "Person", "match", "ORDER", "end", "null", "true", "all", "count", "of", "at",
    "is", "where", "in", "case", "odd name", "état", "a`b", "", "1a", "a.b", "x IN ", "shortest",
    "exists", "not", "any", "ſet", "from", "typed", "rows", "csv", "begin", "create", "using",
)  # fmt: skip
FUNCTIONS = ("f", "date.truncate", "odd name.g", "all", "reduce", "exists", "case", "not", "count")
TYPES = (
    "BOOLEAN", "STRING", "INTEGER", "LOCAL TIME", "ZONED DATETIME", "PROPERTY VALUE", "ANY", "LIST",
)  # fmt: skip
CHARACTERS = "ab'\"\\\n\t\x00`é😀 ${};"


class Grower:
    """Grows trees; ``depth`` falls on the way down, so that every tree ends."""

    def __init__(self, source: random.Random, depth: int = 4) -> None:
        self.random = source
        self.depth = depth

    # --- choosing -----------------------------------------------------------------------------

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def flag(self) -> bool:
        return self.random.random() < 0.5

    def maybe(self, grow: Callable[[], Any]) -> Any:
        return grow() if self.random.random() < 0.3 else None

    def some(self, grow: Callable[[], Any], least: int = 0, most: int = 2) -> tuple[Any, ...]:
        return tuple(grow() for _ in range(self.random.randint(least, max(least, most))))

    def number(self, most: int = 5) -> int:
        return self.random.randint(0, most)

    def name(self) -> str:
        return self.one(*NAMES)

    def variable(self) -> s.Variable:
        return s.Variable(self.name())

    def text(self) -> str:
        return "".join(self.some(lambda: self.one(*CHARACTERS), 0, 4))

    # --- expressions --------------------------------------------------------------------------

    def expression(self) -> s.Expression:
        if self.depth <= 0 or self.random.random() < 0.25:
            return self.literal()
        self.depth -= 1
        tree = self.one(
            self.operator,
            self.operator,
            self.access,
            self.compound,
            self.compound,
            self.pattern_value,
        )()
        self.depth += 1
        return tree

    def literal(self) -> s.Expression:
        whole = self.one(0, 1, -1, 7, 2**63 - 1, -(2**63))
        real = self.one(0.0, 1.5, -2.25, 1e300, -1e-300, 5e-324)
        return self.one(
            s.NullLiteral(),
            s.BooleanLiteral(self.flag()),
            s.IntegerLiteral(whole),
            s.FloatLiteral(real),
            s.StringLiteral(self.text()),
            s.Parameter(self.name() or "p"),
            self.variable(),
            self.variable(),
            s.CountStar(),
        )

    def operator(self) -> s.Expression:
        grow = self.expression
        pick = self.number(12)
        if pick < 3:
            return s.Arithmetic(self.one("+", "-", "*", "/", "%", "^", "||"), grow(), grow())
        if pick < 6:
            operator: Any = self.one(s.Negate, s.UnaryPlus, s.Not)
            return operator(grow())
        if pick < 8:
            junction: Any = self.one(s.And, s.Or, s.Xor)
            return junction(self.some(grow, 2))
        if pick == 8:
            signs = ("=", "<>", "<", "<=", ">", ">=")
            return s.Comparison(grow(), self.some(lambda: (self.one(*signs), grow()), 1))
        if pick == 9:
            return s.In(grow(), grow())
        if pick == 10:
            words = ("STARTS WITH", "ENDS WITH", "CONTAINS", "=~")
            return s.StringPredicate(self.one(*words), grow(), grow())
        if pick == 11:
            return s.IsNull(grow(), self.flag())
        return self.one(
            lambda: s.IsTyped(grow(), self.type(), self.flag()),
            lambda: s.IsNormalized(grow(), self.one("NFC", "NFKD"), self.flag()),
            lambda: s.HasLabels(grow(), self.labels()),
        )()

    def type(self, depth: int = 2) -> s.TypeExpression:
        pick = self.number(3) if depth else 0
        if pick == 1:
            return s.TypeName("LIST", self.flag(), self.type(depth - 1))
        if pick == 2:
            members = self.some(lambda: self.type(depth - 1), 1, 3)
            single_union = len(members) == 1 and isinstance(members[0], s.TypeUnion)
            return members[0] if single_union else s.TypeUnion(members)
        return s.TypeName(self.one(*TYPES), self.flag())

    def access(self) -> s.Expression:
        grow = self.expression
        return self.one(
            lambda: s.Property(grow(), self.name()),
            lambda: s.Index(grow(), grow()),
            lambda: s.Slice(grow(), self.maybe(grow), self.maybe(grow)),
            lambda: s.HasLabels(grow(), self.labels()),
            lambda: s.ListLiteral(self.some(grow)),
            self.map,
            lambda: s.FunctionCall(self.one(*FUNCTIONS), self.some(grow), self.flag()),
        )()

    def map(self) -> s.MapLiteral:
        return s.MapLiteral(self.some(lambda: (self.name(), self.expression())))

    def compound(self) -> s.Expression:
        grow = self.expression
        return self.one(
            lambda: s.Case(
                self.maybe(grow), self.some(lambda: (grow(), grow()), 1), self.maybe(grow)
            ),
            lambda: s.ListComprehension(
                self.variable(), grow(), self.maybe(grow), self.maybe(grow)
            ),
            lambda: s.PatternComprehension(
                s.PathPattern(self.chain(1), self.maybe(self.variable)), self.maybe(grow), grow()
            ),
            lambda: s.Reduce(self.variable(), grow(), self.variable(), grow(), grow()),
            lambda: s.Quantified(
                self.one("all", "any", "none", "single"), self.variable(), grow(), self.maybe(grow)
            ),
            lambda: s.MapProjection(self.variable(), self.some(self.entry, 0, 3)),
            lambda: self.one(s.ExistsSubquery, s.CountSubquery, s.CollectSubquery)(self.query()),
        )()

    def entry(self) -> s.ProjectionEntry:
        return self.one(
            s.AllPropertiesEntry(),
            s.PropertyEntry(self.name()),
            s.VariableEntry(self.variable()),
            s.LiteralEntry(self.name(), self.expression()),
        )

    def pattern_value(self) -> s.PatternExpression:
        kind = self.one(None, None, "shortestPath", "allShortestPaths")
        selector = None if kind is None else s.PathSelector(kind)
        return s.PatternExpression(s.PathPattern(self.chain(1), None, selector))

    # --- patterns -----------------------------------------------------------------------------

    def labels(self, depth: int = 2) -> s.LabelExpression:
        def inner() -> s.LabelExpression:
            return self.labels(depth - 1)

        pick = self.number(7) if depth else self.number(4)
        if pick == 5:
            return s.LabelNot(inner())
        if pick == 6:
            return s.LabelAnd(self.some(inner, 2))
        if pick == 7:
            return s.LabelOr(self.some(inner, 2))
        if pick == 4:
            return s.LabelWildcard()
        if pick == 3:
            return s.DynamicLabel(self.expression(), self.flag())
        return s.LabelName(self.name())

    def node(self) -> s.NodePattern:
        properties = self.one(self.map, lambda: s.Parameter(self.name() or "p"))
        return s.NodePattern(
            self.maybe(self.variable),
            self.maybe(self.labels),
            self.maybe(properties),
            self.maybe(self.expression),
        )

    def relationship(self) -> s.RelationshipPattern:
        length = self.maybe(
            lambda: s.VariableLength(self.maybe(self.number), self.maybe(self.number))
        )
        return s.RelationshipPattern(
            self.one("in", "out", "both"),
            self.maybe(self.variable),
            self.maybe(self.labels),
            length,
            self.maybe(self.map),
            self.maybe(self.expression),
            None if length else self.maybe(self.repetition),
        )

    def repetition(self) -> s.Repetition:
        low = self.number(3)
        return s.Repetition(low, self.one(None, max(1, low), low + 2))

    def chain(self, least: int = 0) -> tuple[s.PatternElement, ...]:
        elements: list[s.PatternElement] = [self.node()]
        for _ in range(self.random.randint(least, 2)):
            elements += [self.relationship(), self.node()]
        return tuple(elements)

    def path(self) -> s.PathPattern:
        variable = self.maybe(self.variable)
        if self.number(4) == 0:
            inner = s.PathPattern(self.chain(1), self.maybe(self.variable))
            where = self.maybe(self.expression)
            group = s.GroupPattern(inner, where, self.maybe(self.repetition))
            return s.PathPattern(self.one(
                (*self.chain(), group), (group, *self.chain()), (group, self.relationship(), group)
            ), variable, self.maybe(self.selector))  # fmt: skip
        if self.number(4) == 0:
            kind = self.one("shortestPath", "allShortestPaths")
            return s.PathPattern(self.chain(), variable, s.PathSelector(kind))
        return s.PathPattern(self.chain(), variable, self.maybe(self.selector))

    def selector(self) -> s.PathSelector:
        kind = self.one("any", "all", "shortest", "all_shortest", "shortest_groups")
        count = 1 if kind.startswith("all") else self.number() + 1
        return s.PathSelector(kind, count)

    # --- clauses ------------------------------------------------------------------------------

    def time(self) -> s.TimeSpec:
        if self.flag():
            return s.TimeSpec(self.one("time", "version"), self.expression())
        return s.TimeSpec(self.one("between", "from_to"), self.expression(), self.expression())

    def projection(self) -> s.Projection:
        star = self.flag()
        return s.Projection(
            self.some(
                lambda: s.ProjectionItem(self.expression(), self.maybe(self.variable)),
                0 if star else 1,
            ),
            star,
            self.flag(),
            self.some(lambda: s.SortItem(self.expression(), self.flag())),
            self.maybe(self.expression),
            self.maybe(self.expression),
        )

    def set_labels(self) -> tuple[s.LabelName | s.DynamicLabel, ...]:
        return self.some(
            lambda: self.one(
                s.LabelName(self.name()), s.DynamicLabel(self.expression(), self.flag())
            ),
            1,
        )

    def set_item(self) -> s.SetItem:
        grow = self.expression
        return self.one(
            lambda: s.SetProperty(self.literal(), self.name(), grow()),
            lambda: s.SetDynamicProperty(self.literal(), grow(), grow()),
            lambda: s.SetProperties(self.variable(), grow(), self.flag()),
            lambda: s.SetLabels(self.variable(), self.set_labels()),
        )()

    def remove_item(self) -> s.RemoveItem:
        return self.one(
            lambda: s.RemoveProperty(self.literal(), self.name()),
            lambda: s.RemoveDynamicProperty(self.literal(), self.expression()),
            lambda: s.RemoveLabels(self.variable(), self.set_labels()),
        )()

    def hint(self) -> s.Hint:
        return self.one(
            lambda: s.Hint("INDEX", (self.variable(),), self.name(), self.some(self.name, 1)),
            lambda: s.Hint("SCAN", (self.variable(),), self.name()),
            lambda: s.Hint("JOIN", self.some(self.variable, 1)),
        )()

    def read(self) -> s.Clause:
        grow = self.expression
        return self.one(
            lambda: s.Match(
                self.some(self.path, 1), self.flag(), self.maybe(grow), self.maybe(self.time),
                self.some(self.hint, 0, 1), self.flag(),
            ),
            lambda: s.With(self.projection(), self.maybe(grow)),
            lambda: s.Unwind(grow(), self.variable()),
            lambda: s.LoadCsv(grow(), self.variable(), self.flag(), self.maybe(self.text)),
            lambda: s.Use(self.one("neo4j", "odd name.x")),
            self.procedure,
            self.subquery,
        )()  # fmt: skip

    def procedure(self) -> s.CallProcedure:
        yields = self.maybe(
            lambda: self.some(lambda: s.YieldItem(self.name(), self.maybe(self.variable)))
        )
        return s.CallProcedure(
            self.one("p", "db.labels", "odd name.x"),
            self.maybe(lambda: self.some(self.expression)),
            yields,
            False,
            None if yields is None else self.maybe(self.expression),
            self.flag(),
            self.maybe(self.time),
        )

    def subquery(self) -> s.CallSubquery:
        star = self.flag()
        imports = None if star else self.maybe(lambda: self.some(self.variable))
        return s.CallSubquery(
            self.query(), imports, star, self.flag(), self.maybe(self.transactions)
        )

    def transactions(self) -> s.InTransactions:
        concurrent = self.flag()
        return s.InTransactions(
            self.maybe(self.expression),
            self.one("FAIL", "CONTINUE", "BREAK"),
            self.maybe(self.variable),
            concurrent,
            self.maybe(self.literal) if concurrent else None,
        )

    def update(self) -> s.Clause:
        return self.one(
            lambda: s.Create(self.some(self.path, 1)),
            lambda: s.Merge(self.path(), self.some(self.set_item), self.some(self.set_item)),
            lambda: s.Set(self.some(self.set_item, 1)),
            lambda: s.Remove(self.some(self.remove_item, 1)),
            lambda: s.Delete(self.some(self.expression, 1), self.flag()),
            lambda: s.Foreach(self.variable(), self.expression(), (s.Set((self.set_item(),)),)),
        )()

    def query(self) -> s.Query:
        self.depth -= 1
        parts = self.some(self.single, 1)
        self.depth += 1
        return s.Query(parts, tuple(self.flag() for _ in parts[1:]))

    def single(self) -> s.SingleQuery:
        if self.depth <= 0:
            return s.SingleQuery((s.Return(s.Projection((), star=True)),))
        body = self.some(self.one(self.read, self.update), 1)
        last = self.one(None, s.Finish(), s.Return(self.projection()))
        return s.SingleQuery(body if last is None else (*body, last))

    def statement(self) -> s.Statement:
        query = self.query()
        time = None
        # a time right after a MATCH or CALL belongs to that clause
        if isinstance(query.parts[-1].clauses[-1], s.Return | s.Finish):
            time = self.maybe(self.time)
        return s.Statement(s.QueryBody(query, time), self.one(None, None, "EXPLAIN", "PROFILE"))
