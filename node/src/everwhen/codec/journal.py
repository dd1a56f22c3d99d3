"""The commit journal: what each commit changed, from what to what, and who did it.

One record per data commit under JOURNAL(version). Its changes stand in canonical order (the order
apply wrote them in), with old and new values, so that undo, diff, change capture and the image
need nothing else. A large transaction's changes lie in PIECE keys, written while it was staged;
its record only counts them.

Records are chained from commit 1 on: ``chain = H(header)``, where the header holds the previous
chain hash and a *salted* digest of the content. Erasing content later leaves the chain whole,
because the header keeps the digest; without the salt, guessing small content would give it away.

The texts of the statements, where they are kept, stand beside the header too, so that they can be
erased; the header's statement hash binds them, and its format says that they were there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from everwhen.codec.origin import Origin
from everwhen.errors import CorruptData, FormatUnsupported

FORMAT: Final = 1
#: of a record that keeps the texts of its statements
FORMAT_TEXTS: Final = 2
DIGEST_BYTES: Final = 32
#: the chain hash before commit 1
GENESIS: Final = bytes(DIGEST_BYTES)

Values = dict[int, bytes]
"""Key token -> bytes of ``codec.values``."""
Steps = dict[int, tuple[bytes | None, bytes | None]]
"""Key token -> (old, new); None where there is no value."""


class Change(msgspec.Struct, frozen=True, array_like=True, tag_field="kind"):
    """Base of the changes; labels, types and keys are tokens, ascending where there are many."""


class NodeCreated(Change, frozen=True, array_like=True, tag=1):
    id: int
    labels: list[int]
    properties: Values


class NodeDeleted(Change, frozen=True, array_like=True, tag=2):
    """With what it was at the end."""

    id: int
    labels: list[int]
    properties: Values


class LabelsChanged(Change, frozen=True, array_like=True, tag=3):
    id: int
    old: list[int]
    new: list[int]


class NodeChanged(Change, frozen=True, array_like=True, tag=4):
    """``labels`` are those the node has after the commit."""

    id: int
    labels: list[int]
    properties: Steps


class RelationshipCreated(Change, frozen=True, array_like=True, tag=5):
    id: int
    type: int
    start: int
    end: int
    properties: Values


class RelationshipDeleted(Change, frozen=True, array_like=True, tag=6):
    """With what it was at the end."""

    id: int
    type: int
    start: int
    end: int
    properties: Values


class RelationshipChanged(Change, frozen=True, array_like=True, tag=7):
    id: int
    type: int
    start: int
    end: int
    properties: Steps


AnyChange = (
    NodeCreated
    | NodeDeleted
    | LabelsChanged
    | NodeChanged
    | RelationshipCreated
    | RelationshipDeleted
    | RelationshipChanged
)


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """What a commit did, in numbers (audit)."""

    nodes_created: int = 0
    nodes_deleted: int = 0
    relationships_created: int = 0
    relationships_deleted: int = 0
    properties_set: int = 0
    labels_added: int = 0
    labels_removed: int = 0


class SegmentDigest(msgspec.Struct, frozen=True, array_like=True):
    """A segment that belongs to a piece: its id, and the digest of its bytes."""

    id: int
    digest: bytes


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """One chunk of a large transaction."""

    changes: list[AnyChange]
    segments: list[SegmentDigest] = []


class Header(msgspec.Struct, frozen=True, array_like=True):
    """Everything of a commit but its content; this is what the chain binds."""

    format: int
    version: int
    #: commit time in µs since 1970 UTC
    time: int
    #: the client asked for this time (historical load)
    own_time: bool
    read_version: int
    origin: Origin
    counts: Counts
    #: pattern keys noted by this commit (``txn.footprint``), to rebuild the conflict window
    merges: list[bytes]
    #: a large transaction's id and number of pieces; 0 and 0 if the changes are in the record
    transaction: int
    pieces: int
    #: salted digest of the content
    content: bytes
    #: chain hash of the commit before; ``GENESIS`` for the first
    previous: bytes


class Record(msgspec.Struct, frozen=True, array_like=True):
    """The value of a JOURNAL key."""

    header: Header
    chain: bytes
    #: msgpack of list[AnyChange]; empty bytes once some of it is gone
    content: bytes
    #: the statements' texts, in order (``FORMAT_TEXTS`` only); none once erased
    texts: list[str] = []
    #: the changes that are left once some are gone; empty bytes if none are
    left: bytes = b""
    #: the erasure that took something away; 0: vacuum did, or nothing
    erasure: int = 0


class Sealed(msgspec.Struct, frozen=True, array_like=True):
    """A record whose header is still the bytes that the chain was made of."""

    header: msgspec.Raw
    chain: bytes
    content: bytes
    texts: list[str] = []
    left: bytes = b""
    erasure: int = 0


_ENCODER = msgspec.msgpack.Encoder()
_RECORD = msgspec.msgpack.Decoder(Record)
_SEALED = msgspec.msgpack.Decoder(Sealed)
_HEADER = msgspec.msgpack.Decoder(Header)
_PIECE = msgspec.msgpack.Decoder(Piece)
_CHANGES = msgspec.msgpack.Decoder(list[AnyChange])


def digest(salt: bytes, *parts: bytes) -> bytes:
    """The salted digest of content; each part's length is part of it."""
    hasher = blake2b(digest_size=DIGEST_BYTES, key=salt[:64])
    for part in parts:
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    return hasher.digest()


