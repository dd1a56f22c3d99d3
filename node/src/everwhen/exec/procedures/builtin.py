"""The ``db.*`` and ``dbms.*`` procedures that clients of today send (research/graphdb.md 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.apoc_meta import META
from everwhen.exec.procedures.apoc_write import WRITING
from everwhen.exec.procedures.audit import AUDIT
from everwhen.exec.procedures.changes import CHANGES
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.exec.procedures.difference import DIFFERENCE
from everwhen.exec.procedures.fulltext import FULLTEXT
from everwhen.exec.procedures.history import HISTORY
from everwhen.exec.procedures.vectors import VECTORS
from everwhen.limits import VIRTUAL_ID_FIRST
from everwhen.model import values as v
from everwhen.model.elements import Detached, Node, Relationship
from everwhen.model.graph import GraphView

Rows = Iterator[tuple[Any, ...]]

#: elements looked at per label or type by the schema procedures, like Neo4j's sampling
SCHEMA_SAMPLE: int = 1_000


def _labels(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    return ((name,) for name in view.label_names())


def _relationship_types(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    return ((name,) for name in view.relationship_type_names())


def _property_keys(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    return ((name,) for name in view.property_key_names())


def _components(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    return (
        (name, versions, edition)
        for name, versions, edition in ctx.environment.administration().components()
    )


def _ping(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    yield (True,)


def _info(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    for row in ctx.environment.administration().databases():
        if row["name"] == "neo4j":
            yield (row.get("databaseID", ""), "neo4j", row.get("creationTime", ""))


def _current_user(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    administration = ctx.environment.administration()
    name = administration.principal()
    known = next((user for user in administration.users() if user["user"] == name), {})
    flags = ["password_change_required"] if known.get("passwordChangeRequired") else []
    yield (name, [], flags)


def _list_config(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    search = arguments[0].lower()
    for name, value, description, hot in ctx.environment.administration().settings():
        if search in name.lower():
            yield (name, description, value, hot)


def _client_config(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    for name, value, description, hot in ctx.environment.administration().settings():
        if name.startswith("client."):
            yield (name, description, value, hot)


def _await_indexes(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    ctx.environment.await_indexes(None, float(arguments[0]))
    return iter(())


def _await_index(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    ctx.environment.await_indexes(arguments[0], float(arguments[1]))
    return iter(())


# --- schema by sampling --------------------------------------------------------------------


def _property_types(
    elements: Iterator[Node | Relationship], ctx: ExecutionContext
) -> tuple[int, dict[str, tuple[set[str], int]]]:
    """Elements seen, and per property key the types of its values and how many have it."""
    seen = 0
    found: dict[str, tuple[set[str], int]] = {}
    for element in islice(elements, SCHEMA_SAMPLE):
        ctx.tick()
        seen += 1
        for key, value in element.properties.items():
            types, count = found.get(key, (set(), 0))
            types.add(v.type_name(value))
            found[key] = (types, count + 1)
    return seen, found


def _node_type_properties(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    for label in view.label_names():
        seen, found = _property_types(view.nodes_with_label(label), ctx)
        name = f":`{label}`"
        if not found:
            yield (name, [label], None, None, False)
        for key in sorted(found):
            types, count = found[key]
            yield (name, [label], key, sorted(types), count == seen)


def _relationship_type_properties(
    ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]
) -> Rows:
    for name in view.relationship_type_names():
        seen, found = _property_types(view.relationships([name]), ctx)
        shown = f":`{name}`"
        if not found:
            yield (shown, None, None, False)
        for key in sorted(found):
            types, count = found[key]
            yield (shown, key, sorted(types), count == seen)


def _visualization(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    """One virtual node per label, one virtual relationship per (label, type, label) sampled.
    Virtual elements have ids that nothing stored ever gets."""
    nodes: dict[str, Node] = {}
    for number, label in enumerate(view.label_names(), start=1):
        copy = Detached((label,), {"name": label, "indexes": [], "constraints": []})
        nodes[label] = Node(VIRTUAL_ID_FIRST + number, copy)
    links: dict[tuple[str, str, str], Relationship] = {}
    for name in view.relationship_type_names():
        for relationship in islice(view.relationships([name]), SCHEMA_SAMPLE):
            ctx.tick()
            for start in view.node_labels(relationship.start):
                for end in view.node_labels(relationship.end):
                    key = (start, name, end)
                    if key not in links and start in nodes and end in nodes:
                        links[key] = Relationship(
                            VIRTUAL_ID_FIRST + len(links),
                            name,
                            nodes[start].id,
                            nodes[end].id,
                            Detached((), {"name": name}),
                        )
    yield (list(nodes.values()), list(links.values()))


def _fields(text: str) -> tuple[ProcedureField, ...]:
    """``"name STRING, flag BOOLEAN"`` -> fields."""
    if not text:
        return ()
    return tuple(ProcedureField(*item.strip().split(" ", 1)) for item in text.split(", "))


_ALL = (
    ProcedureDefinition("db.labels", (), _fields("label STRING"), "Labels in use.", _labels),
    ProcedureDefinition(
        "db.relationshipTypes",
        (),
        _fields("relationshipType STRING"),
        "Relationship types in use.",
        _relationship_types,
    ),
    ProcedureDefinition(
        "db.propertyKeys", (), _fields("propertyKey STRING"), "Property keys.", _property_keys
    ),
    ProcedureDefinition(
        "db.ping", (), _fields("success BOOLEAN"), "Whether the database answers.", _ping
    ),
    ProcedureDefinition(
        "db.info",
        (),
        _fields("id STRING, name STRING, creationDate STRING"),
        "Facts about the database.",
        _info,
    ),
    ProcedureDefinition(
        "db.awaitIndex",
        (
            ProcedureField("indexName", "STRING"),
            ProcedureField("timeOutSeconds", "INTEGER", 300),
        ),
        (),
        "Waits until an index is online.",
        _await_index,
    ),
    ProcedureDefinition(
        "db.awaitIndexes",
        (ProcedureField("timeOutSeconds", "INTEGER", 300),),
        (),
        "Waits until all indexes are online.",
        _await_indexes,
    ),
    ProcedureDefinition(
        "db.schema.nodeTypeProperties",
        (),
        _fields(
            "nodeType STRING, nodeLabels LIST<STRING>, propertyName STRING, "
            "propertyTypes LIST<STRING>, mandatory BOOLEAN"
        ),
        "Properties of nodes by label, from a sample.",
        _node_type_properties,
    ),
    ProcedureDefinition(
        "db.schema.relTypeProperties",
        (),
        _fields(
            "relType STRING, propertyName STRING, propertyTypes LIST<STRING>, mandatory BOOLEAN"
        ),
        "Properties of relationships by type, from a sample.",
        _relationship_type_properties,
    ),
    ProcedureDefinition(
        "db.schema.visualization",
        (),
        _fields("nodes LIST<NODE>, relationships LIST<RELATIONSHIP>"),
        "The graph's labels and how types connect them, from a sample.",
        _visualization,
    ),
    ProcedureDefinition(
        "dbms.components",
        (),
        _fields("name STRING, versions LIST<STRING>, edition STRING"),
        "What this server is.",
        _components,
        "DBMS",
    ),
    ProcedureDefinition(
        "dbms.showCurrentUser",
        (),
        _fields("username STRING, roles LIST<STRING>, flags LIST<STRING>"),
        "Who is asking.",
        _current_user,
        "DBMS",
    ),
    ProcedureDefinition(
        "dbms.listConfig",
        (ProcedureField("searchString", "STRING", ""),),
        _fields("name STRING, description STRING, value STRING, dynamic BOOLEAN"),
        "Settings in force; secrets are hidden.",
        _list_config,
        "DBMS",
    ),
    ProcedureDefinition(
        "dbms.clientConfig",
        (),
        _fields("name STRING, description STRING, value STRING, dynamic BOOLEAN"),
        "Settings meant for clients.",
        _client_config,
        "DBMS",
    ),
)

#: By lower-case name: procedure names are not case sensitive.
PROCEDURES: dict[str, ProcedureDefinition] = {
    item.name.lower(): item
    for item in (
        *_ALL,
        *AUDIT,
        *CHANGES,
        *DIFFERENCE,
        *FULLTEXT,
        *HISTORY,
        *META,
        *WRITING,
        *VECTORS,
    )
}
