"""Opening a node as the settings say: whose its data directory is, over which ports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from everwhen.errors import EverwhenError
from everwhen.exec.context import ExecutionContext
from everwhen.runtime.compacting import CompactionOptions
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.headroom import Marks
from everwhen.runtime.memory import memory_free, memory_whole
from everwhen.runtime.node import Node, NodeOptions, Ports
from everwhen.runtime.replica.peers import Identity, Peers
from everwhen.runtime.system import SystemClock, SystemDisk, SystemRandom, SystemThreads
from everwhen.runtime.transaction import OpenTransaction
from everwhen.runtime.vacuum import VacuumOptions
from everwhen.server.joining import Admission, Joining
from everwhen.server.logging import logger
from everwhen.server.metrics import Metrics
from everwhen.server.read_audit import ReadAudit
from everwhen.server.tls import Tls
from everwhen.settings import Settings
from everwhen.storage.identity import assign, identify
from everwhen.storage.meta import Meta
from everwhen.storage.rocks import RocksStore


class StatementObserver:
    """Counts statements, logs slow ones, and notes reads where they are audited."""

    def __init__(
        self, metrics: Metrics, slow_seconds: Callable[[], float], reads: ReadAudit | None
    ) -> None:
        self._metrics = metrics
        self._reads = reads
        self._slow_seconds = slow_seconds
        self._log = logger("query")

    def __call__(
        self,
        transaction: OpenTransaction,
        ctx: ExecutionContext,
        rows: int,
        error: EverwhenError | None,
    ) -> None:
        seconds = (ctx.environment.now_micros() - ctx.now_statement) / 1e6
        slow = seconds >= self._slow_seconds()
        outcome = "ok" if error is None else error.code.split(".")[1]
        self._metrics.statement(outcome, max(seconds, 0.0), slow=slow)
        if self._reads is not None:
            self._reads.note(transaction, ctx, rows, error)
        if slow:
            self._log.warning(
                "slow_query",
                seconds=round(seconds, 3),
                rows=rows,
                memory_peak=ctx.memory.peak,
                principal=transaction.caller.principal,
                client=transaction.caller.client,
                statement=ctx.text[:2_000],
            )


def addresses(settings: Settings) -> dict[str, str]:
    """Where other nodes and clients reach this one."""
    http, bolt, cluster = settings.http, settings.bolt, settings.cluster
    return {
        "http": http.advertised or f"{http.host}:{http.port}",
        "bolt": bolt.advertised or f"{bolt.host}:{bolt.port}",
        **({"external": bolt.external} if bolt.external else {}),
        "peer": cluster.advertised or f"{cluster.host}:{cluster.port}",
    }


def node_options(settings: Settings) -> NodeOptions:
    """What the settings tell a node."""
    bounds = settings.limits
    image = _image_memory(bounds.image_memory_bytes)
    return NodeOptions(
        data_dir=Path(settings.node.data_dir),
        name=settings.node.name,
        addresses=addresses(settings),
        holder=f"everwhen, process {os.getpid()}",
        database=DatabaseOptions(
            default_timeout=bounds.statement_timeout_s,
            lock_timeout=bounds.lock_timeout_s,
            statement_memory=bounds.statement_memory_bytes,
            transaction_memory=bounds.transaction_memory_bytes,
            image_memory=image,
            open_transactions_max=bounds.transactions_open_max,
            import_folder=settings.imports.dir,
            password_chars_min=settings.auth.password_chars_min,
            keep_texts=settings.audit.statement_text == "on",
        ),
        marks=Marks(
            settings.headroom.disk_low_bytes,
            settings.headroom.memory_low_bytes,
            image if bounds.image_must_fit else 0,
        ),
        idle_transaction_seconds=bounds.transaction_idle_s,
        queries_max=bounds.query_workers,
        queries_waiting_max=bounds.queries_waiting_max,
        settings=tuple(settings.listing()),
        segment_bytes=settings.storage.log_segment_bytes,
        trailing_entries=settings.storage.log_trailing_entries,
        held_log_bytes=settings.storage.log_held_bytes,
        flush_seconds=settings.storage.flush_s,
        vacuum=VacuumOptions(
            settings.vacuum.every_s, settings.vacuum.wait_s, settings.vacuum.keys_per_s
        ),
        compaction=CompactionOptions(settings.compaction.rows_per_s),
        quota_bytes=settings.storage.quota_bytes,
    )


def _image_memory(asked: int) -> int:
    return memory_whole() // 2 if asked < 0 else asked


async def identify_node(settings: Settings, secret: str, tls: Tls, stop: asyncio.Event) -> bool:
    """Make sure that the data directory belongs to a cluster, however long that takes; False if the
    process was stopped meanwhile."""
    disk, root = SystemDisk(), Path(settings.node.data_dir)
    holder = f"everwhen, process {os.getpid()}"
    meta = await asyncio.to_thread(identify, disk, root, SystemRandom(), holder=holder)
    if meta.node_id:
        return True
    if settings.cluster.bootstrap:
        admission: Admission | None = Admission(uuid4(), 1)
    else:
        logger("node").info("joining", disk=str(meta.disk_id))
        joining = Joining(settings, meta, addresses(settings), secret, tls)
        admission = await joining.wait(stop)
    if admission is None:
        return False
    await asyncio.to_thread(
        assign,
        disk,
        root,
        admission.cluster_id,
        admission.node_id,
        holder=holder,
        asks_for_vote=settings.cluster.join is not None and not settings.cluster.bootstrap,
    )
    return True


def open_node(
    settings: Settings,
    secret: str,
    tls: Tls,
    threads: SystemThreads,
    observer: StatementObserver,
) -> Node:
    """Open the node over the real ports. Blocking."""
    log = logger("node")
    cluster_log = logger("cluster")

    def transport(meta: Meta) -> Peers:
        cluster = settings.cluster
        identity = Identity(
            meta.cluster_id,
            meta.node_id,
            meta.disk_id,
            secret,
            cluster.host,
            cluster.port,
            addresses(settings)["peer"],
            tls.peers,
        )
        return Peers(identity, notice)

    def notice(event: str, fields: dict[str, object]) -> None:
        cluster_log.info(event, **fields)

    def report(what: str, error: EverwhenError) -> None:
        log.warning("background_refused", work=what, message=str(error))

    ports = Ports(
        SystemClock(),
        SystemRandom(),
        SystemDisk(),
        threads,
        lambda path, create: RocksStore(path, create=create),
        memory_free,
        transport,
        notice,
    )
    return Node.open(node_options(settings), ports, report, observer)


def tell_opened(node: Node) -> None:
    """What was found on disk."""
    log = logger("node")
    opening = node.directory.opening
    log.info(
        "node_opened",
        node=node.member.node_id,
        created=opening.created,
        to_replay=node.to_replay,
        version=node.parts.database.version,
        ballast_given_up=opening.ballast_given_up,
    )
    if opening.torn is not None:
        log.warning("log_tail_cut", torn=str(opening.torn))
