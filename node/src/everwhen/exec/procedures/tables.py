"""The tables behind ``SHOW``: columns, and the rows as dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from everwhen.exec.context import ExecutionContext
from everwhen.exec.functions import FUNCTIONS
from everwhen.exec.functions.aggregates import AGGREGATE_SIGNATURES
from everwhen.exec.procedures.keeping_tables import KEEPING_TABLES
from everwhen.exec.procedures.show_table import ShowTable as ShowTable
from everwhen.exec.procedures.show_table import TableRows
from everwhen.model.fulltext_index import parse_config as parse_texts
from everwhen.model.schema import ConstraintDefinition, ConstraintKind, IndexDefinition
from everwhen.model.vector_index import parse_config


def _kind_of(constraint: ConstraintDefinition) -> str:
    if constraint.kind is ConstraintKind.KEY:
        return f"{constraint.entity}_KEY"
    if constraint.kind is ConstraintKind.UNIQUE and constraint.entity == "NODE":
        return "UNIQUENESS"
    return f"{constraint.entity}_{constraint.kind.value}"


def _create_index(index: IndexDefinition) -> str:
    variable = "n" if index.entity == "NODE" else "r"
    pattern = f"(n:`{index.label}`)" if index.entity == "NODE" else f"()-[r:`{index.label}`]-()"
    keys = ", ".join(f"{variable}.`{key}`" for key in index.properties)
    return f"CREATE RANGE INDEX `{index.name}` FOR {pattern} ON ({keys})"


def _create_constraint(constraint: ConstraintDefinition) -> str:
    variable = "n" if constraint.entity == "NODE" else "r"
    pattern = (
        f"(n:`{constraint.label}`)"
        if constraint.entity == "NODE"
        else f"()-[r:`{constraint.label}`]-()"
    )
    keys = ", ".join(f"{variable}.`{key}`" for key in constraint.properties)
    demand = {
        ConstraintKind.UNIQUE: "IS UNIQUE",
        ConstraintKind.EXISTS: "IS NOT NULL",
        ConstraintKind.KEY: f"IS {constraint.entity} KEY",
        ConstraintKind.TYPE: f"IS :: {constraint.type_text}",
    }[constraint.kind]
    return f"CREATE CONSTRAINT `{constraint.name}` FOR {pattern} REQUIRE ({keys}) {demand}"


def _create_vectors(index: ConstraintDefinition) -> str:
    variable = "n" if index.entity == "NODE" else "r"
    pattern = f"(n:`{index.label}`)" if index.entity == "NODE" else f"()-[r:`{index.label}`]-()"
    config = ", ".join(
        f"`{key}`: {value!r}" for key, value in parse_config(index.type_text).options().items()
    )
    return (
        f"CREATE VECTOR INDEX `{index.name}` FOR {pattern} ON ({variable}.`{index.properties[0]}`) "
        f"OPTIONS {{indexConfig: {{{config}}}}}"
    )


def _create_fulltext(index: ConstraintDefinition) -> str:
    about = parse_texts(index.type_text)
    variable = "n" if index.entity == "NODE" else "r"
    names = "|".join(f"`{label}`" for label in about.labels)
    pattern = f"(n:{names})" if index.entity == "NODE" else f"()-[r:{names}]-()"
    keys = ", ".join(f"{variable}.`{key}`" for key in index.properties)
    late = str(about.eventually_consistent).lower()
    return (
        f"CREATE FULLTEXT INDEX `{index.name}` FOR {pattern} ON EACH [{keys}] OPTIONS "
        f"{{indexConfig: {{`fulltext.analyzer`: '{about.analyzer}', "
        f"`fulltext.eventually_consistent`: {late}}}}}"
    )


def _indexes(ctx: ExecutionContext, detail: str) -> TableRows:
    catalog = ctx.view.catalog
    if detail in ("", "ALL", "RANGE"):
        for index in catalog.indexes.values():
            yield _index_row(
                index, "RANGE", "range-1.0", {}, index.constraint, _create_index(index)
            )
    if detail in ("", "ALL", "VECTOR"):
        for vectors in catalog.vector_indexes().values():
            config = parse_config(vectors.type_text).options()
            create = _create_vectors(vectors)
            yield _index_row(vectors, "VECTOR", "vector-1.0", config, None, create)

    if detail in ("", "ALL", "FULLTEXT"):
        for texts in catalog.fulltext_indexes().values():
            about = parse_texts(texts.type_text)
            create = _create_fulltext(texts)
            row = _index_row(texts, "FULLTEXT", "fulltext-1.0", about.options(), None, create)
            yield {**row, "labelsOrTypes": list(about.labels)}


def _index_row(
    index: IndexDefinition | ConstraintDefinition,
    kind: str,
    provider: str,
    config: Mapping[str, Any],
    owner: str | None,
    create: str,
) -> Mapping[str, Any]:
    return {
        "id": index.id,
        "name": index.name,
        "state": index.state.value,
        "populationPercent": index.percent,
        "type": kind,
        "entityType": index.entity,
        "labelsOrTypes": [index.label],
        "properties": list(index.properties),
        "indexProvider": provider,
        "owningConstraint": owner,
        "lastRead": None,
        "readCount": None,
        "trackedSince": None,
        "options": {"indexProvider": provider, "indexConfig": config},
        "failureMessage": index.failure,
        "createStatement": create,
    }


def _constraints(ctx: ExecutionContext, detail: str) -> TableRows:
    wanted = detail.replace(" ", "_")
    for constraint in ctx.view.catalog.constraints.values():
        if constraint.is_index:
            continue  # SHOW INDEXES lists it
        kind = _kind_of(constraint)
        if wanted not in ("", "ALL") and not _constraint_matches(wanted, constraint, kind):
            continue
        yield {
            "id": constraint.id,
            "name": constraint.name,
            "type": kind,
            "entityType": constraint.entity,
            "labelsOrTypes": [constraint.label],
            "properties": list(constraint.properties),
            "ownedIndex": constraint.index,
            "propertyType": constraint.type_text or None,
            "state": constraint.state.value,
            "populationPercent": constraint.percent,
            "failureMessage": constraint.failure,
            "options": None,
            "createStatement": _create_constraint(constraint),
        }


def _constraint_matches(wanted: str, constraint: ConstraintDefinition, kind: str) -> bool:
    words = wanted.replace("RELATIONSHIP", "REL").replace("PROPERTY_", "")
    own = kind.replace("RELATIONSHIP", "REL").replace("PROPERTY_", "")
    synonyms = {
        "UNIQUE": "UNIQUENESS",
        "EXIST": "EXISTENCE",
        "EXISTENCE": "EXISTENCE",
        "TYPE": "TYPE",
        "KEY": "KEY",
    }
    for word, meaning in synonyms.items():
        if words.endswith((word, meaning)):
            entity = "NODE" if "NODE" in words else "REL" if "REL" in words else ""
            same_kind = own.endswith(meaning)
            own_entity = "NODE" if constraint.entity == "NODE" else "REL"
            return same_kind and entity in ("", own_entity)
    return False


def _procedures(ctx: ExecutionContext, detail: str) -> TableRows:
    from everwhen.exec.procedures.builtin import PROCEDURES

    for name in sorted(PROCEDURES):
        procedure = PROCEDURES[name]
        yield {
            "name": procedure.name,
            "description": procedure.description,
            "mode": procedure.mode,
            "worksOnSystem": procedure.mode == "DBMS",
            "signature": procedure.signature,
            "argumentDescription": [
                {"name": a.name, "type": a.type, "description": f"{a.name} :: {a.type}"}
                for a in procedure.arguments
            ],
            "returnDescription": [
                {"name": r.name, "type": r.type, "description": f"{r.name} :: {r.type}"}
                for r in procedure.results
            ],
            "admin": False,
            "rolesExecution": None,
            "rolesBoostedExecution": None,
            "isDeprecated": False,
            "deprecatedBy": None,
            "option": {"deprecated": False},
        }


def _function_row(
    name: str, category: str, description: str, signature: str, aggregating: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "category": category,
        "description": description,
        "signature": signature,
        "isBuiltIn": True,
        "argumentDescription": [],
        "returnDescription": "ANY",
        "aggregating": aggregating,
        "rolesExecution": None,
        "rolesBoostedExecution": None,
        "isDeprecated": False,
        "deprecatedBy": None,
    }


def _functions(ctx: ExecutionContext, detail: str) -> TableRows:
    if detail == "USER DEFINED":
        return
    rows = [
        _function_row(f.name, f.category, f.description, f.signature, aggregating=False)
        for f in FUNCTIONS.values()
    ]
    rows += [
        _function_row(name, "Aggregating", description, signature, aggregating=True)
        for name, (signature, description) in AGGREGATE_SIGNATURES.items()
    ]
    yield from sorted(rows, key=lambda row: str(row["name"]).lower())


def _databases(ctx: ExecutionContext, detail: str) -> TableRows:
    yield from ctx.environment.administration().databases()


def _transactions(ctx: ExecutionContext, detail: str) -> TableRows:
    yield from ctx.environment.administration().transactions()


def _terminate(ctx: ExecutionContext, names: Sequence[str]) -> TableRows:
    yield from ctx.environment.administration().terminate(names)


def _settings(ctx: ExecutionContext, detail: str) -> TableRows:
    for name, value, description, hot in ctx.environment.administration().settings():
        yield {
            "name": name,
            "value": value,
            "isDynamic": hot,
            "defaultValue": None,
            "description": description,
            "startupValue": None if hot else value,
            "isExplicitlySet": None,
            "validValues": None,
            "isDeprecated": False,
        }


def _users(ctx: ExecutionContext, detail: str) -> TableRows:
    yield from ctx.environment.administration().users()


def _current_user(ctx: ExecutionContext, detail: str) -> TableRows:
    administration = ctx.environment.administration()
    name = administration.principal()
    known = [user for user in administration.users() if user["user"] == name]
    yield from known or [
        {
            "user": name,
            "roles": None,
            "passwordChangeRequired": False,
            "suspended": None,
            "home": None,
        }
    ]


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_DATABASES = ShowTable(
    _split(
        "name type aliases access address role writer requestedStatus currentStatus "
        "statusMessage default home constituents"
    ),
    _split(
        "name type aliases access databaseID serverID address role writer requestedStatus "
        "currentStatus statusMessage default home currentPrimariesCount "
        "currentSecondariesCount creationTime lastStartTime lastStopTime store "
        "lastCommittedTxn replicationLag constituents"
    ),
    _databases,
)

#: By the words after SHOW, upper case.
SHOW_TABLES: dict[str, ShowTable] = {
    "INDEXES": ShowTable(
        _split(
            "id name state populationPercent type entityType labelsOrTypes properties "
            "indexProvider owningConstraint lastRead readCount"
        ),
        _split(
            "id name state populationPercent type entityType labelsOrTypes properties "
            "indexProvider owningConstraint lastRead readCount trackedSince options "
            "failureMessage createStatement"
        ),
        _indexes,
    ),
    "CONSTRAINTS": ShowTable(
        _split("id name type entityType labelsOrTypes properties ownedIndex propertyType"),
        _split(
            "id name type entityType labelsOrTypes properties ownedIndex propertyType state "
            "populationPercent failureMessage options createStatement"
        ),
        _constraints,
    ),
    "PROCEDURES": ShowTable(
        _split("name description mode worksOnSystem"),
        _split(
            "name description mode worksOnSystem signature argumentDescription "
            "returnDescription admin rolesExecution rolesBoostedExecution isDeprecated "
            "deprecatedBy option"
        ),
        _procedures,
    ),
    "FUNCTIONS": ShowTable(
        _split("name category description"),
        _split(
            "name category description signature isBuiltIn argumentDescription "
            "returnDescription aggregating rolesExecution rolesBoostedExecution "
            "isDeprecated deprecatedBy"
        ),
        _functions,
    ),
    **KEEPING_TABLES,
    "DATABASES": _DATABASES,
    "DATABASE": _DATABASES,
    "DEFAULT DATABASE": _DATABASES,
    "HOME DATABASE": _DATABASES,
    "TRANSACTIONS": ShowTable(
        _split(
            "database transactionId currentQueryId connectionId clientAddress username "
            "currentQuery startTime status elapsedTime"
        ),
        _split(
            "database transactionId currentQueryId connectionId clientAddress username "
            "currentQuery startTime status elapsedTime metaData isolation readVersion "
            "estimatedUsedHeapMemory"
        ),
        _transactions,
    ),
    "TERMINATE TRANSACTIONS": ShowTable(
        _split("transactionId username message"),
        _split("transactionId username message"),
        _transactions,
        _terminate,
    ),
    "SETTINGS": ShowTable(
        _split("name value isDynamic defaultValue description"),
        _split(
            "name value isDynamic defaultValue description startupValue isExplicitlySet "
            "validValues isDeprecated"
        ),
        _settings,
    ),
    "USERS": ShowTable(
        _split("user roles passwordChangeRequired suspended home"),
        _split("user roles passwordChangeRequired suspended home"),
        _users,
    ),
    "CURRENT USER": ShowTable(
        _split("user roles passwordChangeRequired suspended home"),
        _split("user roles passwordChangeRequired suspended home"),
        _current_user,
    ),
}
