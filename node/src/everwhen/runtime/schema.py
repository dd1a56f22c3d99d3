"""Schema commands: to the log, then built in the background step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from everwhen.codec.cluster import LEVEL_FULLTEXT, LEVEL_VECTORS, check_level
from everwhen.errors import (
    NotSupported,
    ParameterMissing,
    ProcedureCallFailed,
    QueryTypeError,
    TransactionStateError,
    TransactionTimedOut,
)
from everwhen.exec.functions.conversions import to_integer
from everwhen.limits import BACKFILL_ENTITIES_PER_STEP
from everwhen.model.fulltext_index import FulltextConfig, check_fields
from everwhen.model.schema import (
    ConstraintDefinition,
    ConstraintKind,
    IndexDefinition,
    IndexState,
)
from everwhen.model.vector_index import VectorConfig
from everwhen.query import syntax
from everwhen.query.types import type_text
from everwhen.runtime.cursor import Summary
from everwhen.runtime.environment import Deadline
from everwhen.txn import commands as c

if TYPE_CHECKING:
    from everwhen.runtime.database import Database

_KINDS = {
    "UNIQUE": ConstraintKind.UNIQUE,
    "NOT NULL": ConstraintKind.EXISTS,
    "KEY": ConstraintKind.KEY,
    "TYPED": ConstraintKind.TYPE,
}
#: what clients put around parameters of options (LangChain, neo4j-graphrag)
_CONVERSIONS: Final[dict[str, Callable[[Any], Any]]] = {"tointeger": to_integer, "tostring": str}
#: CREATE of a small index answers when it is online; a large one goes on in the background
_STEPS_BEFORE_ANSWER = 4


class SchemaRunner:
    """Runs schema statements; any worker thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, body: syntax.Body, parameters: Mapping[str, Any]) -> Summary:
        """One schema command, replicated and applied.

        :raises IndexAlreadyExists, ConstraintAlreadyExists, IndexNotFound, ConstraintNotFound:
            as apply answers.
        """
        summary = Summary("s")
        counters = summary.counters
        command = self._command(body, parameters)
        if command is None:
            return summary
        reply = self._database.backend.propose(command)
        changed = isinstance(reply, c.SchemaChanged) and reply.changed
        if not changed or not isinstance(reply, c.SchemaChanged):
            return summary
        if isinstance(body, syntax.CreateIndex):
            counters.indexes_added = 1
        elif isinstance(body, syntax.CreateConstraint):
            counters.constraints_added = 1
        elif isinstance(body, syntax.DropIndex):
            counters.indexes_removed = 1
        else:
            counters.constraints_removed = 1
        if isinstance(command, (c.CreateIndex, c.CreateConstraint)):
            self._build_a_little(reply.id)
        return summary

    def _build_a_little(self, definition: int) -> None:
        for _ in range(_STEPS_BEFORE_ANSWER):
            if not self.step(definition):
                return

    def step(self, definition: int) -> bool:
        """One bounded step of a backfill; whether more is left."""
        command = c.BackfillStep(c.FORMAT, definition, BACKFILL_ENTITIES_PER_STEP)
        reply = self._database.backend.propose(command)
        return isinstance(reply, c.Done) and reply.more

    def building(self) -> list[int]:
        """Ids of definitions that are not built yet."""
        catalog = self._database.state.current.catalog
        waiting = [i.id for i in catalog.indexes.values() if i.state is IndexState.BUILDING]
        waiting += [k.id for k in catalog.constraints.values() if k.state is IndexState.BUILDING]
        return sorted(set(waiting))

    def await_online(self, name: str | None, timeout: float, deadline: Deadline) -> None:
        """Builds along until the index (or all) is online.

        :raises ProcedureCallFailed: there is no such index, or it failed.
        :raises TransactionTimedOut: not in time.
        """
        clock = self._database.clock
        ends = clock.monotonic() + timeout
        while True:
            catalog = self._database.state.current.catalog
            found: dict[str, IndexDefinition | ConstraintDefinition]
            kept_as_constraints = {n: k for n, k in catalog.constraints.items() if k.is_index}
            found = {**catalog.indexes, **kept_as_constraints}
            if name is not None and name not in found:
                raise ProcedureCallFailed(f"there is no index {name!r}")
            wanted = [found[name]] if name else list(found.values())
            for index in wanted:
                if index.state is IndexState.FAILED:
                    raise ProcedureCallFailed(f"index {index.name!r} failed: {index.failure}")
            waiting = [index.id for index in wanted if index.state is IndexState.BUILDING]
            if not waiting:
                return
            if clock.monotonic() > ends:
                raise TransactionTimedOut(f"indexes are not online after {timeout:g} s")
            deadline.check()
            self.step(waiting[0])

    # --- statement -> command ---

    def _command(self, body: syntax.Body, parameters: Mapping[str, Any]) -> c.Command | None:
        if isinstance(body, syntax.CreateIndex):
            return self._create_index(body, parameters)
        if isinstance(body, syntax.CreateConstraint):
            kind = _KINDS[body.kind]
            return c.CreateConstraint(
                c.FORMAT,
                _name(body.name, parameters),
                kind.value,
                body.entity,
                body.label,
                list(body.properties),
                type_text(body.type) if body.type is not None else "",
                body.if_not_exists,
            )
        if isinstance(body, syntax.DropIndex):
            return c.DropSchema(c.FORMAT, _name(body.name, parameters), False, body.if_exists)
        if isinstance(body, syntax.DropConstraint):
            return c.DropSchema(c.FORMAT, _name(body.name, parameters), True, body.if_exists)
        raise TransactionStateError(
            f"{type(body).__name__.upper()} is not possible here",
            hint="over HTTP, transactions have an address of their own: POST …/query/v2/tx",
        )

    def _create_index(
        self, body: syntax.CreateIndex, parameters: Mapping[str, Any]
    ) -> c.Command | None:
        if body.kind == "LOOKUP":
            return None  # labels are always indexed; nothing to create
        if body.kind == "VECTOR":
            return self._create_vectors(body, parameters)
        if body.kind == "FULLTEXT":
            return self._create_fulltext(body, parameters)
        if body.kind not in ("RANGE", "TEXT", "POINT"):
            raise NotSupported(
                f"{body.kind} indexes are not available in this version",
                hint="RANGE indexes serve equality, ranges and STARTS WITH",
            )
        return c.CreateIndex(
            c.FORMAT,
            _name(body.name, parameters),
            body.entity,
            body.labels[0],
            list(body.properties),
            body.if_not_exists,
        )

    def _create_vectors(
        self, body: syntax.CreateIndex, parameters: Mapping[str, Any]
    ) -> c.CreateConstraint:
        cluster = self._database.state.current.cluster
        check_level(cluster, LEVEL_VECTORS, "vector indexes")
        if len(body.properties) != 1:
            raise NotSupported("a vector index is on one property")
        options = None if body.options is None else _constant(body.options, parameters)
        config = VectorConfig.of(options if isinstance(options, dict) else {})
        return c.CreateConstraint(
            c.FORMAT,
            _name(body.name, parameters),
            ConstraintKind.VECTOR.value,
            body.entity,
            body.labels[0],
            list(body.properties),
            config.text(),
            body.if_not_exists,
        )

    def _create_fulltext(
        self, body: syntax.CreateIndex, parameters: Mapping[str, Any]
    ) -> c.CreateConstraint:
        cluster = self._database.state.current.cluster
        check_level(cluster, LEVEL_FULLTEXT, "full-text indexes")
        check_fields(body.properties)
        options = {} if body.options is None else _constant(body.options, parameters)
        if not isinstance(options, dict):
            raise QueryTypeError("OPTIONS must be a map", detail="InvalidArgumentType")
        config = FulltextConfig.of(body.labels, options)
        return c.CreateConstraint(
            c.FORMAT,
            _name(body.name, parameters),
            ConstraintKind.FULLTEXT.value,
            body.entity,
            config.labels[0],
            list(body.properties),
            config.text(),
            body.if_not_exists,
        )


