"""Canaries of the TCK runner: what must fail is reported as failed, in the right class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.engine import (
    ErrorSeen,
    Neutral,
    NodeValue,
    Outcome,
    PathValue,
    RelationshipValue,
    Session,
    TestProcedure,
    TextValue,
    canonical,
    text,
)
from tests.tck import run, scenario, values
from tests.tck.judge import Class, judge

FEATURE = """
Feature: F

  Scenario: [1] rows
    Given an empty graph
    And parameters are:
      | p | [1, 'a'] |
    When executing query:
      \"\"\"
      Q
      \"\"\"
    Then the result should be, in any order:
      | n            | x   |
      | (:A {k: 1})  | 1.0 |
      | null         | 'a' |
    And no side effects

  Scenario: [2] error
    Given any graph
    When executing query:
      \"\"\"
      Q
      \"\"\"
    Then a SyntaxError should be raised at compile time: UndefinedVariable

  Scenario: [3] ordered
    Given any graph
    When executing query:
      \"\"\"
      Q
      \"\"\"
    Then the result should be, in order (ignoring element order for lists):
      | l      |
      | [1, 2] |
      | [3]    |

  Scenario: [4] effects
    Given any graph
    When executing query:
      \"\"\"
      Q
      \"\"\"
    Then the result should be empty
    And the side effects should be:
      | +nodes      | 1 |
      | +properties | 1 |
      | -labels     | 1 |

  Scenario Outline: [5] outline
    Given there exists a procedure my.p(a :: INTEGER?) :: (b :: STRING?):
      | a | b   |
      | 1 | 'x' |
    When executing query:
      \"\"\"
      Q <v>
      \"\"\"
    Then the result should be, in any order:
      | v   |
      | <v> |

    Examples:
      | v |
      | 1 |
      | 2 |
