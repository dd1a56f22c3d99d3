"""A clause's patterns while they are being bound, and what can be said of a pattern by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from everwhen.model.graph import Direction
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import syntax as s
from everwhen.query.static_types import ANY, LIST, RELATIONSHIP, StaticType

DIRECTIONS: Final = {"out": Direction.OUT, "in": Direction.IN, "both": Direction.BOTH}


@dataclass(slots=True)
class PatternBuild:
    """One clause's patterns while they are being bound."""

    view: lg.View | None
    nodes: list[int] = field(default_factory=list)
    parts: list[lg.Part] = field(default_factory=list)
    predicates: list[b.Expression] = field(default_factory=list)
    bound: set[int] = field(default_factory=set)
    #: of those, nodes that were found at the time of this clause
    existing: set[int] = field(default_factory=set)
    paths: list[tuple[int, b.PathValue]] = field(default_factory=list)
    #: names declared by this clause
    fresh: set[str] = field(default_factory=set)
    #: node patterns and relationship patterns whose predicates are bound after all names are
    later: list[tuple[int, s.NodePattern | s.RelationshipPattern]] = field(default_factory=list)
    wheres: list[s.Expression] = field(default_factory=list)
    steps: list[tuple[lg.RelationshipPart, s.RelationshipPattern]] = field(default_factory=list)


def relationship_fits(type_: StaticType, several: bool) -> bool:
    if not type_.known or type_ is ANY:
        return True
    if not several:
        return type_ == RELATIONSHIP
    return type_ == LIST or (
        type_.name == "LIST"
        and (type_.inner is None or not type_.inner.known or type_.inner == RELATIONSHIP)
    )


def simple_types(types: s.LabelExpression | None) -> tuple[str, ...] | None:
    """Type names of ``:A`` and ``:A|B``; None for no restriction or one that is not so simple."""
    if isinstance(types, s.LabelName):
        return (types.name,)
    if isinstance(types, s.LabelOr):
        names = [x.name for x in types.operands if isinstance(x, s.LabelName)]
        if len(names) == len(types.operands):
            return tuple(dict.fromkeys(names))
    return None


def variables_of(pattern: s.PathPattern) -> Iterator[s.Variable]:
    """The variables a pattern names, in order."""
    for element in pattern.elements:
        if isinstance(element, s.GroupPattern):
            yield from variables_of(element.path)
        elif element.variable is not None:
            yield element.variable
    if pattern.variable is not None:
        yield pattern.variable
