"""The database of one node, as sessions in worker threads see it.

Holds what all transactions share: the record's state, ids, the plan cache, limits, the registry
of open transactions. No asyncio here; ``service`` is the asynchronous shell around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from everwhen.codec.cluster import LEVEL_AUDIT
from everwhen.columns.graph.image import GraphImage
from everwhen.columns.texts import Texts
from everwhen.columns.vectors import Vectors
from everwhen.errors import EverwhenError, TooManyRequests
from everwhen.exec.choose import Execution, build_plan
from everwhen.exec.context import ExecutionContext
from everwhen.exec.environment import ENVIRONMENT
from everwhen.exec.operators import aggregate as _registers_operators  # noqa: F401
from everwhen.exec.procedures import ProcedureDefinition
from everwhen.limits import (
    IMAGE_BYTES_DEFAULT,
    OPEN_TRANSACTIONS_MAX,
    PASSWORD_CHARS_MIN_DEFAULT,
    PLAN_CACHE_ENTRIES_MAX,
    STATEMENT_MEMORY_BYTES_MAX,
)
from everwhen.model.graph import GraphView
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.times import version_at
from everwhen.ports import Clock, Random
from everwhen.query.compile import Compiled, Compiler
from everwhen.query.pretty_users import discreet
from everwhen.runtime.administration import ServerFacts, TransactionAdministration
from everwhen.runtime.backend import Backend
from everwhen.runtime.cursor import Summary
from everwhen.runtime.environment import Deadline
from everwhen.runtime.ids import IdAllocator
from everwhen.runtime.keeping import KeepingBody, KeepingRunner
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.schema import SchemaRunner
from everwhen.runtime.snapshots import Snapshots
from everwhen.runtime.statements import Observer, PreparedQuery, PreparedSchema
from everwhen.runtime.transaction import OpenTransaction
from everwhen.runtime.users import UserBody, UserRunner
from everwhen.runtime.vacuum import Vacuuming


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """Limits of this node; see ``settings`` for their meaning."""

    default_timeout: float = 0.0
    lock_timeout: float = 10.0
    statement_memory: int = STATEMENT_MEMORY_BYTES_MAX
    transaction_memory: int = STATEMENT_MEMORY_BYTES_MAX
    image_memory: int = IMAGE_BYTES_DEFAULT
    open_transactions_max: int = OPEN_TRANSACTIONS_MAX
    import_folder: Path | None = None
    password_chars_min: int = PASSWORD_CHARS_MIN_DEFAULT
    keep_texts: bool = False
    #: how plans are run: ``auto``, or ``rows`` or ``batches`` whatever they expect (tests)
    execution: str = "auto"
    batch_rows: int | None = None


def _ignore(*_: Any) -> None:
    """The observer of a database nobody watches."""


@dataclass(slots=True)
class _Registry:
    """Open transactions by number."""

    lock: Lock = field(default_factory=Lock)
    open: dict[int, OpenTransaction] = field(default_factory=dict)
    #: of them, those that somebody began and has to end
    explicit: int = 0
    #: those that are ``reading``, and the entry applied before
    beginning: dict[int, int] = field(default_factory=dict)
    next_number: int = 1


class Database:
    """See the module."""

    def __init__(
        self,
        state: RecordState,
        backend: Backend,
        clock: Clock,
        random: Random,
        facts: ServerFacts,
        options: DatabaseOptions | None = None,
        observer: Observer = _ignore,
    ) -> None:
        options = options or DatabaseOptions()
        self.state = state
        self.graph = state.graph = GraphImage(
            state, options.image_memory, beside=lambda: self._beside(self.graph.needed)
        )
        self.vectors = state.vectors = Vectors(
            state, options.image_memory, beside=lambda: self._beside(self.vectors.bytes)
        )
        self.texts = state.texts = Texts(
            state, options.image_memory, beside=lambda: self._beside(self.texts.bytes)
        )
        self.backend = backend
        self.clock = clock
        self.random = random
        self.facts = facts
        self.ids = IdAllocator(backend)
        self.procedures: dict[str, ProcedureDefinition] = {}
        self.import_folder = options.import_folder
        self.follow(options)
        self._execution = Execution(options.execution, options.batch_rows)
        self._observer = observer
        self._registry = _Registry()
        self.snapshots = state.snapshots = Snapshots(state)
        self._newest = GraphSnapshot(state)
        self._compiler = Compiler(PLAN_CACHE_ENTRIES_MAX)
        self.schema = SchemaRunner(self)
        self._users = UserRunner(self)
        self._keeping = KeepingRunner(self)
        #: what drives vacuum here, once the node runs
        self.vacuuming: Vacuuming | None = None

    def follow(self, options: DatabaseOptions) -> None:
        """Take over what may change while the node runs."""
        self.default_timeout = options.default_timeout
        self.lock_timeout = options.lock_timeout
        self.statement_memory = options.statement_memory
        self.transaction_memory = options.transaction_memory
        self.password_chars_min = options.password_chars_min
        self._keep_texts = options.keep_texts
        self._open_max = options.open_transactions_max

    # --- the record ---

    @property
    def image_bytes(self) -> int:
        """Memory of everything that is kept as columns: graph, vectors, texts."""
        return self.graph.bytes + self.vectors.bytes + self.texts.bytes

    def _beside(self, own: int) -> int:
        """Bytes of everything that shares the memory of columns, but for one's own and for what goes
        when they need it."""
        return self.graph.needed + self.vectors.bytes + self.texts.bytes - own

    @property
    def version(self) -> int:
        """The newest published version."""
        return self.state.current.head.version

    @property
    def keeps_texts(self) -> bool:
        """Whether commits carry the texts of their statements: as set, once every member can."""
        return self._keep_texts and self.state.current.cluster.feature_level >= LEVEL_AUDIT

    def snapshot(self, version: int) -> GraphSnapshot:
        """The committed graph at a version."""
        return GraphSnapshot(self.state, version)

    def version_at(self, time_micros: int) -> int:
        """The version readable at a time that is closed already."""
        now = self.state.current
        return version_at(self.state.store, now.head, time_micros, now.horizons.pinned)

    def is_closed(self, time_micros: int) -> bool:
        """Whether no commit can come at or before a time that would not be seen here."""
        head = self.state.current.head
        return time_micros <= max(head.time, head.closed_time)

    def version_closed_at(self, time_micros: int) -> int:
        """The version readable at a time, which is closed if it is not yet. Waits, unless what is
        applied here says already that nothing can be committed at or before it any more."""
        if not self.is_closed(time_micros):
            self.backend.close_time(time_micros)
        return self.version_at(time_micros)

    # --- transactions ---

    def nanoseconds(self) -> int:
        """A monotonic clock for PROFILE."""
        return int(self.clock.monotonic() * 1e9)

    def begin(
        self,
        version: int,
        options: TransactionOptions,
        caller: Caller,
        *,
        writes_first: bool = False,
        only_reads: bool = False,
    ) -> OpenTransaction:
        """A transaction that reads at ``version`` (from a read barrier). ``writes_first``,
        ``only_reads``: what is known of its statements.

        :raises TooManyRequests: too many explicit ones are open. A statement's own ends with it;
            how many of those there are is bounded where statements come from.
        """
        registry = self._registry
        explicit = not options.auto_commit
        with registry.lock:
            if explicit and registry.explicit >= self._open_max:
                raise TooManyRequests(
                    f"{self._open_max} transactions are open, which is the limit",
                    hint="end some of them, or try again",
                )
        with self.reading() as number:
            transaction = OpenTransaction(
                self,
                number,
                version,
                options,
                caller,
                writes_first=writes_first,
                only_reads=only_reads,
            )
            with registry.lock:
                registry.open[number] = transaction
                registry.explicit += explicit
        return transaction

    @contextmanager
    def reading(self) -> Iterator[int]:
        """For who takes a snapshot and is no open transaction (yet): segments that are replaced
        meanwhile stay. The number is given once."""
        registry = self._registry
        with registry.lock:
            number = registry.next_number
            registry.next_number += 1
            registry.beginning[number] = self.state.current.head.applied_index
        try:
            yield number
        finally:
            with registry.lock:
                del registry.beginning[number]

    def forget(self, transaction: OpenTransaction) -> None:
        """It ended."""
        with self._registry.lock:
            found = self._registry.open.pop(transaction.number, None)
            if found is not None and not found.options.auto_commit:
                self._registry.explicit -= 1

    def open_transactions(self) -> list[OpenTransaction]:
        """All open ones, oldest first."""
        with self._registry.lock:
            return list(self._registry.open.values())

    def beginning(self) -> list[int]:
        """The entry applied before, for each that is :meth:`reading`. Whoever asks for open
        transactions as well asks for these first, for these become those."""
        with self._registry.lock:
            return list(self._registry.beginning.values())

    def administration(self, transaction: OpenTransaction) -> TransactionAdministration:
        """What SHOW may tell this transaction's caller."""
        return TransactionAdministration(self, transaction)

    # --- statements ---

    def prepare(
        self, text: str, parameters: Mapping[str, Any], view: GraphView
    ) -> PreparedQuery | PreparedSchema:
        """Parsed, planned and built, from the cache where possible."""
        compiled = self._compiler.compile(text, view.catalog, view, ENVIRONMENT, self.procedures)
        if not isinstance(compiled, Compiled):
            return PreparedSchema(compiled, discreet(compiled, text))
        return self.prepared(compiled)

    def prepared(self, compiled: Compiled) -> PreparedQuery:
        """A compiled statement, ready to run."""
        found: PreparedQuery | None = compiled.prepared
        if found is None:
            if compiled.built is None:
                compiled.built = build_plan(compiled.plan, self._execution)
            found = PreparedQuery(compiled.plan, compiled.built, self._observer, compiled.lifted)
            compiled.prepared = found
        return found

    def known_read(self, text: str) -> Compiled | None:
        """A statement that only reads, if its plan is there already."""
        known = self.known(text)
        return known if known is not None and known.plan.kind == "r" else None

    def known(self, text: str) -> Compiled | None:
        """A statement that reads or writes data, if its plan is there already."""
        view = self._newest
        if not view.is_current:
            view = self._newest = GraphSnapshot(self.state)
        known = self._compiler.known(text, view.catalog, view)
        if known is None or known.built is None or known.plan.mode != "run":
            return None
        return known

    def run_schema(
        self, prepared: PreparedSchema, parameters: Mapping[str, Any], caller: Caller
    ) -> Summary:
        """CREATE or DROP of an index or constraint; commands about users and retention."""
        if isinstance(prepared.body, UserBody):
            return self._users.run(prepared.body, parameters, caller)
        if isinstance(prepared.body, KeepingBody):
            return self._keeping.run(prepared.body, parameters, caller)
        return self.schema.run(prepared.body, parameters)

    def await_indexes(self, name: str | None, timeout: float, deadline: Deadline) -> None:
        """See ``Environment.await_indexes``."""
        self.schema.await_online(name, timeout, deadline)

    def run_plans(self, execution: Execution) -> None:
        """How plans are run from now on (tests)."""
        self._execution = execution
        self.drop_plans()

    def drop_plans(self) -> None:
        """Forget all cached plans (test procedures changed)."""
        self._compiler = Compiler(PLAN_CACHE_ENTRIES_MAX)


Observed = Callable[[OpenTransaction, ExecutionContext, int, EverwhenError | None], None]
