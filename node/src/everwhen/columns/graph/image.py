"""The image of the graph: read from the record when it pays, following the journal from then on.

A reader asks for a view of a version. If the image holds the version, or can be taken there in
bounded work, it gets one, which stays as it is; else it gets None and reads the record. Small
graphs are read by who asks, others in the background (:meth:`GraphImage.tend`), where the image is
also kept close to the newest version and changes are merged into new bases. It is never the only
copy of anything: what it cannot follow, and what does not fit into memory, makes it forget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from threading import Lock
from typing import Final

from everwhen.codec.journal import Record
from everwhen.codec.keys import Counter
from everwhen.columns.arena import Arena
from everwhen.columns.graph.content import Content, present_bytes
from everwhen.columns.graph.follow import Backtracker, Follower, commit_record
from everwhen.columns.graph.forget import forget
from everwhen.columns.graph.load import load
from everwhen.columns.graph.merge import merge
from everwhen.columns.graph.recent import Recent
from everwhen.columns.graph.saving import Saving, held
from everwhen.columns.graph.view import ColumnsView
from everwhen.errors import CorruptData, ImageLost, ShuttingDown
from everwhen.kernels.warm import warm
from everwhen.limits import (
    IMAGE_BYTES_DEFAULT,
    IMAGE_FOLLOW_CHANGES_MAX,
    IMAGE_FOLLOW_VERSIONS_MAX,
    IMAGE_SMALL_ELEMENTS,
)
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.state import RecordState

#: seconds a reader waits for another one that takes the image on
_PATIENCE: Final = 0.05
#: the same for one who reads it whole
_LOAD_PATIENCE: Final = 60.0
#: views kept
_VIEWS: Final = 16
#: of all elements, so many must have been asked for before they are read at once
_WORTH_SHARE: Final = 4


#: steps of that many changes that one question may take at most
_STEPS_MAX: Final = 50
#: changes worked in at once in the background, while readers wait
_BACK_STEP: Final = 10_000
#: commits after which an image that is too large is more than what was read
_HARDLY: Final = 100


class _TooLarge(Exception):
    """The image grew beyond its bound while it was read."""


class GraphImage:
    """See the module. Any thread; a :class:`~everwhen.mvcc.state.GraphColumnsImage`."""

    __slots__ = (
        "_asked",
        "_beside",
        "_bytes_max",
        "_content",
        "_ending",
        "_generations",
        "_idle",
        "_loading",
        "_lock",
        "_lost",
        "_past_refused",
        "_past_wanted",
        "_refused",
        "_state",
        "_views",
        "arena",
        "saving",
    )

    def __init__(
        self,
        state: RecordState,
        bytes_max: int = IMAGE_BYTES_DEFAULT,
        beside: Callable[[], int] = lambda: 0,
    ) -> None:
        """``bytes_max`` bounds the image and what is held ``beside`` it."""
        self._state = state
        self._bytes_max = bytes_max
        self._beside = beside
        self.arena = Arena()
        self._lock = Lock()
        self._loading = Lock()
        self._content: Content | None = None
        self._views: Recent[ColumnsView] = Recent(_VIEWS)
        self._generations: Iterator[int] = count(1)
        #: rows that were asked for in vain
        self._asked = 0
        #: elements that did not fit, and those beside which more of the past did not
        self._refused = 0
        self._past_refused = 0
        #: a version before those held that somebody asked for
        self._past_wanted: int | None = None
        self._ending = False
        #: why it was thrown away, until that is told
        self._lost: CorruptData | None = None
        self.saving = Saving(state, self.arena, self._generations)
        #: versions held and rows asked for when there was nothing to do
        self._idle: tuple[int, int, int | None] = (0, 0, None)

    # --- what is there ---

    @property
    def bytes(self) -> int:
        """Memory held, views of earlier generations included."""
        return self.arena.bytes

    @property
    def held(self) -> tuple[int, int] | None:
        """The oldest and the newest version it answers for at once."""
        content = self._content
        return None if content is None else (content.floor, content.upto)

    @property
    def _elements(self) -> int:
        counters = self._state.counters
        return counters.get(Counter.NODES) + counters.get(Counter.RELATIONSHIPS)

    def _fits(self) -> bool:
        """Whether to try to read it."""
        needed = present_bytes(self._state.counters) + self._beside()
        return needed <= self._bytes_max and self._may_try(self._refused)

    def _may_try(self, refused: int) -> bool:
        """Whether there is clearly less than when something did not fit."""
        return not refused or self._elements < refused - refused // 8

    def _over(self) -> bool:
        return self.bytes + self._beside() > self._bytes_max

    # --- readers ---

    def view(self, version: int, worth: int) -> ColumnsView | None:
        """The graph at a version that is readable; None: read the record. ``worth``: rows that
        the caller would look at."""
        if self.saving.erased and not self._renewed():
            return None
        found = self._views.get(version)
        if found is not None:
            return found
        if self._content is None and not self._read_now(worth):
            return None
        # who would look at much can wait for much
        steps = 1 + worth // IMAGE_FOLLOW_CHANGES_MAX
        patience = _PATIENCE if steps == 1 else _LOAD_PATIENCE
        before = None
        for _ in range(min(steps, _STEPS_MAX)):
            if not self._lock.acquire(timeout=patience):
                return None
            try:
                content = self._content
                if content is None or self._ending:
                    return None
                if self._reach(content, version):
                    return self._made(content, version)
            finally:
                self._lock.release()
            before, held = self.held, before
            if before == held:
                return None  # it gets no further
        return None

    def forget(self) -> None:
        """Something was erased: it is read anew; from any thread, without waiting."""
        self.saving.erased = True

    def _renewed(self) -> bool:
        """Drop what was read before something was erased; False: somebody is at it."""
        with held(self._loading, self._lock) as alone:
            if alone:
                self.saving.remove()
                self._forget()
        return alone

    def _made(self, content: Content, version: int) -> ColumnsView:
        for table in list(content.tables.values()):
            table.cover()
        view = ColumnsView(content, self._state.tokens, version)
        self._views.put(version, view)
        return view

    def _read_now(self, worth: int) -> bool:
        """Whether it is there, after reading it: if it is small and was asked for often enough,
        or if the caller alone would look at so much that reading it first takes less time."""
        self._asked += worth
        elements = self._elements
        if worth * _WORTH_SHARE >= elements and elements:
            return self._load(wait=True)
        if elements > IMAGE_SMALL_ELEMENTS or self._asked * _WORTH_SHARE < elements:
            return False
        return self._load()

    def _reach(self, content: Content, version: int, back: int = IMAGE_FOLLOW_CHANGES_MAX) -> bool:
        """Take the image to a version, if that is bounded work; ``back``: changes at most."""
        try:
            if version > content.upto:
                self._follow(content, version)
            elif version < content.floor:
                self._extend(content, version, back)
        except CorruptData as error:
            # the record judges itself; what is made of it is made anew, and ``tend`` tells why
            self._lost = error
            self._forget()
            return False
        return self._content is content and content.floor <= version <= content.upto

    def _follow(self, content: Content, version: int) -> None:
        """Some commits further."""
        follower = Follower(content, self._state)
        left = IMAGE_FOLLOW_CHANGES_MAX
        last = min(version, content.upto + IMAGE_FOLLOW_VERSIONS_MAX)
        for one in range(content.upto + 1, last + 1):
            record = commit_record(self._state, one)
            if record is None:
                self._forget()
                return
            follower.commit(one, record)
            content.upto = one
            left -= _changes(record)
            if left <= 0:
                break
        self.saving.changes += IMAGE_FOLLOW_CHANGES_MAX - left
        if self._over():
            # without its past it may fit, once it is read again
            if content.floor == content.base and content.upto - content.base < _HARDLY:
                self._refused = self._elements
            self._past_refused = self._elements
            self._forget()

    def _extend(self, content: Content, version: int, most: int) -> None:
        """Some commits back, of so many changes; how far is remembered for the background."""
        if version < content.lowest or not self._may_try(self._past_refused):
            return
        wanted = self._past_wanted
        self._past_wanted = version if wanted is None else min(wanted, version)
        tracker = Backtracker(content, self._state)
        floor = content.floor
        last = max(version, floor - IMAGE_FOLLOW_VERSIONS_MAX)
        while floor > last and most > 0:
            record = commit_record(self._state, floor)
            if record is None:
                self._past_wanted = None
                break
            tracker.commit(floor, record)
            floor -= 1
            most -= _changes(record)
        tracker.extend()
        content.floor = floor
        if self._over():
            self._past_refused = self._elements
            self._forget()

    def _forget(self) -> None:
        self._content = None
        self.saving.drop()
        self._views.clear()
        self._asked = 0
        self._past_wanted = None

    # --- reading the record ---

    def _load(self, *, wait: bool = False, read: bool = True) -> bool:
        """Take the checkpoint, or else ``read`` the record, unless somebody does, who may be
        waited for; whether it is there now."""
        if not self._fits():
            return False
        if not self._loading.acquire(timeout=_LOAD_PATIENCE if wait else 0):
            return False
        try:
            if self._content is not None:
                return True
            try:
                content = self.saving.take() or (self._read() if read else None)
            except _TooLarge:
                self._refused = self._elements
                return False
            if content is None:
                return False
            self._refused = 0
            if self._elements > IMAGE_SMALL_ELEMENTS:
                warm()  # whoever asks next finds the kernels there
            with self._lock:
                self._views.clear()
                # what was erased while it was read may be in it
                self._content = None if self.saving.erased else content
            return self._content is not None
        finally:
            self._loading.release()

    def _read(self) -> Content:
        """The image of the newest version, from the record."""
        head = self._state.current.head
        entities = GraphSnapshot(self._state, head.version).entities
        number = next(self._generations)
        return load(self.arena, entities, number, head.oldest_version, self._go_on)

    def _go_on(self) -> None:
        if self._ending:
            raise ShuttingDown("the node is shutting down")
        if self._over():
            raise _TooLarge

    # --- in the background ---

    def due(self) -> bool:
        """Whether :meth:`tend` may find something to do; at once."""
        moved = self.saving.erased or self._behind() or self._idle != self._mark()
        return moved or not self.ready or self._lost is not None

    @property
    def ready(self) -> bool:
        """Whether what was held before the start is there again, or nothing was."""
        return self._content is not None or not self.saving.unseen

    def _mark(self) -> tuple[int, int, int | None]:
        content = self._content
        return (0 if content is None else content.upto, self._asked, self._past_wanted)

    def _behind(self) -> bool:
        """Whether the newest version is so far off that readers would not get there."""
        content, version = self._content, self._state.current.head.version
        return content is not None and version - content.upto > IMAGE_FOLLOW_VERSIONS_MAX // 4

    def tend(self) -> bool:
        """One step: read what was asked for, come closer to the newest version, merge what has
        changed much; whether more may be left.

        :raises ImageLost: what was held contradicted the journal, and is gone.
        """
        lost, self._lost = self._lost, None
        if lost is not None:
            raise ImageLost(f"the image did not fit the journal: {lost}") from lost
        if self.saving.erased:
            self._renewed()
        content = self._content
        if content is not None and content.floor <= (self._past_wanted or 0):
            self._past_wanted = None
        mark = self._mark()
        more = False
        if content is None:
            wanted = self._asked > 0 and self._asked * _WORTH_SHARE >= self._elements
            # what was held before the start is wanted again
            more = (wanted or self.saving.unseen) and self._load(read=wanted)
        elif self._behind():
            with self._lock:
                if self._content is content:
                    self._reach(content, self._state.current.head.version)
            more = True
        elif self._past_due(content):
            more = True
        else:
            more = merge(content, self._lock, self._go_on)
            more = more or forget(content, self._state.current.head.oldest_version, self._lock)
            if more:
                # views that are kept would keep what was replaced
                self._views.clear()
            more = more or self._save(content)
        if not more:
            self._idle = mark
        return more

    def _save(self, content: Content) -> bool:
        return self.saving.save(content, self._elements, self._lock)

    def _past_due(self, content: Content) -> bool:
        """A short step towards the oldest version that was asked for, if there is one."""
        wanted = self._past_wanted
        if wanted is None or not self._may_try(self._past_refused):
            return False
        with self._lock:
            if self._content is content:
                self._reach(content, wanted, _BACK_STEP)
        return True

    def interrupt(self) -> None:
        """End a step of :meth:`tend` that runs, and all that come; from any thread."""
        self._ending = True


def _changes(record: Record) -> int:
    """Roughly how much a commit did."""
    counts = record.header.counts
    made = counts.nodes_created + counts.relationships_created + counts.properties_set
    return 1 + made + counts.nodes_deleted + counts.relationships_deleted
