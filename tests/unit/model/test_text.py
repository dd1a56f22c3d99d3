"""Analysis of texts and of full-text queries."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QueryArgumentError
from everwhen.model.fulltext_index import FulltextConfig, parse_config
from everwhen.model.text_analysis import analyzer, analyzers
from everwhen.model.text_query import Group, Near, Occur, Pattern, Words, parse
from everwhen.mvcc.text_search import distance

SAID = "Don't e-mail 3.14 U.S.A. 東京タワー the cafe\u0301 snake_case"


def terms(name: str, text: str = SAID) -> list[str]:
    return [token.term for token in analyzer(name).tokens(text)]


def test_words_are_broken_as_unicode_says() -> None:
    assert terms("standard-no-stop-words") == [
        *("don't", "e", "mail", "3.14", "u.s.a", "東", "京", "タワー"),
        *("the", "café", "snake_case"),
    ]
    assert "the" not in terms("standard")
    assert terms("simple", "Don't say 3 x") == ["don", "t", "say", "x"]
    assert terms("whitespace", " A-b  C ") == ["A-b", "C"]
    assert terms("keyword", "One Text") == ["One Text"]


def test_a_word_left_out_leaves_its_place() -> None:
    found = list(analyzer("standard").tokens("the cat of the house"))
    assert [(token.term, token.position) for token in found] == [("cat", 1), ("house", 4)]


def test_languages_bring_words_to_their_stems() -> None:
    assert terms("english", "Running houses nationality dog's") == ["run", "hous", "nation", "dog"]
    assert terms("german", "Häuser laufen") == terms("german", "Haus läuft Häusern laufen")[2:]
    assert {"french", "german", "spanish"} <= {each.name for each in analyzers()}
    with pytest.raises(QueryArgumentError, match="no analyzer 'porter'"):
        analyzer("porter")


@given(st.text(max_size=60), st.sampled_from([each.name for each in analyzers()]))
def test_any_text_has_terms_in_order(text: str, name: str) -> None:
    found = [token.position for token in analyzer(name).tokens(text)]
    assert found == sorted(set(found))


def test_what_a_query_says() -> None:
    assert parse("a +b -c NOT d").parts == (
        (Occur.MAY, Words(text="a")),
        (Occur.MUST, Words(text="b")),
        (Occur.MUST_NOT, Words(text="c")),
        (Occur.MUST_NOT, Words(text="d")),
    )
    assert [occur for occur, _ in parse("a AND b OR c && !d").parts] == [
        *(Occur.MUST, Occur.MUST, Occur.MUST, Occur.MUST_NOT)
    ]
    assert parse('x:"a b"~3^2').parts == (
        (Occur.MAY, Words(field="x", boost=2.0, text="a b", phrase=True, slop=3)),
    )
    assert parse("roam~1").parts == ((Occur.MAY, Near(text="roam", edits=1)),)
    assert parse(r"a\:b\*").parts == ((Occur.MAY, Words(text="a:b*")),)
    assert parse("e-mail ORacle").parts[0][1] == Words(text="e-mail")


@pytest.mark.parametrize(
    "text", ["a AND", "AND a", "a OR AND b", "(a", "a)", '"a', "[a TO b]", "{a}", "*a", "+",
             "a~3", "a:", "+-a", "()~"],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(QueryArgumentError):
        parse(text)


@given(st.text(alphabet='ab *?~^:+-!()"\\&|ANDORT19.', max_size=40))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    with suppress(QueryArgumentError):
        assert isinstance(parse(text), Group)


@given(st.text(alphabet="ab*?", min_size=1, max_size=8), st.text(alphabet="ab", max_size=10))
def test_shapes_match_as_they_are_meant(text: str, term: str) -> None:
    def by_hand(shape: str, rest: str) -> bool:
        if not shape:
            return not rest
        if shape[0] == "*":
            return by_hand(shape[1:], rest) or (bool(rest) and by_hand(shape, rest[1:]))
        return bool(rest) and shape[0] in ("?", rest[0]) and by_hand(shape[1:], rest[1:])

    [(_, part)] = parse("a" + text + "*").parts
    assert isinstance(part, Pattern)
    assert part.matches("a" + term) == by_hand(text + "*", term)


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.integers(0, 2))
def test_distances_are_those_of_levenshtein(one: str, other: str, most: int) -> None:
    def apart(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        kept = apart(a[1:], b[1:]) + (a[0] != b[0])
        return min(kept, apart(a[1:], b) + 1, apart(a, b[1:]) + 1)

    wanted = apart(one, other)
    assert distance(one, other, most) == (wanted if wanted <= most else None)


def test_what_the_record_keeps_is_read_again() -> None:
    config = FulltextConfig.of(["B", "A", "B"], {"indexConfig": {"fulltext.analyzer": "german"}})
    assert config.labels == ("A", "B")
    assert parse_config(config.text()) == config
