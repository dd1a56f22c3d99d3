"""From text to a cached plan.

A text is found in two steps: as it stands (a client that repeats itself pays one look-up), and
with its literals lifted to parameters (texts that differ in constants share a plan). A plan is
good for one catalog version and one order of magnitude of the graph's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from everwhen.errors import EverwhenError
from everwhen.model.graph import Statistics
from everwhen.model.schema import Catalog
from everwhen.query import physical as p
from everwhen.query import syntax as s
from everwhen.query.cache import PlanCache
from everwhen.query.environment import (
    Environment,
    FunctionSignature,
    ProcedureSignature,
    TableSignature,
)
from everwhen.query.literals import Lifted, lift_literals
from everwhen.query.parser import parse, parse_tokens
from everwhen.query.planner import plan
from everwhen.query.pretty import pretty
from everwhen.query.static_types import of_value

#: longer texts carry their data and are not kept as they stand
TEXT_CHARS_CACHED: Final = 4_000
#: a graph that grew by this power of two is planned for anew
GROWTH_BITS: Final = 2


@dataclass(slots=True)
class CachedPlan:
    """``built`` is whatever execution made of the plan; it is shared like the plan."""

    plan: p.Plan
    built: Any = None
    #: how many names the graph knew, if some of the statement's were unknown
    names: tuple[int, ...] = ()
    #: its next so many runs are not expected to take a moment only (kept by the runtime)
    long_runs: int = 0


@dataclass(slots=True)
class Compiled:
    """A plan and the parameters that stand for the text's own literals."""

    entry: CachedPlan
    lifted: Mapping[str, Any]
    #: what the runtime made of both, once it ran
    prepared: Any = None

    @property
    def plan(self) -> p.Plan:
        return self.entry.plan

    @property
    def built(self) -> Any:
        return self.entry.built

    @built.setter
    def built(self, built: Any) -> None:
        self.entry.built = built


class Described(Protocol):
    """A procedure that knows its signature (``exec.procedures.ProcedureDefinition``)."""

    @property
    def planning(self) -> ProcedureSignature: ...


class _WithProcedures:
    """An environment with procedures added to it."""

    def __init__(self, base: Environment, procedures: Mapping[str, Described]) -> None:
        self.base = base
        self.added = procedures

    def function(self, name: str) -> FunctionSignature | None:
        return self.base.function(name)

    def function_names(self) -> Iterable[str]:
        return self.base.function_names()

    def procedure(self, name: str) -> ProcedureSignature | None:
        found = self.added.get(name)
        return self.base.procedure(name) if found is None else found.planning

    def procedure_names(self) -> Iterable[str]:
        return [*self.base.procedure_names(), *self.added]

    def show_table(self, subject: str) -> TableSignature | None:
        return self.base.show_table(subject)


class Compiler:
    """Compiles for one database; safe to share between threads."""

    def __init__(self, capacity: int) -> None:
        self._texts: PlanCache[Compiled] = PlanCache(capacity)
        self._plans: PlanCache[CachedPlan] = PlanCache(capacity)

    @property
    def hits(self) -> int:
        """Statements that needed no planning."""
        return self._texts.hits + self._plans.hits

    @property
    def misses(self) -> int:
        return self._plans.misses

    def known(self, text: str, catalog: Catalog, statistics: Statistics) -> Compiled | None:
        """The plan of a text that was compiled before as it stands, if it is still good."""
        found = self._texts.get((text, (catalog.version, *_size(statistics))))
        return found if found is not None and _fresh(found.entry, statistics) else None

    def compile(
        self,
        text: str,
        catalog: Catalog,
        statistics: Statistics,
        environment: Environment,
        procedures: Mapping[str, Described] | None = None,
    ) -> Compiled | s.Body:
        """The plan of a query, or the body of a statement that is not planned (schema,
        transactions).

        :raises QuerySyntaxError: the text is wrong; the error shows the place.
        """
        stamp = (catalog.version, *_size(statistics))
        found = self._texts.get((text, stamp))
        if found is not None and _fresh(found.entry, statistics):
            return found
        lifted = lift_literals(text)
        entry = self._plans.get((lifted.key, stamp))
        if entry is None or not _fresh(entry, statistics):
            around = _WithProcedures(environment, procedures) if procedures else environment
            made = _plan(text, lifted, catalog, statistics, around)
            if not isinstance(made, tuple):
                return made
            entry, lifted_values = CachedPlan(made[0]), made[1]
            if lifted_values is None:
                return Compiled(entry, {})
            if entry.plan.notifications:
                entry.names = _names(statistics)
            self._plans.put((lifted.key, stamp), entry)
        compiled = Compiled(entry, lifted.parameters)
        if len(text) <= TEXT_CHARS_CACHED:
            self._texts.put((text, stamp), compiled)
        return compiled


def _names(statistics: Statistics) -> tuple[int, ...]:
    """Names are only ever added, so counts tell whether there are new ones."""
    return (
        len(statistics.label_names()),
        len(statistics.relationship_type_names()),
        len(statistics.property_key_names()),
    )


def _fresh(entry: CachedPlan, statistics: Statistics) -> bool:
    """Names that were unknown when it was planned may be known now."""
    return not entry.plan.notifications or entry.names == _names(statistics)


def _size(statistics: Statistics) -> tuple[int, int]:
    """The graph's order of magnitude."""
    return (
        statistics.node_count().bit_length() // GROWTH_BITS,
        statistics.relationship_count().bit_length() // GROWTH_BITS,
    )


def _plan(
    text: str,
    lifted: Lifted,
    catalog: Catalog,
    statistics: Statistics,
    environment: Environment,
) -> s.Body | tuple[p.Plan, Mapping[str, Any] | None]:
    """The plan with the values it was lifted with; None for them: planned as it stands."""
    try:
        statement = parse_tokens(lifted.tokens)
        if not isinstance(statement.body, (s.QueryBody, s.Show, s.TerminateTransactions)):
            return _unplanned(statement, catalog)
        types = {name: of_value(value) for name, value in lifted.parameters.items()}
        found = plan(statement, catalog, statistics, environment, types)
    except EverwhenError:
        if not lifted.parameters:
            raise
        # the error must show what was written, and what was lifted may be at fault
        statement = parse(text)
        return plan(statement, catalog, statistics, environment), None
    return found, lifted.parameters


def _unplanned(
    statement: s.Statement, catalog: Catalog
) -> s.Body | tuple[p.Plan, Mapping[str, Any] | None]:
    """Schema and transaction statements are run as they are; EXPLAIN only names them, but says
    what a flashback would do."""
    if isinstance(statement.body, (s.Flashback, s.FlashbackTransaction)):
        return replace(statement.body, explain=statement.mode == "EXPLAIN")
    if statement.mode != "EXPLAIN":
        return statement.body
    command = p.SchemaCommand(pretty(replace(statement, mode=None)))
    root = p.ProduceResults(command, ())
    found = p.Plan(root, 0, (), "s", frozenset(), catalog.version, "explain")
    return found, None


def prepare(
    text: str, catalog: Catalog, statistics: Statistics, environment: Environment
) -> Compiled | s.Body:
    """Compile once, without a cache."""
    return Compiler(1).compile(text, catalog, statistics, environment)
