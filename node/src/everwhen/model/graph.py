"""The seam between execution and data: what a statement may ask of the graph, and do to it.

``exec/`` reads through :class:`GraphView` and writes through :class:`GraphWriter`; ``mvcc/``
implements the view at a committed version, ``txn/`` the view that shows a transaction's own
writes and the writer. Neither side sees the other's classes. Names are strings here; tokens are
a matter of the record.

A view answers for exactly one version. Every iterator is lazy, ascending in the order said, and
stays valid while the same transaction writes: it shows the state at the moment it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from everwhen.model.columns import GraphColumns
from everwhen.model.elements import ElementReader, Node, Relationship, Value
from everwhen.model.schema import Catalog
from everwhen.model.text_query import Group

if TYPE_CHECKING:
    from everwhen.model.changes import ChangeRecord


class Direction(Enum):
    """How a pattern's relationship is walked, seen from the node it starts at."""

    OUT = ">"
    IN = "<"
    BOTH = "-"

    @property
    def reverse(self) -> Direction:
        return {Direction.OUT: Direction.IN, Direction.IN: Direction.OUT}.get(self, self)


class EntityKind(Enum):
    """Nodes and relationships have separate id spaces."""

    NODE = "NODE"
    RELATIONSHIP = "RELATIONSHIP"


class Bound:
    """One end of a range: a value, and whether the value itself belongs to it."""

    __slots__ = ("inclusive", "value")

    def __init__(self, value: Value, inclusive: bool) -> None:
        self.value = value
        self.inclusive = inclusive


class Wanted(NamedTuple):
    """What a search for the nearest is to give."""

    #: how many at most
    most: int
    #: compare with every vector, so that none is missed
    exact: bool
    #: called for each entity that is read one by one, and while waiting; may raise
    tick: Callable[[], None]


#: ids, and a score for each
Matching = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


class TextWanted(NamedTuple):
    """What a full-text search is to find."""

    query: Group
    #: the analyzer of the query; None: that of the index
    analyzer: str | None
    #: called now and then, and while waiting; may raise
    tick: Callable[[], None]


class Era(NamedTuple):
    """A version from which on an entity had these names and properties, or none any more."""

    version: int
    #: commit time in µs since 1970 UTC
    time: int
    #: labels ascending, or the one type; None: it was deleted
    names: tuple[str, ...] | None
    properties: dict[str, Value] | None


class Span(NamedTuple):
    """The versions through which an entity's labels and properties stayed the same."""

    #: the first of them
    since: int
    #: the version that ended it; None: it still holds
    until: int | None


class Described(NamedTuple):
    """A node or relationship as it was at a version."""

    #: labels ascending, or the one type
    names: tuple[str, ...]
    #: of a relationship: where it starts and ends
    ends: tuple[int, int] | None
    properties: dict[str, Value]


class Difference(NamedTuple):
    """What two versions do not have in common: None where the entity is not there."""

    kind: EntityKind
    id: int
    old: Described | None
    new: Described | None


class MergedPart(NamedTuple):
    """A node or relationship that MERGE looked for in vain."""

    #: labels, or the one type of a relationship
    names: Sequence[str]
    properties: Mapping[str, Value]
    #: ids of the ends of a relationship; -1 - n is what the n-th part of the pattern creates
    ends: tuple[int, int] | None = None


class Statistics(Protocol):
    """Counts kept with the record; exact at the latest version, estimates for planning."""

    def node_count(self, label: str | None = None) -> int: ...

    def relationship_count(self, type: str | None = None) -> int: ...  # noqa: A002

    def index_size(self, index_name: str) -> int: ...

    def index_distinct(self, index_name: str) -> int: ...

    def label_names(self) -> list[str]:
        """Labels that at least one node carries, ascending."""

    def relationship_type_names(self) -> list[str]:
        """Types that at least one relationship has, ascending."""

    def property_key_names(self) -> list[str]:
        """Every property key ever used, ascending."""


