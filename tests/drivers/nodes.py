"""Two nodes for the drivers: one that asks nobody, one that asks for a password."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.drivers.python_common import PASSWORD
from tests.support.process import Server


@contextmanager
def nodes() -> Iterator[tuple[Server, Server]]:
    """(open, secured), both running."""
    with tempfile.TemporaryDirectory(prefix="everwhen-drivers-") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        free = Server(folder / "open")
        secured = Server(
            folder / "secured", "--auth", "basic", "--set", f"auth.initial_password_file={secret}"
        )
        try:
            free.start()
            secured.start()
            yield free, secured
        finally:
            free.stop()
            secured.stop()
