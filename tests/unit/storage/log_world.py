"""A log on a twin disk with a model beside it: shared by the log's tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from everwhen.runtime.twins.disk import TwinDisk
from everwhen.runtime.twins.time_and_chance import SeededRandom
from everwhen.storage.log_segments import Entry, SegmentedLog
from everwhen.storage.meta import Meta, MetaFile

ROOT = Path("/")
FOLDER = ROOT / "log"
META = ROOT / "meta"
CLUSTER = UUID(int=0xE0E0)


@dataclass(frozen=True)
class Model:
    """What a log holds, as a plain list."""

    entries: tuple[Entry, ...] = ()
    base: int = 0
    base_term: int = 0
    term: int = 0
    vote: int = 0
    commit: int = 0

    @property
    def last(self) -> int:
        return self.base + len(self.entries)

    @property
    def last_term(self) -> int:
        return self.entries[-1].term if self.entries else self.base_term

    def term_at(self, index: int) -> int:
        return self.base_term if index == self.base else self.entries[index - self.base - 1].term

    def append(self, batch: list[Entry]) -> Model:
        kept = self.entries[: batch[0].index - self.base - 1]
        return replace(self, entries=kept + tuple(batch))

    def from_base(self, base: int) -> Model:
        """The same without what compaction dropped."""
        return replace(
            self,
            entries=self.entries[base - self.base :],
            base=base,
            base_term=self.term_at(base),
        )


class World:
    """One data directory, one process at a time."""

    def __init__(self, seed: int, segment_bytes: int) -> None:
        self.random = SeededRandom(seed)
        self.disk = TwinDisk(self.random.child("disk"))
        self.segment_bytes = segment_bytes
        self.disk.make_directory(FOLDER)
        MetaFile.create(self.disk, META, Meta(CLUSTER, node_id=1)).close()
        self.disk.sync_directory(ROOT)
        self.open()

    def open(self) -> None:
        self.meta = MetaFile.open(self.disk, META)
        self.log = SegmentedLog.open(
            self.disk,
            FOLDER,
            self.meta,
            self.random.child("log"),
            segment_bytes=self.segment_bytes,
        )

    def content(self) -> Model:
        """What the log now says it holds."""
        log, meta = self.log, self.meta.value
        base = log.first_index - 1
        entries = tuple(log.entries(base + 1, log.last_index + 1))
        base_term = log.term(base)
        assert base_term is not None
        for entry in entries:
            assert log.term(entry.index) == entry.term
        assert log.term(log.last_index + 1) is None
        return Model(entries, base, base_term, meta.term, meta.vote, meta.commit)


def batch(first: int, term: int, sizes: list[int], mark: int = 0) -> list[Entry]:
    """Entries from ``first`` on with payloads of the given sizes."""
    return [
        Entry(index, term, index % 7, f"{mark}:{index}:".encode().ljust(size, b"x"))
        for index, size in enumerate(sizes, first)
    ]


def world(seed: int = 1, segment_bytes: int = 1_500) -> World:
    return World(seed, segment_bytes)


def filled(noted: bool) -> World:
    """Three segments of small frames; ``noted``: the meta file knows that all of it is synced."""
    made = world(segment_bytes=850)
    for number in range(8):
        made.log.append(batch(made.log.last_index + 1, 1 + number // 3, [40, 1], number))
    if noted:
        made.log.note_synced()
    return made


def paths(of: World) -> list[Path]:
    return [FOLDER / name for name in of.disk.names(FOLDER)]
