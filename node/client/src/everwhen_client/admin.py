"""Administration: status, health, metrics, membership."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from everwhen_client.connection import JSON, decoded
from everwhen_client.errors import ConnectionFailed

if TYPE_CHECKING:
    from everwhen_client.client import AsyncClient


class AsyncAdmin:
    """Calls below ``/v1`` and the pages beside it, of the first address of the client."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Any administrative call; the JSON object it answers."""
        connection = self._client.connection
        return await connection.request(self._client.uri, method, path, body, media=JSON)

    async def status(self) -> dict[str, Any]:
        """What the node is and does."""
        return await self.request("GET", "/v1/status")

    async def server(self) -> dict[str, Any]:
        """Names and versions of the server, and where its doors are."""
        return await self.request("GET", "/")

    async def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of the server."""
        return await self.request("GET", "/openapi.json")

    async def metrics(self) -> str:
        """Metrics in the text format of Prometheus."""
        return (await self._page("/metrics"))[1].decode()

    async def alive(self) -> bool:
        """Whether the node's loop and disk are well."""
        return (await self._page("/livez"))[0] == 200

    async def ready(self) -> bool:
        """Whether requests should be sent to the node; false too if it cannot be reached."""
        try:
            return (await self._page("/readyz"))[0] == 200
        except ConnectionFailed:
            return False

    async def _page(self, path: str) -> tuple[int, bytes]:
        connection = self._client.connection
        base = self._client.uri
        async with connection.answer(base, "GET", path, accept="*/*") as answer:
            content = await answer.read()
            if answer.status in (401, 403, 404):
                decoded(answer.status, content)
            return answer.status, content
