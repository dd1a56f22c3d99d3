"""The HTTP door: Neo4j's Query API v2, an Arrow stream, administration, health, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from everwhen.server.http.app import Door


def door_of(request: web.Request) -> Door:
    """What handlers need, from the application."""
    from everwhen.server.http.app import DOOR

    return request.app[DOOR]
