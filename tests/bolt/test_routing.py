"""Which addresses drivers are told, by the one they came by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.bolt import ROUTE, Bolt
from tests.support.process import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("routing") / "data"
    node = Server(folder, "--set", "bolt.external=n1.out.example:9687")
    node.start()
    yield node
    node.stop()


@pytest.mark.parametrize(
    ("used", "told"),
    [
        ("n1.out.example:9687", "n1.out.example:9687"),
        ("graph.out.example:7687", "n1.out.example:9687"),
        ("graph.far.out.example:7687", "n1.out.example:9687"),
        ("out.example:7687", "out.example:7687"),
        ("graph.shout.example:7687", "graph.shout.example:7687"),
        ("127.0.0.1:7687", "127.0.0.1:7687"),
    ],
)
def test_who_comes_from_outside_is_told_where_to_go_outside(
    server: Server, used: str, told: str
) -> None:
    bolt = Bolt(server.bolt_port)
    table = bolt.ask(ROUTE, {"address": used}, [], {})["rt"]
    assert {each["addresses"][0] for each in table["servers"]} == {told}
    bolt.close()
