"""Run the parser's golden scripts: every production of the grammar with its tree.

``tree``    one statement; prints its syntax tree, defaults left out
``text``    one statement a line; prints each in canonical form (and demands that it parses to
            the same tree)
``error``   one statement a line (\\n for a line break); prints the whole error
``script``  several statements; prints them one a line
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from everwhen.errors import QuerySyntaxError
from everwhen.query.parser import parse, parse_script
from everwhen.query.pretty import pretty
from everwhen.query.syntax import QueryBody, Syntax
from tests.golden.runner import Block, check_file

SCRIPTS = sorted(Path(__file__).parent.glob("*.golden"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, golden_rewrite: bool) -> None:
    check_file(script, run, golden_rewrite)


def run(block: Block) -> str:
    match block.command:
        case "tree":
            statement = parse(block.input)
            assert parse(pretty(statement)) == statement
            body = statement.body
            plain = statement.mode is None and not statement.options
            if plain and isinstance(body, QueryBody) and body.time is None:
                if len(body.query.parts) == 1:
                    return "\n".join(dump(clause) for clause in body.query.parts[0].clauses)
            return dump(body if plain else statement)
        case "text":
            return "\n".join(canonical(line) for line in block.input.splitlines())
        case "error":
            lines = block.input.splitlines()
            return "\n".join(error(line.replace("\\n", "\n")) for line in lines)
        case "script":
            return "\n".join(text.replace("\n", "⏎") for text, _ in parse_script(block.input))
    raise ValueError(f"unknown command {block.command!r}")


def canonical(text: str) -> str:
    try:
        statement = parse(text)
    except QuerySyntaxError as error:
        return f"ERROR {error.message}"
    printed = pretty(statement)
    assert parse(printed) == statement, printed
    return printed.replace("\n", " ")


def error(text: str) -> str:
    try:
        tree = parse(text)
    except QuerySyntaxError as error:
        hint = "" if error.hint is None else f"\nhint: {error.hint}"
        return f"{error.detail}: {error.message}{hint}"
    return f"no error: {pretty(tree)}"


def dump(value: Any, indent: str = "") -> str:
    """A tree, one class a line where it is large, on one line where it is small."""
    short = _short(value)
    if len(indent) + len(short) <= 90 or not isinstance(value, Syntax):
        return indent + short
    lines = [f"{indent}{type(value).__name__}"]
    for name, child in _children(value):
        inner = indent + "  "
        if isinstance(child, tuple) and child and isinstance(child[0], Syntax | tuple):
            lines.append(f"{inner}{name}:")
            lines += [dump(item, inner + "  ") for item in child]
        elif len(inner) + len(name) + 1 + len(_short(child)) <= 90:
            lines.append(f"{inner}{name}={_short(child)}")
        else:
            lines += [f"{inner}{name}:", dump(child, inner + "  ")]
    return "\n".join(lines)


def _children(value: Syntax) -> list[tuple[str, Any]]:
    """Fields that differ from their defaults, places and texts left out."""
    found = []
    for field in fields(value):
        child = getattr(value, field.name)
        if not field.compare or (field.default is not MISSING and child == field.default):
            continue
        found.append((field.name, child))
    return found


def _short(value: Any) -> str:
    if isinstance(value, Syntax):
        inner = ", ".join(f"{name}={_short(child)}" for name, child in _children(value))
        return f"{type(value).__name__}({inner})"
    if isinstance(value, tuple):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return repr(value)
