"""One image: what is held of the graph, read at some version and taken along the journal from there.

Who reads takes views without a lock; who takes it to another version holds ``lock``, who reads it
from the record ``loading``. ``forget`` may be called by anybody at any moment: views that were made
stay as they are, and whoever is at work on what was forgotten has worked for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Final

from everwhen.codec.keys import Counter
from everwhen.columns.arena import Arena
from everwhen.columns.graph.content import Content
from everwhen.columns.graph.distance import changes_in
from everwhen.columns.graph.follow import Backtracker, Follower, commit_record
from everwhen.columns.graph.forget import forget
from everwhen.columns.graph.load import load
from everwhen.columns.graph.merge import merge
from everwhen.columns.graph.recent import Recent
from everwhen.columns.graph.view import ColumnsView
from everwhen.errors import CorruptData, ShuttingDown
from everwhen.kernels.warm import warm
from everwhen.limits import (
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
WORTH_SHARE: Final = 4
#: steps of that many changes that one question may take at most
_STEPS_MAX: Final = 50
#: changes worked in at once in the background, while readers wait
_BACK_STEP: Final = 10_000
#: commits after which an image that is too large is more than what was read
_HARDLY: Final = 100


class TooLarge(Exception):
    """An image grew beyond its bound while it was read."""


class Holder:
    """See the module. Any thread."""

    __slots__ = (
        "_ending",
        "_generations",
        "_over",
        "_state",
        "arena",
        "asked",
        "content",
        "loading",
        "lock",
        "lost",
        "past_refused",
        "refused",
        "unused",
        "views",
        "wanted",
    )

    def __init__(
        self,
        state: RecordState,
        generations: Iterator[int],
        over: Callable[[], bool],
        ending: Callable[[], bool],
    ) -> None:
        """``over`` says that it takes too much memory, ``ending`` that long work has to end."""
        self._state = state
        self._generations = generations
        self._over = over
        self._ending = ending
        self.arena = Arena()
        self.lock = Lock()
        self.loading = Lock()
        self.content: Content | None = None
        self.views: Recent[ColumnsView] = Recent(_VIEWS)
        #: rows that were asked for in vain, before it was read
        self.asked = 0
        #: a version that was asked for in vain since
        self.wanted: int | None = None
        #: elements that did not fit, and those beside which more versions did not
        self.refused = 0
        self.past_refused = 0
        #: looks at it since it was used last; whoever looks counts
        self.unused = 0
        #: why it was thrown away, until that is told
        self.lost: CorruptData | None = None

    # --- what is there ---

    @property
    def held(self) -> tuple[int, int] | None:
        """The oldest and the newest version it answers for at once."""
        content = self.content
        return None if content is None else (content.floor, content.upto)

    def holds(self, version: int) -> bool:
        """Whether it answers for a version at once."""
        held = self.held
        return held is not None and held[0] <= version <= held[1]

    @property
    def mark(self) -> tuple[object, ...]:
        """Another one when there may be something to do."""
        return self.held, self.asked, self.wanted

    @property
    def goes_on(self) -> bool:
        """Whether more versions may be tried to be held."""
        return may_try(self.past_refused, elements_of(self._state))

    def forget(self) -> None:
        """Let go of everything."""
        self.content = None
        self.views.clear()
        self.asked = 0
        self.wanted = None

    # --- readers ---

    def kept(self, version: int) -> ColumnsView | None:
        """A view that was made before."""
        found = self.views.get(version)
        if found is not None:
            self.unused = 0
        return found

    def view(self, version: int, worth: int) -> ColumnsView | None:
        """The graph at a version; None if getting there is more than a question is worth."""
        # who would look at much can wait for much
        steps = 1 + worth // IMAGE_FOLLOW_CHANGES_MAX
        patience = _PATIENCE if steps == 1 else _LOAD_PATIENCE
        self.unused = 0
        before = None
        for _ in range(min(steps, _STEPS_MAX)):
            if not self.lock.acquire(timeout=patience):
                return None
            try:
                content = self.content
                if content is None or self._ending():
                    return None
                if self.reach(content, version):
                    return self._made(content, version)
            finally:
                self.lock.release()
            before, held = self.held, before
            if before == held:
                return None  # it gets no further
        wanted = self.wanted
        self.wanted = version if wanted is None else min(wanted, version)
        return None

    def _made(self, content: Content, version: int) -> ColumnsView:
        for table in list(content.tables.values()):
            table.cover()
        view = ColumnsView(content, self._state.tokens, version)
        self.views.put(version, view)
        if self.content is not content:
            self.views.clear()  # it would keep what was forgotten meanwhile
        return view

    # --- along the journal; under the lock ---

    def reach(self, content: Content, version: int, back: int = IMAGE_FOLLOW_CHANGES_MAX) -> bool:
        """Take it to a version, if that is bounded work; ``back``: changes at most, going back."""
        try:
            if version > content.upto:
                self._follow(content, version)
            elif version < content.floor:
                self._extend(content, version, back)
        except CorruptData as error:
            # the record judges itself; what is made of it is made anew, and ``lost`` tells why
            self.lost = error
            self.forget()
            return False
        return self.content is content and content.floor <= version <= content.upto

    def _follow(self, content: Content, version: int) -> None:
        """Some commits further."""
        follower = Follower(content, self._state)
        left = IMAGE_FOLLOW_CHANGES_MAX
        last = min(version, content.upto + IMAGE_FOLLOW_VERSIONS_MAX)
        for one in range(content.upto + 1, last + 1):
            record = commit_record(self._state, one)
            if record is None:
                self.forget()
                return
            follower.commit(one, record)
            content.upto = one
            left -= changes_in(record.header.counts)
            if left <= 0:
                break
        content.followed += IMAGE_FOLLOW_CHANGES_MAX - left
        if self._over():
            # without its past it may fit, once it is read again
            if content.floor == content.base and content.upto - content.base < _HARDLY:
                self.refused = elements_of(self._state)
            self.past_refused = elements_of(self._state)
            self.forget()

    def _extend(self, content: Content, version: int, most: int) -> None:
        """Some commits back, of so many changes."""
        if version < content.lowest or not self.goes_on:
            return
        tracker = Backtracker(content, self._state)
        floor = content.floor
        last = max(version, floor - IMAGE_FOLLOW_VERSIONS_MAX)
        while floor > last and most > 0:
            record = commit_record(self._state, floor)
            if record is None:
                break
            tracker.commit(floor, record)
            floor -= 1
            most -= changes_in(record.header.counts)
        tracker.extend()
        content.floor = floor
        if self._over():
            self.past_refused = elements_of(self._state)
            self.forget()

    # --- reading the record ---

    def worth_reading(self, worth: int, elements: int) -> bool:
        """Whether who would look at so many rows should read it: if it is small and was asked for
        often enough, or if that alone would take longer than reading it first."""
        self.asked += worth
        if worth * WORTH_SHARE >= elements and elements:
            return True
        return elements <= IMAGE_SMALL_ELEMENTS and self.asked * WORTH_SHARE >= elements

    def load(
        self, make: Callable[[], Content | None], before: Content | None, *, wait: bool = False
    ) -> bool:
        """Hold what ``make`` makes instead of what was held ``before``, unless somebody does that,
        who may be waited for; whether something else is held now."""
        if not self.loading.acquire(timeout=_LOAD_PATIENCE if wait else 0):
            return False
        try:
            if self.content is not before:
                return self.content is not None
            if before is not None:
                self.forget()
            content = make()
            if content is None:
                return False
            self.refused = self.asked = 0
            if elements_of(self._state) > IMAGE_SMALL_ELEMENTS:
                warm()  # whoever asks next finds the kernels there
            with self.lock:
                self.views.clear()
                self.content = content
            return True
        finally:
            self.loading.release()

    def read(self, version: int) -> Content:
        """The image of a version, from the record.

        :raises TooLarge: it does not fit.
        """
        oldest = self._state.current.head.oldest_version
        entities = GraphSnapshot(self._state, version).entities
        found = load(self.arena, entities, next(self._generations), oldest, self._within)
        self._within()
        return found

    def _within(self) -> None:
        self._go_on()
        if self._over():
            raise TooLarge

    def _go_on(self) -> None:
        if self._ending():
            raise ShuttingDown("the node is shutting down")

    # --- in the background ---

    def settle(self) -> None:
        """What was wanted and is held now is wanted no more."""
        if self.wanted is not None and self.holds(self.wanted):
            self.wanted = None

    def tend(self, content: Content) -> bool:
        """A step towards the version that was asked for, or a base moved forward, or changes let
        go that nobody may read; whether there was one."""
        if self._come_closer(content):
            return True
        more = merge(content, self.lock, self._go_on)
        more = more or forget(content, self._state.current.head.oldest_version, self.lock)
        if more:
            # views that are kept would keep what was replaced
            self.views.clear()
        return more

    def _come_closer(self, content: Content) -> bool:
        wanted = self.wanted
        if wanted is None or not self.goes_on:
            return False
        before = self.held
        with self.lock:
            if self.content is content:
                self.reach(content, wanted, _BACK_STEP)
        if self.held == before:
            self.wanted = None  # the journal does not lead there
        return True


def elements_of(state: RecordState) -> int:
    """How many there are now."""
    return state.counters.get(Counter.NODES) + state.counters.get(Counter.RELATIONSHIPS)


def may_try(refused: int, elements: int) -> bool:
    """Whether there is clearly less than when something did not fit."""
    return not refused or elements < refused - refused // 8
