"""Routing tables while leaders come and go: a driver that is told of no writer waits a second before
it asks again, one that is told of a member which is silent waits until it gives that up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.cluster.chaos.group import Group
from tests.support.bolt import ROUTE, Bolt


class Asker(threading.Thread):
    """Asks one member for tables without a pause; keeps when it asked, and who was named to write and
    to be asked again."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._bolt = Bolt(port)
        self._stop_asked = threading.Event()
        self.told: list[tuple[float, list[str]]] = []
        self.routers: list[tuple[float, list[str]]] = []
        #: seconds since the first question, and of the one that took longest
        self.lasted = self.longest = 0.0

    def run(self) -> None:
        while not self._stop_asked.is_set():
            began = time.monotonic()
            table = self._bolt.ask(ROUTE, {"address": "graph:7687"}, [], {})["rt"]
            named = {each["role"]: each["addresses"] for each in table["servers"]}
            self.told.append((began, named.get("WRITE", [])))
            self.routers.append((began, named["ROUTE"]))
            self.lasted = time.monotonic() - self.told[0][0]
            self.longest = max(self.longest, time.monotonic() - began)

    def finish(self) -> None:
        """No more."""
        self._stop_asked.set()
        self.join(60)
        self._bolt.close()


def asked_while(group: Group, happens: Callable[[str], None]) -> tuple[float, str, Asker]:
    """A follower is asked for tables while something happens to the leader, until another leads: when
    it happened, the address of the old leader, and what was told."""
    leads = group.leader()
    assert leads is not None
    follower = next(name for name in group.members if name != leads)
    asker = Asker(group.members[follower].bolt_port)
    asker.start()
    group.until("tables are given", lambda: len(asker.told) > 10)
    moment = time.monotonic()
    happens(leads)
    old = f"127.0.0.1:{group.members[leads].bolt_port}"
    group.until("another is named", lambda: asker.told[-1][1] not in ([], [old]))
    asker.finish()
    return moment, old, asker


@pytest.mark.timeout(300)
def test_a_table_that_is_asked_for_amid_an_election_names_who_is_elected(group: Group) -> None:
    _, _, asker = asked_while(group, group.kill)
    assert [who for _, who in asker.told if len(who) != 1] == []


@pytest.mark.timeout(300)
def test_a_leader_that_is_silent_is_not_named(group: Group) -> None:
    """Drivers that ask in the moment in which it falls silent cannot know; those later can."""
    moment, old, asker = asked_while(group, group.freeze)
    late = [who for began, who in asker.told if began > moment + 0.8]
    assert late
    assert [old] not in late
    assert [] not in late


@pytest.mark.timeout(300)
def test_a_member_that_was_removed_names_a_writer_at_once(group: Group) -> None:
    """It hears of nobody any more, and never learns why."""
    leads = group.leader()
    assert leads is not None
    away = next(name for name in group.members if name != leads)
    group.ask(leads, "DELETE", f"/v1/members/{group.status(away)['nodeId']}")
    asker = Asker(group.members[away].bolt_port)
    asker.start()
    group.until("it is asked for long", lambda: asker.lasted > 3)
    asker.finish()
    assert asker.longest < 1
    assert [who for _, who in asker.told if len(who) != 1] == []


@pytest.mark.timeout(300)
def test_a_follower_that_is_silent_is_not_named(group: Group) -> None:
    """Drivers prefer whom they use least: all would go there, and wait for an answer."""
    leads = group.leader()
    assert leads is not None
    asked, frozen = (name for name in group.members if name != leads)
    asker = Asker(group.members[asked].bolt_port)
    asker.start()
    group.until("tables are given", lambda: len(asker.told) > 10)
    group.freeze(frozen)
    moment = time.monotonic()
    group.until("it is asked for long", lambda: time.monotonic() > moment + 3)
    asker.finish()
    silent = f"127.0.0.1:{group.members[frozen].bolt_port}"
    assert any(silent in named for _, named in asker.routers)
    assert [began - moment for began, named in asker.routers if silent in named][-1] < 1
    assert asker.longest < 1
