"""What a bulk load deletes is checked in bounded steps, as what a statement deletes is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from everwhen import limits
from everwhen.apply import detaching
from everwhen.errors import DeleteConnectedNode
from everwhen.runtime.bulk import BulkLoad, BulkOptions, Entity
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.requests import Caller
from everwhen.txn.commands import AbortChunks, CheckChunks, CommitChunks
from tests.imports.test_door import stream
from tests.unit.runtime.test_flashback import Watched, rows

CALLER = Caller("neo4j", "test")


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedded]:
    """A node with twenty relationships."""
    with Embedded() as database:
        database.execute("CREATE (h:Hub) WITH h UNWIND range(1, 20) AS i CREATE (h)-[:AT]->(:Leaf)")
        monkeypatch.setattr(limits, "DETACHED_PER_STEP", 3)
        monkeypatch.setattr(detaching, "CHUNK_ROOM", 3)
        yield database


def deleting(db: Embedded, kept: int) -> tuple[str, BulkLoad]:
    """A load that deletes the node, and its relationships but for some."""
    bulk = db.service.bulk
    token, _ = db.call(bulk.begin(BulkOptions(), CALLER))
    load = bulk.find(token, CALLER)
    asked: dict[Entity, str] = {
        "relationship": "MATCH ()-[r]->() RETURN id(r)",
        "node": "MATCH (h:Hub) RETURN id(h)",
    }
    for entity, text in asked.items():
        ids = [row[0] for row in rows(db, text)]
        gone = ids[kept:] if entity == "relationship" else ids
        db.call(bulk.delete(token, load, stream(_id=gone), entity))
    return token, load


def test_it_is_checked_before_it_is_committed(
    db: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, load = deleting(db, kept=0)
    seen = Watched(db, monkeypatch)
    db.call(db.service.bulk.commit(token, load))
    assert len(seen.of(CheckChunks)) >= 5
    assert len(seen.of(CommitChunks)) == 1
    assert rows(db, "MATCH (n) RETURN labels(n)[0], count(n)") == [["Leaf", 20]]


def test_one_that_is_left_ends_the_load(db: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    token, load = deleting(db, kept=1)
    seen = Watched(db, monkeypatch)
    with pytest.raises(DeleteConnectedNode):
        db.call(db.service.bulk.commit(token, load))
    assert len(seen.of(AbortChunks)) == 1
    assert not seen.of(CommitChunks)
    assert not db._parts.machine.open_stagings
    assert rows(db, "MATCH (h:Hub)-->() RETURN count(*)") == [[20]]
