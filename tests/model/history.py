"""Play a history of transactions to a database and a model, and compare every past version."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.engine import Engine, Neutral, canonical
from tests.model.flashback import Flashback, bind
from tests.model.graph import KEYS, KINDS, LABELS, TYPES, VALUES, Binder, Graph, Op, Refused, same


@dataclass(frozen=True)
class Transaction:
    """Statements between BEGIN and its end; ``auto``: a single statement without them."""

    ops: tuple[Op, ...]
    commit: bool = True
    auto: bool = False


@dataclass
class Player:
    """Keeps database and model in step. ``snapshots[v]`` is the model at version v."""

    engine: Engine
    snapshots: dict[int, Graph] = field(default_factory=dict)
    graph: Graph = field(default_factory=Graph)
    binder: Binder = field(default_factory=Binder)

    def __post_init__(self) -> None:
        self._remember()

    def _remember(self) -> None:
        self.snapshots[self.engine.version()] = self.graph.copy()

    def play(self, transaction: Transaction) -> None:
        """One transaction on both sides; both must agree on whether it holds."""
        work = self.graph.copy()
        session = self.engine.session()
        try:
            held = self._statements(session, transaction, work)
        finally:
            session.close()
        if held and (transaction.commit or transaction.auto):
            self.graph = work
        before = max(self.snapshots)
        after = self.engine.version()
        assert after - before in (0, 1), f"one transaction moved the version by {after - before}"
        self._remember()

    def flash(self, flashback: Flashback) -> bool:
        """A flashback on both sides; whether it was done."""
        bound = bind(flashback, self.snapshots)
        work = self.graph.copy()
        refused = None
        try:
            bound.effect(work)
        except Refused as refusal:
            refused = str(refusal)
        outcome = self.engine.run(bound.text)
        if refused is not None:
            assert outcome.error is not None, f"{bound.text} should fail: {refused}"
            assert outcome.error.type == refused, f"{bound.text}: {outcome.error}"
            return False
        self._good(outcome, bound.text)
        self.graph = work
        self._remember()
        compare(self.engine, self.graph, None, deep=False)
        return True

    def _statements(self, session: Any, transaction: Transaction, work: Graph) -> bool:
        """Run the statements; True if the transaction ended well."""
        ops = transaction.ops[:1] if transaction.auto else transaction.ops
        if not transaction.auto:
            self._good(session.run("BEGIN"), "BEGIN")
        refused: str | None = None
        for op in ops:
            statement = self.binder.bind(op, work)
            try:
                statement.effect(work)
            except Refused as refusal:
                refused = str(refusal)
            outcome = session.run(statement.text, statement.parameters)
            if refused is not None:
                if outcome.error is None and not transaction.auto:
                    outcome = session.run("COMMIT")  # left relationships are seen at the end
                assert outcome.error is not None, f"{statement.text} should fail: {refused}"
                assert outcome.error.type == refused, f"{statement.text}: {outcome.error}"
                return False
            self._good(outcome, f"{statement.text} {statement.parameters}")
        if not transaction.auto:
            self._good(session.run("COMMIT" if transaction.commit else "ROLLBACK"), "end")
        return True

    def _good(self, outcome: Any, what: str) -> None:
        assert outcome.error is None, f"{what}: {outcome.error}"

    def compare_all(self, deep: bool = True) -> None:
        """Compare the present and every past version."""
        compare(self.engine, self.graph, None, deep)
        for version, graph in sorted(self.snapshots.items()):
            if version > 0:
                compare(self.engine, graph, version, deep)


def compare(engine: Engine, graph: Graph, version: int | None, deep: bool = True) -> None:
    """Everything queries can tell about the graph at a version (None is the present)."""

    def ask(
        query: str, parameters: dict[str, Neutral] | None = None
    ) -> Counter[tuple[object, ...]]:
        outcome = engine.run(query, parameters, version)
        assert outcome.error is None, f"{query} at {version}: {outcome.error}"
        return Counter(canonical(row) for row in outcome.rows)

    def check(query: str, wanted: Sequence[list[Any]], **parameters: Neutral) -> None:
        seen = ask(query, parameters)
        expected = Counter(canonical(row) for row in wanted)
        assert seen == expected, (
            f"{query} {parameters} at version {version}\n"
            f"  missing: {list((expected - seen).elements())}\n"
            f"  surplus: {list((seen - expected).elements())}"
        )

    check(
        "MATCH (n) RETURN n.uid, labels(n), properties(n)",
        [[u, sorted(n.labels), n.properties] for u, n in graph.nodes.items()],
    )
    edges = [[u, r.type, r.start, r.end, r.properties] for u, r in graph.relationships.items()]
    head = "RETURN r.uid, type(r), a.uid, b.uid, properties(r)"
    check(f"MATCH (a)-[r]->(b) {head}", edges)
    if not deep:
        return
    check(f"MATCH (b)<-[r]-(a) {head}", edges)
    check(f"MATCH (b) WITH b MATCH (b)<-[r]-(a) {head}", edges)
    for kind in TYPES:
        check(f"MATCH (a)-[r:{kind}]->(b) {head}", [e for e in edges if e[1] == kind])
    degrees = Counter(end for _, _, a, b, _ in edges for end in {a, b})
    check(
        "MATCH (n) RETURN n.uid, COUNT { (n)--() }",
        [[u, degrees[u]] for u in graph.nodes],
    )
    for label in LABELS:
        members = {u: n for u, n in graph.nodes.items() if label in n.labels}
        check(f"MATCH (n:{label}) RETURN n.uid", [[u] for u in members])
        for key in KEYS:
            for value in VALUES[:: 1 if key == "k" else 4]:
                equal = [[u] for u, n in members.items() if same(n.properties.get(key), value)]
                check(f"MATCH (n:{label}) WHERE n.{key} = $v RETURN n.uid", equal, v=value)
            above = [[u] for u, n in members.items() if _number(n.properties.get(key), 0.5)]
            check(f"MATCH (n:{label}) WHERE n.{key} > 0.5 RETURN n.uid", above)


def _number(value: Any, above: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > above


def random_op(chance: random.Random) -> Op:
    """One op, kinds weighted."""
    (kind,) = chance.choices(list(KINDS), list(KINDS.values()))
    return Op(kind, *(chance.randrange(1 << 16) for _ in range(5)))


def random_transaction(chance: random.Random) -> Transaction:
    """Auto-commit half of the time; a tenth of the others roll back."""
    if chance.random() < 0.5:
        return Transaction((random_op(chance),), auto=True)
    ops = tuple(random_op(chance) for _ in range(chance.randint(1, 6)))
    return Transaction(ops, commit=chance.random() < 0.9)


INDEXES = (
    "CREATE INDEX FOR (n:A) ON (n.k)",
    "CREATE INDEX FOR (n:B) ON (n.k)",
    "CREATE INDEX FOR (n:A) ON (n.j)",
    "CREATE INDEX FOR (n:C) ON (n.w)",
    "CREATE INDEX FOR (n:A) ON (n.k, n.j)",
    "CREATE INDEX FOR ()-[r:T]-() ON (r.w)",
    "CREATE INDEX FOR (n:A) ON (n.uid)",
)
