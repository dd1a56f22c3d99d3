"""A database whose clock can be put forward."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.runtime.keeping import Kept


@pytest.fixture
def kept() -> Iterator[Kept]:
    found = Kept()
    yield found
    found.db.close()
