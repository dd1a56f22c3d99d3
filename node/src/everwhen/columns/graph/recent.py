"""A few things that were worked out last, for whoever asks for the same next."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

V = TypeVar("V")

_KEPT: Final = 4


class Recent(Generic[V]):
    """Any thread: each step on the dictionary is atomic, and losing an entry costs time only."""

    __slots__ = ("_kept", "_most")

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        #: oldest first
        self._kept: dict[Hashable, V] = {}

    def get(self, key: Hashable) -> V | None:
        """What was put, if it is still there."""
        return self._kept.get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Keep it; the oldest goes."""
        if len(self._kept) >= self._most:
            for old in list(self._kept)[: 1 - self._most or None]:
                self._kept.pop(old, None)
        self._kept[key] = value

    def clear(self) -> None:
        """Forget all."""
        self._kept = {}
