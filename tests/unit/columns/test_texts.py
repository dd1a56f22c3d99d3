"""Full-text indexes through versions: against scoring every text by the book, at every version."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everwhen.columns.texts import Texts
from everwhen.errors import QueryArgumentError, ShuttingDown
from everwhen.limits import IMAGE_BYTES_DEFAULT
from everwhen.model.graph import GraphView, TextWanted
from everwhen.model.text_query import parse
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.txn.transaction import Transaction

WORDS = ("ant", "ape", "asp", "bee", "bat", "cat")
FIELDS = ("x", "y")
Docs = dict[int, list[list[str]]]
Found = dict[int, float]
#: a query, and how each of its parts is answered by the book; None: the part matches nothing
Query = tuple[str, Callable[[Docs], Found]]

_text = st.lists(st.sampled_from(WORDS), min_size=0, max_size=4).map(" ".join)
_value = st.one_of(_text, _text, st.integers(0, 3))
_step = st.one_of(
    st.tuples(st.just("create"), st.integers(0, 5), _value, _value),
    st.tuples(st.just("set"), st.integers(0, 5), _value),
    st.tuples(st.sampled_from(("delete", "unset", "label", "unlabel", "other")), st.integers(0, 5)),
    st.tuples(st.just("many"), _text),
)
_TEXTS = {
    "create": "MERGE (n:K {k: $k}) SET n:D, n.x = $v, n.y = $w",
    "set": "MATCH (n:K {k: $k}) SET n.x = $v",
    "delete": "MATCH (n:K {k: $k}) DETACH DELETE n",
    "unset": "MATCH (n:K {k: $k}) REMOVE n.x",
    "label": "MATCH (n:K {k: $k}) SET n:D",
    "unlabel": "MATCH (n:K {k: $k}) REMOVE n:D",
    "other": "MATCH (n:K {k: $k}) SET n:E",
    "many": "UNWIND range(0, 3) AS k MERGE (n:K {k: k}) SET n:D, n.y = $v",
}


# --- by the book ---


def idf(docs: Docs, field: int, holding: int) -> float:
    """Of a term that so many texts of a field have."""
    whole = sum(1 for each in docs.values() if each[field])
    return math.log(1 + (whole - holding + 0.5) / (holding + 0.5))


def tf(docs: Docs, field: int, doc: int, often: float) -> float:
    lengths = [len(each[field]) for each in docs.values() if each[field]]
    average = sum(lengths) / len(lengths)
    return often / (often + 1.2 * (1 - 0.75 + 0.75 * len(docs[doc][field]) / average))


def term(word: str, fields: range | tuple[int, ...]) -> Callable[[Docs], Found]:
    def answer(docs: Docs) -> Found:
        found: Found = {}
        for field in fields:
            holding = [doc for doc, each in docs.items() if word in each[field]]
            for doc in holding:
                often = docs[doc][field].count(word)
                value = idf(docs, field, len(holding)) * tf(docs, field, doc, often)
                found[doc] = found.get(doc, 0) + value
        return found

    return answer


def phrase(words: list[str]) -> Callable[[Docs], Found]:
    def answer(docs: Docs) -> Found:
        found: Found = {}
        for field in range(2):
            worth = 0.0
            for word in words:
                holding = sum(1 for each in docs.values() if word in each[field])
                worth += idf(docs, field, holding)
            for doc, each in docs.items():
                here = each[field]
                often = sum(
                    here[at : at + len(words)] == words for at in range(len(here) - len(words) + 1)
                )
                if often:
                    found[doc] = found.get(doc, 0) + worth * tf(docs, field, doc, often)
        return found

    return answer


def beginning(begin: str) -> Callable[[Docs], Found]:
    def answer(docs: Docs) -> Found:
        found: Found = {}
        for doc, each in docs.items():
            score = sum(any(word.startswith(begin) for word in words) for words in each)
            if score:
                found[doc] = score
        return found

    return answer


def near(word: str) -> Callable[[Docs], Found]:
    """At most one character apart, of words of three."""

    def answer(docs: Docs) -> Found:
        found: Found = {}
        for other in WORDS:
            edits = sum(a != b for a, b in zip(word, other, strict=True))
            if edits <= 1:
                for doc, score in term(other, range(2))(docs).items():
                    found[doc] = found.get(doc, 0) + score * (1 - edits / 3)
        return found

    return answer


def together(parts: list[tuple[str, Query]]) -> Query:
    def answer(docs: Docs) -> Found:
        answers = [(sign, part[1](docs)) for sign, part in parts]
        must = [found for sign, found in answers if sign == "+"]
        found: Found = {}
        for sign, each in answers:
            if sign != "-":
                for doc, score in each.items():
                    found[doc] = found.get(doc, 0) + score
        for each in must:
            found = {doc: score for doc, score in found.items() if doc in each}
        for sign, each in answers:
            if sign == "-":
                found = {doc: score for doc, score in found.items() if doc not in each}
        return found

    return " ".join(f"{sign}({part[0]})" for sign, part in parts), answer


_word = st.sampled_from(WORDS)
_simple = st.one_of(
    _word.map(lambda word: (word, term(word, range(2)))),
    _word.map(lambda word: (f"y:{word.upper()}", term(word, (1,)))),
    st.lists(_word, min_size=2, max_size=3, unique=True).map(
        lambda words: (f'"{" ".join(words)}"', phrase(words))
    ),
    st.sampled_from(("a", "b", "as", "z")).map(lambda begin: (f"{begin}*", beginning(begin))),
    _word.map(lambda word: (f"{word}~1", near(word))),
    st.just(("*:*", lambda docs: dict.fromkeys(docs, 1.0))),
)
_query: st.SearchStrategy[Query] = st.recursive(
    _simple,
    lambda part: st.lists(
        st.tuples(st.sampled_from(("", "+", "-")), part), min_size=1, max_size=3
    ).map(together),
    max_leaves=4,
)


def docs_of(view: GraphView) -> Docs:
    """Everything in the index, from the record."""
    docs: Docs = {}
    for node in view.nodes():
        if {"D", "E"} & set(view.node_labels(node.id)):
            values = [node.properties.get(key) for key in FIELDS]
            if any(type(value) is str for value in values):
                docs[node.id] = [value.split() if type(value) is str else [] for value in values]
    return docs


def index(db: Embedded) -> None:
    db.execute("CREATE FULLTEXT INDEX t FOR (n:D|E) ON EACH [n.x, n.y]")


class _Untended:
    """Texts that the database's own background leaves alone."""

    def __init__(self, texts: Texts) -> None:
        self.matching = texts.matching

    def tend(self) -> bool:
        return False

    def interrupt(self) -> None:
        """Nothing runs."""

    def forget(self) -> None:
        """Nothing is erased."""


