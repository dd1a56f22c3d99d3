"""Runs a node with its doors until a signal: the one place where everything meets."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from everwhen.errors import Fault, SettingsInvalid
from everwhen.limits import LOCK_WAITERS_MAX, SWITCH_INTERVAL_SECONDS
from everwhen.runtime.allocator import keep_freed_blocks
from everwhen.runtime.node import Node
from everwhen.runtime.system import SystemThreads
from everwhen.server import collector, discovery
from everwhen.server.auth.first import FirstUser, authenticator, first_password
from everwhen.server.auth.port import Authenticator
from everwhen.server.bolt.conversation import Server
from everwhen.server.bolt.listener import BoltOptions, Listener
from everwhen.server.hot import HotSettings, SettingsFile
from everwhen.server.http.app import Door, HttpOptions, build_app
from everwhen.server.http.front import FrontSite
from everwhen.server.http.quick import answering, full
from everwhen.server.http.transactions import Registry
from everwhen.server.leaving import Leaving
from everwhen.server.logging import logger, set_level
from everwhen.server.metrics import Metrics
from everwhen.server.opening import (
    StatementObserver,
    identify_node,
    node_options,
    open_node,
    tell_opened,
)
from everwhen.server.read_audit import open_read_audit
from everwhen.server.routing import Routing
from everwhen.server.secrets import audit_key_of, cluster_secret
from everwhen.server.tls import Tls
from everwhen.settings import Settings

#: seconds between two looks at how late the event loop is
_LAG_SECONDS = 0.05
#: of aiohttp; when the node stops it waits so many seconds for answers under way, and then for
#: connections
_RUNNER: Final[Mapping[str, Any]] = {
    "access_log": None,
    "handler_cancellation": True,
    "shutdown_timeout": 2.5,
}


def serve(settings: Settings, file: SettingsFile | None = None) -> int:
    """Runs until SIGTERM or SIGINT; the exit code. ``file``: where settings came from, to be read
    again when it changes."""
    # threads that hold the interpreter lock keep the fsync thread from answering; see
    # research/raft.md decision 9
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    log = logger("node")
    try:
        return asyncio.run(_serve(HotSettings(settings, file)))
    except Fault as error:
        log.critical("node_failed", error=type(error).__name__, message=str(error))
        return 1
    except SettingsInvalid as error:
        log.critical("settings_invalid", message=str(error))
        return 2
    except OSError as error:
        log.critical("cannot_start", message=str(error))
        return 1


async def _serve(hot: HotSettings) -> int:
    log, settings = logger("node"), hot.settings
    password = first_password(settings)
    secret = cluster_secret(settings)
    audit_key = audit_key_of(settings)
    tls = Tls(settings)
    if settings.cluster.join is not None:
        discovery.check(settings.cluster.join)
    metrics = Metrics()
    queries = settings.limits.query_workers + LOCK_WAITERS_MAX  # how many run: ``runtime.gate``
    threads = SystemThreads({"query": queries, "log": 1, "apply": 1, "background": 2, "auth": 2})
    reads = open_read_audit(settings, metrics.reads_audited, metrics.reads_lost)
    observer = StatementObserver(metrics, lambda: hot.settings.log.slow_query_s, reads)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        if not await identify_node(settings, secret, tls, stop):
            return 0
        again = True
        while again:
            node = await asyncio.to_thread(open_node, hot.settings, secret, tls, threads, observer)
            try:
                first = FirstUser(settings, password, node, threads)
                keeper = authenticator(settings, node, threads, metrics)
                again = await _run(hot, node, metrics, keeper, first, secret, audit_key, tls, stop)
            finally:
                await asyncio.to_thread(node.close)
    finally:
        threads.close()
        if reads is not None:
            reads.close()
        log.info("node_stopped")
    return 0


async def _run(
    hot: HotSettings,
    node: Node,
    metrics: Metrics,
    keeper: Authenticator,
    first: FirstUser,
    secret: str,
    audit_key: bytes | None,
    tls: Tls,
    stop: asyncio.Event,
) -> bool:
    """Serve until ``stop``; True if the node must be opened again."""
    tell_opened(node)
    settings = hot.settings
    ready = asyncio.Event()
    fault: list[Fault] = []

    def fatal(error: Fault) -> None:
        fault.append(error)
        stop.set()

    routing = Routing(node, settings.bolt)
    bolt = _bolt(settings, node, metrics, keeper, fatal, routing, tls.doors)
    metrics.watch(lambda: _gauges(node, bolt))
    door = Door(
        node,
        metrics,
        HttpOptions(settings.http.body_bytes_max, settings.http.connections_max),
        keeper,
        lambda: ready.is_set() and not stop.is_set() and _fit(node, bolt),
        fatal,
        Registry(settings.limits.transaction_idle_s),
        secret,
        audit_key,
        hot,
    )
    runner = web.AppRunner(build_app(door), **_RUNNER)
    await runner.setup()
    site = FrontSite(runner, settings.http, answering(door), full, tls.doors)
    leaving = Leaving(node, site, runner, bolt, door, routing, lambda: bool(fault))
    again = False
    try:
        async with asyncio.TaskGroup() as group:
            ended = asyncio.Event()
            running = group.create_task(node.run(ready, ended))
            seeing_off = group.create_task(leaving.when(stop, ended))
            looking = group.create_task(_look_after(metrics, tls, hot, node))
            doors = group.create_task(_open_doors(group, site, runner, bolt, ready, first, keeper))
            try:
                again = await running
            finally:
                for task in (doors, looking, seeing_off):
                    task.cancel()
                await leaving.close()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    if fault:
        raise fault[0]
    return again and not stop.is_set()


def _fit(node: Node, bolt: Listener) -> bool:
    """Whether requests should be sent here."""
    return bolt.listening and node.member.fit_to_serve


async def _open_doors(
    group: asyncio.TaskGroup,
    site: FrontSite,
    runner: web.AppRunner,
    bolt: Listener,
    ready: asyncio.Event,
    first: FirstUser,
    keeper: Authenticator,
) -> None:
    """HTTP at once, for status and health; Bolt when there is something to answer with, and
    somebody who may ask."""
    log = logger("node")
    await site.start()
    log.info("http_listening", port=_port(runner))
    expected = group.create_task(first.is_expected_by(keeper))
    await ready.wait()
    await first.make()
    await expected
    # one that was just founded or admitted knew no users until now
    await first.is_expected_by(keeper)
    # before anybody waits for it
    collector.set_aside()
    keep_freed_blocks()
    await bolt.start(group)
    log.info("bolt_listening", port=bolt.port)
    await collector.look_again()


def _bolt(
    settings: Settings,
    node: Node,
    metrics: Metrics,
    keeper: Authenticator,
    fatal: Callable[[Fault], None],
    routing: Routing,
    tls: ssl.SSLContext | None,
) -> Listener:
    """The Bolt door."""
    bolt = settings.bolt
    log = logger("bolt")

    def unexpected(error: Exception) -> None:
        log.error("unexpected_error", exc_info=error)

    server = Server(
        node.parts.service,
        keeper,
        node.parts.database.clock,
        agent=bolt.server_agent,
        silence_seconds=bolt.silence_s,
        message_bytes_max=bolt.message_bytes_max,
        routes=routing.table,
        sends_away=routing.sends_away,
        observe=metrics.bolt_request,
        fatal=fatal,
        unexpected=unexpected,
    )
    options = BoltOptions(
        bolt.host,
        bolt.port,
        bolt.connections_max,
        bolt.unauthenticated_s,
        bolt.idle_s,
        settings.limits.transaction_idle_s,
        bolt.silence_s / 4,
    )
    return Listener(server, options, tls)


def _port(runner: web.AppRunner) -> int:
    """The port in use; the one asked for may have been 0."""
    return int(runner.addresses[0][1])


def _gauges(node: Node, bolt: Listener) -> dict[str, float]:
    state = node.parts.state.current.head
    vacuum, compaction = node.parts.state.current.vacuum, node.parts.state.current.compaction
    member, (buffers, cache) = node.member, node.directory.store.bytes_in_memory()
    return {
        "everwhen_bolt_connections": bolt.connections,
        "everwhen_event_loop_tasks": len(asyncio.all_tasks()),
        "everwhen_transactions_open": len(node.parts.database.open_transactions()),
        "everwhen_version": state.version,
        "everwhen_log_last_index": node.directory.log.last_index,
        "everwhen_log_applied_index": state.applied_index,
        "everwhen_group_term": member.replica.term,
        "everwhen_group_leads": member.replica.is_leader,
        "everwhen_group_has_leader": member.replica.leader != 0,
        "everwhen_group_voters": len(member.configuration.voters),
        "everwhen_fenced": member.fence.state is not None,
        "everwhen_writes_refused": node.headroom.refusal() is not None,
        "everwhen_nodes": node.parts.database.snapshot(state.version).node_count(),
        "everwhen_relationships": node.parts.database.snapshot(state.version).relationship_count(),
        "everwhen_compaction_segments": compaction.segments,
        "everwhen_compaction_rows": compaction.rows,
        "everwhen_compaction_running": bool(compaction.phase),
        "everwhen_vacuum_rounds": vacuum.round,
        "everwhen_vacuum_running": bool(vacuum.phase),
        "everwhen_vacuum_keys": vacuum.keys_before + vacuum.keys,
        "everwhen_vacuum_bytes": vacuum.size_before + vacuum.size,
        "everwhen_vacuum_oldest_version": state.oldest_version,
        "everwhen_erasures_open": sum(bool(e.phase) for e in node.parts.state.erased.all.values()),
        "everwhen_record_buffer_bytes": buffers,
        "everwhen_record_cache_bytes": cache,
        "everwhen_log_cache_bytes": member.replica.view.bytes_in_memory,
        "everwhen_image_bytes": node.parts.database.image_bytes,
        "everwhen_disk_free_bytes": node.headroom.disk_free,
    }


async def _look_after(metrics: Metrics, tls: Tls, hot: HotSettings, node: Node) -> None:
    """What goes on beside the doors, until cancelled."""
    about_tls, about_settings = logger("tls"), logger("settings")

    def follow(settings: Settings) -> None:
        node.follow(node_options(settings))
        set_level(settings.log.level)

    def told(event: str, fields: dict[str, object]) -> None:
        about_settings.warning(event, **fields)

    async with asyncio.TaskGroup() as group:
        group.create_task(_watch_lag(metrics))
        group.create_task(tls.keep_fresh(lambda event, fields: about_tls.info(event, **fields)))
        group.create_task(hot.keep_fresh(follow, told))


async def _watch_lag(metrics: Metrics) -> None:
    """How late timers fire tells how long something held the loop."""
    loop = asyncio.get_running_loop()
    while True:
        asked = loop.time()
        await asyncio.sleep(_LAG_SECONDS)
        metrics.loop_lag(max(loop.time() - asked - _LAG_SECONDS, 0.0))
