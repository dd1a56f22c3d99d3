"""A small graph, columns over it, and both ways to run expressions and operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from everwhen.errors import EverwhenError
from everwhen.exec.batch import operators  # noqa: F401 - they register
from everwhen.exec.batch.core import Batch, BatchContext, Scope, batch_builds, build_batch
from everwhen.exec.batch.needs import Scoped, needs_of
from everwhen.exec.batch.values import constant, row_pieces, vector_of
from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext
from everwhen.model.columns import INT, Vector
from everwhen.model.elements import Node, Relationship
from everwhen.query import physical as p
from tests.support.columns import NaiveColumns
from tests.unit.model import strategies as values

WIDTH = 12


class SmallGraph:
    """A view of a handful of nodes and relationships."""

    version = 5
    writable = False

    def __init__(self) -> None:
        texts = ["", "a", "ab", "𝕏", "a", "\uffff", None, "b"]
        self._nodes = {
            100 + n: (
                ("A",) if n % 3 == 0 else ("A", "B") if n % 3 == 1 else (),
                {"i": n * 3 % 5, "s": texts[n], "m": [n, 1.5, "x", None, True][n % 5]},
            )
            for n in range(8)
        }
        self._relationships = {
            900 + n: (
                "KNOWS" if n % 2 else "LIKES",
                100 + n,
                100 + (n * 5) % 8,
                {"i": n, "w": n / 2},
            )
            for n in range(8)
        }

    def nodes(self) -> Iterator[Node]:
        return (Node(i, self) for i in self._nodes)

    def relationships(self) -> Iterator[Relationship]:
        for i, (kind, start, end, _) in self._relationships.items():
            yield Relationship(i, kind, start, end, self)

    def nodes_with_label(self, label: str) -> Iterator[Node]:
        return (Node(i, self) for i, (labels, _) in self._nodes.items() if label in labels)

    def node_labels(self, node_id: int) -> tuple[str, ...]:
        return self._nodes[node_id][0]

    def node_properties(self, node_id: int) -> Mapping[str, Any]:
        return {key: v for key, v in self._nodes[node_id][1].items() if v is not None}

    def node_property(self, node_id: int, key: str) -> Any:
        return self._nodes[node_id][1].get(key)

    def relationship_properties(self, relationship_id: int) -> Mapping[str, Any]:
        return self._relationships[relationship_id][3]

    def relationship_property(self, relationship_id: int, key: str) -> Any:
        return self._relationships[relationship_id][3].get(key)


GRAPH: Any = SmallGraph()
#: the same elements at another moment, without columns
OTHER: Any = SmallGraph()
COLUMNS: Any = NaiveColumns(GRAPH, seed=3)
NODES = list(GRAPH.nodes())
RELATIONSHIPS = list(GRAPH.relationships())
PARAMETERS = {"one": 1, "text": "ab", "list": [1, "a", None, 2.0], "nothing": None, "map": {"i": 4}}


class Calm:
    """An environment in which no statement must stop."""

    def checkpoint(self) -> None:
        return None


def context(batch_rows: int = 1024) -> BatchContext:
    environment: Any = Calm()
    rows = ExecutionContext(GRAPH, None, PARAMETERS, environment, 0, 0)
    return BatchContext(rows, batch_rows, WIDTH, [(COLUMNS, GRAPH)])


# --- columns ---------------------------------------------------------------------------------

small = st.integers(-3, 3)
#: kinds of columns that have few different values, so that groups and joins find some
FEW: dict[str, st.SearchStrategy[Any]] = {
    "int": small,
    "float": st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, float("nan"), float("inf")]),
    "boolean": st.booleans(),
    "text": st.sampled_from(["", "a", "ab", "b", "𝕏", "\uffff"]),
    "node": st.sampled_from(NODES),
    "relationship": st.sampled_from(RELATIONSHIPS),
    "number": small | st.sampled_from([0.0, 1.0, 2.5, float("nan")]),
    "mixed": small
    | st.sampled_from(["", "a", True, False, 1.0, [1], [1.0], [None], {"i": 1}, NODES[0]])
    | st.sampled_from([Node(100, OTHER), RELATIONSHIPS[1]]),
    "null": st.none(),
}
KINDS: dict[str, st.SearchStrategy[Any]] = {
    **FEW,
    "huge": values.integers,
    "floats": values.floats,
    "numbers": values.numbers,
    "texts": values.texts,
    "temporal": values.dates | values.durations,
    "list": st.lists(small | st.none() | values.floats, max_size=3),
}


@st.composite
def columns(
    draw: st.DrawFn, kinds: Mapping[str, st.SearchStrategy[Any]] = KINDS, most: int = 12
) -> list[list[Any]]:
    """Rows of three columns in slots 0 to 2, the rest null; a kind and a share of nulls each."""
    length = draw(st.integers(0, most))
    found = []
    for _ in range(3):
        kind = kinds[draw(st.sampled_from(sorted(kinds)))]
        element = draw(st.sampled_from([kind, kind | st.none()]))
        found.append(draw(st.lists(element, min_size=length, max_size=length)))
    return [[*row, *[None] * (WIDTH - 3)] for row in zip(*found, strict=True)]


@dataclass(slots=True)
class Given(p.Operator):
    """Rows that a test gives, in slots 0 to 2; ``whole``: all batches share their texts."""

    rows: list[list[Any]]
    whole: bool = False
    weights: list[int] | None = None
    #: number of the argument row of each, for batches
    origins: list[int] | None = None


@dataclass(slots=True)
class Watched(p.Unary):
    """Writes down how long the batches are that are pulled."""

    pulled: list[int]


@batch_builds(Watched)
def _watched(op: Watched, scope: Scope) -> Any:
    child: Any = build_batch(op.child, scope)

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            op.pulled.append(batch.length)
            yield batch

    return run


@builds(Given)
def _given(op: Given) -> Any:
    weights = op.weights or [1] * len(op.rows)

    def run(ctx: ExecutionContext, argument: list[Any]) -> Iterator[list[Any]]:
        for row, weight in zip(op.rows, weights, strict=True):
            for _ in range(weight):
                yield [*row[:3], *argument[3:]]

    return run


@batch_builds(Given)
def _given_batches(op: Given, scope: Scope) -> Any:
    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        at = 0
        for batch in batches_of(op.rows, ctx, op.whole, op.weights):
            origins = np.zeros(batch.length, np.int64)
            if op.origins is not None:
                origins = np.array(op.origins[at : at + batch.length], np.int64)
                at += batch.length
            below = argument.take(origins).with_columns(batch.columns)
            yield Batch(batch.length, below.columns, batch.weights)

    return run


def batches_of(
    rows: list[list[Any]], ctx: BatchContext, whole: bool, weights: list[int] | None = None
) -> Iterator[Batch]:
    size = ctx.batch_rows
    together = [vector_of([row[slot] for row in rows], ctx) for slot in range(3)]
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        places = np.arange(start, start + len(some))
        if whole:
            found = {slot: vector.take(places) for slot, vector in enumerate(together)}
        else:
            found = {slot: vector_of([row[slot] for row in some], ctx) for slot in range(3)}
            for slot, vector in found.items():
                first = some[0][slot]
                if all(row[slot] is first for row in some):
                    found[slot] = constant(first, len(vector), ctx)
        heavy = None if weights is None else np.array(weights, np.int64)[places]
        yield Batch(len(some), found, heavy)


# --- answers ---------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """What can be compared: NaN is NaN, -0.0 is not 0.0, elements say where they are bound."""
    if isinstance(value, float):
        return ("float", repr(value))
    if isinstance(value, list):
        return ("list", [plain(item) for item in value])
    if isinstance(value, dict):
        return ("map", {key: plain(item) for key, item in value.items()})
    if isinstance(value, Node):
        return ("node", value.id, id(value.view))
    if isinstance(value, Relationship):
        return ("relationship", value.id, value.type, value.start, value.end, id(value.view))
    return (type(value).__name__, value)


def error_of(run: Any) -> tuple[Any, str | None]:
    """The result, or the name of the error."""
    try:
        return run(), None
    except EverwhenError as error:
        return None, type(error).__name__


def by_rows(op: p.Operator, slots: list[int], outer: list[Any] | None = None) -> list[Any]:
    """Some slots of all rows; ``outer``: what the argument row has in its last slots."""
    argument = [*[None] * (WIDTH - len(outer or [])), *(outer or [])]
    return [
        [plain(row[slot]) for slot in [*slots, WIDTH - 2, WIDTH - 1]]
        for row in build(op)(context().rows, argument)
    ]


def by_batches(op: p.Operator, slots: list[int], batch_rows: int) -> list[Any]:
    """The same over batches, where an operator's rows carry what is read above only."""
    ctx = context(batch_rows)
    wanted = [*slots, WIDTH - 2, WIDTH - 1]
    root = p.ProduceResults(op, tuple((str(slot), slot) for slot in wanted))
    run = build_batch(root, Scoped.of((), needs_of(root)))
    assert run is not None
    before = ctx.rows.memory.used
    found = []
    for batch in run(ctx, Batch(1)):
        assert batch.length > 0
        for rows in row_pieces(batch, ctx):
            found += [[plain(row[slot]) for slot in wanted] for row in rows]
    assert ctx.rows.memory.used == before, "memory was not given back"
    return found


def by_origins(
    op: p.Operator, arguments: list[list[Any]], slots: list[int], batch_rows: int
) -> list[list[Any]]:
    """Some slots of the rows of an inner plan, by argument row."""
    ctx = context(batch_rows)
    run = build_batch(op, (-1,))
    assert run is not None
    columns = {-1: Vector(INT, np.arange(len(arguments)))}
    for place in (1, 2):
        columns[WIDTH - place] = vector_of([values[-place] for values in arguments], ctx)
    found: list[list[Any]] = [[] for _ in arguments]
    for batch in run(ctx, Batch(len(arguments), columns)):
        assert batch.length <= max(batch_rows, 20) or isinstance(op, p.Union)
        origins = batch.columns[-1].data
        if batch.weights is not None:
            origins = np.repeat(origins, batch.weights)
        rows = [row for piece in row_pieces(batch, ctx) for row in piece]
        for origin, row in zip(origins.tolist(), rows, strict=True):
            found[origin].append([plain(row[s]) for s in [*slots, WIDTH - 2, WIDTH - 1]])
    assert ctx.rows.memory.used == 0, "memory was not given back"
    return found
