"""Conflicts that the record itself cannot tell: merged patterns, and reads of SERIALIZABLE.

*Merge keys* noted by commits are kept for ``CONFLICT_WINDOW_VERSIONS`` versions, and read back
from the headers of the journal when the record is opened.

*Write keys* (``txn.footprint``) are derived from the journal, and only once a SERIALIZABLE
transaction wants to commit: from its read version on, and from then on with every such commit up
to the newest version. A key's last version is a function of the journal alone, so every node finds
the same conflicts whenever it did the work. Nodes nobody asks pay nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from everwhen import limits
from everwhen.apply.conflicts import merged_since, read_stale, too_old
from everwhen.codec import journal, ordered
from everwhen.codec.keys import journal_key
from everwhen.codec.values import decode_value
from everwhen.errors import CorruptData
from everwhen.model.graph import EntityKind
from everwhen.mvcc.store import Store
from everwhen.mvcc.tokens import Tokens
from everwhen.txn import footprint as f

#: write keys kept; above it the table starts anew from the present
_KEYS_MAX: Final = 1_000_000


class Window:
    """The last commit per merge key and, on demand, per write key."""

    __slots__ = ("_coarse", "_floor", "_merges", "_noted", "_store", "_tokens", "_upto", "_written")

    def __init__(self, store: Store, tokens: Tokens, version: int) -> None:
        self._store = store
        self._tokens = tokens
        self._merges: dict[bytes, int] = {}
        self._noted: deque[tuple[int, list[bytes]]] = deque()
        self._written: dict[bytes, int] = {}
        #: the newest large transaction: it conflicts with every read before it
        self._coarse = 0
        #: ``_written`` holds the versions in (floor, upto]
        self._floor = version
        self._upto = version
        self._load(version)

    def _load(self, version: int) -> None:
        first = max(1, version - limits.CONFLICT_WINDOW_VERSIONS + 1)
        for _, value in self._store.scan(journal_key(first), journal_key(version + 1)):
            header = journal.decode_record(value).header
            if header.merges:
                self.note(header.version, header.merges)

    # --- merge keys ---

    def note(self, version: int, merges: Sequence[bytes]) -> None:
        """A commit noted these keys."""
        if merges:
            self._noted.append((version, list(merges)))
            for key in merges:
                self._merges[key] = version
        oldest = version - limits.CONFLICT_WINDOW_VERSIONS
        while self._noted and self._noted[0][0] <= oldest:
            seen, keys = self._noted.popleft()
            for key in keys:
                if self._merges.get(key) == seen:
                    del self._merges[key]

    def check_merges(self, version: int, read_version: int, merges: Iterable[bytes]) -> None:
        """:raises TransactionConflict: one was noted after ``read_version``.
        :raises TransactionTooOld: that cannot be known any more."""
        self._check_age(version, read_version)
        for key in merges:
            if self._merges.get(key, 0) > read_version:
                raise merged_since()

    @staticmethod
    def _check_age(version: int, read_version: int) -> None:
        floor = version - limits.CONFLICT_WINDOW_VERSIONS
        if read_version < floor:
            raise too_old(read_version, floor)

    # --- read keys ---

    def check_reads(
        self, version: int, read_version: int, reads: Iterable[bytes], floor: int = 0
    ) -> None:
        """``floor``: what was written up to this version may be missing in the journal.

        :raises TransactionConflict: one was written after ``read_version``.
        :raises TransactionTooOld: that cannot be known any more."""
        self._check_age(version, read_version)
        if read_version < floor:
            raise too_old(read_version, floor)
        if read_version < self._floor or len(self._written) > _KEYS_MAX:
            self._written = {}
            self._coarse = 0
            self._floor = self._upto = read_version
        while self._upto < version:
            self._take(self._upto + 1)
            self._upto += 1
        if self._coarse > read_version:
            raise read_stale()
        written = self._written
        for key in reads:
            if written.get(key, 0) > read_version:
                raise read_stale()

    def _take(self, version: int) -> None:
        value = self._store.get(journal_key(version))
        if value is None:
            raise CorruptData(f"the journal has no record of commit {version}")
        record = journal.decode_record(value)
        if record.header.transaction:
            self._coarse = version
            return
        written = self._written
        for change in journal.changes_of(record):
            for key in write_keys(change, self._tokens):
                written[key] = version


def write_keys(change: journal.AnyChange, tokens: Tokens) -> Iterator[bytes]:
    """Every read key that a change meets."""
    if isinstance(change, journal.LabelsChanged):
        yield from _label_change(change, tokens)
    elif isinstance(change, journal.NodeCreated | journal.NodeDeleted | journal.NodeChanged):
        labels = [tokens.labels.name(token) for token in change.labels]
        yield f.node_key(change.id)
        if not isinstance(change, journal.NodeChanged):
            yield f.label_key()
            yield from map(f.label_key, labels)
        yield from map(f.labelled_key, labels or ("",))
        for key, value in _values(change.properties, tokens):
            for label in labels:
                yield f.range_key(EntityKind.NODE, label, key)
                yield f.point_key(EntityKind.NODE, label, key, value)
    else:
        type_ = tokens.types.name(change.type)
        yield f.relationship_key(change.id)
        yield f.typed_key(type_)
        if not isinstance(change, journal.RelationshipChanged):
            for name in (type_, ""):
                yield f.type_key(name)
                yield f.adjacency_key(change.start, f.OUT, name)
                yield f.adjacency_key(change.end, f.IN, name)
        for key, value in _values(change.properties, tokens):
            yield f.range_key(EntityKind.RELATIONSHIP, type_, key)
            yield f.point_key(EntityKind.RELATIONSHIP, type_, key, value)


def _label_change(change: journal.LabelsChanged, tokens: Tokens) -> Iterator[bytes]:
    yield f.node_key(change.id)
    if not change.old or not change.new:
        yield f.labelled_key("")
    for token in sorted({*change.old, *change.new}):
        label = tokens.labels.name(token)
        yield f.labelled_key(label)
        if (token in change.old) != (token in change.new):
            yield f.label_key(label)
            yield f.relabelled_key(label)


def _values(
    properties: journal.Values | journal.Steps, tokens: Tokens
) -> Iterator[tuple[str, bytes]]:
    """Key names with each old and new value, in the encoding of ``codec.ordered``."""
    for token, value in properties.items():
        key = tokens.keys.name(token)
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None:
                yield key, ordered.encode(decode_value(one))
