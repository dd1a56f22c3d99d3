"""The image of the far past: it says what the record and the first image say, is read where walking
would take longer, and goes when it should."""

from __future__ import annotations

import random
from functools import partial
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everwhen.columns.graph import distance as distance_module
from everwhen.columns.graph import far as far_module
from everwhen.columns.graph import holder as holder_module
from everwhen.columns.graph.distance import Stretch
from everwhen.columns.graph.image import GraphImage
from everwhen.mvcc.state import RecordState
from everwhen.runtime.embedded import Embedded
from tests.unit.columns.far_past import ALL, history, tended
from tests.unit.columns.test_graph_image import STATEMENTS, agree


@pytest.mark.usefixtures("near_is_far")
def test_random_far_versions() -> None:
    """Rows, the first image and the second one say the same at every version, in any order."""
    used = []

    @given(
        st.lists(st.sampled_from(STATEMENTS), min_size=2, max_size=14),
        st.randoms(use_true_random=False),
    )
    @settings(max_examples=40, deadline=None)
    def run(statements: list[str], chance: random.Random) -> None:
        with Embedded() as database:
            for statement in statements:
                database.execute(statement)
            state = database.service.database.state
            both = GraphImage(state)
            if chance.random() < 0.5:
                assert agree(database, both, database.version)
            for _ in range(12):
                version = chance.randint(0, database.version)
                assert agree(database, both, version)
                if chance.random() < 0.3:
                    tended(both)
                if chance.random() < 0.2:
                    database.execute(chance.choice(STATEMENTS))
            used.append(both.far.holder.held is not None)

    run()
    assert any(used)


