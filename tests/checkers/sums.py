"""Histories that a number settles: money that must stay the same, counters, sets, unique values,
answers about the past that must repeat."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from tests.checkers.history import Operation, Problem, of_kind


def bank(history: Iterable[Operation], total: int) -> list[Problem]:
    """Every ``total`` operation must have read the same sum, and no account below zero
    (``result``: the balances)."""
    problems = []
    for each in of_kind(history, "total"):
        if not each.ok:
            continue
        balances = each.result
        if sum(balances) != total:
            text = f"client {each.client} at {each.start:.3f} saw {sum(balances)}, not {total}"
            problems.append(Problem("wrong total", text))
        if min(balances, default=0) < 0:
            problems.append(Problem("overdrawn", f"client {each.client} saw {balances}"))
    return problems


def counters(history: Iterable[Operation], found: Mapping[Hashable, int]) -> list[Problem]:
    """Each acknowledged ``add`` counts once, each unknown one at most once, no failed one."""
    sure: Counter[Hashable] = Counter()
    perhaps: Counter[Hashable] = Counter()
    for each in of_kind(history, "add"):
        if each.happened:
            (sure if each.ok else perhaps)[each.arguments["key"]] += 1
    problems = []
    for key in {*sure, *found}:
        low, high, value = sure[key], sure[key] + perhaps[key], found.get(key, 0)
        if not low <= value <= high:
            name = "lost update" if value < low else "counted twice"
            text = f"counter {key!r} is {value}, expected {low} to {high}"
            problems.append(Problem(name, text))
    return problems


def members_of_set(history: Iterable[Operation], found: Iterable[Hashable]) -> list[Problem]:
    """Every acknowledged ``insert`` is there once, nothing failed or unheard of is."""
    present = Counter(found)
    outcomes = {each.arguments["value"]: each for each in of_kind(history, "insert")}
    problems = [
        Problem("lost", f"{value!r} was acknowledged and is not there")
        for value, each in outcomes.items()
        if each.ok and not present[value]
    ]
    for value, count in present.items():
        known = outcomes.get(value)
        if known is None:
            problems.append(Problem("out of nowhere", f"{value!r} was never inserted"))
        elif not known.happened:
            problems.append(Problem("failed and there", f"{value!r}: {known.error}"))
        elif count > 1:
            problems.append(Problem("twice", f"{value!r} is there {count} times"))
    return problems


def unique(history: Iterable[Operation], found: Iterable[Hashable]) -> list[Problem]:
    """Of several ``claim`` operations for a value at most one succeeded, and who claimed has it."""
    claims: Counter[Hashable] = Counter(
        each.arguments["value"] for each in of_kind(history, "claim") if each.ok
    )
    present = Counter(found)
    problems = [
        Problem("claimed twice", f"{value!r} by {count} clients")
        for value, count in claims.items()
        if count > 1
    ]
    problems += [
        Problem("not unique", f"{value!r} is there {count} times")
        for value, count in present.items()
        if count > 1
    ]
    problems += [
        Problem("lost", f"{value!r} was claimed and is not there")
        for value in claims
        if not present[value]
    ]
    return problems


def repeatable(history: Iterable[Operation]) -> list[Problem]:
    """Every ``past`` operation on the same question and moment (``arguments["moment"]``) had the
    same answer, on whatever node and whenever it was asked."""
    answers: dict[tuple[Any, Any], list[tuple[Any, Operation]]] = defaultdict(list)
    for each in of_kind(history, "past"):
        if each.ok:
            answers[(each.arguments.get("question"), each.arguments["moment"])].append(
                (each.result, each)
            )
    problems = []
    for (question, moment), given in answers.items():
        first, asked = given[0]
        for answer, other in given[1:]:
            if answer != first:
                text = (
                    f"{question} at {moment}: {first!r} on {asked.arguments.get('node')}, "
                    f"{answer!r} on {other.arguments.get('node')}"
                )
                problems.append(Problem("the past changed", text))
                break
    return problems


def same_everywhere(found: Mapping[str, Any]) -> list[Problem]:
    """What every node says at the end (digest, content) is one and the same."""
    values = list(found.values())
    if all(value == values[0] for value in values):
        return []
    return [Problem("nodes differ", ", ".join(f"{node}: {v!r}" for node, v in found.items()))]
