"""Memory and disk headroom: below the low mark growing writes are refused, before they are
proposed, with the resource named; reads, deletes and vacuum go on (architecture brief, 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """Low marks in bytes: what must stay free."""

    disk_free_min: int
    memory_free_min: int


class Headroom:
    """Looks at both every so often; answers from the last look."""

    def __init__(
        self, marks: Marks, disk_free: Callable[[], int], memory_free: Callable[[], int]
    ) -> None:
        self.marks = marks
        self._disk_free = disk_free
        self._memory_free = memory_free
        self._refusal: str | None = None
        self.disk_free = 0
        self.memory_free = 0

    def look(self) -> str | None:
        """Measure again. Blocking (a system call); call it off the event loop or rarely."""
        self.disk_free = self._disk_free()
        self.memory_free = self._memory_free()
        refusal = None
        if self.disk_free < self.marks.disk_free_min:
            refusal = (
                f"the disk has {self.disk_free:,} bytes free, below the low mark of "
                f"{self.marks.disk_free_min:,}: writes that add data are refused"
            )
        elif self.memory_free < self.marks.memory_free_min:
            refusal = (
                f"{self.memory_free:,} bytes of memory are free, below the low mark of "
                f"{self.marks.memory_free_min:,}: writes that add data are refused"
            )
        self._refusal = refusal
        return refusal

    def refusal(self) -> str | None:
        """Why growth is refused, None if it is not."""
        return self._refusal
