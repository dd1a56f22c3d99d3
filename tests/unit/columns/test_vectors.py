"""Vector indexes through versions: against comparing with everything, at every version."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everwhen.columns import following as module
from everwhen.columns.hnsw import Sealed
from everwhen.columns.vectors import Vectors
from everwhen.columns.vectors_table import FOREVER, VectorTable
from everwhen.errors import (
    ConstraintViolation,
    IndexNotFound,
    QueryArgumentError,
    ShuttingDown,
)
from everwhen.limits import IMAGE_BYTES_DEFAULT
from everwhen.model.graph import Wanted
from everwhen.model.vector_index import VectorConfig
from everwhen.mvcc.nearest import prepared
from everwhen.runtime.embedded import Embedded

DIMENSIONS = 3
Found = list[tuple[int, float]]

_coordinate = st.integers(-3, 3).map(float)
_vector = st.lists(_coordinate, min_size=DIMENSIONS, max_size=DIMENSIONS).filter(any)
_step = st.one_of(
    st.tuples(st.just("create"), st.integers(0, 9), _vector),
    st.tuples(st.just("set"), st.integers(0, 9), _vector),
    st.tuples(st.sampled_from(("delete", "unset", "label", "unlabel")), st.integers(0, 9)),
    st.tuples(st.just("seal"), st.just(0)),
    st.tuples(st.just("many"), _vector),
)
_TEXTS = {
    "create": "MERGE (n:K {k: $k}) SET n:D, n.e = $e",
    "set": "MATCH (n:K {k: $k}) SET n.e = $e",
    "delete": "MATCH (n:K {k: $k}) DETACH DELETE n",
    "unset": "MATCH (n:K {k: $k}) REMOVE n.e",
    "label": "MATCH (n:K {k: $k}) SET n:D",
    "unlabel": "MATCH (n:K {k: $k}) REMOVE n:D",
    "many": "UNWIND range(0, 3) AS k MERGE (n:K {k: k}) SET n:D, n.e = $e",
}


def _nothing() -> None:
    """Nobody counts."""


def index(db: Embedded, metric: str = "euclidean", dimensions: int = DIMENSIONS) -> None:
    db.execute(
        "CREATE VECTOR INDEX v FOR (n:D) ON (n.e) OPTIONS {indexConfig: $c}",
        {"c": {"vector.dimensions": dimensions, "vector.similarity_function": metric}},
    )


def score(metric: str, a: list[float], b: list[float]) -> float:
    """By the book."""
    if metric == "euclidean":
        return 1 / (1 + math.dist(a, b) ** 2)
    product = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return (1 + (product if metric == "dot" else product / math.hypot(*a) / math.hypot(*b))) / 2


def expected(db: Embedded, metric: str, query: list[float], version: int) -> Found:
    """Everything the record holds at a version, best first."""
    rows = []
    for node in db.service.database.snapshot(version).nodes_with_label("D"):
        value = node.properties.get("e")
        if value is not None:
            rows.append((node.id, score(metric, value, query)))
    return sorted(rows, key=lambda one: (-one[1], one[0]))


def same(found: Found, wanted: Found, most: int) -> None:
    """The same likenesses, of things that have them."""
    assert len(found) == min(most, len(wanted))
    assert [s for _, s in found] == pytest.approx([s for _, s in wanted[:most]], abs=1e-5)
    by_id = dict(wanted)
    assert len({entity for entity, _ in found}) == len(found)
    for entity, value in found:
        assert value == pytest.approx(by_id[entity], abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(_step, min_size=1, max_size=25),
    _vector,
    st.sampled_from(("cosine", "euclidean", "dot")),
    st.integers(1, 6),
    st.booleans(),
)
def test_every_version_answers_what_was_nearest_then(
    steps: list[tuple[Any, ...]], query: list[float], metric: str, most: int, follows: bool
) -> None:
    with Embedded() as db:
        index(db, metric)
        vectors = hold(db, tail_min=2, follow_max=50 if follows else 4)
        for step in steps:
            if step[0] == "seal":
                ask(db, query, most)
                while vectors.tend():
                    pass
            elif step[0] == "many":
                db.execute(_TEXTS["many"], {"e": step[1]})
            else:
                db.execute(_TEXTS[step[0]], dict(zip(("k", "e"), step[1:], strict=False)))
        for version in range(db.version, -1, -1):
            wanted = expected(db, metric, query, version)
            for exact in (True, False):
                same(ask(db, query, most, version, exact=exact), wanted, most)


def ask(
    db: Embedded, query: list[float], most: int, version: int | None = None, *, exact: bool = False
) -> Found:
    at = db.version if version is None else version
    return db.service.database.snapshot(at).nearest("v", query, Wanted(most, exact, _nothing))


class _Untended:
    """Vectors that the database's own background leaves alone."""

    def __init__(self, vectors: Vectors) -> None:
        self.nearest = vectors.nearest

    def tend(self) -> bool:
        return False

    def interrupt(self) -> None:
        """Nothing runs."""

    def forget(self) -> None:
        """Nothing is erased."""


