"""What a GraphCluster asks for. The schema in ``crds/`` checks and fills in; this reads it again,
so that an object that slipped past it is named in a condition and nothing is done about it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from everwhen_operator.model.quantities import amount, seconds

REPLICAS_MAX: Final = 9
FOREVER: Final = "forever"
_RETENTION: Final = re.compile(r"[1-9][0-9]{0,6}[smhd]")
Json = Mapping[str, Any]
_EMPTY: Final[Json] = {}


class SpecInvalid(ValueError):
    """The object asks for something that cannot be; says what to change."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How pods are replaced by newer ones."""

    pause: bool = False
    canary: int = 0
    min_ready_seconds: float = 10
    max_lag: int = 500
    finalize: Literal["Auto", "Manual"] = "Auto"


@dataclass(frozen=True, slots=True)
class Membership:
    """Bounds on changes of who votes."""

    join_deadline: float = 1_800
    replace_after: float = 900
    max_replacements_per_hour: int = 1
    allow_even: bool = False


@dataclass(frozen=True, slots=True)
class Storage:
    """The claim of each pod."""

    size: str = "20Gi"
    class_name: str | None = None
    when_scaled: Literal["Retain", "Delete"] = "Retain"
    when_deleted: Literal["Retain", "Delete"] = "Retain"


@dataclass(frozen=True, slots=True)
class External:
    """How clients outside reach each pod: by a name under ``domain``."""

    domain: str
    port: int = 7_687
    kind: Literal["LoadBalancer", "ClusterIP"] = "LoadBalancer"
    annotations: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """``spec``, read. Parts that are handed on as they are stay JSON."""

    replicas: int = 3
    version: str = ""
    image: str | None = None
    upgrade: Upgrade = Upgrade()
    membership: Membership = Membership()
    storage: Storage = Storage()
    #: seconds that versions are kept, infinity for ever; None: whoever asks the database says it
    retention: float | None = None
    #: settings by group; a change of ``restart`` rolls the pods, running nodes take ``hot`` over
    restart: Json = field(default_factory=dict)
    hot: Json = field(default_factory=dict)
    resources: Json = field(default_factory=dict)
    scheduling: Json = field(default_factory=dict)
    network: Json = field(default_factory=dict)
    monitoring: Json = field(default_factory=dict)
    cluster_domain: str = "cluster.local"
    external: External | None = None
    admin_secret: str | None = None
    paused: bool = False
    accept_data_loss: str | None = None
    pod_template: Json = field(default_factory=dict)


