"""The envelope keeps the command and the ticket, whatever the stamp."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from everwhen.codec import envelope as e
from everwhen.txn import commands as c

COUNTERS = st.integers(0, 2**64 - 1)
TIMES = st.integers(-(2**63), 2**63 - 1)


@given(COUNTERS, COUNTERS, COUNTERS, st.integers(0, 15), TIMES, TIMES, st.binary(max_size=50))
def test_round_trip(
    node: int, incarnation: int, number: int, flags: int, time: int, later: int, command: bytes
) -> None:
    ticket = e.Ticket(node, incarnation, number)
    sealed = e.seal(ticket, flags, time, command)
    stamped = e.stamped(sealed, later)
    assert (e.time_of(sealed), e.time_of(stamped)) == (time, later)
    for payload in (sealed, stamped):
        assert e.is_sealed(payload)
        assert e.ticket_of(payload) == ticket
        assert e.flags_of(payload) == flags
        assert e.command_of(payload) == command


def test_no_command_looks_like_an_envelope() -> None:
    assert not e.is_sealed(c.encode(c.CloseTime(c.FORMAT, 1)))
    assert not e.is_sealed(b"")
