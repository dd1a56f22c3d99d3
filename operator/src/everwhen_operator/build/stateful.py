"""The StatefulSet: a factory of pods and nothing more. Its template may change at any time, since
pods are replaced by deleting them (OnDelete)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from everwhen_operator import names
from everwhen_operator.build.objects import Object, Owner, digest, external_host
from everwhen_operator.build.settings import settings_toml
from everwhen_operator.model.spec import ClusterSpec

USER: Final = 10001
#: transfer of leadership and the last flush take far less
GRACE_SECONDS: Final = 60
_TOPOLOGY: Final = {
    "zone": "topology.kubernetes.io/zone",
    "host": "kubernetes.io/hostname",
}
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
#: the highest there is
_SPREAD_WEIGHT: Final = 100
_RESOURCES: Final = {
    "requests": {"cpu": "250m", "memory": "1Gi"},
    "limits": {"memory": "2Gi"},
}


def image_of(spec: ClusterSpec, repository: str) -> str:
    """What the pods run."""
    return spec.image or f"{repository}:{spec.version}"


def merged(base: Any, overlay: Any) -> Any:
    """``overlay`` over ``base``: objects by key, lists of named things by name, the rest replaced.
    None takes a key away."""
    if isinstance(base, Mapping) and isinstance(overlay, Mapping):
        result = dict(base)
        for key, value in overlay.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merged(base[key], value) if key in base else value
        return result
    if isinstance(base, list) and isinstance(overlay, list) and _named(base) and _named(overlay):
        by_name = {item["name"]: item for item in base}
        for item in overlay:
            name = item["name"]
            by_name[name] = merged(by_name[name], item) if name in by_name else item
        return list(by_name.values())
    return overlay


def _named(items: list[Any]) -> bool:
    return all(isinstance(item, Mapping) and "name" in item for item in items)


def _probes() -> Object:
    def probe(path: str, **bounds: int) -> Object:
        return {"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, **bounds}

    return {
        # replaying a long log takes its time
        "startupProbe": probe("/livez", periodSeconds=2, timeoutSeconds=2, failureThreshold=1_800),
        # never about quorum: a minority must not be killed again and again
        "livenessProbe": probe("/livez", periodSeconds=10, timeoutSeconds=5, failureThreshold=6),
        "readinessProbe": probe("/readyz", periodSeconds=2, timeoutSeconds=2, failureThreshold=2),
    }


def _environment(owner: Owner, spec: ClusterSpec) -> list[Object]:
    host = (
        f"$(POD_NAME).{names.peer_service(owner.name)}.{owner.namespace}.svc.{spec.cluster_domain}"
    )
    advertised = {"HTTP": names.PORT_HTTP, "BOLT": names.PORT_BOLT, "CLUSTER": names.PORT_PEER}
    return [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "EVERWHEN_NODE_NAME", "value": "$(POD_NAME)"},
        {"name": "EVERWHEN_NODE_DATA_DIR", "value": names.DATA_DIR},
        # also for `everwhen admin` in the pod
        {
            "name": "EVERWHEN_CLUSTER_SECRET_FILE",
            "value": f"{names.SECRETS_DIR}/{names.SECRET_CLUSTER}",
        },
        *(
            {"name": f"EVERWHEN_{door}_ADVERTISED", "value": f"{host}:{port}"}
            for door, port in advertised.items()
        ),
        *_external(spec),
    ]


def _external(spec: ClusterSpec) -> list[Object]:
    """Where clients outside find this pod."""
    if spec.external is None:
        return []
    at = f"{external_host('$(POD_NAME)', spec.external)}:{spec.external.port}"
    return [{"name": "EVERWHEN_BOLT_EXTERNAL", "value": at}]


def _container(owner: Owner, spec: ClusterSpec, image: str) -> Object:
    return {
        "name": names.CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["serve", "--config", f"{names.CONFIG_DIR}/everwhen.toml"],
        "env": _environment(owner, spec),
        "ports": [
            {"name": "http", "containerPort": names.PORT_HTTP, "protocol": "TCP"},
            {"name": "bolt", "containerPort": names.PORT_BOLT, "protocol": "TCP"},
            {"name": "peer", "containerPort": names.PORT_PEER, "protocol": "TCP"},
        ],
        **_probes(),
        "resources": dict(spec.resources) or dict(_RESOURCES),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": names.CLAIM, "mountPath": names.DATA_MOUNT},
            {"name": "config", "mountPath": names.CONFIG_DIR, "readOnly": True},
            {"name": "secrets", "mountPath": names.SECRETS_DIR, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
        ],
    }


def _volumes(owner: Owner, spec: ClusterSpec) -> list[Object]:
    def secret(name: str, key: str) -> Object:
        return {"secret": {"name": name, "items": [{"key": key, "path": key}]}}

    own = names.auth_secret(owner.name)
    return [
        {"name": "config", "configMap": {"name": names.config_map(owner.name)}},
        {
            "name": "secrets",
            "projected": {
                "defaultMode": 0o440,
                "sources": [
                    secret(spec.admin_secret or own, names.SECRET_PASSWORD),
                    secret(own, names.SECRET_CLUSTER),
                ],
            },
        },
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
    ]


def _scheduling(owner: Owner, spec: ClusterSpec) -> Object:
    wanted = spec.scheduling
    apart = [
        {
            "weight": _SPREAD_WEIGHT,
            "podAffinityTerm": {
                "topologyKey": _TOPOLOGY.get(key, key),
                "labelSelector": {"matchLabels": names.selector(owner.name)},
            },
        }
        for key in wanted.get("spread", ["zone", "host"])
    ]
    found: Object = {"affinity": _with_preferred(wanted.get("affinity") or {}, apart)}
    for key in ("tolerations", "priorityClassName", "nodeSelector"):
        if wanted.get(key):
            found[key] = wanted[key]
    return found


def _with_preferred(affinity: Object, apart: list[Object]) -> Object:
    """The affinity asked for, and the wish to stand apart.

    Not topologySpreadConstraints: with several, the scheduler leaves nodes that lack one of the
    labels out of all of them, so where no node has a zone, members would share machines.
    """
    anti = affinity.get("podAntiAffinity") or {}
    terms = anti.get(_PREFERRED) or [] if isinstance(anti, dict) else None
    if not isinstance(terms, list):
        return affinity  # the API server says what is wrong with it
    return {**affinity, "podAntiAffinity": {**anti, _PREFERRED: [*terms, *apart]}}


def pod_template(
    owner: Owner, spec: ClusterSpec, image: str, restarted_at: str | None = None
) -> Object:
    """The template with its own hash as a label: pods that carry another are not up to date."""
    annotations = {"everwhen.io/config": digest(settings_toml(spec.restart))}
    if restarted_at:
        annotations[names.ANNOTATION_RESTARTED_AT] = restarted_at
    made: Object = {
        "metadata": {"labels": names.selector(owner.name), "annotations": annotations},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(owner, spec, image)],
            "volumes": _volumes(owner, spec),
            **_scheduling(owner, spec),
        },
    }
    if spec.pod_template:
        overlay = dict(spec.pod_template)
        made = merged(overlay_last(made, overlay), _owned(made))
    labels = {**made["metadata"]["labels"], names.LABEL_REVISION: digest(made)}
    return {**made, "metadata": {**made["metadata"], "labels": labels}}


def overlay_last(made: Object, overlay: Mapping[str, Any]) -> Object:
    """The overlay over what was made."""
    result = merged(made, {key: overlay[key] for key in ("metadata", "spec") if key in overlay})
    assert isinstance(result, dict)
    return result


def _owned(made: Object) -> Object:
    """What an overlay cannot change: who the pod is and where it keeps its data."""
    container = made["spec"]["containers"][0]
    kept = {key: container[key] for key in ("name", "args", "ports", "volumeMounts", "env")}
    return {
        "metadata": {"labels": made["metadata"]["labels"]},
        "spec": {"containers": [kept], "volumes": made["spec"]["volumes"]},
    }


def revision_of(template: Mapping[str, Any]) -> str:
    """The hash in a template."""
    return str(template["metadata"]["labels"][names.LABEL_REVISION])


def stateful_set(
    owner: Owner,
    spec: ClusterSpec,
    template: Object,
    replicas: int,
    claim: Object | None = None,
) -> Object:
    """``replicas``: as many as there are; only actions of their own change that. ``claim``: the
    template of claims that is there, which cannot change."""
    made: Object = {
        "metadata": {"name": names.CLAIM, "labels": names.selector(owner.name)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": spec.storage.size}},
        },
    }
    if spec.storage.class_name is not None:
        made["spec"]["storageClassName"] = spec.storage.class_name
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": owner.metadata(names.stateful_set(owner.name)),
        "spec": {
            "replicas": replicas,
            "serviceName": names.peer_service(owner.name),
            # one after another could not start again after all of them stopped
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "persistentVolumeClaimRetentionPolicy": {
                "whenScaled": spec.storage.when_scaled,
                "whenDeleted": spec.storage.when_deleted,
            },
            "selector": {"matchLabels": names.selector(owner.name)},
            "template": template,
            "volumeClaimTemplates": [claim or made],
        },
    }
