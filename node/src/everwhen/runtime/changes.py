"""Change capture: the changes after a position, as soon as this node has applied them.

A position is a version and a place among the changes of that commit, the same on every node, so a
reader may go on anywhere. A node that is behind waits until it has applied the position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from everwhen.errors import ChangesGone, RequestInvalid, TooManyRequests
from everwhen.limits import (
    CHANGES_BATCH_BYTES,
    CHANGES_EXAMINED_MAX,
    CHANGES_READERS_MAX,
)
from everwhen.model.changes import ChangeRecord, Names, Position
from everwhen.runtime.consensus import Consensus
from everwhen.runtime.database import Database
from everwhen.runtime.steps import Steps

#: seconds a wait lasts before it looks whether the node stops
_LOOK_SECONDS: Final = 1.0
#: digits of a number that fits in 64 bits for certain
_DIGITS_MAX: Final = 18

Encode = Callable[[ChangeRecord], bytes]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some changes, encoded, and the position behind them."""

    records: list[bytes]
    #: the position of the last one; None if there is none
    last: Position | None
    position: Position


class Changes:
    """One per service. Event loop only."""

    def __init__(
        self,
        database: Database,
        consensus: Consensus,
        steps: Steps,
        history_id: Callable[[], str],
        check_serving: Callable[[], None],
    ) -> None:
        self._database = database
        self._consensus = consensus
        self._steps = steps
        self._history_id = history_id
        self._check_serving = check_serving
        #: readers that wait or are being served
        self.readers = 0

    @contextmanager
    def reader(self) -> Iterator[None]:
        """Room for one reader.

        :raises TooManyRequests: there is none.
        """
        if self.readers >= CHANGES_READERS_MAX:
            raise TooManyRequests(
                f"{CHANGES_READERS_MAX} readers of changes are connected to this node",
                hint="use another node, or filter what one reader gets",
            )
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1

    # --- positions ---

    def text(self, position: Position) -> str:
        """A position as clients keep it: it names the history it belongs to."""
        return f"{position}@{self._history_id()}"

    def parse(self, text: str) -> Position:
        """A position from a client: ``12``, ``12.3``, either with ``@`` and a history id, or
        ``now``.

        :raises RequestInvalid: malformed.
        :raises ChangesGone: of another history, or older than what is kept.
        """
        if text == "now":
            return Position(self._database.version)
        place, at, history = text.partition("@")
        version, dot, number = place.partition(".")
        numbers = (version, number) if dot else (version,)
        if not all(n.isascii() and n.isdigit() and len(n) <= _DIGITS_MAX for n in numbers) or bool(
            at
        ) != bool(history):
            raise RequestInvalid(
                f"{text[:80]!r} is no position in the changes",
                hint="0 for everything that is kept, now, or a position that was answered before",
            )
        if history and history != self._history_id():
            raise ChangesGone(
                f"the position {text[:80]} belongs to another history of this database",
                hint="read the graph anew: it was restored, or recovered without a majority",
            )
        found = Position(int(version), int(number) if dot else None)
        oldest = self._database.state.current.retention.journal_floor
        if found.version == 0:
            return Position(oldest)
        if found.version < oldest or (found.version == oldest and found.number is not None):
            raise ChangesGone(
                f"the changes after {found} are not kept any more: the oldest position to go on "
                f"from is {oldest}",
                hint=f"read the graph AT VERSION {oldest} or later, and go on from there",
            )
        return found

    # --- reading ---

    async def read(
        self, after: Position, names: Names | None, limit: int, encode: Encode, wait: float
    ) -> Batch:
        """Changes after a position: at least one, unless none came in ``wait`` seconds.

        :raises ChangesGone: older than what is kept.
        :raises ShuttingDown, NodeFenced: this node answers no more.
        """
        clock = self._database.clock
        until = clock.monotonic() + wait
        while True:
            self._check_serving()
            if self._has_more(after):
                batch = await self._steps.in_thread(None, self._batch, after, names, limit, encode)
                if batch.records or clock.monotonic() >= until:
                    return batch
                after = batch.position
                continue
            left = until - clock.monotonic()
            if left <= 0:
                return Batch([], None, after)
            await self._consensus.reach(self._next(after), min(left, _LOOK_SECONDS))

    def _has_more(self, after: Position) -> bool:
        return self._database.version >= self._next(after)

    @staticmethod
    def _next(after: Position) -> int:
        """The commit that the next change may belong to."""
        return after.version + (after.number is None)

    def _batch(self, after: Position, names: Names | None, limit: int, encode: Encode) -> Batch:
        looked = 0

        def tick() -> None:
            nonlocal looked
            looked += 1
            if looked > CHANGES_EXAMINED_MAX:
                raise _Enough

        records: list[bytes] = []
        size = 0
        last: Position | None = None
        with self._database.reading():
            snapshot = self._database.snapshot(self._database.version)
            reader = snapshot.change_reader(after, names, tick)
            try:
                for record in reader:
                    data = encode(record)
                    records.append(data)
                    last = record.position
                    size += len(data)
                    if len(records) >= limit or size >= CHANGES_BATCH_BYTES:
                        break
            except _Enough:
                pass  # the reader's position says how far it came
        return Batch(records, last, reader.position)


class _Enough(Exception):
    """So many changes were looked at that another turn goes on."""
