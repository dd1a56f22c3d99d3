"""CALL of a procedure, SHOW, LOAD CSV: rows that do not come from the graph's scans."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from everwhen.errors import (
    ExternalResourceFailed,
    ParameterMissing,
    ProcedureCallFailed,
    ProcedureNotFound,
    QueryTypeError,
)
from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_expression
from everwhen.exec.operators.scan import view_of
from everwhen.exec.procedures import PROCEDURES, SHOW_TABLES, ProcedureDefinition
from everwhen.exec.procedures.coerce import coerce_argument
from everwhen.exec.procedures.definition import REQUIRED
from everwhen.model import values as v
from everwhen.query import physical as p


def _procedure(name: str, ctx: ExecutionContext) -> ProcedureDefinition:
    found = ctx.procedures.get(name.lower()) or PROCEDURES.get(name.lower())
    if found is None:
        raise ProcedureNotFound(f"there is no procedure {name}", detail="ProcedureNotFound")
    return found


def _implicit(procedure: ProcedureDefinition, ctx: ExecutionContext) -> list[Any]:
    """Arguments of a standalone call without parentheses: the parameters of those names."""
    values = []
    for field in procedure.arguments:
        if field.name in ctx.parameters:
            values.append(ctx.parameters[field.name])
        elif field.default is not REQUIRED:
            values.append(field.default)
        else:
            raise ParameterMissing(
                f"{procedure.name} needs the parameter ${field.name}",
                detail="MissingParameter",
            )
    return values


def _complete(procedure: ProcedureDefinition, values: list[Any]) -> list[Any]:
    """Explicit arguments with defaults filled in and numbers converted."""
    fields = procedure.arguments
    if len(values) > len(fields):
        raise ProcedureCallFailed(
            f"{procedure.name} takes {len(fields)} arguments, got {len(values)}",
            detail="InvalidNumberOfArguments",
        )
    for field in fields[len(values) :]:
        if field.default is REQUIRED:
            raise ProcedureCallFailed(
                f"{procedure.name} misses the argument {field.name}",
                detail="InvalidNumberOfArguments",
            )
        values.append(field.default)
    return [
        coerce_argument(value, field, procedure.name)
        for value, field in zip(values, fields, strict=True)
    ]


@builds(p.ProcedureCall)
def _call(op: p.ProcedureCall) -> Runner:
    child = build(op.child)
    arguments = (
        None if op.arguments is None else [compile_expression(item) for item in op.arguments]
    )

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        procedure = _procedure(op.procedure, ctx)
        columns = [field.name for field in procedure.results]
        picked = [(columns.index(column), slot) for column, slot in op.yields]
        void = not columns
        for row in child(ctx, argument):
            values = (
                _implicit(procedure, ctx)
                if arguments is None
                else [item(row, ctx) for item in arguments]
            )
            values = _complete(procedure, values)
            matched = False
            for result in procedure.body(ctx, view_of(op.view, row, ctx), values):
                ctx.tick()
                matched = True
                found = row[:]
                for position, slot in picked:
                    found[slot] = result[position]
                yield found
            if void or (op.optional and not matched):
                yield row

    return run


@builds(p.ShowTable)
def _show(op: p.ShowTable) -> Runner:
    table = SHOW_TABLES[op.what]
    arguments = [compile_expression(item) for item in op.arguments]
    key = "transactionId" if op.what.endswith("TRANSACTIONS") else "name"

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        wanted: list[Any] = []
        for item in arguments:
            value = item(argument, ctx)
            wanted += value if type(value) is list else [value]
        if table.act is not None:
            entries = table.act(ctx, [item for item in wanted if type(item) is str])
        else:
            entries = table.rows(ctx, op.detail)
        for entry in entries:
            if wanted and entry.get(key) not in wanted:
                continue
            found = argument[:]
            for column, slot in op.yields:
                found[slot] = entry.get(column)
            yield found

    return run


@builds(p.LoadCsv)
def _load_csv(op: p.LoadCsv) -> Runner:
    child, url = build(op.child), compile_expression(op.url)

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            place = url(row, ctx)
            if type(place) is not str:
                raise QueryTypeError(
                    f"LOAD CSV needs a URL string, got {v.to_text(place)}",
                    detail="InvalidArgumentType",
                )
            lines = ctx.environment.open_import_file(place)
            for fields in _records(lines, op, place):
                ctx.tick()
                found = row[:]
                found[op.slot] = fields
                yield found

    return run


def _records(lines: Iterator[str], op: p.LoadCsv, place: str) -> Iterator[Any]:
    """Lists, or maps by header; an empty field is null."""
    reader = csv.reader(lines, delimiter=op.delimiter, strict=True)
    shape: Callable[[Sequence[str]], Any]
    try:
        if op.headers:
            header = next(reader, None)
            if header is None:
                return
            names = header

            def shape(record: Sequence[str]) -> Any:
                padded = [*record, *[""] * (len(names) - len(record))]
                return {name: text or None for name, text in zip(names, padded, strict=False)}

        else:

            def shape(record: Sequence[str]) -> Any:
                return [text or None for text in record]

        for record in reader:
            if record:
                yield shape(record)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ExternalResourceFailed(
            f"{place}, line {reader.line_num}: {error}",
            hint="the file must be UTF-8 and RFC 4180 CSV",
        ) from error
