"""Regular expressions: what they say, and what happens to those that would take for ever."""

from __future__ import annotations

import re
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QueryArgumentError, QueryCancelled, RegularExpressionTooSlow
from everwhen.exec.expressions.patterns import matches
from everwhen.limits import REGEX_KEPT

#: the number of ways to take it apart grows with its length as Fibonacci's numbers do
_FOR_EVER = "(?:a|aa)+b"
_TEXT = "a" * 90


def test_a_match_that_takes_for_ever_is_given_up_and_holds_nobody_up() -> None:
    ended = threading.Event()
    ticks: list[float] = []

    def tick() -> None:
        while not ended.wait(0.005):
            ticks.append(time.monotonic())

    other = threading.Thread(target=tick)
    other.start()
    try:
        with pytest.raises(RegularExpressionTooSlow, match=r"\(\?:a\|aa\)\+b.* 1 s .* 90 char"):
            matches(_TEXT, _FOR_EVER)
    finally:
        ended.set()
        other.join()
    assert len(ticks) > 10


def test_a_statement_that_must_stop_is_asked_before_it_takes_long() -> None:
    asked: list[str] = []

    def stop() -> None:
        asked.append("stop")
        raise QueryCancelled("stop")

    assert matches("aaab", _FOR_EVER, stop) is True
    assert not asked
    with pytest.raises(QueryCancelled):
        matches(_TEXT, _FOR_EVER, stop)
    assert asked == ["stop"]


@pytest.mark.parametrize(
    ("pattern", "chars"),
    [
        ("(a+)+b", 90), ("(?:a|aa)+b", 90), ("a*a*a*a*a*a*a*a*b", 2_000), ("((a|b)*|(a|c)*)*d", 90),
        (r"(a|aa)(?:\1|a)*b", 90), ("(?=(a|aa)+b)a+", 90), ("(?(DEFINE)(?<q>a|aa))(?&q)+b", 90),
        ("(?:aaa){e<=3}a+b", 500), ("a|a|a|aa*a*a*|b", 500), (".*.*.*.*=", 5_000),
    ],
)  # fmt: skip
def test_none_takes_longer_than_its_limit(pattern: str, chars: int) -> None:
    started = time.process_time()
    try:
        matches("a" * chars, pattern)
    except RegularExpressionTooSlow:
        assert time.process_time() - started > 0.5
    assert time.process_time() - started < 5


@pytest.mark.parametrize("repeat", ["+", "+?", "++", "{2}", "{9}", "{2,9}", "{1,}", "{300}"])
def test_what_would_be_laid_out_without_end_is_refused(repeat: str) -> None:
    started = time.process_time()
    with pytest.raises(QueryArgumentError, match=r"larger than 100,000 once its repeats"):
        matches("a", "(" * 20 + "a" + (")" + repeat) * 20)
    assert time.process_time() - started < 1


def test_what_is_no_regular_expression_is_refused() -> None:
    for pattern in ("(", "[a", "a{9999999999999999999999}", "(" * 5_000 + ")" * 5_000, r"\L<x>"):
        with pytest.raises(QueryArgumentError, match="invalid regular expression"):
            matches("a", pattern)


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("Ada Lovelace", "(?i)ada.*", True),
        ("Ada\nLovelace", "Ada.*", False),
        ("Ada\nLovelace", "(?s)Ada.*", True),
        ("xabc", "abc", False),
        ("2026-11-30", r"\d{4}-\d{2}-\d{2}", True),
        ("6f1c2d3e-0000-4000-8000-aabbccddeeff", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", True),
        ("somebody@example.org", r"[\w.]+@(\w+\.)+(com|org)", True),
        ("Tom", "(?!Tim).*", True),
        ("Tim", "(?!Tim).*", False),
        ("abab", r"(ab)\1", True),
        # what Java knows and Python's own library did not
        ("Ünal", r"\p{Lu}\p{Ll}+", True),
        ("aaa", "a++a", False),
        ("xaab", "x(?<=xa*)aab", True),
        ("Ada LOVELACE", "Ada(?i) lovelace", True),
    ],
)
def test_what_they_say(text: str, pattern: str, found: bool) -> None:
    assert matches(text, pattern) is found


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", "(a|b)", "(?:ab|a)", "(?=a)"])
_PATTERNS = st.lists(
    st.tuples(_ATOMS, st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "*?"])), max_size=4
).map(lambda parts: "".join(atom + repeat for atom, repeat in parts))


@given(_PATTERNS, st.text("ab\n", max_size=8))
def test_they_say_what_they_said_to_the_standard_library(pattern: str, text: str) -> None:
    assert matches(text, pattern) is (re.fullmatch(pattern, text) is not None)


def test_more_of_them_than_are_kept() -> None:
    assert all(matches(f"a{n}", f"a{n}") for n in range(REGEX_KEPT + 10))
