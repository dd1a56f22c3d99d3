"""The Bolt door of a running node: what no driver shows."""

import base64
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.bolt import (
    BEGIN,
    COMMIT,
    DISCARD,
    FAILURE,
    GOODBYE,
    HELLO,
    IGNORED,
    LOGOFF,
    LOGON,
    MAGIC,
    PULL,
    RECORD,
    RESET,
    ROLLBACK,
    ROUTE,
    RUN,
    SUCCESS,
    TELEMETRY,
    Bolt,
    Failed,
    Lost,
    Structure,
    message,
)
from tests.support.process import Server
from tests.support.waiting import until

_LONG = "UNWIND range(1, 10000) AS {0} WITH * "
LONG = _LONG.format("x") + _LONG.format("y") + "WHERE x + y < 0 RETURN x"
ENDLESS = "UNWIND range(1, 100000) AS x UNWIND range(1, 10000) AS y RETURN x, y, 'some text' AS t"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    node = Server(
        tmp_path_factory.mktemp("bolt") / "data",
        *("--set", "bolt.unauthenticated_s=2"),
        *("--set", "limits.transaction_idle_s=2"),
        *("--set", "bolt.message_bytes_max=1MiB"),
        *("--set", "bolt.connections_max=60"),
    )
    node.start()
    yield node
    node.stop()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes after the test what it is given."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def bolt(server: Server, opened: ExitStack) -> Bolt:
    return opened.enter_context(closing(Bolt(server.bolt_port)))


def open_transactions(bolt: Bolt) -> list[str]:
    rows = bolt.run("SHOW TRANSACTIONS YIELD currentQuery")[1]
    return [row[0] for row in rows if "SHOW TRANSACTIONS" not in row[0]]


@pytest.mark.parametrize("version", [(4, 4), *((5, minor) for minor in range(9)), (6, 0)])
def test_every_version(server, version):
    bolt = Bolt(server.bolt_port, version=version)
    assert bolt.hello["server"].startswith("Neo4j/")
    columns, rows, metadata = bolt.run("UNWIND [1, 2] AS x RETURN x")
    assert (columns, rows) == (["x"], [[1], [2]])
    assert metadata["type"] == "r"
    assert ("statuses" in metadata) == (version >= (5, 5))
    with pytest.raises(Failed) as caught:
        bolt.run("RETURN")
    assert ("gql_status" in caught.value.metadata) == (version >= (5, 7))
    bolt.close()


def test_the_utc_patch_of_4_4(server):
    text = "RETURN datetime({year: 1970, hour: 1, timezone: '+01:00'}) AS t"
    for hello, expected in (({}, (0x46, 3600)), ({"patch_bolt": ["utc"]}, (0x49, 0))):
        bolt = Bolt(server.bolt_port, version=(4, 4), hello=hello)
        [[value]] = bolt.run(text)[1]
        assert (value.tag, value.fields[0]) == expected
        assert bolt.hello.get("patch_bolt", []) == hello.get("patch_bolt", [])
        assert bolt.run("RETURN $t = " + text[7:-5], {"t": value})[1] == [[True]]
        bolt.close()


def test_pipelined_requests_are_answered_in_order(bolt):
    requests = message(BEGIN, {}) + message(RUN, "UNWIND [1, 2] AS x RETURN x", {}, {})
    requests += message(PULL, {"n": 1}) + message(PULL, {"n": -1}) + message(COMMIT)
    bolt.socket.sendall(requests * 50)
    for _ in range(50):
        tags = [bolt.receive().tag for _ in range(7)]
        assert tags == [SUCCESS, SUCCESS, RECORD, SUCCESS, RECORD, SUCCESS, SUCCESS]


def test_reset_interrupts_what_runs(bolt):
    for _ in range(3):
        bolt.send(RUN, LONG, {}, {})
        bolt.send(PULL, {"n": -1})
        started = time.monotonic()
        bolt.send(RESET)
        assert bolt.receive().tag in (SUCCESS, FAILURE, IGNORED)
        assert bolt.receive().tag in (FAILURE, IGNORED)
        assert bolt.receive().tag == SUCCESS
        assert time.monotonic() - started < 5
    assert bolt.run("RETURN 1")[1] == [[1]]
    assert open_transactions(bolt) == []


