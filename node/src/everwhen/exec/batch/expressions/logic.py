"""Three-valued logic, tests for null, and choices: what is evaluated on some of the rows only.

The row path evaluates an operand only where those before it have not decided. So does this: a
later operand sees the undecided rows, and cannot fail for others; one that cannot fail at all is
put to all rows, unless few are left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

import everwhen.model.values as v
from everwhen.exec.batch.core import Batch, BatchContext, Scope, VectorEvaluator
from everwhen.exec.batch.expressions.core import (
    booleans,
    compile_vector,
    elementwise,
    narrowed,
    slots_read,
    vectorizes,
)
from everwhen.exec.batch.expressions.totality import is_total
from everwhen.exec.batch.vectors import column, spread, valid_of
from everwhen.model.columns import BOOLEAN, NODE, NULL, RELATIONSHIP, Mask, Vector
from everwhen.query import bound as b

MaskEvaluator = Callable[[Batch, BatchContext], Mask]
#: where true, and where not null (None: everywhere)
Truth = tuple[Mask, Mask | None]
TruthEvaluator = Callable[[Batch, BatchContext], Truth]
Places = npt.NDArray[np.int64]

_ELEMENTS: Final = frozenset({NODE, RELATIONSHIP, NULL})
#: of so many rows one undecided: fewer are looked at by themselves
_FEW_LEFT: Final = 8


def compile_mask(expression: b.Expression, scope: Scope = ()) -> MaskEvaluator:
    """Where a predicate is true.

    :raises QueryTypeError: (when run) it is neither boolean nor null in a row.
    """
    truth = _truth(expression, scope)
    return lambda batch, ctx: truth(batch, ctx)[0]


def _truth(expression: b.Expression, scope: Scope) -> TruthEvaluator:
    """True only where known."""
    if isinstance(expression, b.And):
        return _junction(expression.operands, False, scope)
    if isinstance(expression, b.Or):
        return _junction(expression.operands, True, scope)
    evaluate = compile_vector(expression, scope)
    return lambda batch, ctx: booleans(evaluate(batch, ctx), ctx)


class _Operand(NamedTuple):
    """One side of AND or OR."""

    evaluate: TruthEvaluator
    slots: list[int] | None
    #: cannot fail where its slots hold elements
    total: bool

    def of_all(self, batch: Batch, undecided: int) -> bool:
        """Whether to put it to all rows where only some are undecided."""
        if not self.total or undecided * _FEW_LEFT < batch.length:
            return False
        return all(column(batch, slot).kind in _ELEMENTS for slot in self.slots or ())


def _junction(operands: Sequence[b.Expression], decisive: bool, scope: Scope) -> TruthEvaluator:
    """AND (decisive is False) and OR (decisive is True)."""
    compiled = [_Operand(_truth(x, scope), slots_read(x), is_total(x)) for x in operands]

    def run(batch: Batch, ctx: BatchContext) -> Truth:
        open_, left = np.ones(batch.length, np.bool_), batch.length
        known: Mask | None = None
        for operand in compiled:
            whole = left == batch.length or operand.of_all(batch, left)
            places = None if whole else np.flatnonzero(open_)
            some = batch if places is None else narrowed(batch, operand.slots, places)
            here = slice(None) if places is None else places
            true, sure = operand.evaluate(some, ctx)
            if sure is not None and not sure.all():
                known = np.ones(batch.length, np.bool_) if known is None else known
                known[here] &= sure
            if decisive:
                open_[here] &= ~true
            else:
                open_[here] &= true if sure is None else true | ~sure
            left = int(np.count_nonzero(open_))
            if not left:
                break
        if decisive:
            return ~open_, None if known is None else known | ~open_
        return (open_, None) if known is None else (open_ & known, known | ~open_)

    return run


def _vector(truth: Truth) -> Vector:
    return Vector(BOOLEAN, truth[0], truth[1])


@vectorizes(b.And)
@vectorizes(b.Or)
def _and_or(e: b.And | b.Or, scope: Scope) -> VectorEvaluator:
    truth = _truth(e, scope)
    return lambda batch, ctx: _vector(truth(batch, ctx))


@vectorizes(b.Not)
def _not(e: b.Not, scope: Scope) -> VectorEvaluator:
    truth = _truth(e.operand, scope)

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        true, known = truth(batch, ctx)
        return Vector(BOOLEAN, ~true, known)

    return run


def exclusive_or(left: VectorEvaluator, right: VectorEvaluator) -> VectorEvaluator:
    """``left XOR right``."""

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        one, known = booleans(left(batch, ctx), ctx)
        other, sure = booleans(right(batch, ctx), ctx)
        if known is not None and sure is not None:
            known = known & sure
        return Vector(BOOLEAN, one ^ other, sure if known is None else known)

    return run


@vectorizes(b.IsNull)
def _is_null(e: b.IsNull, scope: Scope) -> VectorEvaluator:
    operand, negated = compile_vector(e.operand, scope), e.negated

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        vector = operand(batch, ctx)
        valid = valid_of(vector)
        if valid is None:
            return Vector(BOOLEAN, np.full(len(vector.data), negated))
        return Vector(BOOLEAN, valid if negated else ~valid)

    return run


# --- choices ---------------------------------------------------------------------------------


def coalesced(arguments: Sequence[b.Expression], scope: Scope) -> VectorEvaluator:
    """``coalesce``: each argument for the rows where those before it are null."""
    compiled = [(compile_vector(argument, scope), slots_read(argument)) for argument in arguments]

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        parts: list[tuple[Places, Vector]] = []
        places = np.arange(batch.length)
        for evaluate, slots in compiled:
            whole = len(places) == batch.length
            vector = evaluate(batch if whole else narrowed(batch, slots, places), ctx)
            valid = valid_of(vector)
            if valid is None or bool(valid.all()):
                if whole:
                    return vector
                parts.append((places, vector))
                break
            parts.append((places[valid], vector.take(valid)))
            places = places[~valid]
        return spread(parts, batch.length, ctx)

    return run


@vectorizes(b.Case)
def _case(e: b.Case, scope: Scope) -> VectorEvaluator:
    subject = None if e.subject is None else compile_vector(e.subject, scope)
    alternatives = [
        (
            compile_vector(when, scope),
            slots_read(when),
            compile_vector(then, scope),
            slots_read(then),
        )
        for when, then in e.alternatives
    ]
    last = b.Literal(None) if e.default is None else e.default
    default, default_slots = compile_vector(last, scope), slots_read(last)

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        places = np.arange(batch.length)
        compared = None if subject is None else subject(batch, ctx)
        parts: list[tuple[Places, Vector]] = []
        for when, slots, then, then_slots in alternatives:
            if not len(places):
                break
            some = batch if len(places) == batch.length else narrowed(batch, slots, places)
            value = when(some, ctx)
            if compared is None:
                holds = booleans(value, ctx)[0]
            else:
                same = elementwise(v.equals, [compared.take(places), value], ctx)
                holds = booleans(same, ctx)[0]
            chosen = places[holds]
            if len(chosen):
                parts.append((chosen, then(narrowed(batch, then_slots, chosen), ctx)))
            places = places[~holds]
        if len(places):
            parts.append((places, default(narrowed(batch, default_slots, places), ctx)))
        return spread(parts, batch.length, ctx)

    return run
