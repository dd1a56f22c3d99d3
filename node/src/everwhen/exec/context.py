"""What one running statement carries: its views, parameters, limits, counters.

One context serves one execution of one plan. Everything outside the pure core comes in through
it: the instant of the statement, random numbers, the resolver of times, the deadline. Nothing
here reads a clock; ``checkpoint`` is a call handed in by the runtime that raises when the
statement must stop (deadline, cancellation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from everwhen.errors import QueryArgumentError
from everwhen.exec.memory import MemoryAccount
from everwhen.limits import ROWS_PER_CHECK
from everwhen.model.audit import Audit
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import GraphView, GraphWriter, RangeView
from everwhen.model.moments import micros_text

Row = list[Any]
T = TypeVar("T")


@dataclass(slots=True)
class Counters:
    """What a statement changed, as drivers show it."""

    nodes_created: int = 0
    nodes_deleted: int = 0
    relationships_created: int = 0
    relationships_deleted: int = 0
    properties_set: int = 0
    labels_added: int = 0
    labels_removed: int = 0
    indexes_added: int = 0
    indexes_removed: int = 0
    constraints_added: int = 0
    constraints_removed: int = 0
    #: changes to users, which are no part of the graph
    system_updates: int = 0

    @property
    def contains_updates(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__ if name != "system_updates")

    def as_dict(self) -> dict[str, int]:
        """Field name -> count, in the order of the fields."""
        return {name: getattr(self, name) for name in self.__slots__}


class Environment(Protocol):
    """What execution asks of the runtime around it."""

    def now_micros(self) -> int:
        """The wall clock now, µs since 1970 UTC (``datetime.realtime()``)."""

    def random(self) -> float:
        """Uniform in [0, 1)."""

    def uuid(self) -> str: ...

    def resolve_time(self, time_micros: int) -> int:
        """The version readable at a time; closes the time if need be (``Consensus.close_time``).

        :raises TimeOutOfRange: later than the clock, or before the oldest readable time.
        """

    def checkpoint(self) -> None:
        """Raises when the statement must stop: deadline passed, cancelled, shutting down."""

    def open_import_file(self, url: str) -> Iterator[str]:
        """Lines of a text file of the import folder (``LOAD CSV``), line ends kept.

        :raises ExternalResourceFailed: not a ``file:///`` URL of the import folder.
        """

    def commit_batch(self) -> None:
        """End the current inner transaction and begin the next (``CALL … IN TRANSACTIONS``)."""

    def rollback_batch(self) -> None:
        """Forget the current inner transaction and begin the next."""

    def await_indexes(self, name: str | None, timeout_seconds: float) -> None:
        """Returns when the index (or all of them) is online.

        :raises ProcedureCallFailed: it failed, or took longer.
        """

    def administration(self) -> Administration: ...

    def audit(self) -> Audit: ...


class Administration(Protocol):
    """Facts about the server that SHOW and ``dbms.*`` list."""

    def settings(self) -> Sequence[tuple[str, str, str, bool]]: ...

    def transactions(self) -> Sequence[Mapping[str, Any]]: ...

    def terminate(self, names: Sequence[str]) -> Sequence[Mapping[str, Any]]: ...

    def databases(self) -> Sequence[Mapping[str, Any]]: ...

    def components(self) -> Sequence[tuple[str, list[str], str]]: ...

    def principal(self) -> str: ...

    def users(self) -> Sequence[Mapping[str, Any]]: ...

    def retention(self) -> Sequence[Mapping[str, Any]]: ...

    def restore_points(self) -> Sequence[Mapping[str, Any]]: ...

    def vacuum(self) -> Sequence[Mapping[str, Any]]: ...

    def erasures(self) -> Sequence[Mapping[str, Any]]: ...


@dataclass(slots=True)
class ExecutionContext:
    """One execution of one plan."""

    view: GraphView
    writer: GraphWriter | None
    parameters: Mapping[str, Any]
    environment: Environment
    #: instants of the statement and of its transaction, µs since 1970 UTC
    now_statement: int
    now_transaction: int
    memory: MemoryAccount = field(default_factory=MemoryAccount)
    counters: Counters = field(default_factory=Counters)
    views: dict[tuple[str, int], GraphView] = field(default_factory=dict)
    ranges: dict[tuple[str, int, int], RangeView] = field(default_factory=dict)
    profile: Profile | None = None
    procedures: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    _ticks: int = 0

    def tick(self) -> None:
        """Called per row by operators that may run long without yielding."""
        self._ticks += 1
        if self._ticks >= ROWS_PER_CHECK:
            self._ticks = 0
            self.environment.checkpoint()

    # --- what functions ask (exec.functions.context.FunctionContext) ---

    def now_realtime(self) -> int:
        return self.environment.now_micros()

    def random(self) -> float:
        return self.environment.random()

    def uuid(self) -> str:
        return self.environment.uuid()

    def restore_point(self, name: str) -> int | None:
        for point in self.environment.administration().restore_points():
            if point["name"] == name:
                version: int = point["version"]
                return version
        return None

    # --- time travel ---

    def view_at(self, kind: str, moment: int) -> GraphView:
        """The graph at a time (µs) or version; one view per moment and statement."""
        key = (kind, moment)
        view = self.views.get(key)
        if view is None:
            if kind == "time":
                version = self.environment.resolve_time(moment)
            else:
                version = moment
            view = self.views[key] = self.view.at_version(version)
        return view

    def range_at(self, kind: str, start: int, end: int) -> RangeView:
        """The graph from one time (µs) to another: ``"between"`` with the second one, ``"from_to"``
        without it; one view per range and statement.

        :raises QueryArgumentError: it ends before it begins.
        """
        if end < start:
            raise QueryArgumentError(
                f"the range of time ends before it begins: from {micros_text(start)} "
                f"to {micros_text(end)}",
                detail="InvalidArgumentValue",
            )
        key = (kind, start, end)
        view = self.ranges.get(key)
        if view is None:
            last = end if kind == "between" else end - 1
            low = self.environment.resolve_time(start)
            high = low - 1 if last < start else self.environment.resolve_time(last)
            view = self.ranges[key] = self.view.between(low, high)
        return view

    def must_write_to(self, element: Node | Relationship) -> GraphWriter:
        """The writer, or an error for what was bound in the past: the statement's text does not
        always show it (lists, maps, functions)."""
        if not element.view.writable:
            raise QueryArgumentError(
                f"{element.element_id} was read at a past time and cannot be written to",
                hint="the past cannot be changed: match it again without AT TIME",
                detail="WriteToPast",
            )
        return self.must_write()

    def must_write(self) -> GraphWriter:
        """The writer, or an error for a statement that may only read."""
        if self.writer is None:
            raise QueryArgumentError("this transaction is read-only and the statement writes")
        return self.writer


@dataclass(slots=True)
class OperatorProfile:
    """What PROFILE measured of one operator."""

    rows: int = 0
    nanoseconds: int = 0
    #: over batches: how many were given, and about how many bytes they had
    batches: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Profile:
    """Measurements of one run, by identity of the plan's operator. ``nanoseconds`` is a
    monotonic clock handed in by the runtime."""

    nanoseconds: Callable[[], int]
    operators: dict[int, OperatorProfile] = field(default_factory=dict)

    def of(self, operator: int) -> OperatorProfile:
        """The measurements of one operator, made on first use."""
        found = self.operators.get(operator)
        if found is None:
            found = self.operators[operator] = OperatorProfile()
        return found

    def measure(
        self, operator: int, given: Iterator[T], count: Callable[[OperatorProfile, T], None]
    ) -> Iterator[T]:
        """Passes on what an operator gives, measuring the time it takes (inclusive of operators
        below); ``count`` adds what a single thing counts for."""
        found, clock = self.of(operator), self.nanoseconds
        while True:
            started = clock()
            item = next(given, None)
            found.nanoseconds += clock() - started
            if item is None:
                return
            count(found, item)
            yield item


#: An expression ready to run.
Evaluator = Callable[[Row, ExecutionContext], Any]
#: An operator ready to run: rows for one argument row.
Runner = Callable[[ExecutionContext, Row], Iterator[Row]]
