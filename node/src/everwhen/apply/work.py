"""The record as apply sees it in the middle of a batch, and the ways to write to it.

Between two flushes everything an entry did stands in the layer (keys) and here (counts, the head,
catalog, runs, segments). ``flush`` writes one atomic batch, applied index included, and only then
shows the new state to readers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Final

from everwhen.apply.layered import Layered
from everwhen.codec.compaction import META_COMPACTION, Compaction, encode_compaction
from everwhen.codec.keys import (
    VERSION,
    VERSION_MAX,
    Counter,
    meta_key,
    run_key,
)
from everwhen.codec.records import META_HEAD, RecordHead, encode_head
from everwhen.codec.retention import META_RETENTION, META_VACUUM, Retention, Vacuum
from everwhen.codec.retention import encode as encode_retention
from everwhen.index.maintenance import Rules
from everwhen.model.schema import Catalog
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.horizons import Horizons
from everwhen.mvcc.segments import SegmentDirectory, SegmentRef
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.mvcc.versioned import Run, Versioned

Put = Callable[[bytes, bytes], None]
"""Writes a value under a stem: at a version of the main keys, or into a run."""
Counts = dict[tuple[int, int], int]
"""(counter, token) -> difference."""

_DIGEST_BYTES: Final = 16


class Work:
    """See the module. Fields of the record's head stand here one by one until a flush."""

    __slots__ = (
        "applied_index",
        "applied_term",
        "catalog",
        "catalog_version",
        "chain",
        "closed_time",
        "cluster",
        "compaction",
        "counts",
        "digest",
        "entities",
        "layer",
        "next_definition",
        "next_node",
        "next_relationship",
        "next_segment",
        "next_transaction",
        "oldest_time",
        "oldest_version",
        "record",
        "retention",
        "rules",
        "runs",
        "segments",
        "state",
        "time",
        "tokens",
        "users",
        "vacuum",
        "version",
    )

    def __init__(self, store: Store, state: RecordState) -> None:
        self.state = state
        self.tokens = state.tokens
        self.layer = Layered(store)
        self.counts: Counts = {}
        current = state.current
        head = current.head
        self.version = head.version
        self.time = head.time
        self.closed_time = head.closed_time
        self.oldest_version = head.oldest_version
        self.oldest_time = head.oldest_time
        self.next_node = head.next_node
        self.next_relationship = head.next_relationship
        self.next_segment = head.next_segment
        self.next_transaction = head.next_transaction
        self.next_definition = head.next_definition
        self.catalog_version = head.catalog_version
        self.chain = head.chain
        self.digest = head.digest
        self.applied_index = head.applied_index
        self.applied_term = head.applied_term
        self.catalog: Catalog = current.catalog
        self.runs: tuple[Run, ...] = current.runs
        self.segments: SegmentDirectory = current.segments
        self.cluster = current.cluster
        self.users = current.users
        self.retention = current.retention
        self.vacuum = current.vacuum
        self.compaction = current.compaction
        self.rules = Rules(self.catalog, self.tokens)
        self.record = Versioned(self.layer, self.runs)
        self.entities = self._entities(self.record, self.segments)

    def _entities(self, record: Versioned, segments: SegmentDirectory) -> Entities:
        return Entities(record, self.tokens, segments, self.state.cache, VERSION_MAX)

    # --- the record as it is now ---

    def change_runs(self, runs: tuple[Run, ...]) -> None:
        self.runs = runs
        self.record = Versioned(self.layer, runs)
        self.entities = self._entities(self.record, self.segments)

    def add_segments(self, refs: list[SegmentRef]) -> None:
        self.segments = self.segments.extended(refs)
        self.entities = self._entities(self.record, self.segments)

    def change_catalog(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.catalog_version = catalog.version
        self.rules = Rules(catalog, self.tokens)

    def replace_segments(self, gone: Collection[int], refs: list[SegmentRef]) -> None:
        """Segments in the place of others."""
        kept = [ref for ref in self.segments.refs if ref.id not in gone]
        self.segments = SegmentDirectory(sorted([*kept, *refs], key=_by_version))
        self.entities = self._entities(self.record, self.segments)

    def put_retention(self, retention: Retention) -> None:
        """Rules, horizons and restore points from here on."""
        self.retention = retention
        value = encode_retention(retention)
        self.layer.put(meta_key(META_RETENTION), value)
        self.note(value)
        horizons = Horizons(retention)
        self.oldest_version, self.oldest_time = horizons.lowest, horizons.lowest_time

    def put_vacuum(self, vacuum: Vacuum) -> None:
        """How far vacuum is."""
        self.vacuum = vacuum
        self.layer.put(meta_key(META_VACUUM), encode_retention(vacuum))

    def put_compaction(self, compaction: Compaction) -> None:
        """How far record compaction is."""
        self.compaction = compaction
        self.layer.put(meta_key(META_COMPACTION), encode_compaction(compaction))

    def with_staged(self, run: int, refs: list[SegmentRef]) -> Entities:
        """The record with one transaction's own staging on top, as newer than everything."""
        record = Versioned(self.layer, (*self.runs, Run(run, VERSION_MAX)))
        return self._entities(record, self.segments.extended(refs) if refs else self.segments)

    # --- writing ---

    def putter(self, version: int) -> Put:
        """Writes stems at a version."""
        suffix = VERSION.pack(VERSION_MAX - version)
        put = self.layer.batch.put if self.layer.quiet else self.layer.put

        def write(stem: bytes, value: bytes) -> None:
            put(stem + suffix, value)

        return write

    def run_putter(self, run: int) -> Put:
        """Writes stems into a run."""
        put = self.layer.put

        def write(stem: bytes, value: bytes) -> None:
            put(run_key(run, stem), value)

        return write

    def count(self, counter: Counter, token: int, by: int) -> None:
        key = (int(counter), token)
        self.counts[key] = self.counts.get(key, 0) + by

    def take_counts(self, counts: Counts) -> None:
        for key, by in counts.items():
            self.counts[key] = self.counts.get(key, 0) + by

    def note(self, *parts: bytes) -> None:
        """Put a decision into the running digest."""
        hasher = blake2b(self.digest, digest_size=_DIGEST_BYTES)
        for part in parts:
            hasher.update(part)
        self.digest = hasher.digest()

    # --- the end of a batch ---

    def head(self) -> RecordHead:
        """The head as of now."""
        return RecordHead(
            version=self.version,
            time=self.time,
            closed_time=self.closed_time,
            oldest_version=self.oldest_version,
            oldest_time=self.oldest_time,
            next_node=self.next_node,
            next_relationship=self.next_relationship,
            next_segment=self.next_segment,
            next_transaction=self.next_transaction,
            next_definition=self.next_definition,
            catalog_version=self.catalog_version,
            chain=self.chain,
            digest=self.digest,
            applied_index=self.applied_index,
            applied_term=self.applied_term,
        )

    def flush(self) -> None:
        """Write everything since the last flush as one batch, then publish it."""
        state = self.state
        batch = self.layer.batch
        for (counter, token), by in self.counts.items():
            state.counters.add(Counter(counter), token, by, batch)
        self.counts = {}
        head = self.head()
        batch.put(meta_key(META_HEAD), encode_head(head))
        self.layer.write_out()
        now = state.current
        state.publish(
            head,
            catalog=self.catalog if self.catalog is not now.catalog else None,
            runs=self.runs if self.runs is not now.runs else None,
            segments=self.segments if self.segments is not now.segments else None,
            cluster=self.cluster if self.cluster is not now.cluster else None,
            users=self.users if self.users is not now.users else None,
            retention=self.retention if self.retention is not now.retention else None,
            vacuum=self.vacuum if self.vacuum is not now.vacuum else None,
            compaction=self.compaction if self.compaction is not now.compaction else None,
        )


def _by_version(ref: SegmentRef) -> tuple[int, int]:
    return ref.version, ref.id