def hold(db: Embedded, **bounds: Any) -> Texts:
    """Texts with bounds of a test instead of the database's own."""
    state = db.service.database.state
    bounds.setdefault("bytes_max", IMAGE_BYTES_DEFAULT)
    texts = Texts(state, bounds.pop("bytes_max"), **bounds)
    state.texts = _Untended(texts)
    return texts


def ask(view: GraphView, query: str) -> list[tuple[int, float]]:
    ids, scores = view.matching("t", TextWanted(parse(query), None, lambda: None))
    return list(zip(ids.tolist(), scores.tolist(), strict=True))


def same(found: list[tuple[int, float]], wanted: Found) -> None:
    assert dict(found) == pytest.approx(wanted, rel=1e-9)
    assert len(found) == len(wanted)
    assert found == sorted(found, key=lambda one: (-one[1], one[0]))


def play(db: Embedded, step: tuple[Any, ...]) -> None:
    if step[0] == "many":
        db.execute(_TEXTS["many"], {"v": step[1]})
    else:
        db.execute(_TEXTS[step[0]], dict(zip(("k", "v", "w"), step[1:], strict=False)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_step, min_size=1, max_size=25), _query, st.sampled_from(("follows", "short", "none"))
)
def test_every_version_answers_what_matched_then(
    steps: list[tuple[Any, ...]], query: Query, memory: str
) -> None:
    with Embedded() as db:
        index(db)
        texts = hold(
            db,
            follow_max=50 if memory == "follows" else 4,
            ended_min=3,
            bytes_max=0 if memory == "none" else IMAGE_BYTES_DEFAULT,
        )
        for at, step in enumerate(steps):
            play(db, step)
            if at % 5 == 4:
                ask(db.service.database.snapshot(db.version), query[0])
                while texts.tend():
                    pass
        for version in range(db.version, -1, -1):
            view = db.service.database.snapshot(version)
            same(ask(view, query[0]), query[1](docs_of(view)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(_step, min_size=1, max_size=10),
    st.lists(_step, min_size=1, max_size=5),
    _query,
    st.booleans(),
)
def test_a_transaction_finds_what_it_wrote(
    before: list[tuple[Any, ...]], inside: list[tuple[Any, ...]], query: Query, held: bool
) -> None:
    with Embedded() as db:
        index(db)
        hold(db, bytes_max=IMAGE_BYTES_DEFAULT if held else 0)
        for step in before:
            play(db, step)
        service = db.service
        opened = db.call(service.begin(TransactionOptions(), Caller()))
        for step in inside:
            names = ("v",) if step[0] == "many" else ("k", "v", "w")
            values = dict(zip(names, step[1:], strict=False))
            db.call(service.run(opened, _TEXTS[step[0]], values))
        view = opened.transaction
        assert isinstance(view, Transaction)
        same(ask(view, query[0]), query[1](docs_of(view)))
        db.call(service.rollback(opened))


def test_a_bulk_load_and_large_transactions_are_found() -> None:
    with Embedded() as db:
        index(db)
        texts = hold(db)
        db.execute("UNWIND range(1, 3000) AS i CREATE (:D {x: 'ant ' + (i % 7), y: 'bee'})")
        view = db.service.database.snapshot(db.version)
        same(
            ask(view, "ant +3"),
            together([("", ("ant", term("ant", range(2)))), ("+", ("3", term("3", range(2))))])[1](
                docs_of(view)
            ),
        )
        assert texts.bytes > 0
        db.execute("MATCH (n:D) WHERE n.x ENDS WITH '3' DETACH DELETE n")
        assert ask(db.service.database.snapshot(db.version), "3") == []
        assert len(ask(view, "3")) == len(ask(db.service.database.snapshot(1), "3")) > 400


def test_what_goes_wrong_says_so() -> None:
    with Embedded() as db:
        index(db)
        hold(db)
        words = [f"a{number:04d}" for number in range(1_200)]
        db.execute("UNWIND $words AS w CREATE (:D {x: w})", {"words": words})
        view = db.service.database.snapshot(db.version)
        with pytest.raises(QueryArgumentError, match="more than 1,024 words"):
            ask(view, "a*")
        assert len(ask(view, "a00*")) == 100
        with pytest.raises(QueryArgumentError, match="nests too deep"):
            parse("(" * 40 + "a" + ")" * 40)
        again = hold(db)
        again.interrupt()
        with pytest.raises(ShuttingDown):
            again.tend()
