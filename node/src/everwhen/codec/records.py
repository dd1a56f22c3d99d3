"""Values of the record's keys, except property values, journal records and segments.

Heads are msgpack arrays whose property values are the bytes of ``codec.values`` as they are, so
one call decodes a whole entity. Structs are array-like msgpack: fields are only ever appended,
each with a default, and ``FORMAT`` moves when the meaning of one changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import astuple

from everwhen.codec.values import extension
from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.model.schema import ConstraintDefinition, IndexDefinition

#: format of everything under the record's keys; a data directory names it in its head
FORMAT: Final = 1

#: META names
META_HEAD: Final = "head"

_T = TypeVar("_T")
_COUNT = Struct(">q")
_VERSION = Struct(">Q")
_REQUEST = Struct(">Qq")
_ENCODER = msgspec.msgpack.Encoder()


class RecordHead(msgspec.Struct, frozen=True, array_like=True):
    """The state of the record that is one value: rewritten by every entry that is applied."""

    format: int = FORMAT
    #: newest data commit; 0: nothing was committed yet
    version: int = 0
    #: its commit time (µs)
    time: int = 0
    #: no commit may be stamped at or before this time any more
    closed_time: int = 0
    #: oldest readable version and its time; version 0 is the empty graph
    oldest_version: int = 0
    oldest_time: int = 0
    #: ids that were never given out
    next_node: int = 0
    next_relationship: int = 0
    next_segment: int = 1
    next_transaction: int = 1
    next_definition: int = 1
    catalog_version: int = 0
    #: chain hash of the newest journal record
    chain: bytes = b""
    #: running digest over commits and decisions (compared between nodes)
    digest: bytes = b""
    #: position in the log of the last entry applied
    applied_index: int = 0
    applied_term: int = 0


class Publish(msgspec.Struct, frozen=True, array_like=True):
    """A published run: from ``version`` on its stems count as keys of that version.

    ``folded`` is the last stem (under the run's prefix) already copied to the main keys.
    """

    version: int
    folded: bytes = b""


class SegmentEntry(msgspec.Struct, frozen=True, array_like=True):
    """One segment in the directory: enough to prune it without reading it."""

    #: 1 nodes, 2 relationships
    kind: int
    #: label tokens (ascending) of every node in it, or the one type token
    tokens: list[int]
    count: int
    first_id: int
    last_id: int
    pieces: int
    bytes: int
    #: end nodes, relationships only: lowest and highest of start and of end
    first_start: int = 0
    last_start: int = 0
    first_end: int = 0
    last_end: int = 0
    #: the newest version of a row where rows have their own; the directory's is the oldest then.
    #: 0: all rows are of the directory's version
    last_version: int = 0


class SchemaRecord(msgspec.Struct, frozen=True):
    """One definition of the catalog; exactly one of the two is there."""

    index: IndexDefinition | None = None
    constraint: ConstraintDefinition | None = None


# --- entities -------------------------------------------------------------------------------

NodeHead = tuple[list[int], dict[int, Any]]
RelationshipHead = tuple[int, int, int, dict[int, Any]]

_NODE: Final[msgspec.msgpack.Decoder[NodeHead]] = msgspec.msgpack.Decoder(
    NodeHead, ext_hook=extension
)
_NODE_RAW = msgspec.msgpack.Decoder(tuple[list[int], dict[int, msgspec.Raw]])
_RELATIONSHIP: Final[msgspec.msgpack.Decoder[RelationshipHead]] = msgspec.msgpack.Decoder(
    RelationshipHead, ext_hook=extension
)
_RELATIONSHIP_RAW = msgspec.msgpack.Decoder(tuple[int, int, int, dict[int, msgspec.Raw]])
_LABELS = msgspec.msgpack.Decoder(list[int])
_HEAD = msgspec.msgpack.Decoder(RecordHead)
_PUBLISH = msgspec.msgpack.Decoder(Publish)
_SEGMENT = msgspec.msgpack.Decoder(SegmentEntry)
_SCHEMA = msgspec.msgpack.Decoder(SchemaRecord)


def _decoded(decode: Callable[[bytes], _T], value: bytes, what: str) -> _T:
    try:
        return decode(value)
    except (ValueError, TypeError, OverflowError) as error:  # msgspec's errors are ValueErrors
        raise CorruptData(f"bytes that are no {what}: {error}") from error


def _properties(values: Mapping[int, bytes]) -> dict[int, msgspec.Raw]:
    return {token: msgspec.Raw(values[token]) for token in sorted(values)}


def encode_node_head(labels: Sequence[int], properties: Mapping[int, bytes]) -> bytes:
    """A node at its creation: label tokens (kept ascending) and values by key token."""
    return _ENCODER.encode((sorted(labels), _properties(properties)))


def decode_node_head(value: bytes) -> NodeHead:
    """Label tokens, and properties decoded."""
    return _decoded(_NODE.decode, value, "node head")


def decode_node_head_raw(value: bytes) -> tuple[list[int], dict[int, bytes]]:
    """Label tokens, and properties as bytes of ``codec.values``."""
    labels, raw = _decoded(_NODE_RAW.decode, value, "node head")
    return labels, {token: bytes(item) for token, item in raw.items()}


def encode_relationship_head(
    type_: int, start: int, end: int, properties: Mapping[int, bytes]
) -> bytes:
    """A relationship at its creation: type token, end nodes, values by key token."""
    return _ENCODER.encode((type_, start, end, _properties(properties)))


def decode_relationship_head(value: bytes) -> RelationshipHead:
    """Type token, start, end, and properties decoded."""
    return _decoded(_RELATIONSHIP.decode, value, "relationship head")


def decode_relationship_head_raw(value: bytes) -> tuple[int, int, int, dict[int, bytes]]:
    """Type token, start, end, and properties as bytes of ``codec.values``."""
    type_, start, end, raw = _decoded(_RELATIONSHIP_RAW.decode, value, "relationship head")
    return type_, start, end, {token: bytes(item) for token, item in raw.items()}


def encode_labels(labels: Sequence[int]) -> bytes:
    """The full label set after a change; never empty bytes, so never a tombstone."""
    return _ENCODER.encode(sorted(labels))


def decode_labels(value: bytes) -> list[int]:
    return _decoded(_LABELS.decode, value, "label set")


# --- everything else ------------------------------------------------------------------------


def encode_head(head: RecordHead) -> bytes:
    return _ENCODER.encode(head)


def decode_head(value: bytes) -> RecordHead:
    """:raises FormatUnsupported: the directory was written by a newer build."""
    head = _decoded(_HEAD.decode, value, "record head")
    if head.format != FORMAT:
        raise FormatUnsupported(
            f"the record has format {head.format}; this build reads format {FORMAT}"
        )
    return head


def encode_publish(publish: Publish) -> bytes:
    return _ENCODER.encode(publish)


def decode_publish(value: bytes) -> Publish:
    return _decoded(_PUBLISH.decode, value, "run publication")


def encode_segment_entry(entry: SegmentEntry) -> bytes:
    if entry.last_version:
        return _ENCODER.encode(entry)
    # as it was before rows had versions, so that every build writes the same
    return _ENCODER.encode(astuple(entry)[:-1])


def decode_segment_entry(value: bytes) -> SegmentEntry:
    return _decoded(_SEGMENT.decode, value, "segment entry")


def encode_definition(definition: IndexDefinition | ConstraintDefinition) -> bytes:
    if isinstance(definition, IndexDefinition):
        return _ENCODER.encode(SchemaRecord(index=definition))
    return _ENCODER.encode(SchemaRecord(constraint=definition))


def decode_definition(value: bytes) -> IndexDefinition | ConstraintDefinition:
    record = _decoded(_SCHEMA.decode, value, "schema definition")
    definition = record.index if record.index is not None else record.constraint
    if definition is None:
        raise CorruptData("a schema record without a definition")
    return definition


def encode_count(count: int) -> bytes:
    return _COUNT.pack(count)


def decode_count(value: bytes) -> int:
    if len(value) != _COUNT.size:
        raise CorruptData(f"a count of {len(value)} bytes")
    return int(_COUNT.unpack(value)[0])


def encode_version(version: int) -> bytes:
    """The value of a TIME key."""
    return _VERSION.pack(version)


def decode_version(value: bytes) -> int:
    if len(value) != _VERSION.size:
        raise CorruptData(f"a version of {len(value)} bytes")
    return int(_VERSION.unpack(value)[0])


def encode_outcome(version: int, time: int) -> bytes:
    """The value of a REQUEST key: what the first attempt committed."""
    return _REQUEST.pack(version, time)


def decode_outcome(value: bytes) -> tuple[int, int]:
    if len(value) != _REQUEST.size:
        raise CorruptData(f"a request outcome of {len(value)} bytes")
    version, time = _REQUEST.unpack(value)
    return version, time
