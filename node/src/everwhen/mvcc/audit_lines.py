"""The journal's headers as lines of an audit: who committed what, when, from where."""

from __future__ import annotations

from collections.abc import Iterator

from everwhen.codec.journal import Header, Sealed, decode_sealed
from everwhen.codec.keys import Kind, journal_key, kind_range
from everwhen.codec.parse import decode_journal
from everwhen.errors import CorruptData
from everwhen.limits import AUDIT_LINES_PER_SCAN
from everwhen.model.audit import Asked, AuditLine
from everwhen.mvcc.store import Store


def lines(store: Store, asked: Asked, version: int) -> Iterator[AuditLine]:
    """The commits up to ``version`` that are asked for, oldest first; read as they are taken."""
    oldest = store.first(*kind_range(Kind.JOURNAL))
    if oldest is None:
        return
    at = max(decode_journal(oldest[0]).version, 1 if asked.first is None else asked.first)
    last = version if asked.last is None else min(version, asked.last)
    if asked.since is not None:
        at = _first_since(store, asked.since, at, last + 1)
    if asked.until is not None:
        last = min(last, _first_since(store, asked.until + 1, at, last + 1) - 1)
    while at <= last:
        # in parts: an iterator pins what it sees, and whoever takes the lines may take long
        upto = min(at + AUDIT_LINES_PER_SCAN, last + 1)
        for _, value in list(store.scan(journal_key(at), journal_key(upto))):
            sealed, header = decode_sealed(value)
            if _wanted(header, asked):
                yield _line(sealed, header)
        at = upto


def _first_since(store: Store, time: int, low: int, high: int) -> int:
    """The first commit in [low, high) at or after a time; ``high`` if there is none."""
    while low < high:
        middle = (low + high) // 2
        value = store.get(journal_key(middle))
        if value is None:
            raise CorruptData(f"commit {middle} is missing in the journal")
        if decode_sealed(value)[1].time < time:
            low = middle + 1
        else:
            high = middle
    return low


def _wanted(header: Header, asked: Asked) -> bool:
    origin = header.origin
    return (
        asked.principal in (None, origin.principal)
        and asked.client in (None, origin.client)
        and asked.tag in (None, origin.tag)
        and asked.statement_hash in (None, origin.statement_hash.hex())
    )


def _line(sealed: Sealed, header: Header) -> AuditLine:
    origin, counts = header.origin, header.counts
    return AuditLine(
        header.version,
        header.time,
        origin.principal,
        origin.client,
        origin.tag,
        origin.metadata,
        origin.statement_hash.hex(),
        sealed.texts or None,
        {
            "nodesCreated": counts.nodes_created,
            "nodesDeleted": counts.nodes_deleted,
            "relationshipsCreated": counts.relationships_created,
            "relationshipsDeleted": counts.relationships_deleted,
            "propertiesSet": counts.properties_set,
            "labelsAdded": counts.labels_added,
            "labelsRemoved": counts.labels_removed,
        },
        sealed.chain.hex(),
    )
