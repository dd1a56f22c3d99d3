"""Statements about keeping and forgetting: retention, restore points, ERASE."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from everwhen.apply.erasing import DONE, SETTLING, UNCOVERING, check_kept, things_of
from everwhen.apply.work import Work
from everwhen.codec.cluster import LEVEL_RETENTION, check_level
from everwhen.codec.retention import FOR_EVER, Erasure, Vacuum
from everwhen.errors import (
    DatabaseNotFound,
    Fault,
    ParameterMissing,
    QueryArgumentError,
    QuerySyntaxError,
    QueryTypeError,
    TransactionConflict,
)
from everwhen.limits import (
    ERASE_ATTEMPTS,
    ERASED_PER_STATEMENT_MAX,
    FOLD_KEYS_PER_STEP,
    INT_MAX,
    RESTORE_POINT_NAME_CHARS_MAX,
    VACUUM_KEYS_PER_STEP,
)
from everwhen.model.duration import Duration, parse_duration
from everwhen.model.elements import Node, Relationship
from everwhen.model.moments import moment_micros
from everwhen.query import syntax
from everwhen.query.erase_reading import as_written, reading
from everwhen.query.pretty import pretty
from everwhen.query.pretty_keeping import erase as erase_text
from everwhen.runtime.cursor import Summary
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.txn import commands as c

if TYPE_CHECKING:
    from everwhen.runtime.database import Database

KeepingBody = (
    syntax.AlterRetention | syntax.CreateRestorePoint | syntax.DropRestorePoint | syntax.Erase
)

_UNITS: Final = {
    "second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800,
}  # fmt: skip
_PHRASE: Final = re.compile(r"\s*([0-9]+)\s+([a-z]+?)s?\s*", re.IGNORECASE)


class KeepingRunner:
    """Runs them; any worker thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, body: KeepingBody, parameters: Mapping[str, Any], caller: Caller) -> Summary:
        """One command, replicated and applied.

        :raises PreconditionFailed: the cluster's feature level is too low.
        :raises QueryArgumentError, QueryTypeError, TimeOutOfRange: what is asked makes no sense.
        :raises EraseRefused: see ``apply.erasing``.
        """
        check_level(self._database.state.current.cluster, LEVEL_RETENTION, "retention and erasures")
        if isinstance(body, syntax.Erase):
            return self._erase(body, parameters, caller)
        command: c.Command
        match body:
            case syntax.AlterRetention():
                command = self._alter(body, parameters, caller)
            case syntax.CreateRestorePoint():
                command = self._create_point(body, parameters, caller)
            case syntax.DropRestorePoint():
                name = _name(body.name, parameters)
                command = c.DropRestorePoint(c.FORMAT, name, body.if_exists, caller.principal)
        reply = self._database.backend.propose(command)
        summary = Summary("s")
        if isinstance(reply, c.SchemaChanged) and reply.changed:
            summary.counters.system_updates = 1
        return summary

    def _value(self, expression: syntax.Expression, parameters: Mapping[str, Any]) -> Any:
        """What an expression says, evaluated as a statement of its own."""
        rows = self._read(f"RETURN {pretty(expression)} AS value", parameters, Caller("", ""))
        return rows[0][0]

    def _read(
        self, text: str, parameters: Mapping[str, Any], caller: Caller, most: int = 1
    ) -> list[list[Any]]:
        """The rows of a reading statement, one more than ``most`` at most."""
        database = self._database
        transaction = database.begin(
            database.backend.barrier(), TransactionOptions(auto_commit=True, read_only=True), caller
        )
        try:
            return transaction.execute(text, parameters).fetch(most + 1)
        finally:
            transaction.rollback()

    # --- retention and restore points ---

    def _alter(
        self, body: syntax.AlterRetention, parameters: Mapping[str, Any], caller: Caller
    ) -> c.SetRetention:
        if body.database.lower() != "neo4j":
            raise DatabaseNotFound(f"there is no database {body.database!r}")
        keep: int | None = None
        if body.keep == "FOREVER":
            keep = FOR_EVER
        elif body.keep is not None and not isinstance(body.keep, str):
            keep = micros_of(self._value(body.keep, parameters))
        if not body.entity and keep is None:
            keep = FOR_EVER
        return c.SetRetention(c.FORMAT, body.entity, body.label, keep, caller.principal)

    def _create_point(
        self, body: syntax.CreateRestorePoint, parameters: Mapping[str, Any], caller: Caller
    ) -> c.CreateRestorePoint:
        database = self._database
        name = _name(body.name, parameters)
        if not 0 < len(name) <= RESTORE_POINT_NAME_CHARS_MAX:
            raise QueryArgumentError(
                f"the name of a restore point has 1 to {RESTORE_POINT_NAME_CHARS_MAX} characters"
            )
        version = database.backend.barrier()
        if body.time is not None:
            value = self._value(body.time.start, parameters)
            if body.time.kind == "version":
                if type(value) is not int:
                    raise QueryTypeError("AT VERSION needs an integer")
                version = value
            elif body.time.kind == "time":
                version = database.version_closed_at(moment_micros(value))
            else:
                raise QueryArgumentError("a restore point is one moment, not a range")
        elif not version:
            raise QueryArgumentError("nothing was committed yet, so there is nothing to keep")
        return c.CreateRestorePoint(c.FORMAT, name, version, body.if_not_exists, caller.principal)

    # --- ERASE ---

    def _erase(self, body: syntax.Erase, parameters: Mapping[str, Any], caller: Caller) -> Summary:
        """Find, check, delete what is there, then let the history go; answers when nothing of it
        can be read any more."""
        try:
            rows = self._read(reading(body), parameters, caller, ERASED_PER_STATEMENT_MAX)
        except QuerySyntaxError as error:
            raise as_written(body, error) from None
        nodes, relationships = _found(rows)
        summary = Summary("s")
        if not nodes and not relationships:
            return summary
        database = self._database
        if not body.force:
            with database.reading():
                state = database.state
                scratch = Work(state.store, state)
                scratch.vacuum = Vacuum()  # what is retired may go at any moment
                for kind, identity, found in things_of(scratch, nodes, relationships):
                    check_kept(state.current.retention, kind, identity, found)
        origin = self._origin(body, caller, nodes, relationships)
        for attempt in range(ERASE_ATTEMPTS):
            try:
                self._delete(nodes, relationships, caller)
                reply = database.backend.propose(
                    c.Erase(c.FORMAT, 0, nodes, relationships, origin, body.force)
                )
                break
            except TransactionConflict:
                if attempt + 1 == ERASE_ATTEMPTS:
                    raise
        if not isinstance(reply, c.Committed):
            raise Fault(f"an erasure was answered with {type(reply).__name__}")
        done = self._see_through(reply.version)
        summary.counters.nodes_deleted = len(done.nodes)
        summary.counters.relationships_deleted = len(done.relationships) + done.found
        return summary

    def _origin(
        self, body: syntax.Erase, caller: Caller, nodes: list[int], relationships: list[int]
    ) -> c.Origin:
        said = {"erased nodes": nodes, "erased relationships": relationships}
        metadata = {key: ", ".join(map(str, ids)) for key, ids in said.items() if ids}
        digest = hashlib.blake2b(erase_text(body).encode(), digest_size=32).digest()
        salt = self._database.random.bytes(16)
        return c.Origin(caller.principal, caller.client, caller.tag, metadata, digest, salt)

    def _delete(self, nodes: list[int], relationships: list[int], caller: Caller) -> None:
        """What is there still goes as it does with DELETE: indexes, listeners and the image learn
        of it in the way they know."""
        database = self._database
        transaction = database.begin(
            database.backend.barrier(), TransactionOptions(auto_commit=True), caller
        )
        try:
            if relationships:
                text = "MATCH ()-[r]->() WHERE id(r) IN $ids DELETE r"
                transaction.execute(text, {"ids": relationships})
            if nodes:
                text = "MATCH (n) WHERE id(n) IN $ids DETACH DELETE n"
                transaction.execute(text, {"ids": nodes})
            command = transaction.prepare_commit()
            if command is not None:
                database.backend.propose(command)
            transaction.committed()
        finally:
            transaction.rollback()

    def _see_through(self, version: int) -> Erasure:
        """Drive the erasure until all that is left is to wait for readers of before."""
        database = self._database
        backend = database.backend
        while True:
            found = [one for one in database.state.erased.all.values() if one.version == version]
            if found and found[0].phase in (SETTLING, UNCOVERING, DONE):
                return found[0]
            if database.state.current.runs:
                backend.propose(c.FoldStep(c.FORMAT, FOLD_KEYS_PER_STEP))
            backend.propose(c.EraseStep(c.FORMAT, VACUUM_KEYS_PER_STEP, 0))
            backend.barrier()


