"""An operator, and clusters in namespaces of their own."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from e2e.harness.history import IMAGE, POD, History, LoadPod, node_of
from e2e.harness.kubectl import Failed, Object, until
from e2e.harness.rig import ROOT, Rig

OPERATORS: Final = "everwhen-system"
RELEASE: Final = "everwhen-operator"
TAG: Final = "e2e"
REPOSITORY: Final = "localhost/everwhen"


def bytes_of(quantity: str) -> int:
    """A size as Kubernetes writes it, in bytes."""
    for unit, factor in (("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40)):
        if quantity.endswith(unit):
            return int(float(quantity.removesuffix(unit)) * factor)
    return int(quantity)


class World:
    """A Kubernetes with our images and our operator."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.kube = rig.kube

    def install(self) -> None:
        """Images into the nodes, and the operator; `E2E_IMAGES=there`: those that are there."""
        if os.environ.get("E2E_IMAGES") == "there":
            self.install_operator()
            return
        self.rig.load("node/Dockerfile", f"{REPOSITORY}:{TAG}")
        self.rig.load("operator/Dockerfile", f"{REPOSITORY}-operator:{TAG}")
        self.rig.load("e2e/Dockerfile", IMAGE)
        self.install_operator()
        # the same tag may be another build
        self.kube("rollout", "restart", f"deploy/{RELEASE}", "-n", OPERATORS)
        self.kube("rollout", "status", f"deploy/{RELEASE}", "-n", OPERATORS, "--timeout=120s")

    def install_operator(self) -> None:
        """By its chart."""
        self.kube.tool(
            "helm", "upgrade", "--install", RELEASE, str(ROOT / "charts" / "everwhen-operator"),
            "--namespace", OPERATORS, "--create-namespace", "--wait", "--timeout", "120s",
            "--set", f"image.repository={REPOSITORY}-operator,image.tag={TAG}",
            "--set", f"nodeImageRepository={REPOSITORY}",
        )  # fmt: skip

    def uninstall(self) -> None:
        """The chart goes; what it keeps stays."""
        self.kube.tool("helm", "uninstall", RELEASE, "--namespace", OPERATORS, "--wait")

    def operator_pods(self) -> list[Object]:
        """All of them."""
        return self.kube.list("pod", OPERATORS, "app.kubernetes.io/name=everwhen-operator")

    def working_operator(self) -> str:
        """The pod that holds the lease."""
        lease = self.kube.get("lease", "everwhen-operator", OPERATORS)
        if lease is None:
            raise Failed("no operator holds the lease")
        return str(lease["spec"]["holderIdentity"].rpartition("_")[0])

    def scale_operator(self, replicas: int) -> None:
        """As a person would turn it off."""
        self.kube("scale", f"deploy/{RELEASE}", "-n", OPERATORS, f"--replicas={replicas}")
        if not replicas:
            until(lambda: not self.operator_pods(), 60, "the operators are gone")


