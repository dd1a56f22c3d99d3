"""What was observed of one cluster, at one moment. Every fact says how old it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from everwhen_operator import names
from everwhen_operator.model.spec import ClusterSpec
from everwhen_operator.model.tasks import TaskFact

#: an answer older than this decides nothing
STALE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class PodFact:
    """A pod, as the API server has it."""

    name: str
    ordinal: int
    uid: str
    phase: str = "Pending"
    ready: bool = False
    #: when it became ready; of no meaning while it is not
    ready_since: float = 0.0
    created: float = 0.0
    deleting: bool = False
    revision: str = ""
    role: str = ""
    host: str = ""
    #: why it does not run, as the kubelet or scheduler says
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ClaimFact:
    """A pod's claim."""

    name: str
    ordinal: int
    uid: str
    requested: str
    cluster_id: str = ""
    node_id: int = 0
    #: the member that wrote it was removed
    dead: bool = False
    deleting: bool = False
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class MemberFact:
    """A member as the leader knows it."""

    node_id: int
    name: str
    lag: int | None = None
    healthy: bool | None = None
    disk_id: str = ""
    feature_level: int = 0


@dataclass(frozen=True, slots=True)
class NodeFact:
    """What a node said of itself. ``joining``: its disk belongs to no cluster."""

    ordinal: int
    cluster_id: str = ""
    node_id: int = 0
    disk_id: str = ""
    role: str = "joining"
    term: int = 0
    leader_id: int = 0
    last_index: int = 0
    #: of the entry at ``last_index``
    last_term: int = 0
    commit_index: int = 0
    applied_index: int = 0
    config_index: int = 0
    voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()
    outgoing: tuple[int, ...] = ()
    members: tuple[MemberFact, ...] = ()
    operator_epoch: int = 0
    feature_level: int = 0
    feature_level_supported: int = 0
    version: str = ""
    ready: bool = False
    fenced: str | None = None
    oldest_readable: str | None = None
    #: seconds that versions are kept, infinity for ever; None: an earlier build, which does not say
    retention: float | None = None
    #: SHA-256 of the settings file as last taken over; None: an earlier build, which does not say
    settings_hash: str | None = None
    disk_used: int = 0
    disk_free: int = 0
    writes_refused: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class SetFact:
    """The StatefulSet."""

    uid: str
    resource_version: str
    replicas: int
    claim_size: str
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """How long something has been so, kept between observations; losing it restarts the waiting."""

    #: of a member: when it was last seen alive, first seen as a learner
    alive: Mapping[int, float] = field(default_factory=dict)
    learner: Mapping[int, float] = field(default_factory=dict)
    #: of a learner: in how many observations in a row it kept up
    kept_up: Mapping[int, int] = field(default_factory=dict)
    #: when members were replaced in the last hour
    replaced: tuple[float, ...] = ()
    #: when all pods first ran what is asked for
    updated: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that ``decide`` may look at."""

    name: str
    namespace: str
    uid: str
    generation: int
    now: float
    spec: ClusterSpec | None
    #: what is wrong with the object, if ``spec`` is absent
    problem: str = ""
    deleting: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    #: what is noted beside the secrets: the cluster's id, the disk that founds or founded it
    latched_id: str = ""
    seed_disk: str = ""
    #: hash of what pods shall be made from
    revision: str = ""
    #: SHA-256 of the settings file that pods shall read
    settings_hash: str = ""
    #: objects that are not as they should be
    drifted: tuple[str, ...] = ()
    #: objects that are not wanted any more: ``Kind/name``, uid
    left_over: tuple[tuple[str, str], ...] = ()
    set: SetFact | None = None
    pods: Mapping[int, PodFact] = field(default_factory=dict)
    claims: Mapping[int, ClaimFact] = field(default_factory=dict)
    #: answers by ordinal; a node that did not answer is absent
    nodes: Mapping[int, NodeFact] = field(default_factory=dict)
    #: of this cluster, the oldest first
    tasks: tuple[TaskFact, ...] = ()
    memory: Memory = Memory()

    @property
    def cluster_id(self) -> str:
        """The id this cluster has or will have."""
        return self.latched_id or self.annotations.get(names.ANNOTATION_ADOPT, "") or self.uid

    def ordinal_of(self, name: str) -> int | None:
        """The pod of this cluster that a member's name is."""
        prefix, _, number = name.rpartition("-")
        return int(number) if prefix == self.name and number.isdecimal() else None

    def members(self) -> dict[int, NodeFact]:
        """Fresh answers of nodes that belong to this cluster, by ordinal."""
        return {
            ordinal: node
            for ordinal, node in self.nodes.items()
            if node.cluster_id == self.cluster_id and node.age <= STALE_SECONDS
        }
