"""What a node puts around a command before it enters the log.

The command itself stays as its proposer encoded it; the leader fills in the commit time in place.
The ticket names the proposal for ever, so that the node that made it recognises it when it is
applied, whoever led when it was accepted.

======== ====== ==========================================================================
offset   bytes  meaning (big endian)
======== ====== ==========================================================================
0        1      0x01: format. No command of ``txn.commands`` begins with it (they are
                msgpack arrays), so an entry without an envelope is known as such
1        1      flags: 1 the leader stamps it, 2 it has an own time, 4 it makes the record
                grow, 8 it closes time
2        8      node that proposed it
10       8      incarnation of that node
18       8      number of the proposal there
26       8      commit time in microseconds since 1970, 0 before it is stamped
34       ...    the command
======== ====== ==========================================================================
"""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import Final, NamedTuple

from everwhen.errors import CorruptData

FORMAT: Final = 1
_HEAD: Final = Struct(">BBQQQq")
_TIME: Final = Struct(">q")
_TIME_AT: Final = 26
ENVELOPE_BYTES: Final = _HEAD.size


class Flag(IntFlag):
    """What the leader must do with a command without decoding it."""

    NONE = 0
    STAMP = 1
    OWN_TIME = 2
    GROWS = 4
    CLOSES = 8


class Ticket(NamedTuple):
    """Names one proposal: node, its incarnation, running number."""

    node: int
    incarnation: int
    number: int


def seal(ticket: Ticket, flags: int, time: int, command: bytes) -> bytes:
    """Payload of a log entry."""
    return _HEAD.pack(FORMAT, flags, *ticket, time) + command


def stamped(payload: bytes, time: int) -> bytes:
    """The same payload with its commit time."""
    return payload[:_TIME_AT] + _TIME.pack(time) + payload[ENVELOPE_BYTES:]


def is_sealed(payload: bytes) -> bool:
    """Whether there is an envelope around it."""
    return payload[:1] == b"\x01"


def flags_of(payload: bytes) -> int:
    """The flags of a sealed payload."""
    return payload[1]


def time_of(payload: bytes) -> int:
    """The commit time of a sealed payload, 0 if it has none."""
    return int(_TIME.unpack_from(payload, _TIME_AT)[0])


def ticket_of(payload: bytes) -> Ticket:
    """Whose proposal a sealed payload is.

    :raises CorruptData: too short.
    """
    if len(payload) < ENVELOPE_BYTES:
        raise CorruptData(f"a sealed log entry of {len(payload)} bytes")
    _, _, node, incarnation, number, _ = _HEAD.unpack_from(payload)
    return Ticket(node, incarnation, number)


def command_of(payload: bytes) -> bytes:
    """The command inside."""
    return payload[ENVELOPE_BYTES:]
