"""One of several operators works: whoever holds the Lease. Its transitions are the epoch that
nodes are told, so one that lost it without noticing changes nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from everwhen_operator import names
from everwhen_operator.kube.api import Api, ApiFailed, Object
from everwhen_operator.logs import log

DURATION: Final = 15
RENEW_DEADLINE: Final = 10.0
RETRY: Final = 2.0


class LeaseLost(Exception):
    """Another may hold it by now: nothing more may be done."""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(slots=True)
class Lease:
    """Of this process; ``identity`` is new with every start, so every start is a transition."""

    api: Api
    namespace: str
    host: str
    name: str = names.LEASE
    clock: Callable[[], float] = time.monotonic
    epoch: int = 0
    identity: str = field(init=False)
    _held: Object | None = None
    _renewed: float = 0.0
    #: what another holder last wrote, and when that was first seen here
    _seen: tuple[str, float] = ("", 0.0)

    def __post_init__(self) -> None:
        self.identity = f"{self.host}_{uuid4().hex[:8]}"

    @property
    def held(self) -> bool:
        """Surely: nobody else takes it over before it runs out."""
        return self._held is not None and self.clock() - self._renewed < RENEW_DEADLINE

    def need(self) -> int:
        """The epoch.

        :raises LeaseLost: it may have run out.
        """
        if not self.held:
            raise LeaseLost(f"the lease {self.name} was not renewed in time")
        return self.epoch

    async def acquire(self) -> None:
        """Wait until it is ours."""
        while not await self._try():  # noqa: ASYNC110 - the lease tells nobody
            await asyncio.sleep(RETRY)

    async def _try(self) -> bool:
        try:
            return await self._take()
        except ApiFailed as failed:
            log("lease", "not_acquired", level=logging.WARNING, reason=str(failed))
            return False

    async def _take(self) -> bool:
        started = self.clock()
        found = await self.api.get("Lease", self.namespace, self.name)
        if found is None:
            made = self._object({}, 1)
            self._hold(await self.api.create(made), started)
            return True
        spec = found.get("spec") or {}
        renewed = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
        if self._seen[0] != renewed:
            # by our own clock: clocks of machines differ
            self._seen = (renewed, started)
        lasts = float(spec.get("leaseDurationSeconds") or DURATION)
        if spec.get("holderIdentity") and started - self._seen[1] < lasts:
            return False
        made = self._object(found["metadata"], int(spec.get("leaseTransitions") or 0) + 1)
        self._hold(await self.api.replace(made), started)
        return True

    def _object(self, metadata: Object, transitions: int, *, holder: str | None = None) -> Object:
        now = _now()
        kept = {key: metadata[key] for key in ("resourceVersion", "uid") if key in metadata}
        there = self._held["spec"] if self._held is not None else {}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": self.namespace, **kept},
            "spec": {
                "holderIdentity": self.identity if holder is None else holder,
                "leaseDurationSeconds": DURATION if holder is None else 1,
                "acquireTime": there.get("acquireTime", now),
                "renewTime": now,
                "leaseTransitions": transitions,
            },
        }

    def _hold(self, made: Object, started: float) -> None:
        self._held = made
        self._renewed = started
        self.epoch = int(made["spec"]["leaseTransitions"])

    async def _renew(self, transitions: int) -> None:
        assert self._held is not None
        started = self.clock()
        made = self._object(self._held["metadata"], transitions)
        self._hold(await self.api.replace(made), started)

    async def raise_to(self, epoch: int) -> None:
        """Nodes know a later epoch, from a Lease that was deleted since: go beyond it. Only a
        holder can.

        :raises ApiFailed: not written; nothing has changed.
        """
        if epoch >= self.epoch:
            await self._renew(epoch + 1)

    async def keep(self) -> None:
        """Renew until it is lost.

        :raises LeaseLost: another took it, or the API server was away too long.
        """
        while True:
            await asyncio.sleep(RETRY)
            try:
                await self._renew(self.epoch)
            except ApiFailed as failed:
                if failed.conflict:
                    await self._look_who()
                elif not self.held:
                    raise LeaseLost(str(failed)) from failed
                log("lease", "not_renewed", level=logging.WARNING, reason=str(failed))

    async def _look_who(self) -> None:
        """Somebody else wrote to it: ourselves before an answer was lost, or a new holder."""
        started = self.clock()
        try:
            found = await self.api.get("Lease", self.namespace, self.name)
        except ApiFailed:
            if not self.held:
                raise LeaseLost("another wrote to the lease") from None
            return
        if found is None or (found.get("spec") or {}).get("holderIdentity") != self.identity:
            raise LeaseLost("another holds the lease")
        self._hold(found, started)

    async def release(self) -> None:
        """On a planned end: the next need not wait."""
        if self._held is None:
            return
        made = self._object(self._held["metadata"], self.epoch, holder="")
        self._held = None
        try:
            await self.api.replace(made)
        except ApiFailed as failed:
            log("lease", "not_released", level=logging.WARNING, reason=str(failed))
