"""Bodies of requests and answers in the words of JSON Schema, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """A schema by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: str = "", **properties: Schema) -> Schema:
    found: Schema = {"type": "object", "properties": properties}
    if required:
        found["required"] = required.split()
    return found


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _text(description: str = "", **more: Any) -> Schema:
    return {"type": "string", **({"description": description} if description else {}), **more}


def _integer(description: str = "") -> Schema:
    return {"type": "integer", **({"description": description} if description else {})}


_BOOLEAN: Final[Schema] = {"type": "boolean"}
_NUMBERS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "integer"}}
_ANY: Final[Schema] = {}
_MOMENT: Final[Schema] = {
    "description": "a time as text (UTC unless it says otherwise), or milliseconds since 1970",
    "oneOf": [{"type": "string"}, {"type": "integer"}],
}
_REQUEST_ID: Final[Schema] = _object(
    "client sequence",
    client=_text("names who asks; 1 to 200 characters", minLength=1, maxLength=200),
    sequence={"type": "integer", "minimum": 0},
)
_KEEP_SECONDS: Final[Schema] = {
    "type": ["number", "null"],
    "description": "how long versions are kept; null: for ever",
}
_METADATA: Final[Schema] = {
    "type": "object",
    "description": "kept with the commit, for the audit record",
}
_CHECKED: Final[dict[str, Schema]] = {
    "expectedConfigIndex": _integer("refuse (412) if the configuration is another by now"),
    "operatorEpoch": _integer("refuse (412) if a newer operator has spoken"),
}

