"""Random histories of transactions against the list-of-snapshots model."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine import Engine
from tests.engines import open_engine
from tests.model.graph import KINDS, Op
from tests.model.history import INDEXES, Player, Transaction, random_transaction
from tests.support.effort import rounds

ROUNDS = rounds("MODEL_ROUNDS", 6, 60)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    opened = open_engine()
    yield opened
    opened.close()


def build_indexes(engine: Engine) -> None:
    for statement in INDEXES:
        outcome = engine.run(statement)
        assert outcome.error is None, f"{statement}: {outcome.error}"


@pytest.mark.parametrize("indexes", ["none", "first", "midway"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_seeded_histories(engine: Engine, seed: int, indexes: str) -> None:
    engine.reset()
    chance = random.Random(seed)
    if indexes == "first":
        build_indexes(engine)
    player = Player(engine)
    for number in range(25):
        if indexes == "midway" and number == 12:
            build_indexes(engine)
        player.play(random_transaction(chance))
    player.compare_all()
    engine.reopen()
    player.compare_all(deep=False)
    player.play(random_transaction(chance))
    player.compare_all(deep=False)


ops = st.builds(
    Op,
    st.sampled_from(sorted(KINDS)),
    *(st.integers(0, 20) for _ in range(5)),
)
transactions = st.builds(
    Transaction,
    st.lists(ops, min_size=1, max_size=5).map(tuple),
    st.booleans(),
    st.booleans(),
)
histories = st.lists(transactions, max_size=8)


@settings(
    max_examples=15 * ROUNDS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories, indexed=st.booleans())
def test_shrinkable_histories(engine: Engine, history: list[Transaction], indexed: bool) -> None:
    engine.reset()
    if indexed:
        build_indexes(engine)
    player = Player(engine)
    for transaction in history:
        player.play(transaction)
    player.compare_all()
