"""Whether a plan is run over rows or over batches, and how one goes over into the other.

A plan that expects few rows is run over rows: for a point read they are faster than arrays. One
that expects many is run over batches if its operators can and if the view has columns; otherwise
as much of it as can, from the leaf up, below operators over rows. Columns are asked for when a
statement begins, so a cached plan serves both.

What is raised over batches before a row was given out is not the answer: expressions are
evaluated for a whole batch, LIMIT or not. The plan is then run over rows, which raise or answer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

import everwhen.exec.batch.operators  # noqa: F401 - registers them
from everwhen.errors import EverwhenError
from everwhen.exec.batch.core import (
    BATCH_BUILDERS,
    OBJECTS_AT_ONCE,
    OF_VALUES,
    Batch,
    BatchContext,
    BatchRunner,
    build_batch,
)
from everwhen.exec.batch.needs import Scoped, needs_of
from everwhen.exec.batch.values import row_pieces, slice_batch, values_of
from everwhen.exec.batch.vectors import Constant, column
from everwhen.exec.build import build, instead_of
from everwhen.exec.context import Evaluator, ExecutionContext, Profile, Row, Runner
from everwhen.exec.expressions import compile_expression
from everwhen.exec.operators.scan import moment_of
from everwhen.model.columns import ANY, GraphColumns, Vector
from everwhen.query import physical as p
from everwhen.query.traverse import walk

#: rows that all operators of a plan together must expect for batches to be worth their while: the
#: arrays of a plan cost about as much as ten rows of an expand (docs/performance.md)
ROWS_WORTH_BATCHES: Final = 25
#: and to load the kernels for it, which takes a second or two, if nobody did yet
ROWS_WORTH_KERNELS: Final = 20_000
#: rows that a search for a shortest path looks at, which no estimate says
_SEARCH: Final = 10_000
#: the module whose import loads numba
_KERNELS: Final = "everwhen.kernels.expand"
#: rows of a batch where the first rows that come may be all that are wanted
BATCH_ROWS: Final = 65_536
#: the same where all is looked at before anything comes: fewer and longer calls
WHOLE_BATCH_ROWS: Final = 262_144


@dataclass(frozen=True, slots=True)
class Execution:
    """How plans are run: ``auto``, ``rows`` or ``batches`` (wherever they can be)."""

    mode: str = "auto"
    #: of a batch; None: as it suits the plan
    batch_rows: int | None = None


def build_plan(plan: p.Plan, execution: Execution) -> Runner:
    """A runner for a whole plan."""
    worth = _worth(plan.root)
    if execution.mode == "rows" or (execution.mode == "auto" and worth < ROWS_WORTH_BATCHES):
        return build(plan.root)
    top = _top(plan.root)
    if top is None:
        return build(plan.root)
    run = build_batch(top, Scoped.of((), needs_of(plan.root)))
    if run is None:
        return build(plan.root)
    patient = execution.mode == "batches" or worth >= ROWS_WORTH_KERNELS
    rows = execution.batch_rows or batch_rows(top)
    part = _Part(top, run, plan.width, worth, rows, patient)
    if top is plan.root:
        return part.run
    with instead_of(top, part.run):
        return build(plan.root)


def batch_rows(root: p.Operator) -> int:
    """How many rows a batch of a plan should have."""
    operators = [op for op in walk(root) if isinstance(op, p.Operator)]
    whole = any(isinstance(op, p.Aggregate | p.Sort) for op in operators)
    some = any(isinstance(op, p.Limit) for op in operators)
    return WHOLE_BATCH_ROWS if whole and not some else BATCH_ROWS


def _worth(root: p.Operator) -> int:
    """Rows that all operators are expected to make. What stands along the spine is guessed from
    its child's rows, at least one: a filter above a seek that implies it would otherwise hide
    that each row found is walked on from."""
    spine: list[p.Operator] = [root]
    while isinstance(spine[-1], p.Unary):
        spine.append(spine[-1].child)
    rows = total = max(1.0, spine[-1].estimate)
    for op, child in zip(spine[-2::-1], spine[:0:-1], strict=True):
        rows = max(1.0, rows * op.estimate / child.estimate if child.estimate else op.estimate)
        total += rows + _beyond(op)
    known = {id(op) for op in spine}
    inner = [op for op in walk(root) if isinstance(op, p.Operator) and id(op) not in known]
    return int(total + sum(op.estimate + _beyond(op) for op in inner))


def _beyond(op: p.Operator) -> float:
    """What an operator looks at and makes no rows of."""
    if isinstance(op, p.ShortestPath):
        return _SEARCH
    return op.counted if isinstance(op, p.NodeCount) else 0


def _top(root: p.Operator) -> p.Operator | None:
    """The highest operator below which, along the plan's spine, all can be run over batches."""
    top: p.Operator | None = root
    here: p.Operator = root
    while True:
        if type(here) not in BATCH_BUILDERS:
            top = None
        elif top is None:
            top = here
        if not isinstance(here, p.Unary):
            break
        here = here.child
    return None if top is None or isinstance(top, p.Argument) else top


