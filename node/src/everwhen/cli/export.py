"""``everwhen export``: the graph as CSV or Parquet files that ``everwhen import`` reads.

One file for each set of labels and each relationship type, all of them as of one version: the
present, or the time ``--at`` names. Rows are written as they arrive.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from everwhen.cli.import_ import add_connection, connection
from everwhen.cli.loading.present import quoted
from everwhen.cli.loading.problems import ImportFailed
from everwhen.cli.loading.progress import Meter, meter
from everwhen.cli.loading.wire import Wire

#: how values of one type are asked for and called in the header; ``{}`` is the property
_PLAIN: Final = {
    "STRING": ("{}", "", pa.string()),
    "INTEGER": ("{}", "int", pa.int64()),
    "FLOAT": ("{}", "float", pa.float64()),
    "BOOLEAN": ("{}", "boolean", pa.bool_()),
    "DATE": ("toString({})", "date", pa.string()),
    "LOCAL TIME": ("toString({})", "localtime", pa.string()),
    "ZONED TIME": ("toString({})", "time", pa.string()),
    "LOCAL DATETIME": ("toString({})", "localdatetime", pa.string()),
    "ZONED DATETIME": ("toString({})", "datetime", pa.string()),
    "DURATION": ("toString({})", "duration", pa.string()),
}
_LIST: Final = re.compile(r"LIST<(?P<of>[A-Z ]+?)(?: NOT NULL)?>")
_SEPARATOR: Final = ";"


@dataclass(frozen=True, slots=True)
class Property:
    """A column: what to ask for, its header, its type; ``of``: its values are lists of that."""

    name: str
    expression: str
    header: str
    type: pa.DataType
    of: pa.DataType | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """One file: a pattern in which ``x`` is the element, and its columns."""

    file: str
    pattern: str
    columns: tuple[Property, ...]


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "export",
        help="write the graph to CSV or Parquet files",
        description="Write the graph, as it is or as it was at a time, to files that `everwhen "
        "import` reads: one for each set of labels and each relationship type.",
    )
    add_connection(parser)
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    add("--format", choices=("csv", "parquet"), default="csv", help="default %(default)s")
    add("--at", metavar="TIME", help="as it was at this time")
    add("--labels", nargs="*", metavar="LABEL", help="only nodes with one of these labels")
    add("--types", nargs="*", metavar="TYPE", help="only relationships of these types")
    add("--json", action="store_true", help="print the outcome as one JSON object")
    add("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the files; 0 if all of it is there."""
    started = time.monotonic()
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImportFailed(f"cannot make the folder {options.out}: {error.strerror}") from error
    with connection(options) as wire, meter(options.quiet) as shown:
        at = options.at if options.at is not None else wire.call(wire.client.version())
        written: dict[str, int] = {}
        if at:
            for extract in extracts(wire, at, options.labels, options.types):
                written[extract.file] = _write(wire, extract, at, options, shown)
    seconds = round(time.monotonic() - started, 3)
    if options.json:
        print(json.dumps({"files": written, "rows": sum(written.values()), "seconds": seconds}))
        return 0
    for name, rows in written.items():
        print(f"{options.out / name}.{options.format}: {rows:,} rows")
    print(f"{sum(written.values()):,} rows in {seconds:.1f} s")
    return 0


# --- what there is --------------------------------------------------------------------------


def extracts(
    wire: Wire, at: str | int, labels: Sequence[str] | None, types: Sequence[str] | None
) -> Iterator[Extract]:
    """The files to write. Naming labels only leaves relationships out, and the other way round."""
    used: set[str] = set()
    if labels is not None or types is None:
        for row in _rows(wire, "MATCH (x) RETURN DISTINCT labels(x)", at):
            names = sorted(row[0])
            if labels and not set(labels) & set(names):
                continue
            tested = "".join(f":{quoted(name)}" for name in names)
            pattern = f"(x{tested}) WHERE size(labels(x)) = {len(names)}"
            file = _file("-".join(names) or "nodes", used)
            key = Property("", "id(x)", ":ID", pa.int64())
            yield Extract(file, pattern, (key, *_properties(wire, pattern, at)))
    if types is not None or labels is None:
        for row in _rows(wire, "MATCH ()-[x]->() RETURN DISTINCT type(x)", at):
            if types and row[0] not in types:
                continue
            pattern = f"(a)-[x:{quoted(row[0])}]->(b)"
            start = Property("", "id(a)", ":START_ID", pa.int64())
            end = Property("", "id(b)", ":END_ID", pa.int64())
            columns = (start, end, *_properties(wire, pattern, at))
            yield Extract(_file(row[0], used), pattern, columns)


