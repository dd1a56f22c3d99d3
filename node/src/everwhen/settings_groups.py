"""The groups of settings but those of the doors: what each says, between which bounds. ``settings.py``
puts them together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from everwhen import limits
from everwhen.settings_values import hot, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Who this node is and where it keeps its data."""

    data_dir: Path = setting(
        Path("data"),
        "Folder of the record and the log. One process at a time; made if it does not exist.",
    )
    name: str = setting("everwhen", "Name in logs, metrics and status.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """Who may come in, through whatever door. Users are made with `CREATE USER`."""

    mode: Literal["basic", "none"] = setting(
        "basic",
        "`basic` asks for a user and a password; `none` asks nobody, on loopback addresses only.",
    )
    none_anywhere: bool = setting(
        False, "Lets `none` listen on any address: whoever reaches it may do everything."
    )
    user: str = setting("neo4j", "Name of the first user, made where there is none.")
    initial_password: str | None = setting(
        None, "Password of the first user. Prefer initial_password_file.", secret=True
    )
    initial_password_file: Path | None = setting(
        None,
        "File whose first line is the password of the first user. Without one, a password is "
        "generated and printed once.",
    )
    password_chars_min: int = hot(
        limits.PASSWORD_CHARS_MIN_DEFAULT, "Shortest password taken.", low=1, high=100
    )
    failures_max: int = setting(
        limits.AUTH_FAILURES_DEFAULT,
        "Wrong passwords in a row for one user from one address before they have to wait; 0 is no "
        "bound.",
        low=0,
        high=1_000_000,
    )
    lock_s: float = setting(
        limits.AUTH_LOCK_S_DEFAULT,
        "How long they then wait between two attempts. Seconds.",
        low=0,
        high=86_400,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The group this node belongs to, and the door for its other members."""

    bootstrap: bool = setting(
        False,
        "On an empty data directory: found a new cluster. Otherwise the node waits to be admitted.",
    )
    join: str | None = setting(
        None,
        "HTTP addresses of members (comma-separated) to ask for admission; `dns://NAME:PORT` asks "
        "every address of a name, `srv://NAME` what its SRV records name, `file:PATH` those in a "
        "file, one a line.",
    )
    host: str = setting("127.0.0.1", "Address to listen on for other members.")
    port: int = setting(
        7400, "Port to listen on for other members; 0 takes a free one.", low=0, high=65535
    )
    advertised: str | None = setting(
        None, "Address (host:port) at which other members reach this one; unset, host and port."
    )
    secret: str | None = setting(
        None, "What members and administrators must know. Prefer secret_file.", secret=True
    )
    secret_file: Path | None = setting(
        None, "File whose first line is the secret, so that it is in no process list."
    )
    certificate_file: Path | None = setting(
        None,
        "PEM file: the certificate that members show each other. With it, `key_file` and `ca_file` "
        "members talk over TLS only, and both sides must show one. Read again when it changes.",
    )
    key_file: Path | None = setting(None, "PEM file: its key, without a passphrase.")
    ca_file: Path | None = setting(
        None, "PEM file: who must have signed the certificates of members."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """How much may go on at the same time, how large and for how long."""

    query_workers: int = setting(
        limits.QUERY_WORKERS_DEFAULT,
        "Threads that run statements. Few: they share one interpreter, more only take turns.",
        low=1,
        high=256,
    )
    queries_waiting_max: int = setting(
        limits.QUERIES_WAITING_DEFAULT,
        "Statements waiting for a thread; above it a statement is refused (retryable).",
        low=1,
        high=100_000,
    )
    transactions_open_max: int = hot(
        limits.OPEN_TRANSACTIONS_MAX,
        "Explicit transactions open at the same time; each holds its writes in memory.",
        low=1,
        high=100_000,
    )
    statement_timeout_s: float = hot(
        limits.STATEMENT_TIMEOUT_S_DEFAULT,
        "Longest a statement may run if it does not ask for less; 0 is no bound. Seconds.",
        low=0,
        high=86_400,
    )
    transaction_idle_s: float = setting(
        limits.TRANSACTION_IDLE_S_DEFAULT,
        "An explicit transaction without a request for so long is rolled back. Seconds.",
        low=0.1,
        high=86_400,
    )
    lock_timeout_s: float = hot(
        limits.LOCK_TIMEOUT_S_DEFAULT,
        "Longest a PESSIMISTIC transaction waits for a lock. Seconds.",
        low=0.001,
        high=3_600,
    )
    statement_memory_bytes: int = hot(
        limits.STATEMENT_MEMORY_BYTES_MAX,
        "Memory for the rows of one statement; above it the statement fails. Bytes.",
        low=1 << 20,
        high=1 << 40,
    )
    transaction_memory_bytes: int = hot(
        limits.STATEMENT_MEMORY_BYTES_MAX,
        "Memory for the writes of one transaction before it commits. Bytes.",
        low=1 << 20,
        high=1 << 40,
    )
    image_memory_bytes: int = setting(
        -1,
        "Memory for the graph as columns, which queries over many rows read, and for vectors; "
        "0 keeps none, -1 takes up to half of the machine's (or the container's). Bytes.",
        low=-1,
        high=1 << 40,
    )
    image_must_fit: bool = setting(
        True,
        "Writes that add data are refused once the present graph needs more than "
        "image_memory_bytes; otherwise it is left out of memory then, and queries over many rows "
        "are slow. Without effect where image_memory_bytes is 0.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadroomSettings:
    """Below these marks growing writes are refused; reads and deletes go on."""

    memory_low_bytes: int = hot(
        limits.MEMORY_LOW_BYTES_DEFAULT,
        "Memory that must stay free, under the process's own limit if it has one. Bytes.",
        low=0,
        high=1 << 40,
    )
    disk_low_bytes: int = hot(
        limits.DISK_LOW_BYTES_DEFAULT,
        "Space that must stay free on the disk of the data folder. Bytes.",
        low=0,
        high=1 << 44,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """How the data directory is kept."""

    quota_bytes: int = setting(
        0,
        "What this node may use of the disk: with less room left under it than "
        "`headroom.disk_low_bytes`, writes that add data are refused. 0 is no bound. Bytes.",
        low=0,
        high=1 << 50,
    )
    flush_s: float = setting(
        limits.FLUSH_S_DEFAULT,
        "The record is made durable at least so often; what came since is replayed from the log "
        "after a crash. Seconds.",
        low=0.1,
        high=3_600,
    )
    log_segment_bytes: int = setting(
        limits.LOG_SEGMENT_BYTES,
        "Size of one file of the log; whole files are dropped once the record has them. Bytes.",
        low=4 << 10,
        high=1 << 30,
    )
    log_trailing_entries: int = setting(
        limits.LOG_TRAILING_ENTRIES,
        "Log entries kept for members that are away for a moment; one that misses more is sent "
        "a snapshot.",
        low=0,
        high=10_000_000,
    )
    log_held_bytes: int = setting(
        limits.LOG_HELD_BYTES,
        "The log may grow to this size for a member that is being caught up, so that what follows "
        "its snapshot is still there when it has arrived. Bytes.",
        low=0,
        high=1 << 40,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumSettings:
    """How what rules of retention let go is taken away, while this node leads."""

    every_s: float = hot(
        limits.VACUUM_EVERY_S_DEFAULT,
        "Between two looks at what has become old enough to be forgotten. Seconds.",
        low=1,
        high=86_400,
    )
    wait_s: float = hot(
        limits.VACUUM_WAIT_S_DEFAULT,
        "An open transaction keeps what it reads, and a silent member keeps everything, for so "
        "long; then it is forgotten all the same. Seconds.",
        low=1,
        high=30 * 86_400,
    )
    keys_per_s: float = hot(
        limits.VACUUM_KEYS_PER_S_DEFAULT,
        "Keys that vacuum looks at, at most. Keys a second.",
        low=100,
        high=10_000_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionSettings:
    """How what small commits wrote is moved into column segments, while this node leads."""

    rows_per_s: float = hot(
        limits.COMPACTION_ROWS_PER_S_DEFAULT,
        "Nodes and relationships that move from keys into column segments, at most; 0: none. "
        "Elements a second.",
        low=0,
        high=10_000_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """Files that statements may read."""

    dir: Path | None = setting(
        None, "The only folder that LOAD CSV reads from; without it LOAD CSV is refused."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """What is kept of who did what, beyond what every commit says."""

    statement_text: Literal["off", "on"] = hot(
        "off",
        "Whether commits (and lines of audited reads) keep the texts of their statements, not only "
        "their hash. Literals stand in a text; values of parameters do not.",
    )
    reads: Literal["off", "all"] = setting(
        "off", "Whether statements that change nothing are written to `audit.reads_file`."
    )
    reads_file: Path | None = setting(
        None, "File of audited reads, one JSON object a line; of this node only."
    )
    reads_file_bytes: int = setting(
        64 << 20,
        "At this size a file of reads is renamed and the next one begins. Bytes.",
        low=4 << 10,
        high=1 << 40,
    )
    reads_files: int = setting(
        10, "Files of reads that are kept; the oldest one goes.", low=2, high=10_000
    )
    key_file: Path | None = setting(
        None, "File with the key (16 bytes or more) that signs exported heads; unset, unsigned."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is told to whoever runs the node."""

    level: Literal["debug", "info", "warning", "error"] = hot(
        "info", "Least important event that is logged."
    )
    format: Literal["auto", "text", "json"] = setting(
        "auto", "`auto` is text on a terminal and one JSON object a line anywhere else."
    )
    slow_query_s: float = hot(
        limits.SLOW_QUERY_S_DEFAULT,
        "Statements that take longer are logged. Seconds.",
        low=0,
        high=86_400,
    )
