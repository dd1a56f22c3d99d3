"""The physical plan: a tree of operators that ``exec/`` runs row by row.

Every operator but the leaf :class:`Argument` has a ``child`` it pulls rows from; reading
operators run once per row of the child (a nested loop), so that a chain of them is a pattern.
``inner`` plans run once per row with that row as their argument row (see ``bound``). Slots are
row positions. ``view`` is a slot holding the past GraphView put there by :class:`BindView`; None
means the transaction's own view.

``unique_with``: relationship uniqueness within one MATCH: slots of single relationships or of
relationship lists that the new relationship(s) must differ from.

``estimate`` is the planner's guess of rows produced; PROFILE sets it against the real number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from everwhen.model.graph import Direction
from everwhen.query.bound import Aggregation, Expression


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


# --- scans ---------------------------------------------------------------------------------


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


# --- relational ----------------------------------------------------------------------------


@dataclass(slots=True)
class Optional(Unary):
    """Per row of child: the rows of ``inner``, or once the row with ``slots`` null."""

    inner: Operator
    slots: tuple[int, ...]


@dataclass(slots=True)
class Filter(Unary):
    """Keeps rows whose predicate is true (not null)."""

    predicate: Expression


@dataclass(slots=True)
class Project(Unary):
    """Writes expressions into slots of a *copy* of the row; all are evaluated before any is
    written."""

    items: tuple[tuple[int, Expression], ...]


@dataclass(slots=True)
class Aggregate(Unary):
    """Groups by ``groups`` (slot, expression); no groups: exactly one row, also on no input.
    New rows are copies of the argument row with the group and aggregation slots set."""

    groups: tuple[tuple[int, Expression], ...]
    aggregations: tuple[tuple[int, Aggregation], ...]


@dataclass(slots=True)
class Distinct(Unary):
    """First row of each combination of the slots."""

    slots: tuple[int, ...]


@dataclass(slots=True)
class SortKey:
    expression: Expression
    descending: bool


@dataclass(slots=True)
class Sort(Unary):
    """Stable sort by openCypher's total order; ``limit`` (Top): only so many are needed."""

    keys: tuple[SortKey, ...]
    limit: Expression | None = None


@dataclass(slots=True)
class Skip(Unary):
    count: Expression


@dataclass(slots=True)
class Limit(Unary):
    """Stops pulling after ``count`` rows. ``exhaust``: writes stand below, so the rest is still
    pulled (and thrown away) for its effects."""

    count: Expression
    exhaust: bool = False


@dataclass(slots=True)
class Unwind(Unary):
    """One row per element; null: none; a value that is no list: itself once."""

    slot: int
    expression: Expression


@dataclass(slots=True)
class HashJoin(Unary):
    """Rows of ``child`` joined with rows of ``inner`` (run once per argument row, not per child
    row) where ``left`` equals ``right``; ``slots`` of the inner row are copied over."""

    inner: Operator
    left: Expression
    right: Expression
    slots: tuple[int, ...]


@dataclass(slots=True)
class Union(Operator):
    """Rows of each part in turn, its ``sources`` slots copied to ``targets``; DISTINCT stands
    above it where it is asked for."""

    parts: tuple[Operator, ...]
    sources: tuple[tuple[int, ...], ...]
    targets: tuple[int, ...]


@dataclass(slots=True)
class Apply(Unary):
    """``CALL { }``: per row of child the rows of ``inner`` with ``slots`` taken over; ``unit``:
    the subquery returns nothing, so the row itself once, after running it. ``optional``:
    OPTIONAL CALL."""

    inner: Operator
    slots: tuple[int, ...]
    unit: bool
    optional: bool = False


@dataclass(slots=True)
class ApplyInTransactions(Unary):
    """``CALL { } IN TRANSACTIONS``: commits after every ``batch`` rows of the child.

    ``on_error``: ``fail``, ``continue``, ``break``; ``status``: slot for REPORT STATUS.
    """

    inner: Operator
    slots: tuple[int, ...]
    unit: bool
    batch: Expression
    on_error: str = "fail"
    status: int | None = None


@dataclass(slots=True)
class ProcedureCall(Unary):
    """``CALL name(arguments) YIELD``: ``yields`` are (column of the procedure, slot).
    ``arguments`` None: implicit arguments taken from the parameters (standalone call)."""

    procedure: str
    arguments: tuple[Expression, ...] | None
    yields: tuple[tuple[str, int], ...]
    optional: bool = False
    view: int | None = None
    at: int = -1


