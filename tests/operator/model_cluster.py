"""A small Kubernetes with a small Raft group in it, for ``decide`` to run: what is really there,
and what an observation of it says. No threads, no clock: everything happens when it is told to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from everwhen_operator import names
from everwhen_operator.decide.birth import extent
from everwhen_operator.decide.group import quorum
from everwhen_operator.model import actions as a
from everwhen_operator.model.facts import (
    Facts,
)
from everwhen_operator.model.quantities import amount
from everwhen_operator.model.spec import ClusterSpec
from tests.operator.model_tasks import Refused, Tasks

NAME: Final = "graph"
#: the feature level of every build
LEVEL: Final = 6
UID: Final = "6a6f7a52-2b6f-4f6a-8d8c-0a0a0a0a0a0a"


@dataclass(slots=True)
class Disk:
    """What a volume holds."""

    disk_id: str
    node_id: int = 0


@dataclass(slots=True)
class Claim:
    uid: str
    requested: str
    disk: Disk
    labels: dict[str, str] = field(default_factory=dict)
    deleting: bool = False


@dataclass(slots=True)
class Pod:
    uid: str
    revision: str
    created: float
    role: str = ""
    #: the process runs
    up: bool = False
    #: nobody reaches it, neither the operator nor the other nodes
    cut: bool = False
    since: float = 0.0
    deleting: bool = False


@dataclass(slots=True)
class StatefulSet:
    uid: str
    version: int
    replicas: int
    claim_size: str
    revision: str


@dataclass(slots=True)
class Raft:
    """The committed configuration; nodes that cannot reach the leader know it late, which only
    makes them answer less."""

    term: int = 1
    leader: int = 1
    voters: list[int] = field(default_factory=list)
    learners: list[int] = field(default_factory=list)
    #: everybody who ever belonged: name, disk
    known: dict[int, tuple[str, str]] = field(default_factory=dict)
    lag: dict[int, int] = field(default_factory=dict)
    config_index: int = 10
    epoch: int = 0
    level: int = 1
    retention: float = math.inf


class Cluster:
    """See the module."""

    def __init__(self, spec: ClusterSpec) -> None:
        self.spec = spec
        self.now = 1_000.0
        self.set: StatefulSet | None = None
        self.pods: dict[int, Pod] = {}
        self.claims: dict[int, Claim] = {}
        self.group: Raft | None = None
        self.latched = ("", "")
        self.founded = 0
        self.tasks = Tasks()
        #: members that answer nobody
        self.fenced: set[int] = set()
        self._made = 0

    def _new(self, what: str) -> str:
        self._made += 1
        return f"{what}-{self._made}"

    @property
    def revision(self) -> str:
        return f"rev {self.spec.version}"

    # --- who answers whom ---

    def pod_of(self, node_id: int) -> int | None:
        """Where a member's process runs."""
        for ordinal, claim in self.claims.items():
            pod = self.pods.get(ordinal)
            if claim.disk.node_id == node_id and pod is not None and pod.up:
                return ordinal
        return None

    def serves(self, node_id: int) -> bool:
        """It runs and is reached."""
        ordinal = self.pod_of(node_id)
        return ordinal is not None and not self.pods[ordinal].cut

    def healthy(self, voters: list[int]) -> bool:
        """Whether so many of them serve that they decide."""
        return sum(map(self.serves, voters)) >= quorum(len(voters))

    @property
    def leads(self) -> bool:
        """Whether there is a leader whom a majority follows."""
        group = self.group
        return group is not None and self.may_lead(group.leader) and self.healthy(group.voters)

    # --- what goes on by itself ---

    def kubernetes(self) -> None:
        """The controllers and kubelets do all they have to do."""
        for ordinal, pod in list(self.pods.items()):
            if pod.deleting and not pod.cut:
                del self.pods[ordinal]
        found = self.set
        for ordinal, claim in list(self.claims.items()):
            if claim.deleting and ordinal not in self.pods:
                del self.claims[ordinal]
        if found is None:
            return
        for ordinal, pod in self.pods.items():
            pod.deleting = pod.deleting or ordinal >= found.replicas
        for ordinal in range(found.replicas):
            if ordinal not in self.pods and not self._claim_goes(ordinal):
                if ordinal not in self.claims:
                    disk = Disk(self._new("disk"))
                    self.claims[ordinal] = Claim(self._new("claim"), found.claim_size, disk)
                self.pods[ordinal] = Pod(self._new("pod"), found.revision, self.now)

    def _claim_goes(self, ordinal: int) -> bool:
        return ordinal in self.claims and self.claims[ordinal].deleting

    def start_pods(self) -> None:
        """Every process runs whose image there is."""
        for pod in self.pods.values():
            if not pod.up and not pod.deleting and "bad" not in pod.revision:
                pod.up, pod.since = True, self.now

    def elect(self) -> None:
        """A majority that has no leader agrees on one, the first that serves."""
        group = self.group
        if group is None or self.leads or not self.healthy(group.voters):
            return
        if not any(map(self.may_lead, group.voters)):
            return
        group.term += 1
        group.leader = next(one for one in group.voters if self.may_lead(one))

    def may_lead(self, node_id: int) -> bool:
        """A voter that serves and is not barred."""
        return self.serves(node_id) and node_id not in self.fenced

    def catch_up(self) -> None:
        if self.group is not None and self.leads:
            for one in self.group.lag:
                if self.serves(one):
                    self.group.lag[one] = 0

    # --- what is done to it ---

    def act(self, action: a.Action, seen: Facts, epoch: int) -> None:
        """Carry out one action as the API server and the nodes would.

        :raises Refused: what it relied on is not so.
        """
        if isinstance(action, a.TaskAction):
            self._task(action)
            return
        name = "_" + type(action).__name__.lower()
        if isinstance(action, a.NodeAction):
            self._call(action, epoch)
            assert self.group is not None
            self.group.config_index += 1
        getattr(self, name)(action, seen)

    def _call(self, action: a.NodeAction, epoch: int) -> None:
        group = self.group
        at = self.claims.get(action.via)
        if group is None or at is None or not self.leads or at.disk.node_id != group.leader:
            raise Refused("not the leader")
        if epoch < group.epoch:
            raise Refused("a later operator has acted")
        if action.config_index != group.config_index:
            raise Refused("the configuration moved on")
        group.epoch = epoch

    def _pod_by(self, uid: str) -> Pod:
        for pod in self.pods.values():
            if pod.uid == uid:
                return pod
        raise Refused("no such pod")

    def _claim_by(self, uid: str) -> Claim:
        for claim in self.claims.values():
            if claim.uid == uid:
                return claim
        raise Refused("no such claim")

    def _applyobjects(self, action: a.ApplyObjects, seen: Facts) -> None:
        if self.set is None:
            pods = max(seen.pods, default=-1) + 1
            replicas = max(extent(seen), pods) or self.spec.replicas
            size = self.spec.storage.size
            self.set = StatefulSet(self._new("set"), 1, replicas, size, self.revision)
        else:
            if seen.set is None or seen.set.resource_version != str(self.set.version):
                raise Refused("changed meanwhile")
            self.set.revision = seen.revision
            self.set.version += 1

    def _labelpod(self, action: a.LabelPod, seen: Facts) -> None:
        self._pod_by(action.uid).role = action.role

    def _labelclaim(self, action: a.LabelClaim, seen: Facts) -> None:
        labels = self._claim_by(action.uid).labels
        for key, value in action.labels.items():
            labels.pop(key, None)
            if value is not None:
                labels[key] = value

    def _deletepod(self, action: a.DeletePod, seen: Facts) -> None:
        pod = self._pod_by(action.uid)
        pod.deleting, pod.up = True, False
        if action.force:
            del self.pods[next(o for o, each in self.pods.items() if each is pod)]

    def _deleteclaim(self, action: a.DeleteClaim, seen: Facts) -> None:
        self._claim_by(action.uid).deleting = True

    def _growclaim(self, action: a.GrowClaim, seen: Facts) -> None:
        self._claim_by(action.uid).requested = action.size

    def _recreateset(self, action: a.RecreateSet, seen: Facts) -> None:
        if self.set is None or self.set.uid != action.uid:
            raise Refused("no such set")
        self.set = None

    def _setreplicas(self, action: a.SetReplicas, seen: Facts) -> None:
        found = self.set
        if found is None or (found.uid, str(found.version)) != (
            action.uid,
            action.resource_version,
        ):
            raise Refused("changed meanwhile")
        found.replicas = action.replicas
        found.version += 1

    def _latch(self, action: a.Latch, seen: Facts) -> None:
        if self.latched != (seen.latched_id, seen.seed_disk):
            raise Refused("changed meanwhile")
        self.latched = (action.cluster_id, action.seed_disk)

    def _bootstrap(self, action: a.Bootstrap, seen: Facts) -> None:
        disk = self._waiting_disk(action.ordinal, action.disk_id)
        disk.node_id = 1
        self.founded += 1
        known = {1: (names.pod(NAME, action.ordinal), disk.disk_id)}
        self.group = Raft(voters=[1], known=known, lag={1: 0})

    def _waiting_disk(self, ordinal: int, disk_id: str) -> Disk:
        pod, claim = self.pods.get(ordinal), self.claims.get(ordinal)
        if pod is None or not pod.up or pod.cut or claim is None:
            raise Refused("it does not answer")
        if claim.disk.disk_id != disk_id or claim.disk.node_id:
            raise Refused("it does not wait")
        return claim.disk

    @property
    def _raft(self) -> Raft:
        assert self.group is not None
        return self.group

    def _addlearner(self, action: a.AddLearner, seen: Facts) -> None:
        group = self._raft
        if any(group.known[one][0] == action.name for one in [*group.voters, *group.learners]):
            raise Refused("a member of this name is there")
        disk = self._waiting_disk(action.ordinal, action.disk_id)
        disk.node_id = max(group.known) + 1
        group.known[disk.node_id] = (action.name, disk.disk_id)
        group.learners.append(disk.node_id)
        group.lag[disk.node_id] = 10_000

    def _promote(self, action: a.Promote, seen: Facts) -> None:
        group = self._raft
        if action.node_id not in group.learners or group.lag[action.node_id] > 1_000:
            raise Refused("it does not keep up")
        group.learners.remove(action.node_id)
        group.voters.append(action.node_id)

    def _demote(self, action: a.Demote, seen: Facts) -> None:
        group = self._raft
        rest = [one for one in group.voters if one != action.node_id]
        if action.node_id == group.leader or not rest or not self.healthy(rest):
            raise Refused("the others would not decide")
        group.voters = rest
        group.learners.append(action.node_id)

    def _removemember(self, action: a.RemoveMember, seen: Facts) -> None:
        group = self._raft
        rest = [one for one in group.voters if one != action.node_id]
        if action.node_id == group.leader or not rest or not self.healthy(rest):
            raise Refused("the others would not decide")
        group.voters = rest
        group.learners = [one for one in group.learners if one != action.node_id]

    def _transfer(self, action: a.Transfer, seen: Facts) -> None:
        group = self._raft
        if action.node_id not in group.voters or not self.may_lead(action.node_id):
            raise Refused("it does not serve")
        group.leader = action.node_id
        group.term += 1

    def _raiselevel(self, action: a.RaiseLevel, seen: Facts) -> None:
        self._raft.level = action.level

    def _setretention(self, action: a.SetRetention, seen: Facts) -> None:
        self._raft.retention = action.seconds

    def _fence(self, action: a.Fence, seen: Facts) -> None:
        pod, claim = self.pods.get(action.ordinal), self.claims.get(action.ordinal)
        if pod is None or not pod.up or pod.cut or claim is None or not claim.disk.node_id:
            raise Refused("it does not answer")
        change = self.fenced.add if action.fenced else self.fenced.discard
        change(claim.disk.node_id)

    def _task(self, action: a.TaskAction) -> None:
        if isinstance(action, a.TakeSnapshot):
            pod = self.pods.get(action.ordinal)
            if pod is None or not pod.up or pod.cut:
                raise Refused("it does not answer")
        self.tasks.act(action, self.now)

    def sizes(self) -> dict[str, float]:
        """What each claim asks for, in bytes."""
        return {claim.uid: amount(claim.requested) for claim in self.claims.values()}
