"""The file IMAGE: a checkpoint of the graph in memory, so that a start need not read the record.

Arrays one after the other, each at a multiple of 64 bytes, then a table of what they are, to which
the front points; all checksummed. It is made under another name and put into its place when it is
whole. It is never needed: one that is damaged, or of another build, is as good as none.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from everwhen.errors import CorruptData
from everwhen.ports import Disk, File
from everwhen.storage import format as layout
from everwhen.storage.files import create_durable, disk_failed, write_all

Array = npt.NDArray[Any]

_MAGIC: Final = b"EWIMAGE1"
#: magic; where the table is, its length and checksum
_FRONT = Struct("<8sQQI")
_ALIGN: Final = 64
_NOTHING: Final = memoryview(b"")
#: bytes written at once
_PIECE: Final = 8 << 20
#: what must stay free beside a new file
_ROOM: Final = 256 << 20


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    name: str
    dtype: str
    offset: int
    count: int
    checksum: int


class _Table(msgspec.Struct, frozen=True, array_like=True):
    meta: bytes
    arrays: list[_Entry]


_DECODE = msgspec.msgpack.Decoder(_Table).decode


class ImageFile:
    """A :class:`~everwhen.columns.graph.checkpoint.Shelf` in a data directory."""

    __slots__ = ("_disk", "_path")

    def __init__(self, disk: Disk, root: Path) -> None:
        self._disk = disk
        self._path = root / layout.IMAGE

    def write(self, meta: bytes, arrays: Iterator[tuple[str, Array]], size: int) -> bool:
        """:raises DiskFailed: the volume fails, which is fatal for more than this file."""

        def fill(file: File) -> None:
            at = _ALIGN
            entries = []
            for name, array in arrays:
                data = np.ascontiguousarray(array).data.cast("B") if len(array) else _NOTHING
                checksum = 0
                for low in range(0, len(data), _PIECE):
                    piece = data[low : low + _PIECE]
                    checksum = zlib.crc32(piece, checksum)
                    write_all(file, piece, at + low)
                entries.append(_Entry(name, array.dtype.str, at, len(array), checksum))
                at += len(data) + -len(data) % _ALIGN
            table = msgspec.msgpack.encode(_Table(meta, entries))
            write_all(file, table, at)
            write_all(file, _FRONT.pack(_MAGIC, at, len(table), zlib.crc32(table)), 0)

        try:
            if self._disk.free_bytes(self._path.parent) < size + _ROOM:
                return False
            create_durable(self._disk, self._path, fill).close()
        except OSError as error:
            raise disk_failed(f"writing {self._path}", error) from error
        return True

    def read(self) -> tuple[bytes, Callable[[str], Array]] | None:
        """:raises DiskFailed: it cannot be read."""
        try:
            if not self._disk.exists(self._path):
                return None
            file = self._disk.open_read(self._path)
            try:
                content = file.map()
            finally:
                file.close()
        except OSError as error:
            raise disk_failed(f"reading {self._path}", error) from error
        table = _table(content)
        if table is None:
            return None
        entries = {entry.name: entry for entry in table.arrays}

        def fetch(name: str) -> Array:
            entry = entries.get(name)
            if entry is None:
                raise CorruptData(f"{self._path} has no array {name!r}")
            dtype = np.dtype(entry.dtype)
            data = content[entry.offset : entry.offset + entry.count * dtype.itemsize]
            if zlib.crc32(data) != entry.checksum:
                raise CorruptData(f"{self._path}: the array {name!r} is damaged")
            return np.frombuffer(data, dtype)

        return table.meta, fetch

    def remove(self) -> None:
        """:raises DiskFailed: it may or may not be gone."""
        try:
            if self._disk.exists(self._path):
                self._disk.remove(self._path)
                self._disk.sync_directory(self._path.parent)
        except OSError as error:
            raise disk_failed(f"removing {self._path}", error) from error


def _table(content: memoryview) -> _Table | None:
    if len(content) < _FRONT.size:
        return None
    magic, at, length, checksum = _FRONT.unpack_from(content)
    data = content[at : at + length]
    if magic != _MAGIC or zlib.crc32(data) != checksum:
        return None
    try:
        return _DECODE(data)
    except (ValueError, TypeError):
        return None