class _Reader:
    """Takes values out of an object and remembers what was wrong with them."""

    def __init__(self, value: object, path: str) -> None:
        self.problems: list[str] = []
        self._value = self._object(value, path)
        self._path = path

    def _object(self, value: object, path: str) -> Json:
        if value is None:
            return _EMPTY
        if not isinstance(value, Mapping):
            self.problems.append(f"{path} must be an object")
            return _EMPTY
        return value

    def child(self, name: str) -> _Reader:
        made = _Reader(self._value.get(name), f"{self._path}.{name}")
        made.problems = self.problems
        return made

    def json(self, name: str) -> Json:
        return self._object(self._value.get(name), f"{self._path}.{name}")

    def groups(self, name: str) -> Json:
        """Objects by name."""
        found = self.json(name)
        for key, value in found.items():
            if not isinstance(value, Mapping):
                self.problems.append(f"{self._path}.{name}.{key} must be an object")
        return found

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self._value.get(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.problems.append(f"{self._path}.{name} must be a whole number, {low} to {high}")
            return default
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._value.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.problems.append(f"{self._path}.{name} must be true or false")
            return default
        return value

    def text(self, name: str) -> str | None:
        value = self._value.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self.problems.append(f"{self._path}.{name} must be a text")
            return None
        return value

    def duration(self, name: str, default: float) -> float:
        value = self.text(name)
        if value is None:
            return default
        try:
            return seconds(value)
        except ValueError as error:
            self.problems.append(f"{self._path}.{name}: {error}")
            return default

    def name_of(self, name: str) -> str | None:
        """A reference: a name, or an object that has one."""
        value = self._value.get(name)
        return self.child(name).text("name") if isinstance(value, Mapping) else self.text(name)


def parse_spec(value: object) -> ClusterSpec:
    """``spec`` of a GraphCluster.

    :raises SpecInvalid: with everything that is wrong with it.
    """
    reader = _Reader(value, "spec")
    membership = _membership(reader.child("membership"))
    replicas = reader.number("replicas", 3, 0, REPLICAS_MAX)
    if replicas and replicas % 2 == 0 and not membership.allow_even:
        reader.problems.append(
            "spec.replicas must be odd (or 0 to hibernate): an even number of voters survives no "
            "more failures than one fewer; set spec.membership.allowEven to have it all the same"
        )
    config = reader.child("config")
    spec = ClusterSpec(
        replicas=replicas,
        version=reader.text("version") or "",
        image=reader.text("image"),
        upgrade=_upgrade(reader.child("upgrade")),
        membership=membership,
        storage=_storage(reader.child("storage")),
        retention=_retention(reader.child("history")),
        restart=config.groups("restart"),
        hot=config.groups("hot"),
        resources=reader.json("resources"),
        scheduling=reader.json("scheduling"),
        network=reader.json("network"),
        monitoring=reader.json("monitoring"),
        cluster_domain=reader.child("network").text("clusterDomain") or "cluster.local",
        external=_external(reader.child("network").child("external")),
        admin_secret=reader.child("auth").name_of("adminSecretRef"),
        paused=reader.child("maintenance").flag("paused"),
        accept_data_loss=reader.child("recovery").text("acceptDataLoss"),
        pod_template=reader.json("podTemplate"),
    )
    if spec.image is None and not spec.version:
        reader.problems.append("spec.version or spec.image must say which build to run")
    if reader.problems:
        raise SpecInvalid("; ".join(reader.problems))
    return spec


def _retention(reader: _Reader) -> float | None:
    text = reader.text("retention")
    if text is None:
        return None
    if text == FOREVER:
        return math.inf
    if _RETENTION.fullmatch(text) is None:
        reader.problems.append(
            "spec.history.retention must be a number of s, m, h or d, as 30d, or forever"
        )
        return None
    return seconds(text)


def _upgrade(reader: _Reader) -> Upgrade:
    return Upgrade(
        pause=reader.flag("pause"),
        canary=reader.number("canary", 0, 0, REPLICAS_MAX),
        min_ready_seconds=reader.number("minReadySeconds", 10, 0, 3_600),
        max_lag=reader.number("maxLag", 500, 0, 1_000_000),
        finalize="Manual" if reader.text("finalize") == "Manual" else "Auto",
    )


def _membership(reader: _Reader) -> Membership:
    return Membership(
        join_deadline=reader.duration("joinDeadline", 1_800),
        replace_after=reader.duration("replaceAfter", 900),
        max_replacements_per_hour=reader.number("maxReplacementsPerHour", 1, 0, 60),
        allow_even=reader.flag("allowEven"),
    )


def _external(reader: _Reader) -> External | None:
    domain = reader.text("domain")
    if domain is None:
        return None
    return External(
        domain=domain,
        port=reader.number("port", 7_687, 1, 65_535),
        kind="ClusterIP" if reader.text("type") == "ClusterIP" else "LoadBalancer",
        annotations=reader.json("annotations"),
    )


def _storage(reader: _Reader) -> Storage:
    size = reader.text("size") or "20Gi"
    try:
        amount(size)
    except ValueError as error:
        reader.problems.append(f"spec.storage.size: {error}")
    kept = reader.child("retention")
    return Storage(
        size=size,
        class_name=reader.text("className"),
        when_scaled="Delete" if kept.text("whenScaled") == "Delete" else "Retain",
        when_deleted="Delete" if kept.text("whenDeleted") == "Delete" else "Retain",
    )
