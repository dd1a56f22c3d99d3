"""Change capture: what commits changed, one record after the other, from a position on."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from everwhen_client.errors import ProtocolError
from everwhen_client.wire import decode

#: the schema of records that this package reads
SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One change to one node or relationship.

    ``old`` and ``new``: all properties of what was deleted or created (the other one is None), or
    those that changed, None where there is no value.
    """

    #: go on from here when this one is done
    position: str
    version: int
    number: int
    time: dt.datetime
    principal: str
    tag: str
    metadata: Mapping[str, str]
    #: created, changed or deleted
    event: str
    #: node or relationship
    entity: str
    element_id: str
    labels: frozenset[str]
    #: labels before the change, if it changed them
    old_labels: frozenset[str] | None
    type: str | None
    start: str | None
    end: str | None
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None


class AsyncChanges:
    """Iterates over changes as they come, without end unless ``idle`` seconds pass without one.

    ``position`` is how far it came: what a reader keeps to go on later, on any member. While it is
    iterated over, a lost connection is taken up again at another member.
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[dict[str, Any]]],
        start: str | int,
        labels: Iterable[str],
        types: Iterable[str],
        *,
        limit: int,
        wait: float,
        idle: float | None,
    ) -> None:
        self.position = str(start)
        self._ask = ask
        self._names = [("label", each) for each in labels] + [("type", each) for each in types]
        self._limit = limit
        self._wait = wait
        self._idle = idle

    async def _batch(self, wait: float) -> list[Change]:
        query = [("from", self.position), ("wait", f"{wait:g}"), ("limit", str(self._limit))]
        path = "/v1/changes?" + urlencode([*query, ("values", "typed"), *self._names])
        answer = await self._ask(path)
        try:
            if answer["schema"] != SCHEMA:
                raise ProtocolError(f"changes of schema {answer['schema']}; this reads {SCHEMA}")
            found = [_change(each) for each in answer["changes"]]
            self.position = str(answer["position"])
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(f"the server sent changes that are none: {error!r}") from error
        return found

    async def batches(self) -> AsyncIterator[list[Change]]:
        """As many at a time as came; ``position`` is behind the batch."""
        clock = asyncio.get_running_loop().time
        if self.position == "now":  # from the first answer on it is a certain one
            await self._batch(0.0)
        last = clock()
        while True:
            left = self._wait if self._idle is None else self._idle - (clock() - last)
            if left < 0:
                return
            found = await self._batch(min(left, self._wait))
            if found:
                yield found
                last = clock()

    async def __aiter__(self) -> AsyncIterator[Change]:
        async for batch in self.batches():
            after = self.position
            for change in batch:
                # a reader that stops here has this one, and none of those behind it
                self.position = change.position
                yield change
            self.position = after


def _change(said: Mapping[str, Any]) -> Change:
    """A record as the server writes it, with typed values."""
    old_labels = said.get("oldLabels")
    return Change(
        position=said["position"],
        version=said["version"],
        number=said["number"],
        time=dt.datetime.fromisoformat(said["time"]),
        principal=said["principal"],
        tag=said["tag"],
        metadata=said["metadata"],
        event=said["event"],
        entity=said["entity"],
        element_id=said["elementId"],
        labels=frozenset(said.get("labels", ())),
        old_labels=None if old_labels is None else frozenset(old_labels),
        type=said.get("type"),
        start=said.get("startElementId"),
        end=said.get("endElementId"),
        old=_side(said["old"]),
        new=_side(said["new"]),
    )


def _side(values: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if values is None else {key: decode(value) for key, value in values.items()}
