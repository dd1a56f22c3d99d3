"""Gathering facts: objects from the API server, a status from every pod, all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from everwhen_operator import names
from everwhen_operator.build.objects import Object, Owner
from everwhen_operator.build.settings import file_hash, settings_file
from everwhen_operator.build.stateful import image_of, revision_of
from everwhen_operator.decide.memory import with_memory
from everwhen_operator.desired import desired, drifted, left_over
from everwhen_operator.kube.api import Api
from everwhen_operator.kube.secrets import decoded
from everwhen_operator.model.facts import (
    ClaimFact,
    Facts,
    Memory,
    NodeFact,
    PodFact,
    SetFact,
)
from everwhen_operator.model.quantities import moment
from everwhen_operator.model.spec import ClusterSpec, SpecInvalid, parse_spec
from everwhen_operator.model.tasks import parse_task
from everwhen_operator.nodes import NodeFailed, Nodes, node_fact

_MONITORS: Final = "/apis/monitoring.coreos.com/v1"
_ASK_AGAIN_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Observation:
    """The facts, and what acting on them needs."""

    facts: Facts
    object: Object
    owner: Owner
    wanted: Mapping[str, Object]
    addresses: Mapping[int, str]
    secret: Object | None
    #: what members must know
    key: str
    monitors: bool = False
    troubles: Mapping[int, str] = field(default_factory=dict)
    #: GraphTask objects by name
    tasks: Mapping[str, Object] = field(default_factory=dict)


class Observer:
    """Observes any cluster."""

    def __init__(self, api: Api, nodes: Nodes, repository: str) -> None:
        self._api = api
        self._nodes = nodes
        self._repository = repository
        self._monitors = False
        self._asked = -_ASK_AGAIN_SECONDS

    async def observe(self, namespace: str, name: str, memory: Memory) -> Observation | None:
        """None: there is no such object.

        :raises ApiFailed: the API server does not answer.
        """
        made = await self._api.get(names.KIND, namespace, name)
        if made is None:
            return None
        owner = Owner(name, namespace, made["metadata"]["uid"])
        live, pods, claims, secret = await self._objects(owner)
        tasks = await self.tasks(namespace, name)
        facts = _from_object(made, name, namespace, memory)
        addresses = {
            ordinal: ip for ordinal, pod in pods.items() if (ip := pod["status"].get("podIP"))
        }
        kept = decoded(secret)
        key = kept.get(names.SECRET_CLUSTER, "")
        nodes, troubles = await self._ask(addresses, key)
        facts = replace(
            facts,
            latched_id=kept.get(names.SECRET_CLUSTER_ID, ""),
            seed_disk=kept.get(names.SECRET_SEED_DISK, ""),
            set=_set_fact(live.get(f"StatefulSet/{names.stateful_set(name)}")),
            pods={ordinal: _pod_fact(ordinal, pod) for ordinal, pod in pods.items()},
            claims={ordinal: _claim_fact(ordinal, claim) for ordinal, claim in claims.items()},
            nodes=nodes,
            tasks=tuple(map(parse_task, tasks)),
        )
        monitors = await self._has_monitors()
        wanted: dict[str, Object] = {}
        if facts.spec is not None:
            facts, wanted = _compare(
                facts, facts.spec, owner, live, secret, monitors, self._repository
            )
        return Observation(
            with_memory(facts),
            made,
            owner,
            wanted,
            addresses,
            secret,
            key,
            monitors,
            troubles,
            {task["metadata"]["name"]: task for task in tasks},
        )

    async def tasks(self, namespace: str, name: str) -> list[Object]:
        """The GraphTask objects of a cluster, the oldest first."""
        found = await self._api.list(names.TASK_KIND, namespace)
        own = [task for task in found if (task.get("spec") or {}).get("cluster") == name]
        return sorted(own, key=lambda task: _age_of(task["metadata"]))

    async def _objects(
        self, owner: Owner
    ) -> tuple[dict[str, Object], dict[int, Object], dict[int, Object], Object | None]:
        """What is there: children, pods, claims, the secret."""
        labels = names.selector(owner.name)
        kinds = ["Service", "ConfigMap", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy"]
        if await self._has_monitors():
            kinds.append("ServiceMonitor")
        listed = await asyncio.gather(
            *(self._api.list(kind, owner.namespace, labels) for kind in kinds),
            self._api.list("Pod", owner.namespace, labels),
            self._api.list("PersistentVolumeClaim", owner.namespace, labels),
        )
        secret = await self._api.get("Secret", owner.namespace, names.auth_secret(owner.name))
        live = {
            f"{kind}/{item['metadata']['name']}": item
            for kind, items in zip(kinds, listed, strict=False)
            for item in items
        }
        pods = _by_ordinal(listed[-2], f"{owner.name}-")
        claims = _by_ordinal(listed[-1], f"{names.CLAIM}-{owner.name}-")
        return live, pods, claims, secret

    async def _ask(
        self, addresses: Mapping[int, str], key: str
    ) -> tuple[dict[int, NodeFact], dict[int, str]]:
        """Every pod's node at once; one that does not answer fails alone."""

        async def ask(ordinal: int, address: str) -> NodeFact | str:
            started = time.monotonic()
            try:
                status = await self._nodes.status(address, key)
                fact = node_fact(ordinal, status)
            except NodeFailed as failed:
                return str(failed)
            except (KeyError, TypeError, ValueError) as error:
                return f"a status that is none: {error}"
            return replace(fact, age=time.monotonic() - started)

        answers = await asyncio.gather(*(ask(*each) for each in addresses.items()))
        found: dict[int, NodeFact] = {}
        troubles: dict[int, str] = {}
        for ordinal, answer in zip(addresses, answers, strict=True):
            if isinstance(answer, str):
                troubles[ordinal] = answer
            else:
                found[ordinal] = answer
        return found, troubles

    async def _has_monitors(self) -> bool:
        """Whether the API of the Prometheus operator is here; asked now and then."""
        now = time.monotonic()
        if now - self._asked >= _ASK_AGAIN_SECONDS:
            self._monitors = await self._api.has(_MONITORS)
            self._asked = now
        return self._monitors