@dataclass(slots=True)
class _Moment:
    """One BindView of a plan."""

    slot: int
    kind: str
    evaluate: Evaluator


@dataclass(slots=True)
class _Part:
    """A plan, or what stands below its row operators, that can be run over batches."""

    top: p.Operator
    batches: BatchRunner
    width: int
    worth: int
    batch_rows: int
    #: whether it is worth loading the kernels
    patient: bool
    moments: list[_Moment] = field(init=False)
    _rows: Runner | None = None

    def __post_init__(self) -> None:
        self.moments = [
            _Moment(op.slot, op.kind, compile_expression(op.expression))
            for op in walk(self.top)
            if isinstance(op, p.BindView)
        ]

    def run(self, ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        """Rows, from batches where there are columns."""
        found = self._context(ctx)
        if found is None:
            yield from self.rows(ctx, argument)
            return
        held, given = ctx.memory.used, False
        try:
            for row in self._from_batches(found, argument):
                given = True
                yield row
        except OF_VALUES:
            if given:
                raise
            ctx.memory.give_back(ctx.memory.used - held)
            self._forget(ctx.profile)
        else:
            return
        yield from self.rows(ctx, argument)

    def _forget(self, profile: Profile | None) -> None:
        """What was measured does not count."""
        if profile is not None:
            for op in walk(self.top):
                profile.operators.pop(id(op), None)

    def rows(self, ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        """The same over rows; built when first asked for."""
        if self._rows is None:
            self._rows = build(self.top)
        return self._rows(ctx, argument)

    def _context(self, ctx: ExecutionContext) -> BatchContext | None:
        """The columns of all views the plan reads; None if one has none."""
        ctx.environment.checkpoint()  # what comes may take a moment: not on the event loop
        if not self.patient and _KERNELS not in sys.modules:
            return None
        columns = ctx.view.columns(self.worth)
        if columns is None:
            return None
        views = [(columns, ctx.view)]
        past: dict[int, GraphColumns] = {}
        for moment in self.moments:
            try:
                value = moment_of(moment.evaluate([None] * self.width, ctx), moment.kind)
                view = ctx.view_at(moment.kind, value)
            except EverwhenError:
                return None  # whether anybody meets it is for the row path to say
            then = view.columns(self.worth)
            if then is None:
                return None
            past[moment.slot] = then
            views.append((then, view))
        return BatchContext(ctx, self.batch_rows, self.width, views, past)

    def _from_batches(self, ctx: BatchContext, argument: Row) -> Iterator[Row]:
        batches = self.batches(ctx, _argument(ctx, argument))
        if not isinstance(self.top, p.ProduceResults):
            past = [(slot, ctx.view_of(graph)) for slot, graph in ctx.past.items()]
            for batch in batches:
                for rows in row_pieces(batch, ctx):
                    for row in rows:
                        for slot, view in past:  # operators over rows may read through them
                            row[slot] = view
                        yield row
            return
        slots = [slot for _, slot in self.top.columns]
        for batch in batches:
            for some in batch.unfolded(self.batch_rows):
                ctx.check()
                yield from _results(some, slots, ctx)


def _argument(ctx: BatchContext, row: Row) -> Batch:
    """The argument row as a batch; past views stand in it for what is evaluated row by row."""
    columns: dict[int, Vector] = {}
    for slot, value in enumerate(row):
        if value is not None:
            columns[slot] = _once(value)
    for slot, graph in ctx.past.items():
        columns[slot] = _once(ctx.view_of(graph))
    return Batch(1, columns)


def _once(value: Any) -> Vector:
    data = np.empty(1, np.object_)
    data[0] = value
    return Constant(Vector(ANY, data), value, 1)


def _results(batch: Batch, slots: list[int], ctx: BatchContext) -> Iterator[Row]:
    """The rows of a result."""
    size = max(1, OBJECTS_AT_ONCE // max(1, len(slots)))
    for start in range(0, batch.length, size):
        piece = slice_batch(batch, start, start + size)
        columns = [values_of(column(piece, slot), ctx) for slot in slots]
        for values in zip(*columns, strict=True):
            yield list(values)
