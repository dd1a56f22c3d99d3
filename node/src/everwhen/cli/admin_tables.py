"""What ``everwhen admin`` shows on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_FACTS: Final = (
    "name",
    "nodeId",
    "role",
    "term",
    "version",
    "featureLevel",
    "operatorEpoch",
    "lastIndex",
    "commitIndex",
    "appliedIndex",
    "appliedVersion",
    "appliedTime",
    "ready",
    "fenced",
    "writesRefused",
    "diskUsed",
    "diskFree",
    "memoryFree",
    "digest",
)


def print_status(status: Mapping[str, Any]) -> None:
    """One node's facts, then everyone."""
    facts = Table(show_header=False, box=None)
    for name in _FACTS:
        if status.get(name) is not None:
            facts.add_row(name, _shown(status[name]))
    leader = status.get("leader")
    facts.add_row("leader", f"{leader['name']} ({leader['nodeId']})" if leader else "none")
    counts = status.get("counts") or {}
    facts.add_row("graph", ", ".join(f"{_shown(v)} {k}" for k, v in counts.items()))
    Console().print(facts)
    if status.get("members"):
        print_members(status)


def print_members(answer: Mapping[str, Any]) -> None:
    """Everyone, and what the node that was asked knows of them."""
    table = Table("id", "name", "role", "healthy", "lag", "version", "level", "http", "bolt")
    for each in answer["members"]:
        healthy = {True: "yes", False: "no", None: "?"}[each["healthy"]]
        addresses = each["addresses"]
        table.add_row(
            str(each["nodeId"]),
            each["name"],
            each["role"],
            healthy,
            "?" if each["lag"] is None else _shown(each["lag"]),
            each["version"],
            str(each["featureLevel"]),
            addresses.get("http", ""),
            addresses.get("bolt", ""),
        )
    console = Console()
    console.print(table)
    console.print(f"configuration {answer['config']['index']}")


def print_answer(answer: Mapping[str, Any]) -> None:
    """Anything else: a name and a value a line."""
    table = Table(show_header=False, box=None)
    for name, value in answer.items():
        table.add_row(name, _shown(value))
    Console().print(table)


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_shown(each)}" for name, each in value.items())
    return str(value)
