"""What a function may ask of the statement it runs in. ``exec.context.ExecutionContext`` has it."""

from __future__ import annotations

from typing import Protocol

from everwhen.model.graph import GraphView


class FunctionContext(Protocol):
    """Everything that is not an argument; nothing here is read from a clock directly."""

    @property
    def now_statement(self) -> int:
        """When the statement began, µs since 1970 UTC."""

    @property
    def now_transaction(self) -> int:
        """When its transaction began, µs since 1970 UTC."""

    @property
    def view(self) -> GraphView: ...

    def now_realtime(self) -> int:
        """Now, µs since 1970 UTC."""

    def random(self) -> float:
        """Uniform in [0, 1)."""

    def uuid(self) -> str:
        """A random UUID as text."""

    def restore_point(self, name: str) -> int | None:
        """The version that a restore point keeps; None if there is none of that name."""
