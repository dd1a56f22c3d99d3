"""The image of the graph over bulk loads, large transactions and things brought back to life."""

from __future__ import annotations

import random

import numpy as np
import pytest

from everwhen.columns.graph import far as far_module
from everwhen.columns.graph import merge as merge_module
from everwhen.columns.graph.check import differences
from everwhen.columns.graph.image import GraphImage
from everwhen.txn import commands as c
from everwhen.txn.bulk import BulkLoad
from tests.unit.apply.harness import Database, origin_of
from tests.unit.apply.naive import Graph
from tests.unit.txn.test_bulk import load, set_property


def agree(db: Database, image: GraphImage, version: int) -> None:
    view = image.view(version, 1 << 40)
    assert view is not None
    found = list(differences(view, db.view(version), lambda: None))
    assert not found, f"version {version}: {found[:5]}"


def change(db: Database, chance: random.Random, graph: Graph, *, chunked: bool) -> None:
    """A transaction over what loads and others made."""
    t = db.begin()
    nodes = list(db.view().nodes())
    for node in chance.sample([one.id for one in nodes], min(4, len(nodes))):
        match chance.randrange(5):
            case 0:
                set_property(t, t.node(node), "x", chance.randrange(3))
            case 1:
                t.add_labels(node, ["B"])
                t.remove_labels(node, ["A"])
            case 2:
                other = t.create_node(["A", "C"], {"x": 1.5, "z": "new"})
                t.create_relationship(node, "R", other.id, {"y": 7})
            case _:
                relationships = [one.id for one in db.view().relationships()]
                for one in chance.sample(relationships, min(2, len(relationships))):
                    if chance.random() < 0.5:
                        t.delete_relationship(one)
                    elif t.has_relationship(one):
                        set_property(t, t.relationship(one), "y", chance.randrange(9))
    if t.has_writes:
        db.commit(t, chunked=chunked)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("merged", [3, 100_000])
def test_segments_and_pieces(seed: int, merged: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_module, "CHANGES_MIN", merged)
    monkeypatch.setattr(merge_module, "CHAINED_MIN", merged)
    chance = random.Random(seed)
    db, graph = Database(), Graph()
    images = [GraphImage(db.state)]
    assert images[0].view(0, 1 << 40) is not None
    for number in range(12):
        if number in (1, 6):
            load(db, seed + number, graph, label="A")
        else:
            change(db, chance, graph, chunked=chance.random() < 0.5)
        if number % 4 == 2:
            db.fold()
        if number in (2, 7):
            images.append(GraphImage(db.state))
            agree(db, images[-1], db.view().version)
        if chance.random() < 0.5:
            agree(db, images[0], db.view().version)
    images.append(GraphImage(db.state))
    newest = db.view().version
    for image in images:
        agree(db, image, newest)
        for version in chance.sample(range(newest + 1), newest + 1):
            agree(db, image, version)
            while chance.random() < 0.5 and image.tend():
                pass
        assert image.held == (0, newest)
    # read as of then, each of them
    monkeypatch.setattr(far_module, "IMAGE_FAR_CHANGES_MIN", 0)
    monkeypatch.setattr(far_module, "reading", lambda *_: 0.0)
    for version in range(newest):
        image = GraphImage(db.state)
        agree(db, image, version)
        assert image.far.holder.held == (version, version)


def test_an_element_of_a_segment_changed_and_deleted_in_the_same_load() -> None:
    db = Database()
    images = [GraphImage(db.state)]
    agree(db, images[0], 0)
    begun = db.do(c.BeginChunks(c.FORMAT, 0, 0, origin_of()))
    bulk = BulkLoad(begun.transaction)
    for chunk in bulk.nodes(["A"], 0, 4, {"x": [0, "one", 2, 3]}):
        db.do(chunk)
    ends = (np.array([0, 1], np.int64), np.array([1, 2], np.int64))
    for chunk in bulk.relationships("R", 0, *ends, {}):
        db.do(chunk)
    mutations: list[c.AnyMutation] = [
        c.ChangeNode(3, {1: b"\x09"}),
        c.ChangeLabels(3, [2], [0]),
        c.DeleteRelationship(0),
        c.DeleteNode(0),
    ]
    db.do(c.Chunk(c.FORMAT, begun.transaction, 2, ["A", "x", "B"], mutations, [], c.Checks()))
    db.do(c.CommitChunks(c.FORMAT, db.tick(), begun.transaction, 3))
    images.append(GraphImage(db.state))
    for image in images:
        for version in (1, 0, 1):
            agree(db, image, version)
