"""An open transaction: runs statements, then hands its effects to consensus.

Everything here runs in a worker thread, one statement at a time per transaction. The shape of a
commit is two steps, so that waiting for the log costs no thread: ``prepare_commit`` gives the
command of a small transaction, the caller proposes it and calls ``committed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from everwhen.errors import (
    AccessModeViolation,
    EverwhenError,
    Fault,
    TransactionStateError,
)
from everwhen.exec.context import ExecutionContext, Profile
from everwhen.exec.memory import MemoryAccount
from everwhen.model.graph import GraphView
from everwhen.query import syntax
from everwhen.query.compile import Compiled
from everwhen.runtime.cursor import Cursor, Summary
from everwhen.runtime.ending import Owed
from everwhen.runtime.environment import Deadline, ServerEnvironment
from everwhen.runtime.flashback import flashback
from everwhen.runtime.kept import Kept
from everwhen.runtime.large import Large
from everwhen.runtime.origins import kept_texts, origin_of
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.statements import PreparedQuery, PreparedSchema, check_password_kept
from everwhen.txn import commands as c
from everwhen.txn.commit import begin_of, commit_chunks_of, commit_of, stamp, take_chunks
from everwhen.txn.reading import Reading
from everwhen.txn.transaction import Isolation, Transaction

if TYPE_CHECKING:
    from everwhen.runtime.database import Database

_Known = Compiled | None


class _RunAgain(Exception):
    """A PESSIMISTIC statement must be run again on a fresh snapshot."""


class OpenTransaction:
    """One transaction of one client."""

    def __init__(
        self,
        database: Database,
        number: int,
        version: int,
        options: TransactionOptions,
        caller: Caller,
        *,
        writes_first: bool = False,
        only_reads: bool = False,
    ) -> None:
        """``writes_first``, ``only_reads``: what is known of its first, or only, statement."""
        self.number = number
        self.options = options
        self.caller = caller
        timeout = options.timeout or database.default_timeout
        self.deadline = Deadline(database.clock, timeout, options.stop)
        self.started_micros = database.clock.now_micros()
        self.began_index = database.state.current.head.applied_index  # before its snapshot
        self.kept = Kept(self, database.state)  # as well
        self.last_used = database.clock.monotonic()
        self.text = ""
        self.failed: EverwhenError | None = None
        self.ended = False
        self.busy = False  # a statement of it runs right now
        self._database = database
        self._texts: list[str] = []
        self._large: Large | None = None
        self._locked: set[bytes] = set()
        self._observed = False  # a statement has ended: its client has seen this snapshot
        self.ctx: ExecutionContext | None = None
        #: it ran a FLASHBACK, which is the last thing it does; what that wants committed
        self._flashed = False
        self._flashback: c.Commit | c.CommitChunks | None = None
        self._batch = 0  # batches of CALL { } IN TRANSACTIONS that are done
        self.transaction: Transaction | Reading = (
            Reading(database.snapshots.take(version))
            if only_reads and options.at is None
            else self._begin(version, writes_first=writes_first)
        )

    # --- views ---

    def _begin(self, version: int, *, writes_first: bool = False) -> Transaction:
        database, options = self._database, self.options
        view = database.snapshot(version)
        if options.at is not None:
            kind, moment = options.at
            if kind == "time":
                if not database.is_closed(moment):
                    self.deadline.need_thread()
                moment = database.version_closed_at(moment)
            view = view.at_version(moment)
        return Transaction(
            view,
            partial(database.ids.node, self.deadline.need_ids),
            partial(database.ids.relationship, self.deadline.need_ids),
            isolation=options.isolation,
            read_only=options.read_only or options.at is not None,
            lock=self._lock,
            spill=self._send_chunks,
            memory_limit=database.transaction_memory,
            writes_first=writes_first,
        )

    @property
    def view(self) -> GraphView:
        """What its statements read."""
        reading = self.transaction
        return reading.snapshot if isinstance(reading, Reading) else reading

    def _writable(self) -> Transaction:
        if isinstance(self.transaction, Reading):
            raise Fault("a transaction that only reads is asked to write")
        return self.transaction

    @property
    def version(self) -> int:
        """The version its snapshot shows."""
        return self.transaction.version

    @property
    def read_only(self) -> bool:
        return self.transaction.read_only

    # --- statements ---

    def run(self, text: str, parameters: Mapping[str, Any], known: _Known = None) -> Cursor:
        """Compile (unless it is ``known``) and start a statement; its rows come from the cursor.

        :raises EverwhenError: the transaction is then failed and can only be rolled back.
        """
        if self.failed is not None:
            raise TransactionStateError(
                "an earlier statement of this transaction failed, which rolled it back",
                hint=self.failed.message,
            )
        if self.ended:
            raise TransactionStateError("the transaction has ended")
        if self._flashed:
            raise TransactionStateError(
                "FLASHBACK is the last statement of a transaction", hint="COMMIT or ROLLBACK"
            )
        try:
            self.deadline.check()
            return self._run(text, parameters, known)
        except EverwhenError as error:
            self.failed = error
            raise

    def execute(self, text: str, parameters: Mapping[str, Any], known: _Known = None) -> Cursor:
        """Like ``run``, but a statement that writes is run to its end, its rows held.

        PESSIMISTIC: a statement that took a lock on something newer than its snapshot is undone
        and run again on a fresh one. Each time it holds more locks, so it comes to an end.
        """
        self.busy = True
        try:
            if self.options.isolation is not Isolation.PESSIMISTIC:
                return self._execute(text, parameters, known)
            transaction = self._writable()
            while True:
                savepoint = transaction.savepoint()
                try:
                    cursor = self._execute(text, parameters, known)
                    self._observed = True
                    return cursor
                except _RunAgain:
                    self.deadline.check()
                    transaction.rollback_to(savepoint)
                    version = self._database.backend.barrier()
                    transaction.refresh(self._database.snapshot(version))
        except EverwhenError as error:
            self.failed = error
            raise
        finally:
            self.busy = False

    def _execute(self, text: str, parameters: Mapping[str, Any], known: _Known) -> Cursor:
        cursor = self.run(text, parameters, known)
        if cursor.writes:
            cursor.run_to_end()
        return cursor

    def _run(self, text: str, parameters: Mapping[str, Any], known: _Known) -> Cursor:
        database = self._database
        prepared = (
            database.prepare(text, parameters, self.view)
            if known is None
            else database.prepared(known)
        )
        self.text = prepared.text if isinstance(prepared, PreparedSchema) else text
        self._texts.append(self.text)
        if self.caller.must_change_password:
            check_password_kept(prepared)
        if isinstance(prepared, PreparedSchema):
            if isinstance(prepared.body, (syntax.Flashback, syntax.FlashbackTransaction)):
                return flashback(self, database, prepared.body, parameters)
            return self._run_schema(prepared, parameters)
        if prepared.plan.mode == "explain":
            return prepared.explained()
        if "w" in prepared.plan.kind:
            self.must_write()
        return self._start(prepared, prepared.all_parameters(parameters))

    def must_write(self) -> None:
        """:raises AccessModeViolation: it may not."""
        if self.read_only:
            past = " at a past time" if self.options.at is not None else ""
            hint = "begin one without READ access mode"
            raise AccessModeViolation(f"this transaction only reads{past}", hint=hint)

    def only_reads(self, text: str, parameters: Mapping[str, Any]) -> bool:
        """Whether a statement changes nothing."""
        prepared = self._database.prepare(text, parameters, self.view)
        return isinstance(prepared, PreparedQuery) and "w" not in prepared.plan.kind

    def _start(self, prepared: PreparedQuery, parameters: Mapping[str, Any]) -> Cursor:
        database, plan = self._database, prepared.plan
        ctx = ExecutionContext(
            view=self.view,
            writer=None if self.read_only else self._writable(),
            parameters=parameters,
            environment=ServerEnvironment(database, self),
            now_statement=database.clock.now_micros(),
            now_transaction=self.started_micros,
            memory=MemoryAccount(database.statement_memory),
            procedures=database.procedures,
            text=self.text,
        )
        if plan.mode == "profile":
            ctx.profile = Profile(database.nanoseconds)
        self.ctx = ctx
        summary = Summary(plan.kind, ctx.counters, plan.notifications, None, plan.mode == "profile")
        rows = prepared.run(ctx, [None] * plan.width)
        return Cursor(plan.columns, prepared.observed(rows, ctx, summary, self), summary, ctx)

    def _run_schema(self, prepared: PreparedSchema, parameters: Mapping[str, Any]) -> Cursor:
        """Schema commands are entries of their own: they commit at once."""
        if self.transaction.has_writes:
            raise TransactionStateError(
                "schema commands cannot run in a transaction that has written data"
            )
        self.must_write()
        summary = self._database.run_schema(prepared, parameters, self.caller)
        return Cursor((), iter(()), summary)

    # --- pessimistic locks ---

    def _lock(self, keys: list[bytes]) -> None:
        """Called by the transaction before it first writes something.

        Once an earlier statement has shown the snapshot to the client, it cannot be exchanged any
        more without losing updates: then the commit finds what was changed meanwhile.

        :raises _RunAgain: the locks are new and commits happened since the snapshot.
        """
        wanted = [key for key in keys if key not in self._locked]
        if not wanted:
            return
        backend = self._database.backend
        backend.lock(self.number, wanted, self._database.lock_timeout, self.deadline.check)
        self._locked.update(wanted)
        if backend.barrier() != self.transaction.version and not self._observed:
            raise _RunAgain

    # --- commit ---

    def origin(self) -> c.Origin:
        """Who and what this commit comes from."""
        salt = self._database.random.bytes(16)
        return origin_of(self.options, self.caller, self._texts, self._batch, salt)

    def kept_texts(self) -> list[str]:
        """The texts of its statements, where its commit is to keep them."""
        return kept_texts(self._texts) if self._database.keeps_texts else []

    def prepare_commit(self) -> c.Command | None:
        """The command to propose, None if nothing was written. Checks what only the end can
        tell; a large transaction first sends the rest of its chunks."""
        if self.failed is not None:
            raise TransactionStateError(
                "a statement of this transaction failed; it can only be rolled back",
                hint=self.failed.message,
            )
        self.kept.check()
        if self._flashed:
            return self._flashback
        own = self.options.own_time
        if self.read_only or not self.transaction.has_writes:
            return None
        transaction = self._writable()
        transaction.prepare()
        small = None
        if self._large is None:
            small = commit_of(transaction, self.origin(), texts=self.kept_texts())
        if small is not None:
            return small if own is None else stamp(small, own, own_time=True)
        large = self._send_chunks(transaction, last=True)
        large.finish(transaction.chunks_taken)
        whole = commit_chunks_of(transaction, large.number)
        return whole if own is None else stamp(whole, own, own_time=True)

    def _send_chunks(self, transaction: Transaction, *, last: bool = False) -> Large:
        """Sends what is pending as chunks, after announcing the large transaction."""
        large = self.announce()
        for chunk in take_chunks(transaction, large.number, last=last):
            large.send(chunk)
        return large

    def announce(self) -> Large:
        """Its large transaction, which begins if it has not yet."""
        self.deadline.need_thread()
        if self._large is None:
            begin = begin_of(self._writable(), self.origin(), self.kept_texts())
            self._large = Large(begin, self._database.backend.propose, self.deadline.check)
        return self._large

    def flashed(self, command: c.Commit | c.CommitChunks | None) -> None:
        """A FLASHBACK ran; ``command`` is what commits it, None if there was nothing to do."""
        self._flashed, self._flashback = True, command

    def committed(self) -> None:
        """Its commit was answered (or there was nothing to commit). In a thread, see ``end``."""
        self._release(self.end(committed=True))

    def rollback(self) -> None:
        """Forget everything. In a thread, see ``end``."""
        self._release(self.end())

    def end(self, *, committed: bool = False) -> Owed | None:
        """Ends it on this node, at once, whatever others say. What they are still to be told
        (``ending.release``); None: nothing, or it had ended."""
        if self.ended:
            return None
        self.ended = True
        self._database.forget(self)
        views = [] if self.ctx is None else list(self.ctx.views.values())
        if isinstance(self.transaction, Reading):
            views.append(self.transaction.snapshot)
        self.ctx = None
        self.transaction.close()
        self._database.snapshots.give_back(views)
        locks = self.number if self.options.isolation is Isolation.PESSIMISTIC else 0
        return self._owed(locks, committed=committed)

    def _owed(self, locks: int = 0, *, committed: bool = False) -> Owed | None:
        large, self._large = self._large, None
        chunks = 0 if large is None or committed else large.number
        return Owed(locks, chunks) if locks or chunks else None

    def _release(self, owed: Owed | None) -> None:
        if owed is not None:
            self._database.backend.release(owed)

    @property
    def needs_thread(self) -> bool:
        """Whether its statements and its commit may have to wait for others."""
        return self.options.isolation is Isolation.PESSIMISTIC or self._large is not None

    # --- CALL { } IN TRANSACTIONS ---

    def commit_batch(self) -> None:
        self._check_batches()
        command = self.prepare_commit()
        if command is not None:
            self._database.backend.propose(command)
        self._next_batch()

    def rollback_batch(self) -> None:
        self._check_batches()
        self._release(self._owed())
        self._next_batch()

    def _check_batches(self) -> None:
        self.deadline.need_thread()
        if not self.options.auto_commit:
            raise TransactionStateError(
                "CALL { } IN TRANSACTIONS needs an auto-commit (implicit) transaction",
                hint="send it outside BEGIN … COMMIT",
            )

    def _next_batch(self) -> None:
        self._large = None
        self._batch += 1
        transaction = self.transaction = self._begin(self._database.backend.barrier())
        if self.ctx is not None:
            self.ctx.view = self.ctx.writer = transaction
            self.ctx.views.clear()
