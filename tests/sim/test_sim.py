"""A few seeds in every test run; the same seed is the same run, whatever the hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.profile import Profile
from tests.sim.scenario import run_seed
from tests.support.effort import rounds

ROOT = Path(__file__).resolve().parents[2]
#: seeds that once found something: what is named is what they must never find again
FOUND = {
    "104": "two leaders in one term, one of them with a configuration two changes old",
    "129": "a sync that failed while a snapshot came ended the node with no word of the disk",
    "568": "what a failed sync left in the cache was relied on, and gone after a power cut",
    "586": "a read that a follower hands on to its leader ended the connection",
    "6101": "a power cut everywhere, then a lost disk: who was left had forgotten that it votes",
    "2390": "a snapshot that came took the place of newer entries, which the node had promised",
}
_EVENTS = 6_000
#: every kind of request: one that always failed would go unnoticed among all the faults
_KINDS = ("read", "write", "cas", "append-txn", "transfer", "total", "add", "insert", "past")


@pytest.mark.parametrize("seed", range(rounds("SIM_SEEDS", 3, 50)))
def test_seed(seed: int) -> None:
    report = run_seed(f"test {seed}", Profile(_EVENTS))
    assert report.good, report.problems
    assert report.counts["requests done"] > 50
    assert [kind for kind in _KINDS if report.counts[f"ok: {kind}"] < 5] == []


@pytest.mark.parametrize("seed", range(rounds("SIM_SEEDS", 2, 50)))
def test_seed_that_forgets(seed: int) -> None:
    report = run_seed(f"forgets {seed}", Profile(_EVENTS, forgets=True))
    assert report.good, report.problems
    assert report.counts["rounds of vacuum"] > 0
    assert report.counts["flashbacks"] > 0


@pytest.mark.parametrize("seed", range(rounds("SIM_SEEDS", 2, 50)))
@pytest.mark.parametrize("forgets", [False, True])
def test_seed_that_compacts(seed: int, forgets: bool) -> None:
    report = run_seed(f"compacts {seed}", Profile(_EVENTS, forgets=forgets, compacts=True))
    assert report.good, report.problems
    assert forgets or report.counts["elements compacted"] > 0


@pytest.mark.parametrize("seed", range(rounds("SIM_SEEDS", 2, 50)))
@pytest.mark.parametrize("forgets", [False, True])
def test_seed_with_large_transactions(seed: int, forgets: bool) -> None:
    report = run_seed(f"heaps {seed}", Profile(_EVENTS, forgets=forgets, heaps=True))
    assert report.good, report.problems
    assert report.counts["ok: heap"] > 5
    assert report.counts["ok: look"] > 5


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_stays_away(seed: str) -> None:
    report = run_seed(seed)
    assert report.good, report.problems


def test_a_seed_is_one_run() -> None:
    told = {_digest(hash_seed) for hash_seed in ("1", "2", "3")}
    assert len(told) == 1, told


def test_what_a_process_did_before_changes_nothing() -> None:
    told = {run_seed("again", Profile(_EVENTS, heaps=True)).digest for _ in range(2)}
    assert len(told) == 1, told


def _digest(hash_seed: str) -> str:
    code = (
        "from tests.sim.profile import Profile; from tests.sim.scenario import run_seed; "
        f"r = run_seed('again', Profile({_EVENTS})); print(r.digest, r.events, r.problems)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout
