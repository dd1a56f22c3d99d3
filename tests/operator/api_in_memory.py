"""An API server in memory: versions, preconditions, server-side apply, and faults before or after
what was asked for is done; and what Kubernetes and the nodes make of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from everwhen_operator import names
from everwhen_operator.kube.api import KINDS, ApiFailed, Object
from everwhen_operator.nodes import NodeFailed

NAMESPACE: Final = "db"
NAME: Final = "graph"
KEY: Final = (NAMESPACE, NAME)
_MADE: Final = "2026-01-01T00:00:00Z"
_LEVEL: Final = 6

#: called with what is about to be written, or was: raises to fail it there
Fault = Callable[[str], None]


def _pod_at(address: str) -> str:
    """The pod with an address."""
    return f"{NAME}-{int(address.rpartition('.')[2]) - 1}"


def _nothing(what: str) -> None:
    """No fault."""


class MemoryApi:
    """``kube.api.Transport``."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.before: Fault = _nothing
        self.after: Fault = _nothing
        self._version = 0

    # --- Transport ---

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
        what = f"{method} {path}"
        if method != "GET":
            self.before(what)
        answer: Object = json.loads(json.dumps(self._answer(method, path, query, body)))
        if method != "GET":
            self.after(what)
        return answer

    def _answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None
    ) -> Object:
        kind, name, subresource = self._parse(path)
        content: Object = json.loads(body) if body else {}
        if not name and method == "GET":
            return {"apiVersion": "v1", "items": self._list(kind, query.get("labelSelector", ""))}
        key = (kind, NAMESPACE, name or str(content["metadata"]["name"]))
        there = self.objects.get(key)
        if method == "POST":
            if there is not None:
                raise ApiFailed(409, "AlreadyExists", f"{kind} {key[2]} exists")
            return self.put({**content, "kind": kind})
        applied = query.get("force") == "true"
        if there is None:
            if not (applied and not subresource):
                raise ApiFailed(404, "NotFound", f"no {kind} {key[2]}")
            return self.put({**content, "kind": kind})
        self._check(there, content, method)
        if method == "DELETE":
            del self.objects[key]
            return {}
        if method == "GET":
            return there
        changed = merged(there, content)
        if changed != there:
            self.put(changed)
        return self.objects[key]

    @staticmethod
    def _parse(path: str) -> tuple[str, str, str]:
        for kind, (base, plural) in KINDS.items():
            collection = f"{base}/namespaces/{NAMESPACE}/{plural}"
            if path == collection:
                return kind, "", ""
            if path.startswith(collection + "/"):
                name, _, subresource = path[len(collection) + 1 :].partition("/")
                return kind, name, subresource
        raise ApiFailed(404, "NotFound", f"the server does not know {path}")

    def _list(self, kind: str, selector: str) -> list[Object]:
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        return [
            made
            for (other, _, _), made in sorted(self.objects.items())
            if other == kind and wanted.items() <= (made["metadata"].get("labels") or {}).items()
        ]

    @staticmethod
    def _check(there: Object, content: Object, method: str) -> None:
        asked = content.get("preconditions") if method == "DELETE" else content.get("metadata")
        for field in ("uid", "resourceVersion"):
            wanted = (asked or {}).get(field)
            if wanted is not None and wanted != there["metadata"][field]:
                raise ApiFailed(409, "Conflict", f"{field} is {there['metadata'][field]}")

    # --- what others do ---

    def put(self, made: Object) -> Object:
        """Write an object as the server does."""
        self._version += 1
        metadata = made["metadata"]
        key = (made["kind"], NAMESPACE, metadata["name"])
        old = self.objects.get(key)
        uid = old["metadata"]["uid"] if old else f"uid-{self._version}"
        stamped = {
            **metadata,
            "namespace": NAMESPACE,
            "uid": uid,
            "resourceVersion": str(self._version),
            "creationTimestamp": metadata.get("creationTimestamp", _MADE),
        }
        self.objects[key] = {**made, "metadata": stamped}
        return self.objects[key]

    def get(self, kind: str, name: str) -> Object:
        """An object that is there."""
        return self.objects[kind, NAMESPACE, name]