@pytest.mark.usefixtures("near_is_far")
def test_neighbours_are_walked_to(database: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(40):
        database.execute("CREATE (:A)")
    image = GraphImage(database.service.database.state)
    assert agree(database, image, database.version)
    assert agree(database, image, 12)
    assert image.held == (database.version, database.version)
    assert image.far.holder.held == (12, 12)
    monkeypatch.setattr(holder_module, "load", _must_not)
    for version in (13, 11, 12, 14, 10):
        assert agree(database, image, version)
    assert image.far.holder.held == (10, 14)
    assert image.held == (database.version, database.version)


def _must_not(*_: object) -> None:
    raise AssertionError("the record was read")


@pytest.mark.usefixtures("near_is_far")
def test_who_asks_here_and_there_ends_walking(
    database: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading again and again would never come to an end: it takes no longer than walking once."""
    monkeypatch.setattr(far_module, "reading", lambda *_: 8.0)
    for _ in range(60):
        database.execute("CREATE (:A)")
    image = GraphImage(database.service.database.state)
    chance = random.Random(3)
    generations = set()
    for _ in range(200):
        version = chance.randint(0, 60)
        view = image.view(version, ALL)
        assert view is not None
        generations.add(view.generation)
    assert 2 < len(generations) <= 2 + 2 * 60 / 16
    assert image.far.holder.held is not None


def test_what_is_near_is_walked_to(database: Embedded) -> None:
    history(database, random.Random(4), 30)
    image = GraphImage(database.service.database.state)
    assert agree(database, image, database.version)
    assert agree(database, image, 3)
    assert image.far.holder.held is None
    assert image.held == (3, 30)


@pytest.mark.usefixtures("near_is_far")
def test_read_in_the_background(database: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder_module, "IMAGE_SMALL_ELEMENTS", 1)
    database.execute("UNWIND range(1, 100) AS i CREATE (:A {i: i})-[:T]->(:B)")
    for i in range(20):
        database.execute("MATCH (a:A) SET a.i = $i", {"i": i})
    image = GraphImage(database.service.database.state)
    assert agree(database, image, database.version)
    tended(image)
    assert not image.due()
    assert image.view(2, 50) is None
    tended(image)
    assert image.view(2, 50) is None
    assert image.due()
    tended(image)
    assert image.far.holder.held == (2, 2)
    assert image.view(2, 1) is not None
    assert agree(database, image, 2)
    assert not image.due()


@pytest.mark.usefixtures("near_is_far")
def test_who_asks_again_is_not_made_to_wait_for_the_same_guess(
    database: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def between(state: RecordState, low: int, high: int) -> Stretch:
        looked.append((low, high))
        return distance_module.between(state, low, high)

    monkeypatch.setattr(far_module, "between", between)
    monkeypatch.setattr(holder_module, "IMAGE_SMALL_ELEMENTS", 0)
    for _ in range(40):
        database.execute("CREATE (:A)")
    image = GraphImage(database.service.database.state)
    assert agree(database, image, 40)
    for _ in range(5):
        assert image.view(4, 0) is None
    assert looked == [(4, 40)]
    database.execute("CREATE (:A)")
    assert image.view(4, 0) is None
    assert looked == [(4, 40), (4, 40)]  # to what is held, which is not the newest now
    for _ in range(5):
        database.execute("CREATE (:A)")
        assert image.view(4, 0) is None
    assert looked == [(4, 40), (4, 40), (4, 43), (4, 46)]


@pytest.mark.usefixtures("near_is_far")
def test_a_far_version_alone_is_all_that_is_read(database: Embedded) -> None:
    history(database, random.Random(5), 30)
    image = GraphImage(database.service.database.state)
    assert agree(database, image, 7)
    assert image.held is None
    assert image.far.holder.held == (7, 7)
    assert agree(database, image, database.version)
    assert image.held == (30, 30)


@pytest.mark.usefixtures("near_is_far")
def test_readers_of_the_past_beside_a_writer(database: Embedded) -> None:
    chance = random.Random(8)
    history(database, chance, 10)
    image = GraphImage(database.service.database.state)
    assert agree(database, image, database.version)
    done, problems = Event(), list[BaseException]()

    def until_done(step) -> None:
        try:
            while not done.is_set():
                step()
        except BaseException as error:
            problems.append(error)

    def read(own: random.Random) -> None:
        agree(database, image, own.randint(0, database.version))
        if own.random() < 0.1:
            image.far.drop()

    readers = [partial(read, random.Random(seed)) for seed in (1, 2)]
    threads = [Thread(target=until_done, args=(reader,)) for reader in readers]
    threads.append(Thread(target=until_done, args=(image.tend,)))
    for thread in threads:
        thread.start()
    for _ in range(50):
        database.execute(chance.choice(STATEMENTS[:-1]))
    done.set()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]
    assert agree(database, image, database.version)


@pytest.mark.usefixtures("near_is_far")
@pytest.mark.parametrize(
    "query",
    [
        "MATCH (a)-[r]->(b) AT VERSION $then RETURN count(r), sum(id(a)), count(DISTINCT b)",
        "MATCH (a:A) AT VERSION $then MATCH (a)-[r]->(b) RETURN count(r), sum(id(b))",
        "MATCH (a)-[:T]->(b) AT VERSION $then MATCH (c:B) WHERE c = b RETURN count(*), sum(id(a))",
        "MATCH (b:B) MATCH (b)<-[r]-(a) AT VERSION $then RETURN count(r), sum(id(a))",
    ],
)
def test_now_and_far_back_in_one_statement(database: Embedded, query: str) -> None:
    """Two images: what is bound in one is found in the other by its id."""
    history(database, random.Random(9), 40)
    core = database.service.database
    graph = core.graph = core.state.graph = GraphImage(core.state)  # nothing is held so far
    for then in (5, 17, 30):
        for version in (database.version, then):
            assert agree(database, graph, version)
        found = {}
        for execution in ("rows", "batches"):
            database.run_plans(execution)
            found[execution] = database.execute(query, {"then": then}).rows
        assert found["rows"] == found["batches"]
    assert graph.held is not None
    assert graph.far.holder.held is not None
