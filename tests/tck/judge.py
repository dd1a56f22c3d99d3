"""Judge one case: what came against what was demanded.

Classes, worst first; wrong answers, unexpected errors and missing errors are counted apart
because a user meets them so differently:

``wrong answer``      rows, columns, order or side effects differ;
``missing error``     an error was demanded and a result came;
``unexpected error``  a result was demanded and an error came (setup included);
``wrong error``       an error came as demanded, but of another type, phase or detail;
``skipped``           the case cannot be put through this door; says why;
``pass``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tests.engine import (
    Engine,
    ErrorSeen,
    Neutral,
    NodeValue,
    Outcome,
    RelationshipValue,
    canonical,
    text,
)
from tests.tck.scenario import Case, Check, ExpectedError, ExpectedRows


class Class(Enum):
    """How a case ended."""

    PASS = "pass"
    WRONG_ANSWER = "wrong answer"
    MISSING_ERROR = "missing error"
    UNEXPECTED_ERROR = "unexpected error"
    WRONG_ERROR = "wrong error"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Verdict:
    """The class of one case, and for a failure the query, what was expected, what came."""

    name: str
    feature: str
    result: Class
    query: str = ""
    expected: str = ""
    got: str = ""

    @property
    def failed(self) -> bool:
        return self.result not in (Class.PASS, Class.SKIPPED)


#: types the TCK tells apart and a status code does not
_ALIASES: Final[dict[str, frozenset[str]]] = {
    "SemanticError": frozenset({"SemanticError", "SyntaxError"}),
    "ConstraintValidationFailed": frozenset({"ConstraintVerificationFailed"}),
}

Snapshot = tuple[Counter[str], Counter[str], Counter[str], Counter[str]]


class Wrong(Exception):
    """A case failed; carries its class and both sides."""

    def __init__(self, result: Class, expected: str, got: str) -> None:
        super().__init__(expected, got)
        self.result = result
        self.expected = expected
        self.got = got


def judge(engine: Engine, case: Case) -> Verdict:
    """Run one case on an empty database and say how it ended."""
    if case.procedures and not engine.can_register_procedures:
        reason = "this door cannot register test procedures"
        return Verdict(case.name, case.feature, Class.SKIPPED, got=reason)
    query = ""
    try:
        prepare(engine, case)
        for check in case.checks:
            query = check.query
            _check(engine, case, check)
    except Wrong as wrong:
        return Verdict(case.name, case.feature, wrong.result, query, wrong.expected, wrong.got)
    return Verdict(case.name, case.feature, Class.PASS)


def prepare(engine: Engine, case: Case) -> None:
    """Reset, register procedures, build the graph."""
    engine.reset()
    for procedure in case.procedures:
        engine.register_procedure(procedure)
    for statement in [*case.graph, *case.setup]:
        outcome = engine.run(statement)
        if outcome.error is not None:
            raise Wrong(Class.UNEXPECTED_ERROR, f"setup: {statement}", str(outcome.error))


def _check(engine: Engine, case: Case, check: Check) -> None:
    before = observe(engine) if check.effects is not None else None
    outcome = engine.run(check.query, case.parameters)
    if check.error is not None:
        judge_error(check.error, outcome)
        if check.error.phase == "compile" and check.error.type != "ParameterMissing":
            judge_phase(check, engine.run(f"EXPLAIN {check.query}", case.parameters))
    elif check.rows is not None:
        judge_rows(check.rows, outcome)
    if before is not None and check.effects is not None:
        seen = effects(before, observe(engine))
        if seen != check.effects:
            raise Wrong(Class.WRONG_ANSWER, f"side effects {check.effects}", f"{seen}")


def judge_error(expected: ExpectedError, outcome: Outcome) -> None:
    """Type, phase and detail, as far as the door carries them."""
    wanted = f"{expected.type}/{expected.detail} at {expected.phase} time"
    if outcome.error is None:
        raise Wrong(Class.MISSING_ERROR, wanted, table(outcome))
    seen = outcome.error
    if not _same_error(expected, seen):
        raise Wrong(Class.WRONG_ERROR, wanted, str(seen))


def judge_phase(check: Check, explained: Outcome) -> None:
    """What must fail when compiled must fail when only explained."""
    if explained.error is None:
        raise Wrong(Class.WRONG_ERROR, "an error at compile time", "EXPLAIN raises none")


def _same_error(expected: ExpectedError, seen: ErrorSeen) -> bool:
    types = _ALIASES.get(expected.type, frozenset({expected.type}))
    return (
        not seen.internal
        and seen.type in types
        and (seen.detail is None or expected.detail in ("*", seen.detail))
        and (seen.phase is None or expected.phase in ("any", seen.phase))
    )


def judge_rows(expected: ExpectedRows, outcome: Outcome) -> None:
    """Columns by name, rows as a bag or a list."""
    if outcome.error is not None:
        raise Wrong(Class.UNEXPECTED_ERROR, rows_text(expected), str(outcome.error))
    if not expected.columns and not outcome.rows:
        return
    if sorted(outcome.columns) != sorted(expected.columns):
        raise Wrong(Class.WRONG_ANSWER, f"columns {expected.columns}", f"{outcome.columns}")
    order = [outcome.columns.index(column) for column in expected.columns]

    def keys(rows: list[list[Neutral]], places: list[int]) -> list[tuple[object, ...]]:
        ignore = expected.ignore_list_order
        return [tuple(canonical(row[p], ignore) for p in places) for row in rows]

    wanted = keys(expected.rows, list(range(len(expected.columns))))
    came = keys(outcome.rows, order)
    same = wanted == came if expected.ordered else Counter(wanted) == Counter(came)
    if not same:
        raise Wrong(Class.WRONG_ANSWER, rows_text(expected), table(outcome))


def observe(engine: Engine) -> Snapshot:
    """Everything a later query can see: nodes, relationships, properties, labels."""
    nodes: Counter[str] = Counter()
    relationships: Counter[str] = Counter()
    properties: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for (node,) in _all(engine, "MATCH (n) RETURN n"):
        assert isinstance(node, NodeValue)
        nodes[f"{node.id}"] += 1
        labels.update(dict.fromkeys(node.labels, 1))
        for key, value in node.properties.items():
            properties[f"node {node.id} {key} {canonical(value)}"] += 1
    for (relationship,) in _all(engine, "MATCH ()-[r]->() RETURN r"):
        assert isinstance(relationship, RelationshipValue)
        relationships[f"{relationship.id}"] += 1
        for key, value in relationship.properties.items():
            properties[f"relationship {relationship.id} {key} {canonical(value)}"] += 1
    return nodes, relationships, properties, Counter(dict.fromkeys(labels, 1))


def _all(engine: Engine, query: str) -> list[list[Neutral]]:
    outcome = engine.run(query)
    if outcome.error is not None:
        raise Wrong(Class.UNEXPECTED_ERROR, f"to look around with {query}", str(outcome.error))
    return outcome.rows


def effects(before: Snapshot, after: Snapshot) -> dict[str, int]:
    """The difference of two observations in the TCK's words; zeros are left out."""
    names = ("nodes", "relationships", "properties", "labels")
    out: dict[str, int] = {}
    for name, old, new in zip(names, before, after, strict=True):
        for sign, difference in (("+", new - old), ("-", old - new)):
            if difference:
                out[sign + name] = difference.total()
    return out


def rows_text(expected: ExpectedRows) -> str:
    """An expected table, for reports."""
    order = " in order" if expected.ordered else ""
    return _table(expected.columns, expected.rows) + order


def table(outcome: Outcome) -> str:
    """A result table, for reports."""
    return _table(outcome.columns, outcome.rows)


def _table(columns: list[str], rows: list[list[Neutral]]) -> str:
    lines = [" | ".join(columns)] + [" | ".join(text(v) for v in row) for row in rows[:20]]
    if len(rows) > 20:
        lines.append(f"… {len(rows)} rows")
    return "\n".join(lines) if rows else f"{lines[0]} (no rows)"
