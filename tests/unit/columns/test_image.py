"""The image against the record: counts and scans at every version, whatever the history."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everwhen.columns import image as image_module
from everwhen.columns import members as members_module
from everwhen.columns.image import Image
from everwhen.columns.members import Members
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.runtime.embedded import Embedded

LABELS = (None, "A", "B")
STATEMENTS = (
    "CREATE (:A)",
    "CREATE (:A:B), (:B), ()",
    "UNWIND range(1, 20) AS i CREATE (:B {i: i})",
    "MATCH (n:A) WITH n ORDER BY id(n) LIMIT 1 DETACH DELETE n",
    "MATCH (n:B) WITH n ORDER BY id(n) DESC LIMIT 2 REMOVE n:B SET n:A",
    "MATCH (n) WITH n ORDER BY id(n) LIMIT 3 SET n:A",
    "MATCH (n) WITH n ORDER BY id(n) LIMIT 1 REMOVE n:A SET n.x = 1",
)


def _all(ids: list[int], _version: int) -> Iterator[int]:
    return iter(ids)


def _compare(database: Embedded, image: Image, versions: range) -> None:
    """What the image answers is what the record says, and it does answer at the newest."""
    state = database.service.database.state
    for version in versions:
        snapshot = GraphSnapshot(state, version)
        for label in LABELS:
            token = None if label is None else state.tokens.labels.find(label)
            if label is not None and token is None:
                continue

            def read(at: int, token: int | None = token) -> Iterator[int]:
                entities = GraphSnapshot(state, at).entities
                return entities.node_ids() if token is None else entities.labelled(token)

            entities = snapshot.entities
            if token is None:
                expected = [node for node, _ in entities.nodes()]
            else:
                expected = [node for node, one in entities.nodes() if token in one.label_tokens]
            count = image.count(token, version, read)
            ids = image.ids(token, version)
            assert list(read(version)) == expected
            assert count is None or count == len(expected)
            assert ids is None or ids.tolist() == expected
            if version == versions[-1]:
                assert count is not None


@given(st.lists(st.sampled_from((*STATEMENTS, None)), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_random_histories(steps: list[str | None]) -> None:
    """``None``: the image is asked meanwhile, so that columns begin at different versions."""
    with Embedded() as database:
        image = Image(database.service.database.state)
        for step in steps:
            if step is None:
                _compare(database, image, range(database.version, database.version + 1))
            else:
                database.execute(step)
        _compare(database, image, range(database.version, database.version + 1))
        _compare(database, image, range(database.version + 1))


@pytest.mark.parametrize(("name", "value"), [("_FOLD_FROM", 3), ("_FOLD_SHARE", 10_000)])
def test_folding_changes_nothing(name: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members_module, "_FOLD_FROM", 3)
    monkeypatch.setattr(members_module, name, value)
    column = Members(range(0, 100, 2), 5)
    there = set(range(0, 100, 2))
    snapshots = {5: sorted(there)}
    for version in range(6, 60):
        node = version * 7 % 31
        present = node not in there
        there.symmetric_difference_update({node})
        column.note(version, node, present)
        column.fold()
        snapshots[version] = sorted(there)
    for version in range(column.base, 60):
        assert column.ids(version).tolist() == snapshots[version]
        assert column.count(version) == len(snapshots[version])
    assert column.base > 5


def test_what_cannot_be_followed_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_module, "IMAGE_FOLLOW_VERSIONS_MAX", 2)
    with Embedded() as database:
        image = database.service.database.image
        text = "MATCH (n) RETURN count(n)"
        assert database.execute(text).rows == [[0]]
        for _ in range(5):
            database.execute("CREATE (:A)")
        assert database.execute(text).rows == [[5]]
        assert image.ids(None, 0) is None
        ids = image.ids(None, database.version)
        assert ids is not None
        assert len(ids) == 5


def test_memory_stays_within_the_bound() -> None:
    with Embedded() as database:
        database.execute("UNWIND range(1, 100) AS i CREATE (:A), (:B)")
        image = Image(database.service.database.state, 1_000)
        entities = GraphSnapshot(database.service.database.state).entities
        tokens = database.service.database.state.tokens.labels
        for label in ("A", "B"):
            token = tokens.ids[label]
            ids = list(entities.labelled(token))
            assert image.count(token, 1, partial(_all, ids)) == 100
            assert image.bytes == 800
        assert image.ids(tokens.ids["A"], 1) is None
        assert image.ids(tokens.ids["B"], 1) is not None
        assert image.count(None, 1, lambda _: entities.node_ids()) is None


def test_a_reader_that_is_stopped_leaves_nothing_behind() -> None:
    with Embedded() as database:
        database.execute("CREATE (:A)")
        image = Image(database.service.database.state)

        def broken(_: int) -> Iterator[int]:
            yield 1
            raise TimeoutError

        with pytest.raises(TimeoutError):
            image.count(None, 1, broken)
        assert image.bytes == 0
        assert image.count(None, 1, lambda _: iter((1,))) == 1


def test_counts_show_own_writes_and_the_past() -> None:
    with Embedded() as database:
        session = database.session()
        database.execute("CREATE (:A), (:B)")
        assert database.execute("MATCH (n:A) RETURN count(n)").rows == [[1]]
        session.run("BEGIN")
        session.run("CREATE (:A)")
        assert session.run("MATCH (n:A) RETURN count(*)").rows == [[2]]
        assert session.run("MATCH (n) RETURN count(*), count(n)").rows == [[3, 3]]
        assert database.execute("MATCH (n:A) RETURN count(n)").rows == [[1]]
        session.run("COMMIT")
        assert database.execute("MATCH (n:A) RETURN count(n)").rows == [[2]]
        assert database.execute("MATCH (n:A) RETURN count(n) AT VERSION 1").rows == [[1]]
        doubled = "UNWIND [1, 2] AS x MATCH (n:A) RETURN count(n), count(DISTINCT n)"
        assert database.execute(doubled).rows == [[4, 2]]
        assert database.execute("UNWIND [1, 2] AS x MATCH (:A) RETURN count(*)").rows == [[4]]
        session.close()
