"""What an observation of the model cluster says."""

from __future__ import annotations

from everwhen_operator import names
from everwhen_operator.model.facts import (
    ClaimFact,
    Facts,
    MemberFact,
    Memory,
    NodeFact,
    PodFact,
    SetFact,
)
from everwhen_operator.model.tasks import TaskFact
from tests.operator.model_cluster import LEVEL, NAME, UID, Claim, Cluster, Disk, Pod
from tests.operator.model_tasks import Task


def observe(cluster: Cluster, memory: Memory) -> Facts:
    """What the API server and the nodes say now."""
    found = cluster.set
    spec = cluster.spec
    drifted = found is None or found.revision != cluster.revision
    return Facts(
        NAME,
        "default",
        UID,
        1,
        cluster.now,
        spec,
        latched_id=cluster.latched[0],
        seed_disk=cluster.latched[1],
        revision=cluster.revision,
        drifted=(f"StatefulSet/{NAME}",) if drifted else (),
        set=None
        if found is None
        else SetFact(found.uid, str(found.version), found.replicas, found.claim_size),
        pods={o: _pod(cluster, o, pod) for o, pod in sorted(cluster.pods.items())},
        claims={o: _claim(o, claim) for o, claim in sorted(cluster.claims.items())},
        nodes={
            o: _node(cluster, o, cluster.claims[o].disk)
            for o, pod in sorted(cluster.pods.items())
            if pod.up and not pod.cut
        },
        memory=memory,
        tasks=tuple(_task(task) for task in cluster.tasks.values()),
    )


def _task(task: Task) -> TaskFact:
    return TaskFact(
        task.name,
        f"uid of {task.name}",
        str(task.version),
        task.action,
        created=task.created,
        pods=task.pods,
        lift=task.lift,
        phase=task.phase,
        cluster_uid="" if task.phase == "Pending" else UID,
        finished_at=task.finished,
        subjects=task.subjects,
    )


def _pod(cluster: Cluster, ordinal: int, pod: Pod) -> PodFact:
    node_id = cluster.claims[ordinal].disk.node_id
    group = cluster.group
    member = group is not None and node_id in [*group.voters, *group.learners]
    return PodFact(
        names.pod(NAME, ordinal),
        ordinal,
        pod.uid,
        phase="Running" if pod.up else "Pending",
        ready=pod.up and not pod.cut and member and cluster.leads and node_id not in cluster.fenced,
        ready_since=pod.since,
        created=pod.created,
        deleting=pod.deleting,
        revision=pod.revision,
        role=pod.role,
        trouble="" if pod.up else "ImagePullBackOff",
    )


def _claim(ordinal: int, claim: Claim) -> ClaimFact:
    return ClaimFact(
        f"data-{names.pod(NAME, ordinal)}",
        ordinal,
        claim.uid,
        claim.requested,
        claim.labels.get(names.LABEL_CLUSTER_ID, ""),
        int(claim.labels.get(names.LABEL_NODE_ID, "0")),
        dead=names.LABEL_DEAD_NODE_ID in claim.labels,
        deleting=claim.deleting,
    )


def _node(cluster: Cluster, ordinal: int, disk: Disk) -> NodeFact:
    group = cluster.group
    if group is None or not disk.node_id:
        return NodeFact(ordinal, disk_id=disk.disk_id, feature_level_supported=LEVEL)
    ids = [*group.voters, *group.learners]
    led = cluster.leads and disk.node_id in ids
    fenced = disk.node_id in cluster.fenced
    leading = led and group.leader == disk.node_id
    return NodeFact(
        ordinal,
        cluster_id=UID,
        node_id=disk.node_id,
        disk_id=disk.disk_id,
        role="fenced" if fenced else "leader" if leading else "follower",
        term=group.term,
        leader_id=group.leader if led else 0,
        config_index=group.config_index,
        voters=tuple(group.voters),
        learners=tuple(group.learners),
        members=tuple(
            MemberFact(
                one,
                group.known[one][0],
                lag=group.lag.get(one, 0),
                healthy=cluster.serves(one),
                disk_id=group.known[one][1],
                feature_level=LEVEL,
            )
            for one in ids
        ),
        operator_epoch=group.epoch,
        feature_level=group.level,
        feature_level_supported=LEVEL,
        retention=group.retention,
        ready=led and not fenced,
        fenced="a task" if fenced else None,
    )
