"""The bytes of a log segment: a header, then frames, one for each batch of entries.

A frame is written by one write and synced before the next one is begun. So of all frames on disk
only the last one can be torn, and a whole frame after a damaged one proves that the damaged one had
been synced (research/raft.md P46).

Segment header, 512 bytes, a sector of its own (little endian):

====== ====== ==================================================================
offset bytes  meaning
====== ====== ==================================================================
0      8      magic ``EWLOG\\r\\n\\x1a``
8      4      CRC-32 of bytes 12 to 80
12     2      format of the segment
14     2      flags: 1 = everything before this segment is void
16     16     cluster id
32     8      sequence number of the segment
40     8      index of its first entry
48     8      term of the entry before that
56     8      number of its first frame
64     4      checksum of the frame before (0 for none)
68     4      salt: start value of the checksums, so that no bytes that a client stores can
              look like a frame of this segment
72     8      zero
====== ====== ==================================================================

Frame:

====== ====== ==================================================================
0      4      magic ``EWfr``
4      4      checksum: CRC-32 of bytes 8 to 40, started from the salt
8      4      CRC-32 of what follows this header
12     4      checksum of the frame before: a chain, so that order shows
16     4      bytes after this header
20     4      entries
24     8      index of the first entry
32     8      number of the frame: one more each, never reused, across segments
40     13 n   per entry: term (8), bytes of payload (4), kind (1)
...           the payloads
====== ====== ==================================================================

A frame whose first index is not above the last one replaces the entries from there on.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

FORMAT: Final = 1
MAGIC: Final = b"EWLOG\r\n\x1a"
HEADER_BYTES: Final = 512
FRAME_MAGIC: Final = b"EWfr"

_HEADER: Final = struct.Struct("<HH16sQQQQIIxxxxxxxx")
_FRONT: Final = struct.Struct("<8sI")
_FRAME: Final = struct.Struct("<4sI")
_FRAME_REST: Final = struct.Struct("<IIIIQQ")
_ENTRY: Final = struct.Struct("<QIB")
FRAME_HEADER_BYTES: Final = _FRAME.size + _FRAME_REST.size
ENTRY_HEADER_BYTES: Final = _ENTRY.size
#: fits the length field and an offset within a segment; far above any batch (limits.py)
FRAME_BYTES_MAX: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log; the payload is opaque here."""

    index: int
    term: int
    kind: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What stands at the start of a segment."""

    cluster_id: UUID
    sequence: int
    first_index: int
    previous_term: int
    first_frame: int
    previous_checksum: int
    salt: int
    voids_before: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame, checked, as found in a segment."""

    checksum: int
    previous_checksum: int
    first_index: int
    number: int
    #: position after it
    end: int
    #: (term, payload length, kind) of each entry
    heads: tuple[tuple[int, int, int], ...]
    #: position of the first payload
    payloads_at: int


class HeaderDamaged(Exception):
    """A segment header that fails its checksum or is no header at all."""


def encode_header(header: SegmentHeader) -> bytes:
    """The first 512 bytes of a segment."""
    body = _HEADER.pack(
        FORMAT,
        int(header.voids_before),
        header.cluster_id.bytes,
        header.sequence,
        header.first_index,
        header.previous_term,
        header.first_frame,
        header.previous_checksum,
        header.salt,
    )
    return (_FRONT.pack(MAGIC, zlib.crc32(body)) + body).ljust(HEADER_BYTES, b"\x00")


def decode_header(data: bytes) -> tuple[int, SegmentHeader | None]:
    """Format number and content (None if the format is not this one)."""
    if len(data) < HEADER_BYTES:
        raise HeaderDamaged("the file is shorter than a header")
    magic, checksum = _FRONT.unpack_from(data)
    body = data[_FRONT.size : _FRONT.size + _HEADER.size]
    if magic != MAGIC:
        raise HeaderDamaged("the file does not begin as a log segment does")
    if checksum != zlib.crc32(body):
        raise HeaderDamaged("the header fails its checksum")
    number, flags, cluster, sequence, first, term, frame, previous, salt = _HEADER.unpack(body)
    if number != FORMAT:
        return number, None
    return number, SegmentHeader(
        UUID(bytes=cluster), sequence, first, term, frame, previous, salt, bool(flags & 1)
    )


def encode_frame(
    entries: Sequence[Entry], number: int, previous_checksum: int, salt: int
) -> tuple[bytes, int]:
    """The bytes of a frame and its checksum."""
    pack = _ENTRY.pack
    parts = [pack(entry.term, len(entry.payload), entry.kind) for entry in entries]
    parts += [entry.payload for entry in entries]
    body = b"".join(parts)
    rest = _FRAME_REST.pack(
        zlib.crc32(body), previous_checksum, len(body), len(entries), entries[0].index, number
    )
    checksum = zlib.crc32(rest, salt)
    return b"".join((_FRAME.pack(FRAME_MAGIC, checksum), rest, body)), checksum


def decode_frame(data: bytes, at: int, salt: int) -> Frame | None:
    """The frame at ``at``; None if there is none, or not a whole one."""
    front = _front(data, at, salt)
    if front is None:
        return None
    checksum, body_checksum, previous, length, count, first, number = front
    body_at = at + FRAME_HEADER_BYTES
    payloads_at = body_at + count * ENTRY_HEADER_BYTES
    end = body_at + length
    view = memoryview(data)
    if end > len(data) or payloads_at > end or body_checksum != zlib.crc32(view[body_at:end]):
        return None
    heads = tuple(_ENTRY.iter_unpack(view[body_at:payloads_at]))
    if payloads_at + sum(head[1] for head in heads) != end:
        return None
    return Frame(checksum, previous, first, number, end, heads, payloads_at)


def _front(data: bytes, at: int, salt: int) -> tuple[int, int, int, int, int, int, int] | None:
    """Checksum and fields of the frame header at ``at``, if it is one."""
    rest_at, body_at = at + _FRAME.size, at + FRAME_HEADER_BYTES
    if body_at > len(data):
        return None
    magic, checksum = _FRAME.unpack_from(data, at)
    if magic != FRAME_MAGIC or checksum != zlib.crc32(memoryview(data)[rest_at:body_at], salt):
        return None
    return (checksum, *_FRAME_REST.unpack_from(data, rest_at))


def entries_of(frame: Frame, data: bytes, low: int, high: int) -> list[Entry]:
    """The entries of a frame with low <= index < high."""
    found: list[Entry] = []
    at = frame.payloads_at
    for index, (term, length, kind) in enumerate(frame.heads, frame.first_index):
        if low <= index < high:
            found.append(Entry(index, term, kind, data[at : at + length]))
        at += length
    return found


def frame_length(data: bytes, salt: int) -> int | None:
    """Bytes of the whole frame whose header ``data`` begins with; None if that is no header."""
    front = _front(data, 0, salt)
    return None if front is None else FRAME_HEADER_BYTES + front[3]


def later_frame(data: bytes, at: int, salt: int, number: int) -> int | None:
    """Where, after ``at``, a frame numbered above ``number`` was begun; None if nowhere."""
    at = data.find(FRAME_MAGIC, at + 1)
    while at >= 0:
        front = _front(data, at, salt)
        if front is not None and front[6] > number:
            return at
        at = data.find(FRAME_MAGIC, at + 1)
    return None
