"""All texts of one full-text index through its versions: rows and postings that are only ever added.

A row is what an index knows of one entity from the version that began it to the one that ended it.
A posting is a term of a field with the rows it stands in, and where. Rows that were not there at a
version are passed over, in the hits and in the statistics alike, so both are those of then.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.limits import TEXT_STATISTICS_KEPT
from everwhen.model.fulltext_index import Document

Ids = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
Key = tuple[int, str]
"""Field (position of the property in the index) and term."""

FOREVER: Final = np.iinfo(np.int64).max
_FIRST_CAPACITY: Final = 64
#: bytes a row takes beside its lengths: stamps, and a place in a dictionary with a digest
_ROW_BYTES: Final = 24 + 200
#: bytes a term takes beside what its arrays hold
_TERM_BYTES: Final = 480


class Found(NamedTuple):
    """A copy of one posting: rows ascending; the positions in row ``n`` are those from
    ``starts[n]`` to ``starts[n + 1]``."""

    rows: Ids
    starts: Ids
    positions: Ids

    @property
    def counts(self) -> Ids:
        """How often the term stands in each row."""
        return np.diff(self.starts)


class Statistics(NamedTuple):
    """Per field: how many rows have terms in it, and how many terms all of them have."""

    rows: Ids
    terms: Ids


class _Posting:
    __slots__ = ("positions", "rows", "starts")

    def __init__(self) -> None:
        self.rows = array("i")
        self.starts = array("q", (0,))
        self.positions = array("i")

    def copy(self) -> Found:
        return Found(
            np.array(self.rows, np.int64),
            np.array(self.starts, np.int64),
            np.array(self.positions, np.int64),
        )


class TextTable:
    """See the module. One writer at a time, and readers under the same lock: what they need later
    they copy. ``base`` is the oldest version it answers for."""

    __slots__ = ("_begins", "_count", "_current", "_ends", "_fresh", "_ids", "_interest",
                 "_lengths", "_places", "_postings", "_sorted", "_statistics", "base", "ended",
                 "fields", "upto")  # fmt: skip

    def __init__(
        self, fields: int, base: int, interest: Callable[[int, str], bool] | None = None
    ) -> None:
        """``interest``: keep only these terms (of a field); all count in the statistics."""
        self.fields = fields
        self.base = base
        #: the version it followed the journal to
        self.upto = base
        #: rows that are not there any more
        self.ended = 0
        self._interest = interest
        self._count = 0
        #: entity -> row, and a digest of what the row holds
        self._current: dict[int, tuple[int, bytes]] = {}
        self._ids: Ids = np.empty(_FIRST_CAPACITY, np.int64)
        self._begins: Ids = np.empty(_FIRST_CAPACITY, np.int64)
        self._ends: Ids = np.empty(_FIRST_CAPACITY, np.int64)
        self._lengths: Ints = np.empty((_FIRST_CAPACITY, fields), np.int32)
        self._postings: dict[Key, _Posting] = {}
        #: places of terms in rows, in all postings
        self._places = 0
        #: (field, term) ascending, and those not sorted in yet
        self._sorted: list[Key] = []
        self._fresh: list[Key] = []
        self._statistics: dict[int, Statistics] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        """Memory held, roughly."""
        return (
            len(self._ids) * (_ROW_BYTES + 4 * self.fields)
            + len(self._postings) * _TERM_BYTES
            + self._places * 4
        )

    # --- writing ---

    def note(self, version: int, entity: int, document: Document | None) -> None:
        """What the index knows of an entity from a version on, which is no older than the last."""
        print_ = b"" if document is None else _fingerprint(document)
        current = self._current.get(entity)
        if current is not None:
            row, before = current
            if document is not None and before == print_:
                return
            self._ends[row] = version
            self.ended += 1
            del self._current[entity]
            self._statistics.clear()
        if document is not None:
            self._append(version, entity, document)
            self._current[entity] = (self._count - 1, print_)

    def keep(self, version: int, entities: Collection[int]) -> None:
        """From a version on there are texts of these entities only."""
        for entity in [one for one in self._current if one not in entities]:
            self.note(version, entity, None)

    def _append(self, version: int, entity: int, document: Document) -> None:
        row = self._count
        if row == len(self._ids):
            self._grow(max(row // 2, _FIRST_CAPACITY))
        self._ids[row], self._begins[row], self._ends[row] = entity, version, FOREVER
        self._count = row + 1
        self._statistics.clear()
        for field, tokens in enumerate(document.tokens):
            self._lengths[row, field] = len(tokens)
            places: dict[str, list[int]] = {}
            for term, position in tokens:
                places.setdefault(term, []).append(position)
            for term, positions in places.items():
                if self._interest is None or self._interest(field, term):
                    self._add((field, term), row, positions)

    def _grow(self, more: int) -> None:
        extra = np.empty(more, np.int64)
        self._ids = np.concatenate((self._ids, extra))
        self._begins = np.concatenate((self._begins, extra))
        self._ends = np.concatenate((self._ends, extra))
        lengths = np.empty((more, self.fields), np.int32)
        self._lengths = np.concatenate((self._lengths, lengths))

    def _add(self, key: Key, row: int, positions: list[int]) -> None:
        posting = self._postings.get(key)
        if posting is None:
            posting = self._postings[key] = _Posting()
            self._fresh.append(key)
        posting.rows.append(row)
        posting.positions.extend(positions)
        posting.starts.append(len(posting.positions))
        self._places += len(positions) + 3

    # --- reading ---

    def posting(self, key: Key) -> Found | None:
        """A copy; None if the term stands nowhere."""
        posting = self._postings.get(key)
        return None if posting is None else posting.copy()

    def terms(self, field: int, begin: str) -> Iterator[str]:
        """The terms of a field that begin so, ascending."""
        if self._fresh:
            self._sorted = sorted(self._sorted + self._fresh)
            self._fresh = []
        keys = self._sorted
        at = bisect_left(keys, (field, begin))
        while at < len(keys) and keys[at][0] == field and keys[at][1].startswith(begin):
            yield keys[at][1]
            at += 1

    def statistics(self, version: int) -> Statistics:
        """As of a version."""
        known = self._statistics.get(version)
        if known is None:
            there = np.flatnonzero(self.there(version, slice(0, self._count)))
            lengths = self._lengths[there]
            known = Statistics(
                np.count_nonzero(lengths, axis=0).astype(np.int64),
                lengths.sum(axis=0, dtype=np.int64),
            )
            if len(self._statistics) >= TEXT_STATISTICS_KEPT:
                self._statistics.pop(next(iter(self._statistics)))
            self._statistics[version] = known
        return known

    def there(self, version: int, rows: Ids | slice) -> npt.NDArray[np.bool_]:
        """Which rows were there at a version."""
        return (self._begins[rows] <= version) & (version < self._ends[rows])

    def ids(self, rows: Ids) -> Ids:
        """Entities of rows."""
        return self._ids[rows]

    def lengths(self, rows: Ids, field: int) -> Ids:
        """How many terms rows have in a field."""
        return np.asarray(self._lengths[rows, field], np.int64)

    def rows_of(self, entities: Collection[int], version: int) -> Ids:
        """The rows of entities that were there at a version."""
        wanted = np.fromiter(entities, np.int64, len(entities))
        rows = np.flatnonzero(np.isin(self._ids[: self._count], wanted))
        return rows[self.there(version, rows)]

    def all_rows(self, version: int) -> Ids:
        """Every row that was there at a version."""
        return np.flatnonzero(self.there(version, slice(0, self._count)))


def _fingerprint(document: Document) -> bytes:
    """The same for the same terms at the same places."""
    hasher = blake2b(digest_size=16)
    for tokens in document.tokens:
        hasher.update(len(tokens).to_bytes(4, "big"))
        for term, position in tokens:
            raw = term.encode("utf-8", "surrogatepass")
            hasher.update(len(raw).to_bytes(4, "big") + raw + position.to_bytes(8, "big"))
    return hasher.digest()
