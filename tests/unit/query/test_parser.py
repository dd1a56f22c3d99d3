"""The parser by example: places, names, depth; the grammar itself is in tests/golden/parser."""

from __future__ import annotations

import threading
import time

import pytest

from everwhen.errors import Position, QuerySyntaxError, RequestTooLarge
from everwhen.limits import (
    IDENTIFIER_CHARS_MAX,
    QUERY_DEPTH_MAX,
    QUERY_HEIGHT_MAX,
    QUERY_TEXT_CHARS_MAX,
)
from everwhen.query import syntax as s
from everwhen.query.diagnostics import caret, position, suggest
from everwhen.query.lexer import tokenize
from everwhen.query.parser import parse, parse_script, split_script
from everwhen.query.pretty import pretty


def first_item(text: str) -> s.ProjectionItem:
    body = parse(text).body
    assert isinstance(body, s.QueryBody)
    clause = body.query.parts[0].clauses[-1]
    assert isinstance(clause, s.Return)
    return clause.projection.items[0]


def expression(text: str) -> s.Expression:
    return first_item(f"RETURN {text}").expression


def refused(text: str) -> QuerySyntaxError:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    return caught.value


# --- places ------------------------------------------------------------------------------------


def test_offsets_point_at_the_first_character_and_operators_at_themselves() -> None:
    text = "RETURN  n.name +\n  $p AS x"
    item = first_item(text)
    assert item.at == text.index("n.name")
    assert item.text == "n.name +\n  $p"
    plus = item.expression
    assert isinstance(plus, s.Arithmetic)
    assert text[plus.at] == "+"
    assert text[plus.left.at] == "."
    assert text[plus.right.at :].startswith("$p")
    assert item.alias is not None
    assert text[item.alias.at] == "x"


def test_column_text_keeps_spaces_and_comments_as_written() -> None:
    assert first_item("RETURN n . x /* y */ + 1").text == "n . x /* y */ + 1"
    assert first_item("RETURN count( * ) , 2").text == "count( * )"


def test_trees_are_equal_and_hash_alike_wherever_they_stand() -> None:
    one, other = expression("n.x + 1"), expression("   n . x/**/+ 1")
    assert one == other
    assert hash(one) == hash(other)
    assert one.at != other.at
    assert len({expression(text) for text in ("1", "1.0", "true", "'1'")}) == 4


def test_position_counts_lines_and_columns_from_one() -> None:
    text = "ab\ncd\r\nef"
    assert position(text, 0) == Position(0, 1, 1)
    assert position(text, 4) == Position(4, 2, 2)
    assert position(text, 7) == Position(7, 3, 1)
    assert position(text, 99) == Position(9, 3, 3)
    assert caret(text, 4) == "cd\n ^"


def test_caret_cuts_long_lines_and_keeps_its_column() -> None:
    text = "x" * 200 + "!" + "y" * 200
    line, mark = caret(text, 200).split("\n")
    assert len(line) < 130
    assert line[len(mark) - 1] == "!"
    assert caret("a\tb", 2) == "a b\n  ^"


def test_error_carries_position_detail_and_hint() -> None:
    error = refused("MATCH (n)\nRETRUN n")
    assert error.position == Position(10, 2, 1)
    assert error.detail == "UnexpectedSyntax"
    assert error.hint == "did you mean RETURN?"
    assert error.message.endswith("\nRETRUN n\n^")


def test_suggestions_ignore_case_and_refuse_what_is_not_alike() -> None:
    assert suggest("persn", ["Person", "Movie"]) == "Person"
    assert suggest("zzz", ["Person", "Movie"]) is None
    assert suggest("a" * 1000, ["a" * 1001]) is None


# --- names -------------------------------------------------------------------------------------


def test_only_ascii_words_are_keywords() -> None:
    # the long s and the dotless i become S and I in upper case
    assert tokenize("ſET lımıt").kinds[:2] == ["`", "`"]
    assert expression("ſet") == s.Variable("ſet")


@pytest.mark.parametrize("word", ["match", "order", "end", "set", "count", "in", "at", "limit"])
def test_words_are_names_where_they_must_be(word: str) -> None:
    statement = parse(
        f"MATCH ({word}:{word} {{{word}: 1}})-[{word}1:{word}]->() RETURN {word}.{word} AS {word}"
    )
    assert parse(pretty(statement)) == statement


def test_limits_of_text_and_names() -> None:
    with pytest.raises(RequestTooLarge):
        parse("RETURN 1" + " " * QUERY_TEXT_CHARS_MAX)
    parse(f"RETURN {'a' * IDENTIFIER_CHARS_MAX}")
    refused(f"RETURN {'a' * (IDENTIFIER_CHARS_MAX + 1)}")
    refused(f"RETURN `{'a' * (IDENTIFIER_CHARS_MAX + 1)}`")


def test_half_a_surrogate_pair_is_refused() -> None:
    assert refused("RETURN '\ud83d'").detail == "InvalidUnicodeCharacter"


# --- depth -------------------------------------------------------------------------------------

