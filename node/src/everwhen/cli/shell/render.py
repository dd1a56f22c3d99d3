"""Results on a terminal as tables, anywhere else as one JSON object a line."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import sys
from collections.abc import Mapping
from typing import IO, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from everwhen_client import Duration, EverwhenError, Node, Path, Point, Relationship, Result

#: longest text of one cell on a terminal
_CELL_CHARS: Final = 2_000


# --- values --------------------------------------------------------------------------------


def text_of(value: Any, *, inside: bool = False) -> str:
    """A value as a statement would write it; a text by itself without quotes."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False) if inside else value
        case bytes():
            return f"<{len(value)} bytes>"
        case list():
            return "[" + ", ".join(text_of(item, inside=True) for item in value) + "]"
        case Mapping():
            return _map_text(value)
        case Node():
            labels = "".join(f":{label}" for label in sorted(value.labels))
            return f"({_joined(labels, value.properties)})"
        case Relationship():
            return f"[{_joined(':' + value.type, value.properties)}]"
        case Path():
            return _path_text(value)
        case Point():
            return f"point({', '.join(map(repr, value.coordinates))}; srid {value.srid})"
    return str(json_of(value))


def _joined(head: str, properties: Mapping[str, Any]) -> str:
    return " ".join(part for part in (head, _map_text(properties) if properties else "") if part)


def _map_text(value: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {text_of(v, inside=True)}" for key, v in value.items()) + "}"


def _path_text(path: Path) -> str:
    parts = [text_of(path.nodes[0])]
    for before, relationship, after in zip(
        path.nodes[:-1], path.relationships, path.nodes[1:], strict=True
    ):
        forward = relationship.start == before.element_id
        middle = text_of(relationship)
        parts.append(f"-{middle}->" if forward else f"<-{middle}-")
        parts.append(text_of(after))
    return "".join(parts)


def json_of(value: Any) -> Any:
    """A value as plain JSON, like the server's ``application/json``."""
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [json_of(item) for item in value]
        case Mapping():
            return {key: json_of(item) for key, item in value.items()}
        case Node():
            return {
                "elementId": value.element_id,
                "labels": sorted(value.labels),
                "properties": json_of(value.properties),
            }
        case Relationship():
            return {
                "elementId": value.element_id,
                "startNodeElementId": value.start,
                "endNodeElementId": value.end,
                "type": value.type,
                "properties": json_of(value.properties),
            }
        case Path():
            parts: list[Any] = [json_of(value.nodes[0])]
            for relationship, node in zip(value.relationships, value.nodes[1:], strict=True):
                parts += [json_of(relationship), json_of(node)]
            return parts
        case dt.datetime():
            key = getattr(value.tzinfo, "key", None)
            return value.isoformat() + (f"[{key}]" if key else "")
        case dt.date() | dt.time():
            return value.isoformat()
        case Duration():
            return _duration_text(value)
        case Point():
            return {"srid": value.srid, "coordinates": list(value.coordinates)}
    return str(value)


def _duration_text(value: Duration) -> str:
    nanos = value.seconds * 1_000_000_000 + value.nanoseconds
    seconds, rest = divmod(abs(nanos), 1_000_000_000)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    years, months = divmod(abs(value.months), 12)
    sign = "-" if value.months < 0 else ""
    text = "P"
    text += f"{sign}{years}Y" if years else ""
    text += f"{sign}{months}M" if months else ""
    text += f"{value.days}D" if value.days else ""
    if nanos:
        text += f"T{'-' if nanos < 0 else ''}{seconds}{fraction}S"
    return text if text != "P" else "PT0S"


# --- results -------------------------------------------------------------------------------

