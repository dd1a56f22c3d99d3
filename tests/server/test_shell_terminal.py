"""``everwhen sh`` on a real terminal: what a person types, and what is seen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.process import Server, program

SECONDS: Final = 90.0
LONG: Final = (
    "UNWIND range(1, 100000) AS a WITH a UNWIND range(1, 100000) AS b "
    "WITH a, b WHERE a + b < 0 RETURN a;"
)
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: the space behind it may come as a movement of the cursor
PROMPT: Final = r"everwhen[*]?>"
CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"


def _as_of_a_person() -> None:
    """Ctrl-C reaches whom the terminal controls, also if these tests run in the background, where
    a shell has it ignored."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Terminal:
    """A shell with a terminal of its own."""

    def __init__(self, port: int, home: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            [*program(), "sh", f"http://127.0.0.1:{port}"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ
            | {"TERM": "xterm", "XDG_STATE_HOME": str(home), "PROMPT_TOOLKIT_NO_CPR": "1"},
            start_new_session=True,
            preexec_fn=_as_of_a_person,  # noqa: PLW1509
        )
        os.close(slave)
        self._seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def sees(self, pattern: str) -> None:
        """Wait until it is there, behind what was seen before."""
        deadline = time.monotonic() + SECONDS
        while (found := re.search(pattern, self._seen)) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self._seen[-2_000:]!r}"
            if select.select([self._master], [], [], 0.1)[0]:
                came = os.read(self._master, 65_536)
                self._seen += _CONTROL.sub("", came.decode(errors="replace"))
        self._seen = self._seen[found.end() :]

    def ask(self, text: str, pattern: str) -> None:
        self.type(text + "\r")
        self.sees(pattern)
        self.sees(PROMPT)

    def end(self) -> int:
        """Ctrl-D; the exit code."""
        self.type(CTRL_D)
        return self.process.wait(SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("shell") / "data")
    server.start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def terminal(node: Server, tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(node.port, tmp_path)
    opened.sees(PROMPT)
    yield opened
    opened.close()


def test_statements_transactions_errors_and_help(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("RETURN 40 + 2\r")
    terminal.sees(r"\.\.\.")  # the next line of the same statement
    terminal.ask("AS answer;", r"(?s)answer.*42")
    terminal.ask("RETURN foo(;", r"(?s)line 1.*\^")
    terminal.ask(":begin", "a transaction is open")
    terminal.ask("CREATE (:Typed);", "(?i)nodes? created")
    terminal.ask(":rollback", "rolled back")
    terminal.ask("MATCH (t:Typed) RETURN 'none: ' + count(t) AS n;", "none: 0")
    terminal.ask(":help", "Ctrl-D  leaves")
    terminal.ask(UP, "Ctrl-D  leaves")
    assert terminal.end() == 0
    kept = (tmp_path / "everwhen" / "history").read_text(encoding="utf-8")
    assert "+AS answer;" in kept
    assert "+:help" in kept


def test_ctrl_c_stops_what_runs_and_drops_what_is_typed(terminal: Terminal) -> None:
    terminal.type(LONG + "\r")
    # the terminal is the statement's from here on: the prompt has let go of it
    until_running(terminal)
    terminal.type(CTRL_C)
    terminal.sees("interrupted")
    terminal.sees(PROMPT)
    terminal.type("RETURN 'half" + CTRL_C)
    terminal.ask("RETURN 'still ' + 'here' AS s;", "still here")
    assert terminal.end() == 0


def until_running(terminal: Terminal) -> None:
    """Wait until the line discipline turns Ctrl-C into a signal again."""
    deadline = time.monotonic() + SECONDS
    while not termios.tcgetattr(terminal._master)[3] & termios.ISIG:
        assert time.monotonic() < deadline
        select.select([], [], [], 0.02)
