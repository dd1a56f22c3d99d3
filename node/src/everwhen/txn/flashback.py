"""From the steps of a flashback to mutations, by the batch: at no time is more than one held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

from everwhen import limits
from everwhen.model.graph import EntityKind
from everwhen.mvcc.undo import Back, Changed, Gone, Step
from everwhen.txn import commands as c
from everwhen.txn.commit import Names


@dataclass(slots=True)
class Tally:
    """What a flashback does, in numbers. Properties and labels of what comes back count as set
    and added."""

    nodes_revived: int = 0
    nodes_deleted: int = 0
    nodes_changed: int = 0
    relationships_revived: int = 0
    relationships_deleted: int = 0
    relationships_changed: int = 0
    properties_set: int = 0
    labels_added: int = 0
    labels_removed: int = 0

    def items(self) -> list[tuple[str, int]]:
        """Name and number, in the order of the fields."""
        return [(one.name, getattr(self, one.name)) for one in fields(self)]

    def take(self, step: Step) -> None:
        """Count a step."""
        node = step.kind is EntityKind.NODE
        if isinstance(step, Gone):
            if node:
                self.nodes_deleted += 1
            else:
                self.relationships_deleted += 1
            return
        self.properties_set += len(step.properties)
        if isinstance(step, Back):
            if node:
                self.nodes_revived += 1
                self.labels_added += len(step.names)
            else:
                self.relationships_revived += 1
            return
        self.labels_added += len(step.gained)
        self.labels_removed += len(step.lost)
        if node:
            self.nodes_changed += 1
        else:
            self.relationships_changed += 1


class Batch(NamedTuple):
    """Mutations with the table of their names; ``whole``: there are no others."""

    names: list[str]
    mutations: list[c.AnyMutation]
    whole: bool

    def chunks(self) -> Iterator[list[c.AnyMutation]]:
        """The mutations, as many at a time as one chunk carries."""
        size = limits.FLASHBACK_MUTATIONS_PER_CHUNK
        for at in range(0, len(self.mutations), size):
            yield self.mutations[at : at + size]


def batches(steps: Iterator[Step]) -> Iterator[Batch]:
    """The first batch is as large as one commit may be, the others as one chunk."""
    most, first = limits.MUTATIONS_PER_COMMIT_MAX, True
    names, mutations, size = Names(), list[c.AnyMutation](), 0
    for step in steps:
        for mutation in _mutations(step, names):
            mutations.append(mutation)
        if not isinstance(step, Gone):
            size += sum(len(value) for value in step.properties.values() if value is not None)
        if len(mutations) >= most or size > limits.CHUNK_BYTES:
            yield Batch(names.names, mutations, whole=False)
            most, first = limits.FLASHBACK_MUTATIONS_PER_CHUNK, False
            names, mutations, size = Names(), [], 0
    if mutations:
        yield Batch(names.names, mutations, whole=first)


def _mutations(step: Step, names: Names) -> Iterator[c.AnyMutation]:
    at = names.at
    node = step.kind is EntityKind.NODE
    if isinstance(step, Gone):
        yield c.DeleteNode(step.id) if node else c.DeleteRelationship(step.id)
    elif isinstance(step, Back):
        values = {at(key): value for key, value in step.properties.items()}
        if step.ends is None:
            yield c.ReviveNode(step.id, [at(name) for name in step.names], values)
        else:
            yield c.ReviveRelationship(step.id, at(step.names[0]), *step.ends, values)
    else:
        yield from _changes(step, names, node=node)


def _changes(step: Changed, names: Names, *, node: bool) -> Iterator[c.AnyMutation]:
    at = names.at
    if step.gained or step.lost:
        yield c.ChangeLabels(step.id, [at(x) for x in step.gained], [at(x) for x in step.lost])
    if step.properties:
        values = {at(key): value for key, value in step.properties.items()}
        yield c.ChangeNode(step.id, values) if node else c.ChangeRelationship(step.id, values)
