"""Every text of the openCypher TCK: parsed, or refused exactly where the TCK wants that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from everwhen.errors import QuerySyntaxError
from everwhen.query.parser import parse
from everwhen.query.pretty import pretty
from tests.tck import scenario

#: details that only the binder can find; the rest of SyntaxError is the parser's
MAY_PARSE = frozenset((
    "UndefinedVariable", "VariableTypeConflict", "VariableAlreadyBound", "InvalidArgumentType",
    "InvalidAggregation", "AmbiguousAggregationExpression", "NoExpressionAlias", "InvalidDelete",
    "NonConstantExpression", "NegativeIntegerArgument", "InvalidClauseComposition",
    "InvalidParameterUse", "CreatingVarLength", "NoSingleRelationshipType", "NoVariablesInScope",
    "RequiresDirectedRelationship", "RelationshipUniquenessViolation", "ColumnNameConflict",
    "DifferentColumnsInUnion", "UnknownFunction", "InvalidNumberOfArguments",
    "InvalidArgumentPassingMode", "ProcedureNotFound", "MissingParameter", "UnexpectedSyntax",
))  # fmt: skip


def texts() -> Iterator[tuple[str, str, str | None]]:
    """Name of the case, text, and the detail of the syntax error that is wanted of it."""
    for case in scenario.load(scenario.root()):
        for text in case.setup + case.graph:
            yield case.name, text, None
        for check in case.checks:
            wanted = check.error
            at_compile = wanted is not None and wanted.phase == "compile"
            yield case.name, check.query, wanted.detail if wanted and at_compile else None


@pytest.mark.skipif(
    not (scenario.root() / "features").is_dir(),
    reason=f"no openCypher TCK at {scenario.root()} (set TCK=/path/to/tck)",
)
def test_every_text_of_the_tck() -> None:
    wrong: list[str] = []
    count = 0
    for name, text, wanted in texts():
        count += 1
        try:
            tree = parse(text)
        except QuerySyntaxError as error:
            if error.detail != wanted:
                wrong.append(f"{name}: {error.detail}, wanted {wanted}\n{error.message}")
            continue
        if wanted is not None and wanted not in MAY_PARSE:
            wrong.append(f"{name}: parsed, wanted {wanted}\n{text}")
        if parse(pretty(tree)) != tree:
            wrong.append(f"{name}: printed wrong\n{text}\n{pretty(tree)}")
    assert not wrong, "\n\n".join(wrong)
    assert count > 2_000
