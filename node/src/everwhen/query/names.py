"""Remarks on labels, types and property keys that nothing in the graph has."""

from __future__ import annotations

from everwhen.model.graph import Statistics
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query.diagnostics import suggest

_CODES = {
    "label": ("Neo.ClientNotification.Statement.UnknownLabelWarning", "label", "label"),
    "type": (
        "Neo.ClientNotification.Statement.UnknownRelationshipTypeWarning",
        "relationship type",
        "relationship type",
    ),
    "property": (
        "Neo.ClientNotification.Statement.UnknownPropertyKeyWarning",
        "property key",
        "property key",
    ),
}


def remark_unknown(
    statement: lg.BoundStatement,
    text: str,
    statistics: Statistics,
    into: list[p.Notification],
) -> None:
    """Adds a notification for each name that the graph does not know (yet)."""
    known: dict[str, list[str]] = {}
    seen: set[tuple[str, str]] = set()
    for kind, name, at in statement.names_used:
        if kind not in _CODES or (kind, name) in seen:
            continue
        seen.add((kind, name))
        if kind not in known:
            known[kind] = _names(kind, statistics)
        if name in known[kind]:
            continue
        code, what, _ = _CODES[kind]
        close = suggest(name, known[kind])
        hint = f"; did you mean `{close}`?" if close else ""
        into.append(
            p.Notification(
                code,
                "WARNING",
                f"The provided {what} is not in the database.",
                f"No {what} `{name}` exists{hint}",
                at,
            )
        )


def _names(kind: str, statistics: Statistics) -> list[str]:
    if kind == "label":
        return statistics.label_names()
    if kind == "type":
        return statistics.relationship_type_names()
    return statistics.property_key_names()
