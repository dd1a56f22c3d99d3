"""Data commits: what every one needs (time, request id, journal, chain), and the small ones.

A request id seen within the last ``REQUEST_WINDOW_VERSIONS`` versions answers with the first
attempt's outcome. Ids are forgotten in steps, by version, so every node forgets the same ones.
"""

from __future__ import annotations

from typing import Final

from everwhen import limits
from everwhen.apply.attempt import Attempt
from everwhen.apply.effects import Effects
from everwhen.apply.staging import Stagings
from everwhen.apply.window import Window
from everwhen.apply.work import Work
from everwhen.codec import journal
from everwhen.codec.cluster import LEVEL_AUDIT, check_level
from everwhen.codec.keys import journal_key, request_key, time_key
from everwhen.codec.origin import Origin
from everwhen.codec.records import decode_outcome, encode_outcome, encode_version
from everwhen.errors import CommitTimeClosed, TransactionConflict
from everwhen.mvcc.times import text_of
from everwhen.txn import commands as c

#: every so many versions, as many request ids that left the window are forgotten
_FORGET_EVERY: Final = 128


class Commits:
    """Applies commits to the work at hand."""

    __slots__ = ("stagings", "window", "work")

    def __init__(self, work: Work, window: Window, stagings: Stagings) -> None:
        self.work = work
        self.window = window
        self.stagings = stagings

    # --- parts that small and large commits share ---

    def repeated(self, origin: Origin) -> c.Committed | None:
        """The outcome of an earlier attempt with the same request id."""
        if not origin.request_client:
            return None
        key = request_key(origin.request_client, origin.request_sequence)
        value = self.work.layer.get(key)
        if value is None:
            return None
        version, time = decode_outcome(value)
        if version <= self._forgotten():
            return None  # its key may still be there in the middle of a batch
        return c.Committed(version, time, repeated=True)

    def _forgotten(self) -> int:
        """Request ids of commits up to this version do not count any more."""
        step = self.work.version // _FORGET_EVERY * _FORGET_EVERY
        return step - limits.REQUEST_WINDOW_VERSIONS

    def check_time(self, time: int, own_time: bool) -> None:
        """:raises CommitTimeClosed: an own time that is not after everything closed."""
        work = self.work
        if time > work.closed_time:
            return
        if not own_time:
            raise TransactionConflict(
                f"The commit's stamp {text_of(time)} is not after the last one",
                hint="Run the transaction again",
            )
        if work.closed_time > work.time:
            until, by = work.closed_time, "a read at that time"
        else:
            until, by = work.time, f"commit {work.version}"
        raise CommitTimeClosed(
            f"A commit cannot take the time {text_of(time)}: time is closed up to "
            f"{text_of(until)} by {by}"
        )

    def check_window(self, read_version: int, checks: c.Checks) -> None:
        """:raises TransactionConflict: a merged pattern or a read that another commit met."""
        version = self.work.version
        if checks.merges:
            self.window.check_merges(version, read_version, checks.merges)
        if checks.reads:
            kept = self.work.retention
            floor = max(kept.journal_floor, kept.erased_upto)
            self.window.check_reads(version, read_version, checks.reads, floor)

    def enter(self, record: journal.Record) -> c.Committed:
        """Make a sealed commit the newest one; its keys are written already."""
        work = self.work
        header = record.header
        version, time = header.version, header.time
        put = work.layer.put
        put(journal_key(version), journal.encode_record(record))
        put(time_key(time), encode_version(version))
        origin = header.origin
        if origin.request_client:
            key = request_key(origin.request_client, origin.request_sequence)
            put(key, encode_outcome(version, time))
        work.version = version
        work.time = time
        work.closed_time = max(work.closed_time, time)
        work.chain = record.chain
        self.window.note(version, header.merges)
        if version % _FORGET_EVERY == 0 and version > limits.REQUEST_WINDOW_VERSIONS:
            self._forget(self._forgotten())
        return c.Committed(version, time)

    def _forget(self, version: int) -> None:
        """Forget the request ids of the commits up to ``version`` that are due."""
        first = max(1, version - _FORGET_EVERY + 1)
        layer = self.work.layer
        for at in range(first, version + 1):
            value = layer.get(journal_key(at))
            if value is None:
                continue
            origin = journal.decode_record(value).header.origin
            if origin.request_client:
                key = request_key(origin.request_client, origin.request_sequence)
                outcome = layer.get(key)
                if outcome is not None and decode_outcome(outcome)[0] == at:
                    layer.delete(key)

    # --- small commits ---

    def commit(self, command: c.Commit) -> c.Committed:
        """A whole transaction in one entry.

        :raises TransactionConflict: :raises ConstraintViolation: nothing was written.
        """
        origin = command.origin
        if origin.request_client:
            known = self.repeated(origin)
            if known is not None:
                return known
        work = self.work
        self.check_time(command.time, command.own_time)
        checks = command.checks
        if checks.merges or checks.reads:
            self.check_window(command.read_version, checks)
        if command.texts:
            check_level(work.cluster, LEVEL_AUDIT, "statement texts")
        attempt = Attempt(work, command.names, command.mutations, command.read_version)
        attempt.check()
        if self.stagings:
            self.stagings.meet_commit(attempt, checks.merges)
        version = work.version + 1
        effects = Effects(attempt, work.putter(version), work.count)
        effects.write()
        record = journal.seal(
            version=version,
            time=command.time,
            own_time=command.own_time,
            read_version=command.read_version,
            origin=origin,
            counts=effects.tally,
            merges=checks.merges,
            previous=work.chain,
            changes=effects.changes,
            texts=command.texts,
        )
        return self.enter(record)
