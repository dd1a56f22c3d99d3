"""Random histories with flashbacks of every kind against the list-of-snapshots model."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everwhen import limits
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch
from everwhen.mvcc.verify import verify
from tests.engine import Engine
from tests.engines import open_engine
from tests.engines.inprocess import InProcess
from tests.model.flashback import KINDS, Flashback, random_flashback
from tests.model.history import Player, Transaction, random_transaction
from tests.model.test_history import build_indexes, transactions
from tests.support.effort import rounds

ROUNDS = rounds("MODEL_FLASHBACK_ROUNDS", 6, 60)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    opened = open_engine()
    yield opened
    opened.close()


@pytest.fixture(params=["small", "chunked"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> str:
    """Chunked: everything above a few mutations travels as a large transaction."""
    if request.param == "chunked":
        if not isinstance(engine, InProcess):
            pytest.skip("processes of their own have limits of their own")
        monkeypatch.setattr(limits, "MUTATIONS_PER_COMMIT_MAX", 3)
        monkeypatch.setattr(limits, "MUTATIONS_PER_CHUNK", 2)
        monkeypatch.setattr(limits, "FLASHBACK_MUTATIONS_PER_CHUNK", 2)
    return str(request.param)


def whole(engine: Engine) -> None:
    """The record is whole, every version of it; the members of a group are compared elsewhere."""
    if not isinstance(engine, InProcess):
        return
    still = MemoryStore()
    batch = Batch()
    batch.put_all(list(engine.database.store.scan(b"", b"\xff")))
    still.write(batch)
    report = verify(still)
    assert not report.problems, report.problems


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_seeded_histories(engine: Engine, seed: int, form: str) -> None:
    engine.reset()
    chance = random.Random(f"{seed} {form}")
    if seed % 2:
        build_indexes(engine)
    player = Player(engine)
    for number in range(30):
        if number > 4 and chance.random() < 0.3:
            player.flash(random_flashback(chance))
        else:
            player.play(random_transaction(chance))
    player.compare_all()
    whole(engine)
    engine.reopen()
    player.flash(Flashback("whole", chance.randrange(99)))
    player.compare_all(deep=False)
    whole(engine)


flashbacks = st.builds(Flashback, st.sampled_from(KINDS), st.integers(0, 20), st.integers(0, 5))
histories = st.lists(st.one_of(transactions, flashbacks), max_size=10)


@settings(
    max_examples=15 * ROUNDS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories)
def test_shrinkable_histories(
    engine: Engine, form: str, history: list[Transaction | Flashback]
) -> None:
    engine.reset()
    player = Player(engine)
    for each in history:
        if isinstance(each, Flashback):
            player.flash(each)
        else:
            player.play(each)
    player.compare_all(deep=False)
    whole(engine)


def test_a_flashback_undoes_a_flashback(engine: Engine, form: str) -> None:
    engine.reset()
    chance = random.Random(form)
    player = Player(engine)
    for _ in range(12):
        player.play(random_transaction(chance))
    last = len(player.snapshots) - 1
    for _ in range(3):
        assert player.flash(Flashback("whole", 2))
        assert player.flash(Flashback("whole", last))
    player.compare_all()
    whole(engine)
