"""Bound expressions as text, for EXPLAIN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from everwhen.query import bound as b

_WORDS: Final = {"STARTS_WITH": "STARTS WITH", "ENDS_WITH": "ENDS WITH"}


class ExpressionText:
    """Writes expressions with the slot names of one plan."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def name(self, slot: int) -> str:
        """A slot's name; anonymous ones are numbered."""
        known = self.names[slot] if slot < len(self.names) else ""
        return known or f"anon_{slot}"

    def text(self, e: Any) -> str:
        """An expression on one line."""
        return _WRITERS[type(e)](self, e)

    def labels(self, e: b.LabelExpression) -> str:
        """A label expression without its colon."""
        if isinstance(e, b.LabelName):
            return e.name
        if isinstance(e, b.LabelWildcard):
            return "%"
        if isinstance(e, b.LabelNot):
            return f"!{self.labels(e.operand)}"
        if isinstance(e, b.LabelDynamic):
            return f"${'any' if e.any else 'all'}({self.text(e.expression)})"
        sign = "&" if isinstance(e, b.LabelAnd) else "|"
        return f"({sign.join(self.labels(x) for x in e.operands)})"

    def _many(self, items: Sequence[b.Expression], between: str = ", ") -> str:
        return between.join(self.text(item) for item in items)

    def _literal(self, e: b.Literal) -> str:
        value = e.value
        if value is None or isinstance(value, bool):
            return {None: "null", True: "true", False: "false"}[value]
        return repr(value)

    def _map(self, items: Sequence[tuple[str, b.Expression]]) -> str:
        return ", ".join(f"{key}: {self.text(value)}" for key, value in items)

    def _slice(self, e: b.Slice) -> str:
        lower = self.text(e.lower) if e.lower is not None else ""
        upper = self.text(e.upper) if e.upper is not None else ""
        return f"{self.text(e.subject)}[{lower}..{upper}]"

    def _projection(self, e: b.MapProjection) -> str:
        everything = [".*"] if e.all_properties else []
        items = [*everything, *([self._map(e.items)] if e.items else [])]
        return f"{self.text(e.subject)} {{{', '.join(items)}}}"

    def _binary(self, e: b.Binary) -> str:
        word = _WORDS.get(e.operator, e.operator)
        return f"{self._inner(e.left)} {word} {self._inner(e.right)}"

    def _inner(self, e: b.Expression) -> str:
        text = self.text(e)
        return f"({text})" if isinstance(e, (b.Binary, b.And, b.Or)) else text

    def _joined(self, word: str, operands: Sequence[b.Expression]) -> str:
        return f" {word} ".join(self._inner(operand) for operand in operands)

    def _case(self, e: b.Case) -> str:
        subject = f" {self.text(e.subject)}" if e.subject is not None else ""
        arms = "".join(
            f" WHEN {self.text(when)} THEN {self.text(then)}" for when, then in e.alternatives
        )
        default = f" ELSE {self.text(e.default)}" if e.default is not None else ""
        return f"CASE{subject}{arms}{default} END"

    def _comprehension(self, e: b.ListComprehension) -> str:
        where = f" WHERE {self.text(e.predicate)}" if e.predicate is not None else ""
        result = f" | {self.text(e.projection)}" if e.projection is not None else ""
        return f"[{self.name(e.slot)} IN {self.text(e.source)}{where}{result}]"

    def _quantifier(self, e: b.Quantifier) -> str:
        inside = f"{self.name(e.slot)} IN {self.text(e.source)} WHERE {self.text(e.predicate)}"
        return f"{e.kind}({inside})"

    def _reduce(self, e: b.Reduce) -> str:
        start = f"{self.name(e.accumulator)} = {self.text(e.initial)}"
        loop = f"{self.name(e.slot)} IN {self.text(e.source)} | {self.text(e.expression)}"
        return f"reduce({start}, {loop})"

    def _path(self, e: b.PathValue) -> str:
        names = [self.name(slot) for slot in e.slots]
        parts = [f"({n})" if i % 2 == 0 else f"[{n}]" for i, n in enumerate(names)]
        return "-".join(parts)

    def aggregation(self, e: b.Aggregation) -> str:
        """``count(DISTINCT n)``."""
        if e.argument is None:
            return f"{e.name}(*)"
        distinct = "DISTINCT " if e.distinct else ""
        return f"{e.name}({distinct}{self._many((e.argument, *e.extra))})"


_T = ExpressionText
_WRITERS: Final[dict[type, Callable[[Any, Any], str]]] = {
    b.Literal: _T._literal,
    b.Parameter: lambda w, e: f"${e.name}",
    b.Slot: lambda w, e: w.name(e.index),
    b.Property: lambda w, e: f"{w._inner(e.subject)}.{e.key}",
    b.Subscript: lambda w, e: f"{w._inner(e.subject)}[{w.text(e.index)}]",
    b.Slice: _T._slice,
    b.ListLiteral: lambda w, e: f"[{w._many(e.items)}]",
    b.MapLiteral: lambda w, e: f"{{{w._map(e.items)}}}",
    b.MapProjection: _T._projection,
    b.Unary: lambda w, e: f"{e.operator}{w._inner(e.operand)}",
    b.Binary: _T._binary,
    b.Not: lambda w, e: f"NOT {w._inner(e.operand)}",
    b.And: lambda w, e: w._joined("AND", e.operands),
    b.Or: lambda w, e: w._joined("OR", e.operands),
    b.IsNull: lambda w, e: f"{w._inner(e.operand)} IS {'NOT ' if e.negated else ''}NULL",
    b.IsTyped: lambda w, e: (
        f"{w._inner(e.operand)} IS {'NOT ' if e.negated else ''}:: {e.type_text}"
    ),
    b.IsNormalized: lambda w, e: (
        f"{w._inner(e.operand)} IS {'NOT ' if e.negated else ''}{e.form} NORMALIZED"
    ),
    b.HasLabels: lambda w, e: f"{w._inner(e.subject)}:{w.labels(e.labels)}",
    b.FunctionCall: lambda w, e: f"{e.name}({w._many(e.arguments)})",
    b.Case: _T._case,
    b.ListComprehension: _T._comprehension,
    b.Quantifier: _T._quantifier,
    b.Reduce: _T._reduce,
    b.PathValue: _T._path,
    b.Subquery: lambda w, e: f"{e.kind} {{ … }}",
}