def chain_hash(header: Header | msgspec.Raw) -> bytes:
    """What the next record is chained to; of a header as it was read, without decoding it."""
    raw = header if isinstance(header, msgspec.Raw) else _ENCODER.encode(header)
    return blake2b(raw, digest_size=DIGEST_BYTES).digest()


def statement_hash(texts: Sequence[str]) -> bytes:
    """What a header says of the statements of its transaction."""
    return blake2b("".join(texts).encode(), digest_size=DIGEST_BYTES).digest()


def seal(
    *,
    version: int,
    time: int,
    own_time: bool,
    read_version: int,
    origin: Origin,
    counts: Counts,
    merges: Sequence[bytes],
    previous: bytes,
    changes: Sequence[AnyChange] = (),
    transaction: int = 0,
    piece_digests: Sequence[bytes] = (),
    texts: Sequence[str] = (),
) -> Record:
    """The journal record of a commit: its changes, or its staged pieces' digests in order."""
    content = _ENCODER.encode(list(changes))
    header = Header(
        format=FORMAT_TEXTS if texts else FORMAT,
        version=version,
        time=time,
        own_time=own_time,
        read_version=read_version,
        origin=origin,
        counts=counts,
        merges=list(merges),
        transaction=transaction,
        pieces=len(piece_digests),
        content=digest(origin.salt, content, *piece_digests),
        previous=previous or GENESIS,
    )
    return Record(header, chain_hash(header), content, list(texts))


def changes_of(record: Record) -> list[AnyChange]:
    """The changes that stand in the record itself, or are left of them.

    :raises CorruptData: the content is no list of changes.
    """
    return decode_changes(record.header.version, record.content or record.left)


def decode_changes(version: int, content: bytes) -> list[AnyChange]:
    """The changes in the content of a commit; none if it was erased.

    :raises CorruptData: it is no list of changes.
    """
    if not content:
        return []
    try:
        return _CHANGES.decode(content)
    except (ValueError, TypeError) as error:
        raise CorruptData(f"the changes of commit {version} are unreadable: {error}") from error


def without(record: Record, goes: Callable[[AnyChange], bool], erasure: int = 0) -> Record | None:
    """The record without some of its changes; None if it has none of them. Header and chain stay
    as they are: the chain binds a salted digest of the content, not the content."""
    changes = changes_of(record)
    kept = [change for change in changes if not goes(change)]
    if len(kept) == len(changes):
        return None
    return with_left(record, _ENCODER.encode(kept) if kept else b"", erasure)


