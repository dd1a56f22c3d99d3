"""What an operator holds, accounted for until it ends, also when nobody pulls to its end."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from everwhen.exec.batch.core import BatchContext


class Held:
    """Bytes that one operator holds now: ``with Held(ctx) as held``."""

    __slots__ = ("_account", "count")

    def __init__(self, ctx: BatchContext) -> None:
        self._account = ctx.rows.memory
        self.count = 0

    def add(self, count: int) -> None:
        """So many more.

        :raises MemoryLimitExceeded: the statement holds too much.
        """
        self.count += count
        self._account.take(count)

    def become(self, count: int) -> None:
        """So many in all."""
        self.add(count - self.count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._account.give_back(self.count)
        self.count = 0
