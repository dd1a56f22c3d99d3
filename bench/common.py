"""One line a figure, peers that may be missing, and the load generator's own share of the CPU."""

from __future__ import annotations

import http.client
import json
import lzma
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from everwhen.cli.local_nodes import free_ports

ROOT = Path(__file__).resolve().parents[1]


def shared() -> Path:
    """The folder of given programs and data: ``$SHARED``, or beside the checkout."""
    return Path(os.environ.get("SHARED") or ROOT.parent / "shared")


@dataclass
class Report:
    """Collects figures; the exit code says whether every bar held."""

    ok: bool = True
    lines: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        measure: str,
        unit: str,
        ours: float | None,
        peers: Mapping[str, float | None] = {},
        *,
        bar: float | None = None,
        at_most: bool = False,
        against_peer: bool = False,
        reason: str | None = None,
        **more: object,
    ) -> None:
        """Print one figure.

        ``bar`` is a bound on ``ours``, or on the ratio to the (only) peer when ``against_peer``;
        a lower bound unless ``at_most``. ``ok`` is null where the bar could not be judged.
        """
        peer = next((p for p in peers.values() if p is not None), None)
        ratio = ours / peer if ours is not None and peer else None
        judged = ratio if against_peer else ours
        ok: bool | None = None
        if bar is not None and judged is not None:
            ok = judged <= bar if at_most else judged >= bar
            self.ok &= ok
        line: dict[str, Any] = {
            "measure": measure,
            "unit": unit,
            "ours": rounded(ours),
            "peers": {name: rounded(value) for name, value in peers.items()},
            "ratio": rounded(ratio),
            "bar": bar,
            "ok": ok,
            **{name: rounded(v) if isinstance(v, float) else v for name, v in more.items()},
        }
        if reason:
            line["reason"] = reason
        self.lines.append(line)
        print(json.dumps(line), flush=True)

    def end(self) -> int:
        """The exit code."""
        return 0 if self.ok else 1


def rounded(value: float | None) -> float | None:
    """Four significant digits are all a machine's noise leaves."""
    return None if value is None else float(f"{value:.4g}")


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder on the file system of ``$BENCH_DIR`` (default: the system's temporary one)."""
    folder = Path(tempfile.mkdtemp(prefix=f"everwhen-{name}-", dir=os.environ.get("BENCH_DIR")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unpacked(name: str, folder: Path) -> Path | None:
    """A given program, unpacked into a folder; None if it is not given."""
    packed = shared() / "kube" / "bin" / f"{name}.xz"
    if not packed.exists():
        return None
    program = folder / name
    with lzma.open(packed) as source, program.open("wb") as target:
        shutil.copyfileobj(source, target)
    program.chmod(0o755)
    return program


def cpu_seconds(children: bool = False) -> float:
    """CPU time of this process, or of its children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def machine_cpu_seconds() -> float:
    """CPU time that all processes of this machine took since it started, from ``/proc/stat``."""
    with Path("/proc/stat").open() as lines:
        ticks = [int(word) for word in next(lines).split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")  # but idle and waiting


class Etcd:
    """An etcd of one or more members on loopback, or nothing with a reason."""

    def __init__(self, folder: Path, members: int = 1) -> None:
        self.program = unpacked("etcd", folder)
        self.load = unpacked("etcdbench", folder)
        self.folder = folder
        ports = free_ports(2 * members)
        self.clients = [f"127.0.0.1:{port}" for port in ports[:members]]
        self.peers = [f"127.0.0.1:{port}" for port in ports[members:]]
        self.processes: list[subprocess.Popen[bytes]] = []
        self.reason = None if self.program and self.load else "etcd and etcdbench are not given"

    def start(self) -> None:
        """Start all members; return when one of them leads."""
        if self.program is None:
            return
        everybody = ",".join(f"e{i}=http://{peer}" for i, peer in enumerate(self.peers))
        for i, (client, peer) in enumerate(zip(self.clients, self.peers, strict=True)):
            command = [
                *(str(self.program), "--name", f"e{i}", "--log-level", "error"),
                *("--data-dir", str(self.folder / f"etcd-{i}"), "--initial-cluster", everybody),
                *("--listen-client-urls", f"http://{client}"),
                *("--advertise-client-urls", f"http://{client}"),
                *("--listen-peer-urls", f"http://{peer}"),
                *("--initial-advertise-peer-urls", f"http://{peer}"),
            ]
            self.processes.append(
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
        deadline = time.monotonic() + 60
        while self.leader() is None:
            if time.monotonic() > deadline:
                raise TimeoutError("no etcd member leads")
            time.sleep(0.2)

    def leader(self) -> str | None:
        """The client address of the member that leads."""
        for client in self.clients:
            connection = http.client.HTTPConnection(client, timeout=5)
            try:
                connection.request("POST", "/v3/maintenance/status", "{}")
                said = json.loads(connection.getresponse().read())
            except (OSError, http.client.HTTPException):
                continue  # not up yet
            finally:
                connection.close()
            if said.get("leader", "0") == said.get("header", {}).get("member_id"):
                return client
        return None

    def measure(
        self, clients: int, seconds: float, batch: int = 1, read: bool = False
    ) -> dict[str, float] | None:
        """What etcdbench says, and its CPU share. Writes go to the member that leads, the best
        case; reads to all."""
        if not self.processes or self.load is None:
            return None
        endpoints = self.clients if read else [self.leader() or self.clients[0]]
        before, started = cpu_seconds(children=True), time.monotonic()
        command = [
            *(str(self.load), "-endpoints", ",".join(endpoints), "-clients", str(clients)),
            *("-seconds", str(seconds), "-batch", str(batch), "-value", "256"),
            *(["-read"] if read else []),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr[-500:], file=sys.stderr)
            return None
        out: dict[str, float] = json.loads(done.stdout)
        share = (cpu_seconds(children=True) - before) / (time.monotonic() - started)
        return {**out, "cpu_share": share}

    def stop(self) -> None:
        """Kill them all."""
        for process in self.processes:
            process.kill()
            process.wait()


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the sorted values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
