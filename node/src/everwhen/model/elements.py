"""Nodes, relationships and paths as query values.

An entity *is* its id (architecture brief, section 5, "Identity"): equality and hashing look at
the id only. What it looks like (labels, properties) is read through the view it was bound at, so
that a variable bound ``AT TIME t`` keeps showing its properties of ``t`` while another variable of
the same statement shows today's. Nothing is cached here: the view decides, because a
transaction's own writes must show through variables bound before them.

A value that leaves the engine (a result row) is *detached*: its view is a :class:`Detached` that
holds a copy, so it stays readable after the transaction ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Value = Any
"""Any NGQL value: see ``model.values`` for the list of Python classes."""


class ElementReader(Protocol):
    """What an element needs of its view."""

    @property
    def writable(self) -> bool:
        """Whether what is bound here may be written to: not in the past."""

    def node_labels(self, node_id: int) -> tuple[str, ...]: ...

    def node_properties(self, node_id: int) -> Mapping[str, Value]: ...

    def node_property(self, node_id: int, key: str) -> Value: ...

    def relationship_properties(self, relationship_id: int) -> Mapping[str, Value]: ...

    def relationship_property(self, relationship_id: int, key: str) -> Value: ...


class Detached:
    """A copy of one element's labels and properties, standing in for a view."""

    __slots__ = ("labels", "properties")

    def __init__(self, labels: tuple[str, ...], properties: Mapping[str, Value]) -> None:
        self.labels = labels
        self.properties = properties

    @property
    def writable(self) -> bool:
        return True

    def node_labels(self, node_id: int) -> tuple[str, ...]:
        return self.labels

    def node_properties(self, node_id: int) -> Mapping[str, Value]:
        return self.properties

    def node_property(self, node_id: int, key: str) -> Value:
        return self.properties.get(key)

    def relationship_properties(self, relationship_id: int) -> Mapping[str, Value]:
        return self.properties

    def relationship_property(self, relationship_id: int, key: str) -> Value:
        return self.properties.get(key)


class Node:
    """A node bound at a view. ``view`` raises ``EntityNotFound`` if it is deleted there."""

    __slots__ = ("id", "view")

    def __init__(self, id: int, view: ElementReader) -> None:  # noqa: A002 - the field's name
        self.id = id
        self.view = view

    @property
    def element_id(self) -> str:
        return f"4:neo4j:{self.id}"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in ascending code point order."""
        return self.view.node_labels(self.id)

    @property
    def properties(self) -> Mapping[str, Value]:
        """All properties; iteration order is ascending by key."""
        return self.view.node_properties(self.id)

    def get(self, key: str) -> Value:
        """One property, or None."""
        return self.view.node_property(self.id, key)

    def detach(self) -> Node:
        """A copy that outlives the transaction."""
        return Node(self.id, Detached(self.labels, dict(self.properties)))

    def __eq__(self, other: object) -> bool:
        return type(other) is Node and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"Node({self.id})"


class Relationship:
    """A relationship bound at a view; type and end nodes never change, so they live here."""

    __slots__ = ("end", "id", "start", "type", "view")

    def __init__(
        self,
        id: int,  # noqa: A002 - the field's name
        type: str,  # noqa: A002 - the field's name
        start: int,
        end: int,
        view: ElementReader,
    ) -> None:
        self.id = id
        self.type = type
        self.start = start
        self.end = end
        self.view = view

    @property
    def element_id(self) -> str:
        return f"5:neo4j:{self.id}"

    @property
    def properties(self) -> Mapping[str, Value]:
        """All properties; iteration order is ascending by key."""
        return self.view.relationship_properties(self.id)

    def get(self, key: str) -> Value:
        """One property, or None."""
        return self.view.relationship_property(self.id, key)

    def other(self, node_id: int) -> int:
        """The end that is not ``node_id`` (the same one for a loop)."""
        return self.end if self.start == node_id else self.start

    def detach(self) -> Relationship:
        """A copy that outlives the transaction."""
        copy = Detached((), dict(self.properties))
        return Relationship(self.id, self.type, self.start, self.end, copy)

    def __eq__(self, other: object) -> bool:
        return type(other) is Relationship and other.id == self.id

    def __hash__(self) -> int:
        return self.id ^ 0x5555_5555

    def __repr__(self) -> str:
        return f"Relationship({self.id}, {self.type}, {self.start}->{self.end})"


class Path:
    """Nodes and relationships in walking order; ``len(nodes) == len(relationships) + 1``."""

    __slots__ = ("nodes", "relationships")

    def __init__(self, nodes: tuple[Node, ...], relationships: tuple[Relationship, ...]) -> None:
        self.nodes = nodes
        self.relationships = relationships

    @property
    def start(self) -> Node:
        return self.nodes[0]

    @property
    def end(self) -> Node:
        return self.nodes[-1]

    def detach(self) -> Path:
        """A copy that outlives the transaction."""
        return Path(
            tuple(n.detach() for n in self.nodes), tuple(r.detach() for r in self.relationships)
        )

    def __len__(self) -> int:
        return len(self.relationships)

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is Path
            and other.nodes == self.nodes
            and other.relationships == self.relationships
        )

    def __hash__(self) -> int:
        return hash((self.nodes, self.relationships))

    def __repr__(self) -> str:
        return f"Path({self.nodes!r}, {self.relationships!r})"
