"""Bad query texts and parameters, in process: an answer or an error of the tree, in bounded time."""

from __future__ import annotations

import contextlib
import random
import time

import pytest

from everwhen.errors import ClientError, TransientError
from everwhen.query.parser import parse
from tests.engines import open_engine
from tests.fuzz.texts import bad_value, corpus, mutated
from tests.support.effort import rounds

ROUNDS = rounds("FUZZ_ROUNDS", 2_000, 40_000)


def test_the_parser_answers_or_refuses() -> None:
    chance = random.Random(1)
    good = corpus()
    for _ in range(ROUNDS):
        text = mutated(chance, good)
        started = time.thread_time()  # others on the machine take nothing from it
        with contextlib.suppress(ClientError):
            parse(text)
        assert time.thread_time() - started < 5, text[:200]


@pytest.mark.parametrize("seed", range(2))
def test_statements_answer_or_fail_in_the_tree(seed: int) -> None:
    chance = random.Random(seed)
    good = [text for text in corpus() if "LOAD CSV" not in text]
    engine = open_engine("inprocess")
    try:
        for number in range(ROUNDS // 4):
            if number % 100 == 0:
                engine.reset()
                engine.run("UNWIND range(1, 20) AS i CREATE (:A {k: i})-[:T]->(:B {k: i % 3})")
            text = mutated(chance, good)
            parameters = {"p": bad_value(chance), "a": bad_value(chance)}
            started = time.monotonic()
            outcome = engine.run(text, parameters)
            assert time.monotonic() - started < 10, text[:300]
            if outcome.error is not None:
                assert not outcome.error.internal, f"{text[:500]}\n{parameters}\n{outcome.error}"
    finally:
        engine.close()


def test_the_tree_has_two_kinds_of_errors_for_clients() -> None:
    assert not issubclass(ClientError, TransientError)
