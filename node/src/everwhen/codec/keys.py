"""Every key of the record: kinds, layout, and one encode function per kind.

The decode functions stand in ``codec.parse``.

A key is ``database (u16 BE; 1 = neo4j) + kind (u8) + payload``; all numbers are big endian, so
byte order is number order. A *versioned* key is a *stem* (everything before the version) plus the
8 bytes of ``2**64 - 1 - version``: newest first, so that "the value at version t" is the first
key at or after ``stem + ~t`` that still begins with the stem.

======== ==================================================== =====================================
kind     payload (``~v``: versioned)                          value
======== ==================================================== =====================================
TOKEN    space u8 (label, type, property key), id u32         name (utf-8)
SCHEMA   definition id u32                                    index or constraint: codec.records
STATS    counter u8, id u32                                   count i64
NODE     id u64, sub u32, ~v                                  sub 0 head: labels and properties of
                                                              a lifetime; 1: label set; 2 + key
                                                              token: one property
REL      id u64, sub u32, ~v                                  sub 0 head: type, start, end and
                                                              properties; 2 + key token: property
OUT, IN  node u64, type u32, other u64, rel u64, ~v           one byte: present or tombstone
LABEL    label u32, node u64, ~v                              present or tombstone
INDEX    index u32, values (codec.ordered), entity u64, ~v    present or tombstone
META     name (utf-8)                                         by name: codec.records
JOURNAL  version u64                                          commit record: codec.journal
PIECE    transaction u64, number u32                          a chunk's mutations: codec.journal
TIME     commit time i64 (µs since 1970 UTC)                  version u64
REQUEST  client (utf-8), 0x00, sequence u64                   version u64, time i64
STAGE    transaction u64, part u8, number u64                 apply/ (chunks not yet published)
RUN      run u64, kind u8 + payload of a stem                 as under the main key
PUBLISH  run u64                                              version, fold position: codec.records
SEGMENT  segment u64, piece u32                               column segment: codec.segments
SEGREF   version u64, segment u64                             directory entry: codec.records
======== ==================================================== =====================================

A *run* is what a large transaction staged: stems without versions under the run's own prefix.
One PUBLISH key gives all of them their version at once; bounded steps later *fold* them into the
main keys. Readers merge both.

Deltas (sub >= 1) belong to the lifetime they follow: they count only if their version is at or
above the version of the newest head at or below the reader's version. A tombstone is the empty
value, for heads, properties and entries alike.

The order of the kinds has a reason: storage reads one pair beyond the end of a range, value and all.
Behind the entities stands META, which is always there and small, before the kinds with large values.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

DATABASE: Final = 1
VERSION_MAX: Final = 2**64 - 1
ID_MAX: Final = 2**64 - 1
#: bytes of the version at the end of a versioned key
VERSION_BYTES: Final = 8

TOMBSTONE: Final = b""
PRESENT: Final = b"\x01"

#: ``sub`` of NODE and REL keys
SUB_HEAD: Final = 0
SUB_LABELS: Final = 1
SUB_PROPERTY: Final = 2


class Kind(IntEnum):
    """The third byte of every key; never renumbered."""

    TOKEN = 0x02
    SCHEMA = 0x03
    STATS = 0x04
    NODE = 0x10
    REL = 0x11
    OUT = 0x12
    IN = 0x13
    LABEL = 0x14
    INDEX = 0x15
    META = 0x1F
    JOURNAL = 0x20
    PIECE = 0x21
    TIME = 0x22
    REQUEST = 0x23
    STAGE = 0x30
    RUN = 0x31
    PUBLISH = 0x32
    SEGMENT = 0x33
    SEGREF = 0x34


class Space(IntEnum):
    """What a token numbers."""

    LABEL = 1
    TYPE = 2
    KEY = 3


class Counter(IntEnum):
    """What a STATS key counts; ``id`` is the token or index, 0 for totals."""

    NODES = 1
    NODES_WITH_LABEL = 2
    RELATIONSHIPS = 3
    RELATIONSHIPS_OF_TYPE = 4
    INDEX_ENTRIES = 5
    INDEX_DISTINCT = 6


VERSIONED: Final = frozenset({Kind.NODE, Kind.REL, Kind.OUT, Kind.IN, Kind.LABEL, Kind.INDEX})

HEAD = Struct(">HB")
VERSION = Struct(">Q")
U8_U32 = Struct(">HBBI")
ONE_U32 = Struct(">HBI")
ONE_U64 = Struct(">HBQ")
U64_U32 = Struct(">HBQI")
U64_U64 = Struct(">HBQQ")
U32_U64 = Struct(">HBIQ")
ADJACENT = Struct(">HBQIQQ")
ADJACENT_PART = Struct(">HBQIQ")
STAGED = Struct(">HBQBQ")
TIME_BIAS: Final = 1 << 63

HEAD_BYTES: Final = HEAD.size


# --- versions -------------------------------------------------------------------------------


def at_version(stem: bytes, version: int) -> bytes:
    """The key of a stem at a version; also where to seek for "newest at or below"."""
    return stem + VERSION.pack(VERSION_MAX - version)


def version_of(key: bytes) -> int:
    """The version of a versioned key (its last 8 bytes)."""
    return VERSION_MAX - int.from_bytes(key[-8:], "big")


def stem_of(key: bytes) -> bytes:
    """A versioned key without its version."""
    return key[:-8]


def after(prefix: bytes) -> bytes:
    """The first byte string greater than everything that begins with ``prefix``."""
    trimmed = prefix.rstrip(b"\xff")
    if not trimmed:
        raise ValueError("no byte string is greater than every one with this prefix")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,))


def kind_prefix(kind: Kind) -> bytes:
    """What every key of a kind begins with."""
    return HEAD.pack(DATABASE, kind)


def kind_range(kind: Kind) -> tuple[bytes, bytes]:
    """Start and exclusive end of a kind."""
    return HEAD.pack(DATABASE, kind), HEAD.pack(DATABASE, kind + 1)


# --- encode: not versioned ------------------------------------------------------------------


def meta_key(name: str) -> bytes:
    return HEAD.pack(DATABASE, Kind.META) + name.encode()


def token_key(space: Space, token: int) -> bytes:
    return U8_U32.pack(DATABASE, Kind.TOKEN, space, token)


def schema_key(definition: int) -> bytes:
    return ONE_U32.pack(DATABASE, Kind.SCHEMA, definition)


def stats_key(counter: Counter, token: int = 0) -> bytes:
    return U8_U32.pack(DATABASE, Kind.STATS, counter, token)


def journal_key(version: int) -> bytes:
    return ONE_U64.pack(DATABASE, Kind.JOURNAL, version)


def piece_key(transaction: int, number: int) -> bytes:
    return U64_U32.pack(DATABASE, Kind.PIECE, transaction, number)


def time_key(time: int) -> bytes:
    return ONE_U64.pack(DATABASE, Kind.TIME, time + TIME_BIAS)


def request_key(client: str, sequence: int) -> bytes:
    """The client's own id and its running number; a NUL in the id is written as 0x01 0x02."""
    escaped = client.encode().replace(b"\x01", b"\x01\x01").replace(b"\x00", b"\x01\x02")
    return HEAD.pack(DATABASE, Kind.REQUEST) + escaped + b"\x00" + VERSION.pack(sequence)


