"""When the image is written to its checkpoint, and whether one that is found is of this history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from everwhen.columns.arena import Arena
from everwhen.columns.graph.checkpoint import Frozen, Shelf, decode, thaw
from everwhen.columns.graph.content import Content
from everwhen.columns.graph.follow import commit_record
from everwhen.errors import CorruptData
from everwhen.limits import IMAGE_SAVED_ELEMENTS
from everwhen.mvcc.state import RecordState

#: of all elements, so many changes make a new checkpoint due
_SHARE: Final = 8
#: how often one that is newer than the record is looked at again: the log is still being replayed
_LOOKS: Final = 300
#: seconds waited for a lock
_PATIENCE: Final = 0.05


@contextmanager
def held(*locks: Lock) -> Iterator[bool]:
    """Hold locks, if each can be had in a moment; whether that is so."""
    taken: list[Lock] = []
    try:
        for lock in locks:
            if not lock.acquire(timeout=_PATIENCE):
                break
            taken.append(lock)
        yield len(taken) == len(locks)
    finally:
        for lock in taken:
            lock.release()


class Saving:
    """See the module. ``shelf`` None: nothing is kept."""

    __slots__ = ("_arena", "_followed", "_generations", "_left", "_of", "_state", "erased", "shelf")

    def __init__(self, state: RecordState, arena: Arena, generations: Iterator[int]) -> None:
        self._state = state
        self._arena = arena
        self._generations = generations
        self.shelf: Shelf | None = None
        #: something was erased since the image was read
        self.erased = False
        #: the generation that the newest checkpoint is of, and what it had followed by then
        self._of: int | None = None
        self._followed = 0
        #: looks left
        self._left = _LOOKS

    @property
    def unseen(self) -> bool:
        """Whether there may be one from before the start."""
        return self.shelf is not None and self._left > 0

    def drop(self) -> None:
        """What was written counts no more: the next look writes it again."""
        self._of = None

    def remove(self) -> None:
        """Something was erased that the checkpoint may hold."""
        self.erased, self._of = False, None
        if self.shelf is not None:
            self.shelf.remove()

    def take(self) -> Content | None:
        """The image of the checkpoint, if there is one that fits."""
        found = None if self.shelf is None else self.shelf.read()
        if found is None:
            self._left = 0
            return None
        try:
            meta = decode(found[0])
            head = self._state.current.head
            if head.version < meta.version:
                self._left -= 1
                return None
            self._left = 0
            if meta.version <= self._state.current.retention.erased_upto:
                self.remove()  # what was erased since may be in it
                return None
            record = commit_record(self._state, meta.version)
            if record is None or record.chain != meta.chain or meta.floor < head.oldest_version:
                return None
            content = thaw(self._arena, meta, found[1], next(self._generations))
        except CorruptData:
            # damaged, or of another build: as good as none, and the next one takes its place
            self._left = 0
            return None
        self._of, self._followed = content.generation, content.followed
        return content

    def save(self, content: Content, elements: int, lock: Lock) -> bool:
        """Write a checkpoint if one is due; whether one was written. ``lock``: the follower's."""
        if self.shelf is None or elements < IMAGE_SAVED_ELEMENTS:
            return False
        since = content.followed - self._followed
        if self._of == content.generation and since * _SHARE < max(elements, 1):
            return False
        with lock:
            record = commit_record(self._state, content.upto)
            if record is None:
                return False
            frozen = Frozen(content, record.chain)
            self._of, self._followed = content.generation, content.followed
        return frozen.write(self.shelf)
