"""``python -m bench.soak_bolt``: clients that come and go, reset and vanish, for ten minutes.

Then nothing may be left of them: no transaction, no connection, no task, and no memory that grew.
Memory is judged from the end of the first third on, when caches are full.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.common import Report, scratch
from tests.support.bolt import BEGIN, COMMIT, DISCARD, PULL, RESET, ROLLBACK, RUN, Bolt, Failed
from tests.support.process import Server

GROWTH_BYTES_MAX: Final = 64 << 20
KEYS: Final = 500
WRITE: Final = "MERGE (n:Soak {k: $k}) SET n.x = coalesce(n.x, 0) + 1 RETURN n"
READ: Final = "MATCH (n:Soak {k: $k}) RETURN n"
STREAM: Final = "UNWIND range(1, 20000) AS x RETURN x, toString(x) AS t"
LONG: Final = (
    "UNWIND range(1, 10000) AS x UNWIND range(1, 10000) AS y WITH x, y WHERE x < 0 RETURN x"
)


def write(client: Bolt, chance: random.Random) -> None:
    client.run(WRITE, {"k": chance.randrange(KEYS)})


def read(client: Bolt, chance: random.Random) -> None:
    client.run(READ, {"k": chance.randrange(KEYS)})


def transaction(client: Bolt, chance: random.Random) -> None:
    client.ask(BEGIN, {})
    client.run(WRITE, {"k": chance.randrange(KEYS)})
    client.run(READ, {"k": chance.randrange(KEYS)})
    client.ask(COMMIT if chance.random() < 0.7 else ROLLBACK)


def wrong(client: Bolt, chance: random.Random) -> None:
    with contextlib.suppress(Failed):
        client.run(chance.choice(["RETURN", "RETURN 1/0", "RETURN $missing"]))


def partly(client: Bolt, chance: random.Random) -> None:
    client.ask(RUN, STREAM, {}, {})
    client.send(PULL, {"n": 50})
    client.rows()
    client.ask(DISCARD, {"n": -1})


def reset(client: Bolt, chance: random.Random) -> None:
    client.send(RUN, chance.choice([LONG, STREAM]), {}, {})
    client.send(PULL, {"n": -1})
    time.sleep(chance.random() * 0.1)
    client.send(RESET)
    finals = 0
    while finals < 3:
        finals += client.receive().tag != 0x71


def vanish(client: Bolt, chance: random.Random) -> None:
    """In the middle of something, without a word."""
    what = chance.randrange(4)
    if what == 0:
        client.ask(BEGIN, {})
        client.run(WRITE, {"k": chance.randrange(KEYS)})
    elif what == 1:
        client.send(RUN, STREAM, {}, {})
        client.send(PULL, {"n": -1})
    elif what == 2:
        client.send(RUN, LONG, {}, {})
    else:
        client.socket.sendall(b"\x00\x40half")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionError


ACTIONS: Final[list[tuple[Callable[[Bolt, random.Random], None], int]]] = [
    *((write, 6), (read, 10), (transaction, 4), (wrong, 2)),
    *((partly, 2), (reset, 1), (vanish, 1)),
]


class Load:
    """Many clients, each in a thread of its own."""

    def __init__(self, port: int, clients: int, pause: float) -> None:
        self.port, self.pause = port, pause
        self.stop = threading.Event()
        self.done: Counter[str] = Counter()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, seed: int) -> None:
        chance = random.Random(seed)
        calls = [call for call, weight in ACTIONS for _ in range(weight)]
        while not self.stop.is_set():
            try:
                client = Bolt(self.port)
            except OSError as error:
                self.done[f"not connected: {type(error).__name__}"] += 1
                self.stop.wait(0.5)
                continue
            try:
                for _ in range(chance.randrange(1, 40)):
                    call = chance.choice(calls)
                    try:
                        call(client, chance)
                    except Failed as failed:
                        self.done[failed.code] += 1
                        client.ask(RESET)
                    self.done[call.__name__] += 1
                    if self.stop.wait(chance.random() * 2 * self.pause):
                        break
            except ConnectionError:
                self.done["ended"] += 1
            finally:
                client.close()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def gauges(port: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    pairs = [line.split(" ") for line in lines if not line.startswith("#") and "{" not in line]
    return {name: float(value) for name, value, *_ in pairs}


def left(server: Server) -> dict[str, float]:
    """What remains once everybody is gone; waits for it to become nothing."""
    names = ("everwhen_transactions_open", "everwhen_bolt_connections")
    deadline = time.monotonic() + 30
    while True:
        found = gauges(server.port)
        now = {name: found[name] for name in (*names, "everwhen_event_loop_tasks")}
        if not any(now[name] for name in names) or time.monotonic() > deadline:
            return now
        time.sleep(0.5)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.soak_bolt", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.5, help="mean seconds between actions")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("soak") as folder:
        server = Server(folder / "data")
        server.start()
        try:
            before = left(server)
            load = Load(server.bolt_port, options.clients, options.pause)
            sizes: list[int] = []
            end = time.monotonic() + options.minutes * 60
            while time.monotonic() < end:
                load.stop.wait(options.minutes * 60 / 60)
                sizes.append(resident(server.pid))
            load.end()
            after = left(server)
            broken = server.tail().count("unexpected_error")
        finally:
            server.stop()
    third = len(sizes) // 3
    growth = (sum(sizes[-5:]) / 5 - sum(sizes[third : third + 5]) / 5) / (1 << 20)
    report.add("soak_growth", "MiB", growth, bar=GROWTH_BYTES_MAX >> 20, at_most=True,
               minutes=options.minutes, clients=options.clients, first=sizes[0] >> 20,
               highest=max(sizes) >> 20, done=dict(load.done))  # fmt: skip
    for name, value in after.items():
        bar = before[name] if name == "everwhen_event_loop_tasks" else 0
        report.add(f"soak_left_{name}", "left", value, bar=bar, at_most=True)
    report.add("soak_unexpected_errors", "errors", broken, bar=0, at_most=True)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
