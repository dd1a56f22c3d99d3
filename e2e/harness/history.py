"""The load's pod, and what its history shows."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from e2e.harness.kubectl import Failed, Kube, Object, until
from e2e.load import ACCOUNTS, MONEY
from tests.checkers import appends, registers, sums
from tests.checkers.history import Operation, Outcome, Problem

POD: Final = "load"
IMAGE: Final = "localhost/everwhen-load:e2e"
_HISTORY: Final = "/tmp/history"
#: another client committed first to what this one had read or written
_CONFLICT: Final = "Neo.TransientError.Transaction.Outdated"
_WRITES: Final = frozenset({"write", "append-txn", "transfer", "insert"})


@dataclass
class History:
    """What the load did, by the wall clock of one pod."""

    operations: list[Operation]
    attempts: dict[int, int]
    #: why the driver tried an operation again, in its order
    retries: dict[int, list[str]]
    #: when each step of an operation was done, seconds from its beginning
    moments: dict[int, list[tuple[str, float]]]
    #: names that the driver asked for, and how long the answer took, seconds
    lookups: dict[int, list[tuple[str, float]]]
    end: dict[str, Any]
    outcomes: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = Counter(each.outcome.value for each in self.operations)

    def write_gap(self, start: float, end: float) -> float:
        """The longest time without an acknowledged write between two moments, seconds."""
        done = [each.end for each in self.operations if each.ok and each.kind in _WRITES]
        times = [start, *sorted(t for t in done if start < t < end), end]
        return max(b - a for a, b in pairwise(times))

    def slowest(self, *, with_conflicts: bool = False) -> float:
        """The longest transaction, with all its attempts, seconds. Those that another client was
        in the way of say nothing of the cluster: the driver waits a second before it tries again."""
        return max(map(self._took, self._done(with_conflicts=with_conflicts)), default=0.0)

    def _done(self, *, with_conflicts: bool) -> list[int]:
        return [
            number
            for number, each in enumerate(self.operations)
            if each.ok and (with_conflicts or _CONFLICT not in self.retries[number])
        ]

    def _took(self, number: int) -> float:
        return self.operations[number].end - self.operations[number].start

    def _tell_slowest(self, count: int) -> None:
        """Where the time of the longest transactions went."""
        began = min((each.start for each in self.operations), default=0.0)
        longest = sorted(self._done(with_conflicts=False), key=self._took)[-count:]
        for number in reversed(longest):
            each = self.operations[number]
            steps = ", ".join(f"{name} {at:.2f}" for name, at in self.moments[number])
            names = "".join(f", asked for {name} {took:.2f}" for name, took in self.lookups[number])
            print(
                f"  {each.kind} of client {each.client} at {each.start - began:.1f} s: {steps}, "
                f"done {self._took(number):.2f} s{names}"
            )

    def problems(self) -> list[Problem]:
        """Everything that no correct database could have answered."""
        lists = [each for each in self.operations if each.kind == "append-txn"]
        return [
            *registers.check(self.operations),
            *appends.check(lists),
            *appends.lost(self.operations, self.end["lists"]),
            *sums.bank(self.operations, ACCOUNTS * MONEY),
            *sums.members_of_set(self.operations, self.end["set"]),
        ]

    def tell(self, name: str) -> None:
        """Print the figures."""
        failed = Counter(each.error[:120] for each in self.operations if each.error)
        retried = Counter(why for each in self.retries.values() for why in each)
        conflicts = retried.pop(_CONFLICT, 0)
        most = max(self.attempts.values(), default=0)
        print(
            f"\n{name}: {self.outcomes['ok']} transactions done, {self.outcomes['failed']} failed, "
            f"{self.outcomes['unknown']} unknown; at most {most} attempts, "
            f"slowest {self.slowest():.2f} s ({self.slowest(with_conflicts=True):.2f} s with "
            f"{conflicts} conflicts between clients)"
        )
        self._tell_slowest(3)
        for reason, count in retried.most_common(5):
            print(f"  {count} x tried again: {reason}")
        for reason, count in failed.most_common(5):
            print(f"  {count} x {reason}")


class LoadPod:
    """Runs through a test; ``finish`` ends and judges it."""

    def __init__(self, kube: Kube, namespace: str, cluster: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._cluster = cluster

    def start(self) -> None:
        """Begin; returns once it works."""
        host = f"{self._cluster}.{self._namespace}.svc.cluster.local"
        made = pod_of(POD, self._namespace, self._cluster)
        made["spec"]["containers"][0]["args"] = [
            f"neo4j://{host}:7687", "/etc/auth/password", _HISTORY,
        ]  # fmt: skip
        self._kube.apply(made)
        until(lambda: self.operations() > 50, 90, "the load works")

    def operations(self) -> int:
        """How many transactions have ended so far."""
        return int(self._in_pod("sh", "-c", f"wc -l < {_HISTORY}").strip() or 0)

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Until so many more have ended."""
        before = self.operations()
        until(lambda: self.operations() >= before + more, seconds, f"{more} more transactions")

    def run_for(self, seconds: float) -> None:
        """Let it work for a while."""
        end = time.monotonic() + seconds
        until(lambda: time.monotonic() >= end, seconds + 5, "time passes")

    def finish(self) -> History:
        """Stop, fetch, remove."""
        self._in_pod("touch", f"{_HISTORY}.stop")
        until(lambda: self._in_pod("ls", f"{_HISTORY}.end"), 60, "the load has ended")
        lines = self._in_pod("cat", _HISTORY).splitlines()
        if folder := os.environ.get("E2E_HISTORIES"):
            kept = Path(folder) / f"{self._namespace}-{time.time():.0f}.jsonl"
            kept.write_text("\n".join(lines), encoding="utf-8")
        end = json.loads(self._in_pod("cat", f"{_HISTORY}.end"))
        self._kube.delete("pod", POD, self._namespace, "--now", "--wait=false")
        read = [json.loads(line) for line in lines]
        return History(
            [_operation(line) for line in read],
            {number: line["attempts"] for number, line in enumerate(read)},
            {number: line["retries"] for number, line in enumerate(read)},
            {number: line["moments"] for number, line in enumerate(read)},
            {number: line["lookups"] for number, line in enumerate(read)},
            end,
        )

    def _in_pod(self, *command: str) -> str:
        return self._kube("exec", POD, "-n", self._namespace, "--", *command)


