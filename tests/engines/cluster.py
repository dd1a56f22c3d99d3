"""Three members, real processes, behind their Bolt doors: every statement goes to one of them by
chance, and carries the bookmark of what came before.

``$CLUSTER_BOLT_PORTS`` (ports with commas between) names members that run already. A transaction
stays where it began.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.cluster.chaos.group import Group
from tests.engine import Neutral, Outcome
from tests.engines.bolt import outcome
from tests.engines.remote import CONTROL, Remote
from tests.support.bolt import BEGIN, COMMIT, RESET, ROLLBACK, Bolt, Failed

MEMBERS: Final = 3
_SEED: Final = int(os.environ.get("CLUSTER_SEED", "1"))


class Bookmarks:
    """The last one there was, for all clients of an engine."""

    def __init__(self) -> None:
        self._last: str | None = None
        self._lock = threading.Lock()

    def extra(self) -> dict[str, Any]:
        """What a request carries."""
        with self._lock:
            return {} if self._last is None else {"bookmarks": [self._last]}

    def seen(self, metadata: Mapping[str, Any]) -> None:
        """An answer, perhaps with a bookmark; an older one changes nothing."""
        found = metadata.get("bookmark")
        if found is None:
            return
        with self._lock:
            if self._last is None or _version(found) >= _version(self._last):
                self._last = found

    @property
    def version(self) -> int:
        return 0 if self._last is None else _version(self._last)


def _marked_as_failed() -> Failed:
    code = "Neo.ClientError.Transaction.TransactionMarkedAsFailed"
    return Failed({"code": code, "message": "the transaction failed before"})


def _version(bookmark: str) -> int:
    return int(bookmark.rpartition(":")[2])


class Spread:
    """One client with a connection to each member."""

    def __init__(self, ports: list[int], bookmarks: Bookmarks, chance: random.Random) -> None:
        self._ports = ports
        self._bookmarks = bookmarks
        self._chance = chance
        self._clients: dict[int, Bolt] = {}
        #: where the open transaction is
        self._pinned: Bolt | None = None
        #: it failed: as with drivers, only its end is left
        self._failed = False

    def run(self, query: str, parameters: Mapping[str, Neutral] | None = None) -> Outcome:
        """A statement, BEGIN, COMMIT or ROLLBACK."""
        control = CONTROL.match(query)
        if control is None:
            return outcome(lambda: self._statement(query, parameters))
        return outcome(lambda: self._control(control.group(1), control.group(2)))

    def _any(self) -> Bolt:
        port = self._chance.choice(self._ports)
        if port not in self._clients:
            self._clients[port] = Bolt(port)
        return self._clients[port]

    def _statement(self, query: str, parameters: Mapping[str, Neutral] | None) -> Any:
        if self._failed:
            raise _marked_as_failed()
        if self._pinned is not None:
            try:
                return self._pinned.run(query, parameters)
            except Failed:
                # the connection was reset, and the transaction is over
                self._failed = True
                raise
        answer = self._any().run(query, parameters, **self._bookmarks.extra())
        self._bookmarks.seen(answer[2])
        return answer

    def _control(self, word: str, isolation: str) -> Any:
        if word == "BEGIN":
            metadata = {"tx_metadata": {"isolation": isolation}} if isolation else {}
            client = self._any()
            self._ask(client, BEGIN, metadata | self._bookmarks.extra())
            self._pinned = client
            return [], [], {}
        if self._failed:
            self._failed, self._pinned = False, None
            if word == "COMMIT":
                raise _marked_as_failed()
            return [], [], {}
        client, self._pinned = self._pinned or self._any(), None
        self._bookmarks.seen(self._ask(client, COMMIT if word == "COMMIT" else ROLLBACK))
        return [], [], {}

    def _ask(self, client: Bolt, tag: int, *fields: Any) -> dict[str, Any]:
        try:
            return client.ask(tag, *fields)
        except Failed:
            client.ask(RESET)
            raise

    def close(self) -> None:
        """Ends the connections; what is open is rolled back."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._pinned = None


class Cluster(Remote):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.folder: Path | None = None
        self.group: Group | None = None
        self.ports: list[int] = []
        self.bookmarks = Bookmarks()
        self.chance = random.Random(_SEED)
        self.client = Spread(self.ports, self.bookmarks, self.chance)
        given = os.environ.get("CLUSTER_BOLT_PORTS")
        if given:
            self.ports.extend(int(port) for port in given.split(","))
        else:
            self.folder = Path(tempfile.mkdtemp(prefix="everwhen-cluster-"))
            self.group = Group(self.folder, network=None)
            try:
                self._start(self.group)
            except BaseException:
                self.close()
                raise
            self.ports.extend(server.bolt_port for server in self.group.members.values())

    def _start(self, group: Group) -> None:
        for number in range(1, MEMBERS + 1):
            group.add(f"n{number}").start()
        group.until_voters(MEMBERS)

    def ask(self, text: str, parameters: Mapping[str, Neutral] | None) -> Outcome:
        return self.client.run(text, parameters)

    def version(self) -> int:
        """Of the newest bookmark, whose last part it is."""
        self.run("RETURN 1")
        return self.bookmarks.version

    def session(self) -> Spread:
        return Spread(self.ports, self.bookmarks, random.Random(self.chance.random()))

    def reopen(self) -> None:
        """All stop, all start."""
        if self.group is None:
            raise RuntimeError("the members belong to somebody else")
        self.client.close()
        self.group.stop()
        for name in self.group.members:
            self.group.start(name)
        for server in self.group.members.values():
            server.wait_ready()

    def close(self) -> None:
        self.client.close()
        if self.group is None or self.folder is None:
            return
        for name in self.group.members:
            self.group.kill(name)
        shutil.rmtree(self.folder, ignore_errors=True)
