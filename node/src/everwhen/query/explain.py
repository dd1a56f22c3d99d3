"""EXPLAIN and PROFILE: a plan as a tree of descriptions, and that tree as text.

``describe`` is the machine's form (the doors turn it into the drivers' plan maps); ``render``
draws it, the operator that gives the results first, as Neo4j does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from everwhen.model.graph import Direction
from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.expression_text import ExpressionText
from everwhen.query.traverse import operators_below


class Measured(Protocol):
    """What PROFILE knows of one operator; time includes the operators below."""

    rows: int
    nanoseconds: int
    #: none: it ran over rows
    batches: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PlanDescription:
    """One operator. ``rows`` and ``nanoseconds`` (its own, without its children's) are None
    unless profiled."""

    operator: str
    details: str
    estimated_rows: float
    identifiers: tuple[str, ...] = ()
    children: tuple[PlanDescription, ...] = ()
    rows: int | None = None
    nanoseconds: int | None = None
    #: of an operator that ran over batches: how many it gave, and about how many bytes
    batches: int | None = None
    bytes: int | None = None


def describe(plan: p.Plan, profile: Mapping[int, Measured] | None = None) -> PlanDescription:
    """The whole plan; ``profile``: measurements by ``id(operator)``."""
    return _Describer(plan, profile).of(plan.root)


class _Describer:
    def __init__(self, plan: p.Plan, profile: Mapping[int, Measured] | None) -> None:
        self.writer = ExpressionText(plan.slot_names)
        self.profile = profile

    def of(self, op: p.Operator) -> PlanDescription:
        """The description of an operator; chains are walked from the leaf up."""
        chain = [op]
        while isinstance(chain[-1], p.Unary):
            chain.append(chain[-1].child)
        found: PlanDescription | None = None
        while chain:
            found = self._one(chain.pop(), found)
        assert found is not None
        return found

    def _one(self, op: p.Operator, child: PlanDescription | None) -> PlanDescription:
        others = operators_below(op)[1 if child is not None else 0 :]
        first = () if child is None else (child,)
        children = (*first, *(self.of(other) for other in others))
        rows = time = batches = size = None
        if self.profile is not None:
            measured = self.profile.get(id(op))
            if measured and measured.batches:
                batches, size = measured.batches, measured.bytes
            rows = measured.rows if measured else 0
            whole = measured.nanoseconds if measured else 0
            inside = [self.profile.get(id(child)) for child in operators_below(op)]
            time = max(whole - sum(m.nanoseconds for m in inside if m is not None), 0)
        details = _details(self.writer, op)
        return PlanDescription(
            self._title(op),
            details,
            op.estimate,
            tuple(self._identifiers(op)),
            children,
            rows,
            time,
            batches,
            size,
        )

    def _title(self, op: p.Operator) -> str:
        if isinstance(op, p.Sort) and op.limit is not None:
            return "Top"
        if isinstance(op, (p.Expand, p.VarExpand, p.QuantifiedExpand)):
            return f"{type(op).__name__}({'Into' if op.into else 'All'})"
        if isinstance(op, p.IndexSeek):
            kind = "Node" if op.entity == "NODE" else "Relationship"
            return (
                f"{kind}Index{'Seek' if op.equal or op.lower or op.upper or op.prefix else 'Scan'}"
            )
        return _TITLES.get(type(op), type(op).__name__)

    def _identifiers(self, op: p.Operator) -> Iterator[str]:
        for name in ("slot", "start", "end", "relationship", "target"):
            slot = getattr(op, name, None)
            if type(slot) is int:
                yield self.writer.name(slot)


def _details(writer: ExpressionText, op: p.Operator) -> str:
    found = _DETAILS.get(type(op))
    return "" if found is None else found(writer, op)


def render(description: PlanDescription) -> str:
    """The tree as text: one operator a line, what it works on, rows guessed and real, time."""
    lines = [
        ("Operator", "Details", "Estimated rows", "Rows", "Time (ms)", "Batches", "Bytes"),
        *_lines(description, ""),
    ]
    profiled = description.rows is not None
    used = [0, 1, 2, 3, 4] if profiled else [0, 1, 2]
    if any(line[_BATCHES] for line in lines[1:]):
        used += [_BATCHES, _BATCHES + 1]
    widths = [max(len(line[column]) for line in lines) for column in used]
    out = []
    for line in lines:
        cells = [
            line[column].rjust(width) if column >= _NUMBERS_FROM else line[column].ljust(width)
            for column, width in zip(used, widths, strict=True)
        ]
        out.append(" | ".join(cells).rstrip())
    out.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(out)


_NUMBERS_FROM: Final = 2
_BATCHES: Final = 5


def _lines(node: PlanDescription, indent: str) -> Iterator[tuple[str, ...]]:
    here: PlanDescription | None = node
    while here is not None:
        rows = "" if here.rows is None else str(here.rows)
        time = "" if here.nanoseconds is None else f"{here.nanoseconds / 1e6:.3f}"
        batches = "" if here.batches is None else str(here.batches)
        size = "" if here.bytes is None else str(here.bytes)
        estimate = _count(here.estimated_rows)
        yield f"{indent}{here.operator}", here.details, estimate, rows, time, batches, size
        for child in here.children[1:]:
            yield from _lines(child, indent + "| ")
        here = here.children[0] if here.children else None


def _count(rows: float) -> str:
    return f"{rows:.0f}" if rows >= 1 or rows == 0 else f"{rows:.3f}"


# --- details -------------------------------------------------------------------------------


def _arrow(w: ExpressionText, op: Any, star: str = "") -> str:
    types = "" if op.types is None else ":" + "|".join(op.types)
    left = "<-" if op.direction is Direction.IN else "-"
    right = "->" if op.direction is Direction.OUT else "-"
    inside = f"[{w.name(op.relationship)}{types}{star}]"
    return f"({w.name(op.source)}){left}{inside}{right}({w.name(op.target)}){_at(w, op)}"


def _star(op: Any) -> str:
    if op.minimum == op.maximum:
        return f"*{op.minimum}"
    return f"*{op.minimum}..{'' if op.maximum is None else op.maximum}"


def _at(w: ExpressionText, op: Any) -> str:
    return "" if op.view is None else f" at {w.name(op.view)}"


def _index(w: ExpressionText, op: p.IndexSeek) -> str:
    tests = []
    for position, value in enumerate(op.equal):
        sign = "IN" if position == op.in_list else "="
        tests.append(f"{op.properties[position]} {sign} {w.text(value)}")
    rest = op.properties[len(op.equal) :]
    if rest:
        for bound, sign in ((op.lower, ">"), (op.upper, "<")):
            if bound is not None:
                equal = "=" if bound.inclusive else ""
                tests.append(f"{rest[0]} {sign}{equal} {w.text(bound.expression)}")
        if op.prefix is not None:
            tests.append(f"{rest[0]} STARTS WITH {w.text(op.prefix)}")
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    return f"{w.name(op.slot)}:{op.label}({', '.join(op.properties)}) {op.index}{where}{_at(w, op)}"


def _items(w: ExpressionText, items: Any) -> str:
    return ", ".join(f"{w.text(e)} AS {w.name(slot)}" for slot, e in items)


def _aggregate(w: ExpressionText, op: p.Aggregate) -> str:
    parts = [
        w.name(slot) if _same(slot, e) else f"{w.text(e)} AS {w.name(slot)}"
        for slot, e in op.groups
    ]
    parts += [f"{w.aggregation(a)} AS {w.name(slot)}" for slot, a in op.aggregations]
    return ", ".join(parts)


def _same(slot: int, e: b.Expression) -> bool:
    return isinstance(e, b.Slot) and e.index == slot


def _slots(w: ExpressionText, slots: Any) -> str:
    return ", ".join(w.name(slot) for slot in slots)


def _sort(w: ExpressionText, op: p.Sort) -> str:
    keys = ", ".join(w.text(k.expression) + (" DESC" if k.descending else "") for k in op.keys)
    if op.limit is None:
        return keys
    skipped = "" if op.skip is None else f"{w.text(op.skip)} + "
    return f"{keys} LIMIT {skipped}{w.text(op.limit)}"


def _specs(w: ExpressionText, op: p.Create | p.Merge) -> str:
    parts = []
    for spec in op.specs:
        if isinstance(spec, p.NodeSpec):
            names = "".join(f":{name}" for name in spec.labels.names)
            dynamic = "".join(f":$({w.text(e)})" for e in spec.labels.dynamic)
            parts.append(f"({w.name(spec.slot)}{names}{dynamic})")
        else:
            type_ = spec.type if isinstance(spec.type, str) else f"$({w.text(spec.type)})"
            start, end = w.name(spec.start), w.name(spec.end)
            parts.append(f"({start})-[{w.name(spec.slot)}:{type_}]->({end})")
    return ", ".join(parts)


def _change(w: ExpressionText, change: p.Change) -> str:
    entity = w.text(change.entity)
    if isinstance(change, (p.SetProperty, p.RemoveProperty)):
        place = (
            f"{entity}.{change.key}"
            if isinstance(change.key, str)
            else f"{entity}[{w.text(change.key)}]"
        )
        if isinstance(change, p.RemoveProperty):
            return f"REMOVE {place}"
        return f"{place} = {w.text(change.value)}"
    if isinstance(change, p.SetProperties):
        return f"{entity} {'=' if change.replace else '+='} {w.text(change.value)}"
    names = "".join(f":{name}" for name in change.labels.names)
    names += "".join(f":$({w.text(e)})" for e in change.labels.dynamic)
    return f"{'REMOVE ' if isinstance(change, p.RemoveLabels) else ''}{entity}{names}"


def _call(w: ExpressionText, op: p.ProcedureCall) -> str:
    arguments = "" if op.arguments is None else f"({', '.join(w.text(e) for e in op.arguments)})"
    yields = ", ".join(f"{column} AS {w.name(slot)}" for column, slot in op.yields)
    return f"{op.procedure}{arguments}{' :: ' if yields else ''}{yields}{_at(w, op)}"


_TITLES: Final[dict[type, str]] = {
    p.LabelScan: "NodeByLabelScan",
    p.Update: "SetOrRemove",
    p.Aggregate: "Aggregation",
    p.Project: "Projection",
}
_DETAILS: Final[dict[type, Callable[[ExpressionText, Any], str]]] = {
    p.BindView: lambda w, o: (
        f"{w.name(o.slot)} = {o.kind} {w.text(o.expression)}"
        f"{'' if o.end is None else ' .. ' + w.text(o.end)}"
    ),
    p.EachVersion: lambda w, o: _slots(w, (*o.slots, *o.kept)) + _at(w, o),
    p.AllNodesScan: lambda w, o: w.name(o.slot) + _at(w, o),
    p.LabelScan: lambda w, o: f"{w.name(o.slot)}:{o.label}{_at(w, o)}",
    p.NodeCount: lambda w, o: (
        f"({'' if o.label is None else ':' + o.label}) AS {_slots(w, o.slots)}{_at(w, o)}"
    ),
    p.NodeByIdSeek: lambda w, o: (
        f"{w.name(o.slot)} WHERE {'elementId' if o.element else 'id'} = {w.text(o.ids)}{_at(w, o)}"
    ),
    p.RelationshipByIdSeek: lambda w, o: (
        f"({w.name(o.start)})-[{w.name(o.slot)}]-({w.name(o.end)}) "
        f"WHERE {'elementId' if o.element else 'id'} = {w.text(o.ids)}{_at(w, o)}"
    ),
    p.IndexSeek: _index,
    p.RelationshipScan: lambda w, o: (
        f"({w.name(o.start)})-[{w.name(o.slot)}"
        f"{'' if o.types is None else ':' + '|'.join(o.types)}]-({w.name(o.end)}){_at(w, o)}"
    ),
    p.Expand: _arrow,
    p.VarExpand: lambda w, o: _arrow(w, o, _star(o)),
    p.ShortestPath: lambda w, o: f"{o.selector} {_arrow(w, o, _star(o))}",
    p.QuantifiedExpand: lambda w, o: (
        f"({w.name(o.source)}) (…){_star(o)} ({w.name(o.target)}){_at(w, o)}"
    ),
    p.Optional: lambda w, o: _slots(w, o.slots),
    p.Filter: lambda w, o: w.text(o.predicate),
    p.Project: lambda w, o: _items(w, o.items),
    p.Aggregate: _aggregate,
    p.Distinct: lambda w, o: _slots(w, o.slots),
    p.Sort: _sort,
    p.Skip: lambda w, o: w.text(o.count),
    p.Limit: lambda w, o: w.text(o.count) + (" (all rows are run)" if o.exhaust else ""),
    p.Unwind: lambda w, o: f"{w.text(o.expression)} AS {w.name(o.slot)}",
    p.HashJoin: lambda w, o: f"{w.text(o.left)} = {w.text(o.right)}",
    p.Union: lambda w, o: _slots(w, o.targets),
    p.Apply: lambda w, o: "no columns" if o.unit else _slots(w, o.slots),
    p.ApplyInTransactions: lambda w, o: f"of {w.text(o.batch)} rows, on error {o.on_error}",
    p.ProcedureCall: _call,
    p.SchemaCommand: lambda w, o: o.text,
    p.LoadCsv: lambda w, o: f"{w.text(o.url)} AS {w.name(o.slot)}",
    p.ShowTable: lambda w, o: f"{o.detail} {o.what}".strip(),
    p.Create: _specs,
    p.Merge: _specs,
    p.Update: lambda w, o: ", ".join(_change(w, change) for change in o.changes),
    p.Delete: lambda w, o: (
        ("DETACH " if o.detach else "") + ", ".join(w.text(e) for e in o.expressions)
    ),
    p.Foreach: lambda w, o: f"{w.name(o.slot)} IN {w.text(o.source)}",
    p.ProduceResults: lambda w, o: ", ".join(f"`{name}`" for name, _ in o.columns),
}
