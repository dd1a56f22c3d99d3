"""Reading versioned keys as of a version: main keys and published runs as one.

A *stem* is a versioned key without its version (``codec.keys``). As of version t, a stem has the
value of its newest entry at or below t; the empty value is a tombstone, which callers see, because
what it means differs (a removed property hides the head's value, a removed label does not).

Runs are read before main keys, always: folding writes the main key first and removes the run's
keys later, so looking in this order never misses an entry that moves in between; an entry seen in
both places is the same entry. A run that is folded is not looked into any more: each seek there
would walk over everything that was removed, until the store has cleaned up.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from heapq import merge
from typing import Final, NamedTuple

from everwhen.codec.keys import VERSION, VERSION_MAX, after, run_prefix
from everwhen.mvcc.store import Cursor, Store

Entry = tuple[bytes, int, bytes]
"""Stem, version, value."""

_END: Final = b"\xff" * 8
#: behind a stem's last version
_PAST: Final = _END + b"\x00"
#: entries that a scan looks for at once: so many at first, then twice as many, up to
_FEW: Final = 4
_MANY: Final = 256
#: entries of one stem that a scan steps over before it jumps over the rest: a jump takes as long
#: as three steps or four
_STEPS: Final = 2


class Run(NamedTuple):
    """A published run: its stems are entries of ``version``."""

    id: int
    version: int


class Versioned:
    """A store with the runs published in it."""

    __slots__ = ("_runs", "store", "unfolded")

    def __init__(
        self,
        store: Store,
        runs: tuple[Run, ...] = (),
        unfolded: Callable[[], Collection[Run]] | None = None,
    ) -> None:
        self.store = store
        self._runs = runs
        #: asks which runs are not folded by now; None: none is being folded
        self.unfolded = unfolded

    @property
    def runs(self) -> tuple[Run, ...]:
        """Those that are not folded yet."""
        if self._runs and self.unfolded is not None:
            unfolded = self.unfolded()
            if unfolded is not self._runs:
                self._runs = tuple(run for run in self._runs if run in unfolded)
        return self._runs

    def at(self, stem: bytes, version: int) -> tuple[int, bytes] | None:
        """Version and value of the newest entry of ``stem`` at or below ``version``."""
        staged = self._staged(stem, version) if self._runs else None
        pair = self.store.first(stem + VERSION.pack(VERSION_MAX - version), stem + _END)
        if pair is None:
            # version 0 would sort at the very end of the range, but is never written
            return staged
        found = VERSION_MAX - int.from_bytes(pair[0][-8:], "big")
        if staged is not None and staged[0] > found:
            return staged
        return found, pair[1]

    def visible(self, version: int) -> list[Run]:
        """The runs to be read, before main keys, as of a version."""
        return [run for run in self.runs if run.version <= version]

    def newest(self, stem: bytes) -> tuple[int, bytes] | None:
        """Version and value of the newest entry of ``stem``."""
        return self.at(stem, VERSION_MAX)

    def _staged(self, stem: bytes, version: int) -> tuple[int, bytes] | None:
        best: tuple[int, bytes] | None = None
        for run in self.runs:
            if run.version <= version and (best is None or run.version > best[0]):
                value = self.store.get(run_prefix(run.id, stem))
                if value is not None:
                    best = (run.version, value)
        return best

    def entries(self, prefix: bytes, since: int, version: int) -> list[Entry]:
        """Of every stem that begins with ``prefix``: its entries after ``since`` up to ``version``,
        and the newest one at or before ``since``."""
        start, end = prefix, after(prefix)
        found: list[Entry] = []
        runs = self.visible(version)
        for run in runs:
            found += run_entries(self.store, run, start, end)
        found += through(self.store, start, end, since, version)
        if not runs:
            return found
        kept: list[Entry] = []
        last: Entry | None = None
        for entry in sorted(found, key=newest_first):
            stem, when, _ = entry
            fresh = last is None or last[0] != stem
            # the same entry seen in a run and under its main key is one
            if fresh or (last is not None and last[1] > max(when, since)):
                kept.append(entry)
                last = entry
        return kept

    def scan(self, start: bytes, end: bytes, version: int) -> Iterator[Entry]:
        """Of every stem in [start, end): its newest entry at or below ``version``, by stem."""
        visible = self.visible(version)
        if not visible:
            return _newest_each(self.store, start, end, version)
        # run cursors are opened before the main one: see the module
        sources = [run_entries(self.store, run, start, end) for run in visible]
        heads = [_primed(source) for source in sources]
        main = _newest_each(self.store, start, end, version)
        return merged([*heads, main])

    def all(self, start: bytes, end: bytes, version: int) -> list[Entry]:
        """The same at once, for ranges that hold little."""
        if self.runs:
            return list(self.scan(start, end, version))
        cursor = self.store.cursor()
        try:
            cursor.seek(start)
            floor = VERSION.pack(VERSION_MAX - version)
            return _newest(cursor, end, floor, b"", sys.maxsize, steps=1)
        finally:
            cursor.close()

    def prefix(self, prefix: bytes, version: int) -> Iterator[Entry]:
        """:meth:`scan` over every stem that begins with ``prefix``."""
        return self.scan(prefix, after(prefix), version)


def _newest_each(store: Store, start: bytes, end: bytes, version: int) -> Iterator[Entry]:
    """Of every stem its newest entry at or below a version, a few at first, then more at a time."""
    floor = VERSION.pack(VERSION_MAX - version)
    room, last = _FEW, b""
    cursor = store.cursor()
    try:
        cursor.seek(start)
        while True:
            found = _newest(cursor, end, floor, last, room)
            yield from found
            if len(found) < room:
                return
            last = found[-1][0]
            room = min(2 * room, _MANY)
    finally:
        cursor.close()


def _newest(
    cursor: Cursor, end: bytes, floor: bytes, last: bytes, room: int, steps: int = _STEPS
) -> list[Entry]:
    """Of every stem behind ``last`` its newest entry at or below a version, from the cursor's place
    on, at most ``room`` of them. What is newer or older than that is jumped over, however much,
    after so many ``steps``."""
    seek, step, valid, key_of, value_of = (
        cursor.seek, cursor.next, cursor.valid, cursor.key, cursor.value
    )  # fmt: skip
    found: list[Entry] = []
    current, given, passed = last, True, 0
    while valid():
        key = key_of()
        if key >= end:
            break
        stem, inverted = key[:-8], key[-8:]
        if stem != current:
            current, given, passed = stem, False, 0
        if given or inverted < floor:  # older than what was given, or still too new
            if passed == steps:
                seek(stem + (_PAST if given else floor))
            else:
                passed += 1
                step()
            continue
        given, passed = True, 0
        found.append((stem, VERSION_MAX - int.from_bytes(inverted, "big"), value_of()))
        step()
        if len(found) == room:
            break
    return found


def through(store: Store, start: bytes, end: bytes, since: int, version: int) -> Iterator[Entry]:
    """Of every stem its entries after one version up to another, and the newest before those."""
    floor, ceiling = VERSION.pack(VERSION_MAX - version), VERSION.pack(VERSION_MAX - since)
    cursor = store.cursor()
    current = b""
    done = passed = False
    try:
        cursor.seek(start)
        while cursor.valid():
            key = cursor.key()
            if key >= end:
                return
            stem, inverted = key[:-8], key[-8:]
            if stem != current:
                current, done, passed = stem, False, False
            if done or inverted < floor:
                if passed:
                    cursor.seek(stem + (_PAST if done else floor))
                else:
                    passed = True
                    cursor.next()
                continue
            done, passed = inverted >= ceiling, False
            yield stem, VERSION_MAX - int.from_bytes(inverted, "big"), cursor.value()
            cursor.next()
    finally:
        cursor.close()


def run_entries(store: Store, run: Run, start: bytes, end: bytes) -> Iterator[Entry]:
    """The entries of a run in a range of stems."""
    database = start[:2]
    skip = len(run_prefix(run.id))
    low, high = run_prefix(run.id, start), run_prefix(run.id, end)
    version = run.version
    for key, value in store.scan(low, high):
        yield database + key[skip:], version, value


def _primed(source: Iterator[Entry]) -> Iterator[Entry]:
    """The same entries, but the cursor underneath is opened now."""
    first = next(source, None)

    def rest() -> Iterator[Entry]:
        if first is not None:
            yield first
            yield from source

    return rest()


def newest_first(entry: Entry) -> tuple[bytes, int]:
    """The order of versioned keys."""
    return entry[0], -entry[1]


def merged(sources: list[Iterator[Entry]]) -> Iterator[Entry]:
    """Sources of one order as one: of each stem only its newest entry."""
    last = b""
    for entry in merge(*sources, key=newest_first):
        if entry[0] != last:
            last = entry[0]
            yield entry
