"""Random concurrent transactions against plain dictionaries: every answer, at every version.

The dictionaries also say who must conflict: the first to commit wins what both wrote.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everwhen import limits
from everwhen.apply import detaching
from everwhen.errors import TransactionConflict
from everwhen.model.elements import Relationship
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.verify import verify
from everwhen.storage.rocks import RocksStore
from everwhen.txn.transaction import Transaction
from tests.unit.apply.harness import Database
from tests.unit.apply.naive import KEYS, LABELS, TYPES, VALUES, Graph, compare

Op = tuple[Any, ...]


@dataclass
class Open:
    """A transaction, what it should see, and what it did."""

    transaction: Transaction
    graph: Graph
    version: int
    ops: list[Op] = field(default_factory=list)
    written: set[tuple[Any, ...]] = field(default_factory=set)


class History:
    """Plays random steps on a database and on dictionaries."""

    def __init__(self, seed: int, database: Database) -> None:
        self.random = random.Random(seed)
        self.db = database
        self.versions: list[Graph] = [Graph()]
        self.writes: list[set[tuple[Any, ...]]] = [set()]
        self.open: list[Open] = []
        self.indexes: list[tuple[str, str, str]] = []
        self.commits = self.conflicts = 0

    # --- steps ---

    def step(self) -> None:
        kind = self.random.choices(
            ("begin", "write", "look", "commit", "rollback", "fold", "reopen", "index"),
            (4, 20, 3, 4, 1, 1, 0.3, 0.3),
        )[0]
        if kind == "begin" and len(self.open) < 3:
            self.begin()
        elif kind == "fold":
            self.db.fold(self.random.choice((1, 3, 1_000)))
        elif kind == "reopen" and not self.open:
            self.db.open()
        elif kind == "index" and len(self.indexes) < 2:
            self.index()
        elif self.open:
            one = self.random.choice(self.open)
            getattr(self, kind if kind in ("write", "look", "commit", "rollback") else "write")(one)

    def begin(self) -> None:
        version = len(self.versions) - 1
        graph = self.versions[-1].copy()
        self.open.append(Open(self.db.begin(), graph, version))

    def index(self) -> None:
        label, key = self.random.choice(LABELS), self.random.choice(KEYS)
        if (f"i_{label}_{key}", label, key) not in self.indexes:
            self.db.create_index(label, key, name=f"i_{label}_{key}")
            self.indexes.append((f"i_{label}_{key}", label, key))

    def look(self, one: Open) -> None:
        compare(one.transaction, one.graph, self.indexes)

    def rollback(self, one: Open) -> None:
        self.open.remove(one)

    def commit(self, one: Open) -> None:
        self.open.remove(one)
        for node in {op[1] for op in one.ops if op[0] == "delete_node"}:
            for left in one.graph.at(node):
                self.apply(one, ("delete_relationship", left))
        expected = self.conflict(one)
        before = self.db.state.current.head.version
        try:
            if one.transaction.has_writes:
                self.db.commit(one.transaction, chunked=self.random.random() < 0.3)
        except TransactionConflict:
            assert expected, f"no conflict was expected: {one.written}"
            self.conflicts += 1
            assert self.db.state.current.head.version == before
            return
        assert not expected, f"a conflict was expected: {expected}"
        if self.db.state.current.head.version == before:
            return
        graph = self.versions[-1].copy()
        for op in one.ops:
            play(graph, op)
        self.versions.append(graph)
        self.writes.append(one.written)
        self.commits += 1

    def conflict(self, one: Open) -> set[tuple[Any, ...]]:
        """What others wrote since that this one's writes cannot stand."""
        found = set()
        for theirs in self.writes[one.version + 1 :]:
            for mine in one.written:
                for other in theirs:
                    if other[0] == "end" and other[2] not in self.versions[-1].relationships:
                        continue  # the relationship came and went
                    if clashes(mine, other):
                        found.add((mine, other))
        return found

    # --- writes ---

    def write(self, one: Open) -> None:
        op = self.choose(one.graph)
        if op is not None:
            self.apply(one, op)

    def choose(self, graph: Graph) -> Op | None:
        pick = self.random.choice
        kind = pick(
            ("node", "node", "rel", "rel", "set", "set", "label", "relset", "del", "delrel")
        )
        nodes, relationships = sorted(graph.nodes), sorted(graph.relationships)
        value = pick(VALUES)
        if kind == "node":
            labels = [label for label in LABELS if self.random.random() < 0.4]
            return "create_node", labels, {key: pick(VALUES) for key in KEYS}
        if kind == "rel" and nodes:
            return "create_relationship", pick(nodes), pick(TYPES), pick(nodes), {"x": value}
        if kind == "set" and nodes:
            return "set_node", pick(nodes), pick(KEYS), value
        if kind == "label" and nodes:
            return "label", pick(nodes), pick(LABELS), self.random.random() < 0.6
        if kind == "relset" and relationships:
            return "set_relationship", pick(relationships), pick(KEYS), value
        if kind == "del" and nodes:
            return "delete_node", pick(nodes)
        if kind == "delrel" and relationships:
            return "delete_relationship", pick(relationships)
        return None

    def apply(self, one: Open, op: Op) -> None:
        transaction, written = one.transaction, one.written
        kind = op[0]
        if kind == "create_node":
            node = transaction.create_node(op[1], op[2])
            op = (*op, node.id)
        elif kind == "create_relationship":
            made = transaction.create_relationship(*op[1:5])
            op = (*op, made.id)
            written.update({("end", op[1], made.id), ("end", op[3], made.id)})
        elif kind == "set_node":
            found = transaction.node(op[1])
            assert found is not None
            if not transaction.set_property(found, op[2], op[3]):
                return
            written.add(("np", op[1], op[2]))
        elif kind == "set_relationship":
            relationship = transaction.relationship(op[1])
            assert isinstance(relationship, Relationship)
            if not transaction.set_property(relationship, op[2], op[3]):
                return
            written.add(("rp", op[1], op[2]))
        elif kind == "label":
            change = transaction.add_labels if op[3] else transaction.remove_labels
            if not change(op[1], [op[2]]):
                return
            written ^= {("nl", op[1], op[2])}  # back to what it was: as if never touched
        elif kind == "delete_node":
            for left in one.graph.at(op[1]):
                self.apply(one, ("delete_relationship", left))
            assert transaction.delete_node(op[1])
            written.add(("nd", op[1]))
        else:
            assert transaction.delete_relationship(op[1])
            written -= {one for one in written if one[0] == "end" and one[2] == op[1]}
            written.add(("rd", op[1]))
        one.ops.append(op)
        play(one.graph, op)

    # --- the end ---

    def finish(self) -> None:
        for version, graph in enumerate(self.versions):
            compare(self.db.view(version), graph, self.indexes)
        last = self.versions[-1]
        view = self.db.view()
        assert view.node_count() == len(last.nodes)
        for label in LABELS:
            assert view.node_count(label) == sum(label in x for x, _ in last.nodes.values())
        assert view.relationship_count() == len(last.relationships)
        for name, label, key in self.indexes:
            held = [p[key] for x, p in last.nodes.values() if label in x and key in p]
            assert view.index_size(name) == len(held)
        assert verify(self.db.store).problems == []


