"""Commands of the query scripts, run against an engine.

``eval``      each line is an expression; prints its value, or ``error: TYPE``
``query``     one query; prints columns, rows in the notation of the TCK, then the counters that
              are not zero; ``sorted`` sorts the rows, ``params={...}`` is JSON, ``at=N``
``exec``      statements parted by lines that end in ``;``; prints counters of each, or ``ok``
``fail``      statements parted likewise; prints the error of each: ``TYPE`` and the message's
              first line
``columns``   only the column names of a query
``reset``     an empty database (every script begins with one)
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.engine import Engine, Outcome, text
from tests.golden.runner import Block


class Language:
    """One script's session."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(self, block: Block) -> str:
        """The output of one block."""
        match block.command:
            case "eval":
                return "\n".join(self._eval(line) for line in block.input.splitlines())
            case "query":
                return self._query(block)
            case "exec":
                return "\n".join(self._exec(s) for s in statements(block.input))
            case "fail":
                return "\n".join(self._fail(s) for s in statements(block.input))
            case "columns":
                outcome = self.engine.run(block.input)
                return _error(outcome) or " | ".join(outcome.columns)
            case "reset":
                self.engine.reset()
                return ""
        raise ValueError(f"unknown command {block.command!r}")

    def _eval(self, expression: str) -> str:
        outcome = self.engine.run(f"RETURN {expression} AS value")
        return _error(outcome) or text(outcome.rows[0][0])

    def _query(self, block: Block) -> str:
        arguments = block.arguments
        parameters = json.loads(arguments.get("params", "{}"))
        at = int(arguments["at"]) if "at" in arguments else None
        outcome = self.engine.run(block.input, parameters, at)
        if outcome.error is not None:
            return _error(outcome)
        rows = [" | ".join(text(value) for value in row) for row in outcome.rows]
        if "sorted" in arguments:
            rows.sort()
        head = [" | ".join(outcome.columns)] if outcome.columns else []
        counters = " ".join(_counters(outcome))
        return "\n".join([*head, *rows, *([counters] if counters else [])])

    def _exec(self, statement: str) -> str:
        outcome = self.engine.run(statement)
        return _error(outcome) or " ".join(_counters(outcome)) or "ok"

    def _fail(self, statement: str) -> str:
        outcome = self.engine.run(statement)
        if outcome.error is None:
            return "no error"
        return f"{outcome.error.type}: {outcome.error.message.splitlines()[0]}"


def statements(source: str) -> Iterator[str]:
    """Statements end at a line that ends in a semicolon, or with the input."""
    current: list[str] = []
    for line in source.splitlines():
        current.append(line.removesuffix(";"))
        if line.endswith(";"):
            yield "\n".join(current)
            current = []
    if current:
        yield "\n".join(current)


def queries(block: Block) -> list[str]:
    """The query texts of a block, for the coverage count."""
    match block.command:
        case "eval":
            return [f"RETURN {line} AS value" for line in block.input.splitlines()]
        case "query" | "columns":
            return [block.input]
        case "exec" | "fail":
            return list(statements(block.input))
    return []


def _error(outcome: Outcome) -> str:
    return "" if outcome.error is None else f"error: {outcome.error.type}"


def _counters(outcome: Outcome) -> list[str]:
    return [f"{name}={count}" for name, count in sorted(outcome.counters.items()) if count]