def stage_key(transaction: int, part: int, number: int) -> bytes:
    return STAGED.pack(DATABASE, Kind.STAGE, transaction, part, number)


def run_key(run: int, stem: bytes) -> bytes:
    """A stem staged in a run."""
    return ONE_U64.pack(DATABASE, Kind.RUN, run) + stem[2:]


def publish_key(run: int) -> bytes:
    return ONE_U64.pack(DATABASE, Kind.PUBLISH, run)


def segment_key(segment: int, piece: int) -> bytes:
    return U64_U32.pack(DATABASE, Kind.SEGMENT, segment, piece)


def segref_key(version: int, segment: int) -> bytes:
    return U64_U64.pack(DATABASE, Kind.SEGREF, version, segment)


# --- encode: stems of versioned keys --------------------------------------------------------


def node_stem(node: int, sub: int = SUB_HEAD) -> bytes:
    return U64_U32.pack(DATABASE, Kind.NODE, node, sub)


def relationship_stem(relationship: int, sub: int = SUB_HEAD) -> bytes:
    return U64_U32.pack(DATABASE, Kind.REL, relationship, sub)


def out_stem(start: int, type_: int, end: int, relationship: int) -> bytes:
    return ADJACENT.pack(DATABASE, Kind.OUT, start, type_, end, relationship)


def in_stem(end: int, type_: int, start: int, relationship: int) -> bytes:
    return ADJACENT.pack(DATABASE, Kind.IN, end, type_, start, relationship)


def label_stem(label: int, node: int) -> bytes:
    return U32_U64.pack(DATABASE, Kind.LABEL, label, node)


def index_stem(index: int, values: bytes, entity: int) -> bytes:
    return ONE_U32.pack(DATABASE, Kind.INDEX, index) + values + VERSION.pack(entity)


# --- encode: prefixes of ranges -------------------------------------------------------------


def node_prefix(node: int) -> bytes:
    """All keys of one node."""
    return ONE_U64.pack(DATABASE, Kind.NODE, node)


def relationship_prefix(relationship: int) -> bytes:
    """All keys of one relationship."""
    return ONE_U64.pack(DATABASE, Kind.REL, relationship)


def adjacency_prefix(
    kind: Kind, node: int, type_: int | None = None, other: int | None = None
) -> bytes:
    """A node's OUT or IN entries: all, of one type, or of one type to one other node."""
    if type_ is None:
        return ONE_U64.pack(DATABASE, kind, node)
    if other is None:
        return U64_U32.pack(DATABASE, kind, node, type_)
    return ADJACENT_PART.pack(DATABASE, kind, node, type_, other)


def label_prefix(label: int) -> bytes:
    """All entries of one label."""
    return ONE_U32.pack(DATABASE, Kind.LABEL, label)


def index_prefix(index: int, values: bytes = b"") -> bytes:
    """Entries of one index whose encoded values begin with ``values``."""
    return ONE_U32.pack(DATABASE, Kind.INDEX, index) + values


def run_prefix(run: int, prefix: bytes = b"") -> bytes:
    """All of one run, or the part of it that stands for a prefix of the main keys."""
    return ONE_U64.pack(DATABASE, Kind.RUN, run) + prefix[2:]


def stage_prefix(transaction: int) -> bytes:
    """All staging of one transaction."""
    return ONE_U64.pack(DATABASE, Kind.STAGE, transaction)


def piece_prefix(transaction: int) -> bytes:
    """All journal pieces of one transaction."""
    return ONE_U64.pack(DATABASE, Kind.PIECE, transaction)


def segment_prefix(segment: int) -> bytes:
    """All pieces of one segment."""
    return ONE_U64.pack(DATABASE, Kind.SEGMENT, segment)