class Graph:
    """One GraphCluster in its namespace, and the load on it."""

    def __init__(self, world: World, namespace: str, name: str = "graph") -> None:
        self.world = world
        self.kube = world.kube
        self.namespace = namespace
        self.name = name
        self.load = LoadPod(self.kube, namespace, name)
        self.watched = Watch(self)

    # --- the object ---

    def apply(self, **spec: Any) -> None:
        """Make or change it."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self.kube.apply(namespace)
        self.kube.apply(
            {
                "apiVersion": "everwhen.io/v1alpha1",
                "kind": "GraphCluster",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {
                    "version": TAG,
                    "storage": {"size": "1Gi"},
                    "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
                    **spec,
                },
            }
        )

    def patch(self, **spec: Any) -> None:
        """Change some of it."""
        change = json.dumps({"spec": spec})
        self.kube("patch", "gc", self.name, "-n", self.namespace, "--type=merge", "-p", change)

    @property
    def object(self) -> Object:
        """As it is now.

        :raises Failed: it is gone.
        """
        found = self.kube.get("gc", self.name, self.namespace)
        if found is None:
            raise Failed("the GraphCluster is gone")
        return found

    @property
    def status(self) -> dict[str, Any]:
        """Its status; empty before the first."""
        return dict(self.object.get("status") or {})

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition; empty if there is none."""
        return next((c for c in self.status.get("conditions", []) if c["type"] == kind), {})

    def until_ready(self, seconds: float = 90) -> float:
        """Until everything is as asked for; how long that took."""
        started = time.monotonic()
        until(self._is_ready, seconds, f"{self.namespace}/{self.name} is ready: {self._why}")
        return time.monotonic() - started

    def _is_ready(self) -> bool:
        found = self.object
        status = found.get("status") or {}
        conditions: dict[str, str] = {
            each["type"]: each["status"] for each in status.get("conditions", [])
        }
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and conditions.get("Ready") == "True"
        )

    @property
    def _why(self) -> Callable[[], str]:
        return lambda: str(self.condition("Ready"))

    def leader(self) -> str:
        """The pod that leads, by the operator's word."""
        return str(until(lambda: self.status.get("leader"), 60, "there is a leader"))

    def leads_by_its_own_word(self) -> str:
        """The pod that leads and says so: the operator's word may be of a moment ago."""

        def says_so() -> str | None:
            pod = self.leader()
            role = json.loads(self.admin(pod, "status"))["role"]
            return pod if role == "leader" else None

        return until(says_so, 60, "the leader says that it leads")

    def followers(self) -> list[str]:
        """The other pods."""
        leads = self.leader()
        return [pod["metadata"]["name"] for pod in self.pods() if pod["metadata"]["name"] != leads]

    def apart(self) -> tuple[str, str]:
        """A pod and its node, on which the load is not: the leader, if it can be."""
        load = node_of(self.kube, self.namespace, POD)
        for pod in (self.leader(), *self.followers()):
            node = node_of(self.kube, self.namespace, pod)
            if node != load:
                return pod, node
        raise Failed("every member shares a machine with the load")

    def pods(self) -> list[Object]:
        """All of them."""
        return self.kube.list("pod", self.namespace, f"app.kubernetes.io/instance={self.name}")

    def replace_pod(self, name: str) -> None:
        """Delete a pod without asking it, and wait for the one that is made in its place: a member as
        ready as the others."""

        def is_another() -> bool:
            found = self.kube.get("pod", name, self.namespace)
            if found is None or found["metadata"]["uid"] == before:
                return False
            conditions = found["status"].get("conditions", [])
            return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

        before = next(p["metadata"]["uid"] for p in self.pods() if p["metadata"]["name"] == name)
        self.kube(
            "delete", "pod", name, "-n", self.namespace, "--force", "--grace-period=0", "--wait=false"
        )  # fmt: skip
        until(is_another, 90, f"another {name} is ready")
        self.until_ready()

    def node_ids(self) -> dict[str, str]:
        """Pod to node id."""
        return {each["name"]: each.get("nodeId", "") for each in self.status.get("members", [])}

    # --- the database ---

    def secret(self, key: str) -> str:
        """A value of the cluster's Secret."""
        found = self.kube.get("secret", f"{self.name}-auth", self.namespace)
        if found is None:
            raise Failed("there is no secret")
        return base64.b64decode(found["data"][key]).decode()

    def admin(self, pod: str, *arguments: str) -> str:
        """``everwhen admin`` in a pod."""
        return self.kube("exec", pod, "-n", self.namespace, "--", "everwhen", "admin", *arguments)

    def ask(self, pod: str, statement: str) -> list[Object]:
        """The rows of a statement that a pod is asked.

        :raises Failed: it is refused.
        """
        file = "/etc/everwhen/secrets/password"
        said = self.kube(
            "exec", pod, "-n", self.namespace, "--", "everwhen", "sh", "--json", "--user", "neo4j",
            "--password-file", file, "-c", statement,
        )  # fmt: skip
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    # --- its end ---

    def judged(self, name: str) -> History:
        """Stop the load and judge what it saw; also what was watched all the time."""
        history = self.load.finish()
        history.tell(name)
        problems = history.problems()
        assert not problems, "\n".join(map(str, problems[:10]))
        self.watched.stop()
        assert not self.watched.broken, "\n".join(self.watched.broken[:10])
        return history

    def remove(self) -> None:
        """All of it, with its volumes."""
        self.watched.stop()
        self.kube("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")


