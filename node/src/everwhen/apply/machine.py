"""The replicated state machine: log entries in, an atomic batch and replies out.

Deterministic: the same entries give the same record, the same replies and the same digest on every
node and at every replay. No clock, no randomness, no environment; nothing here depends on how
entries were cut into batches. A reply is either a result or an error that every node computes
alike; any other error is a fault of this machine and ends the process.

Entries at or below the applied index, which stands in the same batch as the data, are skipped, so
replaying a log after a crash has one effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from everwhen.apply.backfill import Backfill
from everwhen.apply.chunks import Chunks
from everwhen.apply.cluster import Clusters
from everwhen.apply.commits import Commits
from everwhen.apply.compacting import Compactions
from everwhen.apply.erasing import Erasures
from everwhen.apply.retention import Retentions
from everwhen.apply.schema import Schema
from everwhen.apply.staging import Stagings
from everwhen.apply.users import Users
from everwhen.apply.vacuum import Vacuums
from everwhen.apply.window import Window
from everwhen.apply.work import Work
from everwhen.codec import envelope
from everwhen.errors import EverwhenError, FormatUnsupported
from everwhen.limits import DIGEST_EVERY_ENTRIES, DIGESTS_KEPT
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.txn import commands as c

Entry = tuple[int, int, bytes]
"""Index, term and payload."""
Outcome = c.Reply | EverwhenError

_DONE: Final = c.Done()


class Machine:
    """Applies log entries to a store and the state over it. One thread at a time."""

    __slots__ = (
        "_backfill",
        "_chunks",
        "_clusters",
        "_commits",
        "_compactions",
        "_erasures",
        "_retentions",
        "_schema",
        "_stagings",
        "_users",
        "_vacuums",
        "_work",
        "digests",
    )

    def __init__(self, store: Store, state: RecordState) -> None:
        self._work = work = Work(store, state)
        self._stagings = Stagings.load(store, work)
        window = Window(work.layer, work.tokens, work.version)
        self._commits = Commits(work, window, self._stagings)
        self._chunks = Chunks(work, self._commits)
        self._schema = Schema(work, self._stagings)
        self._backfill = Backfill(work, self._schema)
        self._clusters = Clusters(work)
        self._users = Users(work)
        self._retentions = Retentions(work)
        self._compactions = Compactions(work)
        self._vacuums = Vacuums(work, self._compactions)
        self._erasures = Erasures(work, self._commits, self._vacuums, self._compactions)
        #: digest after every so-many-th entry, the newest ones: what members compare
        self.digests: dict[int, bytes] = {}

    @property
    def applied_index(self) -> int:
        """The newest entry that was applied."""
        return self._work.applied_index

    @property
    def digest(self) -> bytes:
        """Running digest over every commit and decision."""
        return self._work.digest

    @property
    def open_stagings(self) -> list[int]:
        """Large transactions that began and did not end, ascending."""
        return [staging.transaction for staging in self._stagings]

    def open_stagings_heard(self) -> dict[int, int]:
        """The same, each with a number that grows while entries about it come."""
        return {staging.transaction: staging.heard for staging in self._stagings}

    def apply(self, index: int, term: int, payload: bytes) -> Outcome:
        """One entry, as a batch of its own."""
        return self.apply_batch([(index, term, payload)])[0]

    def apply_batch(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Apply entries in order and write them as one batch; the outcome of each.

        Entries that remove keys end a batch early: what follows is written as another one, with
        its own applied index.
        """
        work = self._work
        outcomes: list[Outcome] = []
        last = len(entries) - 1
        written = True
        for at, (index, term, payload) in enumerate(entries):
            if index <= work.applied_index:
                outcomes.append(_DONE)
                continue
            command = _decode(payload) if payload else None
            alone = type(command) in _REMOVES
            if alone and not written:
                work.flush()
            # nobody reads what the last small commit of a batch writes before the flush
            work.layer.quiet = at == last and type(command) is c.Commit
            outcome = _DONE if command is None else self._outcome(command)
            work.layer.quiet = False
            outcomes.append(outcome)
            work.applied_index = index
            work.applied_term = term
            if index % DIGEST_EVERY_ENTRIES == 0:
                self._remember_digest(index)
            written = alone
            if alone:
                work.flush()
        if not written:
            work.flush()
        return outcomes

    def _remember_digest(self, index: int) -> None:
        self.digests[index] = self._work.digest
        self.digests.pop(index - DIGEST_EVERY_ENTRIES * DIGESTS_KEPT, None)

    def _outcome(self, command: c.Command) -> Outcome:
        try:
            reply: Outcome = _HANDLERS[type(command)](self, command)
        except EverwhenError as error:
            if not error.deterministic:
                raise
            self._work.note(b"\x00", type(error).__name__.encode())
            return error
        self._work.note(b"\x01", self._work.chain, msgspec.msgpack.encode(reply))
        return reply

    # --- one method per command ---

    def _commit(self, command: c.Commit) -> c.Reply:
        return self._commits.commit(command)

    def _begin(self, command: c.BeginChunks) -> c.Reply:
        return self._chunks.begin(command)

    def _chunk(self, command: c.Chunk) -> c.Reply:
        return self._chunks.chunk(command)

    def _commit_chunks(self, command: c.CommitChunks) -> c.Reply:
        return self._chunks.commit(command)

    def _check_chunks(self, command: c.CheckChunks) -> c.Reply:
        return self._chunks.check(command)

    def _abort(self, command: c.AbortChunks) -> c.Reply:
        return self._chunks.abort(command)

    def _close_time(self, command: c.CloseTime) -> c.Reply:
        self._work.closed_time = max(self._work.closed_time, command.time)
        return _DONE

    def _lease(self, command: c.LeaseIds) -> c.Reply:
        work = self._work
        leased = c.Leased(work.next_node, work.next_relationship)
        work.next_node += command.nodes
        work.next_relationship += command.relationships
        return leased

    def _create_index(self, command: c.CreateIndex) -> c.Reply:
        return self._schema.create_index(command)

    def _create_constraint(self, command: c.CreateConstraint) -> c.Reply:
        return self._schema.create_constraint(command)

    def _drop(self, command: c.DropSchema) -> c.Reply:
        return self._schema.drop(command)

    def _backfill_step(self, command: c.BackfillStep) -> c.Reply:
        return self._backfill.step(command)

    def _fold(self, command: c.FoldStep) -> c.Reply:
        return self._chunks.fold(command.limit)

    def _found(self, command: c.FoundCluster) -> c.Reply:
        return self._clusters.found(command)

    def _add_member(self, command: c.AddMember) -> c.Reply:
        return self._clusters.add(command)

    def _describe_member(self, command: c.DescribeMember) -> c.Reply:
        return self._clusters.describe(command)

    def _forget_member(self, command: c.ForgetMember) -> c.Reply:
        return self._clusters.forget(command)

    def _configure(self, command: c.Configure) -> c.Reply:
        return self._clusters.configure(command)

    def _raise_feature_level(self, command: c.RaiseFeatureLevel) -> c.Reply:
        return self._clusters.raise_level(command)

    def _raise_epoch(self, command: c.RaiseEpoch) -> c.Reply:
        return self._clusters.raise_epoch(command)

    def _recover(self, command: c.RecoverCluster) -> c.Reply:
        return self._clusters.recover(command)

    def _create_user(self, command: c.CreateUser) -> c.Reply:
        return self._users.create(command)

    def _alter_user(self, command: c.AlterUser) -> c.Reply:
        return self._users.alter(command)

    def _drop_user(self, command: c.DropUser) -> c.Reply:
        return self._users.drop(command)

    def _set_retention(self, command: c.SetRetention) -> c.Reply:
        return self._retentions.set(command)

    def _create_restore_point(self, command: c.CreateRestorePoint) -> c.Reply:
        return self._retentions.create_point(command)

    def _drop_restore_point(self, command: c.DropRestorePoint) -> c.Reply:
        return self._retentions.drop_point(command)

    def _raise_horizon(self, command: c.RaiseHorizon) -> c.Reply:
        return self._retentions.raise_horizon(command)

    def _vacuum_step(self, command: c.VacuumStep) -> c.Reply:
        return self._vacuums.step(command)

    def _erase(self, command: c.Erase) -> c.Reply:
        return self._erasures.erase(command)

    def _erase_step(self, command: c.EraseStep) -> c.Reply:
        return self._erasures.step(command)

    def _compact_segment(self, command: c.CompactSegment) -> c.Reply:
        return self._compactions.begin(command)

    def _compact_step(self, command: c.CompactStep) -> c.Reply:
        return self._compactions.step(command)


