"""Discovery, health, status, metrics, the OpenAPI document."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from everwhen.codec.cluster import FEATURE_LEVEL
from everwhen.limits import DIAGNOSED_DIGESTS_MAX
from everwhen.model.moments import micros_text
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.runtime.keeping_tables import keep_seconds
from everwhen.runtime.node import Node
from everwhen.server.http import cluster, door_of
from everwhen.server.http.answers import json_response
from everwhen.server.http.openapi import document
from everwhen.server.problems import RECENT
from everwhen.server.secrets import need_secret
from everwhen.version import COMPATIBLE, VERSION


async def discovery(request: web.Request) -> web.StreamResponse:
    """Where things are; drivers read ``neo4j_version`` and ``query``."""
    base = f"{request.scheme}://{request.host}"
    return json_response(
        {
            "query": f"{base}/db/{{databaseName}}/query/v2",
            "neo4j_version": COMPATIBLE,
            "neo4j_edition": "community",
            "everwhen_version": VERSION,
            "status": f"{base}/v1/status",
            "openapi": f"{base}/openapi.json",
        }
    )


async def livez(request: web.Request) -> web.StreamResponse:
    """The event loop answers and the disk has not failed; nothing about load or quorum."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.StreamResponse:
    """Whether requests should be sent here."""
    if door_of(request).ready():
        return web.Response(text="ok\n")
    return web.Response(
        status=503, text="starting, stopping, without a leader, behind, or fenced\n"
    )


async def metrics(request: web.Request) -> web.StreamResponse:
    """Prometheus' text format."""
    content_type, content = door_of(request).metrics.page()
    return web.Response(body=content, headers={"Content-Type": content_type})


def status_of(request: web.Request) -> dict[str, Any]:
    """The facts of ``/v1/status`` (architecture brief, section 7)."""
    door = door_of(request)
    node = door.node
    parts = node.parts
    state = parts.state.current
    head = state.head
    facts = parts.database.facts
    view = GraphSnapshot(parts.state, head.version)
    replica = node.member.replica
    known = node.member.cluster
    leader = known.member(replica.leader)
    return {
        "version": VERSION,
        "clusterId": facts.cluster_id,
        "nodeId": node.member.node_id,
        "diskId": str(node.directory.meta.value.disk_id),
        "name": facts.name,
        "role": _role(node),
        "term": replica.term,
        "leader": None
        if leader is None
        else {"nodeId": leader.id, "name": leader.name, **leader.addresses},
        "lastIndex": replica.core.last_index,
        "lastTerm": replica.core.raft.log.last_term(),
        "commitIndex": replica.core.committed,
        "appliedIndex": head.applied_index,
        "appliedVersion": head.version,
        "appliedTime": micros_text(head.time) if head.version else None,
        "closedTime": micros_text(head.closed_time) if head.closed_time else None,
        "oldestReadableTime": micros_text(head.oldest_time) if head.version else None,
        # the database's own rule; those of labels and types are in GET /v1/vacuum
        "retention": {"keepSeconds": keep_seconds(state.retention.keep)},
        "config": cluster.config_of(request),
        "members": cluster.members_of(request),
        "recoveryToken": node.member.consent.token(),
        "operatorEpoch": known.operator_epoch,
        "featureLevel": known.feature_level,
        "featureLevelSupported": FEATURE_LEVEL,
        "counts": {
            "nodes": view.node_count(),
            "relationships": view.relationship_count(),
        },
        "digest": head.digest.hex(),
        "settingsFileHash": None if door.hot is None else door.hot.digest,
        "configHash": cluster.config_hash(facts.settings),
        # the record answers until then
        "imageLoaded": parts.database.graph.ready,
        "ready": door.ready(),
        "fenced": None if node.member.fence.state is None else node.member.fence.state.reason,
        "diskUsed": node.directory.used_bytes(),
        "diskFree": node.headroom.disk_free,
        "memoryFree": node.headroom.memory_free,
        "logBytes": node.directory.log.bytes_on_disk,
        "writesRefused": node.headroom.refusal(),
        "openTransactions": len(parts.database.open_transactions()),
    }


def _role(node: Node) -> str:
    """What this node is in its group."""
    if node.member.fence.state is not None:
        return "fenced"
    if node.member.replica.is_leader:
        return "leader"
    return "follower" if node.member.node_id in node.member.configuration.voters else "learner"


async def status(request: web.Request) -> web.StreamResponse:
    """What this node is and does."""
    return json_response(status_of(request))


async def diagnose(request: web.Request) -> web.StreamResponse:
    """``GET /v1/diagnose``: all of the status, the last warnings, and digests of what was computed
    lately, by which nodes can be compared. Only for who knows the cluster's secret."""
    need_secret(request.headers, door_of(request).secret)
    digests = door_of(request).node.member.digests.newest(DIAGNOSED_DIGESTS_MAX)
    return json_response(
        {
            "status": status_of(request),
            "problems": RECENT.lines(),
            "digests": {str(index): digest.hex() for index, digest in digests.items()},
        }
    )


async def openapi(request: web.Request) -> web.StreamResponse:
    """The OpenAPI document of this door."""
    return json_response(document())
