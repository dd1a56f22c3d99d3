"""All objects a cluster should have now, and which of them differ from what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from everwhen_operator import names
from everwhen_operator.build import objects as build
from everwhen_operator.build import stateful
from everwhen_operator.build.objects import Object, Owner
from everwhen_operator.decide.birth import extent
from everwhen_operator.model.facts import Facts
from everwhen_operator.model.quantities import amount
from everwhen_operator.model.spec import ClusterSpec

#: kinds of objects that a cluster may have to have no more
_OPTIONAL: Final = frozenset({"Service", "NetworkPolicy", "ServiceMonitor"})


def voters_of(facts: Facts, spec: ClusterSpec) -> int:
    """By which the disruption budget counts: those there are, or will be."""
    known = [node for node in facts.members().values() if node.role == "leader"]
    living = len(max(known, key=lambda node: node.term).voters) if known else 0
    return living or spec.replicas


def desired(
    facts: Facts,
    spec: ClusterSpec,
    owner: Owner,
    live: Mapping[str, Object],
    *,
    image: str,
    monitors: bool,
) -> dict[str, Object]:
    """By ``Kind/name``; the order is that of making them."""
    found = [build.config_map(owner, spec), *build.services(owner)]
    found.append(build.disruption_budget(owner, voters_of(facts, spec)))
    if build.network_policy_wanted(spec):
        found.append(build.network_policy(owner, spec))
    if spec.external is not None:
        pods = max(spec.replicas or extent(facts), max(facts.pods, default=-1) + 1)
        found += build.external_services(owner, spec.external, pods)
    if monitors and build.monitor_wanted(spec):
        found.append(build.service_monitor(owner))
    made = {build.reference(each): build.stamped(each) for each in found}
    there = live.get(f"StatefulSet/{names.stateful_set(owner.name)}")
    made.update(_stateful_set(facts, spec, owner, there, image))
    return made


def _stateful_set(
    facts: Facts, spec: ClusterSpec, owner: Owner, live: Object | None, image: str
) -> dict[str, Object]:
    restarted = facts.annotations.get(names.ANNOTATION_RESTARTED_AT)
    template = stateful.pod_template(owner, spec, image, restarted)
    claim = None
    if live is not None:
        there = live["spec"]["volumeClaimTemplates"][0]
        size = there["spec"]["resources"]["requests"]["storage"]
        if amount(size) >= amount(spec.storage.size):
            kept = {key: there["spec"][key] for key in ("accessModes", "resources")}
            if "storageClassName" in there["spec"]:
                kept["storageClassName"] = there["spec"]["storageClassName"]
            labels = there["metadata"].get("labels", {})
            claim = {"metadata": {"name": names.CLAIM, "labels": labels}, "spec": kept}
    # the hash is of everything but the number of pods, which has actions of its own
    made = build.stamped(stateful.stateful_set(owner, spec, template, 0, claim))
    if live is not None:
        replicas = int(live["spec"].get("replicas", 1))
        made["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    else:
        pods = max(facts.pods, default=-1) + 1
        replicas = max(extent(facts), pods) or spec.replicas
    made["spec"] = {**made["spec"], "replicas": replicas}
    return {build.reference(made): made}


def drifted(wanted: Mapping[str, Object], live: Mapping[str, Object]) -> tuple[str, ...]:
    """What must be applied: missing, made from another wish, or changed by somebody."""
    return tuple(
        name
        for name, made in wanted.items()
        if (there := live.get(name)) is None
        or _stamp(there) != _stamp(made)
        or (made["kind"] != "StatefulSet" and not within(made, there))
    )


def left_over(
    wanted: Mapping[str, Object], live: Mapping[str, Object], owner: Owner
) -> tuple[tuple[str, str], ...]:
    """What the operator made for this cluster, and is not wanted any more: ``Kind/name`` and uid."""
    return tuple(
        (name, there["metadata"]["uid"])
        for name, there in live.items()
        if name not in wanted
        and there["kind"] in _OPTIONAL
        and not there["metadata"].get("deletionTimestamp")
        and names.ANNOTATION_APPLIED in (there["metadata"].get("annotations") or {})
        and any(each["uid"] == owner.uid for each in there["metadata"].get("ownerReferences", ()))
    )


def _stamp(made: Object) -> str | None:
    found = (made["metadata"].get("annotations") or {}).get(names.ANNOTATION_APPLIED)
    return None if found is None else str(found)


def within(wanted: Any, there: Any) -> bool:
    """Whether everything that is wanted is there, whatever else is."""
    if isinstance(wanted, Mapping):
        if not isinstance(there, Mapping):
            return not wanted and there is None
        return all(within(value, there.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(there, list):
            return not wanted and there is None
        return len(wanted) == len(there) and all(map(within, wanted, there))
    return bool(wanted == there)
