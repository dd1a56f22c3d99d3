"""Statement texts in the journal: as old builds wrote and read it where there are none."""

from __future__ import annotations

import msgspec
import pytest

from everwhen.codec import journal
from everwhen.codec.journal import FORMAT, FORMAT_TEXTS, statement_hash
from everwhen.codec.keys import journal_key
from everwhen.errors import FormatUnsupported, PreconditionFailed
from everwhen.txn import commands as c
from everwhen.txn import commit
from tests.unit.apply.harness import Database, origin_of

TEXTS = ["CREATE (:A)", "RETURN 'ü'"]


class _OldRecord(msgspec.Struct, frozen=True, array_like=True):
    """As builds before feature level 5 knew it."""

    header: journal.Header
    chain: bytes
    content: bytes


def committed(db: Database, texts: list[str]) -> bytes:
    """The journal record of a commit."""
    t = db.begin()
    t.create_node(["A"], {})
    t.prepare()
    origin = msgspec.structs.replace(origin_of(), statement_hash=statement_hash(TEXTS))
    command = commit.commit_of(t, origin, texts=texts)
    assert command is not None
    made: c.Committed = db.do(commit.stamp(command, db.tick()))
    value = db.store.get(journal_key(made.version))
    assert value is not None
    return value


def test_a_record_without_texts_is_the_same_bytes_as_ever() -> None:
    value = committed(Database(), [])
    old = msgspec.msgpack.decode(value, type=_OldRecord)
    assert msgspec.msgpack.encode(old) == value
    assert old.header.format == FORMAT
    assert journal.encode_record(journal.decode_record(value)) == value


def test_texts_are_kept_and_bound() -> None:
    value = committed(Database(), TEXTS)
    record = journal.decode_record(value)
    assert record.texts == TEXTS
    assert record.header.format == FORMAT_TEXTS
    assert journal.encode_record(record) == value
    assert journal.problems_of(record, None) == []
    for texts in ([], TEXTS[:1], ["CREATE (:B)", TEXTS[1]]):
        forged = msgspec.structs.replace(record, texts=texts)
        (problem,) = journal.problems_of(forged, None)
        assert "statement text" in problem
    erased = msgspec.structs.replace(record, texts=[], content=b"")
    assert journal.problems_of(erased, None) == []


def test_a_large_transaction_keeps_what_it_began_with() -> None:
    db = Database()
    t = db.begin()
    t.create_node(["A"], {})
    t.prepare()
    origin = msgspec.structs.replace(origin_of(), statement_hash=statement_hash(TEXTS))
    number = db.do(commit.begin_of(t, origin, TEXTS)).transaction
    for chunk in commit.take_chunks(t, number, last=True):
        db.do(chunk)
    db.open()  # staging is read back
    made: c.Committed = db.do(commit.commit_chunks_of(t, number, db.tick()))
    value = db.store.get(journal_key(made.version))
    assert value is not None
    assert journal.decode_record(value).texts == TEXTS


def test_below_the_feature_level_there_are_no_texts() -> None:
    db = Database()
    work = db.machine._work
    work.cluster = msgspec.structs.replace(work.cluster, feature_level=4)
    with pytest.raises(PreconditionFailed, match="statement texts need feature level 5"):
        committed(db, TEXTS)


def test_a_record_of_a_later_build_is_refused() -> None:
    record = journal.decode_record(committed(Database(), TEXTS))
    header = msgspec.structs.replace(record.header, format=FORMAT_TEXTS + 1)
    with pytest.raises(FormatUnsupported):
        journal.decode_record(journal.encode_record(msgspec.structs.replace(record, header=header)))
