"""Every mutant, by the part of the database that it breaks."""

from __future__ import annotations

from typing import Final

from tests.mutants import elections, replication, storage
from tests.mutants.patching import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (*elections.MUTANTS, *replication.MUTANTS, *storage.MUTANTS)


def by_name(name: str) -> Mutant:
    """:raises KeyError: there is none."""
    return {each.name: each for each in MUTANTS}[name]
