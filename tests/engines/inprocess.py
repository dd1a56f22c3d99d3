"""The database embedded in this process, its values made neutral."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from everwhen.errors import EverwhenError, Fault
from everwhen.exec.procedures import ProcedureDefinition, ProcedureField
from everwhen.model.elements import Node, Path, Relationship
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded, EmbeddedSession, Result
from tests.engine import (
    ErrorSeen,
    Neutral,
    NodeValue,
    Outcome,
    PathValue,
    RelationshipValue,
    TestProcedure,
    TextValue,
    error_type,
)

#: seconds a statement may take before it counts as hanging
DEADLINE = 60.0
IMPORT_FOLDER = pathlib.Path(__file__).resolve().parents[1] / "golden" / "query" / "files"


class InProcess:
    """One embedded database."""

    can_register_procedures = True

    def __init__(self) -> None:
        self.database = self._fresh()

    @staticmethod
    def _fresh() -> Embedded:
        return Embedded(
            options=DatabaseOptions(default_timeout=DEADLINE, import_folder=IMPORT_FOLDER)
        )

    def reset(self) -> None:
        """An empty database; a new one if the last case broke it (its error was reported)."""
        try:
            self.database.reset()
        except Exception:
            self.database = self._fresh()

    def run(
        self, query: str, parameters: Mapping[str, Neutral] | None = None, at: int | None = None
    ) -> Outcome:
        text = query if at is None else f"{query.rstrip().rstrip(';')}\nAT VERSION {at}"
        return outcome(lambda: self.database.execute(text, parameters))

    def run_plans(self, execution: str, batch_rows: int | None = None) -> None:
        """Over ``rows`` or ``batches`` whatever plans expect, or ``auto``; stays after a reset."""
        self.database.run_plans(execution, batch_rows)

    def version(self) -> int:
        return self.database.version

    def session(self) -> InProcessSession:
        return InProcessSession(self.database.session())

    def reopen(self) -> None:
        self.database.reopen()

    def register_procedure(self, procedure: TestProcedure) -> None:
        def body(context: Any, view: Any, arguments: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
            yield from procedure.call(list(arguments))

        self.database.register_procedure(
            ProcedureDefinition(
                procedure.name,
                tuple(ProcedureField(n, _nullable(t)) for n, t in procedure.inputs),
                tuple(ProcedureField(n, _nullable(t)) for n, t in procedure.outputs),
                "a test procedure",
                body,
            )
        )

    def close(self) -> None:
        with contextlib.suppress(Exception):  # broken by the last case, whose error was reported
            self.database.close()


class InProcessSession:
    """A further client."""

    def __init__(self, session: EmbeddedSession) -> None:
        self.inner = session

    def run(self, query: str, parameters: Mapping[str, Neutral] | None = None) -> Outcome:
        return outcome(lambda: self.inner.run(query, parameters))

    def close(self) -> None:
        self.inner.close()


def _nullable(declared: str) -> str:
    """``INTEGER?`` of the TCK is a type that takes null, as all of ours do."""
    return declared.removesuffix("?")


def outcome(run: Callable[[], Result]) -> Outcome:
    """A result made neutral, or the error it ended with."""
    try:
        result = run()
        rows = [[neutral(value) for value in row] for row in result.rows]
    except EverwhenError as error:
        return Outcome(error=seen(error))
    except Exception as error:
        return Outcome(error=ErrorSeen(type(error).__name__, None, repr(error), internal=True))
    counters = {name.replace("_", "-"): count for name, count in result.counters.items()}
    return Outcome(list(result.columns), rows, counters)


def seen(error: EverwhenError) -> ErrorSeen:
    """An error of the tree in openCypher's words."""
    internal = isinstance(error, Fault) or error.code.startswith("Neo.DatabaseError")
    return ErrorSeen(
        error_type(error.code), error.detail, str(error), error.code, internal=internal
    )


def neutral(value: Any) -> Neutral:
    """An engine value as a neutral one."""
    match value:
        case None | bool() | int() | float() | str() | bytes():
            return value
        case list() | tuple():
            return [neutral(v) for v in value]
        case dict():
            return {key: neutral(v) for key, v in value.items()}
        case Node():
            return _node(value)
        case Relationship():
            return _relationship(value)
        case Path():
            steps = zip(value.nodes, value.relationships, strict=False)
            return PathValue(
                tuple(_node(n) for n in value.nodes),
                tuple(_relationship(r) for r in value.relationships),
                tuple(r.start == n.id for n, r in steps),
            )
    kind = type(value)
    if not kind.__module__.startswith("everwhen.model."):
        raise TypeError(f"a result holds a {kind}: {value!r}")
    return TextValue(kind.__name__.lower(), str(value))


def _node(node: Node) -> NodeValue:
    properties = {key: neutral(v) for key, v in node.properties.items()}
    return NodeValue(frozenset(node.labels), properties, str(node.id))


def _relationship(relationship: Relationship) -> RelationshipValue:
    return RelationshipValue(
        relationship.type,
        {key: neutral(v) for key, v in relationship.properties.items()},
        str(relationship.id),
        str(relationship.start),
        str(relationship.end),
    )
