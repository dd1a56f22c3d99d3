"""One open segment file of the log: making it, taking it over at start, reading a frame of it."""

from __future__ import annotations

import errno
from pathlib import Path

from everwhen.errors import CorruptData
from everwhen.ports import Disk, File
from everwhen.storage.files import create_durable, disk_failed, write_all
from everwhen.storage.frames import (
    HEADER_BYTES,
    Entry,
    SegmentHeader,
    decode_frame,
    encode_header,
    entries_of,
    frame_length,
)
from everwhen.storage.log_recovery import FoundSegment, segment_name

#: enough for the frame of a small batch, so that one read brings it whole
_FIRST_READ = 4_096


class Segment:
    """An open segment."""

    __slots__ = ("end", "file", "header")

    def __init__(self, file: File, header: SegmentHeader, end: int) -> None:
        self.file = file
        self.header = header
        #: where the next frame goes
        self.end = end

    @classmethod
    def create(cls, disk: Disk, folder: Path, header: SegmentHeader, reserve: int) -> Segment:
        """Make the file, durably and whole, with room for ``reserve`` bytes."""

        def fill(file: File) -> None:
            file.allocate(reserve)
            write_all(file, encode_header(header), 0)

        path = folder / segment_name(header.sequence, header.first_index)
        return cls(create_durable(disk, path, fill), header, HEADER_BYTES)

    @classmethod
    def take_over(cls, disk: Disk, found: FoundSegment) -> Segment:
        """Open a segment into which nothing more goes."""
        return cls(disk.open(found.path), found.header, found.end)

    @classmethod
    def go_on(cls, disk: Disk, found: FoundSegment, reserve: int, newest: int) -> Segment:
        """Open the segment that goes on, with room for ``reserve`` bytes.

        Whatever stands behind the last frame was never acknowledged, or is zeros. It must be gone
        for good before the next frame is written. The last frame, from ``newest`` on (0: there is
        none, and the header is meant), may be what an earlier process could not sync: then the
        system shows it and will lose it, unless it is written again.
        """
        file = disk.open(found.path)
        file.truncate(found.end)
        write_all(file, file.pread(found.end - newest, newest), newest)
        file.sync()
        try:
            file.allocate(max(found.end, reserve))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise  # a full volume must not keep a node from starting to make room
        return cls(file, found.header, found.end)

    def read(self, offset: int) -> bytes:
        """The bytes of the frame at ``offset``; whether they are whole is for ``entries``."""
        try:
            data = self.file.pread(_FIRST_READ, offset)
            length = frame_length(data, self.header.salt)
            if length is not None and length > len(data):
                data += self.file.pread(length - len(data), offset + len(data))
        except OSError as error:
            raise disk_failed(f"reading {self.file.path}", error) from error
        return data

    def entries(self, data: bytes, offset: int, low: int, high: int) -> list[Entry]:
        """The entries with low <= index < high of the frame read from ``offset``."""
        frame = decode_frame(data, 0, self.header.salt)
        if frame is None:
            raise CorruptData(
                f"{self.file.path}: the frame at offset {offset} was whole when it was written "
                "or opened and no longer is",
                hint="the disk changes data; move the node to another one",
            )
        return entries_of(frame, data, low, high)
