"""The order of decision, a row a case: what is observed, and the one thing that is done."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import pytest

from everwhen_operator import names
from everwhen_operator.decide import decide
from everwhen_operator.model import actions as a
from everwhen_operator.model.facts import Facts, Memory, SetFact
from everwhen_operator.model.spec import ClusterSpec
from tests.operator.cluster_facts import (
    NOW,
    UID,
    but,
    claim,
    configured,
    joining,
    member,
    node,
    pod,
    settled,
    spec,
)

ALIVE: Final = dict.fromkeys((1, 2, 3), NOW)
EMPTY: Final = settled(3, latched_id="", seed_disk="", nodes={}, claims={}, pods={})
#: graph-3 has been admitted as node 4
FOUR: Final = tuple(member(o) for o in range(4))
_MET: Final = configured(
    but(
        settled(3, spec=spec(replicas=5), set=SetFact("set", "7", 5, "20Gi")),
        pods={3: pod(3, ready=False, role="learner"), 4: pod(4, ready=False, role="joining")},
        claims={3: claim(3), 4: claim(4, node_id=0, cluster_id="")},
        nodes={3: node(3, 3), 4: joining(4)},
    ),
    learners=(4,), members=FOUR,
)  # fmt: skip
LEARNING: Final = but(_MET, nodes={4: joining(4)})
#: graph-2 is away for long
AWAY: Final = but(
    settled(memory=Memory(alive={**ALIVE, 3: NOW - 1_000})),
    nodes={2: None},
    pods={2: pod(2, ready=False)},
)
SIX: Final = tuple(member(o, feature_level=6) for o in range(3))
#: versions are to be kept for an hour
KEPT: Final = configured(
    settled(spec=spec(history={"retention": "1h"})), feature_level=6, members=SIX
)
ALONE: Final[dict[str, Any]] = {"role": "follower", "leader_id": 0}
#: only graph-1 is left, with 90 entries
SURVIVOR: Final = configured(
    but(settled(), nodes={0: None, 2: None}, pods={1: pod(1, role="voter")}),
    **ALONE, last_index=90, last_term=4,
)  # fmt: skip
_FIVE: Final = configured(
    but(settled(5), nodes={0: None, 2: None, 3: None}, pods={1: pod(1, role="voter")}),
    **ALONE, last_index=90, last_term=4,
)  # fmt: skip
#: of five, graph-4 answers too: more entries, of an older term
BEHIND: Final = but(_FIVE, nodes={4: replace(_FIVE.nodes[4], last_index=99, last_term=3)})
OLD: Final = {o: pod(o, revision="old") for o in range(3)}


def consent(token: str, count: int = 3) -> ClusterSpec:
    """Typed by a person."""
    return spec(replicas=count, membership={"allowEven": True}, recovery={"acceptDataLoss": token})


CASES: Final[dict[str, tuple[Facts, type, str]]] = {
    # 1: left alone
    "being deleted": (settled(deleting=True, drifted=("Service/graph",)), a.Wait, "Deleting"),
    "wrong": (settled(spec=None, problem="spec.replicas"), a.Wait, "spec.replicas"),
    "paused": (settled(spec=spec(maintenance={"paused": True}), drifted=("x",)), a.Wait, "Paused"),
    # 2, 3: in any health
    "drifted": (settled(drifted=("Service/graph",)), a.ApplyObjects, "differ"),
    "larger volumes": (
        settled(spec=spec(storage={"size": "30Gi"})), a.GrowClaim, "data-graph-0 has 20Gi"),
    "larger volumes to come": (
        but(settled(spec=spec(storage={"size": "30Gi"})),
            claims={o: claim(o, requested="30Gi") for o in range(3)}),
        a.RecreateSet, "30Gi"),
    "a bad pod and a good apply": (
        but(settled(), pods={2: pod(2, ready=False, revision="bad", trouble="ImagePullBackOff")},
            nodes={2: None}),
        a.DeletePod, "not ready and not what is asked for"),
    "a pod that ended": (
        but(settled(), pods={1: pod(1, phase="Failed", ready=False)}), a.DeletePod, "ended"),
    "a label that lags": (but(settled(), pods={1: pod(1, role="leader")}), a.LabelPod, "voter"),
    "a claim without a name on it": (
        but(settled(), claims={1: claim(1, node_id=0, cluster_id="")}), a.LabelClaim, "node 2"),
    "a fence": (
        settled(annotations={names.ANNOTATION_FENCE: '["graph-2"]'}), a.Fence, "out of service"),
    "claims of another cluster": (
        but(settled(), claims={1: claim(1, cluster_id="other")}), a.Wait, "delete them, or take"),
    "what was turned off": (
        settled(left_over=(("NetworkPolicy/graph", "uid"),)), a.DeleteObject, "NetworkPolicy/graph is not"),
    # 4: birth
    "nobody answers yet": (EMPTY, a.Wait, "SeedStarting"),
    "the seed is up": (
        but(EMPTY, nodes={0: joining(0)}, pods={0: pod(0, role="joining")}), a.Latch, "first node"),
    "it is noted": (
        but(settled(latched_id=UID, seed_disk="empty-0"),
            claims={o: claim(o, node_id=0, cluster_id="") for o in range(3)},
            nodes={o: joining(o) for o in range(3)},
            pods={o: pod(o, role="joining", ready=False) for o in range(3)}),
        a.Bootstrap, "new"),
    "another disk than was noted": (
        but(settled(latched_id=UID, seed_disk="disk-0"),
            claims={o: claim(o, node_id=0, cluster_id="") for o in range(3)},
            nodes={o: joining(o) for o in range(3)},
            pods={o: pod(o, role="joining", ready=False) for o in range(3)}),
        a.Wait, "NoMemberAnswers"),
    "all disks empty, a claim remembers": (
        but(settled(latched_id=UID, seed_disk="empty-0"),
            nodes={o: joining(o) for o in range(3)},
            pods={o: pod(o, role="joining", ready=False) for o in range(3)}),
        a.Wait, "NoMemberAnswers"),
    "asleep": (settled(spec=spec(replicas=0)), a.SetReplicas, "spec.replicas is 0"),
    "awake": (settled(set=SetFact("set", "7", 0, "20Gi")), a.SetReplicas, "pods are wanted"),
    # 5: nobody can say
    "nobody leads": (
        configured(but(settled(), pods={0: pod(0, role="voter")}), role="follower", leader_id=0),
        a.Wait, "NoLeader"),
    "the leader is alone": (
        but(settled(), nodes={1: None, 2: None}), a.Wait, "QuorumNotProven"),
    "a majority is away": (SURVIVOR, a.Wait, f"set spec.recovery.acceptDataLoss to {UID}/2/90"),
    "two are enough to elect": (
        but(SURVIVOR, nodes={2: node(2, 3, **ALONE)}), a.Wait, "NoLeader"),
    "consent to another state": (
        replace(SURVIVOR, spec=consent(f"{UID}/2/89")), a.Wait, "of another state"),
    "consent": (replace(SURVIVOR, spec=consent(f"{UID}/2/90")), a.Recover, "goes on alone"),
    "consent, and one that is behind": (
        replace(BEHIND, spec=consent(f"{UID}/2/90", 5)), a.Fence, "graph-4 is given up"),
    "consent, and that one is fenced": (
        replace(but(BEHIND, nodes={4: replace(BEHIND.nodes[4], fenced="given up")}),
                spec=consent(f"{UID}/2/90", 5)),
        a.Recover, "goes on alone"),
    "consent to one that is fenced": (
        replace(configured(SURVIVOR, fenced="by hand"), spec=consent(f"{UID}/2/90")),
        a.Wait, "lift its fence"),
    "answers are old": (configured(settled(), age=9.0), a.Wait, "NoMemberAnswers"),
    # 6, 8: growing
    "more are wanted": (settled(spec=spec(replicas=5)), a.SetReplicas, "5 members"),
    "a pod waits to be let in": (
        but(settled(3, spec=spec(replicas=5), set=SetFact("set", "7", 5, "20Gi")),
            pods={3: pod(3, ready=False, role="joining")}, nodes={3: joining(3)}),
        a.AddLearner, "graph-3 is up"),
    "a learner is behind": (LEARNING, a.Wait, "LearnerCatchingUp"),
    "a learner keeps up": (
        but(LEARNING, memory=Memory(alive=ALIVE, kept_up={4: 3})), a.Promote, "keeps up"),
    "a learner that never does": (
        but(LEARNING, memory=Memory(alive=ALIVE, learner={4: NOW - 2_000})),
        a.RemoveMember, "joinDeadline"),
    "a change under way": (configured(settled(), outgoing=(1, 2, 3)), a.Wait, "ConfigChanging"),
    # 7: replacing
    "away for a moment": (
        but(AWAY, memory=Memory(alive={**ALIVE, 3: NOW - 60})), a.Wait, "Settled"),
    "away for long": (AWAY, a.RemoveMember, "is away"),
    "another was replaced just now": (
        but(AWAY, memory=Memory(alive={**ALIVE, 3: NOW - 1_000}, replaced=(NOW - 60,))),
        a.Wait, "ReplacementLimited"),
    "its disk is empty": (but(settled(), nodes={2: joining(2)}, pods={2: pod(2, role="joining")}),
        a.RemoveMember, "lost its disk"),
    "what a removed member left": (
        configured(but(settled(), nodes={2: joining(2)}, pods={2: pod(2, role="joining")}),
                   voters=(1, 2), members=tuple(member(o) for o in range(2))),
        a.LabelClaim, "node 3 was removed"),
    "what is marked": (
        configured(but(settled(), nodes={2: joining(2)}, pods={2: pod(2, role="joining")},
                       claims={2: claim(2, dead=True)}),
                   voters=(1, 2), members=tuple(member(o) for o in range(2))),
        a.DeleteClaim, "was removed"),
    # 9: rolling
    "the follower furthest behind first": (
        but(settled(), pods=OLD), a.DeletePod, "graph-2 is not what"),
    "the next waits until the last has settled": (
        but(settled(), pods={**OLD, 2: pod(2, ready_since=NOW - 3)}), a.Wait, "Settling"),
    "the next waits for one that starts": (
        but(settled(), pods={**OLD, 2: pod(2, ready=False)}), a.Wait, "PodNotReady"),
    "the next waits for one that lags": (
        configured(but(settled(), pods={**OLD, 2: pod(2)}),
                   members=(member(0), member(1), member(2, lag=900))),
        a.Wait, "VoterLagging"),
    "held": (but(settled(spec=spec(upgrade={"pause": True})), pods=OLD), a.Wait, "UpgradePaused"),
    "one first": (but(settled(spec=spec(upgrade={"canary": 1})), pods={**OLD, 2: pod(2)}),
        a.Wait, "Canary"),
    "the leader hands over first": (
        but(settled(), pods={0: pod(0, revision="old")}), a.Transfer, "leads before graph-0"),
    # 10: the level
    "everybody knows a higher level": (
        configured(settled(), members=tuple(member(o, feature_level=3) for o in range(3))),
        a.RaiseLevel, "level 3"),
    "by hand": (
        configured(settled(spec=spec(upgrade={"finalize": "Manual"})),
                   members=tuple(member(o, feature_level=3) for o in range(3))),
        a.Wait, "LevelWaits"),
    "history of an hour": (
        configured(KEPT, retention=math.inf), a.SetRetention, "kept for 3600 s"),
    "history of an hour, and it is so": (configured(KEPT, retention=3_600.0), a.Wait, "Settled"),
    "history for ever": (
        configured(settled(spec=spec(history={"retention": "forever"})), feature_level=6,
                   members=SIX, retention=60.0),
        a.SetRetention, "kept for ever"),
    "history is none of its business": (configured(settled(), retention=60.0), a.Wait, "Settled"),
    "history at a level that forgets nothing": (
        settled(spec=KEPT.spec), a.Wait, "RetentionWaits spec.history.retention needs feature level 6"),
    "history with a build that is not told": (KEPT, a.Wait, "RetentionWaits the leader's build"),
    # 11: shrinking
    "fewer are wanted": (settled(5, spec=spec(replicas=3)), a.Demote, "graph-4 is one more"),
    "fewer and newer are wanted, and nobody newer stays": (
        settled(3, spec=spec(replicas=1), pods={0: pod(0, revision="old"), 1: pod(1), 2: pod(2)}),
        a.Demote, "graph-2 is one more"),
    "one of two is one more": (
        settled(2, spec=spec(replicas=1)), a.Demote, "graph-1 is one more"),
    "the one too many has no vote": (
        configured(but(settled(5, spec=spec(replicas=3)), pods={4: pod(4, role="learner")}),
                   voters=(1, 2, 3, 4), learners=(5,)),
        a.RemoveMember, "graph-4 is one more"),
    "it is removed, its claim not marked": (
        but(configured(settled(4, spec=spec(replicas=3)), voters=(1, 2, 3),
                       members=tuple(member(o) for o in range(3))), nodes={3: None}),
        a.LabelClaim, "node 4 was removed"),
    "its pod goes last": (
        but(configured(settled(4, spec=spec(replicas=3)), voters=(1, 2, 3),
                       members=tuple(member(o) for o in range(3))), nodes={3: None},
            claims={3: claim(3, dead=True)}),
        a.SetReplicas, "3 members are left"),
    "its pod still ends": (
        but(settled(), pods={3: pod(3, deleting=True)}, claims={3: claim(3, dead=True)},
            nodes={3: node(3, 4)}),
        a.Wait, "PodsEnding"),
    # 12
    "a node has not read the settings": (
        but(settled(settings_hash="b"), nodes={1: node(1, settings_hash="a")}),
        a.Wait, "SettingsArriving graph-1 will read"),
    "all nodes that say so have read them": (
        but(settled(settings_hash="b"), nodes={1: node(1, settings_hash="b")}), a.Wait, "Settled"),
    "all is well": (settled(), a.Wait, "Settled"),
    "one is a cluster too": (settled(1), a.Wait, "Settled"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_row(name: str) -> None:
    facts, kind, text = CASES[name]
    what = decide(facts).what
    assert type(what) is kind, what
    said = f"{what.reason} {what.message}" if isinstance(what, a.Wait) else what.why
    if isinstance(what, a.LabelPod):
        said = what.role
    assert text in said, what


def test_every_action_has_a_row() -> None:
    wanted = {a.NodeAction, a.Action}
    every = {kind for kind in vars(a).values() if isinstance(kind, type)} - wanted - {a.Decision}
    every = {kind for kind in every if not issubclass(kind, a.TaskAction)}
    assert every - {kind for _, kind, _ in CASES.values()} - {type(None)} == {
        kind for kind in every if kind.__module__ != a.__name__
    }


def test_calls_on_the_group_say_what_they_rely_on() -> None:
    for facts, kind, _ in CASES.values():
        if issubclass(kind, a.NodeAction):
            what = decide(facts).what
            assert isinstance(what, a.NodeAction)
            assert (what.via, what.config_index) == (0, 40)
