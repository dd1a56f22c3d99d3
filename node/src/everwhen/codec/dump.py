"""Keys and values of the record in words: what ``everwhen dump`` prints.

A line says everything that the bytes say, in names where the tokens are known and in numbers
where they are not; bytes that make no sense are printed as such, never skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from everwhen.codec import journal, parse, records
from everwhen.codec.cluster import META_CLUSTER, decode_cluster
from everwhen.codec.compaction import META_COMPACTION, decode_compaction
from everwhen.codec.instants import text_of
from everwhen.codec.keys import (
    SUB_HEAD,
    SUB_LABELS,
    SUB_PROPERTY,
    Kind,
    Space,
    at_version,
)
from everwhen.codec.ordered_text import describe
from everwhen.codec.retention import (
    META_DEAD,
    META_ERASED,
    META_ERASURE,
    META_RETENTION,
    META_VACUUM,
    decode_erasure,
    decode_retention,
    decode_vacuum,
    unpack_ids,
)
from everwhen.codec.segments import decode_header
from everwhen.codec.users import META_USER, decode_user
from everwhen.codec.values import decode_value
from everwhen.errors import CorruptData, FormatUnsupported

_BYTES_SHOWN: Final = 40


class Names(NamedTuple):
    """Token names, as far as known."""

    labels: Mapping[int, str]
    types: Mapping[int, str]
    keys: Mapping[int, str]

    @classmethod
    def none(cls) -> Names:
        """Nothing is known: tokens print as numbers."""
        return cls({}, {}, {})


def line(key: bytes, value: bytes, names: Names) -> str:
    """One entry of the record in words."""
    try:
        parts = parse.decode(key)
    except CorruptData as error:
        return f"CORRUPT KEY {key.hex()} = {_hex(value)}: {error.message}"
    described = describe_key(parts, names)
    try:
        return f"{described} = {describe_value(key, parts, value, names)}"
    except (CorruptData, FormatUnsupported) as error:
        return f"{described} = CORRUPT VALUE {_hex(value)}: {error.message}"


# --- keys -----------------------------------------------------------------------------------


def describe_key(parts: parse.Key, names: Names) -> str:
    """A key in words."""
    return _KEYS[type(parts)](parts, names)


def _label(names: Names, token: int) -> str:
    return ":" + names.labels.get(token, f"<label {token}>")


def _type(names: Names, token: int) -> str:
    return ":" + names.types.get(token, f"<type {token}>")


def _key(names: Names, token: int) -> str:
    return names.keys.get(token, f"<key {token}>")


def _entity_key(parts: parse.EntityKey, names: Names) -> str:
    what = "node" if parts.kind is Kind.NODE else "relationship"
    if parts.sub == SUB_HEAD:
        field = "head"
    elif parts.sub == SUB_LABELS:
        field = "labels"
    else:
        field = f"property {_key(names, parts.sub - SUB_PROPERTY)}"
    return f"{what} {parts.id} {field} @ {parts.version}"


def _adjacency_key(parts: parse.AdjacencyKey, names: Names) -> str:
    arrow = "-[{0}]->" if parts.kind is Kind.OUT else "<-[{0}]-"
    middle = arrow.format(f"{parts.relationship} {_type(names, parts.type)}")
    return f"adjacent ({parts.node}){middle}({parts.other}) @ {parts.version}"


def _index_key(parts: parse.IndexKey, names: Names) -> str:
    try:
        values = describe(parts.values)
    except CorruptData:
        values = f"unreadable {_hex(parts.values)}"
    return f"index {parts.definition} ({values}) of {parts.entity} @ {parts.version}"


def _run_key(parts: parse.RunKey, names: Names) -> str:
    inner = parse.decode(at_version(parts.stem, 0))
    return f"run {parts.run}: {describe_key(inner, names).removesuffix(' @ 0')}"


def _token_key(parts: parse.TokenKey, names: Names) -> str:
    what = {Space.LABEL: "label", Space.TYPE: "type", Space.KEY: "property key"}[parts.space]
    return f"token {what} {parts.id}"


def _stats_key(parts: parse.StatsKey, names: Names) -> str:
    return f"count {parts.counter.name.lower().replace('_', ' ')} {parts.id}"


_KEYS: Final[dict[type, Callable[[Any, Names], str]]] = {
    parse.MetaKey: lambda k, n: f"meta {k.name}",
    parse.TokenKey: _token_key,
    parse.SchemaKey: lambda k, n: f"schema {k.id}",
    parse.StatsKey: _stats_key,
    parse.EntityKey: _entity_key,
    parse.AdjacencyKey: _adjacency_key,
    parse.LabelKey: lambda k, n: f"label {_label(n, k.label)} of node {k.node} @ {k.version}",
    parse.IndexKey: _index_key,
    parse.JournalKey: lambda k, n: f"commit {k.version}",
    parse.PieceKey: lambda k, n: f"commit piece {k.number} of transaction {k.transaction}",
    parse.TimeKey: lambda k, n: f"time {text_of(k.time)}",
    parse.RequestKey: lambda k, n: f"request {k.client!r} number {k.sequence}",
    parse.StageKey: lambda k, n: f"staged {k.transaction} part {k.part} number {k.number}",
    parse.RunKey: _run_key,
    parse.PublishKey: lambda k, n: f"published run {k.run}",
    parse.SegmentKey: lambda k, n: f"segment {k.segment} piece {k.piece}",
    parse.SegrefKey: lambda k, n: f"segment {k.segment} @ {k.version}",
}


# --- values ---------------------------------------------------------------------------------


def describe_value(key: bytes, parts: parse.Key, value: bytes, names: Names) -> str:
    """A value in words.

    :raises CorruptData: it makes no sense under its key.
    """
    return _VALUES[type(parts)](parts, value, names)


def _entity_value(parts: parse.EntityKey, value: bytes, names: Names) -> str:
    if not value:
        return "deleted" if parts.sub == SUB_HEAD else "removed"
    if parts.sub == SUB_LABELS:
        return "".join(_label(names, token) for token in records.decode_labels(value)) or "none"
    if parts.sub >= SUB_PROPERTY:
        return _literal(decode_value(value))
    if parts.kind is Kind.NODE:
        labels, properties = records.decode_node_head(value)
        text = "".join(_label(names, token) for token in labels)
        return f"({text} {_properties(properties, names)})"
    type_, start, end, properties = records.decode_relationship_head(value)
    return f"({start})-[{_type(names, type_)} {_properties(properties, names)}]->({end})"


def _properties(properties: Mapping[int, Any], names: Names) -> str:
    inner = ", ".join(f"{_key(names, t)}: {_literal(v)}" for t, v in properties.items())
    return "{" + inner + "}"


def _literal(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _presence(parts: Any, value: bytes, names: Names) -> str:
    if value == b"":
        return "removed"
    if value == b"\x01":
        return "present"
    raise CorruptData("an entry that is neither present nor removed")


def _meta_value(parts: parse.MetaKey, value: bytes, names: Names) -> str:
    if parts.name == records.META_HEAD:
        return str(records.decode_head(value))
    if parts.name == META_CLUSTER:
        return str(decode_cluster(value))
    if parts.name.startswith(META_USER):
        return str(decode_user(value))
    if parts.name == META_RETENTION:
        return str(decode_retention(value))
    if parts.name == META_VACUUM:
        return str(decode_vacuum(value))
    if parts.name == META_COMPACTION:
        return str(decode_compaction(value))
    if parts.name.startswith(META_ERASURE):
        return str(decode_erasure(value))
    if parts.name.startswith((META_DEAD, META_ERASED)):
        return " ".join(map(str, unpack_ids(value)))
    return _hex(value)


def _token_value(parts: parse.TokenKey, value: bytes, names: Names) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise CorruptData("a name that is no UTF-8") from error


def _journal_value(parts: parse.JournalKey, value: bytes, names: Names) -> str:
    record = journal.decode_record(value)
    header, origin = record.header, record.header.origin
    who = f"{origin.principal or 'nobody'} from {origin.client or 'nowhere'} tag {origin.tag!r}"
    where = f", {header.pieces} pieces of {header.transaction}" if header.pieces else ""
    changes = "; ".join(_change(change, names) for change in journal.changes_of(record))
    return (
        f"{text_of(header.time)} by {who}, read {header.read_version}{where}, "
        f"{header.counts}, chain {record.chain.hex()[:16]}: {changes or 'no changes here'}"
    )


def _change(change: journal.AnyChange, names: Names) -> str:
    fields = {field: getattr(change, field) for field in change.__struct_fields__ if field != "id"}
    shown = []
    for field, value in fields.items():
        if field == "properties":
            inner = ", ".join(f"{_key(names, t)}: {_step(step)}" for t, step in value.items())
            shown.append("{" + inner + "}")
        elif field == "type":
            shown.append(_type(names, value))
        elif field in ("labels", "old", "new"):
            labels = "".join(_label(names, token) for token in value)
            shown.append(f"{field} {labels or 'none'}")
        else:
            shown.append(f"{field} {value}")
    return f"{type(change).__name__} {change.id} {' '.join(shown)}"


def _step(step: bytes | Sequence[bytes | None]) -> str:
    if isinstance(step, bytes):
        return _literal(decode_value(step))
    old, new = (None if raw is None else decode_value(raw) for raw in step)
    return f"{_literal(old)} -> {_literal(new)}"


def _piece_value(parts: parse.PieceKey, value: bytes, names: Names) -> str:
    piece = journal.decode_piece(value)
    changes = "; ".join(_change(change, names) for change in piece.changes)
    return f"segments {[segment.id for segment in piece.segments]}: {changes or 'no changes here'}"


def _request_value(parts: parse.RequestKey, value: bytes, names: Names) -> str:
    version, time = records.decode_outcome(value)
    return f"commit {version} at {text_of(time)}"


def _run_value(parts: parse.RunKey, value: bytes, names: Names) -> str:
    key = at_version(parts.stem, 0)
    return describe_value(key, parse.decode(key), value, names)


def _segment_value(parts: parse.SegmentKey, value: bytes, names: Names) -> str:
    if parts.piece:
        return f"{len(value)} bytes"
    try:
        header, _ = decode_header(value)
    except CorruptData:
        # the first of several pieces fails the checksum of the whole; ``verify`` joins them
        return f"{len(value)} bytes"
    columns = ", ".join(f"{column.name!r} {column.code}" for column in header.columns)
    return f"{len(value)} bytes, {header.rows} rows of {':'.join(header.names)}: {columns}"


_VALUES: Final[dict[type, Callable[[Any, bytes, Names], str]]] = {
    parse.MetaKey: _meta_value,
    parse.TokenKey: _token_value,
    parse.SchemaKey: lambda k, v, n: str(records.decode_definition(v)),
    parse.StatsKey: lambda k, v, n: str(records.decode_count(v)),
    parse.EntityKey: _entity_value,
    parse.AdjacencyKey: _presence,
    parse.LabelKey: _presence,
    parse.IndexKey: _presence,
    parse.JournalKey: _journal_value,
    parse.PieceKey: _piece_value,
    parse.TimeKey: lambda k, v, n: f"commit {records.decode_version(v)}",
    parse.RequestKey: _request_value,
    parse.StageKey: lambda k, v, n: _hex(v),
    parse.RunKey: _run_value,
    parse.PublishKey: lambda k, v, n: str(records.decode_publish(v)),
    parse.SegmentKey: _segment_value,
    parse.SegrefKey: lambda k, v, n: str(records.decode_segment_entry(v)),
}


# --- odds and ends --------------------------------------------------------------------------


def _hex(value: bytes) -> str:
    shown = value[:_BYTES_SHOWN].hex() or "empty"
    return shown if len(value) <= _BYTES_SHOWN else f"{shown}... ({len(value)} bytes)"


def kind_names() -> dict[str, Kind]:
    """Names of the kinds, as ``everwhen dump --kind`` takes them."""
    return {kind.name.lower(): kind for kind in Kind}
