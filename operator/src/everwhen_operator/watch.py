"""kopf watches; its handlers put a key into the queue and do nothing else, so that nothing is
kept in annotations, nothing needs a finalizer and nothing is lost with the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import kopf

from everwhen_operator import names
from everwhen_operator.kube.api import KINDS
from everwhen_operator.kube.credentials import Access

Wake = Callable[[tuple[str, str]], None]

#: objects that tell by a label whose they are
_CHILDREN = ("StatefulSet", "Pod", "PersistentVolumeClaim", "Service", "ConfigMap")


async def watch(wake: Wake, access: Access, identity: str, namespaces: Sequence[str]) -> None:
    """Until cancelled."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = bool(namespaces)
    settings.watching.client_timeout = 300
    settings.networking.request_timeout = 10
    await kopf.operator(
        registry=_registry(wake, access),
        settings=settings,
        identity=cast("Any", identity),  # or it looks for the name of a user that a pod has not
        standalone=True,
        clusterwide=not namespaces,
        namespaces=list(namespaces),
    )


def _registry(wake: Wake, access: Access) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=access.url, aiohttp_session=access.session())

    async def cluster_changed(namespace: str | None, name: str | None, **_: Any) -> None:
        if namespace and name:
            wake((namespace, name))

    async def task_changed(namespace: str | None, spec: kopf.Spec, **_: Any) -> None:
        name = spec.get("cluster")
        if namespace and isinstance(name, str):
            wake((namespace, name))

    async def child_changed(namespace: str | None, labels: kopf.Labels, **_: Any) -> None:
        name = labels.get(names.LABEL_INSTANCE)
        if namespace and name:
            wake((namespace, name))

    kopf.on.login(registry=registry)(login)
    kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)(cluster_changed)
    kopf.on.event(names.GROUP, names.VERSION, names.TASK_PLURAL, registry=registry)(task_changed)
    for kind in _CHILDREN:
        base, plural = KINDS[kind]
        group = base.removeprefix("/apis/").split("/")[0] if base != "/api/v1" else ""
        kopf.on.event(group, "v1", plural, labels={names.LABEL_NAME: names.APP}, registry=registry)(
            child_changed
        )
    return registry
