"""RocksDB's iterators as cursors, and its errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from everwhen.errors import CorruptData, DiskFailed, EverwhenError


class RawIterator(Protocol):
    """RocksDB's own."""

    def seek(self, key: bytes, /) -> None: ...

    def seek_for_prev(self, key: bytes, /) -> None: ...

    def valid(self) -> bool: ...

    def key(self) -> bytes: ...

    def value(self) -> bytes: ...

    def next(self) -> None: ...

    def prev(self) -> None: ...

    def status(self) -> None: ...


class CheckedCursor:
    """RocksDB's iterator that says when it ended because of damage."""

    __slots__ = (
        "_give_back", "_iterator", "key", "next", "prev", "seek", "seek_for_prev", "value"
    )  # fmt: skip

    def __init__(self, iterator: RawIterator, give_back: Callable[[], None]) -> None:
        """``give_back``: the iterator is free again."""
        self._iterator = iterator
        self._give_back: Callable[[], None] | None = give_back
        self.seek = iterator.seek
        self.seek_for_prev = iterator.seek_for_prev
        self.key = iterator.key
        self.value = iterator.value
        self.next = iterator.next
        self.prev = iterator.prev

    def close(self) -> None:
        """Let the next reader have the iterator."""
        give_back, self._give_back = self._give_back, None  # not twice
        if give_back is not None:
            give_back()

    def valid(self) -> bool:
        """Whether the position is on a pair."""
        if self._iterator.valid():
            return True
        check(self._iterator)
        return False


def pairs(iterator: RawIterator, bound: object) -> Iterator[tuple[bytes, bytes]]:
    """The pairs from an iterator's place to its end. ``bound`` holds the bytes of the key where it
    ends, and must live as long as the iterator."""
    valid, key, value, step = iterator.valid, iterator.key, iterator.value, iterator.next
    while valid():
        yield key(), value()
        step()
    check(iterator)
    del bound


def check(iterator: RawIterator) -> None:
    """Raise if an iterator that is not on a pair got there because of damage."""
    try:
        iterator.status()
    except Exception as error:
        raise fault("reading the record", error) from error


def fault(doing: str, error: Exception) -> EverwhenError:
    text = str(error)
    if "Corruption" in text:
        return CorruptData(
            f"{doing}: {text}",
            hint="the record is damaged; restore the data directory from a backup, or replace "
            "this node by an empty one under a new id",
        )
    return DiskFailed(
        f"{doing} failed: {text}",
        hint="the process ends now; check the volume (space, health, mount), then start again",
    )
