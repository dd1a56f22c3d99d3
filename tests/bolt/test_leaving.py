"""What clients see of a node that stops."""

from __future__ import annotations

import itertools
import time
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


def test_a_node_that_stops_is_not_silent_while_statements_end(tmp_path: Path) -> None:
    """A driver that hears nothing for ``bolt.silence_s`` gives the connection up."""
    node = Server(tmp_path / "data", "--set", "bolt.silence_s=2")
    node.start()
    client = Bolt(node.bolt_port)
    client.ask(BEGIN, {})
    client.send(RUN, "UNWIND range(1, 100000) AS i UNWIND range(1, i) AS j RETURN count(j)", {}, {})
    client.send(PULL, {"n": -1})
    assert node.process is not None
    node.process.terminate()
    heard = [time.monotonic()]
    while client.reader.read(1):
        heard.append(time.monotonic())
    heard.append(time.monotonic())
    client.close()
    node.stop()
    assert heard[-1] - heard[0] > 3, "the statement ended by itself"
    assert max(b - a for a, b in itertools.pairwise(heard)) < 2
