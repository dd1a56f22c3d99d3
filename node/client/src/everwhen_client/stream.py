"""Rows as they come: a header, rows, a summary, each a line of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from everwhen_client.errors import ClientMisuse, ConnectionFailed, ProtocolError, error_from
from everwhen_client.result import Record, Summary
from everwhen_client.wire import decode


class AsyncStream:
    """Rows of one statement, once. ``summary`` is there when all have come."""

    def __init__(self, events: AsyncIterator[list[Any]]) -> None:
        self._events = events
        self._waiting: list[Any] = []
        self._summary: Summary | None = None
        self.columns: tuple[str, ...] = ()

    async def begin(self) -> None:
        """Reads the header.

        :raises EverwhenError: the statement failed before its first row.
        """
        events = await anext(self._events, None)
        if not events:
            raise ConnectionFailed("the answer is empty")
        self._waiting = events[1:]
        header = _body(events[0], "Header")
        if header is None:
            raise ProtocolError("the answer does not begin with its header")
        self.columns = tuple(header["fields"])

    @property
    def summary(self) -> Summary:
        """What follows the rows; empty as long as some are left."""
        return self._summary or Summary()

    async def batches(self) -> AsyncIterator[list[Record]]:
        """Rows, as many at a time as came."""
        if self._summary is not None:
            raise ClientMisuse("the rows have been read already")
        while True:
            rows = []
            for event in self._waiting:
                values = _body(event, "Record")
                if values is not None:
                    rows.append(Record.of(self.columns, [decode(cell) for cell in values]))
                    continue
                summary = _body(event, "Summary")
                if summary is None:
                    raise ProtocolError(f"unknown event {event!r:.200}")
                self._summary = Summary.of(summary)
            if rows:
                yield rows
            if self._summary is not None:
                return
            self._waiting = await anext(self._events, [])
            if not self._waiting:
                raise ConnectionFailed("the answer ends before its summary")

    async def __aiter__(self) -> AsyncIterator[Record]:
        async for rows in self.batches():
            for row in rows:
                yield row


def _body(event: Any, kind: str) -> Any:
    """The body of an event of this kind, None of another.

    :raises EverwhenError: it is an error.
    """
    if not isinstance(event, dict) or "$event" not in event:
        raise ProtocolError(f"not an event: {event!r:.200}")
    if event["$event"] == "Error":
        said = event["_body"]
        if isinstance(said, dict):
            said = said.get("errors", [said])
        raise error_from(said[0], 0)
    return event["_body"] if event["$event"] == kind else None
