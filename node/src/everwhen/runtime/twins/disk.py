"""A disk in memory that loses, tears, fails, fills up and rots as real ones do.

What is modelled (research/raft.md, 4.3):

* a write is in the cache until ``sync``; a crash keeps, of what was not synced, an arbitrary set
  of 512-byte sectors (a sector is old or new, never a mixture);
* names are separate from content: a created, renamed or removed name is in the cache until
  ``sync_directory``; a crash keeps a prefix of the changes to each folder;
* ``pwrite`` may take fewer bytes than given; a full disk takes what fits and then says ENOSPC;
* a failed ``sync`` leaves the data readable, forgets that it was ever dirty, and persists an
  arbitrary part of it: trying again "succeeds" without writing anything;
* ``power_cut_after(n)`` stops the process at its n-th operation from now, whatever it is.

A process that dies by kill -9 loses nothing of this: the cache is the system's. ``crash`` is a
power cut; ``reopen`` is a new process on the same machine.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from everwhen.ports import DiskLock, File, Random

SECTOR: Final = 512


class PowerCut(BaseException):
    """The process ends here. Not an ``Exception``, so that nothing but a test catches it."""


@dataclass(slots=True)
class _Inode:
    """A file's content: as the process sees it, as the platter has it, and what lies between."""

    content: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    #: writes (offset, data) and new lengths (length, None) since the last sync, in order
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)


def _apply(image: bytearray, offset: int, data: bytes | None) -> None:
    end = offset if data is None else offset + len(data)
    if end > len(image):
        image.extend(bytes(end - len(image)))
    if data is None:
        del image[offset:]
    else:
        image[offset:end] = data


