"""The groups of settings of the doors: HTTP, Bolt and their certificates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from everwhen import limits
from everwhen.settings_values import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The HTTP door."""

    host: str = setting(
        "127.0.0.1",
        "Address to listen on. This machine only, until whoever runs the node decides otherwise.",
    )
    port: int = setting(
        7474, "Port to listen on; 0 takes a free one, named in the log.", low=0, high=65535
    )
    advertised: str | None = setting(
        None, "Address (host:port) at which others reach this door; unset, host and port."
    )
    body_bytes_max: int = setting(
        limits.HTTP_BODY_BYTES_DEFAULT,
        "Largest request body; a bigger one is refused before it is read. Bytes.",
        low=1 << 10,
        high=1 << 30,
    )
    connections_max: int = setting(
        limits.HTTP_CONNECTIONS_DEFAULT,
        "Connections open at the same time; more are told to come back later.",
        low=1,
        high=100_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltSettings:
    """The Bolt door, for Neo4j's drivers. Who may come in is what `auth.mode` says."""

    host: str = setting("127.0.0.1", "Address to listen on; this machine only by default.")
    port: int = setting(
        7687, "Port to listen on; 0 takes a free one, named in the log.", low=0, high=65535
    )
    advertised: str | None = setting(
        None,
        "Address (host:port) that `neo4j://` drivers are told; unset, the one each of them used.",
    )
    external: str | None = setting(
        None,
        "Address (host:port) of this node for clients outside: `neo4j://` drivers that came by a name "
        "under its domain are told it in place of `advertised`.",
    )
    server_agent: str = setting(
        "Neo4j/5.26.0",
        "How the server names itself; drivers 4 and 5 leave unless it begins with `Neo4j/`.",
    )
    connections_max: int = setting(
        limits.BOLT_CONNECTIONS_DEFAULT,
        "Connections open at the same time; more are closed at once.",
        low=1,
        high=100_000,
    )
    message_bytes_max: int = setting(
        limits.BOLT_MESSAGE_BYTES_DEFAULT,
        "Largest request; a bigger one is refused and its connection closed. Bytes.",
        low=64 << 10,
        high=1 << 30,
    )
    unauthenticated_s: float = setting(
        30.0, "Longest a connection may take to log on. Seconds.", low=0.1, high=3_600
    )
    silence_s: int = setting(
        4,
        "A client that waits for an answer and hears nothing for so long gives the connection up: "
        "drivers are told so, and hear of a running statement more often. Seconds.",
        low=2,
        high=3_600,
    )
    idle_s: float = setting(
        3_600.0,
        "A connection from which nothing was heard for so long is closed. Seconds.",
        low=1,
        high=604_800,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Encryption of HTTP and Bolt. With a certificate both speak TLS only."""

    certificate_file: Path | None = setting(
        None,
        "PEM file: the certificate that HTTP and Bolt show, then those that signed it. Read again "
        "when it changes.",
    )
    key_file: Path | None = setting(None, "PEM file: its key, without a passphrase.")