def _compare(
    facts: Facts,
    spec: ClusterSpec,
    owner: Owner,
    live: Mapping[str, Object],
    secret: Object | None,
    monitors: bool,
    repository: str,
) -> tuple[Facts, dict[str, Object]]:
    """What there should be, and what of it is not so."""
    image = image_of(spec, repository)
    wanted = desired(facts, spec, owner, live, image=image, monitors=monitors)
    template = wanted[f"StatefulSet/{names.stateful_set(owner.name)}"]["spec"]["template"]
    missing = drifted(wanted, live)
    kept = decoded(secret)
    own_password = spec.admin_secret is None
    if not kept.get(names.SECRET_CLUSTER) or (own_password and not kept.get(names.SECRET_PASSWORD)):
        missing = (f"Secret/{names.auth_secret(owner.name)}", *missing)
    seen = replace(
        facts,
        revision=revision_of(template),
        settings_hash=file_hash(settings_file(spec)),
        drifted=missing,
        left_over=left_over(wanted, live, owner),
    )
    return seen, wanted


def _from_object(made: Object, name: str, namespace: str, memory: Memory) -> Facts:
    metadata = made["metadata"]
    spec, problem = None, ""
    try:
        spec = parse_spec(made.get("spec"))
    except SpecInvalid as error:
        problem = str(error)
    return Facts(
        name=name,
        namespace=namespace,
        uid=metadata["uid"],
        generation=int(metadata.get("generation", 0)),
        now=time.time(),
        spec=spec,
        problem=problem,
        deleting=metadata.get("deletionTimestamp") is not None,
        annotations=dict(metadata.get("annotations") or {}),
        memory=memory,
    )


def _age_of(metadata: Mapping[str, Any]) -> tuple[str, str]:
    return (metadata.get("creationTimestamp") or "", metadata["name"])


def _by_ordinal(items: list[Object], prefix: str) -> dict[int, Object]:
    found = {}
    for item in items:
        number = item["metadata"]["name"].removeprefix(prefix)
        if number.isdecimal():
            found[int(number)] = item
    return dict(sorted(found.items()))


def _set_fact(live: Object | None) -> SetFact | None:
    if live is None:
        return None
    claim = live["spec"]["volumeClaimTemplates"][0]
    return SetFact(
        uid=live["metadata"]["uid"],
        resource_version=live["metadata"]["resourceVersion"],
        replicas=int(live["spec"].get("replicas", 1)),
        claim_size=claim["spec"]["resources"]["requests"]["storage"],
        deleting=live["metadata"].get("deletionTimestamp") is not None,
    )


def _pod_fact(ordinal: int, pod: Object) -> PodFact:
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels = metadata.get("labels") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    ready = conditions.get("Ready", {})
    return PodFact(
        name=metadata["name"],
        ordinal=ordinal,
        uid=metadata["uid"],
        phase=status.get("phase", "Pending"),
        ready=ready.get("status") == "True",
        ready_since=moment(ready.get("lastTransitionTime")),
        created=moment(metadata.get("creationTimestamp")),
        deleting=metadata.get("deletionTimestamp") is not None,
        revision=labels.get(names.LABEL_REVISION, ""),
        role=labels.get(names.LABEL_ROLE, ""),
        host=(pod.get("spec") or {}).get("nodeName", ""),
        trouble=_trouble(status, conditions),
    )


def _trouble(status: Mapping[str, Any], conditions: Mapping[str, Any]) -> str:
    """Why a pod does not run, in the words of who knows."""
    for each in status.get("containerStatuses") or []:
        waiting = (each.get("state") or {}).get("waiting")
        if waiting:
            reason = f"{waiting.get('reason', '')} {waiting.get('message', '')}".strip()
            return reason[:300]
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return str(scheduled.get("message", "not scheduled"))[:300]
    return ""


def _claim_fact(ordinal: int, claim: Object) -> ClaimFact:
    metadata = claim["metadata"]
    labels = metadata.get("labels") or {}
    node_id = labels.get(names.LABEL_NODE_ID, "")
    return ClaimFact(
        name=metadata["name"],
        ordinal=ordinal,
        uid=metadata["uid"],
        requested=claim["spec"]["resources"]["requests"]["storage"],
        cluster_id=labels.get(names.LABEL_CLUSTER_ID, ""),
        node_id=int(node_id) if node_id.isdecimal() else 0,
        dead=names.LABEL_DEAD_NODE_ID in labels,
        deleting=metadata.get("deletionTimestamp") is not None,
        created=moment(metadata.get("creationTimestamp")),
    )
