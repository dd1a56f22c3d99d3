"""Shared by the tests of images."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from everwhen.columns.graph import far as far_module
from everwhen.runtime.embedded import Embedded


@pytest.fixture
def near_is_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three changes from what is held reading is worth it, at first."""
    monkeypatch.setattr(far_module, "IMAGE_FAR_CHANGES_MIN", 0)
    monkeypatch.setattr(far_module, "reading", lambda *_: 1.0)


@pytest.fixture
def database() -> Iterator[Embedded]:
    with Embedded() as opened:
        yield opened