def test_reset_interrupts_what_waits(server, bolt):
    """For a lock that another transaction holds, and for a version that is not here yet."""
    pessimistic = {"tx_metadata": {"isolation": "pessimistic"}}
    mark = bolt.run("CREATE (:Held {x: 0})")[2]["bookmark"]
    holder = Bolt(server.bolt_port)
    holder.ask(BEGIN, pessimistic)
    holder.run("MATCH (h:Held) SET h.x = 1")
    history, _, version = mark.rpartition(":")
    ahead = {"bookmarks": [f"{history}:{int(version) + 1_000}"]}
    try:
        for statement, extra in (("MATCH (h:Held) SET h.x = 2", pessimistic), ("RETURN 1", ahead)):
            started = time.monotonic()
            bolt.send(RUN, statement, {}, extra)
            bolt.send(RESET)
            assert bolt.receive().tag in (FAILURE, IGNORED)
            assert bolt.receive().tag == SUCCESS
            assert time.monotonic() - started < 5
            assert bolt.run("RETURN 1")[1] == [[1]]
    finally:
        holder.ask(COMMIT)
        holder.close()
    until(lambda: open_transactions(bolt) == [])
    # nobody got the lock in the end
    bolt.run("MATCH (h:Held) SET h.x = h.x + 1", **pessimistic)
    assert bolt.run("MATCH (h:Held) RETURN h.x")[1] == [[2]]


