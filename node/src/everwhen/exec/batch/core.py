"""Vectorized execution: the same physical plan, run over batches of columns instead of rows.

``build_batch(operator)`` gives ``run(ctx, argument) -> iterator of batches``, or None if the
operator, one below it, or what it asks cannot be run this way; the row path runs the plan then.
Rules that all batch operators keep:

* a batch and its vectors are never changed once handed on; to extend a batch, make a new one;
* a batch has at most ``ctx.batch_rows`` rows, and an operator that makes many rows of one cuts them;
* between two batches, and within a long call, ``ctx.check()`` is called: deadline and cancellation;
* what is held is accounted for (``ctx.memory``); kernels hold no interpreter lock;
* no call handles more than 20,000 Python objects at once (``OBJECTS_AT_ONCE``).

**Weights.** ``Batch.weights`` says how many equal rows each row stands for (None: one each). An
operator that only counts what nobody looks at (the far end of an Expand, say) multiplies weights
instead of making rows. Who cannot use weights calls ``unfolded()``; an operator whose expressions
come to something else each time takes its rows ``one_by_one``.

**Origins.** An inner plan (Optional, Apply, a subquery expression) is run once for a whole batch of
argument rows: ``Argument`` gives the batch itself, with the number of each row in a hidden column
under a negative slot (``origin_slot(scope)``, counted from 0). Operators carry all columns on, so that results find
their argument row again; those that look across rows (Aggregate, Distinct, Sort, Limit, Skip) work
within each origin: ``scope`` names the origin slots around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.errors import (
    ArithmeticFailure,
    EntityNotFound,
    ParameterMissing,
    QueryArgumentError,
    QuerySyntaxError,
    QueryTypeError,
)
from everwhen.exec.context import ExecutionContext, OperatorProfile
from everwhen.model.columns import GraphColumns, Mask, Vector
from everwhen.model.elements import ElementReader
from everwhen.model.graph import GraphView
from everwhen.query import physical as p
from everwhen.query.traverse import volatile

Weights = npt.NDArray[np.int64]
Scope = tuple[int, ...]

#: errors of values: a batch may raise one for a row that the row path never looks at
OF_VALUES: Final = (
    ArithmeticFailure,
    EntityNotFound,
    ParameterMissing,
    QueryArgumentError,
    QuerySyntaxError,
    QueryTypeError,
)

#: values of the language that one call makes or reads
OBJECTS_AT_ONCE: Final = 20_000


@dataclass(slots=True)
class Batch:
    """Rows as columns by slot; a slot without a column is null in every row."""

    length: int
    columns: dict[int, Vector] = field(default_factory=dict)
    weights: Weights | None = None
    #: properties read already, by slot and key
    read: dict[tuple[int, str], Vector] = field(default_factory=dict, compare=False)

    def take(self, indexes: npt.NDArray[Any]) -> Batch:
        """Some of the rows, by position (they may repeat) or under a mask."""
        columns = {slot: vector.take(indexes) for slot, vector in self.columns.items()}
        weights = None if self.weights is None else self.weights[indexes]
        length = int(indexes.sum()) if indexes.dtype == np.bool_ else len(indexes)
        return Batch(length, columns, weights)

    def with_columns(self, columns: dict[int, Vector]) -> Batch:
        """The same rows with some columns added or replaced."""
        return Batch(self.length, {**self.columns, **columns}, self.weights)

    def unfolded(self, most: int) -> Iterator[Batch]:
        """Each row as often as its weight says, so many rows at a time (all, without weights)."""
        if self.weights is None:
            yield self
            return
        folded, ends = Batch(self.length, self.columns), np.cumsum(self.weights)
        total = int(ends[-1]) if self.length else 0
        for start in range(0, total, most):
            places = np.arange(start, min(start + most, total))
            yield folded.take(np.searchsorted(ends, places, "right"))


@dataclass(slots=True)
class BatchContext:
    """One execution of one plan over batches."""

    rows: ExecutionContext
    #: rows of a batch at most
    batch_rows: int
    #: slots of the plan's rows (``physical.Plan.width``), for what is evaluated row by row
    width: int
    #: columns read, each with the view of the same version that elements are bound at; the
    #: transaction's own first
    views: list[tuple[GraphColumns, GraphView]] = field(default_factory=list)
    #: by the slot a plan keeps a past view in: its columns (BindView's moments are resolved first)
    past: dict[int, GraphColumns] = field(default_factory=dict)
    #: what is worked out once and asked again for later batches, by whatever tells it apart
    memo: dict[Any, Any] = field(default_factory=dict)

    #: conditions put to all nodes of a view, by identity of both, and how many nodes each was asked
    #: about before it was worth it (see ``nodetest``)
    masks: dict[tuple[int, int], Mask] = field(default_factory=dict)
    asked: dict[tuple[int, int], int] = field(default_factory=dict)

    def graph(self, slot: int | None) -> GraphColumns:
        """What an operator with this ``view`` slot reads; None: the transaction's own view."""
        return self.views[0][0] if slot is None else self.past[slot]

    def view_of(self, graph: GraphColumns | None) -> GraphView:
        """What the row path binds elements of some columns at."""
        return next(view for columns, view in self.views if columns is graph)

    def columns_of(self, view: ElementReader) -> GraphColumns | None:
        """The columns of what elements are bound at, if there are any."""
        return next((columns for columns, found in self.views if found is view), None)

    def check(self) -> None:
        """Raises when the statement must stop."""
        self.rows.environment.checkpoint()


BatchRunner = Callable[[BatchContext, Batch], Iterator[Batch]]
#: None: this operator as it stands cannot be run over batches
BatchBuilder = Callable[[Any, Scope], BatchRunner | None]
#: one value per row of a batch
VectorEvaluator = Callable[[Batch, BatchContext], Vector]

BATCH_BUILDERS: dict[type, BatchBuilder] = {}


def batch_builds(kind: type) -> Callable[[BatchBuilder], BatchBuilder]:
    """Registers the batch builder of one operator class."""

    def register(builder: BatchBuilder) -> BatchBuilder:
        BATCH_BUILDERS[kind] = builder
        return builder

    return register


def build_batch(operator: p.Operator, scope: Scope = ()) -> BatchRunner | None:
    """A batch runner for an operator and all below it, or None."""
    builder = BATCH_BUILDERS.get(type(operator))
    run = None if builder is None else builder(operator, scope)
    return None if run is None else profiled(operator, run)


def one_by_one(run: BatchRunner, expressions: Iterable[Any]) -> BatchRunner:
    """A runner without weights, if one of the expressions put to its rows is volatile."""
    if not volatile(*expressions):
        return run

    def unfolded(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in run(ctx, argument):
            yield from batch.unfolded(ctx.batch_rows)

    return unfolded


def profiled(operator: p.Operator, run: BatchRunner) -> BatchRunner:
    """The runner of an operator, measured where a profile is asked for."""
    key = id(operator)

    def counted(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        profile = ctx.rows.profile
        if profile is None:
            return run(ctx, argument)
        return profile.measure(key, run(ctx, argument), _count)

    return counted


def _count(profile: OperatorProfile, batch: Batch) -> None:
    from everwhen.exec.batch.vectors import batch_bytes

    profile.rows += batch.length if batch.weights is None else int(batch.weights.sum())
    profile.batches += 1
    profile.bytes += batch_bytes(batch)


def origin_slot(scope: Scope) -> int:
    """The hidden slot of the next level of origins."""
    return -1 - len(scope)
