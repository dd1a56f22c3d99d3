"""Servers of a test run do not take one another's ports."""

from __future__ import annotations

from itertools import islice

from tests.support.process import free_port, ports_of


def test_no_port_is_given_twice_before_all_others_were() -> None:
    given = [free_port() for _ in range(1_000)]  # of 20,000 by chance, some twenty would repeat
    assert len(set(given)) == len(given)


def test_processes_of_one_run_give_different_ports() -> None:
    first, second = (set(islice(ports_of(worker, 2), 20_000)) for worker in range(2))
    assert len(first) == len(second) == 10_000
    assert not first & second
