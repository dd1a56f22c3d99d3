"""``GET /v1/verify``: whether what this node holds in memory is what its record says."""

from __future__ import annotations

from aiohttp import web

from everwhen.server.http import door_of
from everwhen.server.http.answers import json_response
from everwhen.server.secrets import need_secret


async def image(request: web.Request) -> web.StreamResponse:
    """The image against the record, element by element; answered when it is done. Only for who
    knows the cluster's secret."""
    door = door_of(request)
    need_secret(request.headers, door.secret)
    version, report = await door.node.image_check.run()
    return json_response({"version": version, **report.as_dict()})
