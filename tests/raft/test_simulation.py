"""Random schedules; ``RAFT_SEEDS`` for more of them, ``RAFT_SEED`` for one."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.raft.simulation import Simulation

_SEEDS = int(os.environ.get("RAFT_SEEDS", "40"))
_ONE = os.environ.get("RAFT_SEED")
_STEPS = 8_000


def test_random_schedules():
    reached: Counter[str] = Counter()
    for seed in [int(_ONE)] if _ONE else range(_SEEDS):
        group = Simulation(seed)
        try:
            group.run(_STEPS)
            group.heal()
        except AssertionError as error:
            pytest.fail(f"RAFT_SEED={seed}, step {group.steps}: {error}")
        reached.update(group.reached)
    wanted = {"leader", "read", "crash", "joint", "membership", "compacted", "snapshot installed"}
    missing = {each for each in wanted if not reached[each]}
    assert _ONE or not missing, f"no schedule reached {missing}: {reached}"
