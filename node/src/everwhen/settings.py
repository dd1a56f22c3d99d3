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
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, get_args, get_type_hints

from everwhen import limits
from everwhen.errors import SettingsInvalid
from everwhen.settings_values import as_kind, as_toml_value, unknown

_PREFIX: Final = "EVERWHEN_"
#: read by other commands than ``serve``, so not unknown to it
_ELSEWHERE: Final = frozenset({"CONFIG", "URI", "USER", "PASSWORD"})
#: what Kubernetes puts into every pod for a service called everwhen, everwhen-http, ...
_SERVICE_LINK: Final = re.compile(r".*_?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")
_SERVICE_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://")


def _setting(
    default: object,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    secret: bool = False,
) -> Any:
    """A field with what a person needs to know about it."""
    about = {"text": text, "low": low, "high": high, "secret": secret}
    return field(default=default, metadata=about, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Who this node is and where it keeps its data."""

    data_dir: Path = _setting(
        Path("data"),
        "Folder of the record and the log. One process at a time; made if it does not exist.",
    )
    name: str = _setting("everwhen", "Name in logs, metrics and status.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The HTTP door."""

    host: str = _setting(
        "127.0.0.1",
        "Address to listen on. This machine only, until whoever runs the node decides otherwise.",
    )
    port: int = _setting(
        7474, "Port to listen on; 0 takes a free one, named in the log.", low=0, high=65535
    )
    auth: Literal["none", "basic"] = _setting(
        "none",
        "`basic` asks for user and password; `none` is only accepted on a loopback address.",
    )
    user: str = _setting(
        "neo4j", "The user that `basic` lets in; drivers' tools suggest this name."
    )
    password: str | None = _setting(
        None, "The password of that user. Prefer password_file.", secret=True
    )
    password_file: Path | None = _setting(
        None, "File whose first line is the password, so that it is in no process list."
    )
    body_bytes_max: int = _setting(
        limits.HTTP_BODY_BYTES_DEFAULT,
        "Largest request body; a bigger one is refused before it is read. Bytes.",
        low=1 << 10,
        high=1 << 30,
    )
    connections_max: int = _setting(
        limits.HTTP_CONNECTIONS_DEFAULT,
        "Connections open at the same time; more are told to come back later.",
        low=1,
        high=100_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltSettings:
    """The Bolt door, for Neo4j's drivers. Who may come in is what `http.auth` says."""

    host: str = _setting("127.0.0.1", "Address to listen on; this machine only by default.")
    port: int = _setting(
        7687, "Port to listen on; 0 takes a free one, named in the log.", low=0, high=65535
    )
    advertised: str | None = _setting(
        None,
        "Address (host:port) that `neo4j://` drivers are told; unset, the one each of them used.",
    )
    server_agent: str = _setting(
        "Neo4j/5.26.0",
        "How the server names itself; drivers 4 and 5 leave unless it begins with `Neo4j/`.",
    )
    connections_max: int = _setting(
        limits.BOLT_CONNECTIONS_DEFAULT,
        "Connections open at the same time; more are closed at once.",
        low=1,
        high=100_000,
    )
    message_bytes_max: int = _setting(
        limits.BOLT_MESSAGE_BYTES_DEFAULT,
        "Largest request; a bigger one is refused and its connection closed. Bytes.",
        low=64 << 10,
        high=1 << 30,
    )
    unauthenticated_s: float = _setting(
        30.0, "Longest a connection may take to log on. Seconds.", low=0.1, high=3_600
    )
    idle_s: float = _setting(
        3_600.0,
        "A connection from which nothing was heard for so long is closed. Seconds.",
        low=1,
        high=604_800,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """How much may go on at the same time, how large and for how long."""

    query_workers: int = _setting(
        limits.QUERY_WORKERS_DEFAULT,
        "Threads that run statements. Few: they share one interpreter, more only take turns.",
        low=1,
        high=256,
    )
    queries_waiting_max: int = _setting(
        limits.QUERIES_WAITING_DEFAULT,
        "Statements waiting for a thread; above it a statement is refused (retryable).",
        low=1,
        high=100_000,
    )
    transactions_open_max: int = _setting(
        limits.OPEN_TRANSACTIONS_MAX,
        "Explicit transactions open at the same time; each holds its writes in memory.",
        low=1,
        high=100_000,
    )
    statement_timeout_s: float = _setting(
        limits.STATEMENT_TIMEOUT_S_DEFAULT,
        "Longest a statement may run if it does not ask for less; 0 is no bound. Seconds.",
        low=0,
        high=86_400,
    )
    transaction_idle_s: float = _setting(
        limits.TRANSACTION_IDLE_S_DEFAULT,
        "An explicit transaction without a request for so long is rolled back. Seconds.",
        low=0.1,
        high=86_400,
    )
    lock_timeout_s: float = _setting(
        limits.LOCK_TIMEOUT_S_DEFAULT,
        "Longest a PESSIMISTIC transaction waits for a lock. Seconds.",
        low=0.001,
        high=3_600,
    )
    statement_memory_bytes: int = _setting(
        limits.STATEMENT_MEMORY_BYTES_MAX,
        "Memory for the rows of one statement; above it the statement fails. Bytes.",
        low=1 << 20,
        high=1 << 40,
    )
    transaction_memory_bytes: int = _setting(
        limits.STATEMENT_MEMORY_BYTES_MAX,
        "Memory for the writes of one transaction before it commits. Bytes.",
        low=1 << 20,
        high=1 << 40,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadroomSettings:
    """Below these marks growing writes are refused; reads and deletes go on."""

    memory_low_bytes: int = _setting(
        limits.MEMORY_LOW_BYTES_DEFAULT,
        "Memory that must stay free, under the process's own limit if it has one. Bytes.",
        low=0,
        high=1 << 40,
    )
    disk_low_bytes: int = _setting(
        limits.DISK_LOW_BYTES_DEFAULT,
        "Space that must stay free on the disk of the data folder. Bytes.",
        low=0,
        high=1 << 44,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """Files that statements may read."""

    dir: Path | None = _setting(
        None, "The only folder that LOAD CSV reads from; without it LOAD CSV is refused."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is told to whoever runs the node."""

    level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "Least important event that is logged."
    )
    format: Literal["auto", "text", "json"] = _setting(
        "auto", "`auto` is text on a terminal and one JSON object a line anywhere else."
    )
    slow_query_s: float = _setting(
        limits.SLOW_QUERY_S_DEFAULT,
        "Statements that take longer are logged. Seconds.",
        low=0,
        high=86_400,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. ``sources`` tells where each value that is not a default came from."""

    node: NodeSettings = NodeSettings()
    http: HttpSettings = HttpSettings()
    bolt: BoltSettings = BoltSettings()
    limits: LimitSettings = LimitSettings()
    headroom: HeadroomSettings = HeadroomSettings()
    imports: ImportSettings = ImportSettings()
    log: LogSettings = LogSettings()
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def listing(self) -> Iterator[tuple[str, str, str]]:
        """Name, value as text (secrets hidden, unset empty) and description of every setting."""
        for name, item, value in self._values():
            hidden = item.metadata["secret"] and value is not None
            shown = "(hidden)" if hidden else "" if value is None else str(value)
            yield name, shown, item.metadata["text"]

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
    "limits": LimitSettings,
    "headroom": HeadroomSettings,
    "imports": ImportSettings,
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
    http = settings.http
    if http.password is not None and http.password_file is not None:
        raise SettingsInvalid("`http.password` and `http.password_file` are both set; keep one")
    given = http.password is not None or http.password_file is not None
    if http.auth == "basic" and not given:
        raise SettingsInvalid(
            "`http.auth` is `basic` and there is no password", hint="set `http.password_file`"
        )
    if http.auth == "none" and given:
        raise SettingsInvalid(
            "a password is set that nobody is asked for", hint='set `http.auth = "basic"`'
        )
    for name, host in (("http", http.host), ("bolt", settings.bolt.host)):
        if http.auth == "none" and not _is_loopback(host):
            raise SettingsInvalid(
                f"`{name}.host` = {host!r} is open to others, and `http.auth` is `none`",
                hint='set `http.auth = "basic"` and `http.password_file`, or listen on 127.0.0.1',
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
