"""Journal records: round trip, chain, salted content digest, tampering shows."""

from __future__ import annotations

import msgspec
import pytest

from everwhen.codec import journal as j
from everwhen.codec.origin import Origin
from everwhen.codec.values import encode_value
from everwhen.errors import CorruptData, FormatUnsupported

ORIGIN = Origin("neo4j", "127.0.0.1:1", "tests", {"app": "x"}, b"\x01" * 8, b"salt", "c", 1)
CHANGES: list[j.AnyChange] = [
    j.NodeCreated(1, [0, 2], {3: encode_value("x")}),
    j.NodeDeleted(2, [], {}),
    j.LabelsChanged(3, [0], [1]),
    j.NodeChanged(4, [1], {0: (None, encode_value(1)), 1: (encode_value(2.5), None)}),
    j.RelationshipCreated(5, 0, 1, 4, {}),
    j.RelationshipDeleted(6, 0, 1, 4, {0: encode_value(True)}),
    j.RelationshipChanged(7, 0, 1, 4, {0: (encode_value(1), encode_value(2))}),
]


def record(version: int, previous: bytes, salt: bytes = b"salt") -> j.Record:
    return j.seal(
        version=version,
        time=version * 10,
        own_time=False,
        read_version=version - 1,
        origin=msgspec.structs.replace(ORIGIN, salt=salt),
        counts=j.Counts(nodes_created=1),
        merges=[b"key"],
        previous=previous,
        changes=CHANGES,
    )


def test_a_record_comes_back_whole() -> None:
    sealed = record(1, b"")
    read = j.decode_record(j.encode_record(sealed))
    assert read == sealed
    assert j.changes_of(read) == CHANGES
    assert j.problems_of(read, j.GENESIS) == []


def test_records_are_chained() -> None:
    first = record(1, b"")
    second = record(2, first.chain)
    assert first.header.previous == j.GENESIS
    assert j.problems_of(second, first.chain) == []
    assert "not chained" in j.problems_of(second, j.GENESIS)[0]


def test_a_changed_header_or_content_shows() -> None:
    sealed = record(1, b"")
    header = msgspec.structs.replace(sealed.header, time=11)
    forged = msgspec.structs.replace(sealed, header=header)
    assert "chain hash" in j.problems_of(forged, j.GENESIS)[0]
    content = msgspec.msgpack.encode(CHANGES[1:])
    forged = msgspec.structs.replace(sealed, content=content)
    assert "content" in j.problems_of(forged, j.GENESIS)[0]


def test_erased_content_leaves_the_chain_whole() -> None:
    erased = msgspec.structs.replace(record(1, b""), content=b"")
    assert j.problems_of(erased, j.GENESIS) == []
    assert j.changes_of(erased) == []


def test_the_salt_decides_the_digest() -> None:
    one, other = record(1, b"", b"a"), record(1, b"", b"b")
    assert one.content == other.content
    assert one.header.content != other.header.content


def test_pieces_are_bound_in_their_order() -> None:
    piece = j.encode_piece(j.Piece(CHANGES, [j.SegmentDigest(9, b"d" * 32)]))
    assert j.decode_piece(piece) == j.Piece(CHANGES, [j.SegmentDigest(9, b"d" * 32)])
    digests = [j.digest(b"salt", piece), j.digest(b"salt", b"other")]
    sealed = j.seal(
        version=1,
        time=1,
        own_time=True,
        read_version=0,
        origin=ORIGIN,
        counts=j.Counts(),
        merges=[],
        previous=b"",
        transaction=5,
        piece_digests=digests,
    )
    assert j.problems_of(sealed, None, digests) == []
    assert j.problems_of(sealed, None, digests[::-1]) != []
    assert "pieces" in j.problems_of(sealed, None, digests[:1])[0]


def test_nonsense_and_newer_formats_are_refused() -> None:
    with pytest.raises(CorruptData):
        j.decode_record(b"\xc1")
    with pytest.raises(CorruptData):
        j.decode_piece(b"\x93\x01")
    sealed = record(1, b"")
    newer = msgspec.structs.replace(
        sealed, header=msgspec.structs.replace(sealed.header, format=j.FORMAT_TEXTS + 1)
    )
    with pytest.raises(FormatUnsupported):
        j.decode_record(j.encode_record(newer))
    with pytest.raises(CorruptData):
        j.changes_of(msgspec.structs.replace(sealed, content=b"\x91\x91\x63"))
