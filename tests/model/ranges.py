"""What a pattern finds through a range of versions, by looking at every version of the range.

A match at one version binds elements; each is named by its uid and the version since which it looks
as it does. The same names found at several versions are one row, which knows those versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.model.graph import Graph

Named = tuple[int, int]
"""uid, version since."""
Found = tuple[Named, ...]


class Versions:
    """Since when each entity looks as it does, at every version of a history."""

    def __init__(self, snapshots: Mapping[int, Graph]) -> None:
        self.snapshots = snapshots
        self._since: dict[tuple[str, int, int], int] = {}
        last: Graph | None = None
        for version in sorted(snapshots):
            graph = snapshots[version]
            for kind, entities in (("n", graph.nodes), ("r", graph.relationships)):
                for uid, entity in entities.items():
                    before = None if last is None else _of(last, kind).get(uid)
                    same = before is not None and _stored(before) == _stored(entity)
                    since = self._since[kind, uid, version - 1] if same else version
                    self._since[kind, uid, version] = since
            last = graph

    def node(self, uid: int, version: int) -> Named:
        return uid, self._since["n", uid, version]

    def relationship(self, uid: int, version: int) -> Named:
        return uid, self._since["r", uid, version]


def _of(graph: Graph, kind: str) -> Mapping[int, Any]:
    return graph.nodes if kind == "n" else graph.relationships


def _stored(entity: Any) -> tuple[Any, ...]:
    """Apart where ``=`` says equal and yet something changed: 1 and 1.0, true and 1."""
    labels = getattr(entity, "labels", ())
    values = {key: repr(value) for key, value in entity.properties.items()}
    return sorted(labels), sorted(values.items())


@dataclass(frozen=True)
class Pattern:
    """The text after MATCH, the names it returns, and the matches at one version: what is returned
    first, then what else was matched."""

    text: str
    returns: str
    matches: Callable[[Versions, int], Iterator[tuple[Found, Found]]]
    #: a test of the versions, of those that a row holds at
    where: Callable[[Versions, Found, int], bool] | None = None
    negated: bool = False


def rows(versions: Versions, pattern: Pattern, low: int, high: int) -> Counter[Found]:
    """The rows of a pattern from one version to another, both included."""
    held: dict[tuple[Found, Found], bool] = {}
    for version in range(low, high + 1):
        for row in pattern.matches(versions, version):
            tested = pattern.where is not None and pattern.where(versions, row[0], version)
            held[row] = held.get(row, False) or tested
    return Counter(
        row[0] for row, tested in held.items() if pattern.where is None or tested != pattern.negated
    )


def steps(
    v: Versions, version: int, start: int, type_: str | None, direction: str
) -> Iterator[tuple[int, int]]:
    """Relationship and other end, for each way along one."""
    for uid, one in v.snapshots[version].relationships.items():
        if type_ is not None and one.type != type_:
            continue
        if one.start == start and direction in ">-":
            yield uid, one.end
        if one.end == start and direction in "<-" and not (direction == "-" and one.start == start):
            yield uid, one.start


def nodes(label: str | None, key: str = "", value: Any = None) -> Any:
    """``(n:label {key: value})``."""

    def matches(v: Versions, version: int) -> Iterator[tuple[Found, Found]]:
        for uid, node in v.snapshots[version].nodes.items():
            if label is not None and label not in node.labels:
                continue
            stored = node.properties.get(key)
            if key and (type(stored) is bool or stored != value):
                continue
            yield (v.node(uid, version),), ()

    return matches


def chain(label: str | None, *hops: tuple[str | None, str]) -> Any:
    """``(:label)-[:type]->()…``: node, relationship, node … in order."""

    def walk(v: Versions, version: int, here: int, at: int, used: list[int]) -> Iterator[list[Any]]:
        if at == len(hops):
            yield []
            return
        for uid, other in steps(v, version, here, *hops[at]):
            if uid not in used:
                for rest in walk(v, version, other, at + 1, [*used, uid]):
                    yield [v.relationship(uid, version), v.node(other, version), *rest]

    def matches(v: Versions, version: int) -> Iterator[tuple[Found, Found]]:
        for uid, node in v.snapshots[version].nodes.items():
            if label is None or label in node.labels:
                for rest in walk(v, version, uid, 0, []):
                    yield (v.node(uid, version), *rest), ()

    return matches


def longer(label: str, shortest: int, longest: int) -> Any:
    """``(a:label)-[rs*shortest..longest]->(b)``: what is returned is a, b and the relationships."""

    def matches(v: Versions, version: int) -> Iterator[tuple[Found, Found]]:
        for length in range(shortest, longest + 1):
            for found, _ in chain(label, *[(None, ">")] * length)(v, version):
                yield (found[0], found[-1], *found[1::2]), found[2::2]

    return matches


def bound(label: str, type_: str) -> Any:
    """``(a:label)`` of the present, then ``(a)-[r:type]->(b)`` in the range: a keeps its version."""

    def matches(v: Versions, version: int) -> Iterator[tuple[Found, Found]]:
        last = max(v.snapshots)
        for uid, node in v.snapshots[last].nodes.items():
            if label in node.labels:
                for one, other in steps(v, version, uid, type_, ">"):
                    names = v.node(uid, last), v.relationship(one, version), v.node(other, version)
                    yield names, ()

    return matches


def has_out(type_: str) -> Callable[[Versions, Found, int], bool]:
    """``EXISTS { (first)-[:type]->() }``."""

    def test(v: Versions, found: Found, version: int) -> bool:
        return any(True for _ in steps(v, version, found[0][0], type_, ">"))

    return test