NESTED = {
    "parentheses": lambda n: "RETURN " + "(" * n + "1" + ")" * n,
    "lists": lambda n: "RETURN " + "[" * n + "]" * n,
    "maps": lambda n: "RETURN " + "{a:" * n + "1" + "}" * n,
    "calls": lambda n: "RETURN " + "f(" * n + "1" + ")" * n,
    "not": lambda n: "RETURN " + "NOT " * n + "true",
    "signs": lambda n: "RETURN " + "- " * n + "x",
    "index": lambda n: "RETURN x" + "[x" * n + "]" * n,
    "case": lambda n: "RETURN " + "CASE WHEN " * n + "1" + " THEN 1 END" * n,
    "comprehension": lambda n: "RETURN " + "[x IN " * n + "x" + " | x]" * n,
    "reduce": lambda n: "RETURN " + "reduce(a = 0, x IN " * n + "x" + " | a)" * n,
    "quantifier": lambda n: "RETURN " + "all(x IN xs WHERE " * n + "x" + ")" * n,
    "exists": lambda n: "RETURN " + "EXISTS { (n)--() WHERE " * n + "x" + "}" * n,
    "count": lambda n: "RETURN " + "COUNT { MATCH (n) WHERE n.x = " * n + "x" + "}" * n,
    "subquery": lambda n: "CALL { " * n + "RETURN 1" + " }" * n,
    "foreach": lambda n: "FOREACH (x IN [1] | " * n + "CREATE ()" + ")" * n,
    "labels": lambda n: "MATCH (n:" + "(" * n + "A" + ")" * n + ") RETURN n",
    "not labels": lambda n: "MATCH (n:" + "!" * n + "A) RETURN n",
    "groups": lambda n: "MATCH " + "(" * n + "(a)--(b)" + ")" * n + " RETURN a",
    "types": lambda n: "RETURN x IS :: " + "LIST<" * n + "INT" + ">" * n,
    "patterns": lambda n: "RETURN " + "exists((n {a: " * n + "1" + "})--())" * n,
    "node where": lambda n: "MATCH " + "(n WHERE EXISTS { " * n + "(n)" + " })" * n + " RETURN 1",
    "in": lambda n: "RETURN " + "1 IN (" * n + "[]" + ")" * n,
    "plus": lambda n: "RETURN 1" + " + 1" * n,
    "properties": lambda n: "RETURN a" + ".b" * n,
    "is null": lambda n: "RETURN a" + " IS NULL" * n,
    "in in": lambda n: "RETURN a" + " IN a" * n,
    "label tests": lambda n: "RETURN a" + " IS A" * n,
    "left nesting": lambda n: "RETURN " + "(" * n + "1" + " + 1)" * n,
}


@pytest.mark.parametrize("name", NESTED)
def test_nesting_is_bounded_by_an_error_and_never_by_the_stack(name: str) -> None:
    make = NESTED[name]
    parse(make(5))
    for levels in (QUERY_HEIGHT_MAX + 1, 10_000):
        assert "deeper than" in refused(make(levels)).message
    # every depth that is accepted can be printed, compared and hashed from a deep stack
    accepted = None
    for levels in range(QUERY_HEIGHT_MAX, 0, -7):
        try:
            accepted = parse(make(levels))
        except QuerySyntaxError:
            continue
        break
    assert accepted is not None
    assert parse(pretty(accepted)) == accepted
    hash(accepted)


def test_unclosed_nesting_is_an_error() -> None:
    for opener in ("(", "[", "{a:", "f(", "CASE WHEN ", "EXISTS {", "-(", "NOT ("):
        refused("RETURN " + opener * 20_000)


def test_long_flat_texts_are_welcome() -> None:
    terms = range(5_000)
    parse("RETURN " + " OR ".join(f"n.x = {i}" for i in terms))
    parse("RETURN [" + ", ".join(f"a.b.c[{i}] + 1" for i in terms) + "]")
    parse("CREATE " + ", ".join(f"(:A {{x: {i}, y: a.b.c.d}})" for i in terms))
    parse(" UNION ALL ".join("RETURN 1 AS x" for _ in range(1_000)))
    parse("MATCH (a)" + "-->(a)" * 2_000 + " RETURN a")


def test_time_grows_in_proportion_to_the_text() -> None:
    # texts that a parser which tries and goes back reads many times over
    for piece in ("(", "[x IN ", "[(a)-->(b) WHERE ", "(a)-[", "[x IN xs WHERE x:A|", "{`"):
        started = time.monotonic()
        refused("RETURN " + piece * 30_000)
        assert time.monotonic() - started < 5


def test_parsing_works_in_a_small_thread() -> None:
    outcome: list[object] = []

    def work() -> None:
        outcome.append(parse(NESTED["calls"](QUERY_DEPTH_MAX - 1)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(outcome) == 1


# --- scripts -----------------------------------------------------------------------------------


def test_script_splits_at_semicolons_outside_strings_names_and_comments() -> None:
    text = "RETURN ';' /* ; */ AS `;`; // ;\n\n ; RETURN 2"
    assert split_script(text) == [
        (0, "RETURN ';' /* ; */ AS `;`"),
        (text.index("RETURN 2"), "RETURN 2"),
    ]
    assert [piece for piece, _ in parse_script(text)] == ["RETURN ';' /* ; */ AS `;`", "RETURN 2"]
    assert parse_script(" ; // nothing") == []


def test_error_in_a_script_points_into_the_whole_text() -> None:
    text = "RETURN 1;\nRETURN 2;\n  RETURN ,"
    with pytest.raises(QuerySyntaxError) as caught:
        parse_script(text)
    assert caught.value.position == position(text, text.index(","))
    assert caught.value.message.count("(line") == 1
