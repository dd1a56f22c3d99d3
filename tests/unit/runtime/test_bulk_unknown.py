"""What is told of a bulk load whose entries get lost: nothing of it is committed before its commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from everwhen.errors import NoLeader, OutcomeUnknown, TransactionNotFound
from everwhen.runtime.bulk import BulkOptions
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.requests import Caller
from everwhen.txn import commands as c
from tests.imports.test_door import stream

CALLER = Caller("neo4j", "test")


@pytest.fixture
def db() -> Iterator[Embedded]:
    with Embedded() as database:
        yield database


def deaf(db: Embedded, monkeypatch: pytest.MonkeyPatch, **errors: Exception) -> None:
    """Commands of these kinds get no answer."""
    consensus = db.service.bulk._consensus
    propose = consensus.propose

    async def proposed(payload: bytes, *more: Any) -> bytes:
        kind = type(c.decode(payload)).__name__
        if kind in errors:
            raise errors[kind]
        return await propose(payload, *more)

    monkeypatch.setattr(consensus, "propose", proposed)


def test_a_load_that_nobody_says_has_begun_has_not(
    db: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf(db, monkeypatch, BeginChunks=OutcomeUnknown("nobody answered"))
    with pytest.raises(NoLeader, match="not committed"):
        db.call(db.service.bulk.begin(BulkOptions(), CALLER))


@pytest.mark.parametrize("abort", [OutcomeUnknown("nobody answered"), NoLeader("none")])
def test_a_part_of_unknown_outcome_has_failed_whoever_hears_of_its_abort(
    db: Embedded, monkeypatch: pytest.MonkeyPatch, abort: Exception
) -> None:
    bulk = db.service.bulk
    token, _ = db.call(bulk.begin(BulkOptions(), CALLER))
    load = bulk.find(token, CALLER)
    deaf(db, monkeypatch, Chunk=OutcomeUnknown("nobody answered"), AbortChunks=abort)
    with pytest.raises(NoLeader, match="not committed"):
        db.call(bulk.nodes(token, load, stream(i=[1, 2]), ["P"]))
    with pytest.raises(TransactionNotFound):
        bulk.find(token, CALLER)


def test_a_commit_of_unknown_outcome_is_unknown(
    db: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk = db.service.bulk
    token, _ = db.call(bulk.begin(BulkOptions(), CALLER))
    load = bulk.find(token, CALLER)
    db.call(bulk.nodes(token, load, stream(i=[1, 2]), ["P"]))
    deaf(db, monkeypatch, CommitChunks=OutcomeUnknown("nobody answered"))
    with pytest.raises(OutcomeUnknown):
        db.call(bulk.commit(token, load))
