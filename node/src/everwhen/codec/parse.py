"""The way back from a key of the record to its parts: one decode function per kind.

Total: what ``codec.keys`` cannot have written is ``CorruptData``, never another exception.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple, TypeVar

from everwhen.codec.keys import (
    ADJACENT,
    HEAD_BYTES,
    ONE_U32,
    ONE_U64,
    STAGED,
    TIME_BIAS,
    U8_U32,
    U32_U64,
    U64_U32,
    U64_U64,
    VERSION_BYTES,
    VERSIONED,
    Counter,
    Kind,
    Space,
    version_of,
)
from everwhen.errors import CorruptData

_E = TypeVar("_E", bound=IntEnum)


class MetaKey(NamedTuple):
    name: str


class TokenKey(NamedTuple):
    space: Space
    id: int


class SchemaKey(NamedTuple):
    id: int


class StatsKey(NamedTuple):
    counter: Counter
    id: int


class EntityKey(NamedTuple):
    """NODE or REL."""

    kind: Kind
    id: int
    sub: int
    version: int


class AdjacencyKey(NamedTuple):
    """OUT (``node`` is the start) or IN (``node`` is the end)."""

    kind: Kind
    node: int
    type: int
    other: int
    relationship: int
    version: int


class LabelKey(NamedTuple):
    label: int
    node: int
    version: int


class IndexKey(NamedTuple):
    """``values`` are bytes of ``codec.ordered``."""

    definition: int
    values: bytes
    entity: int
    version: int


class JournalKey(NamedTuple):
    version: int


class PieceKey(NamedTuple):
    transaction: int
    number: int


class TimeKey(NamedTuple):
    time: int


class RequestKey(NamedTuple):
    client: str
    sequence: int


class StageKey(NamedTuple):
    transaction: int
    part: int
    number: int


class RunKey(NamedTuple):
    """``stem`` is a stem of the main keys."""

    run: int
    stem: bytes


class PublishKey(NamedTuple):
    run: int


class SegmentKey(NamedTuple):
    segment: int
    piece: int


class SegrefKey(NamedTuple):
    version: int
    segment: int


Key = (
    MetaKey
    | TokenKey
    | SchemaKey
    | StatsKey
    | EntityKey
    | AdjacencyKey
    | LabelKey
    | IndexKey
    | JournalKey
    | PieceKey
    | TimeKey
    | RequestKey
    | StageKey
    | RunKey
    | PublishKey
    | SegmentKey
    | SegrefKey
)


def _exact(key: bytes, layout: Struct) -> tuple[int, ...]:
    if len(key) != layout.size:
        raise CorruptData(f"key {key.hex()} has {len(key)} bytes, not {layout.size}")
    return layout.unpack(key)[2:]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CorruptData(f"key text {raw!r} is not UTF-8") from error


def _member(enum: type[_E], value: int) -> _E:
    try:
        return enum(value)
    except ValueError as error:
        raise CorruptData(f"{value} is no {enum.__name__}") from error


def _split(key: bytes) -> tuple[bytes, int]:
    """Stem and version."""
    if len(key) < HEAD_BYTES + VERSION_BYTES:
        raise CorruptData(f"key {key.hex()} is too short for a version")
    return key[:-8], version_of(key)


def decode_meta(key: bytes) -> MetaKey:
    return MetaKey(_text(key[HEAD_BYTES:]))


def decode_token(key: bytes) -> TokenKey:
    space, token = _exact(key, U8_U32)
    return TokenKey(_member(Space, space), token)


def decode_schema(key: bytes) -> SchemaKey:
    return SchemaKey(*_exact(key, ONE_U32))


def decode_stats(key: bytes) -> StatsKey:
    counter, token = _exact(key, U8_U32)
    return StatsKey(_member(Counter, counter), token)


def decode_entity(key: bytes) -> EntityKey:
    """NODE and REL."""
    stem, version = _split(key)
    entity, sub = _exact(stem, U64_U32)
    return EntityKey(Kind(key[2]), entity, sub, version)


def decode_adjacency(key: bytes) -> AdjacencyKey:
    """OUT and IN."""
    stem, version = _split(key)
    node, type_, other, relationship = _exact(stem, ADJACENT)
    return AdjacencyKey(Kind(key[2]), node, type_, other, relationship, version)


def decode_label(key: bytes) -> LabelKey:
    stem, version = _split(key)
    label, node = _exact(stem, U32_U64)
    return LabelKey(label, node, version)


def decode_index(key: bytes) -> IndexKey:
    stem, version = _split(key)
    if len(stem) < ONE_U32.size + 8:
        raise CorruptData(f"index key {key.hex()} is too short")
    index = int.from_bytes(stem[HEAD_BYTES : ONE_U32.size], "big")
    entity = int.from_bytes(stem[-8:], "big")
    return IndexKey(index, stem[ONE_U32.size : -8], entity, version)


def decode_journal(key: bytes) -> JournalKey:
    return JournalKey(*_exact(key, ONE_U64))


def decode_piece(key: bytes) -> PieceKey:
    return PieceKey(*_exact(key, U64_U32))


def decode_time(key: bytes) -> TimeKey:
    return TimeKey(_exact(key, ONE_U64)[0] - TIME_BIAS)


def decode_request(key: bytes) -> RequestKey:
    if len(key) < HEAD_BYTES + 9 or key[-9] != 0:
        raise CorruptData(f"request key {key.hex()} has no end of its client id")
    raw = key[HEAD_BYTES:-9]
    client = bytearray()
    at = 0
    while at < len(raw):
        byte = raw[at]
        if byte == 1:
            at += 1
            if at == len(raw) or raw[at] not in (1, 2):
                raise CorruptData(f"request key {key.hex()} has a broken escape")
            byte = 1 if raw[at] == 1 else 0
        elif byte == 0:
            raise CorruptData(f"request key {key.hex()} has a bare NUL")
        client.append(byte)
        at += 1
    return RequestKey(_text(bytes(client)), int.from_bytes(key[-8:], "big"))


def decode_stage(key: bytes) -> StageKey:
    return StageKey(*_exact(key, STAGED))


def decode_run(key: bytes) -> RunKey:
    if len(key) < ONE_U64.size + 1:
        raise CorruptData(f"run key {key.hex()} is too short")
    run = int.from_bytes(key[HEAD_BYTES : ONE_U64.size], "big")
    stem = key[:2] + key[ONE_U64.size :]
    if stem[2] not in _VERSIONED_BYTES:
        raise CorruptData(f"run key {key.hex()} stages kind {stem[2]:#04x}")
    decode(stem + bytes(VERSION_BYTES))
    return RunKey(run, stem)


def decode_publish(key: bytes) -> PublishKey:
    return PublishKey(*_exact(key, ONE_U64))


def decode_segment(key: bytes) -> SegmentKey:
    return SegmentKey(*_exact(key, U64_U32))


def decode_segref(key: bytes) -> SegrefKey:
    return SegrefKey(*_exact(key, U64_U64))


_VERSIONED_BYTES: Final = frozenset(int(kind) for kind in VERSIONED)
_DECODERS: Final[dict[int, Callable[[bytes], Key]]] = {
    Kind.META: decode_meta,
    Kind.TOKEN: decode_token,
    Kind.SCHEMA: decode_schema,
    Kind.STATS: decode_stats,
    Kind.NODE: decode_entity,
    Kind.REL: decode_entity,
    Kind.OUT: decode_adjacency,
    Kind.IN: decode_adjacency,
    Kind.LABEL: decode_label,
    Kind.INDEX: decode_index,
    Kind.JOURNAL: decode_journal,
    Kind.PIECE: decode_piece,
    Kind.TIME: decode_time,
    Kind.REQUEST: decode_request,
    Kind.STAGE: decode_stage,
    Kind.RUN: decode_run,
    Kind.PUBLISH: decode_publish,
    Kind.SEGMENT: decode_segment,
    Kind.SEGREF: decode_segref,
}


def decode(key: bytes) -> Key:
    """The parts of any key.

    :raises CorruptData: it is no key of this layout.
    """
    if len(key) < HEAD_BYTES:
        raise CorruptData(f"key {key.hex()} is shorter than its head")
    if key[:2] != b"\x00\x01":
        raise CorruptData(f"key {key.hex()} belongs to unknown database {key[:2].hex()}")
    decoder = _DECODERS.get(key[2])
    if decoder is None:
        raise CorruptData(f"key {key.hex()} has unknown kind {key[2]:#04x}")
    return decoder(key)
