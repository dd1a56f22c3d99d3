"""Requests to the API server: read, server-side apply, patch and delete with preconditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

import aiohttp

from everwhen_operator import names
from everwhen_operator.kube.credentials import Access

Object = dict[str, Any]
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=3)

#: kind -> where it is, and its name in addresses
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "Event": ("/api/v1", "events"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "Pod": ("/api/v1", "pods"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "ServiceMonitor": ("/apis/monitoring.coreos.com/v1", "servicemonitors"),
    names.KIND: (f"/apis/{names.API_VERSION}", names.PLURAL),
    names.TASK_KIND: (f"/apis/{names.API_VERSION}", names.TASK_PLURAL),
}


class ApiFailed(Exception):
    """The API server refused, or did not answer (``status`` 0)."""

    def __init__(self, status: int, reason: str, message: str, after: float = 0.0) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else message)
        self.status = status
        self.reason = reason
        #: seconds the server asked to wait
        self.after = after

    @property
    def missing(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """What was relied on is not so any more."""
        return self.status in (409, 410)


class Transport(Protocol):
    """One exchange; tests have their own."""

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: bytes | None,
        content_type: str,
    ) -> Object:
        """The answer's object.

        :raises ApiFailed: anything but success.
        """


class HttpTransport:
    """Over the network."""

    def __init__(self, session: aiohttp.ClientSession, access: Access) -> None:
        self._session = session
        self._access = access

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: bytes | None,
        content_type: str,
    ) -> Object:
        """See ``Transport``."""
        headers = {**self._access.headers(), "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            async with self._session.request(
                method,
                self._access.url + path,
                params=query,
                data=body,
                headers=headers,
                ssl=self._access.tls or True,
                timeout=_TIMEOUT,
            ) as answer:
                raw = await answer.read()
                content = _json(raw)
                if answer.status < 300:
                    return content
                after = answer.headers.get("Retry-After", "")
                raise ApiFailed(
                    answer.status,
                    str(content.get("reason") or answer.reason),
                    str(content.get("message") or raw[:200].decode(errors="replace")),
                    float(after) if after.isdecimal() else 0.0,
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiFailed(0, "Unreachable", f"{type(error).__name__}: {error}") from error


def _json(raw: bytes) -> Object:
    try:
        content = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


class Api:
    """The verbs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        try:
            return await self._send("GET", _path(kind, namespace, name))
        except ApiFailed as failed:
            if failed.missing:
                return None
            raise

    async def list(
        self, kind: str, namespace: str | None, selector: Mapping[str, str] | None = None
    ) -> list[Object]:
        """All of a kind with these labels."""
        query = {}
        if selector:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in selector.items())
        found = await self._send("GET", _path(kind, namespace), query=query)
        # items of a list do not say what they are
        kind_of = {"apiVersion": found.get("apiVersion"), "kind": kind}
        return [{**kind_of, **item} for item in found.get("items") or [] if isinstance(item, dict)]

    async def apply(self, made: Object, *, subresource: str = "") -> Object:
        """Server-side apply; fields of ours are taken from whoever changed them."""
        metadata = made["metadata"]
        return await self._send(
            "PATCH",
            _path(made["kind"], metadata["namespace"], metadata["name"], subresource),
            query={"fieldManager": names.FIELD_MANAGER, "force": "true"},
            body=made,
            content_type="application/apply-patch+yaml",
        )

    async def create(self, made: Object) -> Object:
        """A new object."""
        return await self._send(
            "POST",
            _path(made["kind"], made["metadata"]["namespace"]),
            query={"fieldManager": names.FIELD_MANAGER},
            body=made,
        )

    async def replace(self, made: Object) -> Object:
        """The whole object; its resourceVersion is the precondition."""
        metadata = made["metadata"]
        return await self._send(
            "PUT",
            _path(made["kind"], metadata["namespace"], metadata["name"]),
            query={"fieldManager": names.FIELD_MANAGER},
            body=made,
        )

    async def patch(
        self, kind: str, namespace: str, name: str, change: Object, *, subresource: str = ""
    ) -> Object:
        """Merge; ``uid`` and ``resourceVersion`` in its metadata are preconditions."""
        return await self._send(
            "PATCH",
            _path(kind, namespace, name, subresource),
            query={"fieldManager": names.FIELD_MANAGER},
            body=change,
            content_type="application/merge-patch+json",
        )

    async def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str,
        orphan: bool = False,
        force: bool = False,
    ) -> None:
        """This very object, if it is still there."""
        options: Object = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
        }
        if orphan:
            options["propagationPolicy"] = "Orphan"
        if force:
            options["gracePeriodSeconds"] = 0
        try:
            await self._send("DELETE", _path(kind, namespace, name), body=options)
        except ApiFailed as failed:
            if not failed.missing:
                raise

    async def has(self, group: str) -> bool:
        """Whether the API server knows a group and version."""
        try:
            await self._send("GET", group)
        except ApiFailed as failed:
            if failed.missing:
                return False
            raise
        return True

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        raw = None if body is None else json.dumps(body).encode()
        return await self._transport.send(
            method, path, query=query or {}, body=raw, content_type=content_type
        )


def _path(kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
    base, plural = KINDS[kind]
    parts = [base]
    if namespace is not None:
        parts += ["namespaces", namespace]
    parts.append(plural)
    parts += [part for part in (name, subresource) if part]
    return "/".join(parts)
