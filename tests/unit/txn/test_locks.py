"""Locks: queues in order, circles refused, and nobody waits for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import DeadlockDetected
from everwhen.txn.locks import Locks, Owner


def test_one_holder_then_the_queue_in_order():
    locks = Locks()
    assert locks.acquire(1, [b"a", b"b"])
    assert locks.acquire(1, [b"a"])
    assert not locks.acquire(2, [b"a"])
    assert not locks.acquire(3, [b"a", b"c"])
    assert locks.holds(3, b"c")
    assert locks.waits(2)
    assert locks.release(1) == [2]
    assert locks.holds(2, b"a")
    assert locks.release(2) == [3]
    assert locks.release(3) == []
    assert len(locks) == 0


def test_a_circle_is_refused_and_its_owner_keeps_what_it_holds():
    locks = Locks()
    locks.acquire(1, [b"a"])
    locks.acquire(2, [b"b"])
    locks.acquire(3, [b"c"])
    assert not locks.acquire(1, [b"b"])
    assert not locks.acquire(2, [b"c"])
    with pytest.raises(DeadlockDetected):
        locks.acquire(3, [b"a"])
    assert locks.holds(3, b"c")
    assert not locks.waits(3)
    assert locks.release(3) == [2]
    assert locks.release(2) == [1]


def test_waiting_behind_someone_in_the_queue_counts():
    locks = Locks()
    locks.acquire(1, [b"a"])
    locks.acquire(2, [b"b"])
    assert not locks.acquire(2, [b"a"])
    assert not locks.acquire(3, [b"a"])
    assert not locks.acquire(4, [b"b"])
    locks.release(1)
    assert locks.holds(2, b"a")
    locks.give_up(4)
    locks.give_up(3)
    assert locks.release(2) == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from("ask ask ask end stop".split()),
            st.lists(st.integers(0, 5), min_size=1, max_size=3),
        ),
        max_size=60,
    )
)
def test_every_request_is_granted_refused_or_given_up(steps):
    locks = Locks()
    waiting: dict[Owner, set[bytes]] = {}
    held: dict[Owner, set[bytes]] = {owner: set() for owner in range(5)}

    def released(owner):
        for other in locks.release(owner):
            held[other] |= waiting.pop(other)

    for owner, kind, numbers in steps:
        keys = [bytes([n]) for n in numbers]
        if kind == "ask" and owner not in waiting:
            try:
                if locks.acquire(owner, keys):
                    held[owner].update(keys)
                else:
                    waiting[owner] = set(keys)
            except DeadlockDetected:
                continue
        elif kind == "stop":
            locks.give_up(owner)
            waiting.pop(owner, None)
        elif kind == "end":
            waiting.pop(owner, None)
            held[owner] = set()
            released(owner)
        for one, keys_held in held.items():
            assert all(locks.holds(one, key) for key in keys_held)
    # whoever does not wait ends; then everybody else must get what they wait for
    for _ in range(6):
        for owner in range(5):
            if owner not in waiting:
                released(owner)
    assert not waiting
    assert len(locks) == 0
