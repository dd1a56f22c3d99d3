"""``python -m bench.imports``: bulk load through ``everwhen import``, and bytes on disk.

Two graphs: the Debian package graph of the shared data, and a synthetic one of 200,000 nodes
and 4,000,000 relationships from a fixed seed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from bench.common import Report, scratch, shared
from tests.support.process import Server, program
from tests.support.query_api import QueryApi

BAR: Final = 500_000.0
SEED: Final = 20_231


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.imports", description=__doc__)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--edges", type=int, default=4_000_000)
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("import") as folder:
        nodes, edges = synthetic(folder, options.nodes, options.edges)
        load(report, folder, "synthetic", [f"{nodes}:Person"], [f"{edges}:KNOWS"], options.edges)
        data = shared() / "data" / "debian"
        if data.is_dir():
            count, files = debian(folder, data)
            load(report, folder, "debian", [f"{files[0]}:Package"], files[1:], count)
        else:
            report.add("import_debian", "relationships/s", None, reason=f"no {data}")
    return report.end()


def synthetic(folder: Path, nodes: int, edges: int) -> tuple[Path, Path]:
    """CSV files of a graph with a skewed degree distribution, from a fixed seed."""
    chance = np.random.default_rng(SEED)
    people, knows = folder / "people.csv", folder / "knows.csv"
    ages = chance.integers(0, 100, nodes)
    with people.open("w") as out:
        out.write("id:ID,name,age:int\n")
        out.writelines(f"{i},person {i},{age}\n" for i, age in enumerate(ages.tolist()))
    starts = chance.integers(0, nodes, edges)
    ends = (nodes * chance.random(edges) ** 2).astype(np.int64)
    since = chance.integers(1990, 2026, edges)
    with knows.open("w") as out:
        out.write(":START_ID,:END_ID,since:int\n")
        for low in range(0, edges, 100_000):
            part = slice(low, low + 100_000)
            triples = zip(
                starts[part].tolist(), ends[part].tolist(), since[part].tolist(), strict=True
            )
            out.writelines(f"{a},{b},{c}\n" for a, b, c in triples)
    return people, knows


def debian(folder: Path, data: Path) -> tuple[int, list[str]]:
    """The trixie graph with headers ``import`` reads; one edge file a type."""
    packages = folder / "packages.csv"
    with gzip.open(data / "packages-trixie.csv.gz", "rt", encoding="utf-8") as source:
        rows = csv.reader(source)
        next(rows)
        with packages.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(
                [
                    "name:ID",
                    "version",
                    "section",
                    "priority",
                    "installed_kb:int",
                    "source",
                    "description",
                ]
            )
            writer.writerows(rows)
    by_type: dict[str, list[list[str]]] = {}
    with gzip.open(data / "depends-trixie.csv.gz", "rt", encoding="utf-8") as source:
        rows = csv.reader(source)
        next(rows)
        for start, end, kind, constraint in rows:
            by_type.setdefault(kind, []).append([start, end, constraint])
    files = [str(packages)]
    for kind, edges in sorted(by_type.items()):
        path = folder / f"{kind}.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow([":START_ID", ":END_ID", "constraint"])
            writer.writerows(edges)
        files.append(f"{path}:{kind}")
    return sum(map(len, by_type.values())), files


def load(
    report: Report, folder: Path, name: str, nodes: list[str], edges: list[str], count: int
) -> None:
    """Import into a fresh node; rate of the whole command, size after a clean stop."""
    server = Server(folder / f"data-{name}")
    server.start()
    try:
        command = [*program(), "import", "--uri", f"http://127.0.0.1:{server.port}"]
        command += [part for item in nodes for part in ("--nodes", item)]
        command += [part for item in edges for part in ("--edges", item)]
        started = time.monotonic()
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        reason = None if done.returncode == 0 else (done.stdout + done.stderr)[-800:]
        late = lateness(server.port)
        found = QueryApi(server.port).rows("MATCH ()-[r]->() RETURN count(r)")[0][0]
    finally:
        server.stop()
    good = reason is None and found == count
    files = [path for path in server.directory.rglob("*") if path.is_file()]
    # the ballast is space kept back for a full disk, whatever is stored
    size = sum(path.stat().st_size for path in files if path.name != "BALLAST")
    report.add(
        f"import_{name}", "relationships/s", count / seconds if good else 0.0,
        bar=BAR if name == "synthetic" else None, reason=reason, seconds=seconds,
        relationships=count, found=found, said=_last_json(done.stdout),
    )  # fmt: skip
    # a short run: bench.latency judges it
    report.add(f"loop_lag_{name}", "seconds, p99.9 at most", late, reason=reason)
    report.add(f"disk_{name}", "bytes/relationship", size / count, reason=reason)
    ready, loaded = restarted(server)
    report.add(
        f"restart_{name}", "seconds until ready", ready, bar=5.0, at_most=True, reason=reason,
        seconds_until_columns=loaded,
    )  # fmt: skip


def restarted(server: Server) -> tuple[float, float]:
    """Seconds until a node that was stopped is ready, and until its columns are there again."""
    started = time.monotonic()
    server.start()
    try:
        ready = time.monotonic() - started
        api = QueryApi(server.port)
        while not json.loads(api.request("GET", "/v1/status")[2])["imageLoaded"]:
            time.sleep(0.05)
        return ready, time.monotonic() - started
    finally:
        server.stop()


def lateness(port: int) -> float | None:
    """The bucket of the event loop's lateness that 99.9 % of all looks lie in."""
    _, _, content = QueryApi(port).request("GET", "/metrics")
    buckets: list[tuple[float, float]] = []
    for line in content.decode().splitlines():
        name, _, count = line.rpartition(" ")
        if name.startswith("everwhen_event_loop_lag_seconds_bucket"):
            buckets.append((float(name.split('le="')[1].split('"')[0]), float(count)))
    total = max((count for _, count in buckets), default=0.0)
    return next((bound for bound, count in buckets if count >= 0.999 * total), None)


def _last_json(output: str) -> object:
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


if __name__ == "__main__":
    sys.exit(main())
