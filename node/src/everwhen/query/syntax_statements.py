"""Syntax tree, statements. Rules and sources: :mod:`everwhen.query.syntax`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from everwhen.query.syntax_base import Syntax

if TYPE_CHECKING:
    from everwhen.query.syntax_base import Expression
    from everwhen.query.syntax_clauses import Query, Return, SortItem, YieldItem
    from everwhen.query.syntax_expressions import Parameter, TypeExpression
    from everwhen.query.syntax_patterns import PathPattern, TimeSpec


# --- statements ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Body(Syntax):
    """What a statement does."""


@dataclass(frozen=True, slots=True)
class QueryBody(Body):
    """A query, with the time that is the default for all of its clauses."""

    query: Query
    time: TimeSpec | None = None


@dataclass(frozen=True, slots=True)
class Begin(Body):
    """``BEGIN [TRANSACTION] [SNAPSHOT|SERIALIZABLE|PESSIMISTIC] [READ ONLY] [AT TIME e]``."""

    isolation: Literal["SNAPSHOT", "SERIALIZABLE", "PESSIMISTIC"] = "SNAPSHOT"
    read_only: bool = False
    time: TimeSpec | None = None


@dataclass(frozen=True, slots=True)
class Commit(Body):
    pass


@dataclass(frozen=True, slots=True)
class Rollback(Body):
    pass


@dataclass(frozen=True, slots=True)
class Flashback(Body):
    """``FLASHBACK TO moment``, or ``FLASHBACK patterns WHERE where TO moment``; ``moment`` is of
    kind time or version."""

    moment: TimeSpec
    patterns: tuple[PathPattern, ...] = ()
    where: Expression | None = None
    #: only said, not done; set where EXPLAIN is taken off
    explain: bool = False


@dataclass(frozen=True, slots=True)
class FlashbackTransaction(Body):
    """``FLASHBACK TRANSACTION version [FORCE]``."""

    version: Expression
    force: bool = False
    explain: bool = False


EntityKind = Literal["NODE", "RELATIONSHIP"]


@dataclass(frozen=True, slots=True)
class CreateIndex(Body):
    """``CREATE kind INDEX name IF NOT EXISTS FOR (n:L) ON (n.p, …) OPTIONS {…}``.

    A LOOKUP index has neither labels nor properties. Only FULLTEXT has several labels.
    """

    kind: Literal["RANGE", "LOOKUP", "TEXT", "POINT", "FULLTEXT", "VECTOR"]
    entity: EntityKind
    labels: tuple[str, ...]
    properties: tuple[str, ...]
    name: str | Parameter | None = None
    if_not_exists: bool = False
    options: Expression | None = None


@dataclass(frozen=True, slots=True)
class DropIndex(Body):
    name: str | Parameter
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateConstraint(Body):
    """``CREATE CONSTRAINT name IF NOT EXISTS FOR (n:L) REQUIRE (n.p, …) IS kind``."""

    kind: Literal["UNIQUE", "NOT NULL", "KEY", "TYPED"]
    entity: EntityKind
    label: str
    properties: tuple[str, ...]
    type: TypeExpression | None = None
    name: str | Parameter | None = None
    if_not_exists: bool = False
    options: Expression | None = None


@dataclass(frozen=True, slots=True)
class DropConstraint(Body):
    name: str | Parameter
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class YieldPart(Syntax):
    """``YIELD items ORDER BY … SKIP … LIMIT … WHERE … RETURN …`` after SHOW and TERMINATE.

    ``yields`` None: no YIELD (only WHERE); ``star``: ``YIELD *``.
    """

    yields: tuple[YieldItem, ...] | None = None
    star: bool = False
    order: tuple[SortItem, ...] = ()
    skip: Expression | None = None
    limit: Expression | None = None
    where: Expression | None = None
    returns: Return | None = None


@dataclass(frozen=True, slots=True)
class Show(Body):
    """``SHOW qualifier subject arguments …``.

    ``subject``: INDEXES CONSTRAINTS PROCEDURES FUNCTIONS DATABASES DATABASE "DEFAULT DATABASE"
    "HOME DATABASE" TRANSACTIONS SETTINGS USERS "CURRENT USER" ROLES PRIVILEGES SERVERS ALIASES
    "SUPPORTED PRIVILEGES" LABELS "RELATIONSHIP TYPES" "PROPERTY KEYS".
    ``qualifier``: the words between (``RANGE``, ``NODE KEY``, ``BUILT IN``), joined, upper case.
    ``arguments``: names or ids asked for (a database name, transaction ids, setting names).
    ``executable_by``: ``EXECUTABLE`` gives "", ``EXECUTABLE BY x`` gives x, else None.
    """

    subject: str
    qualifier: str | None = None
    arguments: tuple[Expression, ...] = ()
    executable_by: str | None = None
    part: YieldPart | None = None


@dataclass(frozen=True, slots=True)
class TerminateTransactions(Body):
    ids: tuple[Expression, ...]
    part: YieldPart | None = None


@dataclass(frozen=True, slots=True)
class Statement(Syntax):
    """One whole statement with what stood before it.

    ``options`` are the ``key=value`` words after CYPHER, keys in lower case; a bare version
    number there has the key ``version``.
    """

    body: Body
    mode: Literal["EXPLAIN", "PROFILE"] | None = None
    options: tuple[tuple[str, str], ...] = ()
    text: str = field(default="", compare=False, repr=False)
