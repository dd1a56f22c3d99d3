"""What a statement holds, accounted for against its limit."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from everwhen.errors import MemoryLimitExceeded
from everwhen.limits import STATEMENT_MEMORY_BYTES_MAX


class MemoryAccount:
    """Bytes a statement holds, roughly; above the limit it ends with a clear error."""

    __slots__ = ("limit", "peak", "used")

    def __init__(self, limit: int = STATEMENT_MEMORY_BYTES_MAX) -> None:
        self.limit = limit
        self.used = 0
        self.peak = 0

    def take(self, count: int) -> None:
        """Account for ``count`` more bytes.

        :raises MemoryLimitExceeded: above the limit.
        """
        self.used += count
        if self.used > self.peak:
            self.peak = self.used
            if self.used > self.limit:
                raise MemoryLimitExceeded(
                    f"the statement holds more than {self.limit:,} bytes of intermediate rows",
                    hint="narrow the pattern, add LIMIT, or use CALL { } IN TRANSACTIONS",
                )

    def give_back(self, count: int) -> None:
        self.used -= count


class Held:
    """Bytes that one operator holds now, given back when it ends, also when nobody pulls to its
    end: ``with Held(ctx.memory) as held``. Others take and give meanwhile, so an operator may not
    reckon by the account itself."""

    __slots__ = ("_account", "count")

    def __init__(self, account: MemoryAccount) -> None:
        self._account = account
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
