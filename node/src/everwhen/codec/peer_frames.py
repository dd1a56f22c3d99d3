"""What nodes send each other: frames in binary messages of a connection.

A message holds one frame or more, back to back, so that what piled up while the last one was being
sent goes out together (big endian):

======== ====== ==========================================================================
offset   bytes  meaning
======== ====== ==========================================================================
0        4      bytes after this field
4        1      kind: 1 a message of consensus, 2 a request, 3 an answer, 4 a refusal
5        8      number of the request (kinds 2 to 4); 0 for kind 1
13       1      verb of a request (kind 2), 0 otherwise
14       ...    body
======== ====== ==========================================================================

Whether two nodes may talk is settled before the first frame: by the headers of the connection
(``HEADERS``), which name the protocol, the cluster, both nodes and both data directories.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from everwhen.errors import CorruptData
from everwhen.limits import PEER_FRAME_BYTES_MAX

PROTOCOL: Final = 1
_HEAD: Final = Struct(">IBQB")
_AFTER_LENGTH: Final = _HEAD.size - 4

#: names of the headers that open a connection
HEADER_PROTOCOL: Final = "X-Everwhen-Protocol"
HEADER_CLUSTER: Final = "X-Everwhen-Cluster"
HEADER_FROM: Final = "X-Everwhen-From"
HEADER_FROM_ADDRESS: Final = "X-Everwhen-From-Address"
HEADER_FROM_DISK: Final = "X-Everwhen-From-Disk"
HEADER_TO: Final = "X-Everwhen-To"
HEADER_TO_DISK: Final = "X-Everwhen-To-Disk"
HEADER_LANE: Final = "X-Everwhen-Lane"
HEADER_SECRET: Final = "X-Everwhen-Secret"  # noqa: S105 - a name


class Kind(IntEnum):
    """What a frame is."""

    CONSENSUS = 1
    REQUEST = 2
    ANSWER = 3
    REFUSAL = 4


class Verb(IntEnum):
    """What a request asks for."""

    NONE = 0
    PROPOSE = 1
    LOCK = 2
    UNLOCK = 3
    SNAPSHOT_OFFER = 4
    SNAPSHOT_READ = 5
    ADMIT = 6
    CHANGE = 7
    STATE = 8
    DIGESTS = 9
    LEAVING = 10
    PINS = 11
    SEE_OFF = 12
    HERE = 13


class Frame(NamedTuple):
    """One frame."""

    kind: int
    number: int
    verb: int
    body: bytes


def encode_frame(kind: int, number: int, verb: int, body: bytes) -> bytes:
    """The bytes of a frame.

    :raises ValueError: longer than a receiver would take.
    """
    if len(body) > PEER_FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {len(body):,} bytes is above {PEER_FRAME_BYTES_MAX:,}")
    return _HEAD.pack(_AFTER_LENGTH + len(body), kind, number, verb) + body


def decode_frames(data: bytes) -> Iterator[Frame]:
    """The frames of a message.

    :raises CorruptData: lengths that do not add up, or an unknown kind.
    """
    at, end = 0, len(data)
    while at < end:
        if end - at < _HEAD.size:
            raise CorruptData("a message ends within the head of a frame")
        length, kind, number, verb = _HEAD.unpack_from(data, at)
        stop = at + 4 + length
        if length < _AFTER_LENGTH or stop > end:
            raise CorruptData(f"a frame of {length} bytes in a message of {end}")
        if not Kind.CONSENSUS <= kind <= Kind.REFUSAL:
            raise CorruptData(f"a frame of unknown kind {kind}")
        yield Frame(kind, number, verb, data[at + _HEAD.size : stop])
        at = stop