def merged(old: Any, new: Any) -> Any:
    """A merge patch (RFC 7386), which is enough of server-side apply for one manager of fields."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    result = dict(old)
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(old.get(key), value)
    return result


class MemoryNodes:
    """``nodes.Nodes``: a group whose members keep up at once, by pod address."""

    def __init__(self) -> None:
        self.before: Fault = _nothing
        self.after: Fault = _nothing
        self.waiting: set[str] = set()
        self.cluster_id = ""
        #: address -> node id
        self.members: dict[str, int] = {}
        self.voters: list[int] = []
        self.learners: list[int] = []
        self.founded = 0
        self.index = 0
        self.epoch = 0
        #: seconds that versions are kept; None: for ever
        self.keep: float | None = None
        #: who leads, since which election
        self.leads = 1
        self.term = 2
        self._next = 1

    async def status(self, address: str, secret: str) -> Mapping[str, Any]:
        """See ``Nodes``."""
        if address not in self.waiting:
            raise NodeFailed(0, "nobody is there")
        common = {
            "version": "0.1.0", "diskId": f"disk-{address}", "featureLevelSupported": _LEVEL,
            "addresses": {"http": f"{address}:7474", "peer": f"{address}:7400"},
        }  # fmt: skip
        node = self.members.get(address)
        if node is None:
            return {**common, "role": "joining"}
        role = "leader" if node == self.leads else "follower" if node in self.voters else "learner"
        members = [
            {
                "nodeId": number, "name": _pod_at(where), "lag": 0, "healthy": True,
                "featureLevel": _LEVEL, "diskId": f"disk-{where}",
            }
            for where, number in self.members.items()
        ]  # fmt: skip
        return {
            **common, "clusterId": self.cluster_id, "nodeId": node, "role": role,
            "term": self.term, "leader": {"nodeId": self.leads}, "ready": True,
            "lastIndex": self.index, "lastTerm": self.term,
            "commitIndex": self.index, "appliedIndex": self.index, "operatorEpoch": self.epoch,
            "featureLevel": _LEVEL, "retention": {"keepSeconds": self.keep}, "members": members,
            "diskUsed": 1, "diskFree": 1 << 40,
            "config": {"index": self.index, "voters": self.voters, "learners": self.learners},
        }  # fmt: skip

    async def diagnose(self, address: str, secret: str) -> Mapping[str, Any]:
        """See ``Nodes``."""
        return {"status": await self.status(address, secret)}

    async def call(
        self, address: str, method: str, path: str, body: Mapping[str, Any], secret: str
    ) -> Mapping[str, Any]:
        """See ``Nodes``."""
        self.before(f"{method} {path}")
        self._check(body)
        if path == "/v1/bootstrap":
            self._found(address, body)
        elif path == "/v1/members":
            self._admit(body)
        elif path.endswith("/promote"):
            node = int(path.split("/")[3])
            if node in self.learners:
                self.learners.remove(node)
                self.voters.append(node)
        elif path == "/v1/retention":
            self.keep = body["keepSeconds"]
        else:
            raise NodeFailed(404, f"{method} {path}")
        self.index += 1
        self.after(f"{method} {path}")
        return {}

    def _check(self, body: Mapping[str, Any]) -> None:
        epoch = body.get("operatorEpoch", self.epoch)
        if epoch < self.epoch or body.get("expectedConfigIndex", self.index) != self.index:
            raise NodeFailed(412, "another operator, or another configuration")
        self.epoch = epoch

    def _found(self, address: str, body: Mapping[str, Any]) -> None:
        if self.members:
            raise NodeFailed(409, "it belongs to a cluster")
        self.founded += 1
        self.cluster_id = body["clusterId"]
        self.members[address] = self._next
        self.voters = [self._next]
        self._next += 1

    def _admit(self, body: Mapping[str, Any]) -> None:
        address = body["diskId"].removeprefix("disk-")
        if address in self.members:
            raise NodeFailed(409, "it is a member")
        self.members[address] = self._next
        self.learners.append(self._next)
        self._next += 1


def kubernetes(api: MemoryApi, nodes: MemoryNodes) -> None:
    """What controllers and kubelets do: pods and claims of the StatefulSet, which run at once."""
    for (kind, _, name), made in list(api.objects.items()):
        if kind != "StatefulSet":
            continue
        template = made["spec"]["template"]
        for ordinal in range(made["spec"]["replicas"]):
            pod, claim = f"{name}-{ordinal}", f"{names.CLAIM}-{name}-{ordinal}"
            if ("PersistentVolumeClaim", NAMESPACE, claim) not in api.objects:
                of_set = made["spec"]["volumeClaimTemplates"][0]
                metadata = {"name": claim, "labels": of_set["metadata"]["labels"]}
                api.put(
                    {"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": of_set["spec"]}
                )
            if ("Pod", NAMESPACE, pod) not in api.objects:
                address = f"10.0.0.{ordinal + 1}"
                nodes.waiting.add(address)
                metadata = {"name": pod, "labels": template["metadata"]["labels"]}
                api.put({
                    "kind": "Pod", "metadata": metadata, "spec": {"nodeName": f"m{ordinal}"},
                    "status": {"phase": "Running", "podIP": address},
                })  # fmt: skip
    for (kind, _, _), made in list(api.objects.items()):
        if kind == "Pod" and "conditions" not in made["status"]:
            address = made["status"]["podIP"]
            if nodes.members.get(address) in nodes.voters:
                ready = {"type": "Ready", "status": "True", "lastTransitionTime": _MADE}
                api.put({**made, "status": {**made["status"], "conditions": [ready]}})
