"""FLASHBACK: what it would undo, counted for EXPLAIN; or the commands that undo it.

Differences stream from the record into the log: what one commit carries becomes one, more is sent
in chunks while it is found, which nobody sees before the commit entry publishes them. Reads are
those of the transaction's snapshot, so whoever changed the same thing since conflicts as always.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from everwhen.codec.cluster import LEVEL_FLASHBACK, check_level
from everwhen.codec.values import decode_value
from everwhen.errors import (
    FlashbackConflict,
    QueryTypeError,
    TimeOutOfRange,
    TransactionStateError,
)
from everwhen.exec.build import build
from everwhen.exec.context import Counters, ExecutionContext
from everwhen.exec.environment import ENVIRONMENT
from everwhen.exec.memory import MemoryAccount
from everwhen.limits import FLASHBACK_SAMPLE
from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.graph import EntityKind
from everwhen.model.moments import moment_micros
from everwhen.mvcc.difference import IdSet, Touched, touched
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.undo import Back, Conflict, Gone, Step, Undo
from everwhen.query import syntax
from everwhen.query.explain import PlanDescription
from everwhen.query.flashback import pattern_query, value_query
from everwhen.query.physical import Plan
from everwhen.query.planner import plan
from everwhen.query.pretty import pretty
from everwhen.runtime.cursor import Cursor, Summary
from everwhen.runtime.environment import ServerEnvironment
from everwhen.txn import commands as c
from everwhen.txn.flashback import Batch, Tally, batches
from everwhen.txn.transaction import Isolation

if TYPE_CHECKING:
    from everwhen.runtime.database import Database
    from everwhen.runtime.transaction import OpenTransaction

Body = syntax.Flashback | syntax.FlashbackTransaction

_COUNTED: Final = tuple(name for name, _ in Tally().items())
#: the numbers of a row, named as in ``Tally``
_COLUMNS: Final = tuple(
    word.split("_")[0] + "".join(part.title() for part in word.split("_")[1:]) for word in _COUNTED
)


def flashback(
    owner: OpenTransaction, database: Database, body: Body, parameters: Mapping[str, Any]
) -> Cursor:
    """The statement, up to what is to be committed.

    :raises FlashbackConflict: later commits changed what it would undo.
    :raises TimeOutOfRange: there is no such moment to go back to.
    """
    return _Run(owner, database, body, parameters).cursor()


class _Run:
    """One run of the statement."""

    def __init__(
        self,
        owner: OpenTransaction,
        database: Database,
        body: Body,
        parameters: Mapping[str, Any],
    ) -> None:
        snapshot = owner.transaction.snapshot
        assert isinstance(snapshot, GraphSnapshot)
        self._owner = owner
        self._database = database
        self._body = body
        self._parameters = parameters
        self._now = snapshot
        self._memory = MemoryAccount(database.statement_memory)
        self._tally = Tally()
        self._sample: list[dict[str, Any]] = []

    def cursor(self) -> Cursor:
        self._owner.deadline.need_thread()
        body = self._body
        if not body.explain:
            self._check_allowed()
        if isinstance(body, syntax.FlashbackTransaction):
            version, undo, ids = self._of_commit(body)
        else:
            version, undo, ids = self._to_moment(body)
        steps = self._watched(undo.steps(ids))
        if body.explain:
            for _ in steps:
                pass
            return self._explained(version, undo)
        command = self._command(undo, batches(steps))
        self._owner.kept.check()
        if undo.conflicts_found and not self._forced:
            raise _conflict(version, undo)
        own = self._owner.options.own_time
        if command is not None and own is not None:
            command = msgspec.structs.replace(command, time=own, own_time=True)
        self._owner.flashed(command)
        tally = self._tally
        counters = Counters(
            nodes_created=tally.nodes_revived,
            nodes_deleted=tally.nodes_deleted,
            relationships_created=tally.relationships_revived,
            relationships_deleted=tally.relationships_deleted,
            properties_set=tally.properties_set,
            labels_added=tally.labels_added,
            labels_removed=tally.labels_removed,
        )
        row = [version, *(number for _, number in tally.items())]
        return Cursor(("version", *_COLUMNS), iter([row]), Summary("rw", counters))

    @property
    def _forced(self) -> bool:
        return isinstance(self._body, syntax.FlashbackTransaction) and self._body.force

    @property
    def _floor(self) -> int:
        """Vacuum may have taken away what commits up to this version changed."""
        return self._now.state.current.retention.journal_floor

    def _check_allowed(self) -> None:
        owner = self._owner
        owner.must_write()
        if owner.transaction.has_writes:
            raise TransactionStateError(
                "FLASHBACK cannot follow writes in the same transaction",
                hint="COMMIT them first",
            )
        if owner.options.isolation is not Isolation.SNAPSHOT:
            raise TransactionStateError(
                f"FLASHBACK takes no locks and notes no reads, so it cannot run in a "
                f"{owner.options.isolation.value} transaction",
                hint="run it by itself",
            )
        check_level(self._now.state.current.cluster, LEVEL_FLASHBACK, "flashbacks")

    # --- what is asked for ---

    def _planned(self, statement: syntax.Statement) -> Plan:
        return plan(statement, self._now.catalog, self._now, ENVIRONMENT)

    def _rows(self, found: Plan, view: GraphSnapshot) -> Iterator[list[Any]]:
        """A query that the statement asks, at a version."""
        database, owner = self._database, self._owner
        ctx = ExecutionContext(
            view=view,
            writer=None,
            parameters=self._parameters,
            environment=ServerEnvironment(database, owner),
            now_statement=database.clock.now_micros(),
            now_transaction=owner.started_micros,
            memory=MemoryAccount(database.statement_memory),
            procedures=database.procedures,
            text=owner.text,
        )
        return build(found.root)(ctx, [None] * found.width)

    def _value(self, expression: syntax.Expression) -> Any:
        [[value]] = self._rows(self._planned(value_query(expression, self._owner.text)), self._now)
        return value

    def _version(self, expression: syntax.Expression, least: int) -> int:
        """A version of the snapshot's past."""
        value = self._value(expression)
        if type(value) is not int:
            raise QueryTypeError(
                "FLASHBACK needs the version of a commit, which is an integer",
                detail="InvalidArgumentType",
            )
        last = self._now.version
        if not least <= value <= last:
            raise TimeOutOfRange(
                f"FLASHBACK cannot reach version {value}: the reachable ones are {least} to {last}"
            )
        return value

    def _to_moment(self, body: syntax.Flashback) -> tuple[int, Undo, Touched]:
        now = self._now
        pattern = None
        if body.patterns:
            pattern = self._planned(pattern_query(body, self._owner.text))
        if body.moment.kind == "version":
            version = self._version(body.moment.start, 0)
        else:
            micros = moment_micros(self._value(body.moment.start))
            version = self._database.version_closed_at(micros)
            if version > now.version:
                raise TimeOutOfRange(
                    f"FLASHBACK goes back: this transaction began at version {now.version}, the "
                    f"time given is that of version {version}",
                    hint="run it in a new transaction",
                )
        self._owner.kept.also.append(version)
        then = now.at_version(version)
        now.state.current.horizons.check_whole(version)
        entities = now.entities
        undo = Undo(then.entities, entities, entities)
        if pattern is None:
            return version, undo, touched(entities, version, self._floor, self._held)
        ids = Touched(IdSet(), IdSet())
        for view in (then, now):
            for row in self._rows(pattern, view):
                for value in row:
                    _gather(value, ids)
                self._held(ids.nodes.bytes + ids.relationships.bytes)
        undo.complete(ids)
        return version, undo, ids

    def _of_commit(self, body: syntax.FlashbackTransaction) -> tuple[int, Undo, Touched]:
        entities = self._now.entities
        version = self._version(body.version, 1)
        self._owner.kept.also.append(version - 1)
        self._now.state.current.horizons.check_since(version - 1)
        after = entities.as_of(version)
        undo = Undo(entities.as_of(version - 1), after, entities)
        ids = touched(after, version - 1, self._floor, self._held)
        undo.complete(ids)
        return version, undo, ids

    def _held(self, size: int) -> None:
        """So many bytes of ids are held.

        :raises MemoryLimitExceeded: more than a statement may.
        """
        self._owner.deadline.check()
        self._memory.take(size - self._memory.used)

    # --- doing it ---

    def _watched(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Passes steps on; counts them and keeps the first few."""
        for number, step in enumerate(steps):
            if number % 100 == 0:
                self._owner.deadline.check()
            if len(self._sample) < FLASHBACK_SAMPLE:
                self._sample.append(_described(step))
            self._tally.take(step)
            yield step

    def _command(self, undo: Undo, parts: Iterator[Batch]) -> c.Commit | c.CommitChunks | None:
        """What commits it; chunks are sent on the way. With a conflict the rest is only looked
        at."""
        owner, sent = self._owner, 0
        whole: c.Commit | None = None
        for part in parts:
            if undo.conflicts_found and not self._forced:
                continue
            names, checks = part.names, c.Checks()
            if part.whole:
                version, origin = self._now.version, owner.origin()
                texts = owner.kept_texts()
                whole = c.Commit(
                    c.FORMAT, 0, version, names, part.mutations, checks, origin, texts=texts
                )
                continue
            large = owner.announce()
            for mutations in part.chunks():
                chunk = c.Chunk(c.FORMAT, large.number, sent, names, mutations, [], checks)
                large.send(chunk)
                sent += 1
        if sent:
            large = owner.announce()
            large.finish(sent)
            return c.CommitChunks(c.FORMAT, 0, large.number, sent)
        return whole

    # --- EXPLAIN ---

    def _explained(self, version: int, undo: Undo) -> Cursor:
        tally = self._tally
        conflicts = [_text(one) for one in undo.conflicts]
        numbers = tally.items()
        children = [
            PlanDescription("".join(part.title() for part in name.split("_")), "", float(number))
            for name, number in numbers
            if number
        ]
        if undo.conflicts_found:
            found = float(undo.conflicts_found)
            children.append(PlanDescription("Conflicts", "; ".join(conflicts), found))
        entities = sum(n for name, n in numbers if name.startswith(("nodes", "relationships")))
        details = pretty(syntax.Statement(self._body))
        root = PlanDescription("Flashback", details, float(entities), children=tuple(children))
        summary = Summary("r", plan=root)
        row = [version, *(number for _, number in numbers), conflicts, self._sample]
        columns = ("version", *_COLUMNS, "conflicts", "sample")
        return Cursor(columns, iter([row]), summary)


def _gather(value: Any, ids: Touched) -> None:
    """Ids of all entities in a value."""
    kind = type(value)
    if kind is Node:
        ids.nodes.add(value.id)
    elif kind is Relationship:
        ids.relationships.add(value.id)
    elif kind is Path:
        for part in (*value.nodes, *value.relationships):
            _gather(part, ids)
    elif kind is list:
        for item in value:
            _gather(item, ids)


def _element(kind: EntityKind, identity: int) -> str:
    return f"{4 if kind is EntityKind.NODE else 5}:neo4j:{identity}"


def _described(step: Step) -> dict[str, Any]:
    """A step as a map."""
    node = step.kind is EntityKind.NODE
    found: dict[str, Any] = {"elementId": _element(step.kind, step.id)}
    if isinstance(step, (Gone, Back)):
        found["step"] = "delete" if isinstance(step, Gone) else "revive"
        found["labels" if node else "type"] = list(step.names) if node else step.names[0]
    else:
        found["step"] = "change"
        if node:
            found["labelsAdded"], found["labelsRemoved"] = list(step.gained), list(step.lost)
    if not isinstance(step, Gone):
        found["properties"] = {
            key: None if value is None else decode_value(value)
            for key, value in step.properties.items()
        }
    return found


def _text(conflict: Conflict) -> str:
    word = "node" if conflict.kind is EntityKind.NODE else "relationship"
    return f"{word} {_element(conflict.kind, conflict.id)}: {conflict.what}"


def _conflict(version: int, undo: Undo) -> FlashbackConflict:
    more = undo.conflicts_found - len(undo.conflicts)
    listed = "".join(f"\n  {_text(one)}" for one in undo.conflicts)
    rest = f"\n  and {more:,} more" if more else ""
    number = undo.conflicts_found
    return FlashbackConflict(
        f"Commit {version} cannot be undone: later commits changed the same "
        f"{'thing' if number == 1 else f'things, in {number:,} places'}{listed}{rest}",
        hint=f"FLASHBACK TRANSACTION {version} FORCE undoes it all the same",
    )
