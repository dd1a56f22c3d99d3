"""Tables of what the functions answer; rules of openCypher 9 and the Neo4j 5 manual."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import ArithmeticFailure, QueryArgumentError, QueryTypeError
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.elements import Detached, Node, Path, Relationship
from everwhen.model.temporal_parse import parse_date
from everwhen.model.vector import Vector
from tests.unit.functions.calls import call

if TYPE_CHECKING:
    from everwhen.model.graph import GraphView

NOTHING = Detached((), {})
NODE = Node(1, Detached(("A", "B"), {"x": 1}))
OTHER = Node(2, NOTHING)
KNOWS = Relationship(7, "KNOWS", 1, 2, NOTHING)
PATH = Path((NODE, OTHER), (KNOWS,))
INFINITY = math.inf


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("left", ("hello", 3), "hel"),
        ("left", ("hi", 10), "hi"),
        ("right", ("hello", 3), "llo"),
        ("right", ("hello", 0), ""),
        ("substring", ("hello", 1), "ello"),
        ("substring", ("hello", 1, 3), "ell"),
        ("substring", ("hello", 9), ""),
        ("toUpper", ("straße",), "STRASSE"),
        ("lower", ("ABC",), "abc"),
        ("trim", (" a\t",), "a"),
        ("btrim", ("xxaxx", "x"), "a"),
        ("ltrim", ("xyaxy", "yx"), "axy"),
        ("rtrim", (" a ",), " a"),
        ("replace", ("aaa", "aa", "b"), "ba"),
        ("replace", ("abc", "", "x"), "xaxbxcx"),
        ("replace", ("aaa", "a", "b", 2), "bba"),
        ("split", ("a,b,c", ","), ["a", "b", "c"]),
        ("split", ("abc", ""), ["a", "b", "c"]),
        ("split", ("", ","), [""]),
        ("split", ("a,b;c", [",", ";"]), ["a", "b", "c"]),
        ("split", ("a||b|c", ["|", "||"]), ["a", "b", "c"]),
        ("reverse", ("abc",), "cba"),
        ("reverse", ([1, 2],), [2, 1]),
        ("char_length", ("😀",), 1),
        ("size", ("abc",), 3),
        ("size", ([1, None],), 2),
        ("normalize", ("e\u0301",), "\u00e9"),
        ("normalize", ("\u00e9", "NFD"), "e\u0301"),
        ("isEmpty", ("",), True),
        ("isEmpty", ({"a": 1},), False),
        ("head", ([1, 2],), 1),
        ("head", ([],), None),
        ("last", ([1, 2],), 2),
        ("tail", ([1, 2, 3],), [2, 3]),
        ("tail", ([],), []),
        ("range", (0, 10, 3), [0, 3, 6, 9]),
        ("range", (10, -10, -3), [10, 7, 4, 1, -2, -5, -8]),
        ("range", (0, -1), []),
        ("range", (INT_MAX - 1, INT_MAX), [INT_MAX - 1, INT_MAX]),
        ("range", (INT_MIN, INT_MAX, INT_MAX), [INT_MIN, -1, INT_MAX - 1]),
        ("coalesce", (None, None, 3), 3),
        ("coalesce", (None,), None),
        ("nullIf", (1, 1.0), None),
        ("nullIf", (1, 2), 1),
        ("nullIf", (None, 2), None),
        ("exists", (None,), False),
        ("rand", (), 0.25),
        ("timestamp", (), 1_600_000_001_000),
    ],
)
def test_strings_and_lists(name, arguments, expected):
    assert call(name, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("toInteger", "42", 42),
        ("toInteger", " -4.9 ", -4),
        ("toInteger", "1e3", 1000),
        ("toInteger", 2.9, 2),
        ("toInteger", -2.9, -2),
        ("toInteger", True, 1),
        ("toInteger", "x", None),
        ("toInteger", "", None),
        ("toInteger", "1_000", None),
        ("toInteger", "٣", None),
        ("toInteger", "9223372036854775807", INT_MAX),
        ("toInteger", "9223372036854775808", None),
        ("toInteger", 1e300, None),
        ("toInteger", INFINITY, None),
        ("toInteger", "Infinity", None),
        ("toInteger", "9" * 5000, None),
        ("toFloat", 3, 3.0),
        ("toFloat", ".5", 0.5),
        ("toFloat", "1e400", INFINITY),
        ("toFloat", "-Infinity", -INFINITY),
        ("toFloat", "inf", None),
        ("toFloat", "", None),
        ("toBoolean", "TRUE", True),
        ("toBoolean", " false ", False),
        ("toBoolean", "yes", None),
        ("toBoolean", 0, False),
        ("toBoolean", -3, True),
        ("toString", 1e10, "1.0E10"),
        ("toString", True, "true"),
        ("toString", parse_date("2020-01-02"), "2020-01-02"),
        ("toIntegerOrNull", [], None),
        ("toFloatOrNull", True, None),
        ("toBooleanOrNull", 1.5, None),
        ("toStringOrNull", {}, None),
        ("toIntegerList", ["1", 2.7, "x", None, [1]], [1, 2, None, None, None]),
        ("toFloatList", Vector.of([1, 2], "INTEGER8"), [1.0, 2.0]),
        ("toStringList", [1, True, None], ["1", "true", None]),
        ("toBooleanList", ["true", 1.5], [True, None]),
    ],
)
def test_conversions(name, argument, expected):
    got = call(name, argument)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize("name", ["toInteger", "toFloat", "toBoolean", "toString"])
@pytest.mark.parametrize("value", [[], {}, NODE, KNOWS, PATH])
def test_what_cannot_be_converted(name, value):
    with pytest.raises(QueryTypeError) as error:
        call(name, value)
    assert error.value.detail == "InvalidArgumentValue"


@given(st.integers(INT_MIN, INT_MAX))
def test_integers_survive_text(value):
    assert call("toInteger", call("toString", value)) == value


@given(st.floats(allow_nan=False))
def test_floats_survive_text(value):
    assert call("toFloat", call("toString", value)) == value


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0.5,), 1.0),
        ((-0.5,), -0.0),
        ((-1.5,), -1.0),
        ((2.5,), 3.0),
        ((0.49999999999999994,), 0.0),
        ((4503599627370497.5,), 4503599627370498.0),
        ((3,), 3.0),
        ((3.14159, 2), 3.14),
        ((-1.55, 1), -1.6),
        ((1.005, 2), 1.01),
        ((1e300, 5), 1e300),
        ((INFINITY,), INFINITY),
        ((1.249, 1, "UP"), 1.3),
        ((1.251, 1, "DOWN"), 1.2),
        ((-1.25, 1, "CEILING"), -1.2),
        ((-1.25, 1, "FLOOR"), -1.3),
        ((1.25, 1, "HALF_UP"), 1.3),
        ((1.25, 1, "HALF_DOWN"), 1.2),
        ((1.25, 1, "half_even"), 1.2),
    ],
)
def test_round(arguments, expected):
    got = call("round", *arguments)
    assert (got, math.copysign(1, got)) == (expected, math.copysign(1, expected))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("abs", -3, 3),
        ("sign", -2.5, -1),
        ("ceil", -0.9, -0.0),
        ("floor", -0.1, -1.0),
        ("ceil", INFINITY, INFINITY),
        ("sqrt", 256, 16.0),
        ("log", 0, -INFINITY),
        ("log10", 1000, 3.0),
        ("exp", 1000, INFINITY),
        ("sinh", -1000, -INFINITY),
        ("cosh", -1000, INFINITY),
        ("cot", 0, INFINITY),
        ("degrees", math.pi, 180.0),
        ("haversin", 0, 0.0),
    ],
)
def test_mathematics(name, value, expected):
    assert call(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [("sqrt", -1), ("log", -1), ("acos", 2), ("sin", INFINITY), ("coth", 0), ("floor", math.nan)],
)
def test_outside_the_domain_is_nan(name, value):
    assert math.isnan(call(name, value))


def test_overflow():
    with pytest.raises(ArithmeticFailure):
        call("abs", INT_MIN)


@given(
    st.sampled_from(["ceil", "floor", "round"]), st.floats(allow_nan=False, allow_infinity=False)
)
def test_rounding_is_within_one(name, value):
    got = call(name, value)
    assert type(got) is float
    assert got == math.trunc(got)
    assert abs(got - value) <= (0.5 if name == "round" else 1)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("id", NODE, 1),
        ("elementId", KNOWS, "5:neo4j:7"),
        ("labels", NODE, ["A", "B"]),
        ("type", KNOWS, "KNOWS"),
        ("properties", NODE, {"x": 1}),
        ("properties", {"a": 1}, {"a": 1}),
        ("keys", NODE, ["x"]),
        ("keys", {"b": None, "a": 1}, ["b", "a"]),
        ("startNode", KNOWS, NODE),
        ("endNode", KNOWS, OTHER),
        ("nodes", PATH, [NODE, OTHER]),
        ("relationships", PATH, [KNOWS]),
        ("length", PATH, 1),
    ],
)
def test_elements(name, value, expected):
    assert call(name, value) == expected


def test_ends_are_read_where_the_relationship_is():
    view = cast("GraphView", object())  # it is only handed on
    assert call("startNode", Relationship(7, "KNOWS", 1, 2, view)).view is view


def test_of_ends_that_a_procedure_made_up_only_the_id_is_known():
    end = call("endNode", KNOWS)
    assert (end.id, end.labels, dict(end.properties)) == (2, (), {})


@pytest.mark.parametrize(
    ("name", "arguments", "error", "detail"),
    [
        ("type", (0,), QueryTypeError, "InvalidArgumentValue"),
        ("type", (NODE,), QueryTypeError, "InvalidArgumentValue"),
        ("labels", (KNOWS,), QueryTypeError, "InvalidArgumentValue"),
        ("length", (NODE,), QueryTypeError, "InvalidArgumentType"),
        ("properties", (1,), QueryTypeError, "InvalidArgumentType"),
        ("size", (PATH,), QueryTypeError, "InvalidArgumentType"),
        ("abs", ("a",), QueryTypeError, "InvalidArgumentType"),
        ("abs", (True,), QueryTypeError, "InvalidArgumentType"),
        ("head", ("abc",), QueryTypeError, "InvalidArgumentType"),
        ("left", ("hello", -1), QueryArgumentError, "InvalidArgumentValue"),
        ("left", ("hello", 1.5), QueryTypeError, "InvalidArgumentType"),
        ("range", (0, 1, 0), QueryArgumentError, "NumberOutOfRange"),
        ("range", (0, INT_MAX), QueryArgumentError, "InvalidArgumentValue"),
        ("range", (0.5, 1), QueryArgumentError, "InvalidArgumentType"),
        ("round", (1.5, -1), QueryArgumentError, "InvalidArgumentValue"),
        ("round", (1.5, 1, "SIDEWAYS"), QueryArgumentError, "InvalidArgumentValue"),
        ("normalize", ("a", "NFX"), QueryArgumentError, "InvalidArgumentValue"),
        ("point", (1,), QueryTypeError, "InvalidArgumentType"),
        ("date", (1,), QueryTypeError, "InvalidArgumentType"),
        ("date", ("nonsense",), QueryArgumentError, "InvalidArgumentValue"),
        ("datetime.realtime", ("Nowhere",), QueryArgumentError, "InvalidArgumentValue"),
        ("vector.similarity.cosine", ([1], [1, 2]), QueryArgumentError, "InvalidArgumentValue"),
        ("vector.similarity.cosine", ([0], [1]), QueryArgumentError, "InvalidArgumentValue"),
        ("vector.similarity.cosine", (["a"], [1]), QueryTypeError, "InvalidArgumentType"),
    ],
)
def test_errors(name, arguments, error, detail):
    with pytest.raises(error) as caught:
        call(name, *arguments)
    assert caught.value.detail == detail


def test_vectors():
    assert call("vector.similarity.cosine", [1, 0], [1, 0]) == 1.0
    assert call("vector.similarity.cosine", [1, 0], [-1, 0]) == 0.0
    assert call("vector.similarity.cosine", Vector.of([1, 0]), [0, 1]) == 0.5
    assert call("vector.similarity.euclidean", [0, 0], [0, 2]) == 0.2
    vector = call("vector", [1, 2.5], 2, "FLOAT32")
    assert vector == Vector.of([1, 2.5], "FLOAT32")
    assert call("vector", "[1, 2]", 2, "INTEGER8") == Vector.of([1, 2], "INTEGER8")
    assert call("size", vector) == call("vector_dimension_count", vector) == 2
    with pytest.raises(QueryArgumentError):
        call("vector", [1], 2, "FLOAT")
