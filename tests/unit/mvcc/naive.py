"""The slow, obvious graph that the record is compared with: one dictionary per version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class NaiveNode:
    labels: frozenset[str]
    properties: dict[str, Any]
    #: counts up when an id comes back to life
    lifetime: int = 0

    def copy(self) -> NaiveNode:
        return NaiveNode(self.labels, dict(self.properties), self.lifetime)


@dataclass
class NaiveRelationship:
    type: str
    start: int
    end: int
    properties: dict[str, Any]
    lifetime: int = 0

    def copy(self) -> NaiveRelationship:
        return NaiveRelationship(
            self.type, self.start, self.end, dict(self.properties), self.lifetime
        )


@dataclass
class NaiveGraph:
    nodes: dict[int, NaiveNode] = field(default_factory=dict)
    relationships: dict[int, NaiveRelationship] = field(default_factory=dict)

    def copy(self) -> NaiveGraph:
        return NaiveGraph(
            {key: node.copy() for key, node in self.nodes.items()},
            {key: one.copy() for key, one in self.relationships.items()},
        )

    def delete_node(self, node: int) -> None:
        """With its relationships."""
        del self.nodes[node]
        for key, one in list(self.relationships.items()):
            if node in (one.start, one.end):
                del self.relationships[key]