class Watch:
    """Invariants that can be seen from outside, looked at all the time (research/operators.md 5)."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.broken: list[str] = []
        self._cluster_id = ""
        self._ids: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._level = 0
        self.leaders: list[str] = []
        self.looks = 0

    def start(self) -> None:
        """Look until stopped."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            try:
                self.look()
            except (Failed, KeyError):
                continue  # the API server is away, which is no news of the cluster

    def look(self) -> None:
        """Once."""
        self.looks += 1
        status = self._graph.status
        self._one_cluster(status)
        self._no_id_comes_back(status)
        self._enough_pods(status)
        self._claims_stay(status)
        self._no_level_too_high(status)
        self._ready_is_true(status)
        leads = status.get("leader", "")
        if leads and (not self.leaders or self.leaders[-1] != leads):
            self.leaders.append(leads)

    def _one_cluster(self, status: dict[str, Any]) -> None:
        """Invariant 5: the cluster id never changes."""
        found = status.get("clusterId", "")
        if found and self._cluster_id and found != self._cluster_id:
            self.broken.append(f"the cluster id changed from {self._cluster_id} to {found}")
        self._cluster_id = found or self._cluster_id

    def _no_id_comes_back(self, status: dict[str, Any]) -> None:
        """Invariant 5: a node id belongs to one pod and one disk for ever."""
        for each in status.get("members", []):
            number, where = each.get("nodeId"), f"{each['name']} {each.get('pvcUid')}"
            if number and self._ids.setdefault(number, where) != where:
                self.broken.append(f"node {number} was {self._ids[number]} and is {where}")

    def _claims_stay(self, status: dict[str, Any]) -> None:
        """Invariant 7: no claim shrinks, and none of a voter is deleted."""
        claims = self._graph.kube.list(
            "pvc", self._graph.namespace, f"app.kubernetes.io/instance={self._graph.name}"
        )
        for claim in claims:
            uid = claim["metadata"]["uid"]
            size = bytes_of(claim["spec"]["resources"]["requests"]["storage"])
            if size < self._sizes.get(uid, 0):
                self.broken.append(f"{claim['metadata']['name']} shrank to {size} bytes")
            self._sizes[uid] = size
        ends = {c["metadata"]["uid"] for c in claims if c["metadata"].get("deletionTimestamp")}
        for each in status.get("members", []):
            if each["role"] in ("Leader", "Voter") and each.get("pvcUid") in ends:
                self.broken.append(f"the volume of {each['name']}, a voter, is being deleted")

    def _no_level_too_high(self, status: dict[str, Any]) -> None:
        """Invariant 9: the feature level never falls. None is shown while nobody can be asked."""
        level = int(status.get("featureLevel") or 0)
        if level and level < self._level:
            self.broken.append(f"the feature level fell from {self._level} to {level}")
        self._level = max(level, self._level)

    def _ready_is_true(self, status: dict[str, Any]) -> None:
        """Invariant 29: who is Ready has a leader, and as many voters as pods are asked for."""
        conditions: list[dict[str, Any]] = status.get("conditions", [])
        ready = next((each for each in conditions if each["type"] == "Ready"), {})
        if ready.get("status") != "True" or not status.get("replicas"):
            return
        voters = [m for m in status.get("members", []) if m["role"] in ("Leader", "Voter")]
        if not status.get("leader") or len(voters) != status["replicas"]:
            self.broken.append(
                f"Ready with leader {status.get('leader')!r} and {len(voters)} voters "
                f"of {status['replicas']}"
            )

    def _enough_pods(self, status: dict[str, Any]) -> None:
        """Invariant 6: there is a pod for every member."""
        belong = {"Leader", "Voter", "Learner"}
        ordinals = [each["ordinal"] for each in status.get("members", []) if each["role"] in belong]
        # without a leader each pod speaks for itself, also one that was removed and ends
        if status.get("leader") and ordinals and status.get("replicas", 0) < 1 + max(ordinals):
            self.broken.append(f"{status.get('replicas')} pods wanted, members at {ordinals}")
