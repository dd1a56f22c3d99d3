"""The first pass of a verification: every key and value by itself."""

from __future__ import annotations

from itertools import pairwise

from everwhen.codec import journal, keys, parse, records
from everwhen.codec.cluster import META_CLUSTER, decode_cluster
from everwhen.codec.compaction import META_COMPACTION, decode_compaction
from everwhen.codec.dump import Names, describe_key
from everwhen.codec.keys import SUB_HEAD, SUB_LABELS, Kind
from everwhen.codec.retention import (
    META_DEAD,
    META_ERASED,
    META_ERASURE,
    META_RETENTION,
    META_VACUUM,
    decode_erasure,
    decode_retention,
    decode_vacuum,
    erasure_name,
    unpack_ids,
)
from everwhen.codec.users import META_USER, decode_user
from everwhen.codec.values import is_canonical
from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.mvcc.report import Report
from everwhen.mvcc.store import Store


def check_bytes(store: Store, report: Report) -> None:
    """Decode everything."""
    start = b""
    for key, value in store.scan(start, b"\xff" * 32):
        report.looked("keys")
        try:
            parts = parse.decode(key)
        except CorruptData as error:
            report.add(error.message)
            continue
        try:
            _check_value(parts, value)
        except (CorruptData, FormatUnsupported) as error:
            report.add(f"{describe_key(parts, Names.none())}: {error.message}")


def _check_value(parts: parse.Key, value: bytes) -> None:
    if isinstance(parts, parse.EntityKey):
        _check_entity(parts, value)
    elif isinstance(parts, parse.AdjacencyKey | parse.LabelKey | parse.IndexKey):
        if value not in (keys.PRESENT, keys.TOMBSTONE):
            raise CorruptData("an entry that is neither present nor removed")
    elif isinstance(parts, parse.RunKey):
        _check_value(parse.decode(keys.at_version(parts.stem, 0)), value)
    elif isinstance(parts, parse.JournalKey):
        journal.changes_of(journal.decode_record(value))
    elif isinstance(parts, parse.PieceKey):
        journal.decode_piece(value)
    elif isinstance(parts, parse.SchemaKey):
        records.decode_definition(value)
    elif isinstance(parts, parse.StatsKey):
        records.decode_count(value)
    elif isinstance(parts, parse.TimeKey):
        records.decode_version(value)
    elif isinstance(parts, parse.RequestKey):
        records.decode_outcome(value)
    elif isinstance(parts, parse.PublishKey):
        records.decode_publish(value)
    elif isinstance(parts, parse.SegrefKey):
        records.decode_segment_entry(value)
    elif isinstance(parts, parse.MetaKey):
        _check_meta(parts.name, value)


def _check_meta(name: str, value: bytes) -> None:
    if name == records.META_HEAD:
        records.decode_head(value)
    elif name == META_CLUSTER:
        decode_cluster(value)
    elif name == META_RETENTION:
        decode_retention(value)
    elif name == META_VACUUM:
        decode_vacuum(value)
    elif name == META_COMPACTION:
        decode_compaction(value)
    elif name.startswith(META_USER):
        _check_user(name, value)
    elif name.startswith(META_ERASURE):
        if erasure_name(decode_erasure(value).number) != name:
            raise CorruptData("an erasure under the key of another")
    elif name.startswith((META_DEAD, META_ERASED)):
        unpack_ids(value)


def _check_user(name: str, value: bytes) -> None:
    if META_USER + decode_user(value).name != name:
        raise CorruptData("a user under the key of another")


def _check_entity(parts: parse.EntityKey, value: bytes) -> None:
    if not value:
        return
    if parts.sub == SUB_LABELS:
        labels = records.decode_labels(value)
    elif parts.sub != SUB_HEAD:
        _check_property(value)
        return
    elif parts.kind is Kind.NODE:
        labels, properties = records.decode_node_head_raw(value)
        for raw in properties.values():
            _check_property(raw)
    else:
        labels = []
        for raw in records.decode_relationship_head_raw(value)[3].values():
            _check_property(raw)
    if any(low >= high for low, high in pairwise(labels)):
        raise CorruptData("labels that do not ascend")


def _check_property(raw: bytes) -> None:
    if not is_canonical(raw):
        raise CorruptData("a property value that is not as it would be written")
