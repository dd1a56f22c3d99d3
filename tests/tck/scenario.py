"""Feature files to cases: outlines expanded, every step understood or refused.

A step this module does not know raises :class:`UnknownStep`: a judge must never pass a case
because it did not understand what the case demands.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler

from tests.engine import Neutral, TestProcedure
from tests.tck import values

_PROCEDURE: Final = re.compile(r"there exists a procedure ([\w.]+)\((.*?)\) :: \((.*?)\) ?:")
_ERROR: Final = re.compile(
    r"an? (\w+) should be raised at (compile time|runtime|any time): (\w+|\*)"
)
_RESULTS: Final = {
    "the result should be, in any order:": (False, False),
    "the result should be, in order:": (True, False),
    "the result should be (ignoring element order for lists):": (False, True),
    "the result should be, in order (ignoring element order for lists):": (True, True),
}


class UnknownStep(ValueError):
    """A step form this runner does not interpret."""


@dataclass(frozen=True)
class ExpectedRows:
    """A result table."""

    columns: list[str]
    rows: list[list[Neutral]]
    ordered: bool = False
    ignore_list_order: bool = False


@dataclass(frozen=True)
class ExpectedError:
    """An error by type, phase (``compile``, ``runtime``, ``any``) and detail (``*`` is any)."""

    type: str
    phase: str
    detail: str


@dataclass
class Check:
    """One query under judgement and what must come of it."""

    query: str
    control: bool = False
    rows: ExpectedRows | None = None
    error: ExpectedError | None = None
    #: expected differences, or None where the case says nothing
    effects: dict[str, int] | None = None


@dataclass
class Case:
    """One concrete case."""

    name: str
    feature: str
    tags: frozenset[str] = frozenset()
    #: None for an empty graph, else the named graph's scripts
    graph: list[str] = field(default_factory=list)
    #: whatever the graph holds, the answer is the same
    any_graph: bool = False
    setup: list[str] = field(default_factory=list)
    parameters: dict[str, Neutral] = field(default_factory=dict)
    procedures: list[TestProcedure] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


def root() -> Path:
    """The TCK's folder: ``$TCK``, or beside the checkout."""
    default = Path(__file__).resolve().parents[3] / "shared" / "tck"
    return Path(os.environ.get("TCK") or default)


def load(folder: Path) -> Iterator[Case]:
    """Every case under ``folder/features``, in a stable order."""
    base = folder / "features"
    for path in sorted(base.rglob("*.feature")):
        feature = str(path.relative_to(base).with_suffix(""))
        yield from load_feature(path.read_text(encoding="utf-8"), feature, folder / "graphs")


def load_feature(source: str, feature: str, graphs: Path) -> Iterator[Case]:
    """The cases of one feature text."""
    document: Any = Parser().parse(source)
    document["uri"] = feature
    seen: dict[str, int] = {}
    for pickle in Compiler().compile(document):
        title = f"{feature} {pickle['name']}"
        seen[title] = number = seen.get(title, 0) + 1
        outline = len(pickle["astNodeIds"]) > 1
        name = f"{title} #{number}" if outline or number > 1 else title
        case = Case(name, feature, frozenset(tag["name"] for tag in pickle["tags"]))
        for step in pickle["steps"]:
            _interpret(case, step, graphs)
        if not case.checks:
            raise UnknownStep(f"{name}: no query")
        yield case


def _interpret(case: Case, step: Any, graphs: Path) -> None:
    """Add one step to its case."""
    words: str = step["text"].strip()
    argument = step.get("argument", {})
    table = [
        [c["value"] for c in r["cells"]] for r in argument.get("dataTable", {}).get("rows", [])
    ]
    document: str = argument.get("docString", {}).get("content", "")
    if words in ("an empty graph", "any graph"):
        case.any_graph = words == "any graph"
        return
    if found := re.fullmatch(r"the ([\w-]+) graph", words):
        case.graph = _named_graph(graphs / found.group(1))
    elif words == "having executed:":
        case.setup.append(document)
    elif words == "parameters are:":
        case.parameters = {row[0]: values.parse(row[1]) for row in table}
    elif found := _PROCEDURE.fullmatch(words):
        case.procedures.append(_procedure(found, table))
    elif words in ("executing query:", "executing control query:"):
        case.checks.append(Check(document, control="control" in words))
    elif not case.checks:
        raise UnknownStep(f"{case.name}: {words}")
    else:
        _expect(case, case.checks[-1], words, table)


def _expect(case: Case, check: Check, words: str, table: list[list[str]]) -> None:
    """One ``Then`` step."""
    if words in _RESULTS:
        ordered, ignore = _RESULTS[words]
        rows = [[values.parse(cell) for cell in row] for row in table[1:]]
        check.rows = ExpectedRows(table[0], rows, ordered, ignore)
    elif words == "the result should be empty":
        check.rows = ExpectedRows([], [])
    elif words == "no side effects":
        check.effects = {}
    elif words == "the side effects should be:":
        check.effects = {row[0]: int(row[1]) for row in table}
    elif found := _ERROR.fullmatch(words):
        phase = {"compile time": "compile", "any time": "any"}.get(found.group(2), "runtime")
        check.error = ExpectedError(found.group(1), phase, found.group(3))
    else:
        raise UnknownStep(f"{case.name}: {words}")


def _procedure(found: re.Match[str], table: list[list[str]]) -> TestProcedure:
    def fields(signature: str) -> tuple[tuple[str, str], ...]:
        parts = [part.split("::") for part in signature.split(",") if part.strip()]
        return tuple((name.strip(), kind.strip()) for name, kind in parts)

    rows = tuple(tuple(values.parse(cell) for cell in row) for row in table[1:])
    return TestProcedure(found.group(1), fields(found.group(2)), fields(found.group(3)), rows)


def _named_graph(folder: Path) -> list[str]:
    """The statements that build a named graph."""
    description = json.loads((folder / f"{folder.name}.json").read_text(encoding="utf-8"))
    statements: list[str] = []
    for script in description["scripts"]:
        source = (folder / f"{script}.cypher").read_text(encoding="utf-8")
        statements += [part for part in source.split(";") if part.strip()]
    return statements
