"""``GET /v1/audit/head``: what an outside party keeps to check history by later."""

from __future__ import annotations

from aiohttp import web

from everwhen.codec.audit_head import document
from everwhen.mvcc.audit import head_of
from everwhen.server.http import door_of
from everwhen.server.http.answers import json_response


async def head(request: web.Request) -> web.StreamResponse:
    """The newest commit of this node with its chain hash, signed if a key is set."""
    door = door_of(request)
    return json_response(document(head_of(door.node.parts.state), door.audit_key))
