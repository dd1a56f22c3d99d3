"""The law of the printer: what it prints is parsed to the tree it was printed from."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QuerySyntaxError
from everwhen.query.parser import parse
from everwhen.query.pretty import pretty
from everwhen.query.syntax import Projection, ProjectionItem, Query, QueryBody, Return, SingleQuery
from everwhen.query.syntax import Statement as Tree
from tests.unit.query.trees import Grower

SEEDS = st.integers(0, 2**48)


def check(tree: Tree) -> None:
    text = pretty(tree)
    try:
        parsed = parse(text)
    except QuerySyntaxError as error:
        raise AssertionError(f"{text}\n{error}") from error
    assert parsed == tree, text
    assert pretty(parsed) == text


@given(SEEDS)
def test_expressions(seed: int) -> None:
    tree = Grower(random.Random(seed)).expression()
    projection = Projection((ProjectionItem(tree),))
    check(Tree(QueryBody(Query((SingleQuery((Return(projection),)),)))))


@given(SEEDS)
def test_statements(seed: int) -> None:
    check(Grower(random.Random(seed)).statement())
