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
    milliseconds) or ``"version"`` (an integer). With ``end`` a RangeView: ``"between"`` (``end``
    belongs to it) or ``"from_to"`` (it does not).
    """

    slot: int
    kind: str
    expression: Expression
    end: Expression | None = None


@dataclass(slots=True)
class EachVersion(Unary):
    """Binds what stands in ``slots`` to each of its versions that the RangeView in ``view`` meets,
    one after the other, and puts into ``view`` what is left of the range. What stands in ``kept``
    (bound before) stays as it is; each of its lifetimes counts."""

    slots: tuple[int, ...]
    kept: tuple[int, ...]
    view: int
