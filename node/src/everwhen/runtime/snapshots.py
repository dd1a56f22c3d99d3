"""Snapshots that nobody reads through any more, kept with what they decoded for the next reader.

A committed version never changes, but what can be read of it does: vacuum raises horizons, an
erasure takes things away. So a snapshot is kept only while what is published is what it was made
of. It belongs to one transaction at a time: who takes it has it alone until it comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from everwhen.limits import (
    PAST_IMAGES_KEPT_MAX,
    PAST_SNAPSHOTS_KEPT_MAX,
    SNAPSHOTS_KEPT_MAX,
)
from everwhen.model.graph import GraphView
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.state import RecordState


class Snapshots:
    """See the module. Any thread may call."""

    __slots__ = ("_images", "_lock", "_newest", "_past", "_state")

    def __init__(self, state: RecordState) -> None:
        self._state = state
        self._lock = Lock()
        self._newest: list[GraphSnapshot] = []
        #: of older versions, in the order they came back, and how many images each holds
        self._past: dict[int, tuple[GraphSnapshot, int]] = {}
        self._images = 0

    def take(self, version: int) -> GraphSnapshot:
        """The committed graph at a version, for a reader that gives it back."""
        with self._lock:
            newest = self._newest
            while newest:
                found = newest.pop()
                if found.is_current and found.version == version:
                    return found
            kept = self._past.pop(version, None)
            if kept is not None:
                self._images -= kept[1]
                if kept[0].is_current:
                    return kept[0]
        return GraphSnapshot(self._state, version)

    def give_back(self, views: Iterable[GraphView]) -> None:
        """Nobody reads through them any more; those that are snapshots are kept."""
        for view in views:
            if isinstance(view, GraphSnapshot) and view.is_current:
                self._give_back(view)

    def _give_back(self, snapshot: GraphSnapshot) -> None:
        with self._lock:
            if snapshot.version == self._state.current.head.version:
                if len(self._newest) < SNAPSHOTS_KEPT_MAX:
                    self._newest.append(snapshot)
            elif snapshot.version not in self._past:
                self._keep(snapshot)

    def _keep(self, snapshot: GraphSnapshot) -> None:
        past, images = self._past, snapshot.images_held
        past[snapshot.version] = snapshot, images
        self._images += images
        while len(past) > PAST_SNAPSHOTS_KEPT_MAX or self._images > PAST_IMAGES_KEPT_MAX:
            self._images -= past.pop(next(iter(past)))[1]
