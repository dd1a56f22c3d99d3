"""Settings that running nodes take over: from the file in their pod, once the kubelet has brought
the new one, which takes it about a minute."""

from __future__ import annotations

from everwhen_operator.decide.group import Group
from everwhen_operator.decide.roll import staying
from everwhen_operator.model.actions import Wait
from everwhen_operator.model.facts import Facts
from everwhen_operator.model.spec import ClusterSpec


def arrive(facts: Facts, group: Group, spec: ClusterSpec) -> Wait | None:
    """Who has not read them yet. Outdated pods read them when they are replaced, and earlier builds
    do not say."""
    late = [
        pod.name
        for pod in staying(facts, spec)
        if pod.revision == facts.revision
        and (node := facts.nodes.get(pod.ordinal)) is not None
        and node.settings_hash not in (None, facts.settings_hash)
    ]
    if not late:
        return None
    return Wait(
        "SettingsArriving", f"{', '.join(late)} will read the new settings shortly", soft=True
    )
