"""Names that the operator, its CRDs, charts and tests share."""

from __future__ import annotations

from typing import Final

GROUP: Final = "everwhen.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "GraphCluster"
PLURAL: Final = "graphclusters"
TASK_KIND: Final = "GraphTask"
TASK_PLURAL: Final = "graphtasks"

#: who owns the fields that the operator applies
FIELD_MANAGER: Final = "everwhen-operator"
#: the component that Events name
REPORTER: Final = "everwhen-operator"
#: the Lease by which one of several operators works
LEASE: Final = "everwhen-operator"

LABEL_NAME: Final = "app.kubernetes.io/name"
LABEL_INSTANCE: Final = "app.kubernetes.io/instance"
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
#: on Services: what for
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
#: of Kubernetes: the one pod
LABEL_POD: Final = "statefulset.kubernetes.io/pod-name"
APP: Final = "everwhen"

#: leader, voter, learner, joining or fenced; on pods
LABEL_ROLE: Final = f"{GROUP}/role"
#: hash of what a pod was made from; on pods
LABEL_REVISION: Final = f"{GROUP}/revision"
#: on claims: the cluster whose data is on it, and the member that wrote it
LABEL_CLUSTER_ID: Final = f"{GROUP}/cluster-id"
LABEL_NODE_ID: Final = f"{GROUP}/node-id"
#: on claims: the member that wrote it was removed, so it is emptied before the ordinal returns
LABEL_DEAD_NODE_ID: Final = f"{GROUP}/dead-node-id"

#: on a GraphCluster: a new value restarts every pod, one by one
ANNOTATION_RESTARTED_AT: Final = f"{GROUP}/restartedAt"
#: on a GraphCluster: the id of an earlier cluster of the name whose retained claims it may take over
ANNOTATION_ADOPT: Final = f"{GROUP}/adopt"
#: on applied objects: hash of what was applied
ANNOTATION_APPLIED: Final = f"{GROUP}/applied"
#: on a GraphCluster: a JSON list of pods that shall answer nobody
ANNOTATION_FENCE: Final = f"{GROUP}/fence"

CONTAINER: Final = "everwhen"
CLAIM: Final = "data"
#: where the volume is, and the folder in it that the node owns
DATA_MOUNT: Final = "/data"
DATA_DIR: Final = "/data/db"
SECRETS_DIR: Final = "/etc/everwhen/secrets"
CONFIG_DIR: Final = "/etc/everwhen/config"
SECRET_PASSWORD: Final = "password"  # noqa: S105 - the name of a key
SECRET_CLUSTER: Final = "cluster-secret"  # noqa: S105 - the name of a key
#: beside them, what must never be forgotten: whose cluster it is and which disk founded it
SECRET_CLUSTER_ID: Final = "cluster-id"  # noqa: S105 - the name of a key
SECRET_SEED_DISK: Final = "seed-disk"  # noqa: S105 - the name of a key

PORT_HTTP: Final = 7474
PORT_BOLT: Final = 7687
PORT_PEER: Final = 7400


def stateful_set(cluster: str) -> str:
    """The pod factory."""
    return cluster


def peer_service(cluster: str) -> str:
    """Headless; pods find each other by it before they are ready."""
    return f"{cluster}-peers"


def client_service(cluster: str) -> str:
    """Every pod that is ready."""
    return cluster


def leader_service(cluster: str) -> str:
    """The pod that leads, as labels say: a convenience."""
    return f"{cluster}-leader"


def external_service(cluster: str, ordinal: int) -> str:
    """One pod, for clients outside."""
    return f"{cluster}-external-{ordinal}"


def auth_secret(cluster: str) -> str:
    """The first user's password and what members must know."""
    return f"{cluster}-auth"


def config_map(cluster: str) -> str:
    """The settings file of the pods."""
    return f"{cluster}-config"


def pod(cluster: str, ordinal: int) -> str:
    """A pod of the StatefulSet."""
    return f"{cluster}-{ordinal}"


def claim(cluster: str, ordinal: int) -> str:
    """The claim of a pod of the StatefulSet."""
    return f"{CLAIM}-{cluster}-{ordinal}"


def host(cluster: str, namespace: str, ordinal: int, domain: str = "cluster.local") -> str:
    """The name in DNS that a pod keeps."""
    return f"{pod(cluster, ordinal)}.{peer_service(cluster)}.{namespace}.svc.{domain}"


def selector(cluster: str) -> dict[str, str]:
    """Labels by which the objects of a cluster are found."""
    return {LABEL_NAME: APP, LABEL_INSTANCE: cluster}