SCHEMAS: Final[dict[str, Schema]] = {
    "Query": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "statement": _text("NGQL, one statement"),
            "parameters": {
                "type": "object",
                "description": "values of $names; with the typed Content-Type each is a TypedValue",
            },
            "includeCounters": {**_BOOLEAN, "default": False},
            "accessMode": _text(enum=["Read", "Write"], default="Write"),
            "bookmarks": _list(_text()),
            "maxExecutionTime": {"type": "number", "description": "seconds"},
            "isolation": _text(enum=["snapshot", "serializable", "pessimistic"]),
            "consistency": _text(enum=["linearizable", "bookmark", "bounded", "stale"]),
            "maxStaleness": {"type": "number", "description": "seconds, for bounded; 5 if absent"},
            "atTime": _MOMENT,
            "atVersion": _integer("read this version"),
            "commitTime": _MOMENT,
            "requestId": _REQUEST_ID,
            "txMetadata": _METADATA,
            "impersonatedUser": {"type": "null", "description": "refused when not null"},
        },
    },
    "TypedValue": _object("$type _value", **{"$type": _text(), "_value": _ANY}),
    "Data": _object("fields values", fields=_list(_text()), values=_list(_list(_ANY))),
    "Counters": {
        "type": "object",
        "properties": {"containsUpdates": _BOOLEAN, "containsSystemUpdates": _BOOLEAN},
        "additionalProperties": {"type": "integer"},
    },
    "Notification": _object(
        "code title description severity",
        code=_text(),
        title=_text(),
        description=_text(),
        severity=_text(),
        category=_text(),
    ),
    "Plan": _object(
        "operatorType arguments identifiers children",
        operatorType=_text(),
        arguments={"type": "object"},
        identifiers=_list(_text()),
        children=_list(ref("Plan")),
        rows=_integer(),
        records=_integer("the same as rows"),
        dbHits=_integer(),
        time=_integer("nanoseconds"),
    ),
    "Changes": _object(
        "schema position changes",
        schema=_integer("of the records: 1"),
        position=_text("go on from here"),
        changes=_list(ref("Change")),
    ),
    "Change": _object(
        "schema position version number time principal tag metadata event entity elementId old new",
        schema=_integer("1"),
        position=_text("go on from here when this one is done"),
        version=_integer("of the commit"),
        number=_integer("its place among the changes of the commit, from 0"),
        time=_text("of the commit", format="date-time"),
        principal=_text("who committed"),
        tag=_text("what the client calls itself"),
        metadata=_METADATA,
        event=_text(enum=["created", "changed", "deleted"]),
        entity=_text(enum=["node", "relationship"]),
        elementId=_text(),
        labels=_list(_text("after the change; of what was deleted, before")),
        oldLabels=_list(_text("before the change; only where it changed them")),
        type=_text("of a relationship"),
        startElementId=_text(),
        endElementId=_text(),
        old={
            "type": ["object", "null"],
            "description": "all properties of what was deleted; of what changed, the old values",
        },
        new={
            "type": ["object", "null"],
            "description": "all properties of what was created; of what changed, the new values",
        },
    ),
    "Transaction": _object("id expires", id=_text(), expires=_text(format="date-time")),
    "Answer": _object(
        data=ref("Data"),
        counters=ref("Counters"),
        notifications=_list(ref("Notification")),
        queryPlan=ref("Plan"),
        profiledQueryPlan=ref("Plan"),
        bookmarks=_list(_text()),
        queryType=_text("r, w, rw or s", enum=["r", "w", "rw", "s"]),
        resultAvailableAfter=_integer("milliseconds until the first row was there"),
        resultConsumedAfter=_integer("milliseconds from there to the last row"),
        repeated={**_BOOLEAN, "description": "an earlier attempt had committed; rows are gone"},
        transaction=ref("Transaction"),
        errors=_list(ref("Error")),
    ),
    "Error": _object(
        "code message retryable",
        code=_text("Neo4j status code"),
        message=_text("for people; a syntax error's has the line and a caret"),
        hint=_text(),
        detail=_text(),
        position=_object(
            "offset line column", offset=_integer(), line=_integer(), column=_integer()
        ),
        retryable=_BOOLEAN,
    ),
    "Errors": _object("errors", errors=_list(ref("Error"))),
    "Discovery": _object(
        "query neo4j_version neo4j_edition",
        query=_text(),
        neo4j_version=_text(),
        neo4j_edition=_text(),
        everwhen_version=_text(),
        status=_text(),
        openapi=_text(),
    ),
    "Member": {
        **_object(
            "nodeId name addresses role",
            nodeId=_integer(),
            name=_text(),
            addresses={"type": "object", "additionalProperties": {"type": "string"}},
            role=_text(),
        ),
        "additionalProperties": True,
    },
    "Configuration": _object(
        "index voters learners",
        index=_integer(),
        voters=_list(_integer()),
        learners=_list(_integer()),
        outgoing=_list(_integer()),
        learnersNext=_list(_integer()),
    ),
    "Members": _object("members config", members=_list(ref("Member")), config=ref("Configuration")),
    "Status": {
        **_object(
            "version name role term appliedIndex appliedVersion members counts digest",
            version=_text(),
            clusterId=_text(),
            nodeId=_integer(),
            name=_text(),
            role=_text(),
            term=_integer(),
            leader={"oneOf": [ref("Member"), {"type": "object"}, {"type": "null"}]},
            lastIndex=_integer(),
            lastTerm=_integer("of the entry at lastIndex"),
            commitIndex=_integer(),
            appliedIndex=_integer(),
            appliedVersion=_integer(),
            appliedTime={"type": ["string", "null"]},
            closedTime={"type": ["string", "null"]},
            oldestReadableTime={"type": ["string", "null"]},
            retention=ref("Keep"),
            members=_list(ref("Member")),
            counts=_NUMBERS,
            digest=_text(),
            config=ref("Configuration"),
            configHash=_text("the same on nodes that are set up alike"),
            settingsFileHash={
                "type": ["string", "null"],
                "description": "SHA-256 of the settings file as last taken over",
            },
            imageLoaded={**_BOOLEAN, "description": "what queries read from is in place"},
            operatorEpoch=_integer("highest one seen"),
            featureLevel=_integer(),
            diskUsed=_integer("bytes"),
        ),
        "additionalProperties": True,
    },
    "Diagnosis": _object(
        "status problems digests",
        status=ref("Status"),
        problems=_list(_text("a line of the log, a warning or worse")),
        digests={
            "type": "object",
            "description": "index of a log entry -> digest of the state after it",
            "additionalProperties": {"type": "string"},
        },
    ),
    "Verified": _object(
        "version ok problems count notes checked",
        version={"type": ["integer", "null"], "description": "null: the image holds nothing"},
        ok={"type": "boolean"},
        problems=_list(_text("what differs; the first ones")),
        count=_integer("all that differs"),
        notes=_list(_text("what is no problem, and must be said")),
        checked={
            "type": "object",
            "description": "what was looked at -> how many",
            "additionalProperties": {"type": "integer"},
        },
    ),
    "AuditHead": _object(
        "format cluster history version time timeMicros chain names namesDigest signature",
        format=_integer(),
        cluster=_text("hexadecimal"),
        history=_text(),
        version=_integer("the newest commit"),
        time=_text(format="date-time"),
        timeMicros=_integer("the same in microseconds since 1970"),
        chain=_text("its chain hash, hexadecimal"),
        names=_list(_integer("labels, types, property keys that had a name")),
        namesDigest=_text("hexadecimal"),
        signature={"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    ),
    "Config": _object(
        "configHash settings",
        configHash=_text("the same on nodes that are set up alike"),
        settings={"type": "object", "additionalProperties": {"type": "string"}},
    ),
    "Checked": {**_object("", **_CHECKED), "additionalProperties": False},
    "Join": {
        **_object(
            "name addresses diskId",
            name=_text(),
            addresses={"type": "object", "additionalProperties": {"type": "string"}},
            diskId=_text(format="uuid"),
            replace=_integer("id of the member whose name it takes"),
            version=_text(),
            featureLevel=_integer(),
            **_CHECKED,
        ),
        "additionalProperties": False,
    },
    "Transfer": {
        **_object("to", to=_integer("node id of a voter"), **_CHECKED),
        "additionalProperties": False,
    },
    "Fence": {
        **_object(
            "fenced",
            fenced=_BOOLEAN,
            reason=_text("what requests are refused with"),
            **_CHECKED,
        ),
        "additionalProperties": False,
    },
    "Recover": {
        **_object(
            "acceptDataLoss",
            acceptDataLoss=_text("recoveryToken of this node's status"),
            **_CHECKED,
        ),
        "additionalProperties": False,
    },
    "Recovered": _object(
        "lastIndex historyId",
        lastIndex=_integer("where the log ended; what others had after it is lost"),
        historyId=_text("of the bookmarks from now on"),
    ),
    "Keep": _object("keepSeconds", keepSeconds=_KEEP_SECONDS),
    "Retention": {
        **_object("keepSeconds", keepSeconds=_KEEP_SECONDS, **_CHECKED),
        "additionalProperties": False,
    },
    "VacuumNow": {
        **_object("", dryRun=_BOOLEAN, **_CHECKED),
        "additionalProperties": False,
    },
    "Vacuum": {
        **_object(
            "oldestReadableVersion oldestReadableTime",
            oldestReadableVersion=_integer(),
            oldestReadableTime={"type": ["string", "null"]},
            keys=_integer("of a dry run: keys that would go"),
            bytes=_integer("of a dry run: their bytes, before compression"),
        ),
        "additionalProperties": True,
    },
    "Level": {**_object("level", level=_integer(), **_CHECKED), "additionalProperties": False},
    "Changed": {
        **_object("clusterId config", clusterId=_text(), config=ref("Configuration")),
        "additionalProperties": True,
    },
    "Bootstrap": _object("clusterId", clusterId=_text(format="uuid")),
    "Snapshot": _object("index term bytes", index=_integer(), term=_integer(), bytes=_integer()),
    "BulkBegin": {
        **_object(
            commitTime=_MOMENT,
            requestId=_REQUEST_ID,
            txMetadata=_METADATA,
            atVersion=_integer("what changes and deletes were made against"),
        ),
        "additionalProperties": False,
    },
    "Committed": _object(
        "version time repeated bookmarks",
        version=_integer(),
        time=_text(format="date-time"),
        repeated=_BOOLEAN,
        bookmarks=_list(_text()),
    ),
    "Bulk": _object(bulk=_text("token of the load"), committed=ref("Committed")),
    "BulkPart": {"type": "object", "properties": {"firstId": _integer()}},
    "BulkDone": _object("committed", committed=ref("Committed"), counts=_NUMBERS),
}
