"""A property graph as plain dictionaries, and the statements whose effect on it is known.

Written apart from the database: no code of it is imported. An entity is known by its property
``uid``, which the statements give it, so that model and database can be compared by queries.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

LABELS: Final = ("A", "B", "C")
TYPES: Final = ("T", "S")
KEYS: Final = ("k", "j", "w")
#: values of several types, some equal across types, so that indexes meet mixed columns
VALUES: Final[tuple[Any, ...]] = (
    0, 1, 2, -1, 1.0, 2.5, "a", "b", "", True, False, [1, 2], ["a"], 2**62, -0.5,
)  # fmt: skip


@dataclass
class ModelNode:
    labels: set[str]
    properties: dict[str, Any]


@dataclass
class ModelRelationship:
    type: str
    start: int
    end: int
    properties: dict[str, Any]


@dataclass
class Graph:
    """The state at one moment; entities by uid."""

    nodes: dict[int, ModelNode] = field(default_factory=dict)
    relationships: dict[int, ModelRelationship] = field(default_factory=dict)

    def copy(self) -> Graph:
        return copy.deepcopy(self)

    def attached(self, uid: int) -> list[int]:
        """Relationships of a node."""
        return [r for r, rel in self.relationships.items() if uid in (rel.start, rel.end)]

    def delete_node(self, uid: int) -> None:
        for relationship in self.attached(uid):
            del self.relationships[relationship]
        del self.nodes[uid]


class Refused(Exception):
    """The statement must fail; carries the error type of the TCK."""


@dataclass(frozen=True)
class Op:
    """A statement before it is bound to entities: small numbers picked modulo what exists."""

    kind: str
    a: int = 0
    b: int = 0
    label: int = 0
    key: int = 0
    value: int = 0


@dataclass(frozen=True)
class Statement:
    """Query text and parameters, and the same effect on the model."""

    text: str
    parameters: Mapping[str, Any]
    effect: Callable[[Graph], None]


class Binder:
    """Turns ops into statements, handing out uids that are never used twice."""

    def __init__(self) -> None:
        self.last_uid = 0

    def fresh(self) -> int:
        self.last_uid += 1
        return self.last_uid

    def bind(self, op: Op, graph: Graph) -> Statement:
        """The statement an op means in a graph; ops without a subject become creations."""
        maker: Callable[[Op, Graph], Statement | None] = getattr(self, "_" + op.kind)
        return maker(op, graph) or self._create_node(op, graph)

    def _create_node(self, op: Op, graph: Graph) -> Statement:
        uid = self.fresh()
        labels = {LABELS[(op.label + i) % len(LABELS)] for i in range(op.b % 3)}
        properties = {"uid": uid, _key(op): _value(op)}

        def effect(g: Graph) -> None:
            g.nodes[uid] = ModelNode(set(labels), dict(properties))

        text = "CREATE (n" + "".join(f":{label}" for label in sorted(labels)) + ") SET n = $p"
        return Statement(text, {"p": properties}, effect)

    def _create_many(self, op: Op, graph: Graph) -> Statement:
        rows = [{"uid": self.fresh(), _key(op): VALUES[(op.value + i) % len(VALUES)]}
                for i in range(op.a % 4 + 1)]  # fmt: skip
        label = _label(op)

        def effect(g: Graph) -> None:
            for row in rows:
                g.nodes[row["uid"]] = ModelNode({label}, dict(row))

        return Statement(
            f"UNWIND $rows AS row CREATE (n:{label}) SET n = row", {"rows": rows}, effect
        )

    def _create_relationship(self, op: Op, graph: Graph) -> Statement | None:
        start, end = _pick(graph.nodes, op.a), _pick(graph.nodes, op.b)
        if start is None or end is None:
            return None
        uid, kind = self.fresh(), TYPES[op.label % len(TYPES)]
        properties = {"uid": uid, _key(op): _value(op)}

        def effect(g: Graph) -> None:
            g.relationships[uid] = ModelRelationship(kind, start, end, dict(properties))

        text = f"MATCH (a {{uid: $a}}), (b {{uid: $b}}) CREATE (a)-[r:{kind}]->(b) SET r = $p"
        return Statement(text, {"a": start, "b": end, "p": properties}, effect)

    def _delete_relationship(self, op: Op, graph: Graph) -> Statement | None:
        uid = _pick(graph.relationships, op.a)
        if uid is None:
            return None

        def effect(g: Graph) -> None:
            del g.relationships[uid]

        return Statement("MATCH ()-[r {uid: $u}]->() DELETE r", {"u": uid}, effect)

    def _detach_delete(self, op: Op, graph: Graph) -> Statement | None:
        uid = _pick(graph.nodes, op.a)
        if uid is None:
            return None
        return Statement(
            "MATCH (n {uid: $u}) DETACH DELETE n", {"u": uid}, lambda g: g.delete_node(uid)
        )

    def _delete_node(self, op: Op, graph: Graph) -> Statement | None:
        uid = _pick(graph.nodes, op.a)
        if uid is None:
            return None

        def effect(g: Graph) -> None:
            if g.attached(uid):
                raise Refused("ConstraintVerificationFailed")
            g.delete_node(uid)

        return Statement("MATCH (n {uid: $u}) DELETE n", {"u": uid}, effect)

    def _set_property(self, op: Op, graph: Graph) -> Statement | None:
        uid = _pick(graph.nodes, op.a)
        key, value = _key(op), _value(op)
        if uid is None:
            return None

        def effect(g: Graph) -> None:
            g.nodes[uid].properties[key] = value

        text = f"MATCH (n {{uid: $u}}) SET n.{key} = $v"
        return Statement(text, {"u": uid, "v": value}, effect)

    def _set_relationship_property(self, op: Op, graph: Graph) -> Statement | None:
        uid = _pick(graph.relationships, op.a)
        key, value = _key(op), _value(op)
        if uid is None:
            return None

        def effect(g: Graph) -> None:
            g.relationships[uid].properties[key] = value

        text = f"MATCH ()-[r {{uid: $u}}]->() SET r += {{{key}: $v}}"
        return Statement(text, {"u": uid, "v": value}, effect)

    def _remove_property(self, op: Op, graph: Graph) -> Statement | None:
        uid = _pick(graph.nodes, op.a)
        key = _key(op)
        if uid is None:
            return None

        def effect(g: Graph) -> None:
            g.nodes[uid].properties.pop(key, None)

        return Statement(f"MATCH (n {{uid: $u}}) REMOVE n.{key}", {"u": uid}, effect)

    def _replace_properties(self, op: Op, graph: Graph) -> Statement | None:
        uid = _pick(graph.nodes, op.a)
        if uid is None:
            return None
        properties = {"uid": uid, _key(op): _value(op)}

        def effect(g: Graph) -> None:
            g.nodes[uid].properties = dict(properties)

        return Statement("MATCH (n {uid: $u}) SET n = $p", {"u": uid, "p": properties}, effect)

    def _add_label(self, op: Op, graph: Graph) -> Statement | None:
        uid, label = _pick(graph.nodes, op.a), _label(op)
        if uid is None:
            return None
        text = f"MATCH (n {{uid: $u}}) SET n:{label}"
        return Statement(text, {"u": uid}, lambda g: g.nodes[uid].labels.add(label))

    def _remove_label(self, op: Op, graph: Graph) -> Statement | None:
        uid, label = _pick(graph.nodes, op.a), _label(op)
        if uid is None:
            return None
        text = f"MATCH (n {{uid: $u}}) REMOVE n:{label}"
        return Statement(text, {"u": uid}, lambda g: g.nodes[uid].labels.discard(label))

    def _set_by_label(self, op: Op, graph: Graph) -> Statement:
        label, key, value = _label(op), _key(op), _value(op)

        def effect(g: Graph) -> None:
            for node in g.nodes.values():
                if label in node.labels:
                    node.properties[key] = value

        return Statement(f"MATCH (n:{label}) SET n.{key} = $v", {"v": value}, effect)

    def _label_by_value(self, op: Op, graph: Graph) -> Statement:
        label, key, value = _label(op), _key(op), _value(op)
        other = LABELS[(op.label + 1) % len(LABELS)]

        def effect(g: Graph) -> None:
            for node in g.nodes.values():
                if label in node.labels and same(node.properties.get(key), value):
                    node.labels.add(other)

        return Statement(f"MATCH (n:{label} {{{key}: $v}}) SET n:{other}", {"v": value}, effect)

    def _delete_by_label(self, op: Op, graph: Graph) -> Statement:
        label, key, value = _label(op), _key(op), _value(op)

        def effect(g: Graph) -> None:
            for uid in [
                u
                for u, node in g.nodes.items()
                if label in node.labels and same(node.properties.get(key), value)
            ]:
                g.delete_node(uid)

        text = f"MATCH (n:{label}) WHERE n.{key} = $v DETACH DELETE n"
        return Statement(text, {"v": value}, effect)

    def _merge(self, op: Op, graph: Graph) -> Statement:
        label, key, value = _label(op), _key(op), _value(op)
        uid = self.fresh()

        def effect(g: Graph) -> None:
            found = [
                node
                for node in g.nodes.values()
                if label in node.labels and same(node.properties.get(key), value)
            ]
            for node in found:
                node.properties["met"] = uid
            if not found:
                g.nodes[uid] = ModelNode({label}, {"uid": uid, key: value})

        text = f"MERGE (n:{label} {{{key}: $v}}) ON CREATE SET n.uid = $u ON MATCH SET n.met = $u"
        return Statement(text, {"v": value, "u": uid}, effect)


#: kinds by how often a random history uses them
KINDS: Final[Mapping[str, int]] = {
    "create_node": 6,
    "create_many": 3,
    "create_relationship": 8,
    "delete_relationship": 3,
    "detach_delete": 2,
    "delete_node": 2,
    "set_property": 5,
    "set_relationship_property": 4,
    "remove_property": 2,
    "replace_properties": 2,
    "add_label": 3,
    "remove_label": 3,
    "set_by_label": 1,
    "label_by_value": 1,
    "delete_by_label": 1,
    "merge": 3,
}


def same(stored: Any, asked: Any) -> bool:
    """Cypher's ``=`` as far as the values of the model go: null and unlike types are not equal."""
    if stored is None or asked is None or isinstance(stored, bool) != isinstance(asked, bool):
        return False
    return bool(stored == asked)


def _pick(entities: Mapping[int, Any], number: int) -> int | None:
    return sorted(entities)[number % len(entities)] if entities else None


def _label(op: Op) -> str:
    return LABELS[op.label % len(LABELS)]


def _key(op: Op) -> str:
    return KEYS[op.key % len(KEYS)]


def _value(op: Op) -> Any:
    return VALUES[op.value % len(VALUES)]
