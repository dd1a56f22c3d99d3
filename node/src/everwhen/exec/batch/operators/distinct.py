"""Distinct: the first row of each combination, passed on while more are read.

Rows are gathered until there are as many as are known to differ, so that what was seen is looked at
a bounded number of times for each row, and the first batch is passed on at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from everwhen.exec.batch.core import (
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    batch_builds,
    build_batch,
)
from everwhen.exec.batch.elements import kept
from everwhen.exec.batch.needs import Need, need_of
from everwhen.exec.batch.ordering import number
from everwhen.exec.batch.values import pieces
from everwhen.exec.batch.vectors import (
    batch_bytes,
    column,
    joined,
    joined_batches,
    vector_bytes,
)
from everwhen.exec.memory import Held
from everwhen.model.columns import Vector
from everwhen.query import physical as p


class _Seen:
    """Combinations there were."""

    __slots__ = ("count", "ctx", "held", "keys", "rows", "slots", "waiting")

    def __init__(self, slots: tuple[int, ...], held: Held, ctx: BatchContext) -> None:
        self.held = held
        self.slots = slots
        self.ctx = ctx
        self.keys: list[Vector] = []
        self.count = self.rows = 0
        self.waiting: list[Batch] = []

    def add(self, batch: Batch) -> Iterator[Batch]:
        """Gathers; gives new rows when there is enough."""
        self.waiting.append(batch)
        self.rows += batch.length
        self.held.add(batch_bytes(batch))
        if self.rows >= self.count:
            yield from self.new()

    def new(self) -> Iterator[Batch]:
        """The new rows of what was gathered."""
        if not self.waiting:
            return
        self.ctx.check()
        batch = joined_batches(self.waiting, self.ctx)
        self.waiting, self.rows = [], 0
        before, keys = self.count, [column(batch, slot) for slot in self.slots]
        if before:
            pairs = zip(self.keys, keys, strict=True)
            keys = [joined(pair, self.ctx) for pair in pairs]
        firsts = number(keys, before + batch.length, self.ctx).firsts
        self.keys = [key.take(firsts) for key in keys]
        self.count = len(firsts)
        self.held.become(sum(map(vector_bytes, self.keys)))
        if self.count > before:
            found = batch.take(firsts[before:] - before)
            yield from pieces(Batch(found.length, found.columns), self.ctx.batch_rows)


@batch_builds(p.Distinct)
def _distinct(op: p.Distinct, scope: Scope) -> BatchRunner | None:
    child = build_batch(op.child, scope)
    if child is None:
        return None
    slots = (*scope[-1:], *op.slots)
    above = need_of(scope, op)
    need = None if above is None else Need(above.slots | set(op.slots), above.bag)

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        with Held(ctx.rows.memory) as held:
            seen = _Seen(slots, held, ctx)
            for batch in child(ctx, argument):
                yield from seen.add(kept(batch, need))
            yield from seen.new()

    return run
