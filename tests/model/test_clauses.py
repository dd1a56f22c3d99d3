"""Clauses follow one another as wholes, however rows flow.

A statement that writes must do what it does with a barrier between every two of its clauses, which
gathers all rows and hands them on. Nothing written here depends on the order of rows.
"""

from __future__ import annotations

import random
from typing import Final

import pytest

from tests.engine import Engine
from tests.engines import open_engine
from tests.model.equivalence import answer
from tests.model.query_generator import KEYS, LABELS, TYPES, Generator, random_graph

_STATEMENTS: Final = 50
_STATE: Final = (
    "MATCH (n) RETURN labels(n), properties(n), COUNT { (n)-->() }, COUNT { (n)<--() }",
    "MATCH (a)-[r]->(b) RETURN a.uid, type(r), properties(r), b.uid",
)


class Writer(Generator):
    """Statements of clauses that match and clauses that write."""

    def clauses(self) -> list[tuple[str, tuple[str, ...]]]:
        """Each clause with the variables known behind it."""
        self.nodes, self.relationships, self.values = [], [], []
        found = [self._known(self._step_between())]
        for _ in range(self.chance.randint(2, 4)):
            found.append(self._known(self._write()))
            if "DELETE" in found[-1][0]:
                break
            if self.chance.random() < 0.2:
                found.append(self._known(self._match(optional=self.chance.random() < 0.3)))
        return found

    def _step_between(self) -> str:
        """Many rows, in which a node is often both the one and the other."""
        self.nodes, self.relationships = ["a", "b"], ["r"]
        return f"MATCH (a){self.chance.choice(('-[r]->', '-[r]-'))}(b)"

    def _known(self, clause: str) -> tuple[str, tuple[str, ...]]:
        return clause, (*self.nodes, *self.relationships)

    def _write(self) -> str:
        pick = self.chance.choice
        a, b, key, label, kind = (
            pick(self.nodes),
            pick(self.nodes),
            pick(KEYS[:2]),
            pick(LABELS[:2]),
            pick(TYPES),
        )
        ways = [
            f"CREATE (:{label} {{{key}: 1}})",
            f"MERGE (:{label} {{{key}: 1}})",
            f"CREATE ({a})-[:{kind}]->(:{label})",
            f"MERGE ({a})-[:{kind}]->(:{label})",
            f"SET {a}.{key} = 1",
            f"SET {a}.{key} = 2",
            f"SET {a}.seen = coalesce({a}.seen, 0) + 1",
            f"SET {a}.{key} = COUNT {{ ({b})--() }} * 0",
            f"SET {a} += {{{key}: 3}}",
            f"SET {a} = {{uid: {a}.uid}}",
            f"REMOVE {a}.{key}",
            f"SET {a}:{label}",
            f"REMOVE {a}:{label}",
            f"FOREACH (x IN [1, 2] | CREATE ({a})-[:{kind}]->(:{label}))",
            f"FOREACH (x IN CASE WHEN {b}:{label} THEN [1] ELSE [] END | SET {a}.{key} = 4)",
            f"DETACH DELETE {a}",
        ]
        if self.relationships:
            ways += [f"DELETE {pick(self.relationships)}", f"SET {pick(self.relationships)}.k = 5"]
        return pick(ways)


def _barrier(names: tuple[str, ...]) -> str:
    again = ", ".join(f"row[{i}] AS {name}" for i, name in enumerate(names))
    return f"WITH collect([{', '.join(names)}]) AS rows UNWIND rows AS row WITH {again}"


def _done(engine: Engine, graph: list[str], statement: str) -> list[object]:
    """The answer to a statement on a fresh graph, and the graph it leaves."""
    engine.reset()
    for step in graph:
        assert engine.run(step).error is None
    return [answer(engine.run(text)) for text in (statement, *_STATE)]


@pytest.mark.parametrize("seed", range(3))
def test_a_clause_ends_before_the_next_begins(seed: int) -> None:
    chance = random.Random(seed)
    graph = random_graph(chance, nodes=5, relationships=7)
    writer = Writer(chance)
    engine = open_engine()
    try:
        for _ in range(_STATEMENTS):
            clauses = writer.clauses()
            plain = [clause for clause, _ in clauses]
            parted = [f"{clause}\n{_barrier(names)}" for clause, names in clauses]
            end = "RETURN count(*) AS rows"
            one = _done(engine, graph, "\n".join([*plain, end]))
            other = _done(engine, graph, "\n".join([*parted, end]))
            assert one == other, "\n".join(plain)
    finally:
        engine.close()
