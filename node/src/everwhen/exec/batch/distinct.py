"""Each combination of values once: what DISTINCT is made of, and rows dropped early below it.

Rows are gathered until there are as many as are known to differ, so that what was seen is looked at
a bounded number of times for each row, and the first batch is passed on at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from everwhen.exec.batch.core import Batch, BatchContext, Scope
from everwhen.exec.batch.needs import Need
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
from everwhen.model.columns import BOOLEAN, INT, NODE, NULL, RELATIONSHIP, STRING, Vector

#: kinds of which equivalent values are one value, found without a look at objects
_EXACT: Final = frozenset({BOOLEAN, INT, NODE, NULL, RELATIONSHIP, STRING})
#: rows after which dropping early must have dropped a quarter to go on
_TRIED_ROWS: Final = 131_072
#: of what a statement may hold, as much as may be remembered to drop rows early
_REMEMBERED_SHARE: Final = 8


class Seen:
    """Combinations there were in some slots."""

    __slots__ = ("_ctx", "_held", "_keys", "_rows", "_slots", "_waiting", "count", "taken")

    def __init__(self, slots: tuple[int, ...], held: Held, ctx: BatchContext) -> None:
        self._held = held
        self._slots = slots
        self._ctx = ctx
        self._keys: list[Vector] = []
        self._rows = 0
        self._waiting: list[Batch] = []
        #: how many differ, of the rows looked at
        self.count = self.taken = 0

    def add(self, batch: Batch) -> Iterator[Batch]:
        """Gathers; gives new rows when there is enough."""
        self._waiting.append(batch)
        self._rows += batch.length
        self._held.add(batch_bytes(batch))
        if self._rows >= self.count:
            yield from self.new()

    def new(self) -> Iterator[Batch]:
        """The new rows of what was gathered."""
        if not self._waiting:
            return
        self._ctx.check()
        batch = joined_batches(self._waiting, self._ctx)
        self._waiting, self._rows = [], 0
        before, keys = self.count, [column(batch, slot) for slot in self._slots]
        if before:
            pairs = zip(self._keys, keys, strict=True)
            keys = [joined(pair, self._ctx) for pair in pairs]
        firsts = number(keys, before + batch.length, self._ctx).firsts
        self._keys = [key.take(firsts) for key in keys]
        self.count = len(firsts)
        self.taken += batch.length
        self._held.become(sum(map(vector_bytes, self._keys)))
        if self.count > before:
            found = batch.take(firsts[before:] - before)
            yield from pieces(Batch(found.length, found.columns), self._ctx.batch_rows)


def once(
    batches: Iterator[Batch], need: Need | None, scope: Scope, ctx: BatchContext
) -> Iterator[Batch]:
    """Rows whose number does not count above, without repetitions as far as they are found cheaply
    and dropping them pays; others as they are."""
    if need is None or need.bag:
        yield from batches
        return
    slots = (*scope[-1:], *sorted(need.slots))
    with Held(ctx.rows.memory) as held:
        seen = Seen(slots, held, ctx)
        for batch in batches:
            if not all(column(batch, slot).kind in _EXACT for slot in slots):
                yield batch
                continue
            yield from seen.add(batch)
            if not _pays(seen, held, ctx):
                break
        yield from seen.new()
    yield from batches


def _pays(seen: Seen, held: Held, ctx: BatchContext) -> bool:
    if held.count * _REMEMBERED_SHARE > ctx.rows.memory.limit:
        return False
    return seen.taken < _TRIED_ROWS or 4 * seen.count <= 3 * seen.taken
