"""The image of the graph against the record: every version, whatever the history, the order of
asking, merges in between, and readers beside the writer."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from everwhen.columns.graph import follow as follow_module
from everwhen.columns.graph import forget as forget_module
from everwhen.columns.graph import holder as holder_module
from everwhen.columns.graph import merge as merge_module
from everwhen.columns.graph.check import differences
from everwhen.columns.graph.follow import Step
from everwhen.columns.graph.image import GraphImage
from everwhen.errors import CorruptData, ImageLost
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.runtime.embedded import Embedded

STATEMENTS = (
    "CREATE (:A {k: 1, s: 'one'})",
    "CREATE (:A:B {k: 2.5})-[:T {w: 1}]->(:B {s: 'two', l: [1, 'x']}), ()",
    "UNWIND range(1, 20) AS i CREATE (:B {k: i, s: 'text ' + i, t: date({year: 2000 + i})})",
    "MATCH (a), (b:B) WITH a, b ORDER BY id(a), id(b) LIMIT 15 CREATE (a)-[:T {w: 1.5}]->(b)",
    "MATCH (a:A), (b) WITH a, b ORDER BY id(a), id(b) DESC LIMIT 5 CREATE (a)<-[:U {s: 'u'}]-(b)",
    "MATCH (a:A) WITH a LIMIT 1 CREATE (a)-[:T]->(a)",
    "MATCH (n:A) WITH n ORDER BY id(n) LIMIT 1 DETACH DELETE n",
    "MATCH (n:B) WITH n ORDER BY id(n) DESC LIMIT 2 REMOVE n:B SET n:A, n.s = true",
    "MATCH (n) WITH n ORDER BY id(n) LIMIT 3 SET n:A, n.k = 7",
    "MATCH (n) WITH n ORDER BY id(n) LIMIT 4 SET n.k = 'seven', n.f = 0.5 REMOVE n.s",
    "MATCH (n:B) SET n.k = 3 REMOVE n.l",
    "MATCH (n) WITH n ORDER BY id(n) LIMIT 1 REMOVE n:A SET n = {x: 1}",
    "MATCH ()-[r:T]->() WITH r ORDER BY id(r) LIMIT 3 SET r.w = 2, r.n = 'new'",
    "MATCH ()-[r]->() WITH r ORDER BY id(r) DESC LIMIT 4 DELETE r",
    "MATCH ()-[r:T]->() WITH r ORDER BY id(r) LIMIT 2 SET r.w = null",
    "MATCH (n) DETACH DELETE n",
)
_step = st.sampled_from((*STATEMENTS, "ask", "merge", "undo", "undo"))


def agree(database: Embedded, image: GraphImage, version: int) -> bool:
    """Whether the image answers at a version; what it answers must be what the record says."""
    view = image.view(version, 1 << 40)
    if view is None:
        return False
    snapshot = GraphSnapshot(database.service.database.state, version)
    found = list(differences(view, snapshot, lambda: None))
    assert not found, f"version {version}: {found[:5]}"
    return True


def _merge_all(image: GraphImage) -> None:
    while image.tend():
        pass


@pytest.fixture(params=[1, 3, 10_000], ids="merge{}".format)
def small_merges(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_module, "CHANGES_MIN", request.param)
    monkeypatch.setattr(merge_module, "CHAINED_MIN", request.param)
    monkeypatch.setattr(merge_module, "_SHARE", 1_000_000)


@pytest.mark.usefixtures("small_merges")
def test_random_histories() -> None:
    @given(st.lists(_step, min_size=1, max_size=14), st.randoms(use_true_random=False))
    @settings(max_examples=25, deadline=None)
    def run(steps: list[str], chance: random.Random) -> None:
        with Embedded() as database:
            image = GraphImage(database.service.database.state)
            for step in steps:
                if step == "ask":
                    assert agree(database, image, database.version)
                elif step == "merge":
                    _merge_all(image)
                elif step == "undo" and database.version:
                    # brings back to life what was deleted
                    database.execute(f"FLASHBACK TRANSACTION {database.version} FORCE")
                elif step != "undo":
                    database.execute(step)
            assert agree(database, image, database.version)
            versions = list(range(database.version + 1))
            chance.shuffle(versions)
            for version in versions:
                assert agree(database, image, version)
                if chance.random() < 0.3:
                    _merge_all(image)
            assert image.held == (0, database.version)

    run()


def test_readers_beside_a_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_module, "CHANGES_MIN", 20)
    monkeypatch.setattr(merge_module, "CHAINED_MIN", 20)
    chance = random.Random(7)
    with Embedded() as database:
        for _ in range(5):
            database.execute(chance.choice(STATEMENTS[:6]))
        image = GraphImage(database.service.database.state)
        assert agree(database, image, database.version)
        done, problems = Event(), []

        def read(seed: int) -> None:
            own = random.Random(seed)
            try:
                while not done.is_set():
                    version = own.randint(0, database.version)
                    agree(database, image, version)
            except BaseException as error:
                problems.append(error)

        def merge() -> None:
            try:
                while not done.is_set():
                    image.tend()
            except BaseException as error:
                problems.append(error)

        threads = [Thread(target=read, args=(seed,)) for seed in (1, 2)]
        threads.append(Thread(target=merge))
        for thread in threads:
            thread.start()
        for _ in range(60):
            database.execute(chance.choice(STATEMENTS[:-1]))
        done.set()
        for thread in threads:
            thread.join()
        assert not problems, problems[0]
        assert agree(database, image, database.version)


def test_memory_is_bounded_and_given_back() -> None:
    with Embedded() as database:
        database.execute("UNWIND range(1, 1000) AS i CREATE (:A {s: 'text ' + i})")
        state = database.service.database.state
        assert GraphImage(state, 1_000).view(database.version, 1 << 40) is None
        image = GraphImage(state, 1 << 20)
        assert agree(database, image, database.version)
        assert sum(image.by_kind.values()) == image.bytes
        assert 0 < image.bytes < 1 << 20
        database.execute("UNWIND range(1, 30000) AS i CREATE (:A {s: 'text ' + i})")
        assert image.view(database.version, 1 << 40) is None
        assert image.held is None
        assert image.bytes == 0


def test_what_a_view_held_is_given_back_at_once() -> None:
    with Embedded() as database:
        database.execute("UNWIND range(1, 100) AS i CREATE (:A)-[:T {i: i}]->(:B)")
        image = GraphImage(database.service.database.state)
        gc.disable()
        try:
            assert agree(database, image, 1)
            image._near.forget()
            assert image.bytes == 0
        finally:
            gc.enable()


def test_a_small_question_causes_no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    with Embedded() as database:
        database.execute("UNWIND range(1, 1000) AS i CREATE (:A {i: i})")
        image = GraphImage(database.service.database.state)
        assert image.view(database.version, 10) is None
        assert not image.tend()
        monkeypatch.setattr(holder_module, "IMAGE_SMALL_ELEMENTS", 100)
        # a part of a large graph each: read in the background once there are enough of them
        assert all(image.view(database.version, 200) is None for _ in range(3))
        assert image.due()
        assert image.tend()
        assert agree(database, image, database.version)


def test_a_question_about_all_of_a_large_graph_reads_it_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Embedded() as database:
        database.execute("UNWIND range(1, 1000) AS i CREATE (:A {i: i})")
        monkeypatch.setattr(holder_module, "IMAGE_SMALL_ELEMENTS", 100)
        image = GraphImage(database.service.database.state)
        assert image.view(database.version, 1 << 40) is not None


def test_columns_of_a_transaction() -> None:
    with Embedded() as database:
        database.execute("UNWIND range(1, 10) AS i CREATE (:A {i: i})")
        core = database.service.database
        view = core.snapshot(core.version).columns(1 << 40)
        assert view is not None
        assert view.version == core.version
        assert view is core.snapshot(core.version).columns(0)


def test_the_past_is_reached_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder_module, "IMAGE_FOLLOW_VERSIONS_MAX", 4)
    with Embedded() as database:
        for i in range(30):
            database.execute("CREATE (:A {i: $i})-[:T]->(:B)", {"i": i})
        image = GraphImage(database.service.database.state)
        assert agree(database, image, database.version)
        assert image.view(3, 10) is None
        assert image.due()
        while image.tend():
            pass
        assert image.held == (3, 30)
        assert not image.due()
        for version in range(3, 31):
            assert agree(database, image, version)
        for i in range(10):
            database.execute("CREATE (:A {i: $i})", {"i": i})
        assert image.view(database.version, 10) is None
        while image.tend():
            pass
        assert agree(database, image, database.version)
        # who would look at much does that work at once
        assert agree(database, GraphImage(database.service.database.state), 0)


def test_what_ended_is_left_out_for_the_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_module, "CHAINED_MIN", 5)
    with Embedded() as database:
        database.execute("UNWIND range(1, 50) AS i CREATE (:A)-[:T]->(:B)")
        image = GraphImage(database.service.database.state)
        assert agree(database, image, 1)
        database.execute("MATCH ()-[r]->() WITH r ORDER BY id(r) LIMIT 40 DELETE r")
        assert agree(database, image, 2)
        view = image.view(2, 0)
        assert view is not None
        _merge_all(image)
        before = view.table(0).adjacency(outgoing=True)
        assert agree(database, image, 1)
        database.execute("MATCH (a:A), (b:B) WITH a, b LIMIT 3 CREATE (a)-[:T]->(b)")
        assert agree(database, image, 3)
        newest = image.view(3, 0)
        assert newest is not None
        adjacency = newest.table(0).adjacency(outgoing=True)
        assert (len(before.edges), len(adjacency.edges), len(adjacency.ends)) == (50, 10, 0)
        for version in (2, 1, 3, 0):
            assert agree(database, image, version)


def test_what_contradicts_the_journal_is_thrown_away_and_told() -> None:
    with Embedded() as database:
        database.execute("CREATE (:A)-[:T]->(:B)")
        image = GraphImage(database.service.database.state)
        view = image.view(1, 1 << 40)
        assert view is not None
        view.content.tables[0].ends[0] = 0
        database.execute("MATCH ()-[r]->() SET r.w = 1")
        assert image.view(2, 1 << 40) is None
        assert image.due()
        with pytest.raises(ImageLost, match="relationship 0"):
            image.tend()
        assert not image.tend()
        assert agree(database, image, 2)


def test_what_goes_while_the_past_is_read_in_the_background_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Vacuum may come between a commit's record and its pieces."""
    monkeypatch.setattr(holder_module, "IMAGE_FOLLOW_VERSIONS_MAX", 4)
    with Embedded() as database:
        for i in range(20):
            database.execute("CREATE (:A {i: $i})-[:T]->(:B)", {"i": i})
        image = GraphImage(database.service.database.state)
        assert agree(database, image, database.version)
        assert image.view(3, 10) is None
        with monkeypatch.context() as patch:
            patch.setattr(follow_module, "steps_of", _gone)
            assert image.tend()
        with pytest.raises(ImageLost, match="piece 0"):
            image.tend()
        _merge_all(image)
        assert agree(database, image, database.version)


def _gone(*_: object) -> Iterator[Step]:
    raise CorruptData("piece 0 of commit 7 is missing")


def test_what_nobody_may_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (merge_module, forget_module):
        monkeypatch.setattr(module, "CHANGES_MIN", 1)
    chance = random.Random(3)
    with Embedded() as database:
        state = database.service.database.state
        image = GraphImage(state)
        for number in range(60):
            database.execute(STATEMENTS[number % 4] if number < 8 else chance.choice(STATEMENTS))
            assert agree(database, image, database.version)
        held = image.held
        assert held is not None
        before = image.by_kind["changes"]
        oldest = database.version - 10
        state.publish(structs.replace(state.current.head, oldest_version=oldest))
        _merge_all(image)
        assert image.held == (oldest, database.version)
        assert image.by_kind["changes"] < before
        assert image.view(oldest - 1, 1 << 40) is None
        for _ in range(5):
            database.execute(chance.choice(STATEMENTS))
        for version in range(oldest, database.version + 1):
            assert agree(database, image, version)
