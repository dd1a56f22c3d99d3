"""Run the planner's golden scripts.

``world``   lines of :mod:`tests.golden.plan.world`; begins a new database
``plan``    one statement; prints its plan as EXPLAIN does
``kind``    one statement a line; prints what each does (r, w, rw) and its columns
``error``   one statement a line; prints the detail of the error and its first line
``full``    one statement a line; prints the whole error, caret and hint included
``notes``   one statement a line; prints the notifications
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from everwhen.errors import EverwhenError
from everwhen.query.compile import Compiled, prepare
from everwhen.query.explain import describe, render
from everwhen.query.parser import parse
from everwhen.query.physical import Plan
from everwhen.query.planner import plan
from tests.golden.plan.world import ENVIRONMENT, World
from tests.golden.runner import Block, check_file

SCRIPTS = sorted(Path(__file__).parent.glob("*.golden"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, golden_rewrite: bool) -> None:
    check_file(script, Planner().run, golden_rewrite)


class Planner:
    """One script's world."""

    def __init__(self) -> None:
        self.world = World()

    def run(self, block: Block) -> str:
        """The output of one block."""
        match block.command:
            case "world":
                self.world = World()
                for line in block.input.splitlines():
                    self.world.declare(line)
                return "ok"
            case "plan":
                return render(describe(self.plan(block.input)))
            case "kind":
                return "\n".join(self.kind(line) for line in block.input.splitlines())
            case "error":
                return "\n".join(self.error(line, whole=False) for line in block.input.splitlines())
            case "full":
                return "\n".join(self.error(line, whole=True) for line in block.input.splitlines())
            case "notes":
                return "\n".join(self.notes(line) for line in block.input.splitlines())
        raise ValueError(f"unknown command {block.command!r}")

    def plan(self, text: str) -> Plan:
        """Planned without lifting literals, which would hide them from the reader."""
        return plan(parse(text), self.world.catalog, self.world.counts, ENVIRONMENT)

    def kind(self, text: str) -> str:
        made = self.plan(text)
        return f"{made.kind} {', '.join(made.columns)}".rstrip()

    def error(self, text: str, *, whole: bool) -> str:
        """The same error must come with literals lifted."""
        error = self.failure(lambda: self.plan(text))
        if error is None:
            return "no error"
        lifted = self.failure(
            lambda: prepare(text, self.world.catalog, self.world.counts, ENVIRONMENT)
        )
        assert lifted is not None
        assert error.position is not None
        assert (lifted.message, lifted.detail) == (error.message, error.detail)
        if whole:
            return f"{type(error).__name__} {error.detail}: {error}"
        return f"{error.detail}: {error.message.splitlines()[0]}"

    def failure(self, act: Callable[[], object]) -> EverwhenError | None:
        """The error an action ends with."""
        try:
            act()
        except EverwhenError as error:
            return error
        return None

    def notes(self, text: str) -> str:
        made = prepare(text, self.world.catalog, self.world.counts, ENVIRONMENT)
        assert isinstance(made, Compiled)
        return "\n".join(
            f"{n.code.rpartition('.')[2]}: {n.description}" for n in made.plan.notifications
        )
