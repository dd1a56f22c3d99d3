"""Hybrid logical clock: commit times that follow the wall clock and never repeat or go back.

A stamp is the wall clock in microseconds, or one more than the last stamp if the wall clock is
not ahead of it (Kulkarni et al. 2014, "Logical Physical Clocks", with the logical part folded
into the microseconds). Pure: the wall clock is handed in.
"""

from __future__ import annotations


class HybridClock:
    """Hands out strictly increasing stamps, starting above ``last``."""

    __slots__ = ("last",)

    def __init__(self, last: int = 0) -> None:
        #: the highest stamp given out or seen, µs since 1970 UTC
        self.last = last

    def stamp(self, wall_micros: int) -> int:
        """The next stamp."""
        self.last = wall_micros if wall_micros > self.last else self.last + 1
        return self.last

    def observe(self, stamp: int) -> None:
        """A stamp from elsewhere (the log, a closed time): the next one lies above it."""
        if stamp > self.last:
            self.last = stamp
