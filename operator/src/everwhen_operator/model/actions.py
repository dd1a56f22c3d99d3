"""What may be done next: one step each, safe to repeat, with what it relied on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from everwhen_operator.model.tasks import Subject


@dataclass(frozen=True, slots=True)
class Action:
    """One step; ``why`` is for people."""

    why: str


@dataclass(frozen=True, slots=True)
class ApplyObjects(Action):
    """Make objects what they should be."""

    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeleteObject(Action):
    """Remove one that the operator made: ``Kind/name``."""

    object: str
    uid: str


@dataclass(frozen=True, slots=True)
class LabelPod(Action):
    """Say on a pod what its node is."""

    pod: str
    uid: str
    role: str


@dataclass(frozen=True, slots=True)
class LabelClaim(Action):
    """Say on a claim whose data is on it; ``dead``: of a member that was removed."""

    claim: str
    uid: str
    labels: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class DeletePod(Action):
    """The StatefulSet makes it anew. ``force``: its machine is gone."""

    pod: str
    uid: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class DeleteClaim(Action):
    """Its data is of no member any more."""

    claim: str
    uid: str


@dataclass(frozen=True, slots=True)
class GrowClaim(Action):
    """Ask for more room."""

    claim: str
    uid: str
    size: str


@dataclass(frozen=True, slots=True)
class RecreateSet(Action):
    """Delete the StatefulSet, leave its pods; it is made anew with larger claims."""

    uid: str


@dataclass(frozen=True, slots=True)
class SetReplicas(Action):
    """How many pods there are."""

    uid: str
    resource_version: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Latch(Action):
    """Note for ever whose cluster this is and which disk may found it."""

    cluster_id: str
    seed_disk: str


@dataclass(frozen=True, slots=True)
class Bootstrap(Action):
    """Found the cluster on the noted disk."""

    ordinal: int
    cluster_id: str
    disk_id: str


@dataclass(frozen=True, slots=True)
class NodeAction(Action):
    """A call on the group, refused if its configuration has moved on."""

    #: the leader's ordinal
    via: int
    config_index: int


@dataclass(frozen=True, slots=True)
class AddLearner(NodeAction):
    """Admit a node that waits."""

    ordinal: int
    name: str
    disk_id: str
    version: str
    feature_level: int
    addresses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promote(NodeAction):
    """Give a learner its vote."""

    node_id: int


@dataclass(frozen=True, slots=True)
class Demote(NodeAction):
    """Take a voter's vote."""

    node_id: int


@dataclass(frozen=True, slots=True)
class RemoveMember(NodeAction):
    """Out of the group, for ever. ``replaces``: counts as a replacement."""

    node_id: int
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Transfer(NodeAction):
    """Let another voter lead."""

    node_id: int


@dataclass(frozen=True, slots=True)
class RaiseLevel(NodeAction):
    """Use what every member supports by now."""

    level: int


@dataclass(frozen=True, slots=True)
class SetRetention(NodeAction):
    """Keep versions for so many seconds; infinity: for ever."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fence(Action):
    """Take a node out of service, or back."""

    ordinal: int
    fenced: bool
    #: what the node tells whoever asks it
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Recover(Action):
    """A node goes on alone, by the consent in ``token``: the others are lost for ever."""

    ordinal: int
    token: str


@dataclass(frozen=True, slots=True)
class TaskAction(Action):
    """Written to a task, if it is still as it was seen."""

    task: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class BeginTask(TaskAction):
    """Note what it is about; from then on it cannot change."""

    subjects: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True)
class FinishTask(TaskAction):
    """It is over, well or not. ``reason`` is one word for conditions."""

    succeeded: bool
    reason: str
    result: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForgetTask(TaskAction):
    """Delete a task that finished long ago."""


@dataclass(frozen=True, slots=True)
class TakeSnapshot(TaskAction):
    """Have a node copy its record, and note what came of it."""

    ordinal: int


@dataclass(frozen=True, slots=True)
class Diagnose(TaskAction):
    """Ask every node for all it knows of itself, and judge it."""

    ordinals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now. ``reason`` is one word for conditions; ``soft``: later rules may act.
    ``task``: what waits is that task, not the cluster."""

    reason: str
    message: str
    soft: bool = False
    task: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The one thing to do, and everything that is awaited."""

    what: Action | Wait
    blocked_by: tuple[Wait, ...] = ()
