"""A real ``everwhen serve`` in a process of its own, to be stopped, killed and started again."""

from __future__ import annotations

import http.client
import itertools
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from everwhen.cli.local_nodes import FREE_PORTS, is_free

READY_SECONDS: Final = 60.0


def ports_of(worker: int, workers: int) -> Iterator[int]:
    """The ports that one process of a test run gives away, in an order of chance, each again
    only when all others were given: a server binds its ports long after they were chosen, and
    one that was killed wants them again. Other processes of the run give other ports."""
    mine = list(FREE_PORTS[worker::workers])
    random.SystemRandom().shuffle(mine)
    return itertools.cycle(mine)


_PORTS: Final = ports_of(
    int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")),
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
)


def program() -> list[str]:
    """``$EVERWHEN`` (a command line), or the command of this checkout's environment."""
    if given := os.environ.get("EVERWHEN"):
        return shlex.split(given)
    script = Path(sys.executable).with_name("everwhen")
    return [str(script)] if script.exists() else [sys.executable, "-m", "everwhen.cli"]


def free_port() -> int:
    """A TCP port that nobody listens on just now, and that no other server of this run has."""
    return next(port for port in _PORTS if is_free(port))


class ServerDied(RuntimeError):
    """The process ended without being told to; carries the end of its output."""


class Server:
    """One node on one data directory. The port stays the same over restarts."""

    def __init__(
        self, directory: Path, *options: str, name: str = "n1", join: int | None = None
    ) -> None:
        self.directory = directory
        self.name = name
        #: HTTP port of a member to ask for admission; without one the node founds a cluster
        self.join = join
        self.peer_port = free_port()
        self.port = free_port()
        self.bolt_port = free_port()
        self.options = options
        #: what its environment has besides that of this process
        self.environment: dict[str, str] = {}
        self.output = directory.with_name(directory.name + ".log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> None:
        """Start; return when ``/readyz`` says so."""
        command = [
            *program(),
            "serve",
            *("--data-dir", str(self.directory)),
            *("--http", f"127.0.0.1:{self.port}"),
            *("--bolt", f"127.0.0.1:{self.bolt_port}"),
            *("--peer", f"127.0.0.1:{self.peer_port}"),
            *(["--bootstrap"] if self.join is None else ["--join", f"127.0.0.1:{self.join}"]),
            *("--auth", "none"),
            *("--name", self.name),
            *self.options,
        ]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | self.environment,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Until ``/readyz`` answers 200.

        :raises ServerDied: it ended, or took longer than ``READY_SECONDS``.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            if self._ready():
                return
            time.sleep(0.02)
        raise ServerDied(self.tail())

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process = None
        return code

    def tail(self) -> str:
        """The end of what it printed."""
        return self.output.read_text(encoding="utf-8", errors="replace")[-4000:]
