"""``CALL history`` of random histories against the list-of-snapshots model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.engine import Engine, canonical
from tests.engines import open_engine
from tests.model.graph import Graph
from tests.model.history import Player, Transaction
from tests.model.test_history import ROUNDS, histories

State = list[Any]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    opened = open_engine()
    yield opened
    opened.close()


def node_states(graph: Graph) -> dict[int, State]:
    return {uid: [sorted(node.labels), None, node.properties] for uid, node in graph.nodes.items()}


def relationship_states(graph: Graph) -> dict[int, State]:
    return {uid: [None, one.type, one.properties] for uid, one in graph.relationships.items()}


def expected(states: dict[int, dict[int, State]], uid: int) -> list[State]:
    """Rows of the history of an entity, from what it was at every version."""
    rows: list[State] = []
    last: State | None = None
    for version in sorted(states):
        state = states[version].get(uid)
        if state is None:
            if last is not None:
                rows.append([version, "deleted", None, None, None])
        elif last is None:
            rows.append([version, "created", *state])
        elif canonical(state) != canonical(last):
            rows.append([version, "changed", *state])
        last = state
    return rows


def check(engine: Engine, pattern: str, states: dict[int, dict[int, State]]) -> None:
    seen: set[int] = set()
    for version in sorted(states):
        for uid in states[version].keys() - seen:
            seen.add(uid)
            for argument in ("x", "elementId(x)"):
                outcome = engine.run(
                    f"MATCH {pattern} AT VERSION $v WHERE x.uid = $u CALL history({argument}) "
                    "YIELD version, event, labels, type, properties "
                    "RETURN version, event, labels, type, properties",
                    {"v": version, "u": uid},
                )
                assert outcome.error is None, outcome.error
                wanted = expected(states, uid)
                assert [canonical(row) for row in outcome.rows] == [
                    canonical(row) for row in wanted
                ], f"{pattern} {uid}: {outcome.rows} instead of {wanted}"


@settings(
    max_examples=10 * ROUNDS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories)
def test_history_of_every_entity(engine: Engine, history: list[Transaction]) -> None:
    engine.reset()
    player = Player(engine)
    for transaction in history:
        player.play(transaction)
    snapshots = player.snapshots.items()
    check(engine, "(x)", {version: node_states(graph) for version, graph in snapshots})
    relationships = {version: relationship_states(graph) for version, graph in snapshots}
    check(engine, "()-[x]->()", relationships)