def _found(rows: list[list[Any]]) -> tuple[list[int], list[int]]:
    """Ids of the nodes and relationships among values, ascending."""
    nodes: set[int] = set()
    relationships: set[int] = set()
    for row in rows:
        for value in row:
            if isinstance(value, Node):
                nodes.add(value.id)
            elif isinstance(value, Relationship):
                relationships.add(value.id)
            elif value is not None:
                raise QueryTypeError(
                    f"ERASE takes nodes and relationships, not {type(value).__name__}"
                )
    if max(len(rows), len(nodes) + len(relationships)) > ERASED_PER_STATEMENT_MAX:
        raise QueryArgumentError(
            f"one statement erases up to {ERASED_PER_STATEMENT_MAX:,} things",
            hint=f"erase in portions: … WITH n LIMIT {ERASED_PER_STATEMENT_MAX} ERASE n",
        )
    return sorted(nodes), sorted(relationships)


def micros_of(value: Any) -> int:
    """The µs of a duration: a duration value, its text, or a phrase such as ``30 days``.

    :raises QueryTypeError: :raises QueryArgumentError: it is none, or has no fixed length.
    """
    if type(value) is str:
        phrase = _PHRASE.fullmatch(value)
        if phrase is not None:
            unit = _UNITS.get(phrase[2].lower())
            if unit is None:
                raise QueryArgumentError(
                    f"{phrase[2]!r} is no unit of retention",
                    hint="seconds, minutes, hours, days and weeks have a fixed length",
                )
            return _bounded(int(phrase[1]) * unit * 1_000_000)
        value = parse_duration(value)
    if not isinstance(value, Duration):
        raise QueryTypeError("a retention is a duration, such as '30 days' or duration('P30D')")
    if value.months:
        raise QueryArgumentError("months and years have no fixed length", hint="say how many days")
    seconds = value.days * 86_400 + value.seconds
    return _bounded(seconds * 1_000_000 + value.nanoseconds // 1_000)


def _bounded(micros: int) -> int:
    if not 0 < micros <= INT_MAX:
        raise QueryArgumentError(
            "versions are kept for some time, or for ever", hint="SET RETENTION KEEP FOREVER"
        )
    return micros


def _name(name: str | syntax.Parameter, parameters: Mapping[str, Any]) -> str:
    if isinstance(name, str):
        return name
    if name.name not in parameters:
        raise ParameterMissing(f"the statement needs the parameter ${name.name}")
    value = parameters[name.name]
    if type(value) is not str:
        raise QueryTypeError("the name of a restore point must be a string")
    return value
