"""What the drivers talk to: one database that asks nobody, one that asks for a password; each a
node alone, or three members behind one port."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.drivers.balancer import Balancer
from tests.drivers.python_common import PASSWORD
from tests.support.process import Server

MEMBERS: Final = 3


class Ports(NamedTuple):
    """Where one database is reached."""

    #: leads to all members, each connection to another
    bolt: int
    #: of the first member: a transaction over HTTP lives on the member where it began
    http: int


@contextmanager
def nodes(*, clustered: bool = False) -> Iterator[tuple[Ports, Ports]]:
    """(Ports of the open one, of the secured one), both running."""
    with tempfile.TemporaryDirectory(prefix="everwhen-drivers-") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secured = ("--auth", "basic", "--set", f"auth.initial_password_file={secret}")
        count = MEMBERS if clustered else 1
        with (
            _members(folder / "open", count) as free,
            _members(folder / "secured", count, *secured) as guarded,
        ):
            yield free, guarded


@contextmanager
def _members(folder: Path, count: int, *options: str) -> Iterator[Ports]:
    """As many members, running."""
    folder.mkdir()
    servers: list[Server] = []
    try:
        for number in range(1, count + 1):
            join = servers[0].port if servers else None
            name = f"n{number}"
            servers.append(Server(folder / name, *options, name=name, join=join))
            # ready, for a member that joined, is: with a vote and caught up
            servers[-1].start()
        if count == 1:
            yield Ports(servers[0].bolt_port, servers[0].port)
            return
        balancer = Balancer([server.bolt_port for server in servers])
        try:
            yield Ports(balancer.port, servers[0].port)
        finally:
            balancer.close()
    finally:
        for server in servers:
            server.stop()
