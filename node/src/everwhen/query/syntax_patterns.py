"""Syntax tree: labels, patterns, times. Rules and sources: :mod:`everwhen.query.syntax`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from everwhen.query.syntax_base import Syntax

if TYPE_CHECKING:
    from everwhen.query.syntax_base import Direction, Expression
    from everwhen.query.syntax_expressions import Variable


# --- label and type expressions --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LabelExpression(Syntax):
    """Of labels on nodes, of types on relationships."""


@dataclass(frozen=True, slots=True)
class LabelName(LabelExpression):
    name: str


@dataclass(frozen=True, slots=True)
class LabelWildcard(LabelExpression):
    """``%``: at least one label."""


@dataclass(frozen=True, slots=True)
class LabelNot(LabelExpression):
    operand: LabelExpression


@dataclass(frozen=True, slots=True)
class LabelAnd(LabelExpression):
    """``A&B`` and the older ``:A:B``."""

    operands: tuple[LabelExpression, ...]


@dataclass(frozen=True, slots=True)
class LabelOr(LabelExpression):
    """``A|B`` and the older ``:A|:B``."""

    operands: tuple[LabelExpression, ...]


@dataclass(frozen=True, slots=True)
class DynamicLabel(LabelExpression):
    """``$(e)``, ``$all(e)`` or, when ``any``, ``$any(e)``; e is a string or a list of them."""

    expression: Expression
    any: bool = False


# --- patterns --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodePattern(Syntax):
    """``(variable:labels properties WHERE where)``; properties: MapLiteral or Parameter."""

    variable: Variable | None = None
    labels: LabelExpression | None = None
    properties: Expression | None = None
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class VariableLength(Syntax):
    """``*`` (both None), ``*n`` (equal), ``*n..``, ``*..m``, ``*n..m``; a missing minimum is 1."""

    minimum: int | None
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Repetition(Syntax):
    """``{n}``, ``{n,m}``, ``+`` (1, None), ``*`` (0, None) after a relationship or a group."""

    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class RelationshipPattern(Syntax):
    """``-[variable:types*length properties WHERE where]->``.

    At most one of ``length`` (openCypher) and ``repetition`` (GQL, after the arrow) is given.
    """

    direction: Direction
    variable: Variable | None = None
    types: LabelExpression | None = None
    length: VariableLength | None = None
    properties: Expression | None = None
    where: Expression | None = None
    repetition: Repetition | None = None


@dataclass(frozen=True, slots=True)
class GroupPattern(Syntax):
    """``((a)-[:R]->(b) WHERE where){1,3}``; without a repetition it is only a parenthesis.

    Inside a repeated group variables are lists for everything outside it.
    """

    path: PathPattern
    where: Expression | None
    repetition: Repetition | None


PatternElement = NodePattern | RelationshipPattern | GroupPattern


@dataclass(frozen=True, slots=True)
class PathSelector(Syntax):
    """Before a pattern: ``ANY k`` (kind any), ``ALL SHORTEST``, ``SHORTEST k``,
    ``SHORTEST k GROUPS``, and ``shortestPath(…)`` / ``allShortestPaths(…)`` around one.

    ``count`` is k (1 when not written); it means nothing for the ``all`` kinds.
    """

    kind: Literal[
        "any",
        "all",
        "shortest",
        "all_shortest",
        "shortest_groups",
        "shortestPath",
        "allShortestPaths",
    ]
    count: int = 1


@dataclass(frozen=True, slots=True)
class PathPattern(Syntax):
    """``variable = selector element …``.

    Elements begin and end with a node or a group; two nodes never stand side by side, but a
    node and a group, or two groups, may (they then meet in one node).
    """

    elements: tuple[PatternElement, ...]
    variable: Variable | None = None
    selector: PathSelector | None = None


# --- time ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimeSpec(Syntax):
    """When to read. ``end`` is given only for the two range kinds."""

    kind: Literal["time", "version", "between", "from_to"]
    start: Expression
    end: Expression | None = None
