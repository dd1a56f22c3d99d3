"""The log against a list: appends, replacements, compaction, kills, power cuts, failing syncs.

After a power cut in the middle of an operation the log must hold what it held before the operation
or what it would have held after it, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from everwhen.errors import DiskFailed
from everwhen.runtime.twins.disk import PowerCut
from tests.unit.storage.log_world import Model, World, batch

SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=5)
#: operations until the power goes; 0 = it stays on
CUT = st.one_of(st.just(0), st.integers(1, 12))


class LogMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32), segment_bytes=st.sampled_from([1_000, 3_000, 20_000]))
    def begin(self, seed: int, segment_bytes: int) -> None:
        self.world = World(seed, segment_bytes)
        self.model = Model()
        self.mark = 0

    def attempt(self, after: Model, cut: int, call: Any, *arguments: Any, **named: Any) -> None:
        """Do something that turns the model into ``after``; the power may go meanwhile."""
        before = self.model
        if cut:
            self.world.disk.power_cut_after(cut)
        try:
            call(*arguments, **named)
        except PowerCut:
            self.restart_after_loss(before, after)
        except DiskFailed:
            self.refuses_everything()
            self.restart_after_loss(before, after)
        else:
            self.world.disk.reopen()
            self.model = after

    def restart_after_loss(self, *possible: Model) -> None:
        self.world.disk = self.world.disk.crash()
        self.world.open()
        self.adopt(*possible)

    def adopt(self, *possible: Model) -> None:
        """Find out which of the possible contents the log has; compaction may have gone on."""
        found = self.world.content()
        matching = [each for each in possible if self.fits(found, each)]
        assert matching, f"{found} is none of {possible}"
        self.model = found

    @staticmethod
    def fits(found: Model, model: Model) -> bool:
        return model.base <= found.base <= model.last and found == model.from_base(found.base)

    def refuses_everything(self) -> None:
        log = self.world.log
        for call in (
            lambda: log.append(batch(log.last_index + 1, 10**9, [1])),
            log.note_synced,
            lambda: log.save_hard_state(term=10**9, vote=1, commit=self.model.commit),
        ):
            try:
                call()
            except DiskFailed:
                continue
            raise AssertionError("the log went on after a failure")

    @rule(sizes=SIZES, newer=st.integers(0, 2), cut=CUT)
    def append(self, sizes: list[int], newer: int, cut: int) -> None:
        self.mark += 1
        entries = batch(self.model.last + 1, self.model.last_term + newer, sizes, self.mark)
        self.attempt(self.model.append(entries), cut, self.world.log.append, entries)

    @precondition(lambda self: self.model.last > max(self.model.commit, self.model.base))
    @rule(data=st.data(), sizes=SIZES, cut=CUT)
    def replace(self, data: st.DataObject, sizes: list[int], cut: int) -> None:
        low = max(self.model.commit, self.model.base) + 1
        first = data.draw(st.integers(low, self.model.last))
        self.mark += 1
        entries = batch(first, self.model.last_term + 1, sizes, self.mark)
        self.attempt(self.model.append(entries), cut, self.world.log.append, entries)

    @rule(sizes=SIZES)
    def append_with_failing_sync(self, sizes: list[int]) -> None:
        self.mark += 1
        entries = batch(self.model.last + 1, self.model.last_term, sizes, self.mark)
        self.world.disk.fail_syncs()
        self.attempt(self.model.append(entries), 0, self.world.log.append, entries)

    @rule(sizes=SIZES, cut=CUT)
    def append_with_short_writes(self, sizes: list[int], cut: int) -> None:
        self.world.disk.short_write_chance = 0.7
        self.append(sizes, 0, cut)

    @rule(newer=st.integers(0, 2), data=st.data(), cut=CUT)
    def save_hard_state(self, newer: int, data: st.DataObject, cut: int) -> None:
        term = self.model.term + newer
        vote = data.draw(st.integers(1, 3)) if newer or not self.model.vote else self.model.vote
        low = max(self.model.commit, self.model.base)
        commit = data.draw(st.integers(low, self.model.last))
        after = replace(self.model, term=term, vote=vote, commit=commit)
        save = self.world.log.save_hard_state
        self.attempt(after, cut, save, term=term, vote=vote, commit=commit)

    @rule(data=st.data(), cut=CUT)
    def compact(self, data: st.DataObject, cut: int) -> None:
        before = self.model
        up_to = data.draw(st.integers(0, before.last))
        self.attempt(before, cut, self.world.log.compact, up_to)
        self.adopt(before)
        assert self.model.base <= max(before.base, up_to)

    @rule(ahead=st.integers(0, 5), cut=CUT)
    def reset(self, ahead: int, cut: int) -> None:
        index, term = self.model.last + ahead, self.model.last_term + 1
        after = replace(self.model, entries=(), base=index, base_term=term)
        self.attempt(after, cut, self.world.log.reset, index, term)

    @rule()
    def note_synced(self) -> None:
        self.world.log.note_synced()

    @rule(cleanly=st.booleans())
    def end_the_process(self, cleanly: bool) -> None:
        if cleanly:
            self.world.log.close()
        self.world.disk.reopen()
        self.world.open()
        assert self.world.log.torn is None
        self.adopt(self.model)

    @rule()
    def lose_power(self) -> None:
        self.restart_after_loss(self.model)

    @rule(cut=st.integers(1, 20))
    def lose_power_while_opening(self, cut: int) -> None:
        self.world.disk = self.world.disk.crash()
        self.world.disk.power_cut_after(cut)
        try:
            self.world.open()
        except PowerCut:
            self.restart_after_loss(self.model)
        else:
            self.world.disk.reopen()

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert self.world.content() == self.model


TestLogMachine = LogMachine.TestCase
TestLogMachine.settings = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    # shrinking takes minutes here; for a failure worth it, add Phase.shrink
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
