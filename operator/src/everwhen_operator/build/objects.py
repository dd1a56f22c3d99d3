"""Every object of a cluster but its StatefulSet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from everwhen_operator import names
from everwhen_operator.build.settings import settings_file
from everwhen_operator.model.spec import ClusterSpec

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

    def service(name: str, **spec: Any) -> Object:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": owner.metadata(name),
            "spec": {"selector": selector, **spec},
        }

    return [
        # a majority must form before anybody is ready
        service(
            names.peer_service(owner.name),
            clusterIP="None",
            publishNotReadyAddresses=True,
            ports=[*_PORTS, _PEER],
        ),
        service(names.client_service(owner.name), type="ClusterIP", ports=list(_PORTS)),
        service(
            names.leader_service(owner.name),
            type="ClusterIP",
            selector={**selector, names.LABEL_ROLE: "leader"},
            ports=list(_PORTS),
        ),
    ]


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
    """For the Prometheus operator, where it is."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": owner.metadata(owner.name),
        "spec": {
            "selector": {"matchLabels": names.selector(owner.name)},
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
