"""What nodes are asked and told, over their HTTP door."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

import aiohttp

from everwhen_operator import names
from everwhen_operator.model.facts import MemberFact, NodeFact

_STATUS_SECONDS: Final = 1.0
#: a promotion waits for its learner, a transfer for its election
_CALL_SECONDS: Final = 15.0
_DIAGNOSE_SECONDS: Final = 5.0
_SECRET_HEADER: Final = "X-Everwhen-Secret"  # noqa: S105 - a name
_EPOCH_REFUSED: Final = 412


class NodeFailed(Exception):
    """A node refused, or did not answer (``status`` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def stale(self) -> bool:
        """What was relied on is not so any more, or another operator has taken over."""
        return self.status == _EPOCH_REFUSED


class Nodes(Protocol):
    """Every node of every cluster; tests have their own."""

    async def status(self, address: str, secret: str) -> Mapping[str, Any]:
        """``GET /v1/status``.

        :raises NodeFailed: it does not answer in time.
        """

    async def diagnose(self, address: str, secret: str) -> Mapping[str, Any]:
        """``GET /v1/diagnose``.

        :raises NodeFailed: it does not answer in time.
        """

    async def call(
        self, address: str, method: str, path: str, body: Mapping[str, Any], secret: str
    ) -> Mapping[str, Any]:
        """A request that changes something.

        :raises NodeFailed: it was refused, or nobody knows whether it was done.
        """


class HttpNodes:
    """Over the network."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def status(self, address: str, secret: str) -> Mapping[str, Any]:
        """See ``Nodes``."""
        headers = {_SECRET_HEADER: secret}
        url = f"{_url(address)}/v1/status"
        return await self._send("GET", url, None, headers, _STATUS_SECONDS)

    async def diagnose(self, address: str, secret: str) -> Mapping[str, Any]:
        """See ``Nodes``."""
        headers = {_SECRET_HEADER: secret}
        url = f"{_url(address)}/v1/diagnose"
        return await self._send("GET", url, None, headers, _DIAGNOSE_SECONDS)

    async def call(
        self, address: str, method: str, path: str, body: Mapping[str, Any], secret: str
    ) -> Mapping[str, Any]:
        """See ``Nodes``."""
        headers = {_SECRET_HEADER: secret}
        return await self._send(method, _url(address) + path, body, headers, _CALL_SECONDS)

    async def _send(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        seconds: float,
    ) -> Mapping[str, Any]:
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(method, url, json=body, headers=headers) as answer,
            ):
                raw = await answer.read()
                if answer.status >= 300:
                    raise NodeFailed(answer.status, _message(raw) or str(answer.reason))
                content = json.loads(raw)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NodeFailed(0, f"{type(error).__name__}: {error}") from error
        if not isinstance(content, dict):
            raise NodeFailed(0, f"{url} answered with no object")
        return content


def _url(address: str) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{names.PORT_HTTP}"


def _message(raw: bytes) -> str:
    """The message of an error in the node's shape."""
    try:
        return str(json.loads(raw)["errors"][0]["message"])
    except (ValueError, KeyError, IndexError, TypeError):
        return raw[:200].decode(errors="replace").strip()


def node_fact(ordinal: int, status: Mapping[str, Any]) -> NodeFact:
    """A status as a fact."""
    config = status.get("config") or {}
    leader = status.get("leader") or {}
    return NodeFact(
        ordinal=ordinal,
        cluster_id=status.get("clusterId") or "",
        node_id=int(status.get("nodeId") or 0),
        disk_id=status.get("diskId") or "",
        role=str(status.get("role") or "joining"),
        term=int(status.get("term") or 0),
        leader_id=int(leader.get("nodeId") or 0),
        last_index=int(status.get("lastIndex") or 0),
        last_term=int(status.get("lastTerm") or 0),
        commit_index=int(status.get("commitIndex") or 0),
        applied_index=int(status.get("appliedIndex") or 0),
        config_index=int(config.get("index") or 0),
        voters=tuple(config.get("voters") or ()),
        learners=(*(config.get("learners") or ()), *(config.get("learnersNext") or ())),
        outgoing=tuple(config.get("outgoing") or ()),
        members=tuple(_member(each) for each in status.get("members") or ()),
        operator_epoch=int(status.get("operatorEpoch") or 0),
        feature_level=int(status.get("featureLevel") or 0),
        feature_level_supported=int(
            status.get("featureLevelSupported") or status.get("featureLevel") or 0
        ),
        version=str(status.get("version") or ""),
        ready=bool(status.get("ready")),
        fenced=status.get("fenced"),
        oldest_readable=status.get("oldestReadableTime"),
        retention=_retention(status.get("retention")),
        settings_hash=status.get("settingsFileHash"),
        disk_used=int(status.get("diskUsed") or 0),
        disk_free=int(status.get("diskFree") or 0),
        writes_refused=status.get("writesRefused"),
        addresses=dict(status.get("addresses") or {}),
    )


def _retention(said: Mapping[str, Any] | None) -> float | None:
    """Seconds; infinity for ever; None: it does not say."""
    if said is None:
        return None
    keep = said["keepSeconds"]
    return math.inf if keep is None else float(keep)


def _member(each: Mapping[str, Any]) -> MemberFact:
    return MemberFact(
        node_id=int(each["nodeId"]),
        name=str(each.get("name") or ""),
        lag=each.get("lag"),
        healthy=each.get("healthy"),
        disk_id=each.get("diskId") or "",
        feature_level=int(each.get("featureLevel") or 0),
    )
