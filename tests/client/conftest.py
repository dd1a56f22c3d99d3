"""One served node for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.process import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    node = Server(tmp_path_factory.mktemp("node") / "data")
    node.start()
    yield node
    assert node.alive, node.tail()
    assert node.stop() == 0
