"""Random histories with rules, horizons, restore points, vacuum and erasures against plain
dictionaries: every version that can be read shows exactly what it showed, the others refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from everwhen.apply.erasing import DONE, SETTLING
from everwhen.apply.machine import Machine
from everwhen.codec.retention import Entity, Horizon
from everwhen.errors import EraseRefused, TimeOutOfRange, TransactionConflict
from everwhen.model.graph import EntityKind
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.verify import verify
from everwhen.txn import commands as c
from everwhen.txn.bulk import BulkLoad
from tests.support.effort import rounds
from tests.unit.apply.harness import Database, origin_of
from tests.unit.apply.naive import LABELS, TYPES, VALUES, compare
from tests.unit.apply.test_histories import History

ROUNDS = rounds("FORGETTING_ROUNDS", 5, 200)


class Forgetful(History):
    """Adds what forgets. ``rules``: whether labels and types get rules of their own."""

    def __init__(self, seed: int, database: Database, *, rules: bool) -> None:
        super().__init__(seed, database)
        self.rules = rules
        self.points: dict[str, int] = {}
        self.erased: set[tuple[EntityKind, int]] = set()

    def step(self) -> None:
        kind = self.random.choices(
            ("other", "raise", "round", "some", "pin", "unpin", "rule", "bulk", "erase", "level"),
            (60, 4, 3, 3, 1, 1, 2 if self.rules else 0, 2, 1, 0.4),
        )[0]
        if kind == "other":
            super().step()
        elif kind == "level":
            self.compare_readable()
        else:
            getattr(self, "do_" + kind)()

    # --- what forgets ---

    @property
    def newest(self) -> int:
        return len(self.versions) - 1

    def do_rule(self) -> None:
        entity: Entity = self.random.choice(("NODE", "RELATIONSHIP"))
        name = self.random.choice(LABELS if entity == "NODE" else TYPES)
        keep = self.random.choice((0, 10**9, None))
        if keep is None and self.db.state.current.retention.rule(entity, name) is None:
            return
        self.db.do(c.SetRetention(c.FORMAT, entity, name, keep))

    def do_raise(self) -> None:
        highest = min([self.newest, *(one.version for one in self.open)])
        retention = self.db.state.current.retention
        keys = [("", ""), *((rule.entity, rule.name) for rule in retention.rules)]
        wanted = [
            Horizon(entity, name, self.random.randint(0, highest), 0)
            for entity, name in keys
            if self.random.random() < 0.7
        ]
        self.db.do(c.RaiseHorizon(c.FORMAT, retention.revision, wanted))

    def vacuum(self, limit: int, steps: int) -> None:
        for number in range(steps):
            settled = len(self.db.log) if not self.open else 0
            if not self.db.do(c.VacuumStep(c.FORMAT, limit, settled, number == 0)).more:
                return

    def do_round(self) -> None:
        self.db.fold()
        self.vacuum(self.random.choice((3, 50, 2_000)), 100_000)

    def do_some(self) -> None:
        self.vacuum(self.random.choice((1, 7)), self.random.randint(1, 20))

    def do_pin(self) -> None:
        name = f"p{len(self.db.log)}"
        version = self.random.randint(1, max(self.newest, 1))
        try:
            self.db.do(c.CreateRestorePoint(c.FORMAT, name, version))
        except TimeOutOfRange:
            assert not self.db.state.current.horizons.whole(version) or not self.newest
            return
        self.points[name] = version

    def do_unpin(self) -> None:
        if self.points:
            name = self.random.choice(sorted(self.points))
            del self.points[name]
            self.db.do(c.DropRestorePoint(c.FORMAT, name))

    def do_bulk(self) -> None:
        if self.open:
            return  # what they touched may be touched here
        leased = self.db.do(c.LeaseIds(c.FORMAT, 8, 8))
        load = BulkLoad(
            self.db.do(c.BeginChunks(c.FORMAT, 0, self.newest, origin_of())).transaction
        )
        labels = [label for label in LABELS if self.random.random() < 0.5]
        values = [self.random.choice(VALUES) for _ in range(8)]
        graph = self.versions[-1].copy()
        for chunk in load.nodes(labels, leased.first_node, 8, {"x": values}):
            self.db.do(chunk)
        for at, value in enumerate(values):
            shown = {} if value is None else {"x": value}
            graph.nodes[leased.first_node + at] = (set(labels), shown)
        # a relationship's id is given in sorted order, so the ends ascend here
        first = leased.first_node
        starts = np.arange(first, first + 7, dtype=np.int64)
        for chunk in load.relationships("R", leased.first_relationship, starts, starts + 1, {}):
            self.db.do(chunk)
        for at in range(7):
            ends = (first + at, first + at + 1)
            graph.relationships[leased.first_relationship + at] = ("R", *ends, {})
        self.db.do(load.commit(self.db.tick()))
        self.versions.append(graph)
        self.writes.append(set())

    def do_erase(self) -> None:
        """A node or relationship of some readable version that is not there now."""
        now = self.versions[-1]
        readable = [v for v in range(self.newest + 1) if self.whole(v)]
        graph = self.versions[self.random.choice(readable)]
        nodes = [n for n in sorted(graph.nodes) if n not in now.nodes]
        relationships = [r for r in sorted(graph.relationships) if r not in now.relationships]
        gone: list[tuple[EntityKind, int]] = [(EntityKind.NODE, n) for n in nodes]
        gone += [(EntityKind.RELATIONSHIP, r) for r in relationships]
        gone = [one for one in gone if one not in self.erased]
        if not gone or self.open:
            return
        kind, identity = self.random.choice(gone)
        lists = ([identity], []) if kind is EntityKind.NODE else ([], [identity])
        command = c.Erase(c.FORMAT, self.db.tick(), *lists, origin_of())
        try:
            self.db.do(command)
        except EraseRefused:
            command = c.Erase(c.FORMAT, self.db.tick(), *lists, origin_of(), force=True)
            self.db.do(command)
        self.versions.append(now.copy())
        self.writes.append(set())
        limit = self.random.choice((1, 20, 2_000))
        self.db.fold()
        before, number = self.db.view(), len(self.db.state.erased.all)
        while self.db.state.erased.all[number].phase not in (DONE, SETTLING):
            self.db.do(c.EraseStep(c.FORMAT, limit, 0))
            if self.random.random() < 0.2:
                self.db.do(c.VacuumStep(c.FORMAT, limit, 0))
            # neither who reads by the state of now nor who began before sees it again
            for view in (self.db.view(), before):
                compare(view, self.versions[-1], self.indexes)
        while self.db.do(c.EraseStep(c.FORMAT, limit, len(self.db.log))).more:
            compare(self.db.view(), self.versions[-1], self.indexes)
        self.forget(kind, identity)

    def forget(self, kind: EntityKind, identity: int) -> None:
        self.erased.add((kind, identity))
        for version in self.versions:
            if kind is EntityKind.RELATIONSHIP:
                version.relationships.pop(identity, None)
                continue
            for one in version.at(identity):
                self.forget(EntityKind.RELATIONSHIP, one)
            version.nodes.pop(identity, None)

    # --- comparing ---

    def whole(self, version: int) -> bool:
        return self.db.state.current.horizons.whole(version)

    def compare_readable(self) -> None:
        for version, graph in enumerate(self.versions):
            if self.whole(version):
                view = self.db.view().at_version(version)
                indexes = [] if version < self.newest else self.indexes
                compare(view, graph, indexes or self.indexes)
            else:
                self.compare_some(version)

    def compare_some(self, version: int) -> None:
        """A version of which not everything can be read."""
        horizons, graph = self.db.state.current.horizons, self.versions[version]
        if version < horizons.lowest:
            with pytest.raises(TimeOutOfRange):
                self.db.view().at_version(version)
            return
        view = self.db.view().at_version(version)
        for label in LABELS:
            if version < horizons.label(label).version:
                with pytest.raises(TimeOutOfRange, match="vacuumed"):
                    list(view.nodes_with_label(label))
                continue
            wanted = {n: one for n, one in graph.nodes.items() if label in one[0]}
            found = {
                node.id: (set(node.labels), dict(node.properties))
                for node in view.nodes_with_label(label)
            }
            assert found == wanted
        for type_ in TYPES:
            if version < horizons.type(type_).version:
                with pytest.raises(TimeOutOfRange, match="vacuumed"):
                    list(view.relationships([type_]))
                continue
            shown = {r: one for r, one in graph.relationships.items() if one[0] == type_}
            got = {
                one.id: (one.type, one.start, one.end, dict(one.properties))
                for one in view.relationships([type_])
            }
            assert got == shown
            for _, start, end, _ in shown.values():
                for node in (start, end):  # ends live as long as the relationship
                    assert dict(view.node_properties(node)) == graph.nodes[node][1]
                    assert set(view.node_labels(node)) == graph.nodes[node][0]

    def finish(self) -> None:
        self.compare_readable()
        report = verify(self.db.store)
        assert report.problems == []
        for kind, identity in self.erased:
            assert self.db.state.erased.has(kind, identity)


def play(seed: int, *, rules: bool, steps: int = 130) -> Forgetful:
    history = Forgetful(seed, Database(MemoryStore()), rules=rules)
    for _ in range(steps):
        history.step()
    history.open.clear()
    return history


@pytest.mark.parametrize("rules", [False, True], ids=["one horizon", "rules"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_can_be_read_stays_as_it_was(seed: int, rules: bool) -> None:
    history = play(seed, rules=rules)
    history.finish()
    history.do_round()
    history.finish()


@pytest.mark.parametrize("seed", range(max(ROUNDS // 4, 1)))
def test_another_node_forgets_the_same(seed: int) -> None:
    history = play(1_000 + seed, rules=True)
    store = MemoryStore()
    machine = Machine(store, RecordState.load(store))
    for at, payload in enumerate(history.db.log, 1):
        machine.apply(at, 1, payload)
        if at % 50 == 0:  # a restart anywhere
            machine = Machine(store, RecordState.load(store))
    assert machine.digest == history.db.machine.digest
    everything = (b"", b"\xff" * 40)
    assert list(store.scan(*everything)) == list(history.db.store.scan(*everything))


def test_erased_things_do_not_come_back() -> None:
    db = Database()
    first = db.begin()
    node = first.create_node(["Person"], {"name": "Ann"})
    db.commit(first)
    with pytest.raises(TransactionConflict, match="is there"):
        db.do(c.Erase(c.FORMAT, db.tick(), [node.id], [], origin_of()))
    second = db.begin()
    assert second.delete_node(node.id)
    db.commit(second)
    db.do(c.Erase(c.FORMAT, db.tick(), [node.id], [], origin_of()))
    while db.do(c.EraseStep(c.FORMAT, 100, len(db.log))).more:
        pass
    found: list[Any] = [value for _, value in db.store.scan(b"", b"\xff" * 40) if b"Ann" in value]
    assert found == []
    assert db.view(1).node(node.id) is None
    assert verify(db.store).problems == []


def test_the_past_of_an_open_snapshot_ends_where_horizons_are_now() -> None:
    db = Database()
    t = db.begin()
    node = t.create_node(["A"], {"x": 0}).id
    db.commit(t)
    for value in (1, 2, 3):
        t = db.begin()
        found = t.node(node)
        assert found is not None
        t.set_property(found, "x", value)
        db.commit(t)
    view = db.view()
    db.do(c.RaiseHorizon(c.FORMAT, 0, [Horizon("", "", 3, 0)]))
    while db.do(c.VacuumStep(c.FORMAT, 100, len(db.log), True)).more:
        pass
    eras = [(era.version, era.properties) for era in view.history(EntityKind.NODE, node)]
    assert eras == [(3, {"x": 2}), (4, {"x": 3})]
    assert [span.since for span in view.spans(EntityKind.NODE, node)] == [3, 4]
