"""A leader that stands still, as one that is cut off or whose machine lost its power: nothing says that
it is gone, and whoever is asked goes on once another one leads."""

from __future__ import annotations

import threading
import time

import pytest

from tests.cluster.chaos.group import Group
from tests.support.query_api import QueryApi

#: an election timeout is 1 to 2 seconds, and machines are busy; without asking on it was 10
_SECONDS = 6.0


class Writer(threading.Thread):
    """Writes one after another through one member, until told to stop."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._number = number
        self._stop_asked = threading.Event()
        self.done = 0
        #: seconds of the one that took longest
        self.longest = 0.0
        self.wrong = ""

    def run(self) -> None:
        with QueryApi(self._port) as api:
            while not self._stop_asked.is_set():
                began = time.monotonic()
                try:
                    api.rows(f"CREATE (:W {{client: {self._number}, n: {self.done}}})")
                except Exception as error:
                    self.wrong = repr(error)
                    return
                self.done += 1
                self.longest = max(self.longest, time.monotonic() - began)

    def finish(self) -> None:
        """No more."""
        self._stop_asked.set()
        self.join(60)


@pytest.mark.timeout(300)
def test_writes_by_a_follower_go_on_with_the_next_leader(group: Group) -> None:
    leads = group.leader()
    assert leads is not None
    others = [name for name in group.members if name != leads]
    writers = [Writer(group.members[name].port, n) for n, name in enumerate(others * 4)]
    for writer in writers:
        writer.start()
    group.until("they write", lambda: all(writer.done > 5 for writer in writers))
    group.freeze(leads)
    before = [writer.done for writer in writers]
    try:
        group.until(
            "they go on or fail",
            lambda: all(
                w.done > then + 1 or w.wrong for w, then in zip(writers, before, strict=True)
            ),
        )
    finally:
        group.thaw(leads)
    for writer in writers:
        writer.finish()
    assert [writer.wrong for writer in writers] == [""] * len(writers)
    longest = max(writer.longest for writer in writers)
    print(f"\nthe longest write took {longest:.2f} s")
    assert longest < _SECONDS


@pytest.mark.timeout(300)
def test_a_lock_that_the_silent_leader_was_asked_for_is_asked_of_the_next(group: Group) -> None:
    leads = group.leader()
    assert leads is not None
    other = next(name for name in group.members if name != leads)
    with QueryApi(group.members[other].port) as api:
        api.rows("CREATE (:Held {n: 1})")
        transaction = api.begin({"isolation": "pessimistic"})
        group.freeze(leads)
        try:
            began = time.monotonic()
            api.run_in(transaction, "MATCH (h:Held) SET h.n = 2")
            api.commit(transaction)
            took = time.monotonic() - began
        finally:
            group.thaw(leads)
        assert api.rows("MATCH (h:Held) RETURN h.n") == [[2]]
    assert took < _SECONDS
