"""What whoever runs a node may choose: one frozen struct, made once at start, passed as an argument.

A value comes from the last of these that names it: the default here, the TOML file, the environment
(``EVERWHEN_HTTP_PORT`` is ``port`` in ``[http]``), a flag. A name that nobody knows is an error, with
the nearest known one: a misspelt limit must not silently stay at its default. Nothing here reads a
file or the environment: the command line hands in both.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from types import UnionType
from typing import Any, Final, get_args, get_type_hints

from everwhen.errors import SettingsInvalid
from everwhen.settings_doors import BoltSettings, HttpSettings, TlsSettings
from everwhen.settings_groups import (
    AuditSettings,
    AuthSettings,
    ClusterSettings,
    CompactionSettings,
    HeadroomSettings,
    ImportSettings,
    LimitSettings,
    LogSettings,
    NodeSettings,
    StorageSettings,
    VacuumSettings,
)
from everwhen.settings_values import as_kind, as_toml_value, unknown

_PREFIX: Final = "EVERWHEN_"
#: read by other commands than ``serve``, so not unknown to it
_ELSEWHERE: Final = frozenset({"CONFIG", "URI", "USER", "PASSWORD"})
#: what Kubernetes puts into every pod for a service called everwhen, everwhen-http, ...
_SERVICE_LINK: Final = re.compile(r".*_?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")
_SERVICE_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. ``sources`` tells where each value that is not a default came from."""

    node: NodeSettings = NodeSettings()
    http: HttpSettings = HttpSettings()
    bolt: BoltSettings = BoltSettings()
    auth: AuthSettings = AuthSettings()
    cluster: ClusterSettings = ClusterSettings()
    limits: LimitSettings = LimitSettings()
    headroom: HeadroomSettings = HeadroomSettings()
    tls: TlsSettings = TlsSettings()
    storage: StorageSettings = StorageSettings()
    vacuum: VacuumSettings = VacuumSettings()
    compaction: CompactionSettings = CompactionSettings()
    imports: ImportSettings = ImportSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def listing(self) -> Iterator[tuple[str, str, str, bool]]:
        """Name, value as text (secrets hidden, unset empty), description and whether a running
        node takes it over, of every setting."""
        for name, item, value in self._values():
            hidden = item.metadata["secret"] and value is not None
            shown = "(hidden)" if hidden else "" if value is None else str(value)
            yield name, shown, item.metadata["text"], item.metadata["hot"]

    def as_toml(self) -> str:
        """A settings file that says the same (secrets left out), every line explained."""
        lines: list[str] = []
        group = ""
        for name, item, value in self._values():
            now, key = name.split(".")
            if now != group:
                lines += ["", f"[{now}]"]
                group = now
            unset = value is None or item.metadata["secret"]
            lines.append(f"# {item.metadata['text']}")
            lines.append(f"# {key} =" if unset else f"{key} = {as_toml_value(value)}")
        return "\n".join(lines[1:]) + "\n"

    def with_hot(self, other: Settings) -> Settings:
        """These, with those of ``other`` that a running node takes over."""
        groups = {}
        for group, kind in _GROUPS.items():
            theirs = getattr(other, group)
            hot = {f.name: getattr(theirs, f.name) for f in fields(kind) if f.metadata["hot"]}
            groups[group] = replace(getattr(self, group), **hot)
        return replace(self, **groups)

    def differing(self, other: Settings) -> list[str]:
        """Names of the settings of which ``other`` says something else."""
        pairs = zip(self._values(), other._values(), strict=True)
        return [name for (name, _, mine), (_, _, theirs) in pairs if mine != theirs]

    def _values(self) -> Iterator[tuple[str, Field[Any], Any]]:
        for name, item in _known().items():
            group, key = name.split(".")
            yield name, item, getattr(getattr(self, group), key)


