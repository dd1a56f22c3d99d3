"""Record compaction as whoever leads drives it: what is looked at, when, and how fast.

Elements are looked at by id, a window at a time, in a thread; each segment that comes of it is
proposed, and steps follow until it is done. Keys go only when every member has said that nobody
there reads by a directory without the segment: nobody is passed over, for nothing is in a hurry.
What the last leader began is ended first; nothing begins beside vacuum, an erasure, or a large
transaction that is not folded. When one of these came between, its window is looked at again: what
was made before may hold what has been erased, and must not come into the log once more.
What stayed keys is looked at again when as much has been written since.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from everwhen.codec.cluster import LEVEL_COMPACTION
from everwhen.codec.compaction import CLEARING
from everwhen.codec.keys import Kind
from everwhen.codec.records import RecordHead
from everwhen.errors import PreconditionFailed, ShuttingDown, TransientError
from everwhen.limits import (
    COMPACTION_EVERY_S,
    COMPACTION_ROWS_PER_S_DEFAULT,
    COMPACTION_ROWS_PER_STEP,
)
from everwhen.mvcc.compactable import Extent, Window, window_of
from everwhen.ports import Clock, Threads
from everwhen.runtime.consensus import Consensus
from everwhen.runtime.database import Database
from everwhen.runtime.pins import Pins
from everwhen.txn import commands as c
from everwhen.txn.replies import decode_reply

#: seconds between two questions to the members
_ASK_EVERY: Final = 0.5
#: looks at a window of which nothing comes, because something is taken away each time
_TRIES_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class CompactionOptions:
    """See ``settings``."""

    rows_per_s: float = COMPACTION_ROWS_PER_S_DEFAULT
    #: between two looks at the last elements of a kind, while they are fewer than a window
    every_s: float = COMPACTION_EVERY_S
    extent: Extent = field(default_factory=Extent)


@dataclass(slots=True)
class _Look:
    """How far the elements of a kind were looked at."""

    kind: Kind
    #: the next id
    place: int = 0
    #: the elements behind it were fewer than a window: not before then, and not at this version
    due: float = 0.0
    version: int = 0
    #: the version when it last began at the first element, and elements that stayed keys since
    since: int = -1
    stayed: int = 0

    def passed(self, found: _Found) -> None:
        """All of a window is done."""
        if found.following is None:
            self.due, self.version = found.due, found.version
        else:
            self.place, self.stayed = found.following, self.stayed + found.stayed

    def due_at(self, head: RecordHead, extent: Extent) -> bool:
        """Whether a window is to be looked at. At the last elements, it begins at the first one
        again when looking at what stayed keys costs less than the commits since did."""
        given = head.next_node if self.kind is Kind.NODE else head.next_relationship
        few = given < self.place + extent.rows_min
        if self.since < 0:
            self.since = head.version
        elif (few or self.version) and head.version - self.since >= max(self.stayed, extent.window):
            self.place, self.since, self.stayed, self.version = 0, head.version, 0, 0
            return given >= extent.rows_min
        return not few


@dataclass(frozen=True, slots=True)
class _Found:
    """A window whose segments are on their way."""

    look: _Look
    extent: Extent
    stayed: int
    following: int | None
    due: float
    version: int
    #: what had been erased before it was looked at
    erasures: int


class Compacting:
    """One per node; only the leader's does anything. Event loop only."""

    def __init__(
        self,
        database: Database,
        consensus: Consensus,
        pins: Pins,
        clock: Clock,
        threads: Threads,
        options: CompactionOptions | None = None,
    ) -> None:
        self._database = database
        self._state = database.state
        self._consensus = consensus
        self._pins = pins
        self._clock = clock
        self._threads = threads
        #: may change at any time
        self.options = options or CompactionOptions()
        self._next_step = 0.0
        self._looks = self._fresh()
        self._found: _Found | None = None
        #: of the window found, segments to propose; how many will be done with the one proposed
        self._ready: deque[bytes] = deque()
        self._expected = 0
        #: how often the window has been looked at in vain
        self._tries = 0
        self._stopped = False

    @staticmethod
    def _fresh() -> list[_Look]:
        return [_Look(Kind.NODE), _Look(Kind.REL)]

    def resigned(self) -> None:
        """This node does not lead (any more)."""
        self._leave()
        self._tries = 0
        self._looks = self._fresh()

    async def step(self) -> bool:
        """One step; True if another one may follow at once."""
        now, current = self._clock.monotonic(), self._state.current
        if current.cluster.feature_level < LEVEL_COMPACTION:
            return False
        if now < self._next_step:
            await asyncio.sleep(min(self._next_step - now, _ASK_EVERY))
            return True
        if current.compaction.phase:
            return await self._go_on(now)
        if self._found is not None:
            self._judge(self._found)
        if self.options.rows_per_s <= 0 or self._must_wait():
            return False
        return await self._propose_next() if self._ready else await self._look(now)

    def _must_wait(self) -> bool:
        current = self._state.current
        forgets = current.vacuum.phase or current.vacuum.retired
        return bool(forgets or current.runs or self._state.erased.next_open() is not None)

    def _judge(self, found: _Found) -> None:
        """Nothing is under way: whether the window found is done, or must be looked at again."""
        withdrawn = self._state.current.compaction.segments < self._expected
        if withdrawn or self._ready:
            if not withdrawn and len(self._state.erased.all) == found.erasures:
                return
            self._tries += 1
            self._leave()
            if self._tries < _TRIES_MAX:
                return
        self._leave()
        self._tries = 0
        found.look.passed(found)

    def _leave(self) -> None:
        self._found, self._expected = None, 0
        self._ready.clear()

    # --- looking ---

    async def _look(self, now: float) -> bool:
        """A window; whether there may be another one."""
        head, extent = self._state.current.head, self.options.extent
        for look in self._looks:
            if now < look.due or head.version == look.version or not look.due_at(head, extent):
                continue
            self._stopped = False
            erasures = len(self._state.erased.all)
            with self._database.reading():
                window = await self._threads.run("background", self._window, look, stop=self._stop)
            self._ready.extend(window.segments)
            self._found = _Found(
                look,
                extent,
                window.stayed,
                window.following,
                now + self.options.every_s,
                head.version,
                erasures,
            )
            return True
        return False

    def _window(self, look: _Look) -> Window:
        state, extent = self._state, self.options.extent
        return window_of(state.store, state.tokens, look.kind, look.place, extent, self._check)

    def _stop(self) -> None:
        """From any thread."""
        self._stopped = True

    def _check(self) -> None:
        if self._stopped:
            raise ShuttingDown("the node is stopping")

    async def _propose_next(self) -> bool:
        segment, done = self._ready.popleft(), self._state.current.compaction.segments
        try:
            await self._propose(c.CompactSegment(c.FORMAT, segment))
        except (PreconditionFailed, TransientError):
            self._ready.appendleft(segment)  # when what has begun meanwhile has ended
            raise
        self._expected = done + 1
        return True

    # --- steps ---

    async def _go_on(self, now: float) -> bool:
        compaction, settled = self._state.current.compaction, 0
        if compaction.phase == CLEARING:
            settled = await self._settled()
            if settled < compaction.published:
                self._next_step = now + _ASK_EVERY
                return False
        await self._propose(c.CompactStep(c.FORMAT, COMPACTION_ROWS_PER_STEP, settled))
        if self.options.rows_per_s > 0:
            self._next_step = now + COMPACTION_ROWS_PER_STEP / self.options.rows_per_s
        return True

    async def _settled(self) -> int:
        """No member reads by a state older than this entry; 0: one does not answer."""
        reports = (await self._pins.everyone()).values()
        oldest = self._state.current.head.applied_index
        for report in reports:
            if report is None:
                return 0
            oldest = min(oldest, report.applied, *(pin.index for pin in report.pins))
        return oldest

    async def _propose(self, command: c.Command) -> c.Reply:
        return decode_reply(await self._consensus.propose(c.encode(command)))