def _sectors(offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """The write cut at sector borders."""
    at = 0
    while at < len(data):
        length = min(SECTOR - (offset + at) % SECTOR, len(data) - at)
        yield offset + at, data[at : at + length]
        at += length


class TwinDisk:
    """A :class:`~everwhen.ports.Disk` in memory."""

    def __init__(self, random: Random, *, capacity: int = 1 << 40) -> None:
        self._random = random
        self.capacity = capacity
        #: chance that a ``pwrite`` takes only part of its data
        self.short_write_chance = 0.0
        #: operations so far; with ``power_cut_after`` every point of a run can be tried
        self.operations = 0
        self._cut_at: int | None = None
        self._failing_syncs = 0
        self._unreadable: set[Path] = set()
        self._names: dict[Path, _Inode | None] = {Path("/"): None}
        self._durable_names: dict[Path, _Inode | None] = {Path("/"): None}
        #: per folder, changes since its last sync: names set (or, with False, removed) together
        self._pending_names: dict[Path, list[list[tuple[Path, _Inode | None, bool]]]] = {}
        self._locks: dict[Path, str] = {}

    # --- faults, for tests ---

    def power_cut_after(self, operations: int) -> None:
        """Raise :class:`PowerCut` at the operation after so many more, and at all later ones."""
        self._cut_at = self.operations + operations

    def fail_syncs(self, count: int = 1) -> None:
        """Let the next ``sync`` calls fail."""
        self._failing_syncs = count

    def fail_reads(self, path: Path) -> None:
        """Let reads of ``path`` fail from here on."""
        self._unreadable.add(path)

    def rot(self, path: Path, offset: int, mask: int = 0x01) -> None:
        """Flip bits of one byte, in the cache and on the platter."""
        inode = self._inode(path)
        for image in (inode.content, inode.durable):
            if offset < len(image):
                image[offset] ^= mask

    def crash(self) -> TwinDisk:
        """The disk after a power cut: durable state and an arbitrary part of what was pending."""
        after = TwinDisk(self._random, capacity=self.capacity)
        for folder in sorted(self._pending_names):
            changes = self._pending_names[folder]
            for change in changes[: self._random.below(len(changes) + 1)]:
                self._set_names(self._durable_names, change)
        survivors: dict[int, _Inode] = {}
        for path in sorted(self._durable_names):
            if not all(parent in self._durable_names for parent in path.parents):
                continue
            inode = self._durable_names[path]
            if inode is not None:
                if id(inode) not in survivors:
                    self._persist_some(inode)
                    image = inode.durable
                    survivors[id(inode)] = _Inode(bytearray(image), bytearray(image))
                inode = survivors[id(inode)]
            after._names[path] = after._durable_names[path] = inode
        return after

    def reopen(self) -> TwinDisk:
        """What a new process finds after kill -9: nothing is lost, locks are free, no faults."""
        self._cut_at = None
        self._locks.clear()
        self._failing_syncs = 0
        self.short_write_chance = 0.0
        return self

    def _persist_some(self, inode: _Inode) -> None:
        """Write an arbitrary part of what is pending to the platter, and forget the rest."""
        mood = self._random.below(4)  # all lost, all kept, or sector by sector
        for offset, data in inode.pending:
            pieces = [(offset, data)] if data is None else list(_sectors(offset, data))
            for at, piece in pieces:
                if mood == 1 or (mood > 1 and self._random.below(2)):
                    _apply(inode.durable, at, piece)
        inode.pending.clear()

    # --- the port ---

    def open(self, path: Path, *, create: bool = False) -> File:
        """Open for reading and writing."""
        self.step()
        if create:
            if path in self._names:
                raise FileExistsError(errno.EEXIST, "exists", str(path))
            self._need_directory(path.parent)
            self._change(path.parent, [(path, _Inode(), True)])
        return _TwinFile(self, path, self._inode(path), writable=True)

    def open_read(self, path: Path) -> File:
        """Open for reading only."""
        self.step()
        return _TwinFile(self, path, self._inode(path), writable=False)

    def exists(self, path: Path) -> bool:
        """Whether there is a file or folder."""
        self.step()
        return path in self._names

    def names(self, path: Path) -> list[str]:
        """The names in a folder, sorted."""
        self.step()
        self._need_directory(path)
        return sorted(each.name for each in self._names if each.parent == path and each != path)

    def make_directory(self, path: Path) -> None:
        """Make a folder; fine if it exists."""
        self.step()
        if self._names.get(path, False) is None:
            return
        self._need_directory(path.parent)
        self._change(path.parent, [(path, None, True)])

    def rename(self, old: Path, new: Path) -> None:
        """Rename, replacing ``new``."""
        self.step()
        if old.parent != new.parent:
            raise OSError(errno.EXDEV, "the port renames within a folder only", str(new))
        self._change(old.parent, [(old, None, False), (new, self._inode(old), True)])

    def remove(self, path: Path) -> None:
        """Remove a file."""
        self.step()
        self._inode(path)
        self._change(path.parent, [(path, None, False)])

    def remove_directory(self, path: Path) -> None:
        """Remove an empty folder."""
        self.step()
        self._need_directory(path)
        if any(each.parent == path for each in self._names if each != path):
            raise OSError(errno.ENOTEMPTY, "not empty", str(path))
        self._change(path.parent, [(path, None, False)])

    def sync_directory(self, path: Path) -> None:
        """Make the names in a folder durable."""
        self.step()
        self._need_directory(path)
        self._fail_sync_if_asked()
        for change in self._pending_names.pop(path, []):
            self._set_names(self._durable_names, change)

    def free_bytes(self, path: Path) -> int:
        """Capacity less what all files take."""
        self.step()
        self._need_directory(path)
        return max(0, self.capacity - self._used())

    def lock(self, path: Path, holder: str) -> DiskLock:
        """Lock ``path``."""
        self.step()
        if path in self._locks:
            raise BlockingIOError(errno.EWOULDBLOCK, self._locks[path])
        if path not in self._names:
            self._need_directory(path.parent)
            self._change(path.parent, [(path, _Inode(), True)])
        self._locks[path] = holder
        return _TwinLock(self._locks, path)

    # --- inside ---

    def step(self) -> None:
        """Count an operation; the power may go here."""
        self.operations += 1
        if self._cut_at is not None and self.operations > self._cut_at:
            raise PowerCut

    def read(self, inode: _Inode, path: Path, length: int, offset: int) -> bytes:
        """Read from the cache."""
        self.step()
        if path in self._unreadable:
            raise OSError(errno.EIO, "read failed", str(path))
        return bytes(inode.content[offset : offset + length])

    def write(self, inode: _Inode, data: bytes, offset: int) -> int:
        """Write to the cache; takes less if the disk is full or chance says so."""
        self.step()
        growth = offset + len(data) - len(inode.content)
        if growth > 0:
            room = self.capacity - self._used()
            if room <= 0:
                raise OSError(errno.ENOSPC, "no space left on device")
            data = data[: len(data) - max(0, growth - room)]
        if len(data) > 1 and self._random.float() < self.short_write_chance:
            data = data[: 1 + self._random.below(len(data) - 1)]
        _apply(inode.content, offset, data)
        inode.pending.append((offset, data))
        return len(data)

    def resize(self, inode: _Inode, size: int) -> None:
        """Set the length."""
        self.step()
        if self._used() + size - len(inode.content) > self.capacity:
            raise OSError(errno.ENOSPC, "no space left on device")
        _apply(inode.content, size, None)
        inode.pending.append((size, None))

    def sync(self, inode: _Inode) -> None:
        """Bring the content to the platter, or fail and lose an arbitrary part of it."""
        self.step()
        if self._failing_syncs:
            self._persist_some(inode)
        self._fail_sync_if_asked()
        for offset, data in inode.pending:
            _apply(inode.durable, offset, data)
        inode.pending.clear()

    def _fail_sync_if_asked(self) -> None:
        if self._failing_syncs:
            self._failing_syncs -= 1
            raise OSError(errno.EIO, "sync failed")

    def _used(self) -> int:
        return sum(len(inode.content) for inode in self._names.values() if inode is not None)

    def _inode(self, path: Path) -> _Inode:
        inode = self._names.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return inode

    def _need_directory(self, path: Path) -> None:
        if self._names.get(path, False) is not None:
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(path))

    def _change(self, folder: Path, change: list[tuple[Path, _Inode | None, bool]]) -> None:
        self._set_names(self._names, change)
        self._pending_names.setdefault(folder, []).append(change)

    @staticmethod
    def _set_names(
        names: dict[Path, _Inode | None], change: list[tuple[Path, _Inode | None, bool]]
    ) -> None:
        for path, inode, present in change:
            if present:
                names[path] = inode
            else:
                names.pop(path, None)


