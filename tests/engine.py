"""What a judge asks of a database: run a query, see columns, rows, counters and errors.

Judges (TCK, golden scripts, models, fuzzers) are written against :class:`Engine`, so that the
same cases run in process, over HTTP, or against a fake in the judges' own tests. Values come
back in the neutral classes below, never in the database's own: a judge that compared with the
database's equality would inherit its mistakes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

Neutral = Any
"""None, bool, int, float, str, bytes, list, dict or one of the classes below."""


@dataclass(frozen=True)
class NodeValue:
    """A node; ``id`` is None in an expected value."""

    labels: frozenset[str]
    properties: Mapping[str, Neutral]
    id: str | None = None


@dataclass(frozen=True)
class RelationshipValue:
    """A relationship; ids are None in an expected value."""

    type: str
    properties: Mapping[str, Neutral]
    id: str | None = None
    start: str | None = None
    end: str | None = None


@dataclass(frozen=True)
class PathValue:
    """A path in walking order; ``forward[i]`` tells whether step i follows its arrow."""

    nodes: tuple[NodeValue, ...]
    relationships: tuple[RelationshipValue, ...]
    forward: tuple[bool, ...]


@dataclass(frozen=True)
class TextValue:
    """A temporal, spatial or vector value as its text; ``kind`` is the Cypher type name."""

    kind: str
    text: str


@dataclass(frozen=True)
class ErrorSeen:
    """An error a query answered with, in openCypher's words where it has any.

    ``type`` is the TCK's error type (``SyntaxError``); ``detail`` its detail or None where the
    door does not carry one; ``phase`` ``"compile"``, ``"runtime"`` or None where unknown;
    ``code`` the Neo4j status code; ``internal`` marks what no client should ever see (a fault,
    an error outside the tree).
    """

    type: str
    detail: str | None
    message: str
    code: str = ""
    phase: str | None = None
    internal: bool = False

    def __str__(self) -> str:
        where = f" at {self.phase} time" if self.phase else ""
        return f"{self.type}/{self.detail}{where}: {self.message}"


#: the TCK's error types by the Neo4j status codes that carry them over a door
ERROR_TYPES: Final[dict[str, str]] = {
    "Neo.ClientError.Statement.SyntaxError": "SyntaxError",
    "Neo.ClientError.Statement.TypeError": "TypeError",
    "Neo.ClientError.Statement.ArgumentError": "ArgumentError",
    "Neo.ClientError.Statement.ArithmeticError": "ArithmeticError",
    "Neo.ClientError.Statement.EntityNotFound": "EntityNotFound",
    "Neo.ClientError.Statement.PropertyNotFound": "PropertyNotFound",
    "Neo.ClientError.Statement.LabelNotFound": "LabelNotFound",
    "Neo.ClientError.Statement.SemanticError": "SemanticError",
    "Neo.ClientError.Statement.ParameterMissing": "ParameterMissing",
    "Neo.ClientError.Procedure.ProcedureNotFound": "ProcedureError",
    "Neo.ClientError.Procedure.ProcedureCallFailed": "ProcedureError",
    "Neo.ClientError.Schema.ConstraintValidationFailed": "ConstraintVerificationFailed",
}


def error_type(code: str) -> str:
    """The TCK's type for a status code; the code's last word where the TCK has none."""
    return ERROR_TYPES.get(code, code.rsplit(".", 1)[-1])


@dataclass
class Outcome:
    """Either columns and rows, or an error."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[Neutral]] = field(default_factory=list)
    counters: Mapping[str, int] = field(default_factory=dict)
    error: ErrorSeen | None = None


@dataclass(frozen=True)
class TestProcedure:
    """A table pretending to be a procedure: rows whose inputs equal the arguments are yielded."""

    __test__ = False

    name: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Neutral, ...], ...]

    def call(self, arguments: Sequence[Neutral]) -> list[tuple[Neutral, ...]]:
        """Output columns of the rows that match."""
        wanted = [_number(a) for a in arguments]
        width = len(self.inputs)
        return [r[width:] for r in self.rows if [_number(v) for v in r[:width]] == wanted]


