"""What a procedure declares: its signature and the generator that runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from everwhen.exec.context import ExecutionContext
from everwhen.model.graph import GraphView
from everwhen.query.environment import ProcedureArgument, ProcedureSignature

#: Runs with the view asked for (``AT TIME`` or the transaction's own); yields one tuple per row.
ProcedureBody = Callable[[ExecutionContext, GraphView, Sequence[Any]], Iterator[tuple[Any, ...]]]

#: Marks an argument without a default.
REQUIRED: Any = object()


@dataclass(frozen=True, slots=True)
class ProcedureField:
    """An argument or a result column; ``type`` as in signatures (``STRING``, ``INTEGER``)."""

    name: str
    type: str
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class ProcedureDefinition:
    """``mode``: READ, WRITE, SCHEMA or DBMS."""

    name: str
    arguments: tuple[ProcedureField, ...]
    results: tuple[ProcedureField, ...]
    description: str
    body: ProcedureBody
    mode: str = "READ"

    @property
    def planning(self) -> ProcedureSignature:
        """What planning must know of it."""
        return ProcedureSignature(
            self.name,
            tuple(
                ProcedureArgument(field.name, field.type, field.default is not REQUIRED)
                for field in self.arguments
            ),
            tuple((field.name, field.type) for field in self.results),
            self.mode,
        )

    @property
    def signature(self) -> str:
        """As ``SHOW PROCEDURES`` prints it."""
        arguments = ", ".join(
            f"{a.name} :: {a.type}"
            if a.default is REQUIRED
            else f"{a.name} = {a.default} :: {a.type}"
            for a in self.arguments
        )
        results = ", ".join(f"{r.name} :: {r.type}" for r in self.results)
        return f"{self.name}({arguments})" + (f" :: ({results})" if results else "")