def _rows(wire: Wire, statement: str, at: str | int) -> list[list[Any]]:
    table = wire.table(statement, at=at)
    found = []
    for row in table.to_pylist():
        values = list(row.values())
        found.append(
            [
                json.loads(value) if field.metadata and value is not None else value
                for field, value in zip(table.schema, values, strict=True)
            ]
        )
    return found


def _file(name: str, used: set[str]) -> str:
    """A file name that is safe everywhere and not taken."""
    base = re.sub(r"[^\w.-]+", "_", name).strip(".") or "unnamed"
    found, count = base, 1
    while found.lower() in used:
        count += 1
        found = f"{base}.{count}"
    used.add(found.lower())
    return found


def _properties(wire: Wire, pattern: str, at: str | int) -> list[Property]:
    statement = (
        f"MATCH {pattern} UNWIND keys(x) AS k RETURN DISTINCT k, valueType(x[k]) AS t ORDER BY k, t"
    )
    kinds: dict[str, list[str]] = {}
    for key, kind in _rows(wire, statement, at):
        kinds.setdefault(key, []).append(kind.removesuffix(" NOT NULL"))
    return [_property(name, found) for name, found in sorted(kinds.items())]


def _property(name: str, kinds: Sequence[str]) -> Property:
    """Values of several types, and of types no file has, are written as text."""
    asked = f"x.{quoted(name)}"
    kind = kinds[0]
    if len(kinds) == 1 and kind in _PLAIN:
        text, header, type_ = _PLAIN[kind]
        shown = f"{name}:{header}" if header or ":" in name else name
        shown = f"{name}:string" if shown == f"{name}:" else shown
        return Property(name, text.format(asked), shown, type_)
    found = [_LIST.fullmatch(one) for one in kinds]
    of = {one["of"] for one in found if one is not None and one["of"] != "NOTHING"}
    if None not in found and len(of) == 1 and (element := of.pop()) in _PLAIN:
        text, header, type_ = _PLAIN[element]
        asked = asked if text == "{}" else f"[e IN {asked} | {text.format('e')}]"
        return Property(name, asked, f"{name}:{header or 'string'}[]", pa.list_(type_), type_)
    return Property(name, f"toStringOrNull({asked})", f"{name}:string", pa.string())


# --- writing --------------------------------------------------------------------------------


def _write(
    wire: Wire, extract: Extract, at: str | int, options: argparse.Namespace, shown: Meter
) -> int:
    names = [f"{one.expression} AS c{place}" for place, one in enumerate(extract.columns)]
    statement = f"MATCH {extract.pattern} RETURN {', '.join(names)}"
    as_csv = options.format == "csv"
    fields = [
        pa.field(one.header, pa.string() if as_csv and one.of is not None else one.type)
        for one in extract.columns
    ]
    schema = pa.schema(fields)
    shown.begin(extract.file)
    rows = 0
    with _writer(options.out / f"{extract.file}.{options.format}", schema, as_csv) as write:
        for batch in wire.batches(statement, at=at):
            columns = [
                _column(batch.column(place), batch.schema.field(place), one, as_csv)
                for place, one in enumerate(extract.columns)
            ]
            write(pa.record_batch(columns, schema=schema))
            rows += batch.num_rows
            shown.at(rows, batch.num_rows)
    return rows


@contextmanager
def _writer(
    path: Path, schema: pa.Schema, as_csv: bool
) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """A file that appears under its name only when all of it is written."""
    draft = path.with_name(path.name + ".part")
    try:
        make = pv.CSVWriter if as_csv else pq.ParquetWriter
        with make(str(draft), schema) as writer:
            yield writer.write_batch
        draft.replace(path)
    except OSError as error:
        raise ImportFailed(f"cannot write {path}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _column(values: pa.Array, field: pa.Field, wanted: Property, as_csv: bool) -> pa.Array:
    if field.metadata and b"everwhen.json" in field.metadata:
        found = [None if one is None else json.loads(one) for one in values.to_pylist()]
        values = pa.array(found, wanted.type)
    values = values.cast(wanted.type)
    if wanted.of is None or not as_csv:
        return values
    lists = values.cast(pa.list_(pa.string()))
    joined: pa.Array = pc.binary_join(lists, _SEPARATOR)
    return joined
