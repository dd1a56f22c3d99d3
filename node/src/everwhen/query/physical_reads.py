"""Operators that read the graph: scans, seeks and walks."""

from __future__ import annotations

from dataclasses import dataclass

from everwhen.model.graph import Direction
from everwhen.query.bound import Expression
from everwhen.query.physical_base import Operator, Unary


@dataclass(slots=True)
class AllNodesScan(Unary):
    slot: int
    view: int | None = None


@dataclass(slots=True)
class LabelScan(Unary):
    slot: int
    label: str
    view: int | None = None


@dataclass(slots=True)
class NodeCount(Unary):
    """How many nodes (of a label) there are, added up over the rows of child: one row, a copy of
    the argument row with the sum in all of ``slots``."""

    slots: tuple[int, ...]
    label: str | None
    view: int | None = None
    #: how many there may be, as far as the planner knows
    counted: float = 0.0


@dataclass(slots=True)
class NodeByIdSeek(Unary):
    """``ids``: expression giving an integer or a list of them (or element id strings)."""

    slot: int
    ids: Expression
    element: bool = False
    view: int | None = None


@dataclass(slots=True)
class RelationshipByIdSeek(Unary):
    slot: int
    start: int
    end: int
    ids: Expression
    element: bool = False
    direction: Direction = Direction.OUT
    view: int | None = None


@dataclass(slots=True)
class RangeSpec:
    """One end of an index range."""

    expression: Expression
    inclusive: bool


@dataclass(slots=True)
class IndexSeek(Unary):
    """Range index look-up. ``equal``: leading properties by equality (an expression with
    ``in_list`` position set is a list of alternatives); then at most one of ``lower/upper``,
    ``prefix``. With none of those and no ``equal``: a scan of the whole index.

    ``entity`` NODE: ``slot`` is the node. RELATIONSHIP: ``slot`` the relationship, ``start`` and
    ``end`` its nodes. The label (type) and the property predicates are implied *only* as far as
    the planner says: it keeps a Filter above wherever the seek is not exact.
    """

    slot: int
    index: str
    entity: str
    label: str
    properties: tuple[str, ...]
    equal: tuple[Expression, ...] = ()
    in_list: int | None = None
    lower: RangeSpec | None = None
    upper: RangeSpec | None = None
    prefix: Expression | None = None
    start: int | None = None
    end: int | None = None
    direction: Direction = Direction.OUT
    view: int | None = None
    #: ``view`` holds a RangeView: an entity may have had several of the alternatives; it comes once
    each_version: bool = False


@dataclass(slots=True)
class RelationshipScan(Unary):
    """All relationships of the types: ``slot`` and its two node slots. BOTH gives each twice
    (once per direction; a loop once)."""

    slot: int
    start: int
    end: int
    types: tuple[str, ...] | None
    direction: Direction
    unique_with: tuple[int, ...] = ()
    view: int | None = None


# --- expand --------------------------------------------------------------------------------


@dataclass(slots=True)
class Expand(Unary):
    """From a bound node along one relationship. ``into``: ``target`` is bound already and must
    be reached. ``bound_relationship``: the relationship slot is bound too and must match.
    A null ``source`` yields nothing."""

    source: int
    relationship: int
    target: int
    direction: Direction
    types: tuple[str, ...] | None
    into: bool = False
    bound_relationship: bool = False
    unique_with: tuple[int, ...] = ()
    view: int | None = None


@dataclass(slots=True)
class VarExpand(Unary):
    """Variable length: every relationship-unique walk of ``minimum`` to ``maximum`` steps
    (None: no bound), depth first. ``relationship`` receives the list, in the walking order seen
    from the *pattern's left*, so ``reverse_list`` says that the walk began at the right end.
    ``predicate`` is checked for each step with the step's relationship in ``step_relationship``
    and the node reached in ``step_node``. ``bound_relationship``: the slot holds a list already
    (legacy ``-[rs*]->`` with rs bound)."""

    source: int
    relationship: int
    target: int
    direction: Direction
    types: tuple[str, ...] | None
    minimum: int
    maximum: int | None
    into: bool = False
    bound_relationship: bool = False
    reverse_list: bool = False
    unique_with: tuple[int, ...] = ()
    predicate: Expression | None = None
    step_relationship: int | None = None
    step_node: int | None = None
    view: int | None = None
    #: ``view`` holds a RangeView: every relationship and node is bound to each of its versions
    each_version: bool = False


@dataclass(slots=True)
class ShortestPath(Unary):
    """``shortestPath`` / ``allShortestPaths`` / ``SHORTEST k`` between two bound nodes; breadth
    first. ``selector``: ``"one"`` (any one shortest), ``"all"``, ``"any"``, or with ``count`` the
    k shortest (``"k"``) or the k shortest length groups (``"groups"``). Slots as VarExpand."""

    source: int
    relationship: int
    target: int
    direction: Direction
    types: tuple[str, ...] | None
    minimum: int
    maximum: int | None
    selector: str
    count: Expression | None = None
    predicate: Expression | None = None
    step_relationship: int | None = None
    step_node: int | None = None
    unique_with: tuple[int, ...] = ()
    view: int | None = None


@dataclass(slots=True)
class GroupVariable:
    """A variable of a quantified path pattern: inside one value, outside the list of them."""

    inner: int
    outer: int


@dataclass(slots=True)
class QuantifiedExpand(Unary):
    """Quantified path pattern ``((a)-[r]->(b) WHERE …){min,max}`` from ``source`` to ``target``.

    ``inner`` is the plan of one repetition: it starts at Argument with ``inner_start`` bound and
    binds ``inner_end``. Repetitions are relationship-unique over ``inner_relationships``.
    """

    inner: Operator
    source: int
    target: int
    inner_start: int
    inner_end: int
    minimum: int
    maximum: int | None
    groups: tuple[GroupVariable, ...]
    inner_relationships: tuple[int, ...]
    into: bool = False
    reverse: bool = False
    unique_with: tuple[int, ...] = ()
    view: int | None = None
    #: slot that receives the walked relationships as one list (for path values), if any
    walk: int | None = None
    #: ``view`` holds a RangeView, which ``inner`` narrows
    each_version: bool = False
