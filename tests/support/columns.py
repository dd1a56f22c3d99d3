"""A small, slow implementation of ``model.columns`` over any view of a graph, to test against.

Rows are given in a random order. Relationships are spread by chance over the base of their
adjacency and the chain of what came since, and among them stand some that begin later or ended
before, which nobody may see.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from everwhen.exec.batch.texts import LocalTexts
from everwhen.model.columns import (
    ANY,
    BOOLEAN,
    FLOAT,
    INT,
    NEVER,
    NULL,
    STRING,
    Adjacency,
    Vector,
)
from everwhen.model.graph import GraphView

_VERSION = 5


class NaiveTable:
    """``TypeColumns``."""

    def __init__(self, graph: NaiveColumns, name: str, number: int, found: list[Any]) -> None:
        self.graph, self.type, self.number = graph, name, number
        self._ids = [r.id for r in found]
        self._row_of = {identity: row for row, identity in enumerate(self._ids)}
        self._starts = np.array([graph.row_of[r.start] for r in found], np.int32)
        self._ends = np.array([graph.row_of[r.end] for r in found], np.int32)
        self._adjacency = {out: self._make(out) for out in (True, False)}

    def count(self) -> int:
        return len(self._ids)

    def rows(self):
        return np.array(sorted(range(len(self._ids)), key=self._ids.__getitem__), np.int32)

    def ids(self, rows):
        return np.array([self._ids[row] for row in rows.tolist()], np.int64)

    def ends(self, rows):
        return self._starts[rows], self._ends[rows]

    def rows_of(self, ids):
        return np.array([self._row_of.get(i, -1) for i in ids.tolist()], np.int32)

    def values(self, key, rows):
        ids = self.ids(rows).tolist()
        return vector([self.graph.view.relationship_property(i, key) for i in ids])

    def adjacency(self, outgoing: bool) -> Adjacency:
        return self._adjacency[outgoing]

    @property
    def parallel(self) -> bool:
        return True

    def _make(self, outgoing: bool) -> Adjacency:
        chance, n = self.graph.chance, self.graph.node_rows
        near, far = (self._starts, self._ends) if outgoing else (self._ends, self._starts)
        masked, chained = chance.random() < 0.7, chance.random() < 0.7
        base: list[tuple[int, int, int, int, int]] = []
        later: list[tuple[int, int, int, int, int]] = []
        for row in range(len(self._ids)):
            entry = (int(near[row]), int(far[row]), row, 1, NEVER)
            (later if chained and chance.random() < 0.4 else base).append(entry)
        for _ in range(n if len(self._ids) else 0):
            gone = (chance.randrange(n), chance.randrange(n), chance.randrange(len(self._ids)))
            begin, end = chance.choice(((1, 3), (_VERSION + 1, NEVER), (2, _VERSION)))
            if masked and chance.random() < 0.5:
                base.append((*gone, begin, end))
            elif chained:
                later.append((*gone, begin, end))
        return _adjacency(sorted(base), later, n, masked)


def _adjacency(base: list[Any], later: list[Any], n: int, masked: bool) -> Adjacency:
    known = max((entry[0] for entry in base), default=-1) + 1  # rows behind have none
    offsets = np.searchsorted([e[0] for e in base], np.arange(known + 1)).astype(np.int64)
    heads, nexts = np.full(n if later else 0, -1, np.int32), np.full(len(later), -1, np.int32)
    for place, entry in enumerate(later):
        nexts[place], heads[entry[0]] = heads[entry[0]], place
    begins = [entry[3] for entry in base] if masked else []
    ends = [entry[4] for entry in base] if masked else []
    return Adjacency(
        _VERSION,
        offsets,
        np.array([entry[1] for entry in base], np.int32),
        np.array([entry[2] for entry in base], np.int32),
        np.array(begins, np.uint32),
        np.array(ends, np.uint32),
        heads,
        nexts,
        np.array([entry[1] for entry in later], np.int32),
        np.array([entry[2] for entry in later], np.int32),
        np.array([entry[3] for entry in later], np.uint32),
        np.array([entry[4] for entry in later], np.uint32),
    )


class NaiveColumns:
    """``GraphColumns``."""

    def __init__(self, view: GraphView, seed: int = 0, generation: int = 0) -> None:
        self.view, self.chance = view, random.Random(seed)
        self.version, self.generation = view.version, generation
        self._nodes = [node.id for node in view.nodes()]
        self._by_row = self._nodes[:] + [-1] * 3
        self.chance.shuffle(self._by_row)
        self.row_of = {identity: row for row, identity in enumerate(self._by_row) if identity >= 0}
        found: dict[str, list[Any]] = {}
        for relationship in view.relationships():
            found.setdefault(relationship.type, []).append(relationship)
        for group in found.values():
            self.chance.shuffle(group)
        self._tables = [
            NaiveTable(self, name, number, found[name]) for number, name in enumerate(sorted(found))
        ]

    @property
    def node_rows(self) -> int:
        return len(self._by_row)

    def nodes(self):
        return np.array([self.row_of[i] for i in self._nodes], np.int32)

    def labelled(self, label):
        return np.array([self.row_of[n.id] for n in self.view.nodes_with_label(label)], np.int32)

    def has_label(self, label, rows):
        ids = self.node_ids(rows).tolist()
        return np.array([label in self.view.node_labels(i) for i in ids], np.bool_)

    def node_ids(self, rows):
        return np.array([self._by_row[row] for row in rows.tolist()], np.int64)

    def node_rows_of(self, ids):
        return np.array([self.row_of.get(i, -1) for i in ids.tolist()], np.int32)

    def node_values(self, key, rows):
        rows = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        ids = self.node_ids(rows).tolist()
        return vector([self.view.node_property(i, key) for i in ids])

    def types(self) -> Sequence[str]:
        return [table.type for table in self._tables]

    def relationships(self, type):  # noqa: A002 - the protocol's name
        return next((table for table in self._tables if table.type == type), None)

    def table(self, number):
        return self._tables[number]


_KINDS = {int: (INT, np.int64), float: (FLOAT, np.float64), bool: (BOOLEAN, np.bool_)}


def vector(values: list[Any]) -> Vector:
    """The tightest vector of values without nodes and relationships."""
    valid = np.array([value is not None for value in values], np.bool_)
    kinds = {type(value) for value in values if value is not None}
    mask = None if valid.all() else valid
    if not kinds:
        return Vector(NULL, np.zeros(len(values), np.bool_), valid)
    if len(kinds) == 1 and (kind := next(iter(kinds))) in _KINDS:
        name, dtype = _KINDS[kind]
        return Vector(name, np.array([v if v is not None else 0 for v in values], dtype), mask)
    if kinds == {str}:
        texts = LocalTexts()
        codes = [texts.add(v) if v is not None else 0 for v in values]
        return Vector(STRING, np.array(codes, np.int32), mask, texts)
    data = np.empty(len(values), np.object_)
    for place, value in enumerate(values):
        data[place] = value
    return Vector(ANY, data, mask)
