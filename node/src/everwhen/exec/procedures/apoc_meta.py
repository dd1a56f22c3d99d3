"""What of ``apoc.meta.*`` and ``apoc.schema.*`` LangChain and neo4j-graphrag call, with the columns
and meanings that their own code relies on (research/graphdb.md 5). A sample, as there: so many
nodes of each label, and the relationships that leave them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from everwhen.errors import ProcedureCallFailed
from everwhen.exec.apoc_kinds import kind_of
from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.limits import VIRTUAL_ID_FIRST
from everwhen.model import values as v
from everwhen.model.elements import Detached, Node, Relationship
from everwhen.model.graph import Direction, GraphView
from everwhen.model.schema import ConstraintKind

Rows = Iterator[tuple[Any, ...]]

#: nodes of a label looked at where the call does not say; -1 there means all
_SAMPLE: Final = 1_000
#: relationships of one node looked at
_MOST_RELATIONSHIPS: Final = 100
#: values shown as examples, and values that a list of distinct ones may have
_EXAMPLES: Final = 5
_DISTINCT_MAX: Final = 10_000


@dataclass(slots=True)
class _Property:
    kinds: dict[str, int] = field(default_factory=dict)
    examples: list[Any] = field(default_factory=list)
    count: int = 0

    def see(self, value: Any) -> None:
        kind = kind_of(value)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(value)

    @property
    def kind(self) -> str:
        """The commonest one; of equals the first in the alphabet."""
        return min(self.kinds, key=lambda kind: (-self.kinds[kind], kind))


@dataclass(slots=True)
class _Seen:
    """One label, or one type."""

    count: int = 0
    properties: dict[str, _Property] = field(default_factory=dict)
    #: of a label: type -> (relationships, labels at the other end)
    links: dict[str, tuple[int, set[str]]] = field(default_factory=dict)

    def see(self, properties: Mapping[str, Any]) -> None:
        self.count += 1
        for key, value in properties.items():
            self.properties.setdefault(key, _Property()).see(value)


@dataclass(slots=True)
class _Sample:
    labels: dict[str, _Seen] = field(default_factory=dict)
    types: dict[str, _Seen] = field(default_factory=dict)


def _number(options: Mapping[str, Any], name: str, default: int) -> int:
    value = options.get(name, default)
    if type(value) is not int:
        raise ProcedureCallFailed(
            f"the option {name} must be an integer, got {v.to_text(value)}",
            detail="InvalidArgumentType",
        )
    return value


def _take(ctx: ExecutionContext, view: GraphView, options: Mapping[str, Any]) -> _Sample:
    """Look at the graph."""
    sample = _Sample()
    size = _number(options, "sample", _SAMPLE)
    most = _number(options, "maxRels", _MOST_RELATIONSHIPS)
    for label in view.label_names():
        seen = sample.labels.setdefault(label, _Seen())
        for node in islice(view.nodes_with_label(label), None if size < 0 else size):
            ctx.tick()
            seen.see(node.properties)
            leaving = view.expand(node.id, Direction.OUT)
            for relationship in islice(leaving, None if size < 0 or most < 0 else most):
                ctx.tick()
                count, others = seen.links.get(relationship.type, (0, set()))
                others.update(view.node_labels(relationship.end))
                seen.links[relationship.type] = (count + 1, others)
                sample.types.setdefault(relationship.type, _Seen()).see(relationship.properties)
    return sample


def _rules(view: GraphView, label: str, key: str) -> tuple[bool, bool, bool]:
    """Whether a property is unique, indexed, demanded."""
    unique = indexed = demanded = False
    for index in view.catalog.indexes.values():
        indexed |= index.label == label and list(index.properties) == [key]
    for constraint in view.catalog.constraints.values():
        if constraint.label == label and key in constraint.properties:
            unique |= constraint.kind in (ConstraintKind.UNIQUE, ConstraintKind.KEY)
            demanded |= constraint.kind in (ConstraintKind.EXISTS, ConstraintKind.KEY)
    return unique, indexed, demanded


def _properties(view: GraphView, name: str, seen: _Seen, element: str) -> Rows:
    for key in sorted(seen.properties):
        about = seen.properties[key]
        unique, indexed, demanded = _rules(view, name, key)
        kind = about.kind
        yield (name, key, about.count, unique, indexed, demanded, kind, kind == "LIST",
               about.examples, 0, 0, [], [], element)  # fmt: skip


def _data(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    sample = _take(ctx, view, arguments[0] or {})
    for label, seen in sample.labels.items():
        for kind in sorted(seen.links):
            count, others = seen.links[kind]
            yield (label, kind, count, False, False, False, "RELATIONSHIP", count > seen.count, [],
                   count, 0, sorted(others), [], "node")  # fmt: skip
        yield from _properties(view, label, seen, "node")
    for kind in sorted(sample.types):
        for label, seen in sample.labels.items():
            if kind in seen.links:
                count, others = seen.links[kind]
                yield (kind, label, count, False, False, False, "RELATIONSHIP",
                       count > seen.count, [], count, 0, sorted(others), [],
                       "relationship")  # fmt: skip
        yield from _properties(view, kind, sample.types[kind], "relationship")


def _graph(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    """A virtual node of each label, with the exact number of nodes, and a virtual relationship of
    each (label, type, label); their ids are such that nothing stored ever gets."""
    sample = _take(ctx, view, arguments[0] or {})
    nodes: dict[str, Node] = {}
    for number, label in enumerate(sample.labels, start=1):
        about = {"name": label, "count": view.node_count(label)}
        nodes[label] = Node(VIRTUAL_ID_FIRST + number, Detached((label,), about))
    links: list[Relationship] = []
    for label, seen in sample.labels.items():
        for kind in sorted(seen.links):
            count, others = seen.links[kind]
            for other in sorted(others & nodes.keys()):
                about = {"type": kind, "count": view.relationship_count(kind), "out": count}
                ends = nodes[label].id, nodes[other].id
                links.append(
                    Relationship(VIRTUAL_ID_FIRST + len(links), kind, *ends, Detached((), about))
                )
    yield (list(nodes.values()), links)


def _schema_nodes(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    for index in view.catalog.indexes.values():
        if index.entity != "NODE":
            continue
        size, distinct = view.index_size(index.name), view.index_distinct(index.name)
        kind = "RANGE" if index.constraint is None else "UNIQUENESS"
        yield (f":{index.label}({','.join(index.properties)})", index.label,
               list(index.properties), index.state.value, kind, index.failure, index.percent,
               size, distinct / size if size else 0.0)  # fmt: skip


def _distinct(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    label, key = arguments
    found: dict[Any, Any] = {}
    for node in view.nodes_with_label(label):
        ctx.tick()
        value = node.properties.get(key)
        if value is not None:
            found.setdefault(v.group_key(value), value)
            if len(found) > _DISTINCT_MAX:
                raise ProcedureCallFailed(
                    f"the property {key} has more than {_DISTINCT_MAX:,} different values"
                )
    yield (list(found.values()),)


def _fields(text: str) -> tuple[ProcedureField, ...]:
    return tuple(ProcedureField(*item.strip().split(" ", 1)) for item in text.split(", "))


_CONFIG = (ProcedureField("config", "MAP", {}),)

META: Final = (
    ProcedureDefinition(
        "apoc.meta.data",
        _CONFIG,
        _fields(
            "label STRING, property STRING, count INTEGER, unique BOOLEAN, index BOOLEAN, "
            "existence BOOLEAN, type STRING, array BOOLEAN, sample LIST<ANY>, left INTEGER, "
            "right INTEGER, other LIST<STRING>, otherLabels LIST<STRING>, elementType STRING"
        ),
        "Labels, types and their properties, from a sample.",
        _data,
    ),
    ProcedureDefinition(
        "apoc.meta.graph",
        _CONFIG,
        _fields("nodes LIST<NODE>, relationships LIST<RELATIONSHIP>"),
        "The graph's labels and how types connect them, from a sample.",
        _graph,
    ),
    ProcedureDefinition(
        "apoc.schema.nodes",
        _CONFIG,
        _fields(
            "name STRING, label ANY, properties LIST<STRING>, status STRING, type STRING, "
            "failure STRING, populationProgress FLOAT, size INTEGER, valuesSelectivity FLOAT"
        ),
        "Indexes and constraints of nodes.",
        _schema_nodes,
    ),
    ProcedureDefinition(
        "apoc.schema.properties.distinct",
        _fields("label STRING, key STRING"),
        _fields("value LIST<ANY>"),
        "Every value that a property of a label has.",
        _distinct,
    ),
)
