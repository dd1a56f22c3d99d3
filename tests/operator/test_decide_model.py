"""``decide`` runs a model cluster while users change their minds, pods fail, observations are old
and operators die between two writes: nothing forbidden is done, and once that stops it arrives.

The numbers in messages: 4, a voluntary step leaves a majority; 5, 18 and 27, one cluster, founded
once; 6, no member without its pod; 7, no volume of a member deleted, none shrinks; 8, never the
leader's pod while others vote; 9, no level that not every member supports.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from everwhen_operator.decide import decide
from everwhen_operator.decide.memory import noted, with_memory
from everwhen_operator.model import actions as a
from everwhen_operator.model import tasks as t
from everwhen_operator.model.facts import Facts, Memory
from everwhen_operator.model.spec import ClusterSpec, parse_spec
from tests.operator.model_cluster import LEVEL, UID, Cluster
from tests.operator.model_observation import observe
from tests.operator.model_tasks import Refused, Task

EXAMPLES: Final = int(os.environ.get("EXAMPLES", "150"))
#: looks until everything must be as asked for: each a minute, and a replacement an hour
LOOKS: Final = 900
ORDINALS: Final = st.integers(0, 4)
#: what goes on while a task is worked on; mostly it goes well
SCRIPT: Final = (
    "look", "look", "look", "look", "go_on", "kubernetes", "start_pods", "group", "crash", "cut",
)  # fmt: skip


class Operator:
    """One process: its epoch, what it remembers and what it saw last."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.memory = Memory()
        self.seen: Facts | None = None

    def look(self, cluster: Cluster) -> Facts:
        facts = with_memory(observe(cluster, self.memory))
        self.memory = facts.memory
        self.seen = facts
        return facts


