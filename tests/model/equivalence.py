"""``python -m tests.model.equivalence``: generated queries give one answer in every configuration.

Each round builds a random graph, asks random queries, then asks them again with indexes on every
(label, property) pair, and at the same commit after random later writes. In this process each of
these is asked over rows and over batches of one, three and 1024 rows. Results are compared as
bags of rows; an error must be the same error.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

from tests.engine import Engine, Neutral, Outcome, canonical
from tests.engines import open_engine
from tests.engines.inprocess import InProcess
from tests.model.query_generator import INDEXES, random_graph, random_queries
from tests.tck.variants import later_writes

Answer = tuple[str, object]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.model.equivalence", description=__doc__)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--per-graph", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--door", help="default: $TEST_DOOR, or in process")
    options = parser.parse_args(arguments)
    engine = open_engine(options.door)
    passed = failed = 0
    for number in range(0, options.queries, options.per_graph):
        seed = options.seed * 1_000_000 + number
        count = min(options.per_graph, options.queries - number)
        differences = list(compare_round(engine, seed, count))
        for difference in differences:
            print(f"seed {seed}: {difference}\n", flush=True)
        failed += len(differences)
        passed += count - len(differences)
    engine.close()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


#: ways to run a plan in this process: over rows, over batches of so many rows
WAYS: Final = (("rows", 1), ("batches", 1), ("batches", 3), ("batches", 1024))


def compare_round(engine: Engine, seed: int, count: int) -> Iterator[str]:
    """The queries of one graph that did not answer alike, with both answers."""
    chance = random.Random(seed)
    engine.reset()
    _all(engine, random_graph(chance))
    queries = random_queries(seed, count)
    answers = _asked(engine, queries, "plain")
    then = engine.version()
    _all(engine, INDEXES)
    answers |= _asked(engine, queries, "indexed")
    _all(engine, later_writes(chance))
    answers |= _asked(engine, queries, "past", then)
    (first, expected), *others = answers.items()
    for number, query in enumerate(queries):
        wanted = expected[number]
        if wanted[0] not in ("rows", "TypeError", "ArithmeticError", "ArgumentError"):
            yield f"{query}\n  not valid: {wanted}"
            continue
        for name, given in others:
            if given[number] != wanted:
                yield f"{query}\n  {first}: {wanted}\n  {name}: {given[number]}"
                break


def _asked(
    engine: Engine, queries: list[str], what: str, at: int | None = None
) -> dict[str, list[Answer]]:
    """The answers to all queries, by the way they were run."""
    if not isinstance(engine, InProcess):
        return {what: [answer(engine.run(query, at=at)) for query in queries]}
    found = {}
    for execution, size in WAYS:
        engine.run_plans(execution, size)
        name = f"{what}, {execution} of {size}"
        found[name] = [answer(engine.run(query, at=at)) for query in queries]
    engine.run_plans("auto")
    return found


def answer(outcome: Outcome) -> Answer:
    """What must not change: the bag of rows, or the type of the error."""
    if outcome.error is not None:
        if outcome.error.internal or outcome.error.type == "SyntaxError":
            return outcome.error.type, outcome.error.message
        return outcome.error.type, None
    return "rows", Counter(canonical([loosened(v) for v in row]) for row in outcome.rows)


def loosened(value: Neutral) -> Neutral:
    """1.0 as 1: which of two equal numbers DISTINCT, min() or a grouping key shows is the plan's
    choice."""
    if isinstance(value, list):
        return [loosened(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _all(engine: Engine, statements: list[str] | tuple[str, ...]) -> None:
    for statement in statements:
        outcome = engine.run(statement)
        if outcome.error is not None:
            raise RuntimeError(f"{statement}: {outcome.error}")


if __name__ == "__main__":
    sys.exit(main())
