"""From text to terms: the analyzers of full-text indexes. The one module that knows snowballstemmer.

A term has a position; what is left out (stop words) leaves its position empty, so that phrases know
of it. Words are broken as Unicode's default rules (UAX 29) break them, in the cases that matter:
apostrophes and full stops join letters, separators of numbers join digits, ideographs and Hiragana
stand alone, a hyphen parts. Names of analyzers are Neo4j's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from everwhen.errors import QueryArgumentError
from everwhen.limits import TEXT_STEMS_KEPT, TEXT_TERM_CHARS_MAX

DEFAULT: Final = "standard-no-stop-words"

#: Lucene's words for English
_STOP: Final = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then "
    "there these they this to was will with".split()
)
_ALONE: Final = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PART: Final = f"(?:(?![{_ALONE}])[\\w\u0300-\u036f])+"
_WORD: Final = re.compile(
    f"[{_ALONE}]|{_PART}(?:(?:(?<=[^\\W\\d_])['’.](?=[^\\W\\d_])|(?<=\\d)['’.,;](?=\\d)){_PART})*"
)
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_SPACES: Final = re.compile(r"\S+")


class Token(NamedTuple):
    """A term of a text, and where it stands among its words."""

    term: str
    position: int


class Analyzer(NamedTuple):
    """``words`` finds them; ``term`` makes a term of one, "" for none; ``plain`` does to a word of
    a query that is no whole word (a beginning, a near one) what is done to the case of others."""

    name: str
    text: str
    words: Callable[[str], Iterator[str]]
    term: Callable[[str], str]
    plain: Callable[[str], str]

    @property
    def stop_words(self) -> list[str]:
        """What it leaves out."""
        return sorted(_STOP) if self.name in ("standard", "english") else []

    def tokens(self, text: str) -> Iterator[Token]:
        """The terms of a text; one that is too long is left out like a stop word."""
        for position, word in enumerate(self.words(unicodedata.normalize("NFC", text))):
            term = self.term(word) if len(word) <= TEXT_TERM_CHARS_MAX else ""
            if term:
                yield Token(term, position)


def analyzer(name: str) -> Analyzer:
    """An analyzer by its name.

    :raises QueryArgumentError: there is none of the name.
    """
    found = _plain().get(name)
    if found is None and name in languages():
        found = _language(name)
    if found is None:
        raise QueryArgumentError(
            f"there is no analyzer {name!r}",
            hint="CALL db.index.fulltext.listAvailableAnalyzers()",
            detail="InvalidArgumentValue",
        )
    return found


def analyzers() -> list[Analyzer]:
    """All of them, by name."""
    return sorted([*_plain().values(), *map(_language, languages())], key=lambda one: one.name)


def _matches(pattern: re.Pattern[str]) -> Callable[[str], Iterator[str]]:
    def words(text: str) -> Iterator[str]:
        return (found.group() for found in pattern.finditer(text))

    return words


def _same(text: str) -> str:
    return text


def _whole(text: str) -> Iterator[str]:
    if text:
        yield text


def _without_stop_words(word: str) -> str:
    term = word.lower()
    return "" if term in _STOP else term


@lru_cache(maxsize=1)
def _plain() -> dict[str, Analyzer]:
    words, letters = _matches(_WORD), _matches(_LETTERS)
    return {
        one.name: one
        for one in (
            Analyzer(DEFAULT, "Words by Unicode's rules, in lower case.", words, str.lower,
                     str.lower),
            Analyzer("standard", "The same without English stop words.", words,
                     _without_stop_words, str.lower),
            Analyzer("simple", "Runs of letters, in lower case.", letters, str.lower, str.lower),
            Analyzer("whitespace", "What stands between white space, as it is.",
                     _matches(_SPACES), _same, _same),
            Analyzer("keyword", "The whole text as one term, as it is.", _whole, _same, _same),
        )
    }  # fmt: skip


@lru_cache(maxsize=1)
def languages() -> frozenset[str]:
    """Languages whose words can be brought to their stems."""
    import snowballstemmer  # a node without full-text indexes never needs it

    return frozenset(snowballstemmer.algorithms()) - {"porter", "dutch_porter"}


@lru_cache(maxsize=64)
def _language(name: str) -> Analyzer:
    import snowballstemmer

    make: Any = snowballstemmer.stemmer

    # 100 µs a word, so each is asked for once; a stemmer has a state, so no two threads share one
    @lru_cache(maxsize=TEXT_STEMS_KEPT)
    def stem(word: str) -> str:
        return str(make(name).stemWord(word))

    def term(word: str) -> str:
        lower = word.lower()
        if name == "english":
            if lower in _STOP:
                return ""
            lower = lower.removesuffix("'s").removesuffix("’s")
        return stem(lower)

    words = _matches(_WORD)
    return Analyzer(
        name, f"Words as in standard, brought to their stems ({name}).", words, term, str.lower
    )
