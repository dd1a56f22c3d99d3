"""``pytest -p tests.mutants.plugin`` runs tests on the mutant that ``$MUTANT`` names."""

from __future__ import annotations

import os

import pytest

from tests.mutants import catalogue
from tests.mutants.patching import mutated_code, target


def pytest_configure(config: pytest.Config) -> None:
    mutant = catalogue.by_name(os.environ["MUTANT"])
    target(mutant.where).__code__ = mutated_code(mutant)
