"""Taking one action: safe to repeat, refused where what it relied on is not so any more."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from everwhen_operator import names, task_status
from everwhen_operator.diagnosis import judged
from everwhen_operator.kube.api import Api, ApiFailed, Object
from everwhen_operator.kube.secrets import completed, decoded, encoded
from everwhen_operator.model import actions as a
from everwhen_operator.model.tasks import parse_task
from everwhen_operator.nodes import NodeFailed, Nodes
from everwhen_operator.observe import Observation


class Actor:
    """Acts under one epoch: nodes refuse it once another operator has acted under a later one."""

    def __init__(self, api: Api, nodes: Nodes, epoch: Callable[[], int]) -> None:
        self._api = api
        self._nodes = nodes
        self._epoch = epoch

    async def act(self, seen: Observation, action: a.Action) -> None:
        """Do it.

        :raises ApiFailed: the API server refused or did not answer.
        :raises NodeFailed: a node refused, or nobody knows whether it was done.
        """
        await _DOES[type(action)](self, seen, action)

    # --- objects ---

    async def _apply(self, seen: Observation, action: a.ApplyObjects) -> None:
        for name in action.objects:
            if name.startswith("Secret/"):
                await self._make_secret(seen)
            else:
                await self._api.apply(dict(seen.wanted[name]))

    async def _delete_object(self, seen: Observation, action: a.DeleteObject) -> None:
        kind, _, name = action.object.partition("/")
        await self._api.delete(kind, seen.owner.namespace, name, uid=action.uid)

    async def _make_secret(self, seen: Observation, **more: str) -> None:
        """Made or completed; what is in it is never replaced."""
        spec = seen.facts.spec
        own = spec is None or spec.admin_secret is None
        there = decoded(seen.secret)
        wanted = {**completed(there, own_password=own), **more}
        name = names.auth_secret(seen.owner.name)
        if seen.secret is None:
            made: Object = {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "Opaque",
                "metadata": seen.owner.metadata(name),
                "data": encoded(wanted),
            }
            await self._api.create(made)
            return
        change: Object = {
            "metadata": {"resourceVersion": seen.secret["metadata"]["resourceVersion"]},
            "data": encoded(wanted),
        }
        await self._api.patch("Secret", seen.owner.namespace, name, change)

    async def _latch(self, seen: Observation, action: a.Latch) -> None:
        latched = {
            names.SECRET_CLUSTER_ID: action.cluster_id,
            names.SECRET_SEED_DISK: action.seed_disk,
        }
        await self._make_secret(seen, **latched)

    async def _label_pod(self, seen: Observation, action: a.LabelPod) -> None:
        change = {"metadata": {"uid": action.uid, "labels": {names.LABEL_ROLE: action.role}}}
        await self._api.patch("Pod", seen.owner.namespace, action.pod, change)

    async def _label_claim(self, seen: Observation, action: a.LabelClaim) -> None:
        change = {"metadata": {"uid": action.uid, "labels": dict(action.labels)}}
        await self._api.patch("PersistentVolumeClaim", seen.owner.namespace, action.claim, change)

    async def _delete_pod(self, seen: Observation, action: a.DeletePod) -> None:
        await self._api.delete(
            "Pod", seen.owner.namespace, action.pod, uid=action.uid, force=action.force
        )

    async def _delete_claim(self, seen: Observation, action: a.DeleteClaim) -> None:
        await self._api.delete(
            "PersistentVolumeClaim", seen.owner.namespace, action.claim, uid=action.uid
        )

    async def _grow_claim(self, seen: Observation, action: a.GrowClaim) -> None:
        change = {
            "metadata": {"uid": action.uid},
            "spec": {"resources": {"requests": {"storage": action.size}}},
        }
        await self._api.patch("PersistentVolumeClaim", seen.owner.namespace, action.claim, change)

    async def _recreate_set(self, seen: Observation, action: a.RecreateSet) -> None:
        name = names.stateful_set(seen.owner.name)
        await self._api.delete(
            "StatefulSet", seen.owner.namespace, name, uid=action.uid, orphan=True
        )

    async def _set_replicas(self, seen: Observation, action: a.SetReplicas) -> None:
        change = {
            "metadata": {"uid": action.uid, "resourceVersion": action.resource_version},
            "spec": {"replicas": action.replicas},
        }
        name = names.stateful_set(seen.owner.name)
        await self._api.patch("StatefulSet", seen.owner.namespace, name, change)

    # --- nodes ---

    async def _bootstrap(self, seen: Observation, action: a.Bootstrap) -> None:
        body = {"clusterId": action.cluster_id, "diskId": action.disk_id}
        await self._call(seen, action.ordinal, "POST", "/v1/bootstrap", body)

    async def _add_learner(self, seen: Observation, action: a.AddLearner) -> None:
        body = {
            "name": action.name,
            "addresses": dict(action.addresses),
            "diskId": action.disk_id,
            "version": action.version,
            "featureLevel": action.feature_level,
        }
        await self._change(seen, action, "POST", "/v1/members", body)

    async def _promote(self, seen: Observation, action: a.Promote) -> None:
        await self._change(seen, action, "POST", f"/v1/members/{action.node_id}/promote")

    async def _demote(self, seen: Observation, action: a.Demote) -> None:
        await self._change(seen, action, "POST", f"/v1/members/{action.node_id}/demote")

    async def _remove(self, seen: Observation, action: a.RemoveMember) -> None:
        await self._change(seen, action, "DELETE", f"/v1/members/{action.node_id}")

    async def _transfer(self, seen: Observation, action: a.Transfer) -> None:
        await self._change(seen, action, "POST", "/v1/leader", {"to": action.node_id})

    async def _raise_level(self, seen: Observation, action: a.RaiseLevel) -> None:
        await self._change(seen, action, "POST", "/v1/feature-level", {"level": action.level})

    async def _set_retention(self, seen: Observation, action: a.SetRetention) -> None:
        keep = None if math.isinf(action.seconds) else action.seconds
        await self._change(seen, action, "POST", "/v1/retention", {"keepSeconds": keep})

    async def _fence(self, seen: Observation, action: a.Fence) -> None:
        body = {
            "fenced": action.fenced,
            "operatorEpoch": self._epoch(),
            "reason": action.reason or "an operator asked for it",
        }
        await self._call(seen, action.ordinal, "POST", "/v1/fence", body)

    async def _recover(self, seen: Observation, action: a.Recover) -> None:
        body = {"acceptDataLoss": action.token, "operatorEpoch": self._epoch()}
        await self._call(seen, action.ordinal, "POST", "/v1/recover", body)

    # --- tasks ---

    async def _begin_task(self, seen: Observation, action: a.BeginTask) -> None:
        made = seen.tasks[action.task]
        change = task_status.begun(made, action, seen.facts.uid, seen.facts.now)
        await self._write_task(seen, action, change)

    async def _finish_task(self, seen: Observation, action: a.FinishTask) -> None:
        change = task_status.finished(seen.tasks[action.task], action, seen.facts.now)
        await self._write_task(seen, action, change)

    async def _forget_task(self, seen: Observation, action: a.ForgetTask) -> None:
        await self._api.delete(
            names.TASK_KIND, seen.owner.namespace, action.task, uid=action.uid
        )  # fmt: skip

    async def _take_snapshot(self, seen: Observation, action: a.TakeSnapshot) -> None:
        body = {"operatorEpoch": self._epoch()}
        made = await self._call(seen, action.ordinal, "POST", "/v1/snapshot", body)
        result = f"entry {made.get('index')}, {made.get('bytes')} bytes"
        pod = names.pod(seen.owner.name, action.ordinal)
        change = task_status.noted(parse_task(seen.tasks[action.task]), pod, result)
        await self._write_task(seen, action, change)

    async def _diagnose(self, seen: Observation, action: a.Diagnose) -> None:
        """A node that does not answer is a finding, no failure."""

        async def ask(ordinal: int) -> tuple[int, Mapping[str, Any] | str]:
            address = seen.addresses.get(ordinal)
            if address is None:
                return ordinal, "there is no such pod, or it has no address yet"
            try:
                return ordinal, await self._nodes.diagnose(address, seen.key)
            except NodeFailed as failed:
                return ordinal, str(failed)

        answers = dict(await asyncio.gather(*map(ask, action.ordinals)))
        findings, reports = judged(seen.facts, answers)
        made = seen.tasks[action.task]
        change = task_status.diagnosed(made, findings, reports, seen.facts.now)
        await self._write_task(seen, action, change)

    async def _write_task(self, seen: Observation, action: a.TaskAction, change: Object) -> None:
        body: Object = {
            "metadata": {"uid": action.uid, "resourceVersion": action.resource_version},
            "status": change,
        }
        await self._api.patch(
            names.TASK_KIND, seen.owner.namespace, action.task, body, subresource="status"
        )

    async def _change(
        self,
        seen: Observation,
        action: a.NodeAction,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        checked = {
            **(body or {}),
            "expectedConfigIndex": action.config_index,
            "operatorEpoch": self._epoch(),
        }
        await self._call(seen, action.via, method, path, checked)

    async def _call(
        self, seen: Observation, ordinal: int, method: str, path: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        address = seen.addresses.get(ordinal)
        if address is None:
            raise ApiFailed(0, "NoAddress", f"pod {ordinal} has no address any more")
        return await self._nodes.call(address, method, path, body, seen.key)


_Does = Callable[[Actor, Observation, Any], Awaitable[None]]
_DOES: Final[Mapping[type[a.Action], _Does]] = {
    a.ApplyObjects: Actor._apply,
    a.DeleteObject: Actor._delete_object,
    a.LabelPod: Actor._label_pod,
    a.LabelClaim: Actor._label_claim,
    a.DeletePod: Actor._delete_pod,
    a.DeleteClaim: Actor._delete_claim,
    a.GrowClaim: Actor._grow_claim,
    a.RecreateSet: Actor._recreate_set,
    a.SetReplicas: Actor._set_replicas,
    a.Latch: Actor._latch,
    a.Bootstrap: Actor._bootstrap,
    a.AddLearner: Actor._add_learner,
    a.Promote: Actor._promote,
    a.Demote: Actor._demote,
    a.RemoveMember: Actor._remove,
    a.Transfer: Actor._transfer,
    a.RaiseLevel: Actor._raise_level,
    a.SetRetention: Actor._set_retention,
    a.Fence: Actor._fence,
    a.Recover: Actor._recover,
    a.BeginTask: Actor._begin_task,
    a.FinishTask: Actor._finish_task,
    a.ForgetTask: Actor._forget_task,
    a.TakeSnapshot: Actor._take_snapshot,
    a.Diagnose: Actor._diagnose,
}