"""


class Scripted:
    """An engine that answers from a table and changes its graph once, at the first query."""

    can_register_procedures = True

    def __init__(self, answers: Mapping[str, Outcome], graphs: list[list[Neutral]]) -> None:
        self.answers = answers
        self.graphs = graphs
        self.procedures: list[TestProcedure] = []

    def reset(self) -> None:
        self.procedures.clear()

    def run(
        self, query: str, parameters: Mapping[str, Neutral] | None = None, at: int | None = None
    ) -> Outcome:
        if query == "MATCH (n) RETURN n":
            nodes = self.graphs.pop(0) if len(self.graphs) > 1 else self.graphs[0]
            return Outcome(["n"], [[n] for n in nodes])
        if query == "MATCH ()-[r]->() RETURN r":
            return Outcome(["r"], [])
        return self.answers[query]

    def version(self) -> int:
        return 1

    def session(self) -> Session:
        raise NotImplementedError

    def reopen(self) -> None:
        raise NotImplementedError

    def register_procedure(self, procedure: TestProcedure) -> None:
        self.procedures.append(procedure)

    def close(self) -> None:
        return


def cases() -> list[scenario.Case]:
    return list(scenario.load_feature(FEATURE, "f", Path("graphs")))


def verdict(number: int, outcome: Outcome, graphs: list[list[Neutral]] | None = None) -> Class:
    queries = ("Q", "Q 1", "Q 2", "EXPLAIN Q")
    engine = Scripted(dict.fromkeys(queries, outcome), graphs or [[]])
    return judge(engine, cases()[number - 1]).result


NODE = NodeValue(frozenset({"A"}), {"k": 1}, "7")
GOOD = Outcome(["n", "x"], [[None, "a"], [NODE, 1.0]])


def test_good_rows_pass_in_any_order_and_any_column_order() -> None:
    assert verdict(1, GOOD) is Class.PASS
    assert verdict(1, Outcome(["x", "n"], [["a", None], [1.0, NODE]])) is Class.PASS


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(["n", "x"], [[None, "a"], [NODE, 1]]),  # an integer for a float
        Outcome(["n", "x"], [[None, "a"]]),  # a row short
        Outcome(["n", "x"], [[None, "a"], [NODE, 1.0], [NODE, 1.0]]),  # a row twice
        Outcome(["n", "y"], [[None, "a"], [NODE, 1.0]]),  # another column
        Outcome(["n", "x"], [[None, "a"], [NodeValue(frozenset("A"), {"k": 2}), 1.0]]),
        Outcome(["n", "x"], [[None, "a"], [NodeValue(frozenset("AB"), {"k": 1}), 1.0]]),
        Outcome(["n", "x"], [[None, None], [NODE, 1.0]]),
    ],
)
def test_wrong_rows_are_wrong_answers(outcome: Outcome) -> None:
    assert verdict(1, outcome) is Class.WRONG_ANSWER


def test_side_effects_of_a_read_are_a_wrong_answer() -> None:
    assert verdict(1, GOOD, [[], [NODE]]) is Class.WRONG_ANSWER


def test_error_classes() -> None:
    def failed(type_: str, detail: str | None, phase: str | None = None) -> Outcome:
        return Outcome(error=ErrorSeen(type_, detail, "m", phase=phase))

    assert verdict(1, failed("SyntaxError", "X")) is Class.UNEXPECTED_ERROR
    assert verdict(2, Outcome(["x"], [])) is Class.MISSING_ERROR
    assert verdict(2, failed("SyntaxError", "UndefinedVariable")) is Class.PASS
    assert verdict(2, failed("SyntaxError", "UndefinedVariable", "compile")) is Class.PASS
    assert verdict(2, failed("SyntaxError", None)) is Class.PASS
    assert verdict(2, failed("SyntaxError", "UnexpectedSyntax")) is Class.WRONG_ERROR
    assert verdict(2, failed("TypeError", "UndefinedVariable")) is Class.WRONG_ERROR
    assert verdict(2, failed("SyntaxError", "UndefinedVariable", "runtime")) is Class.WRONG_ERROR
    internal = ErrorSeen("SyntaxError", "UndefinedVariable", "m", internal=True)
    assert verdict(2, Outcome(error=internal)) is Class.WRONG_ERROR


def test_an_error_at_compile_time_must_come_from_explain_too() -> None:
    error = Outcome(error=ErrorSeen("SyntaxError", "UndefinedVariable", "m"))
    engine = Scripted({"Q": error, "EXPLAIN Q": Outcome()}, [[]])
    assert judge(engine, cases()[1]).result is Class.WRONG_ERROR


def test_order_of_rows_counts_where_asked_and_order_of_lists_does_not() -> None:
    assert verdict(3, Outcome(["l"], [[[2, 1]], [[3]]])) is Class.PASS
    assert verdict(3, Outcome(["l"], [[[3]], [[1, 2]]])) is Class.WRONG_ANSWER
    assert verdict(3, Outcome(["l"], [[[1, 1]], [[3]]])) is Class.WRONG_ANSWER


def test_side_effects_are_observed_differences() -> None:
    old = NodeValue(frozenset({"B"}), {}, "1")
    unlabelled = NodeValue(frozenset(), {}, "1")
    created = NodeValue(frozenset(), {"k": 1}, "2")
    nothing = Outcome([], [])
    assert verdict(4, nothing, [[old], [unlabelled, created]]) is Class.PASS
    assert verdict(4, nothing, [[old], [unlabelled]]) is Class.WRONG_ANSWER
    assert verdict(4, nothing, [[old], [old]]) is Class.WRONG_ANSWER
    rows = Outcome(["n"], [[1]])
    assert verdict(4, rows, [[old], [unlabelled, created]]) is Class.WRONG_ANSWER


def test_outlines_expand_with_names_of_their_own() -> None:
    names = [case.name for case in cases()]
    assert names[4:] == ["f [5] outline #1", "f [5] outline #2"]
    assert [check.query for case in cases()[4:] for check in case.checks] == ["Q 1", "Q 2"]
    assert verdict(5, Outcome(["v"], [[1]])) is Class.PASS
    assert verdict(6, Outcome(["v"], [[1]])) is Class.WRONG_ANSWER


def test_a_door_without_procedures_skips_and_says_why() -> None:
    engine = Scripted({}, [[]])
    engine.can_register_procedures = False
    seen = judge(engine, cases()[4])
    assert seen.result is Class.SKIPPED
    assert "procedures" in seen.got


def test_unknown_steps_are_refused() -> None:
    with pytest.raises(scenario.UnknownStep):
        list(scenario.load_feature(FEATURE.replace("no side effects", "all is well"), "f", Path()))
    with pytest.raises(scenario.UnknownStep):
        list(scenario.load_feature(FEATURE.replace("any graph", "some graph"), "f", Path()))


def test_the_bar_forgives_few_errors_and_no_wrong_answer() -> None:
    case = cases()[0]
    good = [judge(Scripted({"Q": GOOD}, [[]]), case)] * 999
    error = judge(Scripted({"Q": Outcome(error=ErrorSeen("TypeError", None, ""))}, [[]]), case)
    wrong = judge(Scripted({"Q": Outcome(["n"], [])}, [[]]), case)
    assert run.holds([*good, error])
    assert not run.holds([*good, wrong])
    assert not run.holds([*good[:100], error])


def test_report_ends_with_the_closing_line(capsys: pytest.CaptureFixture[str]) -> None:
    case = cases()[0]
    wrong = judge(Scripted({"Q": Outcome(["n"], [])}, [[]]), case)
    run.report([judge(Scripted({"Q": GOOD}, [[]]), case), wrong], True, 1.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 passed, 1 failed, 0 skipped"
    assert lines[0] == "wrong answer: f [1] rows"


def test_a_missing_folder_is_said_and_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["--tck", str(tmp_path)]) == 0
    assert "not found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("(:A:B {a: 1, b: 'x'})", NodeValue(frozenset("AB"), {"a": 1, "b": "x"})),
        ("()", NodeValue(frozenset(), {})),
        ("[:T {a: [1.5, null]}]", RelationshipValue("T", {"a": [1.5, None]})),
        ("[[:T], [:S]]", [RelationshipValue("T", {}), RelationshipValue("S", {})]),
        ("'it\\'s'", "it's"),
        ("-1", -1),
        ("1e9", 1e9),
        ("-Inf", float("-inf")),
        ("{a: {b: []}}", {"a": {"b": []}}),
        (
            "<(:A)<-[:T]-()-[:S]->(:B)>",
            PathValue(
                (
                    NodeValue(frozenset("A"), {}),
                    NodeValue(frozenset(), {}),
                    NodeValue(frozenset("B"), {}),
                ),
                (RelationshipValue("T", {}), RelationshipValue("S", {})),
                (False, True),
            ),
        ),
    ],
)
def test_cells_parse_and_print(cell: str, value: Neutral) -> None:
    assert canonical(values.parse(cell)) == canonical(value)
    assert canonical(values.parse(text(value))) == canonical(value)


@pytest.mark.parametrize("cell", ["", "(", "[1", "'a", "1 2", "nul", "{a 1}", "<(a>"])
def test_malformed_cells_are_refused(cell: str) -> None:
    with pytest.raises(values.CellError):
        values.parse(cell)


def test_keys_tell_apart_what_a_user_tells_apart() -> None:
    apart = [1, 1.0, True, "1", None, [1], [1.0], {"a": 1}, {"a": None}, [], {}, b"1"]
    assert len({canonical(v) for v in apart}) == len(apart)
    assert canonical(float("nan")) == canonical(-float("nan"))
    assert canonical(TextValue("date", "2020-01-01")) == canonical("2020-01-01")


def test_procedures_match_arguments_and_widen_integers() -> None:
    procedure = TestProcedure("p", (("in", "FLOAT?"),), (("out", "STRING?"),), ((42.0, "x"),))
    assert procedure.call([42]) == [("x",)]
    assert procedure.call([None]) == []


def test_every_given_case_is_understood() -> None:
    folder = scenario.root()
    if not (folder / "features").is_dir():
        pytest.skip(f"the openCypher TCK is not at {folder}")
    names = [case.name for case in scenario.load(folder)]
    assert len(names) == len(set(names))