def _number(value: Neutral) -> Neutral:
    """Integers where FLOAT or NUMBER is declared match their float (TCK, Call3)."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_number else value


class Session(Protocol):
    """One client: its statements run in order, ``BEGIN``, ``COMMIT``, ``ROLLBACK`` included."""

    def run(self, query: str, parameters: Mapping[str, Neutral] | None = None) -> Outcome: ...

    def close(self) -> None:
        """Rolls back what is open."""


class Engine(Protocol):
    """One database under test."""

    #: whether :meth:`register_procedure` works through this door
    can_register_procedures: bool

    def reset(self) -> None:
        """An empty graph without schema or test procedures."""

    def run(
        self, query: str, parameters: Mapping[str, Neutral] | None = None, at: int | None = None
    ) -> Outcome:
        """Run in auto-commit; ``at`` reads at that commit version. Never raises for an error
        the database answers with."""

    def version(self) -> int:
        """The version of the last commit."""

    def session(self) -> Session:
        """A further client of the same database."""

    def reopen(self) -> None:
        """Close the database in good order and open it again from its disk."""

    def register_procedure(self, procedure: TestProcedure) -> None: ...

    def close(self) -> None: ...


def canonical(value: Neutral, ignore_list_order: bool = False) -> tuple[Any, ...]:
    """A hashable, orderable-by-repr key: equal keys mean the same value to a user.

    Integers and floats differ, NaN equals NaN, elements compare by what they look like (expected
    values have no ids), temporal values compare as their text with strings, as in the TCK.
    """
    match value:
        case None:
            return ("null",)
        case bool():
            return ("boolean", value)
        case int():
            return ("integer", value)
        case float():
            # adding zero makes 0.0 of -0.0, which are one value (TCK, Literals5)
            return ("float", "NaN") if math.isnan(value) else ("float", repr(value + 0.0))
        case str():
            return ("string", value)
        case TextValue():
            return ("string", value.text)
        case bytes():
            return ("bytes", value)
        case NodeValue():
            return ("node", tuple(sorted(value.labels)), _map_key(value.properties))
        case RelationshipValue():
            return ("relationship", value.type, _map_key(value.properties))
        case PathValue():
            return (
                "path",
                tuple(canonical(n) for n in value.nodes),
                tuple(canonical(r) for r in value.relationships),
                value.forward,
            )
        case list() | tuple():
            keys = [canonical(v, ignore_list_order) for v in value]
            return ("list", tuple(sorted(keys, key=repr) if ignore_list_order else keys))
        case dict():
            return ("map", _map_key(value, ignore_list_order))
    raise TypeError(f"not a neutral value: {value!r}")


def _map_key(value: Mapping[str, Neutral], ignore_list_order: bool = False) -> tuple[Any, ...]:
    return tuple(sorted((k, canonical(v, ignore_list_order)) for k, v in value.items()))


def text(value: Neutral) -> str:
    """A value in the TCK's notation, for reports and golden tables."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _float_text(value)
        case int():
            return str(value)
        case str():
            return "'" + _escape(value) + "'"
        case TextValue():
            return f"{value.kind}('{value.text}')"
        case bytes():
            return "0x" + value.hex()
        case NodeValue():
            labels = "".join(f":{label}" for label in sorted(value.labels))
            properties = _map_text(value.properties) if value.properties else ""
            return f"({labels}{' ' if labels and properties else ''}{properties})"
        case RelationshipValue():
            properties = " " + _map_text(value.properties) if value.properties else ""
            return f"[:{value.type}{properties}]"
        case PathValue():
            return _path_text(value)
        case list() | tuple():
            return "[" + ", ".join(text(v) for v in value) + "]"
        case dict():
            return _map_text(value)
    raise TypeError(f"not a neutral value: {value!r}")


def _escape(value: str) -> str:
    out = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return out.replace("\r", "\\r").replace("\t", "\\t")


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return repr(value)


def _map_text(value: Mapping[str, Neutral]) -> str:
    return "{" + ", ".join(f"{k}: {text(value[k])}" for k in sorted(value)) + "}"


def _path_text(path: PathValue) -> str:
    out = text(path.nodes[0])
    for forward, relationship, node in zip(
        path.forward, path.relationships, path.nodes[1:], strict=True
    ):
        body = text(relationship)
        out += f"-{body}->{text(node)}" if forward else f"<-{body}-{text(node)}"
    return f"<{out}>"
