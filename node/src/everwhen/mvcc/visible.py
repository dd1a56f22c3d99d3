"""Which entries of the record some reader may still see.

An entry is visible from its version up to the next entry of the same stem. Readers are at or above
a horizon, or at a pinned version below it. An entry that no reader can see may go, and so may a
tombstone with nothing below it to hide.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from everwhen.codec.keys import VERSION_MAX

#: the end of what is visible still
NEVER: Final = VERSION_MAX + 1


class Span(NamedTuple):
    """One entry of a stem: its version, and whether it says that something is there."""

    version: int
    present: bool


class Readers:
    """Where readers may be: at ``pins`` (ascending), and from a horizon on."""

    __slots__ = ("pins",)

    def __init__(self, pins: Sequence[int]) -> None:
        self.pins = pins

    def see(self, version: int, end: int, horizon: int) -> bool:
        """Whether one may be in [version, end)."""
        if end > horizon:
            return True
        at = bisect_left(self.pins, version)
        return at < len(self.pins) and self.pins[at] < end

    def stem(
        self, entries: Sequence[Span], horizon: int, *, newer: int = NEVER, beneath: bool = False
    ) -> list[bool]:
        """Which entries of a stem, newest first, are kept. ``newer``: the version of the entry
        before the first one; ``beneath``: something older than all of them is hidden by them."""
        kept = []
        for entry in entries:
            kept.append(self.see(entry.version, newer, horizon))
            newer = entry.version
        if not beneath:
            for at in range(len(entries) - 1, -1, -1):
                # what is newer than the horizon may hide something that lies elsewhere still
                if kept[at] and (entries[at].present or entries[at].version > horizon):
                    break
                kept[at] = False
        return kept


class Lifetimes:
    """The heads of one entity, newest first, its row in a segment as the oldest one."""

    __slots__ = ("_heads",)

    def __init__(self, heads: Sequence[Span], row: int | None) -> None:
        self._heads = [*heads, *(() if row is None else (Span(row, True),))]

    def end_of(self, version: int) -> int:
        """Up to where a delta written at a version counts; the version itself: it never did."""
        end = NEVER
        for head in self._heads:
            if head.version <= version:
                return end if head.present else version
            end = head.version
        return version

    def end_of_row(self) -> int:
        """Up to where the row in a segment counts."""
        return self._heads[-2].version if len(self._heads) > 1 else NEVER