def _constant(expression: syntax.Expression, parameters: Mapping[str, Any]) -> Any:
    """The value of an option.

    :raises QueryTypeError: it is no literal, map of literals or parameter.
    """
    if isinstance(expression, syntax.MapLiteral):
        return {key: _constant(item, parameters) for key, item in expression.entries}
    if isinstance(expression, syntax.Parameter):
        if expression.name not in parameters:
            raise ParameterMissing(f"the statement needs the parameter ${expression.name}")
        return parameters[expression.name]
    if isinstance(
        expression,
        (
            syntax.StringLiteral,
            syntax.IntegerLiteral,
            syntax.FloatLiteral,
            syntax.BooleanLiteral,
        ),
    ):
        return expression.value
    if isinstance(expression, syntax.FunctionCall) and len(expression.arguments) == 1:
        convert = _CONVERSIONS.get(expression.name.lower())
        value = _constant(expression.arguments[0], parameters)
        if convert is not None and type(value) in (int, float, str):
            return convert(value)
    raise QueryTypeError("an option must be a literal or a parameter", detail="InvalidArgumentType")


def _name(name: str | syntax.Parameter | None, parameters: Mapping[str, Any]) -> str:
    """The name given, "" for none."""
    if name is None or isinstance(name, str):
        return name or ""
    if name.name not in parameters:
        raise ParameterMissing(f"the statement needs the parameter ${name.name}")
    value = parameters[name.name]
    if type(value) is not str:
        raise QueryTypeError("a name must be a string", detail="InvalidArgumentType")
    return value
