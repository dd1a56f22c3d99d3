"""Every object of a cluster but its StatefulSet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from everwhen_operator import names
from everwhen_operator.build.settings import settings_file
from everwhen_operator.model.spec import ClusterSpec, External

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom the objects belong to."""

    name: str
    namespace: str
    uid: str

    def metadata(self, name: str, **more: Any) -> Object:
        """``metadata`` of an object that goes when its owner goes."""
        return {
            "name": name,
            "namespace": self.namespace,
            "labels": {
                **names.selector(self.name),
                names.LABEL_MANAGED_BY: names.FIELD_MANAGER,
            },
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "name": self.name,
                    "uid": self.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
            **more,
        }


def digest(value: object) -> str:
    """Short and stable, for labels and annotations."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamped(made: Object) -> Object:
    """The object with the hash of itself, by which a change of the wish is seen."""
    found = digest(made)
    annotations = {**made["metadata"].get("annotations", {}), names.ANNOTATION_APPLIED: found}
    return {**made, "metadata": {**made["metadata"], "annotations": annotations}}


_PORTS: Final = (
    {"name": "bolt", "port": names.PORT_BOLT, "targetPort": "bolt", "protocol": "TCP"},
    {"name": "http", "port": names.PORT_HTTP, "targetPort": "http", "protocol": "TCP"},
)
_PEER: Final = {"name": "peer", "port": names.PORT_PEER, "targetPort": "peer", "protocol": "TCP"}


def services(owner: Owner) -> list[Object]:
    """For pods among themselves, for clients, and for whoever wants the leader."""
    selector = names.selector(owner.name)

    return [
        # a majority must form before anybody is ready
        _service(
            owner,
            names.peer_service(owner.name),
            "peers",
            clusterIP="None",
            publishNotReadyAddresses=True,
            selector=selector,
            ports=[*_PORTS, _PEER],
        ),
        _service(
            owner,
            names.client_service(owner.name),
            "clients",
            type="ClusterIP",
            selector=selector,
            ports=list(_PORTS),
        ),
        _service(
            owner,
            names.leader_service(owner.name),
            "leader",
            type="ClusterIP",
            selector={**selector, names.LABEL_ROLE: "leader"},
            ports=list(_PORTS),
        ),
    ]


def external_services(owner: Owner, external: External, pods: int) -> list[Object]:
    """One for each pod, named as its node tells clients outside: whoever keeps the DNS (external-dns
    reads the annotation) sends that name there."""
    return [
        _service(
            owner,
            names.external_service(owner.name, ordinal),
            "external",
            annotations={
                "external-dns.alpha.kubernetes.io/hostname": external_host(
                    names.pod(owner.name, ordinal), external
                ),
                **external.annotations,
            },
            type=external.kind,
            selector={
                **names.selector(owner.name),
                names.LABEL_POD: names.pod(owner.name, ordinal),
            },
            ports=[{**_PORTS[0], "port": external.port}],
        )
        for ordinal in range(pods)
    ]


def external_host(pod: str, external: External) -> str:
    """The name by which clients outside reach a pod."""
    return f"{pod}.{external.domain}"


def _service(
    owner: Owner, name: str, component: str, annotations: Object | None = None, **spec: Any
) -> Object:
    metadata = owner.metadata(name, **({"annotations": annotations} if annotations else {}))
    metadata["labels"][names.LABEL_COMPONENT] = component
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def config_map(owner: Owner, spec: ClusterSpec) -> Object:
    """The settings file."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owner.metadata(names.config_map(owner.name)),
        "data": {"everwhen.toml": settings_file(spec)},
    }


def disruption_budget(owner: Owner, voters: int) -> Object:
    """As many pods may be away at a time as voters may; a cluster of one has nothing to keep."""
    away = max((voters - 1) // 2, 1 if voters <= 1 else 0)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": owner.metadata(owner.name),
        "spec": {
            "maxUnavailable": away,
            "selector": {"matchLabels": names.selector(owner.name)},
        },
    }


def network_policy(owner: Owner, spec: ClusterSpec) -> Object:
    """Members speak to members; clients and the operator come in by the doors."""
    clients = spec.network.get("clientFrom") or []
    doors = [{"port": "bolt", "protocol": "TCP"}, {"port": "http", "protocol": "TCP"}]
    pods = {"podSelector": {"matchLabels": names.selector(owner.name)}}
    operator = {
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {names.LABEL_NAME: names.FIELD_MANAGER}},
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": owner.metadata(owner.name),
        "spec": {
            "podSelector": {"matchLabels": names.selector(owner.name)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [pods], "ports": [{"port": "peer", "protocol": "TCP"}, *doors]},
                {"from": [operator], "ports": doors},
                {"ports": doors, **({"from": list(clients)} if clients else {})},
            ],
        },
    }


def service_monitor(owner: Owner) -> Object:
    """For the Prometheus operator, where it is. By the one Service that has every pod, also one that
    is not ready, and no pod twice."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": owner.metadata(owner.name),
        "spec": {
            "jobLabel": names.LABEL_INSTANCE,
            "selector": {
                "matchLabels": {**names.selector(owner.name), names.LABEL_COMPONENT: "peers"}
            },
            "endpoints": [{"port": "http", "path": "/metrics", "interval": "15s"}],
        },
    }


def network_policy_wanted(spec: ClusterSpec) -> bool:
    """Unless it is turned off."""
    return spec.network.get("policy", True) is not False


def monitor_wanted(spec: ClusterSpec) -> bool:
    """Unless it is turned off."""
    return spec.monitoring.get("serviceMonitor", "auto") not in (False, "off", "Off", "false")


def reference(made: Mapping[str, Any]) -> str:
    """``Kind/name``."""
    return f"{made['kind']}/{made['metadata']['name']}"
