"""The logical plan: what the binder says, before it is decided how.

Relational and writing operators are the physical ones (there is one way to run them); what is
still open are the patterns. :class:`PatternMatch` says *what* to find; the rules decide where to
begin, by which index, and in which order. A finished plan holds none of the classes here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from everwhen.model.graph import Direction
from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.traverse import volatile


@dataclass(frozen=True, slots=True)
class View:
    """The time a clause reads at: ``BindView`` fills ``slot`` from ``expression`` (to ``end``)."""

    slot: int
    kind: str
    expression: b.Expression
    end: b.Expression | None = None

    @property
    def is_range(self) -> bool:
        """Whether it is more than one moment."""
        return self.end is not None

    @property
    def moment(self) -> int | None:
        """Its slot, if that holds the same moment wherever a row has it."""
        return None if self.is_range or volatile(self.expression) else self.slot


@dataclass(slots=True)
class RelationshipPart:
    """One relationship of a pattern, between two node slots, as written from left to right.

    ``types`` None: any. ``length`` None: exactly one; else (minimum, maximum) and the slot holds
    a list. ``step_*`` and ``step_predicate`` test single steps of a variable length part.
    """

    slot: int
    left: int
    right: int
    direction: Direction
    types: tuple[str, ...] | None = None
    length: tuple[int, int | None] | None = None
    step_relationship: int | None = None
    step_node: int | None = None
    step_predicate: b.Expression | None = None
    #: shortestPath, allShortestPaths, SHORTEST …: the selector of physical.ShortestPath
    selector: str | None = None
    count: int = 1


@dataclass(slots=True)
class GroupPart:
    """A quantified path pattern between two node slots."""

    slot: int
    left: int
    right: int
    inner: PatternMatch
    inner_start: int
    inner_end: int
    minimum: int
    maximum: int | None
    groups: tuple[p.GroupVariable, ...]
    inner_relationships: tuple[int, ...]


Part = RelationshipPart | GroupPart


@dataclass(slots=True)
class PatternMatch(p.Unary):
    """One MATCH: all its patterns as one graph.

    ``nodes``: slots of all node variables. ``bound``: slots of the pattern that have a value
    before the clause; ``existing``: those of nodes that were found at this clause's time, or are
    null. ``predicates``: labels, properties and WHERE, as conjuncts.
    ``paths``: named paths, made as soon as their parts are found.
    """

    nodes: tuple[int, ...]
    parts: tuple[Part, ...]
    predicates: tuple[b.Expression, ...]
    bound: frozenset[int]
    paths: tuple[tuple[int, b.PathValue], ...] = ()
    optional: bool = False
    view: View | None = None
    existing: frozenset[int] = frozenset()
    repeatable: bool = False
    at: int = -1

    @property
    def introduced(self) -> tuple[int, ...]:
        """Slots that get their value here."""
        found = [slot for slot in self.nodes if slot not in self.bound]
        for part in self.parts:
            if part.slot not in self.bound:
                found.append(part.slot)
            if isinstance(part, GroupPart):
                found += [group.outer for group in part.groups]
        return tuple(dict.fromkeys(found + [slot for slot, _ in self.paths]))


@dataclass(frozen=True, slots=True)
class SubqueryExpression(b.Expression):
    """``bound.Subquery`` before its plan is physical."""

    kind: str
    plan: p.Operator
    column: int | None = None


@dataclass(slots=True)
class BoundStatement:
    """What the binder hands to the planner."""

    root: p.Operator
    columns: tuple[tuple[str, int], ...]
    slot_names: list[str]
    parameters: set[str]
    writes: bool
    notifications: list[p.Notification] = field(default_factory=list)
    #: (kind, name, place): labels, types and property keys it reads
    names_used: tuple[tuple[str, str, int], ...] = ()
