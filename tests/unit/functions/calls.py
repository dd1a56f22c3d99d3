"""Calling functions as expressions call them, with a context that stands still."""

from __future__ import annotations

from typing import Any, cast

from everwhen.exec.functions import FUNCTIONS
from everwhen.model.graph import GraphView


class StillContext:
    """Implements ``FunctionContext``: three clocks a second apart, chance that repeats."""

    now_statement = 1_600_000_001_000_000
    now_transaction = 1_600_000_000_000_000
    view = cast("GraphView", None)

    def now_realtime(self) -> int:
        return 1_600_000_002_000_000

    def random(self) -> float:
        return 0.25

    def uuid(self) -> str:
        return "00000000-0000-4000-8000-000000000000"

    def restore_point(self, name: str) -> int | None:
        return None


CONTEXT = StillContext()


def call(name: str, *arguments: Any) -> Any:
    """The value of a call; null for a null argument where the function says so."""
    function = FUNCTIONS[name.lower()]
    assert function.min_args <= len(arguments)
    assert function.max_args is None or len(arguments) <= function.max_args
    if function.null_in_null_out and None in arguments:
        return None
    return function.fn(CONTEXT, *arguments)
