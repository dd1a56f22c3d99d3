"""A member that was away while the others went on, and one that lost its disk: how they come back,
and what the leader's memory does meanwhile.

Each writer keeps to one node of its own and commits one change at a time, so that every change is
an entry of the log, and the graph itself does not grow: memory that grows is the log's or a queue's.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.cluster.chaos.group import Group
from tests.support.process import program
from tests.support.query_api import Failed, QueryApi

_WRITERS: Final = 12
_SAMPLE_SECONDS: Final = 0.2
_MEGABYTE: Final = 1 << 20
_PARTS: Final = {
    "everwhen_record_buffer_bytes": "buffers",
    "everwhen_record_cache_bytes": "cache",
    "everwhen_log_cache_bytes": "log",
    "everwhen_image_bytes": "image",
}
#: each row is a transaction, and so an entry of the log
_CHANGES: Final = (
    "UNWIND range(1, $rows) AS i CALL (i) { MATCH (w:Writer {at: $at}) "
    "SET w.n = w.n + 1, w.text = $text + i } IN TRANSACTIONS OF 1 ROW"
)


def resident(pid: int) -> float:
    """What the process holds in memory, in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / _MEGABYTE
    raise ProcessLookupError(pid)


def parts(port: int) -> dict[str, float]:
    """What the process says its memory is for, in megabytes; each of them has a limit."""
    with QueryApi(port) as api:
        _, _, content = api.request("GET", "/metrics")
    found = {}
    for line in content.decode().splitlines():
        name, _, value = line.rpartition(" ")
        if name in _PARTS:
            found[_PARTS[name]] = float(value) / _MEGABYTE
    assert len(found) == len(_PARTS)
    return found


class Memory(threading.Thread):
    """Looks at one process until it is told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.samples = [resident(pid)]
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(_SAMPLE_SECONDS):
            self.samples.append(resident(self.pid))

    @property
    def peak(self) -> float:
        return max(self.samples)

    @property
    def tenths(self) -> list[float]:
        """The most in each tenth of the time so far: what is bounded grows less and less."""
        step = max(1, len(self.samples) // 10)
        return [
            round(max(self.samples[at : at + step])) for at in range(0, len(self.samples), step)
        ]


class Writer(threading.Thread):
    """One change after the other through one member; counts those acknowledged."""

    def __init__(self, port: int, at: int, over: threading.Event, rows: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.at = at
        self.over = over
        self.rows = rows
        self.acknowledged = 0
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            with QueryApi(self.port, timeout=300) as api:
                while not self.over.is_set():
                    self._some(api)
        except Exception as failure:
            self.failure = failure

    def _some(self, api: QueryApi) -> None:
        try:
            api.run(_CHANGES, {"rows": self.rows, "at": self.at, "text": "x" * 200})
        except Failed as refused:
            # the member that was away counts for the majority again, and is slow at first
            if not refused.retryable:
                raise
            return
        self.acknowledged += self.rows


@contextmanager
def writing(group: Group, names: list[str], rows: int) -> Iterator[None]:
    """Writers are at work on these members."""
    over = threading.Event()
    writers = [
        Writer(group.members[names[at % len(names)]].port, at, over, rows) for at in range(_WRITERS)
    ]
    with QueryApi(group.members[names[0]].port) as api:
        api.run("UNWIND range(0, $last) AS at MERGE (w:Writer {at: at}) "
                "SET w.n = coalesce(w.n, 0)", {"last": _WRITERS - 1})  # fmt: skip
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        over.set()
        for writer in writers:
            writer.join()
    for writer in writers:
        if writer.failure is not None:
            raise writer.failure


@dataclass
class Figures:
    """What one run measured."""

    missed: int = 0
    writing_seconds: float = 0.0
    #: from the start of the process until it is ready, votes, and has what the others have
    back_seconds: float = 0.0
    snapshots: int = 0
    rejoined_seconds: float = 0.0
    old_node: int = 0
    new_node: int = 0
    megabytes: dict[str, float] = field(default_factory=dict)
    #: what the leader's memory was for when the other went, and when it came back
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)
    #: the leader's memory in each tenth of the time in which the other was away
    tenths: list[float] = field(default_factory=list)

    @property
    def grown_megabytes(self) -> float:
        """By how much the leader's memory grew at most, once it was warm."""
        return self.megabytes["peak"] - self.megabytes["warm"]


