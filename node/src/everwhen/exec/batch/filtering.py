"""Rows that pass a condition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from everwhen.exec.batch.core import Batch, BatchContext, BatchRunner, Scope, one_by_one
from everwhen.exec.batch.expressions import compile_mask
from everwhen.query import bound as b


def filtered(child: BatchRunner, condition: b.Expression, scope: Scope) -> BatchRunner:
    """A runner for the rows of another one for which a condition is true."""
    mask = compile_mask(condition, scope)
    child = one_by_one(child, [condition])

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            ctx.check()
            passed = np.flatnonzero(mask(batch, ctx))
            if len(passed) == batch.length:
                yield batch
            elif len(passed):
                yield batch.take(passed)

    return run