class Machine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, object] = {
            "version": "1.0.0",
            "replicas": 3,
            "membership": {"allowEven": True, "maxReplacementsPerHour": 60},
        }
        self.cluster = Cluster(self.spec())
        self.operators = [Operator(1)]
        self.sizes: dict[str, float] = {}
        #: volumes that failed, of members: more than a minority of them cannot be healed
        self.lost = 0
        self.asked_tasks = 0

    def spec(self) -> ClusterSpec:
        return parse_spec(self.asked)

    def ask(self, **more: object) -> None:
        self.asked |= more
        self.cluster.spec = self.spec()

    @initialize(replicas=st.sampled_from([0, 1, 3, 4, 5]))
    def begin(self, replicas: int) -> None:
        """Most begin with a cluster that is all it should be."""
        if replicas:
            self.ask(replicas=replicas)
            self.arrive()

    # --- what users want ---

    @rule(replicas=st.sampled_from([1, 2, 3, 4, 5]))
    def scale(self, replicas: int) -> None:
        self.ask(replicas=replicas)

    @rule(version=st.sampled_from(["1.0.0", "1.1.0", "bad"]))
    def upgrade(self, version: str) -> None:
        self.ask(version=version)

    @rule(pause=st.booleans())
    def pause_upgrade(self, pause: bool) -> None:
        self.ask(upgrade={"pause": pause})

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.ask(maintenance={"paused": paused})

    @rule()
    def hibernate(self) -> None:
        self.ask(replicas=0)

    @rule(retention=st.sampled_from([None, "1h", "forever"]))
    def keep_history(self, retention: str | None) -> None:
        self.ask(history={"retention": retention})

    @precondition(lambda self: self.cluster.group is not None)
    @rule(seconds=st.sampled_from([60.0, math.inf]))
    def alter_database(self, seconds: float) -> None:
        """By a statement, past the operator."""
        assert self.cluster.group is not None
        self.cluster.group.retention = seconds

    @rule()
    def enlarge(self) -> None:
        self.ask(storage={"size": "30Gi"})

    @rule(
        action=st.sampled_from(t.ACTIONS),
        ordinals=st.lists(ORDINALS, max_size=3, unique=True),
        lift=st.booleans(),
    )
    def ask_for_a_task(self, action: str, ordinals: list[int], lift: bool) -> None:
        """As the schema lets people."""
        if action in (t.REPLACE, t.FENCE) and not ordinals:
            return
        pods = tuple(f"graph-{o}" for o in ordinals)
        one = action in (t.REPLACE, t.TRANSFER)
        self.asked_tasks += 1
        task = Task(
            f"task-{self.asked_tasks}", action, pods[:1] if one else pods,
            lift and action == t.FENCE, self.cluster.now,
        )  # fmt: skip
        self.cluster.tasks[task.name] = task

    @precondition(lambda self: self.cluster.group is not None and self.cluster.pods)
    @rule(
        action=st.sampled_from((t.RESTART, t.REPLACE, t.TRANSFER, t.FENCE)),
        which=st.integers(0, 4),
        script=st.lists(st.sampled_from(SCRIPT), min_size=4, max_size=25),
        ordinal=ORDINALS,
    )
    def a_task_while_things_fail(
        self, action: str, which: int, script: list[str], ordinal: int
    ) -> None:
        """One about a pod that is there; what goes on and what fails come in any order."""
        ordinals = sorted(self.cluster.pods)
        self.ask_for_a_task(action, [ordinals[which % len(ordinals)]], lift=False)
        for step in script:
            if step == "look":
                self.look_and_act(0)
                self.cluster.now += 5
            elif step in ("crash", "cut"):
                getattr(self, step)(ordinal)
            else:
                getattr(self, step)()

    @rule(number=st.integers(1, 9))
    def withdraw_a_task(self, number: int) -> None:
        self.cluster.tasks.pop(f"task-{number}", None)

    # --- what happens ---

    @rule(ordinal=ORDINALS)
    def crash(self, ordinal: int) -> None:
        if ordinal in self.cluster.pods:
            self.cluster.pods[ordinal].up = False

    @rule(ordinal=ORDINALS)
    def delete_pod(self, ordinal: int) -> None:
        if ordinal in self.cluster.pods:
            pod = self.cluster.pods[ordinal]
            pod.deleting, pod.up = True, False

    @rule(ordinal=ORDINALS)
    def cut(self, ordinal: int) -> None:
        if ordinal in self.cluster.pods:
            self.cluster.pods[ordinal].cut = True

    @rule()
    def heal(self) -> None:
        for pod in self.cluster.pods.values():
            pod.cut = False

    @precondition(lambda self: self.lost == 0 and self.cluster.group is not None)
    @rule(ordinal=ORDINALS)
    def lose_volume(self, ordinal: int) -> None:
        """One, and only while the others decide without it."""
        cluster, claim = self.cluster, self.cluster.claims.get(ordinal)
        assert cluster.group is not None
        if claim is None or not claim.disk.node_id:
            return
        rest = [one for one in cluster.group.voters if one != claim.disk.node_id]
        if not rest or len(rest) * 2 <= len(cluster.group.voters):
            return
        self.lost += 1
        del cluster.claims[ordinal]
        cluster.pods.pop(ordinal, None)

    @rule()
    def kubernetes(self) -> None:
        self.cluster.kubernetes()

    @rule()
    def start_pods(self) -> None:
        self.cluster.start_pods()

    @rule()
    def group(self) -> None:
        self.cluster.elect()
        self.cluster.catch_up()

    @rule(seconds=st.sampled_from([1.0, 60.0, 1_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.cluster.now += seconds

    # --- what operators do ---

    @rule(count=st.integers(1, 8))
    def all_goes_on(self, count: int) -> None:
        """Several looks while Kubernetes and the group do what they have to do."""
        for _ in range(count):
            self.go_on()
            self.look_and_act(0)
            self.cluster.now += 5

    @rule(which=st.integers(0, 1))
    def look(self, which: int) -> None:
        """And be slow to act on it."""
        self.operators[min(which, len(self.operators) - 1)].look(self.cluster)

    @rule(which=st.integers(0, 1))
    def act_on_what_was_seen(self, which: int) -> None:
        operator = self.operators[min(which, len(self.operators) - 1)]
        if operator.seen is not None:
            seen = replace(operator.seen, memory=operator.memory)
            self.carry_out(operator, seen, fresh=False)

    @rule()
    def operator_restarts(self) -> None:
        """With nothing remembered, under a later epoch; the old one may not know yet."""
        self.operators = [Operator(self.operators[0].epoch + 1), self.operators[0]]

    def look_and_act(self, which: int) -> a.Action | a.Wait:
        operator = self.operators[which]
        return self.carry_out(operator, operator.look(self.cluster), fresh=True)

    def carry_out(self, operator: Operator, seen: Facts, *, fresh: bool) -> a.Action | a.Wait:
        what = decide(seen).what
        if isinstance(what, a.Wait):
            return what
        # (the object is read again before anything is done about it)
        if not isinstance(what, a.FinishTask):
            assert not (fresh and self.cluster.spec.paused), what
        group = self.cluster.group
        # one or two voters never decide without one of them: they are replaced all the same
        before = self.healthy() and group is not None and len(group.voters) > 2
        try:
            self.check_before(what, fresh=fresh)
            self.cluster.act(what, seen, operator.epoch)
        except Refused:
            assert not fresh or operator is not self.operators[0], f"refused: {what}"
            return what
        operator.memory = noted(operator.memory, what, self.cluster.now)
        if fresh and before:
            assert self.healthy(), f"4: {what} took the majority"
        return what

    def healthy(self) -> bool:
        group = self.cluster.group
        return group is not None and self.cluster.healthy(group.voters)

    def check_before(self, what: a.Action, *, fresh: bool) -> None:
        """What no action may do; what depends on the moment only for fresh observations."""
        cluster, group = self.cluster, self.cluster.group
        claims = {claim.uid: claim for claim in cluster.claims.values()}
        ids = [] if group is None else [*group.voters, *group.learners]
        if isinstance(what, a.DeleteClaim) and what.uid in claims:
            claim = claims[what.uid]
            assert claim.disk.node_id not in ids, "7: the volume of a member"
        if isinstance(what, a.SetReplicas) and what.replicas and group is not None:
            ordinals = [
                ordinal
                for ordinal, claim in cluster.claims.items()
                if claim.disk.node_id in ids and not claim.deleting
            ]
            if fresh:
                assert what.replicas > max(ordinals, default=-1), "6: a member's pod"
        if isinstance(what, a.DeletePod) and fresh and group is not None and cluster.leads:
            leading = cluster.pod_of(group.leader)
            if leading is not None and cluster.pods[leading].uid == what.uid:
                assert len(group.voters) == 1, "8: the leader's pod while others vote"
        if isinstance(what, a.Fence) and what.fenced and fresh and group is not None:
            fenced = cluster.claims[what.ordinal].disk.node_id
            rest = [one for one in group.voters if one != fenced]
            assert any(map(cluster.may_lead, rest)), "nobody is left to lead"
            assert fenced != group.leader or not cluster.leads, "8: the leader is fenced"
        if isinstance(what, a.SetRetention) and fresh:
            assert what.seconds == cluster.spec.retention, "nobody asked for it"
        if isinstance(what, a.RaiseLevel):
            assert what.level <= LEVEL, "9: a level that not every member supports"

    @invariant()
    def volumes_never_shrink(self) -> None:
        """7."""
        sizes = self.cluster.sizes()
        for uid, size in sizes.items():
            assert size >= self.sizes.get(uid, 0)
        self.sizes = sizes

    @invariant()
    def one_cluster(self) -> None:
        """5, 18 and 27."""
        assert self.cluster.founded <= 1
        assert self.cluster.latched[0] in ("", UID)

    # --- and then it stops ---

    def teardown(self) -> None:
        """Faults are over: what is asked for comes about."""
        if self.asked["version"] == "bad":
            self.ask(version="1.2.0")
        self.ask(maintenance={}, upgrade={})
        self.heal()
        # what is out of service is brought back by whoever took it out
        self.cluster.fenced.clear()
        for task in self.cluster.tasks.values():
            # those still to come fence nobody
            if task.action == t.FENCE and task.phase in ("Pending", "Running"):
                task.lift = True
        self.arrive()
        open_ = [each for each in self.cluster.tasks.values() if each.finished == 0.0]
        assert not open_, f"never finished: {open_}"
        assert len(self.cluster.tasks) <= t.FINISHED_KEPT

    def go_on(self) -> None:
        self.cluster.kubernetes()
        self.cluster.start_pods()
        self.cluster.elect()
        self.cluster.catch_up()

    def arrive(self) -> None:
        """Look and act until there is nothing more to do."""
        what: a.Action | a.Wait | None = None
        for _ in range(LOOKS):
            self.go_on()
            what = self.look_and_act(0)
            self.volumes_never_shrink()
            if isinstance(what, a.Wait):
                if what.reason in ("Settled", "Hibernated") and not self.open_tasks():
                    break
                self.cluster.now += 60
        self.arrived(what)

    def open_tasks(self) -> bool:
        return any(task.finished == 0.0 for task in self.cluster.tasks.values())

    def arrived(self, what: a.Action | a.Wait | None) -> None:
        cluster, wanted = self.cluster, self.cluster.spec.replicas
        assert isinstance(what, a.Wait), what
        if not wanted:
            assert what.reason == "Hibernated"
            assert not [pod for pod in cluster.pods.values() if not pod.deleting]
            return
        assert what.reason == "Settled", what
        assert cluster.group is not None
        assert len(cluster.group.voters) == wanted
        assert not cluster.group.learners
        assert cluster.spec.retention in (None, cluster.group.retention)
        assert all(pod.revision == cluster.revision for pod in cluster.pods.values())


Machine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestDecide = Machine.TestCase
