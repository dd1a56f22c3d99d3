"""Types as text."""

from __future__ import annotations

import pytest

from everwhen.errors import QueryArgumentError
from everwhen.model.elements import Detached, Node
from everwhen.model.temporal_parse import parse_date, parse_local_datetime
from everwhen.model.types import matches_type, storable, value_type
from everwhen.model.vector import Vector


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (1, "INTEGER", True),
        (1, "FLOAT", False),
        (True, "INTEGER", False),
        (None, "INTEGER", True),
        (None, "INTEGER NOT NULL", False),
        (1, "INTEGER NOT NULL", True),
        (None, "NULL", True),
        (1, "NULL", False),
        (None, "NOTHING", False),
        (1, "ANY", True),
        (None, "ANY NOT NULL", False),
        ([1, None], "LIST<INTEGER>", True),
        ([1, None], "LIST<INTEGER NOT NULL>", False),
        ([1, "a"], "LIST<ANY<INTEGER | STRING>>", True),
        ([1, 1.5], "LIST<ANY<INTEGER | STRING>>", False),
        ([[1]], "LIST<LIST<INTEGER NOT NULL> NOT NULL> NOT NULL", True),
        ([], "LIST", True),
        ([], "LIST<NOTHING>", True),
        (1, "ANY<INTEGER | STRING>", True),
        (None, "ANY<INTEGER NOT NULL | STRING NOT NULL>", False),
        (None, "ANY<INTEGER NOT NULL | STRING>", True),
        (1, "INTEGER | STRING", True),
        (parse_date("2020"), "DATE", True),
        (parse_local_datetime("2020"), "DATE", False),
        (parse_local_datetime("2020"), "LOCAL DATETIME", True),
        ({}, "MAP", True),
        ({}, "PROPERTY VALUE", False),
        ([1, 2], "PROPERTY VALUE", True),
        ([[1]], "PROPERTY VALUE", False),
        ("a", "PROPERTY VALUE NOT NULL", True),
    ],
)
def test_membership(value, text, expected):
    assert matches_type(value, text) is expected


@pytest.mark.parametrize("text", ["", "NUMBER", "LIST<INTEGER", "INTEGER STRING", "LIST<>"])
def test_texts_that_are_no_types(text):
    with pytest.raises(QueryArgumentError):
        matches_type(1, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (1, "INTEGER NOT NULL"),
        ([], "LIST<NOTHING> NOT NULL"),
        ([None], "LIST<NULL> NOT NULL"),
        ([1, None], "LIST<INTEGER> NOT NULL"),
        ([1, "a"], "LIST<STRING NOT NULL | INTEGER NOT NULL> NOT NULL"),
        ([[1], 2.5], "LIST<FLOAT NOT NULL | LIST<INTEGER NOT NULL> NOT NULL> NOT NULL"),
        (Node(1, Detached((), {})), "NODE NOT NULL"),
        (Vector.of([1, 2], "FLOAT32"), "VECTOR<FLOAT32>(2) NOT NULL"),
    ],
)
def test_value_type(value, text):
    assert value_type(value) == text


def test_storable():
    assert storable([1, "a"])
    assert not storable([None])
    assert not storable({})
    assert not storable(None)
