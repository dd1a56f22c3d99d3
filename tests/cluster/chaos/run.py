"""``python -m tests.cluster.chaos.run --minutes 3``: real processes, faults, load, and a verdict.

Three members, five from half-time on, under clients over HTTP and over Neo4j's driver, while members
are killed, frozen, cut off from one another, replaced, and moved around. At the end everything is
made good; every member must hold the same, everything acknowledged must be there, and the judges in
``tests/checkers`` must find an explanation for everything clients were told. One seed decides what
is done; the machine's timing decides the rest.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.checkers import appends, registers, sums
from tests.checkers.history import Problem
from tests.cluster.chaos.group import Broken, Group
from tests.cluster.chaos.links import Network
from tests.cluster.chaos.nemesis import Nemesis
from tests.cluster.chaos.workload import ACCOUNTS, MONEY, SETUP, Client, Shared
from tests.support.process import ServerDied, program
from tests.support.query_api import QueryApi

_CLIENTS: Final = 6
#: what no member may say of itself
_SURPRISES: Final = ('"unexpected_error"', "Error handling request")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.cluster.chaos.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--keep", action="store_true", help="keep data, logs and history")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="everwhen-chaos-"))
    network = Network()
    group, shared = Group(folder, network), Shared()
    verdicts: dict[str, list[Problem]] = {}
    try:
        deeds = campaign(group, network, shared, options.minutes * 60, options.seed)
        print("faults: " + ", ".join(f"{n} {name}" for name, n in sorted(deeds.items())))
        verdicts = judge(group, shared)
        verdicts["processes"] = ending(group)
    except (Broken, ServerDied) as broken:
        verdicts["cluster"] = [Problem("did not come back", str(broken))]
    finally:
        for server in group.members.values():
            server.kill()
        group.small_disk.remove()
        network.close()
    verdicts["clients"] = [Problem("surprise", text) for text in shared.errors]
    report(verdicts, shared)
    failed = sum(bool(problems) for problems in verdicts.values())
    if failed or options.keep:
        with (folder / "history.jsonl").open("w") as file:
            file.writelines(json.dumps(asdict(each)) + "\n" for each in shared.history)
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    if not group.small_disk.there:
        print("skipped: full disks, for lack of the right to mount one of its own")
    if not group.hosts:
        print("skipped: moved clocks and slow disks, for lack of a C compiler")
    skipped = int(not group.small_disk.there) + int(not group.hosts)
    print(f"{len(verdicts) - failed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def campaign(
    group: Group, network: Network, shared: Shared, seconds: float, seed: str
) -> Counter[str]:
    """Load and faults, with three members and then with five; everything is made good at the end.
    What was done how often."""
    for name in ("n1", "n2", "n3"):
        _join(group, shared, name)
    with QueryApi(group.members["n1"].port) as api:
        for statement in SETUP:
            api.run(statement)
    clients = [Client(shared, number, seed) for number in range(_CLIENTS)]
    for client in clients:
        client.start()
    deeds: Counter[str] = Counter()
    for half, newcomers in enumerate(((), ("n4", "n5"))):
        for name in newcomers:
            _join(group, shared, name)
        nemesis = Nemesis(group, network, shared, f"{seed} {half}")
        nemesis.start()
        threading.Event().wait(seconds / 2)
        nemesis.stop()
        deeds += nemesis.done
    shared.stop.set()
    for client in clients:
        client.join(120)
    return deeds


def _join(group: Group, shared: Shared, name: str) -> None:
    group.join(name)
    server = group.members[name]
    shared.nodes[name] = (server.port, server.bolt_port)


def judge(group: Group, shared: Shared) -> dict[str, list[Problem]]:
    """Every verdict by its name."""
    digests = group.settle()
    history = list(shared.history)
    found = {name: final_of(server.port) for name, server in group.members.items()}
    end = next(iter(found.values()))
    lists = [each for each in history if each.kind == "append-txn"]
    strict = [each for each in lists if each.arguments["serializable"]]
    snapshot = [each for each in lists if not each.arguments["serializable"]]
    asked = [each for each in history if each.kind == "past"]
    totals = [each for each in history if each.kind == "total"]
    for each in asked:
        each.kind = "total"
    bank = sums.bank([*totals, *asked], ACCOUNTS * MONEY)
    for each in asked:
        each.kind = "past"
    return {
        "registers are linearizable": registers.check(history),
        "lists under snapshot isolation": appends.check(snapshot),
        "lists under serializable": appends.check(strict, serializable=True),
        "appends are all there": appends.lost(history, end["lists"]),
        "the bank's total": bank,
        "counters count once": sums.counters(history, end["counters"]),
        "inserts are all there": sums.members_of_set(history, end["set"]),
        "unique values": sums.unique(history, end["claims"]),
        "the past repeats": sums.repeatable(history),
        "relationships from both ends": [
            Problem("graph", f"{name}: {each['edges']}")
            for name, each in found.items()
            if len(set(each["edges"])) != 1
        ],
        "same digest everywhere": sums.same_everywhere(digests),
        "same content everywhere": sums.same_everywhere(found),
    }


def final_of(port: int) -> dict[str, Any]:
    """What one member holds at the end."""
    with QueryApi(port) as api:
        rows = api.rows
        return {
            "lists": dict(rows("MATCH (l:Lst) RETURN l.key, l.items")),
            "counters": dict(rows("MATCH (c:Cnt) RETURN c.id, c.v")),
            "set": sorted(row[0] for row in rows("MATCH (n:El) RETURN n.v")),
            "forgotten": sorted(rows("MATCH (t:Tmp) RETURN t.key, t.v")),
            "claims": sorted(row[0] for row in rows("MATCH (n:Claim) RETURN n.v")),
            "accounts": rows("MATCH (a:Acc) RETURN a.id, a.v ORDER BY a.id"),
            "edges": [
                rows(f"MATCH {pattern} RETURN count(e)")[0][0]
                for pattern in ("(:V)-[e:E]->()", "(:V)<-[e:E]-()", "()-[e:E]->(:V)")
            ],
        }


def ending(group: Group) -> list[Problem]:
    """Everybody stops when told, nobody was surprised, and what they leave on disk is whole."""
    problems = [
        Problem("exit code", f"{name}: {code}") for name, code in group.stop().items() if code
    ]
    for name, server in group.members.items():
        log = server.output.read_text(encoding="utf-8", errors="replace")
        problems += [
            Problem("log", f"{name}: {line[:300]}")
            for line in log.splitlines()
            if line.startswith("Traceback") or any(word in line for word in _SURPRISES)
        ]
        done = subprocess.run(
            [*program(), "verify", str(server.directory)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            problems.append(Problem("verify", f"{name}: {done.stdout[-1000:]}"))
    return problems


def report(verdicts: dict[str, list[Problem]], shared: Shared) -> None:
    """What happened and what was wrong."""
    outcomes = Counter((each.kind, each.outcome.value) for each in shared.history)
    for kind in sorted({kind for kind, _ in outcomes}):
        counts = ", ".join(f"{n} {out}" for (k, out), n in sorted(outcomes.items()) if k == kind)
        print(f"{kind}: {counts}")
    reasons = Counter(each.error[:100] for each in shared.history if each.error)
    for reason, count in reasons.most_common(12):
        print(f"  {count} x {reason}")
    show: Callable[[Problem], None] = print
    for name, problems in verdicts.items():
        print(f"{'ok    ' if not problems else 'FAILED'} {name}")
        for problem in problems[:10]:
            show(problem)


if __name__ == "__main__":
    sys.exit(main())
