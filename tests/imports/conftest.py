"""A served node, and the commands run against it in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from everwhen.cli.main import main
from tests.support.process import Server
from tests.support.query_api import QueryApi

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    node = Server(tmp_path / "data")
    node.start()
    yield node
    assert node.alive, node.tail()
    assert node.stop() == 0
    assert main(["verify", str(node.directory)]) == 0


@pytest.fixture
def api(server: Server) -> Iterator[QueryApi]:
    with QueryApi(server.port) as client:
        yield client


@pytest.fixture
def run(server: Server, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that must succeed; what its --json says."""

    def call(command: str, *words: object, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        uri = f"http://127.0.0.1:{server.port}"
        done = main([command, "--uri", uri, "--json", *map(str, words)])
        said = capsys.readouterr()
        assert done == code, said.out + said.err
        if code:
            return {"error": said.err}
        lines = said.out.splitlines()
        answer: dict[str, Any] = json.loads(lines[-1])
        answer["stderr"] = said.err
        return answer

    return call
