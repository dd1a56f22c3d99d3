"""The registry as a whole."""

from __future__ import annotations

import contextlib
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from everwhen.errors import ClientError
from everwhen.exec.context import ExecutionContext
from everwhen.exec.functions import FUNCTIONS
from everwhen.exec.functions.aggregates import AGGREGATE_SIGNATURES, AGGREGATES
from everwhen.exec.functions.context import FunctionContext
from tests.unit.functions.calls import CONTEXT, StillContext
from tests.unit.model.strategies import values

#: openCypher 9, "Functions", and what Neo4j 5 added that needs no index
LANGUAGE = """
abs acos asin atan atan2 btrim ceil char_length character_length coalesce cos cosh cot coth date
date.realtime date.statement date.transaction date.truncate datetime datetime.fromepoch
datetime.fromepochmillis datetime.realtime datetime.statement datetime.transaction
datetime.truncate degrees duration duration.between duration.indays duration.inmonths
duration.inseconds e elementid endnode exists exp floor haversin head id isempty isnan keys labels
last left length localdatetime localdatetime.realtime localdatetime.statement
localdatetime.transaction localdatetime.truncate localtime localtime.realtime localtime.statement
localtime.transaction localtime.truncate log log10 lower ltrim nodes normalize nullif pi point
point.distance point.withinbbox properties radians rand randomuuid range relationships replace
reverse right round rtrim sign sin sinh size split sqrt startnode substring tail tan tanh time
time.realtime time.statement time.transaction time.truncate timestamp toboolean tobooleanlist
tobooleanornull tofloat tofloatlist tofloatornull tointeger tointegerlist tointegerornull tolower
tostring tostringlist tostringornull toupper trim type upper valuetype
vector.similarity.cosine vector.similarity.euclidean
"""


def test_the_whole_language_is_there():
    assert set(LANGUAGE.split()) - set(FUNCTIONS) == set()
    assert set(AGGREGATES) == {
        "avg", "collect", "count", "max", "min", "percentilecont", "percentiledisc", "stdev",
        "stdevp", "sum",
    }  # fmt: skip
    assert not set(AGGREGATES) & set(FUNCTIONS)


def test_names_signatures_and_descriptions_agree():
    for key, function in FUNCTIONS.items():
        assert key == function.name.lower()
        assert function.signature.startswith(f"{function.name}(")
        assert re.fullmatch(r"[\w.]+\(.*\) :: [A-Z_ <>|]+", function.signature), function.signature
        assert function.description.endswith(".")
        assert not function.aggregate
    for name, (signature, _) in AGGREGATE_SIGNATURES.items():
        assert signature.startswith(f"{name}(")


def test_arguments_are_counted_from_signatures():
    def counts(name):
        return FUNCTIONS[name].min_args, FUNCTIONS[name].max_args

    assert counts("rand") == (0, 0)
    assert counts("abs") == (1, 1)
    assert counts("substring") == (2, 3)
    assert counts("coalesce") == (1, None)
    assert counts("vector.similarity.cosine") == (2, 2)
    assert counts("date.truncate") == (1, 3)


def test_what_differs_from_call_to_call_says_so():
    for name in ("rand", "randomuuid", "datetime.realtime", "localtime.realtime"):
        assert not FUNCTIONS[name].deterministic
    for name in ("abs", "size", "timestamp", "date", "time.truncate", "time.transaction"):
        assert FUNCTIONS[name].deterministic


def test_the_contexts_have_what_functions_ask():
    for name in ("now_statement", "now_transaction", "view", "now_realtime", "random", "uuid"):
        assert hasattr(FunctionContext, name)
        assert hasattr(StillContext, name)
        assert hasattr(ExecutionContext, name)


@settings(max_examples=300)
@given(st.sampled_from(sorted(FUNCTIONS)), st.data())
def test_any_arguments_give_a_value_or_an_error_of_ours(name, data):
    function = FUNCTIONS[name]
    most = function.min_args + 1 if function.max_args is None else function.max_args
    count = data.draw(st.integers(function.min_args, most))
    arguments = [data.draw(values) for _ in range(count)]
    if function.null_in_null_out and any(argument is None for argument in arguments):
        return
    before = repr(arguments)
    with contextlib.suppress(ClientError):  # anything else fails the test
        function.fn(CONTEXT, *arguments)
    assert repr(arguments) == before
