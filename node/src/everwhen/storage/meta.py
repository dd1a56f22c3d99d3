"""The meta file: who this data directory belongs to, and what the node may not forget.

Two copies of one record, each in a block of its own. A save writes and syncs the first copy, then
the second, so that at every moment one of them is whole, and rot in either one loses nothing once
the save has returned. (Alternating between two slots would be cheaper, but then a rotten newest
copy could not be told from a torn write, and the node would forget a vote; research/raft.md P2,
P4, P46.) Saves are rare: a new term or vote, a new log segment, a compaction, a clean stop.

Copy, at 0 and at 4096 (little endian):

====== ====== ==================================================================
offset bytes  meaning
====== ====== ==================================================================
0      8      magic ``EWMETA\\r\\n``
8      4      CRC-32 of the rest
12     2      format of this record
14     2      zero
16     8      generation: one more with every save
24     16     cluster id
40     8      node id
48     8      incarnation: one more with every start
56     8      term
64     8      vote: node id, 0 for none
72     8      commit index known at that time
80     8      first log segment that counts; older files are leftovers
88     8      number of a log frame known to be synced
96     16     disk id: of this data directory, random, made once (P29)
====== ====== ==================================================================
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from everwhen.errors import CorruptData, DiskFailed, FormatUnsupported
from everwhen.ports import Disk, File
from everwhen.storage.files import create_durable, disk_failed, write_all

MAGIC: Final = b"EWMETA\r\n"
FORMAT: Final = 2
_BLOCK: Final = 4096
_FRONT: Final = struct.Struct("<8sI")
_NUMBER: Final = struct.Struct("<H")
_BODY: Final = struct.Struct("<HxxQ16sQQQQQQQ16s")
#: format 1 ended before the disk id
_BODY_1: Final = struct.Struct("<HxxQ16sQQQQQQQ")
_NO_DISK: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Meta:
    """The content of the meta file."""

    cluster_id: UUID
    #: 0 while the directory belongs to no cluster yet
    node_id: int
    incarnation: int = 0
    term: int = 0
    vote: int = 0
    commit: int = 0
    #: sequence number of the oldest log segment that counts
    first_segment: int = 1
    #: number of a log frame that is certainly on disk, with all before it
    synced_frame: int = 0
    disk_id: UUID = _NO_DISK


def _encode(meta: Meta, generation: int) -> bytes:
    body = _BODY.pack(
        FORMAT,
        generation,
        meta.cluster_id.bytes,
        meta.node_id,
        meta.incarnation,
        meta.term,
        meta.vote,
        meta.commit,
        meta.first_segment,
        meta.synced_frame,
        meta.disk_id.bytes,
    )
    return (_FRONT.pack(MAGIC, zlib.crc32(body)) + body).ljust(_BLOCK, b"\x00")


def _decode(block: bytes, path: Path) -> tuple[int, Meta] | None:
    """Generation and content; None if the copy is torn or rotten."""
    if len(block) < _FRONT.size + _BODY.size:
        return None
    magic, crc = _FRONT.unpack_from(block)
    number = _NUMBER.unpack_from(block, _FRONT.size)[0]
    layout = _BODY_1 if number == 1 else _BODY
    body = block[_FRONT.size : _FRONT.size + layout.size]
    if magic != MAGIC or crc != zlib.crc32(body):
        return None
    if number not in (1, FORMAT):
        raise FormatUnsupported(f"{path} has format {number}; this build knows {FORMAT}")
    fields = layout.unpack(body)
    disk_id = _NO_DISK if number == 1 else UUID(bytes=fields[-1])
    cluster, node, incarnation, term, vote, commit, segment, frame = fields[2:10]
    meta = Meta(UUID(bytes=cluster), node, incarnation, term, vote, commit, segment, frame, disk_id)
    return int(fields[1]), meta


class MetaFile:
    """The open meta file. One thread saves at a time; ``value`` may be read from any."""

    __slots__ = ("_failed", "_file", "_generation", "value")

    def __init__(self, file: File, generation: int, value: Meta) -> None:
        self._file = file
        self._generation = generation
        self._failed: DiskFailed | None = None
        self.value = value

    @classmethod
    def create(cls, disk: Disk, path: Path, value: Meta) -> MetaFile:
        """Make the file; it is durable when this returns."""

        def fill(file: File) -> None:
            write_all(file, _encode(value, 1) * 2, 0)

        try:
            return cls(create_durable(disk, path, fill), 1, value)
        except OSError as error:
            raise disk_failed(f"creating {path}", error) from error

    @classmethod
    def open(cls, disk: Disk, path: Path) -> MetaFile:
        """Open the file and bring both copies up to the newer one."""
        generation, value, whole = read_meta(disk, path)
        self = cls(disk.open(path), generation, value)
        if not whole:
            self.save(value)
        return self

    def save(self, value: Meta) -> None:
        """Replace the content; durable when this returns. After a failure nothing more is saved."""
        if self._failed is not None:
            raise self._failed
        block = _encode(value, self._generation + 1)
        try:
            for copy in (0, 1):
                write_all(self._file, block, copy * _BLOCK)
                self._file.sync()
        except OSError as error:
            self._failed = disk_failed(f"saving {self._file.path}", error)
            raise self._failed from error
        self._generation += 1
        self.value = value

    def update(self, value: Meta) -> None:
        """Save, unless that changes nothing."""
        if value != self.value:
            self.save(value)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_meta(disk: Disk, path: Path) -> tuple[int, Meta, bool]:
    """Generation, content, and whether both copies are there and agree; changes nothing."""
    file = disk.open_read(path)
    try:
        copies = [_decode(file.pread(_BLOCK, copy * _BLOCK), path) for copy in (0, 1)]
    except OSError as error:
        raise disk_failed(f"reading {path}", error) from error
    finally:
        file.close()
    intact = [copy for copy in copies if copy is not None]
    if not intact:
        raise CorruptData(
            f"{path}: both copies of the node's identity, term and vote are damaged",
            hint="this node cannot know what it promised; restore the data directory from a "
            "backup, or add an empty node under a new id",
        )
    generation, value = max(intact, key=lambda copy: copy[0])
    return generation, value, len(intact) == 2 and intact[0] == intact[1]