def play(graph: Graph, op: Op) -> None:
    """One write on the dictionaries."""
    kind = op[0]
    if kind == "create_node":
        properties = {key: value for key, value in op[2].items() if value is not None}
        graph.nodes[op[3]] = (set(op[1]), properties)
    elif kind == "create_relationship":
        properties = {key: value for key, value in op[4].items() if value is not None}
        graph.relationships[op[5]] = (op[2], op[1], op[3], properties)
    elif kind in ("set_node", "set_relationship"):
        of_node = kind == "set_node"
        properties = graph.nodes[op[1]][1] if of_node else graph.relationships[op[1]][3]
        if op[3] is None:
            properties.pop(op[2], None)
        else:
            properties[op[2]] = op[3]
    elif kind == "label":
        if op[1] not in graph.nodes:
            return  # taken back before the commit, so nothing was said of the node
        labels = graph.nodes[op[1]][0]
        (labels.add if op[3] else labels.discard)(op[2])
    elif kind == "delete_node":
        del graph.nodes[op[1]]
    else:
        del graph.relationships[op[1]]


def clashes(mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    """The conflict table, on what two transactions wrote."""
    if mine[1] != theirs[1]:
        return False
    kinds = {mine[0], theirs[0]}
    if kinds == {"nl"}:
        return True
    if kinds in ({"np"}, {"rp"}):
        return mine == theirs
    if "nd" in kinds:
        return kinds <= {"nd", "np", "nl", "end"}
    return "rd" in kinds and kinds <= {"rd", "rp"}


@pytest.fixture(autouse=True, scope="module")
def small_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "MUTATIONS_PER_CHUNK", 4)
        patch.setattr(limits, "DETACHED_PER_STEP", 1)
        patch.setattr(detaching, "CHUNK_ROOM", 1)
        yield


def run(seed: int, database: Database, steps: int) -> History:
    history = History(seed, database)
    database.checks = seed % 2 == 0
    for _ in range(steps):
        history.step()
    history.finish()
    return history


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_every_version_answers_as_the_dictionaries_do(seed):
    run(seed, Database(MemoryStore()), 60)


def test_a_long_history_meets_conflicts():
    history = run(7, Database(MemoryStore()), 400)
    assert history.commits > 10
    assert history.conflicts > 0


@pytest.mark.parametrize("seed", range(3))
def test_on_disk(seed: int, tmp_path: Path):
    store = RocksStore(tmp_path / "record", create=True)
    run(seed, Database(store), 120)
    store.close()
