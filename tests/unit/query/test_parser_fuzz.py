"""No text makes the parser do anything but return a tree or raise an error of ours."""

from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import EverwhenError, QuerySyntaxError
from everwhen.query.literals import lift_literals
from everwhen.query.parser import parse, parse_script
from everwhen.query.pretty import pretty
from everwhen.query.pretty_words import QUOTED
from tests.unit.query.trees import Grower

WORDS = (
    *sorted(QUOTED), "n", "x", "f", "count", "type", "INDEX", "FOR", "REQUIRE", "KEY", "EACH",
    "'a'", '"b"', "1", "1.5", "0x1f", "1e999", "12ab", "$p", "$", "`q`", "(", ")", "[", "]", "{",
    "}", "<", ">", "-", "->", "<-", "--", "+", "*", "/", "%", "^", "=", "<>", "!=", "<=", "=~",
    "+=", "..", ".", ",", ";", ":", "::", "|", "||", "&", "!", "/*", "*/", "//", "\n", "'", '"',
    "`", "#", "\\", "\ud800", "é", "😀", "\x00",
)  # fmt: skip


def judge(text: str) -> None:
    started = time.monotonic()
    tree = error = None
    try:
        tree = parse(text)
    except EverwhenError as failure:
        error = failure
    if tree is not None:
        assert parse(pretty(tree)) == tree
    else:
        assert isinstance(error, QuerySyntaxError)
        assert error.position is not None
        assert 0 <= error.position.offset <= len(text)
    for door in (parse_script, lift_literals):
        try:
            door(text)
        except EverwhenError:
            pass
    assert time.monotonic() - started < 5


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    judge(text)


@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words(words: list[str]) -> None:
    judge(" ".join(words))
    judge("".join(words))
    judge("MATCH (n) RETURN " + " ".join(words))


@given(st.integers(0, 2**48))
def test_texts_with_mistakes(seed: int) -> None:
    """A right text, then tokens dropped, doubled, swapped and replaced, or cut in the middle."""
    chance = random.Random(seed)
    text = pretty(Grower(chance, 3).statement())
    pieces = text.split(" ")
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(pieces))
        match chance.randrange(5):
            case 0:
                pieces[place] = ""
            case 1:
                pieces.insert(place, pieces[place])
            case 2:
                other = chance.randrange(len(pieces))
                pieces[place], pieces[other] = pieces[other], pieces[place]
            case 3:
                pieces[place] = chance.choice(WORDS)
            case 4:
                pieces[place] = pieces[place][: chance.randint(0, len(pieces[place]))]
    judge(" ".join(pieces))
    judge(text[: chance.randint(0, len(text))])
