"""The admin interface: who belongs to the group, who leads (architecture brief, section 7).

Any member takes a request; the leader carries it out. Every call that changes something needs the
cluster's secret, and may say what it relied on: ``expectedConfigIndex`` and ``operatorEpoch``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from aiohttp import web

from everwhen.codec.cluster import FEATURE_LEVEL, Member
from everwhen.codec.retention import FOR_EVER
from everwhen.errors import MembershipRefused, PreconditionFailed, RequestInvalid
from everwhen.limits import INT_MAX
from everwhen.model.moments import micros_text
from everwhen.runtime.keeping_tables import (
    erasure_rows,
    restore_point_rows,
    retention_rows,
    vacuum_rows,
)
from everwhen.runtime.replica import admin
from everwhen.runtime.vacuum_preview import preview
from everwhen.server.http import door_of
from everwhen.server.http.answers import json_response
from everwhen.server.http.body import read_body
from everwhen.server.secrets import need_secret

_BODY_BYTES_MAX: Final = 64 << 10
_NAME_CHARS_MAX: Final = 253
#: settings that differ between the nodes of one group
_OWN_SETTINGS: Final = frozenset({"host", "port", "advertised", "external", "bootstrap", "join"})
_T = TypeVar("_T", bound=msgspec.Struct)


class _Checked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    expected_config_index: int | None = None
    operator_epoch: int | None = None


class _Join(_Checked, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    name: str
    addresses: dict[str, str]
    disk_id: str
    replace: int = 0
    version: str = ""
    feature_level: int = FEATURE_LEVEL


class _Transfer(_Checked, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    to: int


class _Fence(_Checked, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    fenced: bool
    reason: str = "an operator asked for it"


class _Recover(_Checked, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    accept_data_loss: str


class _Vacuum(_Checked, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    dry_run: bool = False


class _Retention(_Checked, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    keep_seconds: float | None


class _Level(_Checked, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    level: int


async def _body(request: web.Request, kind: type[_T]) -> _T:
    """The checked body; an empty one is an empty object.

    :raises RequestInvalid: it is none, or says something unknown.
    """
    need_secret(request.headers, door_of(request).secret)
    raw = await read_body(request, _BODY_BYTES_MAX, "")
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.MsgspecError as error:
        raise RequestInvalid(str(error)) from error


def _node(request: web.Request) -> int:
    text = request.match_info["node"]
    if not text.isdecimal() or len(text) > 18:
        raise RequestInvalid(f"{text!r} is no node id")
    return int(text)


async def _carry_out(request: web.Request, verb: admin.Verb, checked: _Checked, **more: Any) -> int:
    """Let the leader do it."""
    order = admin.Order(
        verb=verb,
        configuration=checked.expected_config_index,
        epoch=checked.operator_epoch,
        **more,
    )
    return await door_of(request).node.member.admin.carry_out(order)


def _answer(request: web.Request, **more: Any) -> web.Response:
    """What the group is now, as applied here."""
    cluster = door_of(request).node.member.cluster
    content = {
        "clusterId": str(UUID(bytes=cluster.cluster_id)) if cluster.cluster_id else None,
        "config": config_of(request),
        **more,
    }
    return json_response(content)


def config_of(request: web.Request) -> dict[str, Any]:
    """The configuration as applied here."""
    found = door_of(request).node.member.configuration
    return {
        "index": found.index,
        "voters": found.voters,
        "learners": found.learners,
        "outgoing": found.outgoing,
        "learnersNext": found.learners_next,
    }


async def join(request: web.Request) -> web.StreamResponse:
    """``POST /v1/members``: admit a node as a learner; answers its id."""
    body = await _body(request, _Join)
    try:
        disk = UUID(body.disk_id).bytes
    except ValueError as error:
        raise RequestInvalid(f"diskId {body.disk_id!r} is no UUID") from error
    if not 0 < len(body.name) <= _NAME_CHARS_MAX:
        raise RequestInvalid(f"a name has 1 to {_NAME_CHARS_MAX} characters")
    if not body.addresses.get("peer"):
        raise RequestInvalid("addresses need `peer`, where other members reach the node")
    member = Member(0, body.name, body.addresses, disk, body.version, body.feature_level)
    number = await _carry_out(request, admin.Verb.JOIN, body, member=member, node=body.replace)
    return _answer(request, nodeId=number)


async def promote(request: web.Request) -> web.StreamResponse:
    """``POST /v1/members/{id}/promote``: a learner that keeps up becomes a voter."""
    await _carry_out(
        request, admin.Verb.PROMOTE, await _body(request, _Checked), node=_node(request)
    )
    return _answer(request)


async def demote(request: web.Request) -> web.StreamResponse:
    """``POST /v1/members/{id}/demote``: a voter becomes a learner."""
    await _carry_out(
        request, admin.Verb.DEMOTE, await _body(request, _Checked), node=_node(request)
    )
    return _answer(request)


async def leave(request: web.Request) -> web.StreamResponse:
    """``DELETE /v1/members/{id}``: demoted, then removed; the id never comes back."""
    await _carry_out(request, admin.Verb.LEAVE, await _body(request, _Checked), node=_node(request))
    return _answer(request)


async def transfer(request: web.Request) -> web.StreamResponse:
    """``POST /v1/leader``: hand leadership to a voter."""
    body = await _body(request, _Transfer)
    await _carry_out(request, admin.Verb.TRANSFER, body, node=body.to)
    return _answer(request)


async def raise_level(request: web.Request) -> web.StreamResponse:
    """``POST /v1/feature-level``: use what every member supports by now."""
    body = await _body(request, _Level)
    await _carry_out(request, admin.Verb.RAISE_LEVEL, body, node=body.level)
    return _answer(request, featureLevel=door_of(request).node.member.cluster.feature_level)


async def snapshot(request: web.Request) -> web.StreamResponse:
    """``POST /v1/snapshot``: make a copy of the record on this node now."""
    await _body(request, _Checked)
    manifest = await door_of(request).node.member.snapshots.make()
    return json_response({"index": manifest.index, "term": manifest.term, "bytes": manifest.size})


def _vacuum_of(request: web.Request) -> dict[str, Any]:
    """What is kept, and how far vacuum is, as applied here."""
    database = door_of(request).node.parts.database
    state = database.state
    head = state.current.head
    return {
        "oldestReadableVersion": head.oldest_version,
        "oldestReadableTime": micros_text(head.oldest_time) if head.oldest_version else None,
        "retention": list(retention_rows(state)),
        "restorePoints": list(restore_point_rows(state)),
        "vacuum": dict(vacuum_rows(state, database.vacuuming)[0]),
        "erasures": list(erasure_rows(state, database.vacuuming)),
    }


async def retain(request: web.Request) -> web.StreamResponse:
    """``POST /v1/retention``: how long the database keeps versions (null: for ever); labels and
    types with a rule of their own follow that."""
    body = await _body(request, _Retention)
    seconds = body.keep_seconds
    micros = FOR_EVER
    if seconds is not None:
        if not 0 < seconds <= INT_MAX / 1e6:
            raise RequestInvalid("keepSeconds is more than 0, or null to keep versions for ever")
        micros = round(seconds * 1e6)
    await _carry_out(request, admin.Verb.RETAIN, body, node=micros)
    return json_response(_vacuum_of(request))


async def vacuum_state(request: web.Request) -> web.StreamResponse:
    """``GET /v1/vacuum``: rules, restore points, the round under way, erasures."""
    return json_response(_vacuum_of(request))


async def vacuum(request: web.Request) -> web.StreamResponse:
    """``POST /v1/vacuum``: begin a round now, or say what one would take away."""
    body = await _body(request, _Vacuum)
    if not body.dry_run:
        await _carry_out(request, admin.Verb.VACUUM, body)
        return json_response(_vacuum_of(request))
    node = door_of(request).node
    database = node.parts.database
    vacuuming = database.vacuuming
    state = database.state
    wanted = [] if vacuuming is None else vacuuming.wanted(state.current.retention)
    with database.reading():
        found = await node.threads.run("query", preview, state, wanted)
    oldest = micros_text(found.oldest_time) if found.oldest_version else None
    return json_response(
        {
            "keys": found.keys,
            "bytes": found.size,
            "oldestReadableVersion": found.oldest_version,
            "oldestReadableTime": oldest,
        }
    )


async def fence(request: web.Request) -> web.StreamResponse:
    """``POST /v1/fence``: take this node out of service, or back. It goes on voting and
    acknowledging, it never leads, and it answers no statement."""
    body = await _body(request, _Fence)
    member = door_of(request).node.member
    _check_epoch(request, body)
    if body.fenced:
        await member.fence.put_up(body.reason)
    else:
        await member.fence.lift()
    return _answer(request, fenced=member.fence.state is not None)


def _check_epoch(request: web.Request, body: _Checked) -> None:
    """:raises PreconditionFailed: this node knows of a higher epoch."""
    seen = door_of(request).node.member.cluster.operator_epoch
    if body.operator_epoch is not None and body.operator_epoch < seen:
        raise PreconditionFailed(
            f"the operator's epoch is {seen}, not {body.operator_epoch}",
            hint="another operator has taken over",
        )


async def recover(request: web.Request) -> web.StreamResponse:
    """``POST /v1/recover``: the majority is lost for ever; this node goes on alone with what it has,
    by the consent that names exactly that."""
    body = await _body(request, _Recover)
    _check_epoch(request, body)
    done = await door_of(request).node.member.consent.given(body.accept_data_loss)
    return json_response({"lastIndex": done.last_index, "historyId": done.history_id})


async def bootstrap(request: web.Request) -> web.StreamResponse:
    """``POST /v1/bootstrap``: only a node that is still joining takes it."""
    raise MembershipRefused("this node belongs to a cluster already")


async def members(request: web.Request) -> web.StreamResponse:
    """``GET /v1/members``: everyone, as applied here."""
    return json_response({"members": members_of(request), "config": config_of(request)})


async def config(request: web.Request) -> web.StreamResponse:
    """``GET /v1/config``: the settings this node runs with, secrets hidden."""
    settings = door_of(request).node.parts.database.facts.settings
    return json_response(
        {
            "configHash": config_hash(settings),
            "settings": {name: value for name, value, _, _ in settings},
        }
    )


def config_hash(settings: Iterable[tuple[str, str, str, bool]]) -> str:
    """The same on all nodes that are set up alike: over every setting but those that say who a
    node is and where it is reached."""
    lines = [
        f"{name}={value}\n"
        for name, value, _, _ in settings
        if not name.startswith("node.") and name.rpartition(".")[2] not in _OWN_SETTINGS
    ]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def members_of(request: web.Request) -> list[dict[str, Any]]:
    """Every member with what this node knows of it; positions only on the leader."""
    member = door_of(request).node.member
    replica = member.replica
    configuration = member.configuration
    last = replica.core.last_index
    found: list[dict[str, Any]] = []
    for each in member.cluster.members:
        mine = each.id == member.node_id
        progress = replica.core.progress(each.id)
        match = last if mine else None if progress is None else progress.match
        role = "leader" if each.id == replica.leader else "follower"
        if each.id not in configuration.voters:
            role = "learner" if each.id in configuration.ids else "outside"
        found.append(
            {
                "nodeId": each.id,
                "name": each.name,
                "addresses": each.addresses,
                "role": role,
                "matchIndex": match,
                "lag": None if match is None else max(last - match, 0),
                "healthy": mine or (None if progress is None else progress.recent_active),
                "version": each.version,
                "featureLevel": each.feature_level,
                "diskId": str(UUID(bytes=each.disk)) if len(each.disk) == 16 else None,
            }
        )
    return found


def routes() -> list[web.RouteDef]:
    """Every route of this module."""
    return [
        web.get("/v1/config", config),
        web.get("/v1/members", members),
        web.post("/v1/members", join),
        web.post("/v1/members/{node}/promote", promote),
        web.post("/v1/members/{node}/demote", demote),
        web.delete("/v1/members/{node}", leave),
        web.post("/v1/leader", transfer),
        web.post("/v1/feature-level", raise_level),
        web.post("/v1/snapshot", snapshot),
        web.post("/v1/retention", retain),
        web.get("/v1/vacuum", vacuum_state),
        web.post("/v1/vacuum", vacuum),
        web.post("/v1/fence", fence),
        web.post("/v1/recover", recover),
        web.post("/v1/bootstrap", bootstrap),
    ]
