"""When the image of the far past goes: memory, vacuum, erasures, nobody who asks."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from everwhen.columns.graph import holder as holder_module
from everwhen.columns.graph import load as load_module
from everwhen.columns.graph.image import GraphImage
from everwhen.errors import CorruptData
from everwhen.limits import IMAGE_FAR_LOOKS
from everwhen.runtime.embedded import Embedded
from tests.unit.columns.far_past import ALL, history, in_little_memory, tended
from tests.unit.columns.test_graph_image import agree
from tests.unit.runtime.keeping import DAY, Kept


def _must_not(*_: object) -> None:
    raise AssertionError("the record was read")


@pytest.mark.usefixtures("near_is_far")
def test_memory_that_others_need(database: Embedded) -> None:
    image, beside = in_little_memory(database)
    assert agree(database, image, database.version)
    alone = image.bytes
    assert agree(database, image, 1)
    assert image.needed == alone
    assert image.bytes > alone
    tended(image)
    assert not image.due()
    beside[0] = (1 << 20) - image.needed
    assert image.due()
    tended(image)
    assert image.far.holder.held is None
    assert image.bytes == image.needed
    assert image.held is not None
    # nor is it read now, and the first one is not given up for it
    assert image.view(1, ALL) is None or image.far.holder.held is None


@pytest.mark.usefixtures("near_is_far")
def test_it_goes_before_the_first_one(database: Embedded) -> None:
    image, beside = in_little_memory(database)
    assert agree(database, image, database.version)
    assert agree(database, image, 1)
    beside[0] = (1 << 20) - image.needed - 20_000
    database.execute("CREATE (:B)")
    assert agree(database, image, database.version)
    assert image.far.holder.held is None
    assert image.held is not None


@pytest.mark.usefixtures("near_is_far")
def test_one_that_does_not_fit_is_not_tried_again(
    database: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("UNWIND range(1, 2000) AS i CREATE (:A {s: $text + i})", {"text": "x" * 100})
    database.execute("MATCH (a:A) WHERE a.s <> '' DETACH DELETE a")
    database.execute("CREATE (:B)")
    image = GraphImage(database.service.database.state, 100_000)
    assert agree(database, image, database.version)
    assert image.view(1, ALL) is None
    assert image.far.holder.refused
    monkeypatch.setattr(holder_module, "load", _must_not)
    assert image.view(1, ALL) is None
    assert image.far.holder.arena.bytes == 0


@pytest.mark.usefixtures("near_is_far")
def test_one_that_nobody_uses_goes(database: Embedded) -> None:
    history(database, random.Random(6), 20)
    image = GraphImage(database.service.database.state)
    assert agree(database, image, database.version)
    assert agree(database, image, 5)
    tended(image)
    for _ in range(IMAGE_FAR_LOOKS // 2):
        assert not image.due()
    assert image.view(5, 1) is not None
    for _ in range(IMAGE_FAR_LOOKS):
        assert not image.due()
    assert image.due()
    tended(image)
    assert image.far.holder.held is None
    assert image.held is not None
    assert image.bytes == image.needed


@pytest.fixture
def kept() -> Iterator[Kept]:
    found = Kept()
    yield found
    found.db.close()


@pytest.mark.usefixtures("near_is_far")
def test_vacuum_passes_it(kept: Kept) -> None:
    kept.run("CREATE (:A {i: 0})-[:T]->(:B)")
    for i in range(10):
        kept.run("MATCH (a:A) SET a.i = $i", i=i)
    image = GraphImage(kept.db.service.database.state)
    assert agree(kept.db, image, kept.db.version)
    assert agree(kept.db, image, 4)
    kept.run("ALTER DATABASE neo4j SET RETENTION '1 days'")
    kept.clock.ahead += 2 * DAY
    kept.run("MATCH (a:A) SET a.i = 'new'")
    assert agree(kept.db, image, kept.db.version)
    kept.vacuum()
    assert kept.oldest > 4
    assert image.due()
    tended(image)
    assert image.far.holder.held is None
    assert image.bytes == image.needed
    assert image.view(4, ALL) is None
    for version in range(kept.oldest, kept.db.version + 1):
        assert agree(kept.db, image, version)


@pytest.mark.usefixtures("near_is_far")
def test_what_is_erased_goes_and_is_read_without_it(kept: Kept) -> None:
    for i in range(4):
        kept.run("CREATE (:A {i: $i})-[:T {w: 1}]->(:B)", i=i)
    for i in range(10):
        kept.run("MATCH (a:A) SET a.s = 'secret ' + $i", i=i)
    image = kept.db.service.database.graph
    assert agree(kept.db, image, kept.db.version)
    assert agree(kept.db, image, 6)
    assert image.far.holder.held == (6, 6)
    kept.run("MATCH (a:A {i: 2}) ERASE a FORCE")
    kept.vacuum()
    # what the journal has lost cannot be walked through: it is read as of then
    assert agree(kept.db, image, 6)
    assert image.far.holder.held == (6, 6)
    view = image.view(6, 1)
    assert view is not None
    assert len(view.labelled("A")) == 3
    assert agree(kept.db, image, kept.db.version)


@pytest.mark.usefixtures("near_is_far")
@pytest.mark.parametrize("how", ["vacuum", "erasure", "damage"])
def test_what_goes_while_it_is_read(kept: Kept, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the background nobody's snapshot holds vacuum back."""
    kept.run("CREATE (:A {i: 0})-[:T]->(:B)")
    for i in range(10):
        kept.run("MATCH (a:A) SET a.i = $i", i=i)
    kept.run("CREATE (:C)")
    image = GraphImage(kept.db.service.database.state)
    assert agree(kept.db, image, kept.db.version)
    monkeypatch.setattr(holder_module, "IMAGE_SMALL_ELEMENTS", 0)
    assert image.view(4, 0) is None
    assert image.view(4, 0) is None
    image.far.holder.asked = 100
    load = load_module.load

    def meanwhile(*arguments, **more):
        found = load(*arguments, **more)
        if how == "vacuum":
            kept.run("ALTER DATABASE neo4j SET RETENTION '1 days'")
            kept.clock.ahead += 2 * DAY
            kept.run("MATCH (a:A) SET a.i = 'new'")
            kept.vacuum()
            raise CorruptData("a segment is missing")
        if how == "erasure":
            kept.run("MATCH (c:C) ERASE c FORCE")
            return found
        raise CorruptData("a segment is missing")

    monkeypatch.setattr(holder_module, "load", meanwhile)
    if how == "damage":
        with pytest.raises(CorruptData):
            image.tend()
        return
    image.tend()
    assert image.far.holder.held is None
