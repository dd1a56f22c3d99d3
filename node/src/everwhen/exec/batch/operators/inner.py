"""Inner plans: OPTIONAL MATCH and ``CALL { }``, run once for all rows of a batch.

The inner plan's argument is the batch with the number of each row in a hidden column; what it
finds is joined to the rows by that number. Weights stay outside and are multiplied in the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from everwhen.exec.batch.core import (
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    batch_builds,
    build_batch,
    one_by_one,
    origin_slot,
)
from everwhen.exec.batch.elements import Positions, kept
from everwhen.exec.batch.needs import Need, inside, need_of
from everwhen.exec.batch.origins import numbered, origins_of
from everwhen.exec.batch.vectors import joined_batches
from everwhen.query import physical as p


class _Inner:
    """How the rows of an inner plan become rows of the outer one."""

    def __init__(
        self, slot: int, inner: BatchRunner, need: Need | None, slots: frozenset[int] | None
    ) -> None:
        self.slot = slot
        self.inner = inner
        self.need = need
        #: what is taken over from inner rows; None: all of them
        self.slots = slots

    def found(self, batch: Batch, ctx: BatchContext) -> Iterator[tuple[Positions, Batch]]:
        """Argument rows, and the whole rows that they become."""
        outer = kept(batch, self.need)
        for found in self.inner(ctx, numbered(batch, self.slot)):
            if not found.length:
                continue
            origins = origins_of(found, self.slot)
            fresh = {
                slot: column
                for slot, column in kept(found, self.need).columns.items()
                if slot >= 0 and (self.slots is None or slot in self.slots)
            }
            old = {slot: c.take(origins) for slot, c in outer.columns.items() if slot not in fresh}
            weights = found.weights
            if outer.weights is not None:
                left = outer.weights[origins]
                weights = left if weights is None else left * weights
            yield origins, Batch(found.length, {**old, **fresh}, weights)

    def padded(self, batch: Batch, slots: tuple[int, ...], ctx: BatchContext) -> Iterator[Batch]:
        """As ``found``, and once with ``slots`` null each row that became none. In the order of
        the rows if what was found is one batch."""
        matched = np.zeros(batch.length, np.bool_)
        held: tuple[Positions, Batch] | None = None
        several = False
        for origins, found in self.found(batch, ctx):
            matched[origins] = True
            if held is not None:
                several = True
                yield held[1]
            held = origins, found
        missing = np.flatnonzero(~matched)
        rest = kept(batch, self.need).take(missing)
        rest = Batch(
            rest.length, {s: c for s, c in rest.columns.items() if s not in slots}, rest.weights
        )
        if held is None or several or not rest.length:
            yield from (one for one in (held and held[1], rest) if one is not None and one.length)
            return
        order = np.argsort(np.concatenate((held[0], missing)), kind="stable")
        both = joined_batches([held[1], rest], ctx).take(order)
        size = ctx.batch_rows
        for start in range(0, both.length, size):
            yield both.take(np.arange(start, min(start + size, both.length)))


@batch_builds(p.Optional)
def _optional(op: p.Optional, scope: Scope) -> BatchRunner | None:
    slot = origin_slot(scope)
    child, inner = build_batch(op.child, scope), build_batch(op.inner, inside(scope, slot))
    if child is None or inner is None:
        return None
    child = one_by_one(child, [op.inner])
    join = _Inner(slot, inner, need_of(scope, op), None)

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            if batch.length:
                yield from join.padded(batch, op.slots, ctx)

    return run


@batch_builds(p.Apply)
def _apply(op: p.Apply, scope: Scope) -> BatchRunner | None:
    slot = origin_slot(scope)
    child, inner = build_batch(op.child, scope), build_batch(op.inner, inside(scope, slot))
    if child is None or inner is None:
        return None
    child = one_by_one(child, [op.inner])
    join = _Inner(slot, inner, need_of(scope, op), frozenset(op.slots))

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            if not batch.length:
                continue
            if op.optional:
                yield from join.padded(batch, op.slots, ctx)
            elif op.unit:
                for _ in join.found(batch, ctx):
                    pass
                yield batch
            else:
                yield from (found for _, found in join.found(batch, ctx))

    return run