def pod_of(name: str, namespace: str, cluster: str) -> Object:
    """A pod of the load's image, which has a driver, and the cluster's password."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": name,
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    # as much of a busy machine as a member gets: without a request it gets what
                    # members that start leave over, and its own waits would count as theirs
                    "resources": {"requests": {"cpu": "100m"}},
                    "volumeMounts": [{"name": "auth", "mountPath": "/etc/auth"}],
                }
            ],
            "volumes": [{"name": "auth", "secret": {"secretName": f"{cluster}-auth"}}],
        },
    }


def _operation(line: dict[str, Any]) -> Operation:
    result = line.get("result")
    if line["kind"] == "append-txn":
        line["arguments"]["steps"] = [tuple(step) for step in line["arguments"]["steps"]]
        result = None if result is None else [tuple(step) for step in result]
    made = Operation(line["client"], line["start"], line["kind"], line["arguments"])
    made.outcome = Outcome(line["outcome"])
    made.result = result
    made.error = line.get("error", "")
    if made.outcome is not Outcome.UNKNOWN:
        made.end = line["end"]
    return made


def node_of(kube: Kube, namespace: str, pod: str) -> str:
    """Where a pod runs.

    :raises Failed: there is no such pod.
    """
    found = kube.get("pod", pod, namespace)
    if found is None:
        raise Failed(f"there is no pod {pod}")
    return str(found["spec"]["nodeName"])
