"""The result of a statement, pulled in pieces.

Rows leave detached: a node in a result holds a copy of its labels and properties, so it can be
serialized after the transaction ended and while others write.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from everwhen.codec.users import Credential
from everwhen.exec.context import Counters, ExecutionContext, Row
from everwhen.exec.sizes import row_bytes
from everwhen.model.elements import Node, Path, Relationship
from everwhen.query.explain import PlanDescription
from everwhen.query.physical import Notification


def detach(value: Any) -> Any:
    """A value that outlives its transaction."""
    kind = type(value)
    if kind is Node or kind is Relationship or kind is Path:
        return value.detach()
    if kind is list:
        return [detach(item) for item in value]
    if kind is dict:
        return {key: detach(item) for key, item in value.items()}
    return value


@dataclass(slots=True)
class Summary:
    """What a statement says of itself besides its rows."""

    kind: str = "r"
    counters: Counters = field(default_factory=Counters)
    notifications: tuple[Notification, ...] = ()
    plan: PlanDescription | None = None
    profiled: bool = False
    #: what the caller's own credential is from now on, if the statement changed it
    own_credential: Credential | None = None


class Cursor:
    """Columns at once, rows as they are fetched. One thread at a time."""

    def __init__(
        self,
        columns: tuple[str, ...],
        rows: Iterator[Row],
        summary: Summary,
        ctx: ExecutionContext | None = None,
    ) -> None:
        self.columns = columns
        self.summary = summary
        self.exhausted = False
        self._rows = rows
        self._ctx = ctx
        self._held: deque[Row] = deque()

    @property
    def writes(self) -> bool:
        """Whether its rows may be shown only after a commit."""
        return "w" in self.summary.kind or self.summary.kind == "s"

    def fetch(self, count: int) -> list[Row]:
        """The next rows, up to ``count``; fewer only at the end."""
        held = self._held
        rows = [held.popleft() for _ in range(min(count, len(held)))]
        missing = count - len(rows)
        if missing and not self.exhausted:
            fresh = [[detach(value) for value in row] for row in islice(self._rows, missing)]
            self.exhausted = len(fresh) < missing
            rows += fresh
        return rows

    def take(self, count: int) -> list[Row]:
        """The next rows, up to ``count``; ``done`` is exact afterwards: one row is looked ahead."""
        rows = self.fetch(count + 1)
        self._held.extendleft(rows[count:])  # one at most
        return rows[:count]

    def has(self, count: int) -> bool:
        """Whether so many rows, or all that are left, are there and need no work."""
        return self.exhausted or len(self._held) >= count

    def look_ahead(self, count: int) -> None:
        """Make the next rows and hold them, if there are none held."""
        if not self._held and not self.exhausted:
            self._held.extend(self.fetch(count))

    def run_to_end(self) -> None:
        """Run the statement whole and hold its rows, within the statement's memory."""
        while not self.exhausted:
            rows = self.fetch_fresh(1_000)
            self._held.extend(rows)

    def fetch_fresh(self, count: int) -> list[Row]:
        """Like ``fetch``, past the held rows, accounting for their memory."""
        rows = [[detach(value) for value in row] for row in islice(self._rows, count)]
        self.exhausted = len(rows) < count
        if self._ctx is not None:
            self._ctx.memory.take(sum(row_bytes(row) for row in rows))
        return rows

    @property
    def done(self) -> bool:
        """Nothing is left to fetch."""
        return self.exhausted and not self._held

    def close(self) -> None:
        """Give up what is left."""
        self.exhausted = True
        self._held.clear()
        close = getattr(self._rows, "close", None)
        if close is not None:
            close()