class _TwinFile:
    """An open file of a :class:`TwinDisk`."""

    __slots__ = ("_closed", "_disk", "_inode", "_path", "_writable")

    def __init__(self, disk: TwinDisk, path: Path, inode: _Inode, *, writable: bool) -> None:
        self._disk, self._path, self._inode = disk, path, inode
        self._writable = writable
        self._closed = False

    @property
    def path(self) -> Path:
        return self._path

    def _need(self, *, writable: bool) -> None:
        if self._closed or (writable and not self._writable):
            raise OSError(errno.EBADF, "bad file descriptor", str(self._path))

    def pread(self, length: int, offset: int) -> bytes:
        self._need(writable=False)
        return self._disk.read(self._inode, self._path, length, offset)

    def pwrite(self, data: bytes | memoryview, offset: int) -> int:
        self._need(writable=True)
        return self._disk.write(self._inode, bytes(data), offset)

    def sync(self) -> None:
        self._need(writable=False)
        self._disk.sync(self._inode)

    def size(self) -> int:
        self._need(writable=False)
        return len(self._inode.content)

    def truncate(self, size: int) -> None:
        self._need(writable=True)
        self._disk.resize(self._inode, size)

    def allocate(self, size: int) -> None:
        self._need(writable=True)
        if size > len(self._inode.content):
            self._disk.resize(self._inode, size)

    def map(self) -> memoryview:
        self._need(writable=False)
        return memoryview(self._disk.read(self._inode, self._path, len(self._inode.content), 0))

    def close(self) -> None:
        self._closed = True


class _TwinLock:
    """A held lock."""

    __slots__ = ("_locks", "_path")

    def __init__(self, locks: dict[Path, str], path: Path) -> None:
        self._locks, self._path = locks, path

    def release(self) -> None:
        self._locks.pop(self._path, None)
