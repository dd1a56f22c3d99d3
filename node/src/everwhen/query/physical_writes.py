"""Operators that change the graph, and what they create and set."""

from __future__ import annotations

from dataclasses import dataclass

from everwhen.query.bound import Expression
from everwhen.query.physical_base import Operator, Unary


@dataclass(slots=True)
class LabelSource:
    """Labels to write: names known now, and expressions for dynamic ones."""

    names: tuple[str, ...] = ()
    dynamic: tuple[Expression, ...] = ()


@dataclass(slots=True)
class NodeSpec:
    """A node to create. ``properties``: a map expression, or None."""

    slot: int
    labels: LabelSource
    properties: Expression | None


@dataclass(slots=True)
class RelationshipSpec:
    """A relationship to create, from slot to slot (already turned by its direction).
    ``type`` is a name, or an expression for a dynamic one."""

    slot: int
    type: str | Expression
    start: int
    end: int
    properties: Expression | None
    at: int = -1


@dataclass(slots=True)
class Create(Unary):
    """Creates nodes and relationships in order (a NodeSpec before what needs it)."""

    specs: tuple[NodeSpec | RelationshipSpec, ...]


@dataclass(slots=True)
class SetProperty:
    """``entity.key = value``; ``entity`` is an expression giving a node or relationship."""

    entity: Expression
    key: str | Expression
    value: Expression


@dataclass(slots=True)
class SetProperties:
    """``entity = map`` (``replace``) or ``entity += map``; value may be an entity."""

    entity: Expression
    value: Expression
    replace: bool


@dataclass(slots=True)
class SetLabels:
    entity: Expression
    labels: LabelSource


@dataclass(slots=True)
class RemoveProperty:
    entity: Expression
    key: str | Expression


@dataclass(slots=True)
class RemoveLabels:
    entity: Expression
    labels: LabelSource


Change = SetProperty | SetProperties | SetLabels | RemoveProperty | RemoveLabels


@dataclass(slots=True)
class Update(Unary):
    """SET and REMOVE: the changes in order, per row."""

    changes: tuple[Change, ...]


@dataclass(slots=True)
class Merge(Unary):
    """MERGE: rows of ``inner`` (the match); if there is none, ``specs`` are created.

    Null properties in the pattern are an error. ``key_labels`` describe the pattern conflict
    key: exec builds it from the specs' labels, types, end ids and property values.
    """

    inner: Operator
    specs: tuple[NodeSpec | RelationshipSpec, ...]
    on_create: tuple[Change, ...]
    on_match: tuple[Change, ...]
    slots: tuple[int, ...]


@dataclass(slots=True)
class Delete(Unary):
    """DELETE of nodes, relationships, paths (null is ignored); ``detach`` removes a node's
    relationships too."""

    expressions: tuple[Expression, ...]
    detach: bool


@dataclass(slots=True)
class Foreach(Unary):
    """Runs ``inner`` (updates over Argument) for each element; yields the row once."""

    slot: int
    source: Expression
    inner: Operator
