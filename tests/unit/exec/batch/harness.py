"""Plans run over batches and over rows, on the same small graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from everwhen.exec.batch.core import Batch, BatchContext, BatchRunner, build_batch
from everwhen.exec.batch.needs import Scoped, needs_of
from everwhen.exec.batch.values import row_pieces
from everwhen.exec.build import build
from everwhen.exec.context import ExecutionContext
from everwhen.model.elements import Node, Relationship
from everwhen.query import physical as p
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.environment import ServerEnvironment
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.statements import PreparedQuery
from tests.support.columns import NaiveColumns


class Both:
    """A database, and plans of it run in both ways."""

    def __init__(self, statements: Sequence[str] = ()) -> None:
        self.database = Embedded()
        for statement in statements:
            self.database.execute(statement)

    def close(self) -> None:
        self.database.close()

    def compare(self, text: str, batch_rows: int = 1024, seed: int = 0) -> type[p.Operator] | None:
        """Runs the part of the plan that can be run over batches; the class of its top. The rows
        must be the same as far as anybody above looks at them. None: no part of it can."""
        database = self.database.service.database
        transaction = database.begin(database.version, TransactionOptions(), Caller("neo4j", "t"))
        try:
            view = transaction.view
            prepared = database.prepare(text, {}, view)
            assert isinstance(prepared, PreparedQuery)
            plan, given = prepared.plan, prepared.lifted
            top, run = _topmost(plan.root)
            if run is None:
                return None
            rows = ExecutionContext(
                view, None, given, ServerEnvironment(database, transaction), 0, 0
            )
            columns = NaiveColumns(view, seed)
            ctx = BatchContext(rows, batch_rows, plan.width, [(columns, view)])
            need = needs_of(plan.root)[id(top)]
            batches = list(_checked(run(ctx, Batch(1)), batch_rows))
            got = [row for b in batches for piece in row_pieces(b, ctx) for row in piece]
            wanted = list(build(top)(rows, [None] * plan.width))
            slots = sorted(need.slots)
            if isinstance(top, p.ProduceResults):
                got = [[row[slot] for _, slot in top.columns] for row in got]
                slots = list(range(len(top.columns)))
            left, right = _bag(wanted, slots), _bag(got, slots)
            if not need.bag:
                left, right = Counter(set(left)), Counter(set(right))
            assert left == right, text
            return type(top)
        finally:
            transaction.rollback()


def _topmost(root: p.Operator) -> tuple[p.Operator, BatchRunner | None]:
    scope = Scoped.of((), needs_of(root))
    here = root
    while True:
        run = build_batch(here, scope)
        if run is not None or not isinstance(here, p.Unary):
            return here, run
        here = here.child


def _checked(batches: Iterator[Batch], most: int) -> Iterator[Batch]:
    for batch in batches:
        assert 0 <= batch.length <= most
        assert all(len(vector) == batch.length for vector in batch.columns.values())
        yield batch


def _bag(rows: list[list[Any]], slots: list[int]) -> Counter[str]:
    return Counter(repr([_plain(row[slot]) for slot in slots]) for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, (Node, Relationship)) else (type(value).__name__, value)
