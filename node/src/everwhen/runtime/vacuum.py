"""Vacuum as whoever leads drives it: which horizon, when, and how fast.

In this order: ask every member what it reads; raise the horizons no higher than that; ask again
until no member has a reader left that began before; then propose steps, with pauses in between.

Nothing is waited for longer than a limit: neither a member that is silent or far behind, nor a
snapshot that stays open, nor readers of the same old version who come one after the other. Who is
passed over is ended by its own node, with an error that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from everwhen.codec.cluster import LEVEL_RETENTION
from everwhen.codec.keys import Kind, kind_range, time_key
from everwhen.codec.records import decode_version
from everwhen.codec.retention import FOR_EVER, Entity, Erasure, Horizon, Retention
from everwhen.errors import PreconditionFailed
from everwhen.limits import (
    VACUUM_EVERY_S_DEFAULT,
    VACUUM_KEYS_PER_S_DEFAULT,
    VACUUM_KEYS_PER_STEP,
    VACUUM_WAIT_S_DEFAULT,
)
from everwhen.mvcc.horizons import Horizons
from everwhen.mvcc.state import RecordState
from everwhen.ports import Clock
from everwhen.runtime.consensus import Consensus
from everwhen.runtime.pins import Pin, Pins, Report
from everwhen.txn import commands as c
from everwhen.txn.replies import decode_reply

#: seconds for which answers of members are good enough
_ASK_EVERY: Final = 0.5
_TIME_MAX: Final = 2**62

_Rule = tuple[Entity, str]
"""Entity and label or type; of the whole database both are empty."""


@dataclass(frozen=True, slots=True)
class VacuumOptions:
    """See ``settings``."""

    every_s: float = VACUUM_EVERY_S_DEFAULT
    #: how long an open snapshot or a silent member is waited for
    wait_s: float = VACUUM_WAIT_S_DEFAULT
    keys_per_s: float = VACUUM_KEYS_PER_S_DEFAULT


class Vacuuming:
    """One per node; only the leader's does anything. Event loop only."""

    def __init__(
        self,
        state: RecordState,
        consensus: Consensus,
        pins: Pins,
        clock: Clock,
        options: VacuumOptions | None = None,
    ) -> None:
        self._state = state
        self._consensus = consensus
        self._pins = pins
        self._clock = clock
        #: may change at any time
        self.options = options or VacuumOptions()
        self._due = clock.monotonic() + self.options.every_s
        self._wanted = False
        #: horizons are looked at
        self._looking = False
        self._next_step = 0.0
        self._next_erase = 0.0
        self._erases = False
        self._asked = -1e9
        self._reports: dict[int, Report | None] = {}
        #: member -> since when it has been silent, or has not applied the horizons
        self._silent: dict[int, float] = {}
        self._behind: dict[int, float] = {}
        #: rule -> since when readers have held it back, and the version it asked for then
        self._held: dict[_Rule, tuple[float, int]] = {}
        #: nothing is taken away before every member has applied this entry; None: a new leader
        self._raised: int | None = None
        #: what is waited for, in words
        self.waiting = ""

    def clean(self, erasure: Erasure) -> str:
        """Where content of an erasure that is done may lie still, as far as members told."""
        reports = self._reports
        silent = sorted(member for member, report in reports.items() if report is None)
        if not reports or silent:
            return "done; logs and files of some members are not known to be clean"
        known = {member: report for member, report in reports.items() if report is not None}
        logs = [m for m, report in known.items() if report.first_index <= erasure.log_index]
        files = [m for m, report in known.items() if report.erased_upto < erasure.number]
        if logs or files:
            where = [f"logs of members {sorted(logs)}"] if logs else []
            where += [f"files of members {sorted(files)}"] if files else []
            return "done; traces in " + " and ".join(where)
        return "done everywhere"

    def now(self) -> None:
        """Look at the horizons at once."""
        self._wanted = True

    @property
    def running(self) -> bool:
        """Whether something is left to do."""
        current = self._state.current
        return (
            self._wanted
            or self._looking
            or bool(current.vacuum.phase or current.vacuum.retired)
            or self._state.erased.next_open() is not None
        )

    def resigned(self) -> None:
        """This node does not lead (any more)."""
        self._raised = None
        self._wanted = False
        self._held.clear()
        self._due = self._clock.monotonic() + self.options.every_s

    async def step(self) -> bool:
        """One step; True if another one may follow at once."""
        now = self._clock.monotonic()
        current = self._state.current
        if current.cluster.feature_level < LEVEL_RETENTION:
            return False
        if self._raised is None:
            self._raised = current.head.applied_index
        # in turns, so that neither waits for the other to end
        self._erases = not self._erases and now >= self._next_erase
        if self._erases and self._state.erased.next_open() is not None:
            return await self._erase(now)
        if now < self._next_step:
            return False
        if current.vacuum.phase or current.vacuum.retired:
            return await self._vacuum(now, begin=False)
        if not self._wanted and now < self._due:
            return False
        self._due = now + self.options.every_s
        wanted, self._wanted, self._looking = self._wanted, False, True
        try:
            moved = await self._raise(now)
            if (moved or wanted) and self._state.current.horizons.highest:
                return await self._vacuum(now, begin=True)
        finally:
            self._looking = False
        return False

    # --- horizons ---

    async def _raise(self, now: float) -> bool:
        """Raise what rules and readers allow; whether anything moved."""
        await self._ask(now, fresh=True)
        retention = self._state.current.retention
        self._note_held(now, retention)
        wanted = self.wanted(retention)
        if not wanted:
            return False
        try:
            reply = await self._propose(c.RaiseHorizon(c.FORMAT, retention.revision, wanted))
        except PreconditionFailed:
            self._wanted = True  # the rules were changed meanwhile: look again
            return False
        moved = isinstance(reply, c.Done) and reply.more
        if moved:
            self._raised = self._state.current.head.applied_index
            self._asked = -1e9
        return moved

    def wanted(self, retention: Retention) -> list[Horizon]:
        """Horizons that the rules ask for and readers allow, where they lie above those of now."""
        now, limit, horizons = self._clock.monotonic(), self._limit(), Horizons(retention)
        found: list[Horizon] = []
        for rule, wish in self._wishes(retention).items():
            since, overdue = self._held.get(rule, (now, 0))
            late = now - since > self.options.wait_s
            version = min(wish, max(limit, overdue) if late else limit)
            if version > horizons.of(*rule).version:
                found.append(Horizon(*rule, version, 0))
        return found

    def _wishes(self, retention: Retention) -> dict[_Rule, int]:
        """By rule, the version that is the oldest it asks to keep, whoever reads."""
        head = self._state.current.head.version
        rules: list[tuple[_Rule, int]] = [
            ((rule.entity, rule.name), rule.keep) for rule in retention.rules
        ]
        rules.append((("", ""), retention.keep))
        return {
            rule: min(self._version_before(keep), head) for rule, keep in rules if keep != FOR_EVER
        }

    def _limit(self) -> int:
        """The oldest version that somebody reads who is waited for."""
        pins = self._waited_for(self._clock.monotonic())
        return min((pin.version for pin in pins), default=self._state.current.head.version)

    def _note_held(self, now: float, retention: Retention) -> None:
        """Since when each rule is held back. One that was let pass counts anew."""
        limit, horizons, before = self._limit(), Horizons(retention), self._held
        self._held = {}
        for rule, wish in self._wishes(retention).items():
            if wish > limit:
                since, version = before.get(rule, (now, wish))
                passed = version <= horizons.of(*rule).version
                self._held[rule] = (now, wish) if passed else (since, version)

    def _version_before(self, keep: int) -> int:
        """The version that was the newest one so many µs ago; 0 if there was none."""
        start, _ = kind_range(Kind.TIME)
        moment = max(-_TIME_MAX, self._clock.now_micros() - keep)
        pair = self._state.store.last(start, time_key(moment + 1))
        return 0 if pair is None else decode_version(pair[1])

    # --- members ---

    async def _ask(self, now: float, *, fresh: bool = False) -> None:
        if not fresh and now - self._asked < _ASK_EVERY:
            return
        self._reports = await self._pins.everyone()
        self._asked = now
        silent = [member for member, report in self._reports.items() if report is None]
        self._silent = {member: self._silent.get(member, now) for member in silent}

    def _waited_for(self, now: float) -> list[Pin]:
        """Open snapshots that are waited for; those that keep a restore point's version hold
        nothing back."""
        pinned = self._state.current.horizons.pinned
        return [
            pin
            for report in self._reports.values()
            if report is not None
            for pin in report.pins
            if pin.age <= self.options.wait_s and pin.version not in pinned
        ]

    def _awaited(self, members: dict[int, float], now: float) -> list[int]:
        """Those of them that are still waited for."""
        return [member for member, since in members.items() if now - since <= self.options.wait_s]

    def _settled(self, now: float) -> int | None:
        """No member reads by a state older than this entry; None: wait."""
        raised = self._raised or 0
        self._behind = {
            member: self._behind.get(member, now)
            for member, report in self._reports.items()
            if report is not None and report.applied < raised
        }
        if awaited := self._awaited(self._silent, now):
            self.waiting = f"members {awaited} do not answer"
            return None
        if awaited := self._awaited(self._behind, now):
            self.waiting = f"members {awaited} have not applied the new horizons"
            return None
        highest = self._state.current.horizons.highest
        pinned = self._state.current.horizons.pinned
        settled = self._state.current.head.applied_index
        for member, report in self._reports.items():
            if report is None or report.applied < raised:
                continue
            settled = min(settled, report.applied)
            for pin in report.pins:
                if pin.age > self.options.wait_s:
                    continue
                if pin.index < raised and pin.version < highest and pin.version not in pinned:
                    self.waiting = f"member {member} has a snapshot of version {pin.version} open"
                    return None
                settled = min(settled, pin.index)
        self.waiting = ""
        return settled

    # --- steps ---

    async def _vacuum(self, now: float, *, begin: bool) -> bool:
        await self._ask(now)
        settled = self._settled(now)
        if settled is None:
            self._wanted |= begin  # the round begins when nobody is waited for
            return False
        before = self._state.current.vacuum
        reply = await self._propose(c.VacuumStep(c.FORMAT, VACUUM_KEYS_PER_STEP, settled, begin))
        current = self._state.current
        if begin and current.vacuum.round == before.round:
            self._wanted = True  # a large transaction is folded first
        self._pause(now)
        return isinstance(reply, c.Vacuumed) and reply.more

    async def _erase(self, now: float) -> bool:
        await self._ask(now)
        settled = self._settled(now)
        command = c.EraseStep(c.FORMAT, VACUUM_KEYS_PER_STEP, settled or 0)
        reply = await self._propose(command)
        if not isinstance(reply, c.Vacuumed) or not reply.keys:
            self._next_erase = now + _ASK_EVERY / 2  # it waits for somebody
        return isinstance(reply, c.Vacuumed) and reply.more

    def _pause(self, now: float) -> None:
        if self.options.keys_per_s > 0:
            self._next_step = now + VACUUM_KEYS_PER_STEP / self.options.keys_per_s

    async def _propose(self, command: c.Command) -> c.Reply:
        return decode_reply(await self._consensus.propose(c.encode(command)))
