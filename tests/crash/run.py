"""``python -m tests.crash.run --rounds 200``: kill -9 under mixed writes, restart, look.

Each round starts the server on the same data directory, keeps it busy with six writers, kills
it at a random moment (sometimes while it still starts), starts it again and checks: every
acknowledged commit present, every unacknowledged one wholly present or wholly absent, times of
commits increasing, ``everwhen verify`` clean. One seed decides what is written and when the
process is killed; the machine's timing decides the rest. Every second data directory makes column
segments of small commits meanwhile.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.crash.ledger import Ledger
from tests.crash.load import KINDS, SETUP, Writer
from tests.support.process import Server, ServerDied, program
from tests.support.query_api import QueryApi

_COMPACTS: Final = ("--set", "compaction.rows_per_s=20000")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.crash.run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the data directory")
    parser.add_argument("--fresh-every", type=int, default=25, help="rounds on one data directory")
    options = parser.parse_args(arguments)
    base = Path(tempfile.mkdtemp(prefix="everwhen-crash-"))
    failed = 0
    for number, first in enumerate(range(0, options.rounds, options.fresh_every)):
        rounds = range(first, min(first + options.fresh_every, options.rounds))
        settings = _COMPACTS if number % 2 else ()
        failed += campaign(base / f"data{first}", rounds, options.seed, *settings)
    if failed or options.keep:
        print(f"data directories kept in {base}")
    else:
        shutil.rmtree(base)
    print(f"{options.rounds - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def campaign(directory: Path, rounds: range, seed: int, *settings: str) -> int:
    """Rounds on one data directory; the number that failed. Ends at the first broken state:
    what comes after it would only repeat it."""
    ledger = Ledger()
    for number in rounds:
        chance = random.Random(f"{seed} {number}")
        try:
            wrong, rows = one_round(Server(directory, *settings), ledger, chance)
        except ServerDied as died:
            wrong, rows = [f"the server did not start: {died}"], 0
        state = "ok" if not wrong else "FAILED"
        units = f"{len(ledger.units)} units so far"
        print(f"round {number}: {units}, {rows} elements compacted, {state}", flush=True)
        for line in wrong[:20]:
            print(f"  {line}", flush=True)
        if wrong:
            return rounds.stop - number
    return 0


def one_round(server: Server, ledger: Ledger, chance: random.Random) -> tuple[list[str], int]:
    """Load, kill, restart, check; violations and the number of elements compacted so far."""
    try:
        server.start()
        api = QueryApi(server.port)
        for statement in SETUP:
            api.run(statement)
        if server.options and chance.random() < 0.34:
            Writer(server.port, ledger, chance, "auto").fill()
        surprises = _load_and_kill(server, ledger, chance)
        if chance.random() < 0.15:  # a second kill, in the middle of recovery
            server.start(wait=False)
            time.sleep(chance.uniform(0.0, 0.8))
            server.kill()
        server.start()
        wrong = surprises + look(QueryApi(server.port), ledger)
        rows = compacted(server.port)
        if not server.alive:
            wrong.append("the server died while it was looked at")
        if chance.random() < 0.5:
            server.kill()
        else:
            code = server.stop()
            if code != 0:
                wrong.append(f"SIGTERM ended it with code {code}: {server.tail()[-500:]}")
    finally:
        server.kill()
    return wrong + verify(server.directory), rows


def _load_and_kill(server: Server, ledger: Ledger, chance: random.Random) -> list[str]:
    writers = [Writer(server.port, ledger, random.Random(chance.random()), kind) for kind in KINDS]
    for writer in writers:
        writer.start()
    time.sleep(chance.choice((0.1, 0.5, 1.5)) * chance.uniform(0.2, 1.5))
    died = not server.alive
    server.kill()
    surprises = ["the server died by itself: " + server.tail()[-1500:]] if died else []
    for writer in writers:
        writer.told.set()
    for writer in writers:
        writer.join(90)
        if writer.is_alive():
            surprises.append(f"writer {writer.kind} hangs after the kill")
        surprises += writer.surprises[:3]
    return surprises


def look(api: QueryApi, ledger: Ledger) -> list[str]:
    """Ask for everything the ledger knows about, and the commit times."""
    nodes = dict(api.rows("MATCH (w:W) RETURN w.op, count(*)"))
    links = dict(api.rows("MATCH (:W)-[r:NEXT]->(:W) RETURN r.op, count(*)"))
    counters = dict(api.rows("MATCH (c:Counter) RETURN c.id, c.v"))
    by_index = {
        op: api.rows("MATCH (w:W {op: $op}) RETURN count(*)", {"op": op})[0][0]
        for op in sorted(ledger.units)[-20:]
    }
    wrong = [
        f"unit {op}: {n} nodes through the index, {nodes.get(op, 0)} by scan"
        for op, n in by_index.items()
        if n != nodes.get(op, 0)
    ]
    return wrong + ledger.reconcile(nodes, links, counters)


def compacted(port: int, figure: str = "everwhen_compaction_rows") -> int:
    """What the node's metrics say of compaction: elements moved so far, or another figure."""
    with QueryApi(port) as api:
        _, _, content = api.request("GET", "/metrics")
    found = [line for line in content.decode().splitlines() if line.startswith(f"{figure} ")]
    return int(float(found[0].rsplit(" ", 1)[1]))


def verify(directory: Path) -> list[str]:
    """``everwhen verify`` on the stopped data directory; it checks that times increase too."""
    done = subprocess.run(
        [*program(), "verify", str(directory)], capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return []
    return [f"verify says {done.returncode}: {(done.stdout + done.stderr)[-1500:]}"]


if __name__ == "__main__":
    sys.exit(main())