def found(group: Group, *options: str) -> None:
    """Three members, n1 leads."""
    for name in ("n1", "n2", "n3"):
        server = group.add(name)
        server.options = tuple(part for each in options for part in ("--set", each))
        server.start(wait=name == "n1")
        group.until_voters(len(group.members))
        server.wait_ready()


def come_back(group: Group, missing: int, rows: int, seconds: float) -> Figures:
    """n3 is away for so many entries, comes back, loses its disk, and joins as a new node.

    ``rows``: changes a writer asks for at once; ``seconds``: how long any one step may take.
    """
    figures = Figures()
    leader = group.leader()
    assert leader is not None
    if leader == "n3":
        group.ask(leader, "POST", "/v1/leader", {"to": group.status("n1")["nodeId"]})
        group.until("another leads", lambda: group.leader() in {"n1", "n2"})
        leader = group.leader()
        assert leader is not None
    with writing(group, ["n1", "n2"], rows):
        # caches and lanes fill before memory is looked at
        _entries(group, leader, missing // 10, seconds)
        memory = Memory(group.members[leader].pid)
        memory.start()
        before = parts(group.members[leader].port)
        figures.old_node = group.status("n3")["nodeId"]
        group.kill("n3")
        since = time.monotonic()
        figures.missed = _entries(group, leader, missing, seconds)
        figures.writing_seconds = time.monotonic() - since
        figures.megabytes |= {"warm": memory.samples[0], "away": memory.peak}
        figures.tenths = memory.tenths
        after = parts(group.members[leader].port)
        figures.parts = {name: (round(before[name]), round(after[name])) for name in before}
        group.start("n3")
        figures.back_seconds = _timed(lambda: _full_member(group, "n3", seconds))
    figures.snapshots = group.members["n3"].output.read_text().count("snapshot_coming")
    group.settle()
    with writing(group, ["n1", "n2"], rows):
        group.wipe("n3")
        group.start("n3")
        figures.rejoined_seconds = _timed(lambda: _replace(group, figures.old_node, seconds))
    figures.new_node = group.status("n3")["nodeId"]
    memory.over.set()
    memory.join()
    figures.megabytes["peak"] = memory.peak
    return figures


def _entries(group: Group, name: str, count: int, seconds: float) -> int:
    """Wait until so many more are committed; how many it were."""
    first = group.status(name)["commitIndex"]
    group.until(
        f"{count} entries", lambda: group.status(name)["commitIndex"] >= first + count, seconds
    )
    return int(group.status(name)["commitIndex"] - first)


def _timed(work: Callable[[], None]) -> float:
    since = time.monotonic()
    work()
    return time.monotonic() - since


def _full_member(group: Group, name: str, seconds: float) -> None:
    """It votes, is ready, and is not far behind."""

    def is_one() -> bool:
        mine, other = group.status(name), group.status("n1")
        return (
            bool(mine.get("ready"))
            and mine["nodeId"] in other["config"]["voters"]
            and len(other["config"]["voters"]) == len(group.members)
            and other["commitIndex"] - mine["appliedIndex"] < 1_000
        )

    group.until(f"{name} is a full member", is_one, seconds)


def _replace(group: Group, old: int, seconds: float) -> None:
    """``everwhen admin join --replace``: the one thing somebody does."""
    waiting = f"http://127.0.0.1:{group.members['n3'].port}"
    group.until("n3 waits", lambda: group.status("n3")["role"] == "joining", seconds)
    command = [*program(), "admin", "--uri", f"http://127.0.0.1:{group.members['n1'].port}"]
    done = subprocess.run(
        [*command, "join", waiting, "--replace", str(old)],
        capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["nodeId"] != old, answer
    _full_member(group, "n3", seconds)


def same_everywhere(group: Group) -> list[list[Any]]:
    """What every member answers alike; the writers' counts."""
    assert len(set(group.settle().values())) == 1
    rows = []
    for server in group.members.values():
        with QueryApi(server.port) as api:
            rows.append(api.rows("MATCH (w:Writer) RETURN w.at, w.n ORDER BY w.at"))
    assert rows[0] == rows[1] == rows[2]
    return rows[0]