def test_a_client_that_vanishes_leaves_nothing_behind(server, bolt):
    for requests in (
        message(RUN, LONG, {}, {}) + message(PULL, {"n": -1}),
        message(RUN, ENDLESS, {}, {}) + message(PULL, {"n": -1}),
        message(RUN, ENDLESS, {}, {}) + message(PULL, {"n": 5}),
        message(BEGIN, {}) + message(RUN, "CREATE (:Gone)", {}, {}),
    ):
        other = Bolt(server.bolt_port)
        other.socket.sendall(requests)
        until(lambda: open_transactions(bolt) != [])
        other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.close()
        until(lambda: open_transactions(bolt) == [])
    assert bolt.run("MATCH (n:Gone) RETURN count(n)")[1] == [[0]]


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    text = Path(f"/proc/{pid}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_client_that_does_not_read_holds_no_memory(server, bolt):
    bolt.run("RETURN 1")
    slow = Bolt(server.bolt_port)
    before = resident(server.pid)
    slow.send(RUN, ENDLESS, {}, {})
    slow.send(PULL, {"n": -1})
    slow.success()
    for _ in range(1000):
        assert slow.receive().tag == RECORD
    until(lambda: bolt.run("RETURN 1")[1] == [[1]])
    assert resident(server.pid) - before < 100 << 20
    slow.close()
    until(lambda: open_transactions(bolt) == [])


def test_results_of_a_transaction_see_nothing_of_later_writes(bolt):
    bolt.run("UNWIND range(1, 600) AS x CREATE (:Seen {x: x})")
    bolt.ask(BEGIN, {})
    first = bolt.ask(RUN, "MATCH (n:Seen) RETURN n.x", {}, {})
    bolt.send(PULL, {"n": 1})
    assert len(bolt.rows()[0]) == 1
    bolt.ask(RUN, "MATCH (n:Seen) DETACH DELETE n", {}, {})
    assert bolt.ask(PULL, {"n": -1})["stats"]["nodes-deleted"] == 600
    bolt.send(PULL, {"n": -1, "qid": first["qid"]})
    assert len(bolt.rows()[0]) == 599
    bolt.ask(COMMIT)


def test_bookmarks_and_read_only(bolt):
    mark = bolt.run("CREATE (:Mark)")[2]["bookmark"]
    assert bolt.run("RETURN 1", bookmarks=[mark])[1] == [[1]]
    for extra, code in (
        ({"bookmarks": ["x"]}, "Neo.ClientError.Transaction.InvalidBookmark"),
        ({"bookmarks": "x"}, "Neo.ClientError.Request.Invalid"),
        ({"mode": "r"}, "Neo.ClientError.Statement.AccessMode"),
        ({"mode": "x"}, "Neo.ClientError.Request.Invalid"),
        ({"db": "other"}, "Neo.ClientError.Database.DatabaseNotFound"),
        ({"imp_user": "x"}, None),
        ({"tx_timeout": -1}, "Neo.ClientError.Request.Invalid"),
        ({"tx_metadata": []}, "Neo.ClientError.Request.Invalid"),
        ({"tx_metadata": {"isolation": "none"}}, "Neo.ClientError.Request.Invalid"),
        ({"tx_metadata": {"at_time": "yesterday"}}, "Neo.ClientError.Statement.ArgumentError"),
    ):
        with pytest.raises(Failed) as caught:
            bolt.run("CREATE (:No)", **extra)
        assert code is None or caught.value.code == code
    assert bolt.run("MATCH (n:No) RETURN count(n)")[1] == [[0]]


def test_metadata_is_kept_and_names_a_past_version(bolt):
    mark = bolt.run("CREATE (:Then {x: 1})", tx_metadata={"app": "billing"})[2]["bookmark"]
    version = int(mark.rpartition(":")[2])
    bolt.run("MATCH (n:Then) SET n.x = 2")
    past = {"at_version": version}
    assert bolt.run("MATCH (n:Then) RETURN n.x", tx_metadata=past)[1] == [[1]]
    bolt.ask(BEGIN, {"tx_metadata": past})
    assert bolt.run("MATCH (n:Then) RETURN n.x")[1] == [[1]]
    bolt.ask(ROLLBACK)
    with pytest.raises(Failed) as caught:
        bolt.run("CREATE (:No)", tx_metadata=past)
    assert caught.value.code == "Neo.ClientError.Statement.AccessMode"


def test_logging_off_and_on(bolt):
    bolt.ask(LOGOFF)
    bolt.ask(LOGON, {"scheme": "none"})
    assert bolt.ask(TELEMETRY, 2) == {}
    table = bolt.ask(ROUTE, {"address": "db.example:7687"}, [], {})["rt"]
    assert {each["role"] for each in table["servers"]} == {"READ", "WRITE", "ROUTE"}
    assert {each["addresses"][0] for each in table["servers"]} == {"db.example:7687"}
    bolt.send(GOODBYE)
    with pytest.raises(Lost):
        bolt.receive()


def test_remarks_can_be_turned_off(bolt):
    text = "MATCH (n:NoSuchLabelHere) RETURN n"
    assert len(bolt.run(text)[2]["statuses"]) == 2
    assert len(bolt.run(text, notifications_minimum_severity="OFF")[2]["statuses"]) == 1
    disabled = {"notifications_disabled_classifications": ["UNRECOGNIZED"]}
    assert len(bolt.run(text, **disabled)[2]["statuses"]) == 1


def test_out_of_step_is_a_failure_and_the_end(server):
    wrong: list[tuple[int, dict[str, object]]]
    wrong = [(PULL, {"n": 1}), (HELLO, {}), (DISCARD, {"n": -1}), (LOGON, {})]
    for tag, field in wrong:
        bolt = Bolt(server.bolt_port)
        bolt.send(tag, field)
        answer = bolt.receive()
        assert answer.tag == FAILURE
        assert answer.fields[0]["neo4j_code"] == "Neo.ClientError.Request.Invalid"
        with pytest.raises(Lost):
            bolt.receive()
        bolt.close()


def test_limits(server, opened):
    bolt = opened.enter_context(closing(Bolt(server.bolt_port)))
    bolt.send(RUN, "RETURN $x", {"x": "x" * (2 << 20)}, {})
    answer = bolt.receive()
    assert answer.tag == FAILURE
    assert "1,048,576" in answer.fields[0]["message"]
    with pytest.raises(Lost):
        bolt.receive()
    nested: list[object] = []
    for _ in range(200):
        nested = [nested]
    bolt = opened.enter_context(closing(Bolt(server.bolt_port)))
    bolt.send(RUN, "RETURN $x", {"x": nested}, {})
    assert bolt.receive().tag == FAILURE


def test_a_bad_parameter_fails_its_statement_only(bolt):
    with pytest.raises(Failed):
        bolt.run("RETURN $d", {"d": Structure(0x44, (2**40,))})
    with pytest.raises(Failed) as caught:
        bolt.run("RETURN $n", {"n": Structure(0x4E, (1, [], {}, "4:neo4j:1"))})
    assert caught.value.code == "Neo.ClientError.Statement.TypeError"
    assert bolt.run("RETURN 1")[1] == [[1]]


def test_who_does_not_log_on_is_let_go(server, opened):
    silent = socket.create_connection(("127.0.0.1", server.bolt_port), 20)
    opened.enter_context(silent)
    slow = opened.enter_context(closing(Bolt(server.bolt_port, logon=False)))
    assert silent.recv(1) == b""
    with pytest.raises((Lost, ConnectionError)):
        slow.receive()


def test_what_is_left_open_is_ended(server, bolt, opened):
    other = opened.enter_context(closing(Bolt(server.bolt_port)))
    other.ask(BEGIN, {})
    other.run("CREATE (:Idle)")
    third = opened.enter_context(closing(Bolt(server.bolt_port)))
    third.ask(RUN, ENDLESS, {}, {})
    until(lambda: open_transactions(bolt) == [])
    with pytest.raises(Failed) as caught:
        other.ask(COMMIT)
    assert caught.value.code.startswith("Neo.ClientError.Transaction")
    with pytest.raises((Lost, ConnectionError)):
        third.receive()


def test_too_many_connections(server):
    clients: list[Bolt] = []

    def connect() -> None:
        for _ in range(70):
            clients.append(Bolt(server.bolt_port))  # noqa: PERF401 - the last one fails

    with pytest.raises((Lost, ConnectionError)):
        connect()
    assert len(clients) > 40
    for client in clients:
        client.close()
    until(lambda: _connects(server))


def _connects(server: Server) -> bool:
    try:
        Bolt(server.bolt_port).close()
    except OSError:
        return False
    return True


def test_over_websocket(server, opened):
    raw = opened.enter_context(socket.create_connection(("127.0.0.1", server.bolt_port), 20))
    key = base64.b64encode(os.urandom(16))
    raw.sendall(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: " + key + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    reader = opened.enter_context(raw.makefile("rb"))
    while reader.readline() != b"\r\n":
        pass

    def send(data: bytes) -> None:
        size = bytes((0x80 | len(data),))
        if len(data) > 125:
            size = b"\xfe" + struct.pack(">H", len(data))
        raw.sendall(b"\x82" + size + bytes(4) + data)

    def receive() -> bytes:
        head = reader.read(2)
        assert head[0] == 0x82
        size = head[1]
        if size == 126:
            size = int.from_bytes(reader.read(2), "big")
        return reader.read(size)

    send(MAGIC + bytes((0, 0, 8, 5)) + bytes(12))
    assert receive() == bytes((0, 0, 8, 5))
    send(message(HELLO, {"user_agent": "page/1"}) + message(LOGON, {"scheme": "none"}))
    send(message(RUN, "RETURN 42 AS x", {}, {}) + message(PULL, {"n": -1}))
    received = b""
    while b"\x71\x91\x2a" not in received:
        received += receive()


def test_stopping_ends_connections_in_good_order(tmp_path, opened):
    node = Server(tmp_path / "data")
    node.start()
    idle, busy = (opened.enter_context(closing(Bolt(node.bolt_port))) for _ in range(2))
    busy.send(RUN, LONG, {}, {})
    busy.send(PULL, {"n": -1})
    assert node.stop() == 0
    with pytest.raises((Lost, ConnectionError)):
        idle.receive()
    assert "unexpected_error" not in node.tail()