_COUNTS: Final = {
    "nodesCreated": "nodes created",
    "nodesDeleted": "nodes deleted",
    "relationshipsCreated": "relationships created",
    "relationshipsDeleted": "relationships deleted",
    "propertiesSet": "properties set",
    "labelsAdded": "labels added",
    "labelsRemoved": "labels removed",
    "indexesAdded": "indexes added",
    "indexesRemoved": "indexes removed",
    "constraintsAdded": "constraints added",
    "constraintsRemoved": "constraints removed",
}


class Screen:
    """Where results, remarks and errors go."""

    def __init__(self, out: IO[str] | None = None, errors: IO[str] | None = None) -> None:
        self._out = Console(file=out or sys.stdout, highlight=False, soft_wrap=False)
        self._errors = Console(file=errors or sys.stderr, highlight=False, soft_wrap=True)
        self.as_table = self._out.is_terminal

    def say(self, text: str) -> None:
        """A line for people: on the terminal, or nowhere."""
        if self.as_table:
            self._out.print(Text(text), style="dim")

    def write(self, text: str) -> None:
        """A line that was asked for."""
        self._out.file.write(text + "\n")
        self._out.file.flush()

    def result(self, result: Result, seconds: float) -> None:
        """Rows, plan, counts, notifications."""
        if self.as_table:
            self._table(result, seconds)
        else:
            for row in result.rows:
                values = {name: json_of(value) for name, value in row.data().items()}
                self._out.file.write(json.dumps(values, ensure_ascii=False) + "\n")
            self._out.file.flush()
        for item in result.summary.notifications:
            title = str(item.get("title")).removesuffix(".")
            self._errors.print(Text(f"{title}: {item.get('description')}"))

    def _table(self, result: Result, seconds: float) -> None:
        if result.columns:
            table = Table(header_style="bold", show_edge=True)
            for name in result.columns:
                table.add_column(Text(name), overflow="fold")
            for row in result.rows:
                table.add_row(*(_cell(value) for value in row))
            self._out.print(table)
        plan = result.summary.profile or result.summary.plan
        if plan is not None:
            self._plan(plan)
        counters = result.summary.counters
        parts = [f"{counters[name]:,} {text}" for name, text in _COUNTS.items()
                 if counters.get(name)]  # fmt: skip
        if result.columns:
            count = len(result)
            parts.insert(0, f"{count:,} row{'' if count == 1 else 's'}")
        parts.append(f"{seconds * 1_000:,.0f} ms")
        self.say(", ".join(parts))

    def _plan(self, plan: Mapping[str, Any]) -> None:
        table = Table("operator", "details", "estimated rows", header_style="bold")
        profiled = "rows" in plan
        if profiled:
            table.add_column("rows")
            table.add_column("ms")

        def add(node: Mapping[str, Any], depth: int) -> None:
            said = node.get("arguments", {})
            estimate = said.get("EstimatedRows")
            cells = [
                "  " * depth + str(node.get("operatorType")),
                str(said.get("Details", "")),
                "" if estimate is None else f"{estimate:,.0f}",
            ]
            if profiled:
                cells += [f"{node.get('rows', 0):,}", f"{node.get('time', 0) / 1e6:,.2f}"]
            table.add_row(*(Text(cell) for cell in cells))
            for child in node.get("children", ()):
                add(child, depth + 1)

        add(plan, 0)
        self._out.print(table)

    def error(self, error: EverwhenError) -> None:
        """What went wrong; the server's message has the line and the caret."""
        hint = "" if error.hint is None or error.hint in error.message else f"\n{error.hint}"
        self._errors.print(Text(f"{error.message}{hint}"), style="red")
        if error.code:
            self._errors.print(Text(error.code), style="dim")

    def complaint(self, text: str) -> None:
        """What was asked for makes no sense."""
        self._errors.print(Text(text), style="red")


def _cell(value: Any) -> Text:
    shown = text_of(value)
    if len(shown) > _CELL_CHARS:
        shown = shown[:_CELL_CHARS] + "…"
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    return Text(shown, justify="right" if numeric else "left", style="dim" if value is None else "")
