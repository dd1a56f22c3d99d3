"""Syntax tree, commands about keeping and forgetting. Rules: :mod:`everwhen.query.syntax`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from everwhen.query.syntax_statements import Body

if TYPE_CHECKING:
    from everwhen.query.syntax_base import Expression
    from everwhen.query.syntax_expressions import Parameter
    from everwhen.query.syntax_patterns import TimeSpec


@dataclass(frozen=True, slots=True)
class AlterRetention(Body):
    """``ALTER DATABASE name SET RETENTION duration | KEEP FOREVER`` or ``REMOVE RETENTION``, of
    the database or ``FOR (n:Label)``, ``FOR ()-[r:TYPE]-()``.

    ``keep``: a duration, "FOREVER", or None to remove the rule.
    """

    database: str
    keep: Expression | Literal["FOREVER"] | None
    entity: Literal["", "NODE", "RELATIONSHIP"] = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class CreateRestorePoint(Body):
    """``CREATE RESTORE POINT name [IF NOT EXISTS] [AT TIME t | AT VERSION n]``."""

    name: str | Parameter
    if_not_exists: bool = False
    time: TimeSpec | None = None


@dataclass(frozen=True, slots=True)
class DropRestorePoint(Body):
    """``DROP RESTORE POINT name [IF EXISTS]``."""

    name: str | Parameter
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class Erase(Body):
    """``reading clauses [time] ERASE variables [FORCE]``. ``reading`` and ``time`` are texts: they
    run as a query that returns the variables."""

    reading: str
    time: str
    variables: tuple[str, ...]
    force: bool = False
