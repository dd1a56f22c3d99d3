"""``everwhen local``: a cluster of real processes on this machine, until Ctrl-C or SIGTERM.

When the cluster is ready, one JSON object with everybody's endpoints goes to standard output; what
happens later goes to standard error. A process that dies is reported, and its data stays as it
was: the command in the JSON brings it back. Exit status: 0 stopped as told, 1 the cluster did not
start or none of its processes is left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from everwhen.cli.local_nodes import LocalNode, Plan, plan_of
from everwhen.errors import SettingsInvalid
from everwhen.limits import LOCAL_NODES_MAX
from everwhen.server.logging import configure, logger

#: a first start also founds, admits and promotes
_READY_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.1


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "local",
        help="run a cluster on this machine",
        description="Run N nodes as processes on loopback until Ctrl-C or SIGTERM. When all of "
        "them are ready, print one JSON object with their endpoints.",
    )
    parser.add_argument("--nodes", type=int, metavar="N", help="default 3, or as many as there are")
    parser.add_argument(
        *("--data-dir", "--dir"),
        type=Path,
        default=Path("local"),
        metavar="DIR",
        help="folder of data, logs and secret (default: local)",
    )
    parser.add_argument(
        "--base-port",
        type=int,
        metavar="PORT",
        help="HTTP port of the first node, the next one's is one more; Bolt is 213 above, peers "
        "74 below (default 7474: Bolt 7687, peers 7400); 0 takes free ones. A folder keeps its "
        "ports.",
    )
    parser.add_argument(
        "--auth",
        choices=("none", "basic"),
        default="none",
        help="basic asks clients for user and password (default: none; only this machine gets in)",
    )
    parser.add_argument(
        "--set",
        metavar="GROUP.NAME=VALUE",
        action="append",
        default=[],
        help="any setting, for every node",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """The command; its exit status."""
    configure("info", "auto")
    if options.nodes is not None and not 1 <= options.nodes <= LOCAL_NODES_MAX:
        raise SettingsInvalid(f"--nodes is 1 to {LOCAL_NODES_MAX}, got {options.nodes}")
    folder: Path = options.data_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan_of(folder, options.nodes, options.base_port)
    return asyncio.run(_run(_Cluster(plan, _secret_file(folder), options.auth, tuple(options.set))))


def _secret_file(folder: Path) -> Path:
    """The file with what members and administrators must know; made once."""
    path = folder / "secret"
    try:
        with path.open("x", encoding="ascii") as file:
            path.chmod(0o600)
            file.write(secrets.token_urlsafe(32) + "\n")
    except FileExistsError:
        return path
    return path


@dataclass(frozen=True, slots=True)
class _Cluster:
    plan: Plan
    secret_file: Path
    auth: str
    settings: tuple[str, ...]


async def _run(cluster: _Cluster) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    nodes = [
        LocalNode(cluster.plan, place, cluster.secret_file, cluster.auth, cluster.settings)
        for place in cluster.plan.nodes
    ]
    async with asyncio.TaskGroup() as group:
        try:
            for node in nodes:
                await node.start(group)
                group.create_task(_report_end(node, nodes, stop))
            ready = await _get_ready(nodes, stop)
            if ready:
                _tell(cluster, nodes)
                await stop.wait()
            good = stop.is_set() and any(node.running for node in nodes)
            if not ready and not good:
                logger("local").error("not_ready", logs=str(cluster.plan.folder))
        finally:
            stop.set()
            await _stop(nodes)
    return 0 if good else 1


async def _get_ready(nodes: list[LocalNode], stop: asyncio.Event) -> bool:
    """Wait until everybody is ready, votes, and knows the same leader."""
    deadline = asyncio.get_running_loop().time() + _READY_SECONDS
    wanted = len(nodes)
    while not stop.is_set() and asyncio.get_running_loop().time() < deadline:
        if not all(node.running for node in nodes):
            return False
        seen = [await asyncio.to_thread(node.status) for node in nodes]
        if all(status is not None and status.get("ready") for status in seen):
            voters = {len(status["config"]["voters"]) for status in seen if status is not None}
            leaders = {(status["leader"] or {}).get("nodeId") for status in seen if status}
            if voters == {wanted} and len(leaders) == 1 and None not in leaders:
                return True
        await asyncio.sleep(_LOOK_SECONDS)
    return False


def _tell(cluster: _Cluster, nodes: list[LocalNode]) -> None:
    """The endpoints, on standard output."""
    status = nodes[0].status() or {}
    content = {
        "clusterId": status.get("clusterId"),
        "uri": f"neo4j://127.0.0.1:{nodes[0].place.bolt}",
        "dataDir": str(cluster.plan.folder),
        "secretFile": str(cluster.secret_file),
        "nodes": [node.described() for node in nodes],
    }
    print(json.dumps(content), flush=True)


async def _report_end(node: LocalNode, nodes: list[LocalNode], stop: asyncio.Event) -> None:
    """Say that a process ended without being told to; without any there is nothing to run."""
    code = await node.ended()
    if stop.is_set():
        return
    logger("local").error(
        "node_died",
        node=node.place.name,
        pid=node.pid,
        exit_code=code,
        log=str(node.log_file),
    )
    if not any(each.running for each in nodes):
        stop.set()


async def _stop(nodes: list[LocalNode]) -> None:
    """The leader first, while the others can take over; then the rest."""
    log = logger("local")
    running = [node for node in nodes if node.running]
    if not running:
        return
    print("stopping", file=sys.stderr)
    leads = None
    for node in running:
        status = await asyncio.to_thread(node.status)
        if status is not None and status.get("role") == "leader":
            leads = node
    if leads is not None:
        await leads.stop()
    await asyncio.gather(*(node.stop() for node in running if node is not leads))
    log.info("stopped", nodes=len(running))
