"""Headroom of disk, memory and the image: beyond their marks growing writes are refused, before
they are proposed, with the resource named; reads, deletes and vacuum go on (architecture brief, 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """In bytes: what must stay free, and what the present graph may need in the image."""

    disk_free_min: int
    memory_free_min: int
    #: 0: whatever it needs; what does not fit is answered from the record
    image_max: int = 0


class Headroom:
    """Looks at them every so often; answers from the last look."""

    def __init__(
        self,
        marks: Marks,
        disk_free: Callable[[], int],
        memory_free: Callable[[], int],
        image_needed: Callable[[], int] = lambda: 0,
    ) -> None:
        self.marks = marks
        self._disk_free = disk_free
        self._memory_free = memory_free
        self._image_needed = image_needed
        self._refusal: str | None = None
        self.disk_free = 0
        self.memory_free = 0

    def look(self) -> str | None:
        """Measure again. Blocking (a system call); call it off the event loop or rarely."""
        self.disk_free = self._disk_free()
        self.memory_free = self._memory_free()
        self._refusal = refusal = self._exceeded()
        return refusal

    def _exceeded(self) -> str | None:
        marks, image = self.marks, self._image_needed()
        if self.disk_free < marks.disk_free_min:
            return _refused(
                f"the disk has {self.disk_free:,} bytes free, below the low mark of "
                f"{marks.disk_free_min:,}"
            )
        if self.memory_free < marks.memory_free_min:
            return _refused(
                f"{self.memory_free:,} bytes of memory are free, below the low mark of "
                f"{marks.memory_free_min:,}"
            )
        if marks.image_max and image > marks.image_max:
            return _refused(
                f"the graph needs about {image:,} bytes as columns in memory, more than "
                f"limits.image_memory_bytes, {marks.image_max:,}"
            )
        return None

    def refusal(self) -> str | None:
        """Why growth is refused, None if it is not."""
        return self._refusal


def _refused(why: str) -> str:
    return f"{why}: writes that add data are refused"