def load(
    *,
    file: tuple[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """The settings of a node.

    ``file`` is name and text of a TOML file, ``flags`` has names as in ``http.port``; a flag that
    is None was not given.
    """
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for source, name, raw in (
        *(_from_file(*file) if file else ()),
        *_from_environment(environment or {}),
        *(("flag", name, raw) for name, raw in (flags or {}).items() if raw is not None),
    ):
        values[name] = _convert(source, name, raw)
        sources[name] = source
    groups = {}
    for group, kind in _GROUPS.items():
        mine = {n.split(".")[1]: v for n, v in values.items() if n.startswith(f"{group}.")}
        groups[group] = kind(**mine)
    settings = Settings(**groups, sources=sources)
    _check(settings)
    return settings


_GROUPS: Final[Mapping[str, Any]] = {
    "node": NodeSettings,
    "http": HttpSettings,
    "bolt": BoltSettings,
    "auth": AuthSettings,
    "cluster": ClusterSettings,
    "limits": LimitSettings,
    "headroom": HeadroomSettings,
    "tls": TlsSettings,
    "storage": StorageSettings,
    "vacuum": VacuumSettings,
    "compaction": CompactionSettings,
    "imports": ImportSettings,
    "audit": AuditSettings,
    "log": LogSettings,
}


def _known() -> dict[str, Field[Any]]:
    """Every setting by its dotted name, in order of the groups above."""
    return {f"{g}.{f.name}": f for g, kind in _GROUPS.items() for f in fields(kind)}


def _from_file(source: str, text: str) -> Iterator[tuple[str, str, object]]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{source}: not TOML: {error}") from error
    for group, table in tables.items():
        if not isinstance(table, dict):
            raise unknown(source, group, group, [*_GROUPS])
        if group not in _GROUPS:
            raise unknown(source, f"[{group}]", group, [*_GROUPS])
        for key, raw in table.items():
            if f"{group}.{key}" not in _known():
                raise unknown(source, f"{group}.{key}", f"{group}.{key}", [*_known()])
            yield source, f"{group}.{key}", raw


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, object]]:
    names = {name.replace(".", "_").upper(): name for name in _known()}
    for variable in sorted(environment):
        rest = variable.removeprefix(_PREFIX)
        raw = environment[variable]
        if rest == variable or rest in _ELSEWHERE:
            continue
        if _SERVICE_LINK.fullmatch(rest) or _SERVICE_LINK_VALUE.match(raw):
            continue
        if rest not in names:
            raise unknown("environment", variable, variable, [_PREFIX + n for n in names])
        yield f"environment {variable}", names[rest], raw


def _convert(source: str, name: str, raw: object) -> object:
    """A raw value as the setting's type, within its bounds."""
    if name not in _known():
        raise unknown(source, name, name, [*_known()])
    item = _known()[name]
    group, key = name.split(".")
    kind = get_type_hints(_GROUPS[group])[key]
    if isinstance(kind, UnionType):
        kind = next(k for k in get_args(kind) if k is not type(None))
    try:
        value = as_kind(kind, raw, size="bytes" in key)
        low, high = item.metadata["low"], item.metadata["high"]
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(f"must be from {as_toml_value(low)} to {as_toml_value(high)}")
    except ValueError as error:
        shown = "(hidden)" if item.metadata["secret"] else repr(raw)
        raise SettingsInvalid(f"{source}: `{name}` = {shown}: {error}") from error
    return value


def _check(settings: Settings) -> None:
    """What no single value can say."""
    _check_auth(settings)
    cluster, tls = settings.cluster, settings.tls
    if (tls.certificate_file is None) != (tls.key_file is None):
        raise SettingsInvalid("`tls.certificate_file` and `tls.key_file` go together; set both")
    files = (cluster.certificate_file, cluster.key_file, cluster.ca_file)
    if any(files) and not all(files):
        raise SettingsInvalid(
            "`cluster.certificate_file`, `cluster.key_file` and `cluster.ca_file` go together; "
            "set all three"
        )
    if cluster.secret is not None and cluster.secret_file is not None:
        raise SettingsInvalid("`cluster.secret` and `cluster.secret_file` are both set; keep one")
    if cluster.bootstrap and cluster.join is not None:
        raise SettingsInvalid("a node either founds a cluster (`cluster.bootstrap`) or joins one")
    if settings.audit.reads == "all" and settings.audit.reads_file is None:
        raise SettingsInvalid(
            "`audit.reads` is `all`, and there is no file for them", hint="set `audit.reads_file`"
        )
    if not (cluster.secret or cluster.secret_file or _is_loopback(cluster.host)):
        raise SettingsInvalid(
            f"`cluster.host` = {cluster.host!r} is open to others, and there is no secret",
            hint="set `cluster.secret_file`, the same on every member",
        )


def _check_auth(settings: Settings) -> None:
    auth = settings.auth
    if auth.initial_password is not None and auth.initial_password_file is not None:
        raise SettingsInvalid(
            "`auth.initial_password` and `auth.initial_password_file` are both set; keep one"
        )
    if auth.mode == "basic":
        return
    if auth.initial_password is not None or auth.initial_password_file is not None:
        raise SettingsInvalid(
            "a password is set that nobody is asked for", hint='set `auth.mode = "basic"`'
        )
    for name, host in (("http", settings.http.host), ("bolt", settings.bolt.host)):
        if not (auth.none_anywhere or _is_loopback(host)):
            raise SettingsInvalid(
                f"`{name}.host` = {host!r} is open to others, and `auth.mode` is `none`",
                hint='set `auth.mode = "basic"`, or listen on 127.0.0.1',
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
