"""What all parts of the binder share: the statement's state and how it reports errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from everwhen.errors import QuerySyntaxError, SemanticError
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query import syntax as s
from everwhen.query.diagnostics import query_error, suggest
from everwhen.query.environment import Environment
from everwhen.query.scope import Scope, Slots, Variable
from everwhen.query.static_types import ANY, StaticType

Typed = tuple[b.Expression, StaticType]


@dataclass(slots=True)
class Aggregates:
    """Aggregations found while a projection is bound.

    ``keys``: grouping expressions as written, with their slots; an expression equal to one reads
    that slot. ``open`` False: no aggregation is allowed here (``why`` is the error's detail).
    """

    keys: list[tuple[s.Expression, int, StaticType]] = field(default_factory=list)
    found: list[tuple[s.Expression, int, b.Aggregation]] = field(default_factory=list)
    #: variables may only be read through ``keys`` (an item that aggregates)
    strict: bool = False


class BinderCore:
    """State of one statement."""

    def __init__(
        self,
        text: str,
        environment: Environment,
        lifted: Mapping[str, StaticType] | None = None,
    ) -> None:
        self.text = text
        self.environment = environment
        #: types of parameters that stand for lifted literals
        self.lifted = lifted or {}
        self.slots = Slots()
        self.scope = Scope()
        self.parameters: set[str] = set()
        self.notifications: list[p.Notification] = []
        self.writes = False
        #: the time of the clause at hand; without one of its own, of what is around it
        self.view: lg.View | None = None
        #: the statement as a whole has a time: then nothing may be written
        self.whole_view = False
        #: view slots that hold their view at this point of the plan
        self.views_bound: set[int] = set()
        #: aggregation is allowed while this is set
        self.aggregates: Aggregates | None = None
        #: names of comprehension variables around the expression at hand
        self.locals: frozenset[str] = frozenset()
        #: (kind, name, place) of labels, types and property keys, for remarks on unknown ones
        self.names_used: list[tuple[str, str, int]] = []
        #: inside an EXISTS, COUNT or COLLECT subquery, where nothing may be written
        self.read_only: str | None = None

    # --- errors -----------------------------------------------------------------------------

    def fail(
        self,
        at: int,
        problem: str,
        detail: str,
        *,
        hint: str | None = None,
        error: type[QuerySyntaxError] = SemanticError,
    ) -> QuerySyntaxError:
        """An error at a place of the text, ready to raise."""
        return query_error(self.text, at, problem, hint=hint, detail=detail, error=error)

    def undefined(self, variable: s.Variable) -> QuerySyntaxError:
        """Use of a name nobody bound; suggests the one that was probably meant."""
        close = suggest(variable.name, self.scope.names())
        return self.fail(
            variable.at,
            f"Variable `{variable.name}` not defined",
            "UndefinedVariable",
            hint=f"did you mean `{close}`?" if close else None,
        )

    def already_bound(self, variable: s.Variable) -> QuerySyntaxError:
        return self.fail(
            variable.at, f"Variable `{variable.name}` already declared", "VariableAlreadyBound"
        )

    def notify(self, code: str, severity: str, title: str, description: str, at: int) -> None:
        """A remark that goes to the client with the result."""
        note = p.Notification(code, severity, title, description, at)
        if note not in self.notifications:
            self.notifications.append(note)

    # --- variables --------------------------------------------------------------------------

    def lookup(self, variable: s.Variable) -> Variable:
        """The variable of that name.

        :raises SemanticError: there is none in scope.
        """
        found = self.scope.find(variable.name)
        if found is None:
            raise self.undefined(variable)
        return found

    def declare(
        self,
        variable: s.Variable,
        type_: StaticType = ANY,
        *,
        past: bool = False,
        view: int | None = None,
    ) -> Variable:
        """A new variable in the current scope.

        :raises SemanticError: the name is taken.
        """
        if self.scope.find(variable.name) is not None:
            raise self.already_bound(variable)
        made = Variable(variable.name, self.slots.new(variable.name), type_, past, view)
        self.scope.add(made)
        return made

    def local(self, name: str, type_: StaticType = ANY) -> Variable:
        """A comprehension's variable: it has a slot, and shadows whatever has its name."""
        return Variable(name, self.slots.new(name), type_)

    @contextmanager
    def scoped(self, scope: Scope, aggregates: Aggregates | None = None) -> Iterator[None]:
        """Bind within another scope, then come back."""
        before = self.scope, self.aggregates
        self.scope, self.aggregates = scope, aggregates
        try:
            yield
        finally:
            self.scope, self.aggregates = before

    @contextmanager
    def without_aggregates(self) -> Iterator[None]:
        """Bind where no aggregation may stand (comprehensions, arguments, clauses that filter)."""
        before, self.aggregates = self.aggregates, None
        try:
            yield
        finally:
            self.aggregates = before

    def slot_of(self, variable: Variable) -> b.Slot:
        return b.Slot(variable.slot, variable.name)

    def expression(self, e: s.Expression, *, predicate: bool = False) -> Typed:
        """Bound form and static type; implemented in :mod:`binder_expressions`."""
        raise NotImplementedError(type(self), e, predicate)

    def subquery_plan(self, query: s.Query, what: str) -> Any:
        """Plan of a subquery expression; implemented in :mod:`binder`."""
        raise NotImplementedError(type(self), query, what)
