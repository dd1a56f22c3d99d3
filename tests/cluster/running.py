"""A cluster as ``everwhen local`` runs it, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.support.process import program
from tests.support.query_api import QueryApi

SECONDS: Final = 40.0


class Local:
    """The command, its one line of JSON, and what it says afterwards."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.errors = folder.with_suffix(".err")
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [*program(), "local", "--dir", str(folder), *options],
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        # readline has no deadline of its own
        killer = threading.Timer(SECONDS, self.process.kill)
        killer.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        killer.cancel()
        self.process.stdout.close()
        assert line, self.errors.read_text()
        self.endpoints: dict[str, Any] = json.loads(line)

    def port(self, at: int) -> int:
        return int(urlsplit(self.endpoints["nodes"][at]["http"]).port or 0)

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = [line for line in self.errors.read_text().splitlines() if line.startswith("{")]
        return [found for line in lines if (found := json.loads(line))["event"] == event]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def answers(api: QueryApi) -> bool:
    """Whether requests should be sent there."""
    try:
        return api.request("GET", "/readyz")[0] == 200
    except ConnectionError:
        return False
