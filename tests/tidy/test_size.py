"""Modules of at most 400 lines, functions of at most 60; more needs a reason here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from tests.tidy.tree import CLIENT, NODE, OPERATOR, modules, report, text, tree

MODULE_LINES: Final = 400
FUNCTION_LINES: Final = 60

#: path -> (lines it may have, why it is not split)
LONG_MODULES: Final[dict[str, tuple[int, str]]] = {
    f"{NODE}/errors.py": (520, "one tree of errors, read as a table"),
}

#: path::function -> (lines it may have, why it is not split)
LONG_FUNCTIONS: Final[dict[str, tuple[int, str]]] = {}

_FOLDERS: Final = (NODE, CLIENT, OPERATOR, "tests", "bench", "samples")


def _modules() -> Iterator[tuple[str, int]]:
    for path in modules(*_FOLDERS):
        yield path, (text(path) or "").count("\n")


def _functions() -> Iterator[tuple[str, int]]:
    for path in modules(*_FOLDERS):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}::{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_modules_are_short():
    report(
        [
            f"{path}: {lines} lines, may have {allowed}"
            for path, lines in _modules()
            if lines > (allowed := LONG_MODULES.get(path, (MODULE_LINES, ""))[0])
        ]
    )


def test_functions_are_short():
    report(
        [
            f"{name}: {lines} lines, may have {allowed}"
            for name, lines in _functions()
            if lines > (allowed := LONG_FUNCTIONS.get(name, (FUNCTION_LINES, ""))[0])
        ]
    )


def test_exceptions_are_still_needed():
    long = {path for path, lines in _modules() if lines > MODULE_LINES}
    long |= {name for name, lines in _functions() if lines > FUNCTION_LINES}
    report(
        [f"{name}: no longer long" for name in [*LONG_MODULES, *LONG_FUNCTIONS] if name not in long]
    )
