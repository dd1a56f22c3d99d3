"""The entries of the record against those that its commits must have written.

Rows of segments that have versions of their own count as the heads that they stand for.

The journal runs by version, the entries by entity, and neither fits in memory. So both are added
up: one sum of keyed hashes for each of a few thousand classes of versions, over what was expected
and over what is there. Equal sums mean equal entries (a difference slips through once in 2**128);
where they differ, the entries of just these classes are compared one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from everwhen.codec import parse
from everwhen.codec.compaction import CLEARING, Compaction
from everwhen.codec.dump import Names, describe_key
from everwhen.codec.keys import (
    VERSION,
    VERSION_MAX,
    Kind,
    at_version,
    kind_prefix,
    meta_key,
    publish_key,
    run_prefix,
    version_of,
)
from everwhen.codec.records import META_HEAD, decode_head, decode_publish
from everwhen.errors import Fault
from everwhen.limits import AUDIT_COMPARED_MAX, AUDIT_RETRIES_MAX, AUDIT_TICK_EVERY
from everwhen.mvcc.erased import UnderWay
from everwhen.mvcc.replay import Entries
from everwhen.mvcc.row_entries import head_of, rows_of
from everwhen.mvcc.segments import SegmentDirectory
from everwhen.mvcc.state import RecordState, load_compaction
from everwhen.mvcc.store import Store

_CLASSES: Final = 4_096
_BYTES: Final = 16
#: classes compared one by one; with more of them wrong, that there are more is said
_CLASSES_COMPARED: Final = 64
_LOW: Final = kind_prefix(Kind.NODE)
_HIGH: Final = kind_prefix(Kind.INDEX)

Pairs = Iterator[tuple[bytes, bytes]]
Different = Iterator[tuple[int, str]]
"""Version, and what is wrong with an entry of it."""


def newest_version(store: Store) -> int:
    """The newest commit, as the record says at this moment."""
    raw = store.get(meta_key(META_HEAD))
    return 0 if raw is None else decode_head(raw).version


class Comparison:
    """See the module."""

    def __init__(
        self, state: RecordState, going: UnderWay, secret: bytes, tick: Callable[[], None]
    ) -> None:
        self._state = state
        self._hasher = blake2b(digest_size=_BYTES, key=secret)
        self._tick = tick
        self._sums = [0] * _CLASSES
        self._first, self._last = 1, 0
        self._newest: tuple[int, bytes] = (0, b"")
        #: what is being erased is not judged
        self._going = going
        #: entries that were looked at
        self.entries = 0

    def start(self, first: int, last: int) -> None:
        """Look at the entries of these versions."""
        self._first, self._last = first, last

    def expect(self, version: int, entries: Entries) -> None:
        """A commit must have written these."""
        copy = self._hasher.copy
        suffix = VERSION.pack(VERSION_MAX - version)
        total = 0
        for stem, value in self._judged(entries.items()):
            one = copy()
            one.update(stem + suffix + value)
            total += int.from_bytes(one.digest(), "little")
        self._sums[version % _CLASSES] += total

    def scan(self, erased: npt.NDArray[np.bool_]) -> None:
        """Add up what is there; of commits without content nothing is expected."""
        sums, copy = self._sums, self._hasher.copy
        first, last = self._first, self._last
        gone = erased if bool(erased.any()) else None
        for at, (key, value) in enumerate(self._there()):
            if at % AUDIT_TICK_EVERY == 0:
                self._tick()
            version = VERSION_MAX - int.from_bytes(key[-8:], "big")
            if not first <= version <= last:
                if version > self._newest[0]:
                    self._newest = (version, key)
                continue
            if gone is not None and gone[version - first]:
                continue
            one = copy()
            one.update(key + value)
            sums[version % _CLASSES] -= int.from_bytes(one.digest(), "little")
            self.entries += 1

    def differences(
        self, expected: Callable[[int], Iterator[Entries]], erased: npt.NDArray[np.bool_]
    ) -> Different:
        """What differs; ``expected`` gives a commit's entries again."""
        newest, key = self._newest
        if newest > newest_version(self._state.store):
            yield newest, f"{self._text(key)}: it is there, but no such commit"
        wrong = [each for each, total in enumerate(self._sums) if total]
        if not wrong:
            return
        compared = set(wrong[:_CLASSES_COMPARED])
        missing = self._expected(compared, expected)
        if missing is None:
            yield self._first, f"more than {AUDIT_COMPARED_MAX} entries to compare one by one"
            return
        first, last = self._first, self._last
        for key, value in self._there():
            version = version_of(key)
            if version % _CLASSES not in compared or not first <= version <= last:
                continue
            if erased[version - first]:
                continue
            wanted = missing.pop(key, None)
            if wanted is None:
                yield version, f"{self._text(key)}: it is there, but the commit did not write it"
            elif wanted != value:
                yield version, f"{self._text(key)}: its value is not the one of the commit"
        for key in missing:
            yield version_of(key), f"{self._text(key)}: the commit wrote it, and it is missing"
        if len(wrong) > len(compared):
            left = len(wrong) - len(compared)
            yield first, f"entries of about {left} or more other commits differ too"

    def _expected(
        self, compared: set[int], expected: Callable[[int], Iterator[Entries]]
    ) -> dict[bytes, bytes] | None:
        found: dict[bytes, bytes] = {}
        for version in range(self._first, self._last + 1):
            if version % _CLASSES not in compared:
                continue
            self._tick()
            suffix = VERSION.pack(VERSION_MAX - version)
            for entries in expected(version):
                if len(found) + len(entries) > AUDIT_COMPARED_MAX:
                    return None
                judged = self._judged(entries.items())
                found.update((stem + suffix, value) for stem, value in judged)
        return found

    def _judged(self, entries: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
        """Without those of things that are being erased."""
        if not self._going:
            return entries
        return (pair for pair in entries if not self._going.names(pair[0]))

    # --- what is there ---

    def _there(self) -> Iterable[tuple[bytes, bytes]]:
        return self._judged(self._all())

    def _all(self) -> Pairs:
        """Every entry under its main key, but of what is being erased; those of runs as if they were
        folded.

        Folding moves entries from runs to the main keys meanwhile, and compaction from there into
        rows: all iterators are opened while no step of it came between, and each sees what was there when it was opened.
        """
        store = self._state.store
        for _ in range(AUDIT_RETRIES_MAX):
            # what the store says, for a batch is written before it is published
            moved = load_compaction(store)
            runs = self._state.current.runs
            folded = [self._folded(run.id) for run in runs]
            staged = [
                (run, store.scan(run_prefix(run.id, _LOW), run_prefix(run.id, _HIGH)))
                for run in runs
            ]
            main = store.scan(_LOW, _HIGH)
            same = runs == self._state.current.runs and moved == load_compaction(store)
            if same and folded == [self._folded(run.id) for run in runs]:
                break
        else:
            raise Fault("folding did not pause long enough to look at the record")
        segments = self._state.current.segments
        yield from main
        for (run, pairs), done in zip(staged, folded, strict=True):
            skip = len(run_prefix(run.id))
            suffix = VERSION.pack(VERSION_MAX - run.version)
            for key, value in pairs:
                if key[skip:] > done:
                    yield _LOW[:2] + key[skip:] + suffix, value
        yield from self._of_rows(moved, segments)

    def _of_rows(self, moved: Compaction, segments: SegmentDirectory) -> Pairs:
        """The heads that rows with versions of their own stand for, unless a key says the same."""
        state = self._state
        for ref in segments.refs:
            if not ref.only_heads:
                continue
            moving = moved.phase == CLEARING and moved.segment == ref.id
            for identity, row in rows_of(ref, state.cache.get(ref)):
                if moving and row.row >= moved.place:
                    break  # the keys of these were there when the iterators were opened
                stem, value = head_of(state.tokens, identity, row)
                key = at_version(stem, row.version)
                if moving or state.store.get(key) != value:
                    yield key, value

    def _folded(self, run: int) -> bytes:
        value = self._state.store.get(publish_key(run))
        return b"" if value is None else decode_publish(value).folded

    def _text(self, key: bytes) -> str:
        tokens = self._state.tokens
        names = Names(
            dict(enumerate(tokens.labels.names)),
            dict(enumerate(tokens.types.names)),
            dict(enumerate(tokens.keys.names)),
        )
        return describe_key(parse.decode(key), names)
