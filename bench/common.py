"""One line a figure, peers that may be missing, and the load generator's own share of the CPU."""

from __future__ import annotations

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


class Etcd:
    """A single etcd on loopback, or nothing with a reason."""

    def __init__(self, folder: Path, port: int, peer_port: int) -> None:
        self.program = unpacked("etcd", folder)
        self.load = unpacked("etcdbench", folder)
        self.folder = folder / "etcd-data"
        self.url = f"http://127.0.0.1:{port}"
        self.peer_url = f"http://127.0.0.1:{peer_port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.reason = None if self.program and self.load else "etcd and etcdbench are not given"

    def start(self) -> None:
        if self.program is None:
            return
        command = [
            *(str(self.program), "--name", "e1", "--data-dir", str(self.folder)),
            *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
            *("--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url),
            *("--initial-cluster", f"e1={self.peer_url}", "--log-level", "error"),
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(2)

    def measure(self, clients: int, seconds: float, batch: int = 1) -> dict[str, float] | None:
        """What etcdbench says, and its CPU share."""
        if self.process is None or self.load is None:
            return None
        before, started = cpu_seconds(children=True), time.monotonic()
        endpoint = self.url.removeprefix("http://")
        done = subprocess.run(
            [str(self.load), "-endpoints", endpoint, "-clients", str(clients),
             "-seconds", str(seconds), "-batch", str(batch), "-value", "256"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            print(done.stderr[-500:], file=sys.stderr)
            return None
        out: dict[str, float] = json.loads(done.stdout)
        share = (cpu_seconds(children=True) - before) / (time.monotonic() - started)
        return {**out, "cpu_share": share}

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the sorted values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
