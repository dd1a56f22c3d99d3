"""Putting tests to mutants: who notices, and after how much."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.patching import Mutant, applied
from tests.raft.simulation import Simulation

ROOT: Final = Path(__file__).resolve().parents[2]
STEPS: Final = 8_000
SECONDS: Final = 300


def schedules(mutant: Mutant, seeds: int) -> tuple[int, str] | None:
    """Random schedules of the core: how many it took, and what the last one found; None if none
    of ``seeds`` noticed."""
    with applied(mutant):
        for seed in range(seeds):
            group = Simulation(seed)
            try:
                group.run(STEPS)
                group.heal()
            except Exception as error:
                return seed + 1, f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def notices(mutant: Mutant, test: str) -> bool:
    """Whether a test fails on the mutant."""
    function = simple(test)
    if function is None:
        return _in_a_process(mutant, test)
    with applied(mutant):
        try:
            function()
        except (Exception, pytest.fail.Exception):
            return True
    return False


def simple(test: str) -> Callable[[], object] | None:
    """A test of the core that is a function without fixtures: it needs no process of its own."""
    path, _, name = test.partition("::")
    if "::" in name or "[" in name or not path.startswith("tests/raft/"):
        return None
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    function: Callable[[], object] = getattr(module, name)
    return None if inspect.signature(function).parameters else function


def _in_a_process(mutant: Mutant, test: str) -> bool:
    """:raises RuntimeError: there is no such test."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.mutants.plugin",
         "-p", "no:randomly", "-p", "no:cacheprovider", test],
        cwd=ROOT, env=os.environ | {"MUTANT": mutant.name}, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{test}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 1
