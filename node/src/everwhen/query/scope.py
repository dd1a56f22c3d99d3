"""Variables in scope and the slots they live in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from everwhen.query.static_types import ANY, StaticType


class Slots:
    """Hands out row positions: every variable of a statement gets its own, none is reused."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def new(self, name: str) -> int:
        """A fresh slot; ``name`` is only for people who read plans."""
        self.names.append(name)
        return len(self.names) - 1

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Variable:
    """``past``: it was bound by a clause that reads at another time, so it can't be written.
    ``view``: the slot of the one moment at which it was found, so that it exists there."""

    name: str
    slot: int
    type: StaticType = ANY
    past: bool = False
    view: int | None = None

    def renamed(self, name: str) -> Variable:
        return replace(self, name=name)


@dataclass(slots=True)
class Scope:
    """``variables`` end at the next WITH; ``constant`` ones (of an enclosing query, or imported
    by ``CALL (x)``) stay visible through the whole of the subquery."""

    variables: dict[str, Variable] = field(default_factory=dict)
    constant: dict[str, Variable] = field(default_factory=dict)

    def find(self, name: str) -> Variable | None:
        return self.variables.get(name) or self.constant.get(name)

    def add(self, variable: Variable) -> None:
        self.variables[variable.name] = variable

    def child(self) -> Scope:
        """For a subquery expression or a comprehension: everything visible is constant."""
        return Scope({}, {**self.constant, **self.variables})

    def with_local(self, *variables: Variable) -> Scope:
        """The same scope with comprehension locals on top (they shadow)."""
        return Scope({**self.variables, **{v.name: v for v in variables}}, self.constant)

    def replaced(self, variables: Iterable[Variable]) -> Scope:
        """After WITH."""
        return Scope({v.name: v for v in variables}, self.constant)

    def names(self) -> list[str]:
        return sorted({*self.variables, *self.constant})
