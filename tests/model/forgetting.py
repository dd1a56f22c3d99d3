"""Histories that forget: retention, restore points, vacuum and erasures, beside the naive model.

The model is still a list of snapshots. Vacuum takes whole snapshots out of it, those older than the
rule says and not named by a restore point; an erasure takes a thing out of every one of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from tests.engines.inprocess import InProcess
from tests.model.flashback import Flashback
from tests.model.graph import Graph
from tests.model.history import Player, compare
from tests.unit.runtime.keeping import DAY, Kept

#: label whose nodes are kept for ever, in half of the histories
FOR_EVER: Final = "A"


@dataclass
class Forgetting(Player):
    """A player on a database whose clock it moves."""

    kept: Kept = field(default_factory=Kept)
    #: when each version was committed, by the database's clock
    times: dict[int, int] = field(default_factory=dict)
    points: dict[str, int] = field(default_factory=dict)
    #: the first version that no vacuum has passed
    floor: int = 0
    days: int = 0

    @classmethod
    def on(cls, kept: Kept) -> Forgetting:
        """A player on an empty database."""
        engine = InProcess.__new__(InProcess)
        engine.database = kept.db
        kept.by_hand()  # else the rule before the present one may be followed unseen
        return cls(engine, kept=kept)

    def _remember(self) -> None:
        """Everything since the last look is the same state: an erasure makes several versions."""
        first = max(self.snapshots, default=-1) + 1
        for version in range(first, self.engine.version() + 1):
            self.snapshots[version] = self.graph.copy()
            self.times[version] = self.kept.clock.now_micros()

    @property
    def readable(self) -> list[int]:
        """The versions that can be read as a whole."""
        return sorted({v for v in self.snapshots if v >= self.floor} | set(self.points.values()))

    # --- what happens ---

    def later(self, chance: random.Random) -> None:
        """Time goes by."""
        self.kept.clock.ahead += chance.randrange(DAY)

    def rule(self, chance: random.Random) -> None:
        """Another retention for the database."""
        self.days = chance.choice((0, 1, 3))
        keep = f"'{self.days} days'" if self.days else "KEEP FOREVER"
        self.kept.run(f"ALTER DATABASE neo4j SET RETENTION {keep}")

    def point(self, chance: random.Random) -> None:
        """A restore point comes, or goes."""
        name = f"p{chance.randrange(3)}"
        if name in self.points:
            self.kept.run(f"DROP RESTORE POINT {name}")
            del self.points[name]
        elif versions := [version for version in self.readable if version]:
            self.points[name] = chance.choice(versions)
            self.kept.run(f"CREATE RESTORE POINT {name} AT VERSION {self.points[name]}")

    def vacuum(self) -> None:
        """What is older than the rule goes."""
        self.kept.vacuum()
        if self.days:
            limit = self.kept.clock.now_micros() - self.days * DAY
            old = [version for version, time in self.times.items() if time <= limit]
            self.floor = max(self.floor, max(old, default=0))

    def erase(self, chance: random.Random) -> None:
        """A node of some readable version, with its relationships of all times."""
        version = chance.choice(self.readable)
        there = sorted(self.snapshots[version].nodes)
        if not there or not version:
            return
        uid = chance.choice(there)
        self.kept.run(f"MATCH (n {{uid: {uid}}}) AT VERSION {version} ERASE n FORCE")
        for graph in (self.graph, *self.snapshots.values()):
            if uid in graph.nodes:
                graph.delete_node(uid)
        self._remember()

    def undo(self, flashback: Flashback) -> None:
        """A flashback over versions of which everything is there."""
        whole = self.snapshots
        self.snapshots = {v: graph for v, graph in whole.items() if v >= self.floor}
        try:
            self.flash(flashback)
        finally:
            self.snapshots = {**whole, **self.snapshots}

    # --- what must hold ---

    def compare_readable(self, *, label: str | None) -> None:
        """Every readable version is as it was, every other one refused; of a label kept for ever
        every version is there."""
        compare(self.engine, self.graph, None)
        readable = set(self.readable)
        for version, graph in sorted(self.snapshots.items()):
            if not version:
                continue
            if version in readable:
                compare(self.engine, graph, version)
            else:
                refused = self.engine.run("MATCH (n) RETURN count(n)", at=version).error
                assert refused is not None, f"version {version} is older than {self.floor}"
            if label is not None:
                self._labelled(label, version, graph)

    def _labelled(self, label: str, version: int, graph: Graph) -> None:
        seen = self.engine.run(f"MATCH (n:{label}) RETURN n.uid", at=version)
        assert seen.error is None, f"{label} at {version}: {seen.error}"
        wanted = sorted(uid for uid, node in graph.nodes.items() if label in node.labels)
        assert sorted(row[0] for row in seen.rows) == wanted, f"{label} at {version}"
