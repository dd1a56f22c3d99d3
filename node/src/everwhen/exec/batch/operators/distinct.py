"""Distinct: the first row of each combination, passed on while more are read."""

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
from everwhen.exec.batch.distinct import Seen
from everwhen.exec.batch.elements import kept
from everwhen.exec.batch.needs import Need, need_of
from everwhen.exec.memory import Held
from everwhen.query import physical as p


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
            seen = Seen(slots, held, ctx)
            for batch in child(ctx, argument):
                yield from seen.add(kept(batch, need))
            yield from seen.new()

    return run
