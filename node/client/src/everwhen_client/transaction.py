"""An explicit transaction over HTTP: one address, used by one request at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from everwhen_client.errors import (
    ClientMisuse,
    ConnectionFailed,
    EverwhenError,
    OutcomeUnknown,
    TransactionEnded,
)
from everwhen_client.requests import Options, statement_fields, transaction_path
from everwhen_client.result import Result

if TYPE_CHECKING:
    from everwhen_client.client import AsyncClient


class AsyncTransaction:
    """Statements between begin and commit or rollback; any failure ends it."""

    def __init__(self, client: AsyncClient, base: str, token: str) -> None:
        self._client = client
        self._base = base
        self._token = token
        self.open = True

    @classmethod
    async def begin(
        cls, client: AsyncClient, options: Options, request_id: tuple[str, int]
    ) -> AsyncTransaction:
        """Open one; it stays on the member that was chosen.

        :raises ConnectionFailed: the member could not be reached; nothing happened.
        """
        base = await client.members.choose(write=options.access == "write")
        body = options.body(client.bookmarks, request_id)
        try:
            answer = await client.connection.request(base, "POST", transaction_path(), body)
        except ConnectionFailed:
            client.members.failed(base)
            raise
        return cls(client, base, str(answer["transaction"]["id"]))

    async def _request(
        self, method: str, action: str = "", body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        path = transaction_path(self._token, action)
        return await self._client.connection.request(self._base, method, path, body)

    def _check(self) -> None:
        if not self.open:
            raise ClientMisuse("the transaction has ended")

    async def run(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Result:
        """One statement inside; a failed one ends the transaction.

        :raises ConnectionFailed: the transaction is lost; nothing of it happened.
        """
        self._check()
        try:
            return Result.of(
                await self._request("POST", "", statement_fields(statement, parameters))
            )
        except EverwhenError as error:
            # lost with the member that held it: begin anew
            self.open = False
            if isinstance(error, TransactionEnded):
                error.retryable = False
            raise

    async def commit(self) -> str:
        """Commit; the bookmark.

        :raises OutcomeUnknown: the connection broke while it was under way.
        """
        self._check()
        self.open = False
        try:
            answer = await self._request("POST", "commit", {})
        except ConnectionFailed as error:
            self._client.members.failed(self._base)
            if not error.sent:
                raise
            raise OutcomeUnknown(
                f"the transaction may or may not have been committed: {error}", retryable=True
            ) from error
        bookmark = str(answer["bookmarks"][-1])
        self._client.saw(bookmark)
        return bookmark

    async def rollback(self) -> None:
        """Forget everything it did."""
        self._check()
        self.open = False
        await self._request("DELETE")

    async def give_up(self) -> None:
        """Roll back on the way out of an error, which matters more than one of this."""
        if not self.open:
            return
        self.open = False
        try:
            await self._request("DELETE")
        except EverwhenError:
            return  # the server rolls back what nobody uses