def with_left(record: Record, left: bytes, erasure: int = 0) -> Record:
    """The record with only ``left`` of its content. An erasure takes the statements' texts along,
    which may say what was erased."""
    texts = [] if erasure else record.texts
    return Record(record.header, record.chain, b"", texts, left, erasure or record.erasure)


def was_vacuumed(record: Record, floor: int = 0) -> bool:
    """Whether vacuum took some of what a commit changed; of what was erased from too, whether it
    may have, which it may up to the version ``floor``."""
    return not record.content and (not record.erasure or record.header.version <= floor)


def encode_record(record: Record) -> bytes:
    """The value of a JOURNAL key."""
    if record.content and record.header.format == FORMAT:  # as builds wrote it that knew no texts
        return _ENCODER.encode((record.header, record.chain, record.content))
    return _ENCODER.encode(record)


def decode_sealed(value: bytes) -> tuple[Sealed, Header]:
    """A record with its header as it was read, and decoded.

    :raises CorruptData: no journal record. :raises FormatUnsupported: a newer build's.
    """
    try:
        sealed = _SEALED.decode(value)
        header = _HEADER.decode(sealed.header)
    except (ValueError, TypeError) as error:
        raise CorruptData(f"bytes that are no journal record: {error}") from error
    _check_format(header)
    return sealed, header


def _check_format(header: Header) -> None:
    if header.format not in (FORMAT, FORMAT_TEXTS):
        raise FormatUnsupported(
            f"a journal record of format {header.format}; this build reads up to {FORMAT_TEXTS}"
        )


def decode_record(value: bytes) -> Record:
    """:raises CorruptData: no journal record. :raises FormatUnsupported: a newer build's."""
    try:
        record = _RECORD.decode(value)
    except (ValueError, TypeError) as error:
        raise CorruptData(f"bytes that are no journal record: {error}") from error
    _check_format(record.header)
    return record


def encode_piece(piece: Piece) -> bytes:
    """The value of a PIECE key; its digest is ``digest(salt, value)``."""
    return _ENCODER.encode(piece)


def decode_piece(value: bytes) -> Piece:
    """:raises CorruptData: no piece."""
    try:
        return _PIECE.decode(value)
    except (ValueError, TypeError) as error:
        raise CorruptData(f"bytes that are no journal piece: {error}") from error


def problems_of(
    record: Record, previous: bytes | None, piece_digests: Sequence[bytes] = ()
) -> list[str]:
    """What is wrong with a record, given the chain hash before it (None: the first one kept)."""
    return sealed_problems(record, record.header, previous, piece_digests)


def sealed_problems(
    record: Record | Sealed,
    header: Header,
    previous: bytes | None,
    piece_digests: Sequence[bytes] = (),
) -> list[str]:
    """:func:`problems_of` for a record whose header may still be as it was read."""
    version = header.version
    found = []
    if chain_hash(record.header) != record.chain:
        found.append(f"commit {version}: the header does not match its chain hash")
    if previous is not None and header.previous != previous:
        found.append(f"commit {version}: not chained to the commit before it")
    if not record.content:
        if record.texts and statement_hash(record.texts) != header.origin.statement_hash:
            found.append(f"commit {version}: the statement text does not match its hash")
        return found  # forgotten, with its pieces; an erasure takes the texts too
    if header.pieces != len(piece_digests):
        found.append(
            f"commit {version}: {len(piece_digests)} pieces, its header says {header.pieces}"
        )
    if digest(header.origin.salt, record.content, *piece_digests) != header.content:
        found.append(f"commit {version}: the content does not match its digest")
    if header.format == FORMAT_TEXTS:
        if statement_hash(record.texts) != header.origin.statement_hash:
            found.append(f"commit {version}: the statement text does not match its hash")
    elif record.texts:
        found.append(f"commit {version}: it has a statement text, its header knows of none")
    return found
