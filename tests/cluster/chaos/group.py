"""The members under test: processes whose connections to one another go through the proxy."""

from __future__ import annotations

import errno
import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.cluster.chaos.hosts import Host, library
from tests.cluster.chaos.links import Network
from tests.support.process import Server

SECONDS: Final = 90.0
SMALL_DISK_OF: Final = "n2"
_SMALL_DISK_BYTES: Final = 400 << 20
#: small, so that logs are dropped, and members that were away need snapshots
_SETTINGS: Final = (
    "storage.log_trailing_entries=300",
    "storage.log_segment_bytes=1048576",
    "storage.flush_s=3",
    "headroom.memory_low_bytes=0",
    "headroom.disk_low_bytes=33554432",
)


class Broken(RuntimeError):
    """The cluster did not come back."""


class SmallDisk:
    """A file system of its own for one member, small enough to be filled. Needs root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filler = folder / "filler"
        self.there = False

    def make(self) -> None:
        """Mount it, where that is allowed."""
        self._folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK_BYTES}", "none"]
        done = subprocess.run([*command, str(self._folder)], capture_output=True, check=False)
        self.there = done.returncode == 0

    def fill(self) -> None:
        """Not a byte is left."""
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * (1 << 20))
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise

    def clear(self) -> None:
        """There is room again."""
        self._filler.unlink(missing_ok=True)

    def remove(self) -> None:
        """Unmount it."""
        if self.there:
            subprocess.run(["umount", str(self._folder)], check=False)


class Group:
    """Members n1, n2, …; a member that lost its disk comes back under the same name."""

    def __init__(self, folder: Path, network: Network | None) -> None:
        """``network``: between the members; without one they talk to each other directly, and
        run with the settings they have by default."""
        self._folder = folder
        self._network = network
        self.members: dict[str, Server] = {}
        self.small_disk = SmallDisk(folder / SMALL_DISK_OF)
        #: clocks and disks of members; empty where they cannot be reached
        self.hosts: dict[str, Host] = {}
        self._library = None if network is None else library(folder)

    def add(self, name: str) -> Server:
        """One more, not started."""
        join = next(iter(self.members.values())).port if self.members else None
        if name == SMALL_DISK_OF and self._network is not None:
            self.small_disk.make()
        # below the mount point: a member that loses its disk loses this folder
        server = Server(self._folder / name / "data", name=name, join=join)
        server.directory.parent.mkdir(parents=True, exist_ok=True)
        server.output = self._folder / f"{name}.log"
        if self._network is not None:
            proxy = self._network.in_front_of(name, server.peer_port)
            settings = (*_SETTINGS, f"cluster.advertised=127.0.0.1:{proxy}")
            if self._library is not None:
                self.hosts[name] = Host(self._library, self._folder / f"{name}.host")
                server.environment = self.hosts[name].environment
            server.options = tuple(part for each in settings for part in ("--set", each))
        self.members[name] = server
        return server

    def join(self, name: str) -> None:
        """One more, founding the group or admitted to it; with a vote, and ready."""
        server = self.add(name)
        server.start(wait=len(self.members) == 1)
        self.until_voters(len(self.members))
        server.wait_ready()

    def ask(
        self, name: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """An administrative call to one member.

        :raises OSError: it does not answer.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.members[name].port, timeout=40)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            found: dict[str, Any] = json.loads(answer.read())
            return answer.status, found
        except (http.client.HTTPException, ValueError) as broken:
            raise OSError(str(broken)) from broken
        finally:
            connection.close()

    def status(self, name: str) -> dict[str, Any]:
        """Its ``/v1/status``."""
        return self.ask(name, "GET", "/v1/status")[1]

    def leader(self) -> str | None:
        """Who says it leads, if anybody does."""
        for name, server in self.members.items():
            if server.alive:
                try:
                    if self.status(name).get("role") == "leader":
                        return name
                except OSError:
                    continue
        return None

    def until(self, what: str, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
        """:raises Broken: it is not so in time."""
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
            except (OSError, KeyError):
                # down, or still joining: its status says less
                pause.wait(0.2)
            pause.wait(0.05)
        tails = "\n".join(f"--- {n}\n{s.tail()[-1500:]}" for n, s in self.members.items())
        raise Broken(f"not in {seconds:g} s: {what}\n{tails}")

    def until_voters(self, wanted: int) -> None:
        """Everybody has a vote."""
        first = next(iter(self.members))
        self.until(
            f"{wanted} voters", lambda: len(self.status(first)["config"]["voters"]) == wanted
        )

    def settle(self) -> dict[str, str]:
        """Everybody has applied the same and nothing is under way; name -> digest."""
        found: dict[str, str] = {}

        def same() -> bool:
            self.restart_after_full_disk()
            seen = {name: self.status(name) for name in self.members}
            found.clear()
            found.update({name: s["digest"] for name, s in seen.items() if "digest" in s})
            applied = {s.get("appliedIndex") for s in seen.values()}
            commit = {s.get("commitIndex") for s in seen.values()}
            return len(found) == len(seen) and len(applied) == 1 and applied == commit

        self.until("everybody has applied the same", same)
        return found

    def settle_roughly(self) -> None:
        """Everybody is there and nearly up to date, under load too."""

        def near() -> bool:
            seen = [self.status(name) for name in self.members]
            behind = max(s["commitIndex"] for s in seen) - min(s["appliedIndex"] for s in seen)
            return behind < 500 and all(s["ready"] for s in seen) and self.leader() is not None

        self.until("everybody keeps up", near)

    # --- what is done to them ---

    def kill(self, name: str) -> None:
        """kill -9."""
        self.members[name].kill()

    def start(self, name: str) -> None:
        """Start again; ready or not."""
        self.members[name].start(wait=False)

    def restart_after_full_disk(self) -> bool:
        """Start a member that ended because its disk was full; whether there was one."""
        server = self.members.get(SMALL_DISK_OF)
        if server is None or server.alive or "No space left" not in server.tail():
            return False
        server.start(wait=False)
        return True

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        os.kill(self.members[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        if self.members[name].alive:
            os.kill(self.members[name].pid, signal.SIGCONT)

    def wipe(self, name: str) -> None:
        """Kill it and take its disk away."""
        server = self.members[name]
        server.kill()
        shutil.rmtree(server.directory)

    def stop(self) -> dict[str, int]:
        """SIGTERM to all; name -> exit code."""
        return {name: server.stop() for name, server in self.members.items()}
