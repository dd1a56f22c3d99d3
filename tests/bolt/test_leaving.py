"""What clients see of a node that stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bolt import BEGIN, COMMIT, PULL, RUN, Bolt, Lost
from tests.support.process import Server


def test_a_transaction_that_is_open_when_the_node_stops_is_committed(tmp_path: Path) -> None:
    """A COMMIT on its way to a connection that ends leaves a client that does not know."""
    node = Server(tmp_path / "data")
    node.start()
    idle, client = Bolt(node.bolt_port), Bolt(node.bolt_port)
    client.ask(BEGIN, {})
    client.ask(RUN, "CREATE (:Kept)", {}, {})
    client.ask(PULL, {"n": -1})
    assert node.process is not None
    node.process.terminate()
    with pytest.raises(Lost):
        idle.receive()
    client.ask(COMMIT)
    with pytest.raises(Lost):
        client.receive()
    idle.close()
    client.close()
    assert node.stop() == 0
    node.start()
    again = Bolt(node.bolt_port)
    assert again.run("MATCH (k:Kept) RETURN count(k)")[1] == [[1]]
    again.close()
    node.stop()