def hold(
    db: Embedded,
    bytes_max: int = IMAGE_BYTES_DEFAULT,
    *,
    tail_min: int = 2_000,
    follow_max: int = 2_000,
) -> Vectors:
    """Vectors that answer for a database, and that only the test tends."""
    state = db.service.database.state
    vectors = Vectors(state, bytes_max, tail_min=tail_min, follow_max=follow_max)
    state.vectors = _Untended(vectors)
    return vectors


def clustered(rows: int, dimensions: int, seed: int = 7) -> np.ndarray:
    """Vectors that lie in groups, as those of texts and pictures do."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(rows // 40, 1), dimensions))
    vectors = centres[random.integers(0, len(centres), rows)]
    return (vectors + 0.6 * random.normal(size=vectors.shape)).astype(np.float32)


def recall(table: VectorTable, queries: np.ndarray, version: int) -> float:
    hits = 0
    for query in queries:
        view = table.view()
        exact = {one for one, _ in view.nearest(query, 10, version, exact=True)}
        hits += len(exact & {one for one, _ in view.nearest(query, 10, version, exact=False)})
    return hits / (10 * len(queries))


def test_recall_stays_when_half_is_deleted_or_moved_and_at_past_versions() -> None:
    config = VectorConfig(32)
    data = np.array([prepared(config, row) for row in clustered(4_000, 32)])
    queries = data[:100] + np.float32(0.01)
    table = VectorTable(config, 0)
    for entity, row in enumerate(data):
        table.note(1 + entity // 1_000, entity, row)
    start, end = table.due(2_000) or (0, 0)
    assert (start, end) == (0, 4_000)
    table.seal(start, Sealed(config, table.rows(start, end)))
    assert recall(table, queries, 4) >= 0.95
    for entity in range(0, 4_000, 4):
        table.note(5, entity, None)
        table.note(6, entity + 1, data[entity])
    for version in (1, 2, 3, 4, 5, 6):
        assert recall(table, queries, version) >= 0.95, version


def test_parts_are_merged_and_searches_that_began_before_go_on() -> None:
    config = VectorConfig(4, "euclidean")
    table = VectorTable(config, 0)
    before = table.view()
    for round_ in range(6):
        for entity in range(10):
            table.note(round_ + 1, round_ * 10 + entity, np.full(4, round_ + entity / 10, "f"))
        due = table.due(10)
        if due is not None:
            table.seal(due[0], Sealed(config, table.rows(*due)))
        assert len(table.parts) <= 2
    assert before.nearest(np.zeros(4, "f"), 3, 9, exact=False) == []
    found = table.view().nearest(np.zeros(4, "f"), 3, FOREVER - 1, exact=False)
    assert [entity for entity, _ in found] == [0, 1, 2]


def test_searches_while_another_thread_seals_and_others_write() -> None:
    with Embedded() as db:
        index(db)
        vectors = hold(db, tail_min=4, follow_max=20)
        done = Event()

        def tend() -> None:
            while not done.is_set():
                vectors.tend()

        with ThreadPoolExecutor(2) as pool:
            tending = [pool.submit(tend) for _ in range(2)]
            try:
                for step in range(120):
                    vector = [step % 7, step % 5, 1.0]
                    text = _TEXTS["delete" if step % 6 == 5 else "create"]
                    db.execute(text, {"k": step % 17, "e": vector})
                    version = max(db.version - step % 9, 0)
                    wanted = expected(db, "euclidean", [1.0, 1, 1], version)
                    same(ask(db, [1.0, 1, 1], 4, version), wanted, 4)
            finally:
                done.set()
            for one in tending:
                one.result()


def test_relationships_are_found_at_every_version() -> None:
    with Embedded() as db:
        db.execute(
            "CREATE VECTOR INDEX v FOR ()-[r:R]-() ON (r.e) OPTIONS {indexConfig: $c}",
            {"c": {"vector.dimensions": 2, "vector.similarity_function": "euclidean"}},
        )
        text = "CALL db.index.vector.queryRelationships('v', 9, [0, 0]) YIELD relationship AS r "
        answers: dict[int, list[Any]] = {0: []}
        for statement in (
            "CREATE (:A)-[:R {k: 1, e: [1, 0]}]->(:B)-[:S {k: 9, e: [0]}]->(:A)",
            "MATCH (a:A), (b:B) CREATE (a)-[:R {k: 2, e: [2, 0]}]->(b)",
            "MATCH ()-[r:R {k: 1}]->() SET r.e = [3, 0], r.x = 1",
            "MATCH ()-[r:R {k: 2}]->() REMOVE r.e",
            "MATCH ()-[r:R {k: 1}]->() DELETE r",
        ):
            db.execute(statement)
            found = db.execute("MATCH ()-[r:R]->() WHERE r.e IS NOT NULL RETURN r.k ORDER BY r.e")
            answers[db.version] = sorted(found.rows, key=str)
        for version, rows in answers.items():
            found = db.execute(f"{text} RETURN r.k AS k AT VERSION {version}")
            assert sorted(found.rows, key=str) == rows, version


def test_memory_above_its_bound_is_given_back_and_the_record_answers() -> None:
    with Embedded() as db:
        index(db)
        db.execute("UNWIND range(1, 500) AS i CREATE (:D {e: [i, 0, 0]})")
        vectors = hold(db, 10_000)
        found = ask(db, [3.2, 0, 0], 1)
        assert vectors.bytes == 0
        assert not vectors.tend()
        assert found == ask(db, [3.2, 0, 0], 1)
        assert found[0][1] == pytest.approx(1 / (1 + 0.04), abs=1e-5)


def test_a_table_that_is_mostly_history_begins_anew() -> None:
    with Embedded() as db:
        index(db)
        vectors = hold(db, tail_min=3)
        db.execute("CREATE (:D {e: [0, 0, 1]})")
        for step in range(12):
            db.execute("MATCH (n:D) SET n.e = [$s, 0, 1]", {"s": step})
        assert len(ask(db, [0, 0, 0], 9)) == 1
        assert vectors.unsealed == 12
        while vectors.tend():
            pass
        assert vectors.unsealed == 1
        for version in range(db.version + 1):
            same(ask(db, [0, 0, 0], 9, version), expected(db, "euclidean", [0, 0, 0], version), 9)


def test_what_has_no_room_for_a_graph_is_compared() -> None:
    with Embedded() as db:
        index(db)
        db.execute("UNWIND range(1, 200) AS i CREATE (:D {e: [i, 0, 0]})")
        vectors = hold(db, 50_000, tail_min=10)
        found = ask(db, [3.2, 0, 0], 1)
        assert not vectors.tend()
        assert vectors.unsealed == 200
        vectors = hold(db, 500_000, tail_min=10)
        assert ask(db, [3.2, 0, 0], 1) == found
        assert vectors.tend()
        assert vectors.unsealed == 0
        assert ask(db, [3.2, 0, 0], 1) == found


def test_a_large_transaction_is_followed() -> None:
    with Embedded() as db:
        index(db)
        db.execute("CREATE (:D {e: [1, 0, 0]})")
        assert len(ask(db, [0, 0, 1], 5_000)) == 1
        db.execute("UNWIND range(1, 3000) AS i CREATE (:D {e: [i, 0, 0]})")
        assert len(ask(db, [0, 0, 1], 5_000)) == 3_001
        assert len(ask(db, [0, 0, 1], 5_000, db.version - 1)) == 1


def test_what_is_sealed_ends_when_the_node_does() -> None:
    with Embedded() as db:
        index(db)
        db.execute("UNWIND range(1, 20) AS i CREATE (:D {e: [i, 0, 0]})")
        vectors = hold(db, tail_min=2)
        ask(db, [1, 1, 1], 1)
        vectors.interrupt()
        with pytest.raises(ShuttingDown):
            vectors.tend()


def test_a_dropped_index_is_forgotten() -> None:
    with Embedded() as db:
        index(db)
        vectors = hold(db)
        db.execute("CREATE (:D {e: [1, 0, 0]})")
        ask(db, [1, 0, 0], 1)
        assert vectors.bytes > 0
        db.execute("DROP INDEX v")
        assert not vectors.tend()
        assert vectors.bytes == 0
        with pytest.raises(IndexNotFound):
            ask(db, [1, 0, 0], 1)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([1, 2], "2 dimensions, not 3"),
        ([1, 2, math.nan], "no finite number"),
        ([1, 2, 1e39], "no finite number"),
        ([0, 0, 0], "length is 0"),
        ("text", "no vector"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(value: Any, says: str) -> None:
    with Embedded() as db:
        index(db, "cosine")
        before = db.version
        with pytest.raises(ConstraintViolation, match=says):
            db.execute("CREATE (:D {e: $v})", {"v": value})
        assert db.version == before
        if type(value) is list:
            with pytest.raises(QueryArgumentError, match=says):
                ask(db, value, 1)


def test_what_the_journal_does_not_tell_is_found_in_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Embedded() as db:
        index(db)
        vectors = hold(db, tail_min=2)
        db.execute("UNWIND range(1, 20) AS i CREATE (:D {k: i, e: [i, 0, 0]})")
        ask(db, [1, 1, 1], 1)
        while vectors.tend():
            pass
        first = db.version
        db.execute("MATCH (n:D {k: 3}) SET n.e = [0, 0, 7]")
        db.execute(
            "MATCH (n:D) WHERE n.k % 2 = 0 WITH n, n.k AS k DELETE n CREATE (:D {k: 0, e: [1, 2, k]})"
        )
        db.execute("MATCH (n:D {k: 5}) DELETE n")
        silent = first + 2
        monkeypatch.setattr(module, "says_all", lambda _, version: version != silent)
        for version in (db.version, first, first + 1, silent, db.version - 1):
            for most in (3, 60):
                wanted = expected(db, "euclidean", [3.0, 0.5, 0], version)
                same(ask(db, [3.0, 0.5, 0], most, version), wanted, most)
        assert 0 < vectors.unsealed < 20
