"""What planning must know of the functions, procedures and tables that exist.

Planning may not import ``exec``; whoever plans hands an :class:`Environment` in. It is a value
like the catalog: the same text, catalog, statistics and environment give the same plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FunctionSignature:
    """A function as a call site sees it. ``maximum`` None: any number of arguments.

    ``name`` is the canonical (lower case, dotted) one; ``display`` is shown in suggestions;
    ``volatile``: equal arguments may give another result at each call.
    """

    name: str
    minimum: int
    maximum: int | None
    aggregate: bool = False
    display: str = ""
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class ProcedureArgument:
    """``type`` as in signatures (``STRING?``, ``INTEGER``, ``NUMBER?``, ``LIST<ANY>`` …)."""

    name: str
    type: str = "ANY"
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class ProcedureSignature:
    """A procedure; ``results`` are (column, type); ``mode``: READ, WRITE, SCHEMA, DBMS."""

    name: str
    arguments: tuple[ProcedureArgument, ...]
    results: tuple[tuple[str, str], ...]
    mode: str = "READ"


@dataclass(frozen=True, slots=True)
class TableSignature:
    """A SHOW table: ``brief`` columns without YIELD, ``columns`` all of them."""

    brief: tuple[str, ...]
    columns: tuple[str, ...]


class FunctionCatalog(Protocol):
    """Functions, found by lower-case name."""

    def function(self, name: str) -> FunctionSignature | None: ...

    def function_names(self) -> Iterable[str]:
        """Names as they are shown, for suggestions."""


class ProcedureCatalog(Protocol):
    """Procedures, found by lower-case name."""

    def procedure(self, name: str) -> ProcedureSignature | None: ...

    def procedure_names(self) -> Iterable[str]: ...


class Environment(FunctionCatalog, ProcedureCatalog, Protocol):
    """Everything planning asks for beside catalog and statistics."""

    def show_table(self, subject: str) -> TableSignature | None:
        """The table behind ``SHOW subject`` (``INDEXES``, ``PROCEDURES`` …)."""


@dataclass(frozen=True, slots=True)
class StaticEnvironment:
    """An environment that is a plain value; keys are lower-case names (tables: upper-case)."""

    functions: Mapping[str, FunctionSignature] = field(default_factory=dict)
    procedures: Mapping[str, ProcedureSignature] = field(default_factory=dict)
    tables: Mapping[str, TableSignature] = field(default_factory=dict)

    def function(self, name: str) -> FunctionSignature | None:
        return self.functions.get(name)

    def function_names(self) -> Iterable[str]:
        return [f.display or f.name for f in self.functions.values()]

    def procedure(self, name: str) -> ProcedureSignature | None:
        return self.procedures.get(name)

    def procedure_names(self) -> Iterable[str]:
        return [p.name for p in self.procedures.values()]

    def show_table(self, subject: str) -> TableSignature | None:
        return self.tables.get(subject)
