"""What every reader of the record needs in memory, rebuilt from the record when it is opened.

One :class:`RecordState` per store. Apply is its only writer: it writes a batch to the store,
then calls :meth:`RecordState.publish` with what changed. Readers take :attr:`RecordState.current`
once and keep it: it is an immutable value, replaced whole, so a reader on any thread sees one
published state and never half of the next one.

Tokens only grow and counters are estimates for anything but the newest version, so these two are
shared and written in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from everwhen.codec.cluster import META_CLUSTER, Cluster, decode_cluster
from everwhen.codec.compaction import META_COMPACTION, Compaction, decode_compaction
from everwhen.codec.keys import Counter, Kind, after, kind_range, meta_key, stats_key
from everwhen.codec.parse import decode_publish, decode_schema, decode_segref, decode_stats
from everwhen.codec.records import (
    META_HEAD,
    RecordHead,
    decode_count,
    decode_definition,
    decode_head,
    decode_segment_entry,
    encode_count,
)
from everwhen.codec.records import decode_publish as decode_publish_value
from everwhen.codec.retention import (
    META_RETENTION,
    META_VACUUM,
    Retention,
    Vacuum,
    decode_retention,
    decode_vacuum,
)
from everwhen.codec.users import META_USER, User, decode_user
from everwhen.errors import CorruptData
from everwhen.model.columns import GraphColumns
from everwhen.model.graph import Matching, TextWanted, Wanted
from everwhen.model.schema import Catalog, ConstraintDefinition, IndexDefinition
from everwhen.mvcc.erased import Erased
from everwhen.mvcc.horizons import Horizons
from everwhen.mvcc.segments import SegmentCache, SegmentDirectory, SegmentRef
from everwhen.mvcc.store import Batch, Store
from everwhen.mvcc.text_search import Own
from everwhen.mvcc.tokens import Tokens
from everwhen.mvcc.versioned import Run

if TYPE_CHECKING:
    from everwhen.mvcc.graph import GraphSnapshot


@dataclass(frozen=True, slots=True)
class Published:
    """One published state of the record."""

    head: RecordHead = field(default_factory=RecordHead)
    catalog: Catalog = field(default_factory=Catalog)
    #: published runs that are not folded yet, ascending by version
    runs: tuple[Run, ...] = ()
    segments: SegmentDirectory = field(default_factory=SegmentDirectory)
    cluster: Cluster = field(default_factory=Cluster)
    #: by name; replaced whole, never changed in place
    users: Mapping[str, User] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)
    horizons: Horizons = field(default_factory=lambda: Horizons(Retention()))
    vacuum: Vacuum = field(default_factory=Vacuum)
    compaction: Compaction = field(default_factory=Compaction)


class Counters:
    """Exact counts at the newest version, written with every commit."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], int] = {}

    def get(self, counter: Counter, token: int = 0) -> int:
        """One count; 0 if it was never written."""
        return self._counts.get((counter, token), 0)

    def add(self, counter: Counter, token: int, change: int, batch: Batch) -> None:
        """Change one count and write it with ``batch``. Apply only."""
        if change:
            count = self.get(counter, token) + change
            self._counts[counter, token] = count
            batch.put(stats_key(counter, token), encode_count(count))

    def drop(self, counter: Counter, token: int, batch: Batch) -> None:
        """Forget one count (its index was dropped). Apply only."""
        self._counts.pop((counter, token), None)
        batch.delete(stats_key(counter, token))

    def items(self) -> list[tuple[Counter, int, int]]:
        """(counter, token, count), ascending."""
        return [(Counter(c), token, count) for (c, token), count in sorted(self._counts.items())]

    @classmethod
    def load(cls, store: Store) -> Counters:
        """Read all counts."""
        counters = cls()
        for key, value in store.scan(*kind_range(Kind.STATS)):
            counter, token = decode_stats(key)
            counters._counts[counter, token] = decode_count(value)
        return counters


class VectorColumns(Protocol):
    """What vector indexes hold in memory."""

    def nearest(
        self,
        index: ConstraintDefinition,
        version: int,
        query: npt.NDArray[np.float32],
        wanted: Wanted,
    ) -> list[tuple[int, float]] | None:
        """Ids and scores, best first, at a version; None: look at the record."""

    def tend(self) -> bool:
        """A step in the background; whether more may be left."""

    def interrupt(self) -> None:
        """End such a step."""

    def forget(self) -> None:
        """Something was erased: read it anew."""


class GraphColumnsImage(Protocol):
    """The graph kept in memory as columns."""

    def view(self, version: int, worth: int) -> GraphColumns | None:
        """See ``GraphView.columns``."""

    def due(self) -> bool:
        """Whether there may be something to do in the background; at once."""

    def forget(self) -> None:
        """Something was erased: read it anew."""

    def tend(self) -> bool:
        """A step of that; whether more may be left."""

    def interrupt(self) -> None:
        """End such a step."""


class TextColumns(Protocol):
    """What full-text indexes hold in memory."""

    def matching(
        self, index: ConstraintDefinition, version: int, wanted: TextWanted, own: Own | None
    ) -> Matching | None:
        """Ids and scores, best first, at a version; None: look at the record."""

    def tend(self) -> bool:
        """A step in the background; whether more may be left."""

    def interrupt(self) -> None:
        """End such a step."""

    def forget(self) -> None:
        """Something was erased: read it anew."""


class PastSnapshots(Protocol):
    """Snapshots of older versions, kept for the next reader."""

    def take(self, version: int) -> GraphSnapshot:
        """The committed graph at a version, for a reader who may give it back."""


