"""What the replicated state knows of record compaction: the segment that is about to take the place
of keys, and how much was moved so far (ADR 5)."""

from __future__ import annotations

from typing import Final

import msgspec

from everwhen.codec.retention import decoded

FORMAT: Final = 1
#: META name of the value
META_COMPACTION: Final = "compaction"

#: phases: nothing is under way; the segment's rows are compared with the keys; the segment is
#: published, and the keys go
IDLE: Final = 0
CHECKING: Final = 1
CLEARING: Final = 2


class Compaction(msgspec.Struct, frozen=True, array_like=True):
    """How far it came."""

    format: int = FORMAT
    phase: int = IDLE
    #: the segment, the oldest version of a row, and its directory entry (``codec.records``)
    segment: int = 0
    version: int = 0
    entry: bytes = b""
    #: rows that this phase has done
    place: int = 0
    #: the log entry that published it
    published: int = 0
    #: of all that were done: segments, and elements that left the keys
    segments: int = 0
    rows: int = 0


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Compaction)


def encode_compaction(compaction: Compaction) -> bytes:
    """The value under META ``compaction``."""
    return _ENCODER.encode(compaction)


def decode_compaction(value: bytes) -> Compaction:
    """:raises CorruptData: bytes that are none. :raises FormatUnsupported: a newer build's."""
    return decoded(_DECODER, value, "compaction", FORMAT)
