"""The image of the graph: read from the record when it pays, following the journal from then on.

A reader asks for a view of a version. If the image holds the version, or can be taken there in
bounded work, it gets one, which stays as it is; else it gets None and reads the record. Small
graphs are read by who asks, others in the background (:meth:`GraphImage.tend`), where the image is
also kept close to the newest version and changes are merged into new bases. Versions that are far
back may be answered by a second image (``far.py``); nobody who reads sees which it was. Neither is
ever the only copy of anything: what it cannot follow, and what does not fit into memory, makes it
forget.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from everwhen.columns.graph.content import Content, present_bytes
from everwhen.columns.graph.far import FarPast
from everwhen.columns.graph.holder import WORTH_SHARE, Holder, TooLarge, elements_of, may_try
from everwhen.columns.graph.saving import Saving, held
from everwhen.columns.graph.view import ColumnsView
from everwhen.errors import ImageLost
from everwhen.limits import IMAGE_BYTES_DEFAULT, IMAGE_FOLLOW_VERSIONS_MAX
from everwhen.mvcc.state import RecordState


class GraphImage:
    """See the module. Any thread; a :class:`~everwhen.mvcc.state.GraphColumnsImage`."""

    __slots__ = ("_beside", "_bytes_max", "_ending", "_idle", "_near", "_state", "far", "saving")

    def __init__(
        self,
        state: RecordState,
        bytes_max: int = IMAGE_BYTES_DEFAULT,
        beside: Callable[[], int] = lambda: 0,
    ) -> None:
        """``bytes_max`` bounds both images and what is held ``beside`` them."""
        self._state = state
        self._bytes_max = bytes_max
        self._beside = beside
        self._ending = False
        generations = count(1)
        self._near = Holder(state, generations, self._over, self._ends)
        self.far = FarPast(state, generations, self._room, self._ends)
        self.saving = Saving(state, self._near.arena, generations)
        #: the marks of both when there was nothing to do
        self._idle: tuple[object, ...] = ()

    # --- what is there ---

    @property
    def bytes(self) -> int:
        """Memory held, views of earlier generations included."""
        return self.needed + self.far.holder.arena.bytes

    @property
    def needed(self) -> int:
        """The same without what goes as soon as others need the memory."""
        return self._near.arena.bytes

    @property
    def by_kind(self) -> dict[str, int]:
        """Bytes of the first image by kind."""
        return self._near.arena.by_kind

    @property
    def held(self) -> tuple[int, int] | None:
        """The oldest and the newest version that the first image answers for at once."""
        return self._near.held

    def _fits(self) -> bool:
        """Whether to try to read it."""
        needed = present_bytes(self._state.counters) + self._beside()
        fits = needed <= self._bytes_max
        return fits and may_try(self._near.refused, elements_of(self._state))

    def _room(self) -> int:
        """Bytes that the second image may take."""
        return self._bytes_max - self.needed - self._beside()

    def _over(self) -> bool:
        """Whether the first image takes too much, with the second one gone."""
        if self.far.too_large():
            self.far.drop()
        return self._room() < 0

    # --- readers ---

    def view(self, version: int, worth: int) -> ColumnsView | None:
        """The graph at a version that is readable; None: read the record. ``worth``: rows that
        the caller would look at."""
        if self.saving.erased and not self._renewed():
            return None
        near = self._near
        found = near.kept(version) or self.far.holder.kept(version)
        if found is not None:
            return found
        content = near.content
        if version < (self._state.current.head.version if content is None else content.floor):
            plan = self.far.plan(version, near)
            if plan is not None:
                return self.far.view(plan, worth)
        if content is None and not self._read_now(worth):
            return None
        return near.view(version, worth)

    def _read_now(self, worth: int) -> bool:
        elements = elements_of(self._state)
        if self._near.worth_reading(worth, elements):
            return self._load(wait=worth * WORTH_SHARE >= elements)
        return False

    def forget(self) -> None:
        """Something was erased: it is read anew; from any thread, without waiting."""
        self.saving.erased = True

    def _renewed(self) -> bool:
        """Drop what was read before something was erased; False: somebody is at it."""
        near, far = self._near, self.far.holder
        with held(near.loading, near.lock, far.loading, far.lock) as alone:
            if alone:
                self.saving.remove()
                near.forget()
                self.far.drop()
        return alone

    # --- reading the record ---

    def _load(self, *, wait: bool = False, read: bool = True) -> bool:
        """Take the checkpoint, or else ``read`` the record, unless somebody does, who may be
        waited for; whether it is there now."""
        if not self._fits():
            return False

        def make() -> Content | None:
            content = self.saving.take()
            if content is None and read:
                content = self._read()
            # what was erased while it was read may be in it
            return None if self.saving.erased else content

        try:
            return self._near.load(make, None, wait=wait)
        except TooLarge:
            self._near.refused = elements_of(self._state)
            return False

    def _read(self) -> Content:
        """The image of the newest version, from the record."""
        return self._near.read(self._state.current.head.version)

    # --- in the background ---

    def due(self) -> bool:
        """Whether :meth:`tend` may find something to do; at once."""
        moved = self.saving.erased or self._behind() or self._idle != self._mark()
        lost = self._near.lost is not None or self.far.holder.lost is not None
        return self.far.due() or moved or not self.ready or lost

    @property
    def ready(self) -> bool:
        """Whether what was held before the start is there again, or nothing was."""
        return self._near.content is not None or not self.saving.unseen

    def _mark(self) -> tuple[object, ...]:
        return self._near.mark, self.far.mark

    def _behind(self) -> bool:
        """Whether the newest version is so far off that readers would not get there."""
        content, version = self._near.content, self._state.current.head.version
        return content is not None and version - content.upto > IMAGE_FOLLOW_VERSIONS_MAX // 4

    def tend(self) -> bool:
        """One step: read what was asked for, come closer to the newest version, merge what has
        changed much; whether more may be left.

        :raises ImageLost: what was held contradicted the journal, and is gone.
        """
        for one in (self._near, self.far.holder):
            lost, one.lost = one.lost, None
            if lost is not None:
                raise ImageLost(f"the image did not fit the journal: {lost}") from lost
            one.settle()
        if self.saving.erased:
            self._renewed()
        mark = self._mark()
        # a step of each: neither waits for the other
        more = self._tend_near(), self.far.tend()
        if not any(more):
            self._idle = mark
        return any(more)

    def _tend_near(self) -> bool:
        near, elements = self._near, elements_of(self._state)
        content = near.content
        if content is None:
            wanted = near.asked > 0 and near.asked * WORTH_SHARE >= elements
            # what was held before the start is wanted again
            return (wanted or self.saving.unseen) and self._load(read=wanted)
        if self._behind():
            with near.lock:
                if near.content is content:
                    near.reach(content, self._state.current.head.version)
            return True
        return near.tend(content) or self.saving.save(content, elements, near.lock)

    def interrupt(self) -> None:
        """End a step of :meth:`tend` that runs, and all that come; from any thread."""
        self._ending = True

    def _ends(self) -> bool:
        return self._ending
