"""Members that are stopped and started again under load: nobody fails, nobody is left in doubt."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import neo4j
import pytest

import everwhen_client
from tests.cluster.chaos.group import Group
from tests.support.bolt import ROUTE, Bolt
from tests.support.query_api import QueryApi

_CREATE = "CREATE (:W {client: $client, n: $n})"


class Writer(threading.Thread):
    """Writes one after another until told to stop; what went wrong is kept."""

    def __init__(self, name: str, stop: threading.Event, write: Callable[[int], None]) -> None:
        super().__init__(daemon=True, name=name)
        self._stop_asked = stop
        self._write = write
        self.done = 0
        #: seconds of the one that took longest
        self.longest = 0.0
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self._stop_asked.is_set():
            began = time.monotonic()
            try:
                self._write(self.done)
            except Exception as error:
                self.wrong.append(f"{type(error).__name__}: {error}")
                return
            self.done += 1
            self.longest = max(self.longest, time.monotonic() - began)


def driver_writer(
    driver: neo4j.Driver, name: str, stop: threading.Event, database: str | None
) -> Writer:
    """Managed transactions of two statements, as programs write them."""

    def work(transaction: neo4j.ManagedTransaction, number: int) -> None:
        transaction.run("MATCH (w:W {client: $client}) RETURN count(w)", client=name).consume()
        transaction.run(_CREATE, client=name, n=number).consume()

    def write(number: int) -> None:
        with driver.session(database=database) as session:
            session.execute_write(work, number)

    return Writer(name, stop, write)


def goes_on(group: Group, writers: list[Writer]) -> None:
    """Everybody writes something more."""
    before = [writer.done for writer in writers]
    group.until(
        "everybody writes while a member is away",
        lambda: all(now.done > then for now, then in zip(writers, before, strict=True)),
        20,
    )


@pytest.mark.timeout(300)
def test_nobody_fails_when_members_are_stopped(group: Group) -> None:
    stop = threading.Event()
    seed = group.members["n1"]
    addresses = [f"http://127.0.0.1:{each.port}" for each in group.members.values()]
    # by a member's address, of which the driver keeps its table for long, and by another name
    uris = [f"neo4j://{host}:{seed.bolt_port}" for host in ("127.0.0.1", "localhost")]
    with (
        neo4j.GraphDatabase.driver(uris[0], auth=None, max_transaction_retry_time=10) as one_driver,
        neo4j.GraphDatabase.driver(uris[1], auth=None, max_transaction_retry_time=10) as other,
        everwhen_client.Client(addresses, retry_seconds=10) as client,
    ):

        def one(number: int) -> None:
            client.run(_CREATE, {"client": "http", "n": number})

        writers = [Writer("http", stop, one)]
        writers.append(driver_writer(one_driver, "driver", stop, None))
        writers.append(driver_writer(other, "by another name", stop, "neo4j"))
        for writer in writers:
            writer.start()
        leads = group.leader()
        assert leads is not None
        # the leader first, and the one whose address the driver was given
        for name in dict.fromkeys((leads, "n1", *group.members)):
            before = [writer.done for writer in writers]
            assert group.members[name].stop() == 0, group.members[name].tail()
            # not because it is back soon
            goes_on(group, writers)
            group.start(name)
            group.members[name].wait_ready()
            group.settle_roughly()
            assert all(
                now.done > then or now.wrong for now, then in zip(writers, before, strict=True)
            )
        stop.set()
        for writer in writers:
            writer.join(60)
    assert [writer.wrong for writer in writers] == [[]] * len(writers)
    group.settle()
    with QueryApi(seed.port) as api:
        found = Counter(dict(api.rows("MATCH (w:W) RETURN w.client, count(DISTINCT w.n)")))
        [[total]] = api.rows("MATCH (w:W) RETURN count(w)")
    assert found == Counter({writer.name: writer.done for writer in writers})
    assert total == sum(writer.done for writer in writers), "something was done twice"


@pytest.mark.timeout(300)
def test_nobody_waits_for_a_member_that_is_removed(group: Group) -> None:
    """It sees its clients off before, as what it does not know of it would wait for a leader."""
    stop = threading.Event()
    leads = group.leader()
    assert leads is not None
    away = next(name for name in group.members if name != leads)
    # by a name that stands for every member, as a Service does: tables last for seconds
    uri = f"neo4j://localhost:{group.members[leads].bolt_port}"
    with neo4j.GraphDatabase.driver(uri, auth=None, max_transaction_retry_time=10) as driver:
        writers = [driver_reader(driver, f"r{n}", stop) for n in range(4)]
        for writer in writers:
            writer.start()
        group.until("readers read", lambda: all(writer.done > 20 for writer in writers))
        number = group.status(away)["nodeId"]
        group.ask(leads, "DELETE", f"/v1/members/{number}")
        before = [writer.done for writer in writers]
        group.until(
            "readers go on",
            lambda: all(
                w.done > then + 20 or w.wrong for w, then in zip(writers, before, strict=True)
            ),
        )
        stop.set()
        for writer in writers:
            writer.join(60)
    assert [writer.wrong for writer in writers] == [[]] * len(writers)
    assert max(writer.longest for writer in writers) < 3


@pytest.mark.timeout(300)
def test_a_member_that_is_removed_answers_while_tables_name_it(group: Group) -> None:
    """Also those who come by such a table for the first time: nobody is connected there yet."""
    leads = group.leader()
    assert leads is not None
    away = next(name for name in group.members if name != leads)
    number, port = group.status(away)["nodeId"], group.members[away].bolt_port
    asked = Bolt(group.members[leads].bolt_port)
    # by a name that stands for every member, as a Service does: tables last for seconds
    told = asked.ask(ROUTE, {"address": "graph:7687"}, [], {})["rt"]
    until = time.monotonic() + told["ttl"]
    asked.close()
    assert any(f"127.0.0.1:{port}" in each["addresses"] for each in told["servers"])
    removing = threading.Thread(
        target=group.ask, args=(leads, "DELETE", f"/v1/members/{number}"), daemon=True
    )
    removing.start()
    longest = 0.0
    while (began := time.monotonic()) < until:
        new = Bolt(port)
        assert new.run("MATCH (n) RETURN count(n)")[1] == [[0]]
        new.close()
        longest = max(longest, time.monotonic() - began)
    assert longest < 2
    removing.join(60)
    group.until("it is removed", lambda: number not in group.status(leads)["config"]["voters"])


def driver_reader(driver: neo4j.Driver, name: str, stop: threading.Event) -> Writer:
    """Reads of two statements in a managed transaction, by whichever member is named for it."""

    def work(transaction: neo4j.ManagedTransaction) -> None:
        for _ in range(2):
            transaction.run("MATCH (n) RETURN count(n)").consume()

    def read(number: int) -> None:
        with driver.session(database="neo4j") as session:
            session.execute_read(work)

    return Writer(name, stop, read)
