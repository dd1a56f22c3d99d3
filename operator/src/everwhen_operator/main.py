"""The command line of the operator, and everything it runs."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
from collections.abc import Sequence

import aiohttp
from aiohttp import web

from everwhen_operator.act import Actor
from everwhen_operator.kube.api import Api, HttpTransport
from everwhen_operator.kube.credentials import Access, access
from everwhen_operator.lease import Lease, LeaseLost
from everwhen_operator.logs import log, set_up
from everwhen_operator.metrics import Metrics
from everwhen_operator.nodes import HttpNodes
from everwhen_operator.observe import Observer
from everwhen_operator.pulse import Heard, Key, Pulse
from everwhen_operator.watch import watch
from everwhen_operator.worker import STUCK_SECONDS, Cluster, Pool, Reconciler

_NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


def parser() -> argparse.ArgumentParser:
    """What may be said on the command line."""
    made = argparse.ArgumentParser(
        prog="everwhen-operator", description="Keeps GraphCluster objects as they ask."
    )
    made.add_argument(
        "--namespace",
        action="append",
        default=[n for n in os.environ.get("EVERWHEN_WATCH_NAMESPACES", "").split(",") if n],
        help="watch this namespace only (may be repeated); without it, all of them",
    )
    made.add_argument(
        "--image-repository",
        default=os.environ.get("EVERWHEN_IMAGE_REPOSITORY", "everwhen/everwhen"),
        help="where spec.version is a tag (default %(default)s)",
    )
    made.add_argument(
        "--lease-namespace",
        default=os.environ.get("POD_NAMESPACE") or _own_namespace(),
        help="where the lease is by which one operator works (default: the own one)",
    )
    made.add_argument(
        "--listen", default="0.0.0.0:8080", metavar="HOST:PORT", help="health and metrics"
    )
    made.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return made


def _own_namespace() -> str:
    try:
        with open(_NAMESPACE_FILE, encoding="utf-8") as file:  # noqa: PTH123 - one line, once
            return file.read().strip()
    except OSError:
        return "default"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal, or until another operator has taken over."""
    options = parser().parse_args(arguments)
    set_up(options.log_level)
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics = Metrics()
    async with aiohttp.ClientSession() as session:
        found = access()
        api = Api(HttpTransport(session, found))
        lease = Lease(api, options.lease_namespace, socket.gethostname())
        operator = Operator(options, session, found, api, lease, metrics)
        health = web.AppRunner(operator.health(), access_log=None)
        await health.setup()
        host, _, port = options.listen.rpartition(":")
        await web.TCPSite(health, host, int(port)).start()
        try:
            return await operator.run(stop)
        finally:
            await lease.release()
            await health.cleanup()


class Operator:
    """Waits for the lease, then looks after clusters until it is told to stop or loses it."""

    def __init__(
        self,
        options: argparse.Namespace,
        session: aiohttp.ClientSession,
        found: Access,
        api: Api,
        lease: Lease,
        metrics: Metrics,
    ) -> None:
        self._options = options
        self._access = found
        self._api = api
        self._lease = lease
        self._metrics = metrics
        nodes = self._nodes = HttpNodes(session)
        self._reconciler = Reconciler(
            api,
            Observer(api, nodes, options.image_repository),
            Actor(api, nodes, lease.need),
            lease,
            metrics,
        )
        self._clusters: dict[Key, Cluster] = {}
        self._pool: Pool | None = None

    async def run(self, stop: asyncio.Event) -> int:
        """The exit code."""
        code = 0
        try:
            async with asyncio.TaskGroup() as group:
                working = group.create_task(self._work(stop))
                group.create_task(_end(stop, working))
                await asyncio.wait([working])
                if not working.cancelled() and working.exception() is None:
                    stop.set()
        except* LeaseLost as lost:
            log("operator", "lease_lost", level=logging.ERROR, reason=str(lost.exceptions[0]))
            code = 1
        else:
            log("operator", "stopped")
        return code

    async def _work(self, stop: asyncio.Event) -> None:
        log("operator", "waiting_for_the_lease", identity=self._lease.identity)
        await self._lease.acquire()
        self._metrics.leading.set(1)
        log("operator", "leading", epoch=self._lease.epoch)
        async with asyncio.TaskGroup() as group:
            pool = self._pool = Pool(self._step, group)
            group.create_task(self._lease.keep())
            group.create_task(self._watch(pool, stop))
            group.create_task(Pulse(self._nodes, self._heard, pool.wake).run())

    async def _watch(self, pool: Pool, stop: asyncio.Event) -> None:
        """What kopf watches. It takes the signals for itself and ends: so does everything then."""
        await watch(pool.wake, self._access, self._lease.identity, self._options.namespace)
        stop.set()

    def _heard(self) -> dict[Key, Heard]:
        return {key: cluster.heard for key, cluster in self._clusters.items()}

    async def _step(self, key: Key) -> float | None:
        cluster = self._clusters.setdefault(key, Cluster())
        self._metrics.clusters.set(len(self._clusters))
        self._metrics.epoch.set(self._lease.epoch)
        delay = await self._reconciler.step(key, cluster)
        if delay is None:
            del self._clusters[key]
        return delay

    # --- health ---

    def health(self) -> web.Application:
        """``/healthz`` fails when a look is stuck; ``/metrics``."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._page),
            ]
        )
        return app

    async def _healthz(self, request: web.Request) -> web.Response:
        oldest = 0.0 if self._pool is None else self._pool.oldest
        if oldest > STUCK_SECONDS:
            return web.Response(status=503, text=f"a look takes {oldest:.0f} s\n")
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        return web.Response(text="leading\n" if self._lease.held else "standing by\n")

    async def _page(self, request: web.Request) -> web.Response:
        kind, body = self._metrics.page()
        return web.Response(body=body, headers={"Content-Type": kind})


async def _end(stop: asyncio.Event, working: asyncio.Task[None]) -> None:
    await stop.wait()
    working.cancel()
