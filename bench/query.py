"""``python -m bench.query``: patterns and aggregates against ladybug and ArcadeDB, by value.

Every engine holds the same graph in a process of its own and answers the same questions in turns,
with the same parameters, drawn anew for each run; answers must be equal. What is printed is the
median of the runs after the first. Ours answers over its own API in process, as the peers do.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.common import ROOT, Report, quantile, scratch
from bench.query_generator import patterns
from bench.query_graph import social, write_parquet
from bench.query_texts import TWELVE, Query
from tests.support.process import Server, program
from tests.support.query_api import QueryApi

PEERS = ("ladybug", "arcadedb")


class Process:
    """An engine in its process."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        command = [sys.executable, "-m", "bench.query_engines", name, str(folder)]
        self.errors = folder / f"{name}.stderr"
        self._process = subprocess.Popen(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},  # peers log where they run
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors.open("w"), text=True,
        )  # fmt: skip
        self.about = self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            return {"error": f"ended: {self.errors.read_text()[-500:]}"}
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(
        self, text: str, parameters: Sequence[dict[str, Any]], seconds: float
    ) -> dict[str, Any]:
        """The engine's answers and times."""
        question = {"text": text, "parameters": list(parameters), "seconds": seconds}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return {"error": "the engine's process has ended"}
        return self._read()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.query", description=__doc__)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--edges", type=int, default=4_000_000)
    parser.add_argument("--runs", type=int, default=15, help="of each query")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each query and engine")
    parser.add_argument("--seed", type=int, default=1, help="of parameters and generated patterns")
    parser.add_argument("--patterns", type=int, default=50, help="generated ones")
    parser.add_argument("--only", help="names that begin so")
    parser.add_argument("--engines", default=",".join(("everwhen", *PEERS)))
    parser.add_argument("--folder", type=Path, help="kept, with what is loaded, for the next run")
    options = parser.parse_args(arguments)
    report = Report()
    queries = [*TWELVE, *patterns(options.seed, options.patterns)]
    if options.only:
        queries = [query for query in queries if query.name.startswith(options.only)]
    with scratch("query") as temporary:
        folder: Path = (options.folder or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, options.nodes, options.edges)
        engines = [Process(name, folder) for name in options.engines.split(",")]
        for engine in engines:
            print(json.dumps({"engine": engine.name, **engine.about}), flush=True)
        try:
            measure(report, engines, queries, options)
        finally:
            for engine in engines:
                engine.stop()
    return report.end()


def prepare(folder: Path, nodes: int, edges: int) -> None:
    """Files for the peers, and a node of ours loaded by its own importer and stopped."""
    if (folder / "data").exists():
        return
    graph = social(nodes, edges)
    people, knows = write_parquet(graph, folder)
    server = Server(folder / "data")
    server.start()
    try:
        api = QueryApi(server.port)
        api.rows("CREATE CONSTRAINT FOR (p:Person) REQUIRE p.id IS UNIQUE")
        command = [*program(), "import", "--uri", f"http://127.0.0.1:{server.port}"]
        command += ["--nodes", f"{people}:Person", "--edges", f"{knows}:KNOWS"]
        started = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found = api.rows("MATCH (n:Person) RETURN count(n)")[0][0]
        assert found == nodes, (found, nodes)
        print(json.dumps({"loaded": edges, "seconds": time.monotonic() - started}), flush=True)
    finally:
        server.stop()


def measure(
    report: Report, engines: list[Process], queries: Sequence[Query], options: argparse.Namespace
) -> None:
    """One line for each query, and the geometric mean of the ratios at the end."""
    ratios: dict[str, list[float]] = {"pattern": [], "generated": []}
    for query in queries:
        chance = random.Random(f"{options.seed} {query.name}")
        parameters = [query.draw(chance, options.nodes) for _ in range(options.runs + 1)]
        said = {
            engine.name: engine.ask(query.of(engine.name), parameters, options.seconds)
            for engine in engines
        }
        medians = {
            name: quantile(answer["times"], 0.5) if answer.get("times") else None
            for name, answer in said.items()
        }
        wrong, remarks = disagreements(said)
        mine = medians.pop("everwhen", None)
        best = min((median for median in medians.values() if median), default=None)
        if mine and best and not wrong:
            kind = "generated" if query.name.startswith("generated") else "pattern"
            if query.kind != "point":
                ratios[kind].append(best / mine)
        report.add(
            query.name, "ms (median)", None if wrong else mine,
            {"best": best}, bar=1.0, at_most=True, against_peer=True,
            reason="; ".join(remarks) or None, **{n: m for n, m in medians.items() if m},
            runs=len(said.get("everwhen", {}).get("times", ())),
        )  # fmt: skip
    for kind, found in ratios.items():
        if found:
            mean = math.exp(sum(map(math.log, found)) / len(found))
            report.add(f"geometric_mean_{kind}", "times the better peer", mean, bar=2.0)


def disagreements(said: dict[str, dict[str, Any]]) -> tuple[bool, list[str]]:
    """Whether our answers stand alone, and what there is to remark: errors, and engines whose
    answers to the same parameters differ from ours. (ladybug 0.22 mistakes one parameter for
    another in some prepared statements; where ArcadeDB answers as we do, its time still counts.)"""
    remarks = [f"{name}: {answer['error']}" for name, answer in said.items() if "error" in answer]
    ours = [canonical(rows) for rows in said.get("everwhen", {}).get("answers", ())]
    agreeing = 0
    for name, answer in said.items():
        theirs = [canonical(rows) for rows in answer.get("answers", ())]
        shared = min(len(theirs), len(ours))
        if name == "everwhen" or not shared:
            continue
        different = [n for n in range(shared) if theirs[n] != ours[n]]
        agreeing += not different
        if different:
            n = different[0]
            remarks.append(f"{name}: run {n}: {theirs[n][:3]} instead of {ours[n][:3]}")
    return bool(remarks) and not agreeing, remarks


def canonical(rows: list[list[Any]]) -> list[str]:
    """Rows as a sorted list of texts; 1.0 as 1, floats to nine digits."""
    return sorted(json.dumps([_plain(value) for value in row]) for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)  # ladybug's sums of integers are decimals
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(f"{value:.9g}")
    return value


if __name__ == "__main__":
    sys.exit(main())
