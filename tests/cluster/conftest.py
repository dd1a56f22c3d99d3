"""Groups of real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.chaos.group import Group


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    """Three members that talk to each other directly."""
    made = Group(tmp_path, None)
    try:
        for name in ("n1", "n2", "n3"):
            made.add(name).start()
        made.until_voters(3)
        yield made
    finally:
        for server in made.members.values():
            server.kill()