class RecordState:
    """The record's state in memory; see the module."""

    __slots__ = (
        "cache",
        "counters",
        "current",
        "erased",
        "graph",
        "let_go",
        "snapshots",
        "store",
        "texts",
        "tokens",
        "vectors",
    )

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tokens = Tokens()
        self.counters = Counters()
        self.cache = SegmentCache(store)
        self.erased = Erased()
        #: what a database keeps beside the record; nothing for tools that only read it
        self.vectors: VectorColumns | None = None
        self.texts: TextColumns | None = None
        self.graph: GraphColumnsImage | None = None
        self.snapshots: PastSnapshots | None = None
        self.current = Published()
        #: segments that were replaced up to this entry cannot be read any more. Apply only
        self.let_go = 0

    @classmethod
    def load(cls, store: Store) -> RecordState:
        """Rebuild the state from what is on disk (nothing there: the empty graph).

        :raises CorruptData: something the record says of itself makes no sense.
        :raises FormatUnsupported: written by a newer build.
        """
        state = cls(store)
        raw = store.get(meta_key(META_HEAD))
        head = RecordHead() if raw is None else decode_head(raw)
        state.tokens = Tokens.load(store)
        state.counters = Counters.load(store)
        state.erased = Erased.load(store)
        retention = load_retention(store)
        state.current = Published(
            head=head,
            catalog=load_catalog(store, head.catalog_version),
            runs=load_runs(store),
            segments=SegmentDirectory(load_segments(store)),
            cluster=load_cluster(store),
            users=load_users(store),
            retention=retention,
            horizons=Horizons(retention),
            vacuum=load_vacuum(store),
            compaction=load_compaction(store),
        )
        return state

    def unfolded(self) -> tuple[Run, ...]:
        """The published runs that are not folded by now."""
        return self.current.runs

    def forget_erased(self) -> None:
        """What is kept in memory beside the record is read anew. Apply only."""
        for beside in (self.vectors, self.graph, self.texts):
            if beside is not None:
                beside.forget()

    def publish(
        self,
        head: RecordHead,
        *,
        catalog: Catalog | None = None,
        runs: tuple[Run, ...] | None = None,
        segments: SegmentDirectory | None = None,
        cluster: Cluster | None = None,
        users: Mapping[str, User] | None = None,
        retention: Retention | None = None,
        vacuum: Vacuum | None = None,
        compaction: Compaction | None = None,
    ) -> None:
        """Make what was written visible, all at once. Apply only, after the batch is written."""
        now = self.current
        self.current = replace(
            now,
            head=head,
            catalog=now.catalog if catalog is None else catalog,
            runs=now.runs if runs is None else runs,
            segments=now.segments if segments is None else segments,
            cluster=now.cluster if cluster is None else cluster,
            users=now.users if users is None else users,
            retention=now.retention if retention is None else retention,
            horizons=now.horizons if retention is None else Horizons(retention),
            vacuum=now.vacuum if vacuum is None else vacuum,
            compaction=now.compaction if compaction is None else compaction,
        )


def load_cluster(store: Store) -> Cluster:
    """The group this record belongs to; an empty one before its first entry."""
    raw = store.get(meta_key(META_CLUSTER))
    return Cluster() if raw is None else decode_cluster(raw)


def load_retention(store: Store) -> Retention:
    """Rules and horizons; where nothing is said everything is kept."""
    raw = store.get(meta_key(META_RETENTION))
    return Retention() if raw is None else decode_retention(raw)


def load_vacuum(store: Store) -> Vacuum:
    """How far vacuum is."""
    raw = store.get(meta_key(META_VACUUM))
    return Vacuum() if raw is None else decode_vacuum(raw)


def load_compaction(store: Store) -> Compaction:
    """How far record compaction is."""
    raw = store.get(meta_key(META_COMPACTION))
    return Compaction() if raw is None else decode_compaction(raw)


def load_users(store: Store) -> dict[str, User]:
    """Everybody who may log on, by name."""
    prefix = meta_key(META_USER)
    found = (decode_user(value) for _, value in store.scan(prefix, after(prefix)))
    return {user.name: user for user in found}


def load_catalog(store: Store, version: int) -> Catalog:
    """All definitions, in the order of their ids, which is the order of their creation."""
    catalog = Catalog(version=version)
    for key, value in store.scan(*kind_range(Kind.SCHEMA)):
        number = decode_schema(key).id
        definition = decode_definition(value)
        if definition.id != number:
            raise CorruptData(f"schema definition {number} says that it is {definition.id}")
        if isinstance(definition, IndexDefinition):
            catalog.indexes[definition.name] = definition
        elif isinstance(definition, ConstraintDefinition):
            catalog.constraints[definition.name] = definition
    return catalog


def load_runs(store: Store) -> tuple[Run, ...]:
    """Published runs, ascending by version."""
    runs = [
        Run(decode_publish(key).run, decode_publish_value(value).version)
        for key, value in store.scan(*kind_range(Kind.PUBLISH))
    ]
    return tuple(sorted(runs, key=lambda run: run.version))


def load_segments(store: Store) -> list[SegmentRef]:
    """The segment directory, by version and id."""
    found: list[SegmentRef] = []
    for key, value in store.scan(*kind_range(Kind.SEGREF)):
        version, segment = decode_segref(key)
        found.append(SegmentRef(segment, version, decode_segment_entry(value)))
    return found
