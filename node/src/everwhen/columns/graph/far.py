"""The image of the far past: a second one, read from the record as of a version so far back that
walking there from the first one is clearly more work.

It walks the journal to the versions around it, so that questions about neighbours read nothing
again. Who asks for versions here and there would have it read again and again: each reading makes
the next one less likely, until walking is chosen, which serves all versions on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import Final, NamedTuple

from everwhen.codec.keys import Counter
from everwhen.columns.graph.content import Content, columns_bytes
from everwhen.columns.graph.distance import Elements, Stretch, between, reading
from everwhen.columns.graph.holder import WORTH_SHARE, Holder, TooLarge, may_try
from everwhen.columns.graph.recent import Recent
from everwhen.columns.graph.view import ColumnsView
from everwhen.errors import CorruptData
from everwhen.limits import IMAGE_FAR_CHANGES_MIN, IMAGE_FAR_LOOKS
from everwhen.mvcc.horizons import Horizons
from everwhen.mvcc.state import RecordState

#: reading the record must be so many times less work than walking
_CLEARLY: Final = 2
#: stretches of commits that are remembered, and the share of them that may have come since
_STRETCHES: Final = 32
_NEWER_SHARE: Final = 16


class Plan(NamedTuple):
    """How a far version is reached."""

    version: int
    #: about what there is then
    elements: Elements
    #: from the record; else along the journal
    reads: bool


class _Seen(NamedTuple):
    """What was found out about the commits up to a version, and under which horizons."""

    upto: int
    horizons: Horizons
    stretch: Stretch

    def ends(self, low: int, high: int) -> bool:
        """Whether that is good enough up to another version."""
        return 0 <= high - self.upto <= (self.upto - low) // _NEWER_SHARE


class FarPast:
    """See the module. Any thread."""

    __slots__ = ("_plan", "_readings", "_room", "_state", "_stretches", "holder")

    def __init__(
        self,
        state: RecordState,
        generations: Iterator[int],
        room: Callable[[], int],
        ending: Callable[[], bool],
    ) -> None:
        """``room``: bytes that it may take."""
        self._state = state
        self._room = room
        self.holder = Holder(state, generations, self.too_large, ending)
        #: what is to be read in the background
        self._plan: Plan | None = None
        #: how often it was read since there was none
        self._readings = 0
        self._stretches: Recent[_Seen] = Recent(_STRETCHES)

    def too_large(self) -> bool:
        """Whether others need the memory."""
        return self.holder.arena.bytes > self._room()

    def drop(self) -> None:
        """Let go of it."""
        self.holder.forget()
        self._plan, self._readings = None, 0
        self._stretches.clear()

    # --- readers ---

    def plan(self, version: int, near: Holder) -> Plan | None:
        """How to get to an older version here; None: the first image, ``near``, is as good."""
        here = Plan(version, Elements(0, 0), reads=False)
        if self.holder.holds(version):
            return here
        state = self._state
        since = self._between(version, state.current.head.version)
        walk = self._from_near(version, near, since)
        if walk <= IMAGE_FAR_CHANGES_MIN:
            return None
        then = since.before(state)
        read = inf
        if self._readable(version) and self._fits(then):
            read = reading(state, version, then, since) * _CLEARLY * (1 + self._readings)
        follow = self._from_here(version)
        if walk <= min(read, follow):
            return None
        return here if follow <= read else Plan(version, then, reads=True)

    def _from_near(self, version: int, near: Holder, since: Stretch) -> float:
        """The work of taking the first image back, which may have to be read first."""
        content, head = near.content, self._state.current.head.version
        if content is not None:
            return self._walk(near, version, content.floor)
        now = Elements(
            self._state.counters.get(Counter.NODES), self._state.counters.get(Counter.RELATIONSHIPS)
        )
        first = reading(self._state, head, now, Stretch(0, 0, 0, whole=True))
        return first + since.changes if since.whole else inf

    def _from_here(self, version: int) -> float:
        content = self.holder.content
        if content is None:
            return inf
        if version < content.floor:
            return self._walk(self.holder, version, content.floor)
        return self._walk(self.holder, content.upto, version)

    def _walk(self, holder: Holder, low: int, high: int) -> float:
        """The work of taking an image from one of two versions to the other."""
        content = holder.content
        if content is None or low < content.lowest or not holder.goes_on:
            return inf
        stretch = self._between(low, high)
        return stretch.changes if stretch.whole else inf

    def _between(self, low: int, high: int) -> Stretch:
        """The commits between two versions: who asks for one that is not held asks again and again.
        That some more came at the end says little."""
        now = self._state.current
        key = low, high == now.head.version
        seen = self._stretches.get(key)
        if seen is None or seen.horizons is not now.horizons or not seen.ends(low, high):
            seen = _Seen(high, now.horizons, between(self._state, low, high))
            self._stretches.put(key, seen)
        return seen.stretch

    def _readable(self, version: int) -> bool:
        """Whether the record has all of a version, at this moment."""
        now = self._state.current
        whole = version >= now.head.oldest_version and now.horizons.whole(version)
        return whole and not self._state.erased.taking

    def _fits(self, then: Elements) -> bool:
        return columns_bytes(*then) <= self._room() and may_try(self.holder.refused, sum(then))

    def view(self, plan: Plan, worth: int) -> ColumnsView | None:
        """The graph at a version; None: read the record."""
        if plan.reads and not self._read_now(plan, worth):
            return None
        return self.holder.view(plan.version, worth)

    def _read_now(self, plan: Plan, worth: int) -> bool:
        """Whether it is there, after reading it; else it is left for the background."""
        self._plan = plan
        if self.holder.worth_reading(worth, sum(plan.elements)):
            return self._read(plan, wait=worth * WORTH_SHARE >= sum(plan.elements))
        return False

    def _read(self, plan: Plan, *, wait: bool = False) -> bool:
        self._plan = None
        make = partial(self._made, plan.version)
        try:
            there = self.holder.load(make, self.holder.content, wait=wait)
        except TooLarge:
            self.holder.refused = sum(plan.elements)
            return False
        self._readings += there
        return there

    def _made(self, version: int) -> Content | None:
        """The image of a version; None if what it consists of was taken away meanwhile."""
        erased = self._state.erased.all
        if not self._readable(version):
            return None
        found: Content | None = None
        try:
            found = self.holder.read(version)
        except CorruptData:
            if self._readable(version) and self._state.erased.all is erased:
                raise
        return found if self._readable(version) and self._state.erased.all is erased else None

    # --- in the background ---

    def due(self) -> bool:
        """Whether it should go; at once. One look."""
        self.holder.unused += 1
        return self.holder.content is not None and self._useless()

    def _useless(self) -> bool:
        held, oldest = self.holder.held, self._state.current.head.oldest_version
        gone = held is None or held[1] < oldest
        return gone or self.holder.unused > IMAGE_FAR_LOOKS or self.too_large()

    @property
    def mark(self) -> tuple[object, ...]:
        """Another one when there may be something to do."""
        return *self.holder.mark, self._plan

    def tend(self) -> bool:
        """One step; whether more may be left."""
        plan, content = self._plan, self.holder.content
        if plan is not None and self.holder.asked * WORTH_SHARE >= sum(plan.elements):
            self._read(plan)
            return True
        if content is None:
            return False
        if self._useless():
            self.drop()
            return True
        return self.holder.tend(content)
