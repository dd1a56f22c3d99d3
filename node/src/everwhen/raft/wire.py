"""Messages and membership entries as bytes.

A message between members (big endian):

======== ====== ==========================================================================
offset   bytes  meaning
======== ====== ==========================================================================
0        1      format of this layout
1        1      type
2        1      1: a refusal
3        8      to
11       8      from
19       8      term
27       8      log term
35       8      index
43       8      commit
51       8      hint of a refusal; of votes: the term of the entry at the commit
59       2      bytes of the context
61       4      entries
65       ...    the context, then per entry: term (8), index (8), type (1), bytes (4), the bytes
======== ====== ==========================================================================

Snapshots do not travel in messages: members are offered one and pull its files. What storage is
told stays within the process.
"""

from __future__ import annotations

import struct
from struct import Struct
from typing import Final

from everwhen.errors import CorruptData
from everwhen.raft.confchange import Change, ChangeType, ConfChange, ConfChangeV2, Transition
from everwhen.raft.types import VOTES, Entry, EntryType, Message, MessageType

FORMAT: Final = 1
_HEAD: Final = Struct(">BBBQQQQQQQHI")
_ENTRY: Final = Struct(">QQBI")
_CHANGE: Final = Struct(">BQ")
_CHANGES: Final = Struct(">BBB")
#: changes in one membership entry; a group is small
_CHANGES_MAX: Final = 255
_V1: Final = 1
_V2: Final = 2

_TRAVEL: Final = VOTES | frozenset(
    {
        MessageType.PROP,
        MessageType.APP,
        MessageType.APP_RESP,
        MessageType.HEARTBEAT,
        MessageType.HEARTBEAT_RESP,
        MessageType.TRANSFER_LEADER,
        MessageType.TIMEOUT_NOW,
        MessageType.READ_INDEX,
        MessageType.READ_INDEX_RESP,
    }
)


def encode_message(message: Message) -> bytes:
    """The bytes of a message between members."""
    entries = message.entries
    parts = [
        _HEAD.pack(
            FORMAT,
            message.type,
            message.reject,
            message.to,
            message.from_,
            message.term,
            message.log_term,
            message.index,
            message.commit,
            message.commit_term if message.type in VOTES else message.reject_hint,
            len(message.context),
            len(entries),
        ),
        message.context,
    ]
    for entry in entries:
        parts.append(_ENTRY.pack(entry.term, entry.index, entry.type, len(entry.data)))
        parts.append(entry.data)
    return b"".join(parts)


def decode_message(data: bytes) -> Message:
    """The message.

    :raises CorruptData: bytes that are none, or none that travels between members.
    """
    if len(data) < _HEAD.size:
        raise CorruptData(f"a consensus message of {len(data)} bytes")
    head = _HEAD.unpack_from(data)
    if head[0] != FORMAT:
        raise CorruptData(f"a consensus message of format {head[0]}; this build knows {FORMAT}")
    kind, context_bytes, count = head[1], head[10], head[11]
    if kind not in _TRAVEL or head[2] > 1:
        raise CorruptData(f"a consensus message of type {kind}")
    at = _HEAD.size + context_bytes
    context = data[_HEAD.size : at]
    entries: list[Entry] = []
    end = len(data)
    if at > end or count * _ENTRY.size > end - at:
        raise CorruptData("a consensus message ends too early")
    for _ in range(count):
        if at + _ENTRY.size > end:
            raise CorruptData("a consensus message ends within an entry")
        term, index, type_, size = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        if type_ > EntryType.CONF_CHANGE_V2 or at + size > end:
            raise CorruptData("a consensus message with a damaged entry")
        entries.append(Entry(term, index, EntryType(type_), data[at : at + size]))
        at += size
    if at != end:
        raise CorruptData("a consensus message is longer than it says")
    return Message(
        MessageType(kind),
        head[3],
        head[4],
        head[5],
        head[6],
        head[7],
        entries,
        head[8],
        commit_term=head[9] if kind in VOTES else 0,
        reject=bool(head[2]),
        reject_hint=0 if kind in VOTES else head[9],
        context=context,
    )


# --- membership entries ---


def encode_conf_change_v1(change: ConfChange) -> bytes:
    """The data of a CONF_CHANGE entry."""
    return bytes((_V1,)) + _CHANGE.pack(change.type, change.node) + change.context


def encode_conf_change(change: ConfChangeV2) -> bytes:
    """The data of a CONF_CHANGE_V2 entry; leaving a joint configuration has none."""
    if change.leaves_joint and not change.context:
        return b""
    if len(change.changes) > _CHANGES_MAX:
        raise ValueError(f"{len(change.changes)} changes in one membership entry")
    head = _CHANGES.pack(_V2, change.transition, len(change.changes))
    steps = b"".join(_CHANGE.pack(each.type, each.node) for each in change.changes)
    return head + steps + change.context


def decode_conf_change(entry: Entry) -> ConfChangeV2:
    """The membership change of an entry, in the general form.

    :raises CorruptData: bytes that are none.
    """
    data = entry.data
    try:
        if entry.type is EntryType.CONF_CHANGE:
            if data[0] != _V1:
                raise CorruptData("a membership entry of another kind")
            type_, node = _CHANGE.unpack_from(data, 1)
            context = data[1 + _CHANGE.size :]
            return ConfChange(ChangeType(type_), node, context).as_v2()
        if not data:
            return ConfChangeV2()
        version, transition, count = _CHANGES.unpack_from(data)
        if version != _V2:
            raise CorruptData("a membership entry of another kind")
        changes: list[Change] = []
        at = _CHANGES.size
        for _ in range(count):
            type_, node = _CHANGE.unpack_from(data, at)
            changes.append(Change(ChangeType(type_), node))
            at += _CHANGE.size
        return ConfChangeV2(Transition(transition), tuple(changes), data[at:])
    except (ValueError, IndexError, struct.error) as error:
        raise CorruptData(f"a damaged membership entry: {error}") from error
