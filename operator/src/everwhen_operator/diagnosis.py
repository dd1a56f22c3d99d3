"""What is wrong with a cluster, from what its nodes say of themselves. Each finding is a sentence
that names who, what and how much; a healthy cluster has none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from everwhen_operator import names
from everwhen_operator.decide.group import group_of
from everwhen_operator.model.actions import Wait
from everwhen_operator.model.facts import Facts
from everwhen_operator.nodes import node_fact

Object = dict[str, Any]
Report = Mapping[str, Any]
_DISK_PERCENT: Final = 85
_FINDINGS_MAX: Final = 50
#: problems of each node that are kept in the object
_PROBLEMS_MAX: Final = 10
_DIFFER: Final = (
    ("version", "run different builds"),
    ("configHash", "run with different settings"),
    ("featureLevelSupported", "know different feature levels"),
)
_KEPT: Final = (
    "role", "term", "nodeId", "version", "ready", "fenced", "lastIndex", "commitIndex",
    "appliedIndex", "appliedVersion", "oldestReadableTime", "counts", "digest", "configHash",
    "diskUsed", "diskFree", "memoryFree", "logBytes", "writesRefused", "openTransactions",
)  # fmt: skip


def judged(facts: Facts, answers: Mapping[int, Report | str]) -> tuple[list[str], list[Object]]:
    """Findings, and what is kept of each node's answer."""
    reports: dict[str, Report] = {}
    findings: list[str] = []
    kept: list[Object] = []
    for ordinal, answer in sorted(answers.items()):
        name = names.pod(facts.name, ordinal)
        if isinstance(answer, str):
            findings.append(f"{name} does not answer: {answer}")
            kept.append({"pod": name, "error": answer[:500]})
        else:
            reports[name] = answer
            kept.append(_kept(name, answer))
    group = group_of(facts)
    if isinstance(group, Wait):
        findings.insert(0, f"no majority confirms who leads: {group.message}")
    findings += _of_group(facts)
    for name, report in reports.items():
        findings += [f"{name} {each}" for each in _of_node(facts, report)]
    findings += _between(reports)
    return [each[:300] for each in findings[:_FINDINGS_MAX]], kept


def _status(report: Report) -> Mapping[str, Any]:
    found = report.get("status")
    return found if isinstance(found, Mapping) else {}


def _kept(name: str, report: Report) -> Object:
    status = _status(report)
    found = {key: status[key] for key in _KEPT if status.get(key) is not None}
    problems = [str(each)[:300] for each in report.get("problems") or ()][-_PROBLEMS_MAX:]
    return {"pod": name, **found, "problems": problems}


def _of_group(facts: Facts) -> Iterable[str]:
    """What only the leader knows."""
    group = group_of(facts)
    limit = 0 if facts.spec is None else facts.spec.upgrade.max_lag
    if isinstance(group, Wait):
        return
    for node_id in group.ids:
        member = group.members[node_id]
        who = member.name or f"node {node_id}"
        if node_id not in group.answers:
            yield f"{who} is a member and its pod does not answer"
        if member.lag is not None and member.lag > limit:
            yield f"{who} is {member.lag} entries behind"
        if node_id in group.learners:
            yield f"{who} has no vote yet"
    wanted = 0 if facts.spec is None else facts.spec.replicas
    if wanted and len(group.voters) != wanted:
        yield f"{len(group.voters)} members vote, and spec.replicas is {wanted}"


def _of_node(facts: Facts, report: Report) -> Iterable[str]:
    status = _status(report)
    node = node_fact(0, status)
    if node.role == "joining":
        yield "belongs to no cluster: its volume is empty"
        return
    if node.cluster_id != facts.cluster_id:
        yield f"belongs to another cluster, {node.cluster_id}"
    if node.fenced is not None:
        yield f"is out of service: {node.fenced}"
    elif not node.ready:
        yield "is not ready"
    if node.writes_refused:
        yield f"refuses writes: {node.writes_refused}"
    total = node.disk_used + node.disk_free
    if total and 100 * node.disk_used / total >= _DISK_PERCENT:
        yield f"has used {100 * node.disk_used / total:.0f} % of its volume"
    if node.commit_index - node.applied_index > 10_000:
        yield f"has {node.commit_index - node.applied_index} entries committed and not applied"
    problems = list(report.get("problems") or ())
    if problems:
        yield f"told of {len(problems)} problems, the last: {problems[-1]}"


def _between(reports: Mapping[str, Report]) -> Iterable[str]:
    """What should be the same on all of them."""
    for key, what in _DIFFER:
        values: dict[str, list[str]] = defaultdict(list)
        for name, report in reports.items():
            if _status(report).get(key) is not None:
                values[str(_status(report)[key])].append(name)
        if len(values) > 1:
            told = "; ".join(f"{', '.join(who)}: {value[:40]}" for value, who in values.items())
            yield f"nodes {what} ({told})"
    digests: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, report in reports.items():
        for index, digest in (report.get("digests") or {}).items():
            digests[int(index)][str(digest)].append(name)
    for index, found in sorted(digests.items()):
        if len(found) > 1:
            told = "; ".join(", ".join(who) for who in found.values())
            yield f"nodes computed different things up to entry {index} ({told})"
            return
