"""Virtual clocks and seeded random numbers."""

from __future__ import annotations

import random
from uuid import UUID

#: 2030-01-01T00:00Z, so that no test depends on the day it runs
START_MICROS = 1_893_456_000_000_000


class VirtualClock:
    """A clock that moves only when told to."""

    def __init__(self, start_micros: int = START_MICROS) -> None:
        self._start_micros = start_micros
        self._elapsed = 0.0

    def now_micros(self) -> int:
        """The virtual wall clock."""
        return self._start_micros + round(self._elapsed * 1_000_000)

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError("time does not go backwards; see jump_wall")
        self._elapsed += seconds

    def jump_wall(self, micros: int) -> None:
        """Set the wall clock forward or back, as an operator or a time server may."""
        self._start_micros += micros


class SeededRandom:
    """Random numbers that follow from a seed."""

    def __init__(self, seed: int | str) -> None:
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose, in tests only

    def child(self, purpose: str) -> SeededRandom:
        """A stream of its own, so that one use of chance does not shift another."""
        return SeededRandom(f"{self._seed}/{purpose}")

    def bytes(self, count: int) -> bytes:
        """``count`` random bytes."""
        return self._random.randbytes(count)

    def float(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()

    def below(self, bound: int) -> int:
        """A number in [0, bound)."""
        return self._random.randrange(bound)

    def uuid(self) -> UUID:
        """A UUID of version 4."""
        return UUID(bytes=self.bytes(16), version=4)
