"""Opening a data directory: in which order, and so that it may be cut short anywhere.

To make one: the folders, the meta file, the record, and last the FORMAT file. Every step makes only
what is missing and removes nothing, so a creation that was cut short is simply gone on with, and a
directory whose FORMAT file somebody removed keeps its data.

To open one: lock, check the format, look at the space, count the start in the meta file, open the
record, then the log. The caller replays the log above the record's applied index.

The ballast is space kept back: when the volume has less left than that, it is given up, so that a
node that stopped because the disk was full can start, delete and compact. It comes back with a start
that finds room enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from everwhen import limits
from everwhen.errors import CorruptData, EverwhenError, MembershipRefused
from everwhen.mvcc.store import FileStore
from everwhen.ports import Disk, DiskLock, File, Random
from everwhen.storage import format as layout
from everwhen.storage.files import create_durable, disk_failed
from everwhen.storage.folders import make_folders
from everwhen.storage.log_recovery import FoundLog, TornTail, read_log
from everwhen.storage.log_segments import SegmentedLog
from everwhen.storage.meta import Meta, MetaFile, read_meta
from everwhen.storage.snapshot_files import Current, current, sweep

BALLAST_BYTES: Final = 64 << 20
#: how many times its size must be free before the ballast is made
_BALLAST_ROOM: Final = 8

#: opens the record in a folder; the flag says whether it may be made
StoreOpener = Callable[[Path, bool], FileStore]


@dataclass(frozen=True, slots=True)
class Opening:
    """What happened at the start, for the node to report."""

    created: bool
    torn: TornTail | None
    ballast_given_up: bool


class DataDirectory:
    """An open data directory: this process's own until ``close``."""

    __slots__ = ("_disk", "_lock", "_quota", "log", "meta", "opening", "root", "store")

    def __init__(
        self,
        disk: Disk,
        root: Path,
        lock: DiskLock,
        meta: MetaFile,
        store: FileStore,
        log: SegmentedLog,
        opening: Opening,
        quota_bytes: int,
    ) -> None:
        self._disk = disk
        self._lock = lock
        self._quota = quota_bytes
        self.root = root
        self.meta = meta
        self.store = store
        self.log = log
        self.opening = opening

    @classmethod
    def open(
        cls,
        disk: Disk,
        root: Path,
        random: Random,
        open_store: StoreOpener,
        *,
        holder: str,
        ballast_bytes: int = BALLAST_BYTES,
        segment_bytes: int = limits.LOG_SEGMENT_BYTES,
        quota_bytes: int = 0,
    ) -> DataDirectory:
        """Open ``root``, making it if there is nothing; ``holder`` names this process.
        ``quota_bytes``: what it may use of the volume, 0 for all there is.

        Without an identity (``identity.py``) the directory becomes node 1 of a cluster of its own.
        """
        with _Undo() as undo:
            try:
                make_folders(disk, root)
                lock = layout.take_lock(disk, root, holder)
                undo.on_failure(lock.release)
                is_new = layout.read_format(disk, root) is None
                if is_new:
                    _make(disk, root, random)
                given_up = _see_to_ballast(disk, root, ballast_bytes)
            except OSError as error:
                raise disk_failed(f"opening {root}", error) from error
            meta = MetaFile.open(disk, root / layout.META)
            undo.on_failure(meta.close)
            if not meta.value.node_id:
                raise MembershipRefused(f"{root} belongs to no cluster yet")
            known = meta.value
            disk_id = known.disk_id if known.disk_id.int else random.uuid()
            meta.save(replace(known, incarnation=known.incarnation + 1, disk_id=disk_id))
            here = _settle(disk, root)
            store = open_store(root / here.folder, is_new)
            undo.on_failure(store.close)
            log = SegmentedLog.open(
                disk, root / layout.LOG, meta, random, segment_bytes=segment_bytes
            )
            undo.on_failure(log.close)
            if log.first_index <= here.index and log.term(here.index) != here.term:
                # a snapshot took the place of the record. What follows its last entry here stays:
                # it was promised to a leader (Raft paper, figure 13, InstallSnapshot 6)
                log.reset(here.index, here.term)
            if is_new:
                _finish(disk, root)
            opening = Opening(is_new, log.torn, given_up)
            return cls(disk, root, lock, meta, store, log, opening, quota_bytes)

    def used_bytes(self) -> int:
        """Bytes of the record's files and of the log."""
        return self.store.bytes_in_files() + self.log.bytes_on_disk

    def free_bytes(self) -> int:
        """Space left on the volume, or under the quota where that is less."""
        free = self._disk.free_bytes(self.root)
        return min(free, max(self._quota - self.used_bytes(), 0)) if self._quota else free

    def close(self) -> None:
        """Close everything, the lock last. The record is flushed by whoever wants a short start."""
        self.log.close()
        self.store.close()
        self.meta.close()
        self._lock.release()


@dataclass(frozen=True, slots=True)
class StoppedDirectory:
    """What ``everwhen verify`` and ``dump`` look at; nothing in it was changed."""

    format: int
    meta: Meta
    #: whether both copies of the meta file are there and agree
    meta_whole: bool
    log: FoundLog


def inspect(disk: Disk, root: Path) -> StoppedDirectory:
    """Read everything but the record; raises on damage. The caller holds the lock."""
    number = layout.read_format(disk, root)
    if number is None:
        raise CorruptData(
            f"{root} is not a finished data directory: it has no FORMAT file",
            hint="start a node on it to finish making it",
        )
    _, meta, whole = read_meta(disk, root / layout.META)
    return StoppedDirectory(number, meta, whole, read_log(disk, root / layout.LOG, meta))


def _settle(disk: Disk, root: Path) -> Current:
    """Where the record is, after removing what no longer counts."""
    try:
        sweep(disk, root)
        return current(disk, root)
    except OSError as error:
        raise disk_failed(f"tidying {root}", error) from error


def _make(disk: Disk, root: Path, random: Random) -> None:
    """Make what is missing, all but the record and the FORMAT file."""
    for name in (layout.LOG, layout.RECORD):
        disk.make_directory(root / name)
    disk.sync_directory(root)
    if not disk.exists(root / layout.META):
        alone = Meta(random.uuid(), node_id=1, disk_id=random.uuid())
        MetaFile.create(disk, root / layout.META, alone).close()


def _finish(disk: Disk, root: Path) -> None:
    try:
        disk.sync_directory(root / layout.LOG)
        layout.write_format(disk, root)
    except OSError as error:
        raise disk_failed(f"making {root}", error) from error


def _see_to_ballast(disk: Disk, root: Path, size: int) -> bool:
    """Give the ballast up if space is short, make it if there is plenty; whether it was given up."""
    path = root / layout.BALLAST
    free = disk.free_bytes(root)
    if disk.exists(path):
        if free >= size:
            return False
        disk.remove(path)
        disk.sync_directory(root)
        return True
    if size and free >= size * _BALLAST_ROOM:

        def fill(file: File) -> None:
            file.allocate(size)

        create_durable(disk, path, fill).close()
    return False


class _Undo:
    """Closes what was opened if a later step fails, last first."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: list[Callable[[], None]] = []

    def on_failure(self, step: Callable[[], None]) -> None:
        self._steps.append(step)

    def __enter__(self) -> _Undo:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # a power cut of the twin is no Exception: a process that is gone closes nothing
        if not isinstance(error, Exception):
            return
        for step in reversed(self._steps):
            try:
                step()
            except (EverwhenError, OSError) as second:
                error.add_note(f"closing after that failed too: {second}")