class GraphView(ElementReader, Statistics, Protocol):
    """The graph at one version, own writes included where it belongs to a transaction.

    Methods taking an id raise ``EntityNotFound`` (detail ``DeletedEntityAccess``) when the entity
    is not visible, except the ones that say otherwise.
    """

    @property
    def version(self) -> int:
        """The committed version this view reads at (own writes come on top)."""

    @property
    def catalog(self) -> Catalog:
        """The schema. It does not travel in time: always the latest one."""

    def has_node(self, node_id: int) -> bool: ...

    def has_relationship(self, relationship_id: int) -> bool: ...

    def node(self, node_id: int) -> Node | None: ...

    def relationship(self, relationship_id: int) -> Relationship | None: ...

    def nodes(self) -> Iterator[Node]:
        """All nodes, ascending by id."""

    def nodes_with_label(self, label: str) -> Iterator[Node]:
        """Nodes that carry ``label``, ascending by id."""

    def count_nodes(self, label: str | None, tick: Callable[[], None]) -> int:
        """Exactly how many nodes there are (with a label); ``tick`` is called for each one that
        is looked at, and may raise."""

    def relationships(self, types: Sequence[str] | None = None) -> Iterator[Relationship]:
        """All relationships of the types (all types if None), ascending by id."""

    def expand(
        self, node_id: int, direction: Direction, types: Sequence[str] | None = None
    ) -> Iterator[Relationship]:
        """Relationships of a node. BOTH yields a loop once. Order is deterministic."""

    def expand_into(
        self, start: int, end: int, direction: Direction, types: Sequence[str] | None = None
    ) -> Iterator[Relationship]:
        """Relationships between two given nodes."""

    def degree(
        self, node_id: int, direction: Direction, types: Sequence[str] | None = None
    ) -> int: ...

    def index_seek(self, index_name: str, values: Sequence[Value]) -> Iterator[int]:
        """Ids whose leading indexed properties equal ``values`` (a prefix of the index)."""

    def index_range(
        self,
        index_name: str,
        prefix: Sequence[Value],
        lower: Bound | None,
        upper: Bound | None,
    ) -> Iterator[int]:
        """Ids with equal leading properties and the next one within the bounds, ascending by
        value. Only values comparable with the bounds are yielded (numbers with numbers, …)."""

    def index_prefix(self, index_name: str, prefix: Sequence[Value], text: str) -> Iterator[int]:
        """Ids whose next indexed property is a string that starts with ``text``."""

    def index_scan(self, index_name: str) -> Iterator[int]:
        """All ids in the index, in the total order of the indexed values (openCypher order)."""

    def nearest(
        self, index_name: str, query: Sequence[float], wanted: Wanted
    ) -> list[tuple[int, float]]:
        """Ids and scores of what a vector index holds nearest to ``query``, best first.

        :raises IndexNotFound: no vector index of that name.
        """

    def matching(self, index_name: str, wanted: TextWanted, own: Any = None) -> Matching:
        """Ids and scores of what matches a full-text query, best first. ``own`` is for overlays:
        what is to be seen on top.

        :raises IndexNotFound: no full-text index of that name.
        :raises QueryArgumentError: the query asks for what the index does not have.
        """

    def columns(self, worth: int) -> GraphColumns | None:
        """The committed graph of this view as columns. None: it has own writes, or keeps account
        of what is read, or the image in memory does not hold this version. ``worth``: rows that
        the caller expects to look at, so that a small question does not cause a load."""

    def history(self, kind: EntityKind, identity: int) -> Iterator[Era]:
        """What an entity was, one era after the other up to this version, oldest first; lazy.
        Committed data only. Nothing if it never existed."""

    def differences(self, since: int) -> Iterator[Difference]:
        """What differs from an earlier version: nodes, then relationships, ascending by id; lazy,
        but for the ids of everything that was written in between. Committed data only."""

    def spans(self, kind: EntityKind, identity: int) -> Sequence[Span]:
        """The versions an entity had up to this view's, oldest first; what lies between two of them
        it did not exist. Nothing if the transaction itself has written to it."""

    def time_of(self, version: int) -> int:
        """When a version was committed, in µs since 1970 UTC."""

    def between(self, low: int, high: int) -> RangeView:
        """The committed graph from one version to another, both included; ``high`` before ``low``
        is a range of no moment.

        :raises TimeOutOfRange: one of them is not readable.
        """

    def changes(
        self, since: int | None, tick: Callable[[], None] | None = None
    ) -> Iterator[ChangeRecord]:
        """What the commits after a version (None: after the oldest readable one) changed, up to this
        view's, in order; lazy. ``tick`` is called for each, and may raise."""

    def at_version(self, version: int) -> GraphView:
        """The committed graph at a past version (no own writes).

        :raises TimeOutOfRange: later than the latest version, or before the oldest readable.
        """

    def version_at(self, time_micros: int) -> int:
        """The version of the last commit at or before a time (µs since 1970 UTC).

        Pure look-up in the record: the caller closes the time first (``Consensus.close_time``).

        :raises TimeOutOfRange: before the first commit or the oldest readable time.
        """


class RangeView(GraphView, Protocol):
    """The graph through a range of versions: what it yields was there at one of them, for it may
    yield more (what only looks as if). So each element must be bound to one of its versions, which
    leaves what the range and the version have in common, and be tested then."""

    @property
    def oldest(self) -> int:
        """The first version of the range."""

    def versions_of(self, kind: EntityKind, identity: int) -> Iterator[tuple[RangeView, GraphView]]:
        """Of each version of an entity that the range meets: what they have in common, and the
        graph at the first moment of that."""

    def lifetimes_of(self, kind: EntityKind, identity: int) -> Iterator[RangeView]:
        """The same of each stretch in which an entity existed, whatever it looked like."""

    def first(self) -> GraphView:
        """The graph at the first moment of the range."""


class GraphWriter(Protocol):
    """A transaction's buffer. Ids are final: they come from a leased block.

    Values are validated here (storable types only: QueryTypeError, detail
    ``InvalidPropertyType``), so that nothing unstorable reaches the log.
    """

    def create_node(self, labels: Sequence[str], properties: Mapping[str, Value]) -> Node: ...

    def create_relationship(
        self,
        start: int,
        type: str,  # noqa: A002
        end: int,
        properties: Mapping[str, Value],
    ) -> Relationship: ...

    def set_property(self, entity: Node | Relationship, key: str, value: Value) -> int:
        """Set one property, or remove it if ``value`` is None; the number of properties set
        (1), or for a removal 1 only if it was there."""

    def add_labels(self, node_id: int, labels: Sequence[str]) -> int:
        """The number of labels that were not there before."""

    def remove_labels(self, node_id: int, labels: Sequence[str]) -> int:
        """The number of labels that were there."""

    def delete_node(self, node_id: int) -> bool:
        """False if it is already deleted by this transaction. Relationships left behind are
        an error at the end (``DeleteConnectedNode``), checked by the transaction."""

    def delete_relationship(self, relationship_id: int) -> bool: ...

    def note_merge(self, pattern: Sequence[MergedPart]) -> None:
        """MERGE did not find this pattern and is going to create it: of two transactions that
        do so at the same time, one conflicts. Equal values are one pattern, as ``=`` says."""
