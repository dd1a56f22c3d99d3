"""Random histories with flashback, retention, restore points, vacuum and erasures."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from everwhen.columns.graph import far
from everwhen.mvcc.verify import verify
from tests.model.flashback import random_flashback
from tests.model.forgetting import FOR_EVER, Forgetting
from tests.model.history import random_transaction
from tests.model.test_history import build_indexes
from tests.support.effort import rounds
from tests.unit.runtime.keeping import Kept

ROUNDS = rounds("MODEL_FORGETTING_ROUNDS", 6, 60)
STEPS = 40


@pytest.fixture
def kept() -> Iterator[Kept]:
    found = Kept()
    yield found
    found.db.close()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_seeded_histories(kept: Kept, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    # over columns most past versions are read as a second image
    monkeypatch.setattr(far, "IMAGE_FAR_CHANGES_MIN", 0)
    monkeypatch.setattr(far, "reading", lambda *_: 1.0)
    kept.db.run_plans("rows" if seed // 2 % 2 else "batches")
    label = FOR_EVER if seed % 2 else None
    if label is not None:
        kept.run(f"ALTER DATABASE neo4j SET RETENTION KEEP FOREVER FOR (n:{label})")
    player = Forgetting.on(kept)
    if seed % 3:
        build_indexes(player.engine)
    for _ in range(STEPS):
        step(player, chance)
    player.rule(chance)
    player.vacuum()
    player.compare_readable(label=label)
    assert verify(kept.db.store).problems == []
    kept.db.reopen()
    player.compare_readable(label=label)


def step(player: Forgetting, chance: random.Random) -> None:
    """One thing that happens."""
    kind = chance.choices(
        ("play", "later", "undo", "rule", "point", "vacuum", "erase"), (10, 5, 3, 1, 2, 2, 1)
    )[0]
    if kind == "play":
        player.play(random_transaction(chance))
    elif kind == "undo":
        player.undo(random_flashback(chance))
    elif kind == "vacuum":
        player.vacuum()
    else:
        getattr(player, kind)(chance)