#: commands that may remove keys or write segments: read back only after a flush
_REMOVES: Final = frozenset(
    {
        c.CommitChunks,
        c.AbortChunks,
        c.CheckChunks,
        c.DropSchema,
        c.BackfillStep,
        c.FoldStep,
        c.Chunk,
        c.DropUser,
        c.VacuumStep,
        c.EraseStep,
        c.CompactSegment,
        c.CompactStep,
    }
)

_HANDLERS: Final[dict[type, Callable[[Machine, Any], c.Reply]]] = {
    c.Commit: Machine._commit,
    c.BeginChunks: Machine._begin,
    c.Chunk: Machine._chunk,
    c.CommitChunks: Machine._commit_chunks,
    c.AbortChunks: Machine._abort,
    c.CheckChunks: Machine._check_chunks,
    c.CloseTime: Machine._close_time,
    c.LeaseIds: Machine._lease,
    c.CreateIndex: Machine._create_index,
    c.CreateConstraint: Machine._create_constraint,
    c.DropSchema: Machine._drop,
    c.BackfillStep: Machine._backfill_step,
    c.FoldStep: Machine._fold,
    c.FoundCluster: Machine._found,
    c.AddMember: Machine._add_member,
    c.DescribeMember: Machine._describe_member,
    c.ForgetMember: Machine._forget_member,
    c.Configure: Machine._configure,
    c.RaiseFeatureLevel: Machine._raise_feature_level,
    c.RaiseEpoch: Machine._raise_epoch,
    c.RecoverCluster: Machine._recover,
    c.CreateUser: Machine._create_user,
    c.AlterUser: Machine._alter_user,
    c.DropUser: Machine._drop_user,
    c.SetRetention: Machine._set_retention,
    c.CreateRestorePoint: Machine._create_restore_point,
    c.DropRestorePoint: Machine._drop_restore_point,
    c.RaiseHorizon: Machine._raise_horizon,
    c.VacuumStep: Machine._vacuum_step,
    c.Erase: Machine._erase,
    c.EraseStep: Machine._erase_step,
    c.CompactSegment: Machine._compact_segment,
    c.CompactStep: Machine._compact_step,
}


def _decode(payload: bytes) -> c.Command:
    time = 0
    if envelope.is_sealed(payload):
        time = envelope.time_of(payload)
        payload = envelope.command_of(payload)
    try:
        command = c.decode(payload)
    except msgspec.MsgspecError as error:
        raise FormatUnsupported(
            f"a log entry that this build does not understand: {error}"
        ) from error
    if command.format > c.FORMAT:
        raise FormatUnsupported(
            f"a log entry of format {command.format}; this build knows formats up to {c.FORMAT}"
        )
    if time and isinstance(command, (c.Commit, c.CommitChunks, c.CloseTime, c.Erase)):
        return replace(command, time=time)
    return command
