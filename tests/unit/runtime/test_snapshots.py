"""Snapshots are read through again only while nothing of what they show can have gone."""

from collections.abc import Iterator

import pytest

from everwhen import limits
from everwhen.mvcc.memory import MemoryStore
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.snapshots import Snapshots

VALUES = 5


@pytest.fixture
def database() -> Iterator[Embedded]:
    made = Embedded(MemoryStore())
    made.execute("CREATE (:C {x: 0})")
    for _ in range(1, VALUES):
        made.execute("MATCH (c:C) SET c.x = c.x + 1")
    yield made
    made.close()


def kept(database: Embedded) -> Snapshots:
    return database.service.database.snapshots


def test_who_reads_a_version_again_finds_what_was_decoded(database: Embedded) -> None:
    snapshots = kept(database)
    query = "MATCH (c:C) AT VERSION 2 RETURN c.x"
    assert database.execute(query).rows == [[1]]  # plans it
    assert database.execute(query).rows == [[1]]
    one = snapshots.take(2)
    assert one.images_held == 1
    other = snapshots.take(2)  # it has one reader at a time
    assert other is not one
    assert other.images_held == 0
    snapshots.give_back([one])
    assert snapshots.take(2) is one


def test_nothing_is_kept_across_what_is_published(database: Embedded) -> None:
    snapshots = kept(database)
    one, newest = snapshots.take(2), snapshots.take(VALUES)
    snapshots.give_back([one])
    snapshots.give_back([newest])
    database.execute("MATCH (c:C) SET c.x = 99")
    assert snapshots.take(2) is not one
    assert snapshots.take(VALUES) is not newest
    snapshots.give_back([one])
    assert snapshots.take(2) is not one


def test_what_was_erased_is_not_in_a_kept_snapshot(database: Embedded) -> None:
    query = "MATCH (c:C) AT VERSION 2 RETURN c.x"
    for _ in range(2):
        assert database.execute(query).rows == [[1]]
    database.execute("MATCH (c:C) ERASE c")
    assert database.execute(query).rows == []


def test_versions_and_images_are_bounded(
    database: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everwhen.runtime.snapshots.PAST_SNAPSHOTS_KEPT_MAX", 2)
    snapshots = kept(database)
    taken = [snapshots.take(version) for version in (1, 2, 3)]
    for one in taken:
        snapshots.give_back([one])
    assert [snapshots.take(each.version) is each for each in taken] == [False, True, True]
    monkeypatch.setattr("everwhen.runtime.snapshots.PAST_IMAGES_KEPT_MAX", 0)
    taken[0].relationship_image(1)
    snapshots.give_back([taken[0]])
    assert snapshots.take(1) is not taken[0]
    assert limits.PAST_IMAGES_KEPT_MAX >= limits.SNAPSHOT_CACHE_ENTRIES
