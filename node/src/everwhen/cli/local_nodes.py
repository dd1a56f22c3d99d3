"""The processes of ``everwhen local``: where each has its ports and its data, and its rolling log."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import http.client
import json
import secrets
import shlex
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from everwhen.codec.peer_frames import HEADER_SECRET
from everwhen.errors import SettingsInvalid
from everwhen.limits import LOCAL_LOG_BYTES_MAX, LOCAL_LOG_FILES

_HOST: Final = "127.0.0.1"
_BASE_PORT: Final = 7474
_BOLT_ABOVE: Final = 213
_PEER_BELOW: Final = 74
_NODES: Final = 3
#: where free ports are looked for: Linux gives 32,768 and above to outgoing connections, and
#: none is to be taken between now and its use
FREE_PORTS: Final = range(12_000, 32_000)
_ASK_SECONDS: Final = 2.0
#: a node answers what is under way and flushes; then it is killed
_STOP_SECONDS: Final = 30.0
_PIECE_BYTES: Final = 64 << 10
#: the signal that a process gets when its parent dies (Linux, prctl(2))
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Place:
    """One node's name and ports."""

    name: str
    http: int
    bolt: int
    peer: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes of a folder; kept in it, because members know each other by address."""

    folder: Path
    nodes: tuple[Place, ...]


def plan_of(folder: Path, count: int | None, base_port: int | None) -> Plan:
    """The plan of a folder: the one kept there, grown if more nodes are asked for.

    :raises SettingsInvalid: the folder holds more nodes, or they have other ports.
    """
    file = folder / "local.json"
    kept = [Place(**place) for place in json.loads(file.read_text())] if file.exists() else []
    wanted = count or len(kept) or _NODES
    if wanted < len(kept):
        raise SettingsInvalid(
            f"{folder} holds {len(kept)} nodes, not {wanted}",
            hint="let members leave with `everwhen admin leave`, or take another folder",
        )
    if kept and base_port and base_port != kept[0].http:
        raise SettingsInvalid(
            f"the nodes of {folder} are known under ports from {kept[0].http} on",
            hint="leave --base-port away, or take another folder",
        )
    base = kept[0].http if kept and base_port is None else base_port
    places = [*kept, *_places(len(kept), wanted, _BASE_PORT if base is None else base)]
    file.write_text(json.dumps([asdict(place) for place in places], indent=1) + "\n")
    return Plan(folder, tuple(places))


def _places(first: int, end: int, base: int) -> list[Place]:
    """Nodes ``first`` to ``end``, counted from 0."""
    if base == 0:
        ports = free_ports(3 * (end - first))
        return [Place(f"n{k + 1}", *ports[3 * (k - first) :][:3]) for k in range(first, end)]
    if base - _PEER_BELOW < 1 or base + _BOLT_ABOVE + end > 65_535:
        raise SettingsInvalid(f"--base-port {base} leaves no room for the other doors' ports")
    return [
        Place(f"n{k + 1}", base + k, base + _BOLT_ABOVE + k, base - _PEER_BELOW + k)
        for k in range(first, end)
    ]


def free_ports(count: int) -> list[int]:
    """``count`` of `FREE_PORTS`, all different, that nobody listens on."""
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(FREE_PORTS)
        if port not in found and is_free(port):
            found.append(port)
    return found


def is_free(port: int) -> bool:
    """Whether nobody listens on this TCP port just now."""
    with socket.socket() as probe:
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


class LocalNode:
    """One process."""

    def __init__(
        self, plan: Plan, place: Place, secret_file: Path, auth: str, settings: tuple[str, ...]
    ) -> None:
        self.place = place
        self._secret = secret_file.read_text(encoding="ascii").strip()
        self.log_file = plan.folder / f"{place.name}.log"
        others = ",".join(f"{_HOST}:{each.http}" for each in plan.nodes if each != place)
        founds = place == plan.nodes[0]
        self.command = [
            *(sys.executable, "-m", "everwhen.cli", "serve", "--name", place.name),
            *("--data-dir", str(plan.folder / place.name)),
            *("--http", f"{_HOST}:{place.http}", "--bolt", f"{_HOST}:{place.bolt}"),
            *("--peer", f"{_HOST}:{place.peer}"),
            *(["--bootstrap"] if founds else ["--join", others]),
            *("--auth", auth, "--set", f"cluster.secret_file={secret_file}"),
            *("--set", "log.format=json"),
            *(part for setting in settings for part in ("--set", setting)),
        ]
        self._process: asyncio.subprocess.Process | None = None
        self._logging: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def described(self) -> dict[str, Any]:
        """What whoever started the cluster is told."""
        return {
            "name": self.place.name,
            "pid": self.pid,
            "http": f"http://{_HOST}:{self.place.http}",
            "bolt": f"bolt://{_HOST}:{self.place.bolt}",
            "peer": f"{_HOST}:{self.place.peer}",
            "log": str(self.log_file),
            "command": shlex.join(self.command),
        }

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start the process and what writes its log, in a session of its own: Ctrl-C is this process's to handle."""
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        self._logging = group.create_task(self._log(self._process.stdout))

    async def _log(self, source: asyncio.StreamReader | None) -> None:
        assert source is not None
        rolling = RollingFile(self.log_file)
        try:
            while piece := await source.read(_PIECE_BYTES):
                await asyncio.to_thread(rolling.write, piece)
        finally:
            rolling.close()

    async def ended(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help."""
        process, logging = self._process, self._logging
        if process is None or logging is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
        await logging

    def status(self) -> dict[str, Any] | None:
        """Its ``/v1/status``; None if it does not answer. Blocking."""
        connection = http.client.HTTPConnection(_HOST, self.place.http, timeout=_ASK_SECONDS)
        try:
            connection.request("GET", "/v1/status", headers={HEADER_SECRET: self._secret})
            found = json.loads(connection.getresponse().read())
            return found if isinstance(found, dict) else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()


def _end_with_parent() -> None:
    """In the child: end when this command's process is killed, so that nothing is left behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class RollingFile:
    """A file that moves aside when it is full: ``x``, then ``x.1`` (the last one before), …"""

    def __init__(
        self, path: Path, size_max: int = LOCAL_LOG_BYTES_MAX, files: int = LOCAL_LOG_FILES
    ) -> None:
        self._path = path
        self._size_max = size_max
        self._files = files
        self._file: BinaryIO = path.open("ab")

    def write(self, piece: bytes) -> None:
        """Append; roll first if it does not fit. Lines may be cut at the border of two files."""
        if self._file.tell() and self._file.tell() + len(piece) > self._size_max:
            self._roll()
        self._file.write(piece)
        self._file.flush()

    def _roll(self) -> None:
        self._file.close()
        for number in range(self._files - 1, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        self._file = self._path.open("wb")

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
