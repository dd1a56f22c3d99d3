"""Patterns from a seed, for queries that nobody wrote an operator for.

Chains of one to three steps over people who know each other, with filters on nodes and
relationships, and an aggregate at the end; sometimes begun at one person, sometimes at a part of
all. ``ladybug`` lets a relationship be walked twice; its texts say that nodes at both ends of a
turn differ, which is the same on a graph without parallel relationships.
"""

from __future__ import annotations

import random
from typing import Any

from bench.query_texts import Parameters, Query

_OPERATORS = ("<", ">=", "=", "<>")


def patterns(seed: int, count: int) -> list[Query]:
    """``count`` queries of one seed."""
    return [_query(random.Random(f"{seed} pattern {number}"), number) for number in range(count)]


def _query(chance: random.Random, number: int) -> Query:
    steps = chance.choice((1, 1, 2, 2, 2, 3))
    anchored = steps == 3 or chance.random() < 0.4
    directions = [chance.choice("><") for _ in range(steps)]
    names = "abcd"[: steps + 1]
    filters: list[str] = []
    drawn: dict[str, str] = {}
    # an anchor, or a filter that keeps a part, so that what is asked ends in a second
    drawn["p0"] = "id" if anchored else "age_low"
    filters.append("a.id = $p0" if anchored else "a.age < $p0")
    for name in names[1:]:
        if chance.random() < 0.5:
            _filter(chance, name, filters, drawn)
    used = [index for index in range(steps) if chance.random() < 0.35]
    for index in used:
        key = f"p{len(drawn)}"
        drawn[key] = "since"
        filters.append(f"r{index}.since >= ${key}")
    returned = _return(chance, names, used)

    def text(walks: bool) -> str:
        parts = [f"({names[0]}:Person)"]
        for index, direction in enumerate(directions):
            rel = f"[r{index}:KNOWS]" if index in used else "[:KNOWS]"
            arrow = f"-{rel}->" if direction == ">" else f"<-{rel}-"
            parts.append(f"{arrow}({names[index + 1]}:Person)")
        where = filters + (_distinct_steps(directions, names) if walks else [])
        return f"MATCH {''.join(parts)} WHERE {' AND '.join(where)} RETURN {returned}"

    def draw(each: random.Random, nodes: int) -> Parameters:
        return {name: _value(kind, each, nodes) for name, kind in drawn.items()}

    kind = "pattern" if steps > 1 else "aggregate"
    return Query(f"generated_{number:02}", kind, text(False), draw, {"ladybug": text(True)})


def _filter(chance: random.Random, name: str, filters: list[str], drawn: dict[str, str]) -> None:
    key = f"p{len(drawn)}"
    kind = chance.choice(("age", "city", "score"))
    drawn[key] = kind
    operator = chance.choice(("=", "<>")) if kind == "city" else chance.choice(_OPERATORS[:2])
    filters.append(f"{name}.{kind} {operator} ${key}")


def _return(chance: random.Random, names: str, used: list[int]) -> str:
    last = names[-1]
    choices = [
        "count(*) AS n",
        f"count(DISTINCT {last}) AS n",
        f"{last}.city AS city, count(*) AS n",
        f"{last}.age AS age, count(*) AS n, max({names[0]}.score) AS most",
        f"min({last}.score) AS low, max({last}.score) AS high, coalesce(sum({last}.age), 0) AS ages",
        f"{names[0]}.age AS age, count(DISTINCT {last}) AS n",
    ]
    if used:
        choices.append(f"r{used[0]}.since AS since, count(*) AS n")
    return chance.choice(choices)


def _distinct_steps(directions: list[str], names: str) -> list[str]:
    """That no two steps walk the same relationship, said by nodes."""
    found = []
    for first in range(len(directions)):
        for second in range(first + 1, len(directions)):
            one = _ends(first, directions, names)
            other = _ends(second, directions, names)
            same = [f"{a}.id = {b}.id" for a, b in zip(one, other, strict=True) if a != b]
            found.append(f"NOT ({' AND '.join(same)})")
    return found


def _ends(step: int, directions: list[str], names: str) -> tuple[str, str]:
    left, right = names[step], names[step + 1]
    return (left, right) if directions[step] == ">" else (right, left)


def _value(kind: str, chance: random.Random, nodes: int) -> Any:
    if kind == "id":
        return chance.randrange(nodes)
    if kind == "age_low":
        return chance.randint(2, 20)
    if kind == "age":
        return chance.randint(10, 70)
    if kind == "city":
        return f"city {chance.randrange(100)}"
    if kind == "score":
        return round(chance.uniform(100, 900), 3)
    return chance.randint(1995, 2020)
