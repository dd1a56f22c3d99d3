"""What every operator of a plan is, and the leaf that all plans begin with."""

from __future__ import annotations

from dataclasses import dataclass

from everwhen.query.bound import Expression


@dataclass(slots=True, kw_only=True)
class Operator:
    """Base. Plans are built once and never changed after planning; running state is exec's."""

    estimate: float = 0.0


@dataclass(slots=True)
class Argument(Operator):
    """The argument row, once."""


@dataclass(slots=True)
class SchemaCommand(Operator):
    """What EXPLAIN of a statement that is not planned shows; it is never run."""

    text: str


@dataclass(slots=True)
class Unary(Operator):
    child: Operator


@dataclass(slots=True)
class BindView(Unary):
    """Resolves a time and puts the GraphView of then into ``slot``.

    ``kind``: ``"time"`` (a DateTime value, a string that parses as one, or integer epoch
    milliseconds) or ``"version"`` (an integer).
    """

    slot: int
    kind: str
    expression: Expression
