"""Mutants fit the code, and what notices them without a process of its own still does; ``make
mutants`` puts all of them to all of their tests."""

from __future__ import annotations

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.killing import ROOT, notices, schedules, simple
from tests.mutants.patching import Mutant, mutated_code

SEEDS = 300
WITH_SCHEDULES = [each for each in MUTANTS if each.schedules]


def test_they_fit_the_code() -> None:
    names = [each.name for each in MUTANTS]
    assert len(set(names)) == len(names)
    for each in MUTANTS:
        mutated_code(each)
        assert each.tests


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_rule_taken_away_is_noticed(mutant: Mutant) -> None:
    for test in mutant.tests:
        if simple(test) is not None:
            assert notices(mutant, test), f"{test} passes without it"


@pytest.mark.slow
@pytest.mark.parametrize("mutant", WITH_SCHEDULES, ids=lambda mutant: mutant.name)
def test_a_schedule_notices(mutant: Mutant) -> None:
    noticed = schedules(mutant, SEEDS)
    assert noticed is not None, f"{SEEDS} schedules did not"
    print(f"{mutant.name}: schedule {noticed[0]}: {noticed[1]}")


def test_the_table_names_every_mutant() -> None:
    table = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    assert [each.name for each in MUTANTS if f"`{each.name}`" not in table] == []


def test_every_mistake_has_a_mutant_or_a_reason() -> None:
    document = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    mistakes, reasons = document.partition("## Mistake by mistake")[2].split("## What no edit")
    rows = {row.split(" |")[0]: row for row in mistakes.split("\n| ")[1:]}
    for number in (f"P{each}" for each in range(1, 61)):
        names = [each.name for each in MUTANTS if each.pitfall == number]
        assert [name for name in names if f"`{name}`" not in rows[number]] == []
        assert names or f"| {number} " in reasons, number
