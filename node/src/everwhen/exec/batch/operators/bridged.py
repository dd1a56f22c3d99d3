"""Operators over batches that are those over rows, row by row."""

from __future__ import annotations

from everwhen.exec.batch.bridge import over_rows
from everwhen.exec.batch.core import BatchRunner, Scope, batch_builds
from everwhen.query import physical as p


@batch_builds(p.QuantifiedExpand)
def _quantified(op: p.QuantifiedExpand, scope: Scope) -> BatchRunner | None:
    written = [group.outer for group in op.groups]
    if op.walk is not None:
        written.append(op.walk)
    if not op.into:
        written.append(op.target)
    return over_rows(op, written, scope)
