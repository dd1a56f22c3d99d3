"""Label tests on columns of nodes and relationships."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from everwhen.exec.batch.core import Batch, BatchContext, Scope, VectorEvaluator
from everwhen.exec.batch.expressions.core import by_rows, compile_vector, vectorizes
from everwhen.exec.batch.values import by_table
from everwhen.exec.batch.vectors import nulls, spread
from everwhen.model.columns import (
    BOOLEAN,
    NODE,
    NULL,
    RELATIONSHIP,
    GraphColumns,
    Mask,
    Rows,
    Vector,
)
from everwhen.query import bound as b

#: whether nodes carry a label
Carries = Callable[[str], Mask]
Test = Callable[[Carries], Mask]


def _compiled(labels: b.LabelExpression) -> Test | None:
    """A test by names; None: it needs all labels of a node, or values."""
    if isinstance(labels, b.LabelName):
        name = labels.name
        return lambda carries: carries(name)
    if isinstance(labels, b.LabelNot):
        inner = _compiled(labels.operand)
        return None if inner is None else lambda carries: ~inner(carries)
    if not isinstance(labels, b.LabelAnd | b.LabelOr):
        return None
    tests = []
    for operand in labels.operands:
        test = _compiled(operand)
        if test is None:
            return None
        tests.append(test)
    combine = np.logical_and if isinstance(labels, b.LabelAnd) else np.logical_or

    def run(carries: Carries) -> Mask:
        found = tests[0](carries)
        for test in tests[1:]:
            found = combine(found, test(carries))
        return found

    return run


@vectorizes(b.HasLabels)
def _has_labels(e: b.HasLabels, scope: Scope) -> VectorEvaluator:
    rows = by_rows(e)
    test = _compiled(e.labels)
    if test is None:
        return rows
    subject = compile_vector(e.subject, scope)

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        vector = subject(batch, ctx)
        if vector.kind == NULL:
            return nulls(batch.length)
        if vector.kind not in (NODE, RELATIONSHIP):
            return rows(batch, ctx)
        return _tested(test, vector, ctx)

    return run


def _tested(test: Test, vector: Vector, ctx: BatchContext) -> Vector:
    valid, graph = vector.valid, vector.graph
    assert graph is not None
    if valid is not None and not valid.all():
        places = np.flatnonzero(valid)
        found = _tested(test, vector.take(places), ctx)
        return spread([(places, found)], len(valid), ctx)
    if vector.kind == NODE:
        return Vector(BOOLEAN, test(_of_nodes(graph, vector.data)))
    mask = np.zeros(len(vector.data), np.bool_)
    for places, table, rows in by_table(graph, vector.data):
        mask[places] = test(_of_type(table.type, len(rows)))
    return Vector(BOOLEAN, mask)


def _of_nodes(graph: GraphColumns, rows: Rows) -> Carries:
    return lambda name: graph.has_label(name, rows)


def _of_type(kind: str, length: int) -> Carries:
    return lambda name: np.full(length, name == kind)
