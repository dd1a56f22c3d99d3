"""Memory and disk headroom: below the low mark growing writes are refused, before they are
proposed, with the resource named; reads, deletes and vacuum go on (architecture brief, 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass



@dataclass(frozen=True, slots=True)
class Marks:
    """Low marks in bytes. ``memory_max`` 0: no limit of our own."""

    disk_free_min: int
    memory_max: int


class Headroom:
    """Looks at both every so often; answers from the last look."""

    def __init__(
        self, marks: Marks, disk_free: Callable[[], int], memory_used: Callable[[], int]
    ) -> None:
        self._marks = marks
        self._disk_free = disk_free
        self._memory_used = memory_used
        self._refusal: str | None = None
        self.disk_free = 0
        self.memory_used = 0

    def look(self) -> str | None:
        """Measure again. Blocking (a system call); call it off the event loop or rarely."""
        self.disk_free = self._disk_free()
        self.memory_used = self._memory_used()
        refusal = None
        if self.disk_free < self._marks.disk_free_min:
            refusal = (
                f"the disk has {self.disk_free:,} bytes free, below the low mark of "
                f"{self._marks.disk_free_min:,}: writes that add data are refused"
            )
        elif self._marks.memory_max and self.memory_used > self._marks.memory_max:
            refusal = (
                f"the process uses {self.memory_used:,} bytes of memory, above the limit of "
                f"{self._marks.memory_max:,}: writes that add data are refused"
            )
        self._refusal = refusal
        return refusal

    def refusal(self) -> str | None:
        """Why growth is refused, None if it is not."""
        return self._refusal