@dataclass(slots=True)
class LoadCsv(Unary):
    """Rows of a CSV file of the import folder: lists, or maps with headers."""

    url: Expression
    slot: int
    headers: bool
    delimiter: str = ","


@dataclass(slots=True)
class ShowTable(Operator):
    """``SHOW …``: ``what`` is INDEXES, CONSTRAINTS, PROCEDURES …; ``yields`` are (column, slot)."""

    what: str
    yields: tuple[tuple[str, int], ...]
    arguments: tuple[Expression, ...] = ()
    detail: str = ""


@dataclass(slots=True)
class Eager(Unary):
    """Reads all of child before it yields: separates writes from reads they must not see."""


# --- writes --------------------------------------------------------------------------------


@dataclass(slots=True)
class LabelSource:
    """Labels to write: names known now, and expressions for dynamic ones."""

    names: tuple[str, ...] = ()
    dynamic: tuple[Expression, ...] = ()


@dataclass(slots=True)
class NodeSpec:
    """A node to create. ``properties``: a map expression, or None."""

    slot: int
    labels: LabelSource
    properties: Expression | None


@dataclass(slots=True)
class RelationshipSpec:
    """A relationship to create, from slot to slot (already turned by its direction).
    ``type`` is a name, or an expression for a dynamic one."""

    slot: int
    type: str | Expression
    start: int
    end: int
    properties: Expression | None
    at: int = -1


@dataclass(slots=True)
class Create(Unary):
    """Creates nodes and relationships in order (a NodeSpec before what needs it)."""

    specs: tuple[NodeSpec | RelationshipSpec, ...]


@dataclass(slots=True)
class SetProperty:
    """``entity.key = value``; ``entity`` is an expression giving a node or relationship."""

    entity: Expression
    key: str | Expression
    value: Expression


@dataclass(slots=True)
class SetProperties:
    """``entity = map`` (``replace``) or ``entity += map``; value may be an entity."""

    entity: Expression
    value: Expression
    replace: bool


@dataclass(slots=True)
class SetLabels:
    entity: Expression
    labels: LabelSource


@dataclass(slots=True)
class RemoveProperty:
    entity: Expression
    key: str | Expression


@dataclass(slots=True)
class RemoveLabels:
    entity: Expression
    labels: LabelSource


Change = SetProperty | SetProperties | SetLabels | RemoveProperty | RemoveLabels


@dataclass(slots=True)
class Update(Unary):
    """SET and REMOVE: the changes in order, per row."""

    changes: tuple[Change, ...]


@dataclass(slots=True)
class Merge(Unary):
    """MERGE: rows of ``inner`` (the match); if there is none, ``specs`` are created.

    Null properties in the pattern are an error. ``key_labels`` describe the pattern conflict
    key: exec builds it from the specs' labels, types, end ids and property values.
    """

    inner: Operator
    specs: tuple[NodeSpec | RelationshipSpec, ...]
    on_create: tuple[Change, ...]
    on_match: tuple[Change, ...]
    slots: tuple[int, ...]


@dataclass(slots=True)
class Delete(Unary):
    """DELETE of nodes, relationships, paths (null is ignored); ``detach`` removes a node's
    relationships too."""

    expressions: tuple[Expression, ...]
    detach: bool


@dataclass(slots=True)
class Foreach(Unary):
    """Runs ``inner`` (updates over Argument) for each element; yields the row once."""

    slot: int
    source: Expression
    inner: Operator


# --- top -----------------------------------------------------------------------------------


@dataclass(slots=True)
class ProduceResults(Unary):
    """The statement's columns; none for a statement that returns nothing (it is run for its
    effects)."""

    columns: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Plan:
    """What planning gives: pure value, cacheable by text and catalog version.

    ``kind``: ``r``, ``w``, ``rw``, ``s`` (schema). ``mode``: ``run``, ``explain``, ``profile``.
    """

    root: ProduceResults
    width: int
    columns: tuple[str, ...]
    kind: str
    parameters: frozenset[str]
    catalog_version: int
    mode: str = "run"
    notifications: tuple[Notification, ...] = ()
    slot_names: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Notification:
    """A remark to the client: unknown label, cartesian product, deprecated form …"""

    code: str
    severity: str
    title: str
    description: str
    at: int = -1
