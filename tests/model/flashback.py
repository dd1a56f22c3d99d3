"""What a flashback does to the model, the slow way, from the rules in docs/ngql/flashback.md.

A graph here is plain dictionaries, so *before*, *after* and *now* are compared entity by entity.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.model.graph import LABELS, TYPES, Graph, ModelNode, ModelRelationship, Refused

CONFLICT: Final = "ConstraintVerificationFailed"
_MISSING: Final = object()


@dataclass(frozen=True)
class Flashback:
    """Which kind, which of the versions known (picked modulo), which label or type."""

    kind: str
    version: int = 0
    name: int = 0


KINDS: Final = ("whole", "nodes", "relationships", "around", "path", "commit", "force")


def random_flashback(chance: random.Random) -> Flashback:
    return Flashback(chance.choice(KINDS), chance.randrange(1 << 16), chance.randrange(12))


@dataclass(frozen=True)
class Bound:
    """The statement, and its effect on the graph of now."""

    text: str
    effect: Callable[[Graph], None]


def bind(flashback: Flashback, snapshots: Mapping[int, Graph]) -> Bound:
    """The statement that a flashback means, given the graph of every version."""
    versions = sorted(snapshots)
    label = LABELS[flashback.name % len(LABELS)]
    kind = TYPES[flashback.name % len(TYPES)]
    if flashback.kind in ("commit", "force") and len(versions) > 1:
        version = versions[1 + flashback.version % (len(versions) - 1)]
        force = flashback.kind == "force"
        text = f"FLASHBACK TRANSACTION {version}{' FORCE' if force else ''}"
        before, after = snapshots[version - 1], snapshots[version]
        return Bound(text, lambda now: _undo_commit(before, after, now, force=force))
    version = versions[flashback.version % len(versions)]
    then = snapshots[version]
    text, matched = {
        "nodes": (f"(n:{label})", lambda g: (_labelled(g, label), set())),
        "relationships": (f"()-[r:{kind}]->()", lambda g: (set(), _typed(g, kind))),
        "around": (f"(n:{label})-[r]-()", lambda g: _around(g, label)),
        "path": (f"p = (:{label})-[:{kind}]->()", lambda g: _path(g, label, kind)),
    }.get(flashback.kind, ("", None))
    if matched is None:
        return Bound(f"FLASHBACK TO VERSION {version}", lambda now: _become(now, then))

    def effect(now: Graph) -> None:
        nodes, relationships = matched(then)
        more = matched(now)
        _restore(then, now, nodes | more[0], relationships | more[1])

    return Bound(f"FLASHBACK {text} TO VERSION {version}", effect)


def _become(now: Graph, then: Graph) -> None:
    now.nodes = copy.deepcopy(then.nodes)
    now.relationships = copy.deepcopy(then.relationships)


# --- what patterns match ---


def _labelled(graph: Graph, label: str) -> set[int]:
    return {uid for uid, node in graph.nodes.items() if label in node.labels}


def _typed(graph: Graph, kind: str) -> set[int]:
    return {uid for uid, one in graph.relationships.items() if one.type == kind}


def _around(graph: Graph, label: str) -> tuple[set[int], set[int]]:
    nodes = _labelled(graph, label)
    found = {
        uid for uid, one in graph.relationships.items() if one.start in nodes or one.end in nodes
    }
    ends = {end for uid in found for end in _ends(graph, uid)}
    return nodes & ends, found


def _path(graph: Graph, label: str, kind: str) -> tuple[set[int], set[int]]:
    nodes = _labelled(graph, label)
    found = {uid for uid in _typed(graph, kind) if graph.relationships[uid].start in nodes}
    return {end for uid in found for end in _ends(graph, uid)}, found


def _ends(graph: Graph, uid: int) -> tuple[int, int]:
    one = graph.relationships[uid]
    return one.start, one.end


# --- entities as they were ---


def _restore(then: Graph, now: Graph, nodes: set[int], relationships: set[int]) -> None:
    for uid in relationships:
        if uid in then.relationships and uid not in now.relationships:
            nodes = nodes | {end for end in _ends(then, uid) if end not in now.nodes}
    for uid in relationships:
        if uid not in then.relationships:
            now.relationships.pop(uid, None)
    for uid in nodes:
        if uid in then.nodes:
            now.nodes[uid] = copy.deepcopy(then.nodes[uid])
        elif uid in now.nodes:
            now.delete_node(uid)
    for uid in relationships:
        if uid in then.relationships:
            now.relationships[uid] = copy.deepcopy(then.relationships[uid])


# --- one commit undone: a merge of three states ---


def _undo_commit(before: Graph, after: Graph, now: Graph, *, force: bool) -> None:
    conflicts: list[str] = []
    result = now.copy()
    needed: set[int] = set()
    for uid, was in before.relationships.items():
        if uid in after.relationships:
            _merge(was, after.relationships[uid], result.relationships.get(uid), conflicts)
        elif uid not in now.relationships:
            result.relationships[uid] = copy.deepcopy(was)
            needed |= {end for end in (was.start, was.end) if end not in now.nodes}
        else:
            _again(was, result.relationships[uid], conflicts)
    for uid, made in after.relationships.items():
        if uid not in before.relationships and uid in now.relationships:
            if not _equal(made, now.relationships[uid]):
                conflicts.append("a relationship was changed")
            del result.relationships[uid]
    for uid, old in before.nodes.items():
        if uid in after.nodes:
            if uid in needed:
                conflicts.append("an end was deleted")
                result.nodes[uid] = copy.deepcopy(old)
            else:
                _merge(old, after.nodes[uid], result.nodes.get(uid), conflicts)
        elif uid not in now.nodes:
            result.nodes[uid] = copy.deepcopy(old)
        else:
            _again(old, result.nodes[uid], conflicts)
    for uid, fresh in after.nodes.items():
        if uid not in before.nodes and uid in now.nodes:
            if not _equal(fresh, now.nodes[uid]):
                conflicts.append("a node was changed")
            if any(one not in after.relationships for one in now.attached(uid)):
                conflicts.append("a node got a relationship")
            result.delete_node(uid)
    if conflicts and not force:
        raise Refused(CONFLICT)
    _become(now, result)


Entity = ModelNode | ModelRelationship


def _equal(one: Entity, other: Entity) -> bool:
    labels = not isinstance(one, ModelNode) or (
        isinstance(other, ModelNode) and one.labels == other.labels
    )
    keys = one.properties.keys() | other.properties.keys()
    return labels and all(_as_stored(one, key) == _as_stored(other, key) for key in keys)


def _as_stored(entity: Entity, key: str) -> Any:
    value = entity.properties.get(key, _MISSING)
    return type(value), value


def _again(was: Entity, now: Entity, conflicts: list[str]) -> None:
    """It was deleted by the commit and is there again."""
    if not _equal(was, now):
        conflicts.append("it came back otherwise")
        now.properties = copy.deepcopy(was.properties)
        if isinstance(was, ModelNode) and isinstance(now, ModelNode):
            now.labels = set(was.labels)


def _merge(was: Entity, left: Entity, now: Entity | None, conflicts: list[str]) -> None:
    """It was there before and after the commit."""
    if now is None:
        if not _equal(was, left):
            conflicts.append("it was deleted")
        return
    if isinstance(was, ModelNode) and isinstance(left, ModelNode) and isinstance(now, ModelNode):
        now.labels |= was.labels - left.labels
        now.labels -= left.labels - was.labels
    for key in was.properties.keys() | left.properties.keys():
        wanted, made, there = (_as_stored(each, key) for each in (was, left, now))
        if wanted == made or there == wanted:
            continue
        if there != made:
            conflicts.append(f"property {key} was changed")
        if wanted[1] is _MISSING:
            now.properties.pop(key, None)
        else:
            now.properties[key] = copy.deepcopy(wanted[1])
