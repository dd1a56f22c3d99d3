"""The protocol without a socket: handshake, chunks, states, interruption; any bytes at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QueryArgumentError, RequestInvalid, RequestTooLarge
from everwhen.server.bolt import handshake
from everwhen.server.bolt import messages as m
from everwhen.server.bolt.chunking import Dechunker, frame, frames
from everwhen.server.bolt.machine import (
    Broken,
    Interrupt,
    Machine,
    OutOfPlace,
    Received,
    Send,
    State,
    Verdict,
)
from tests.support import bolt as judge

LIMIT = 1 << 20


def proposals(*versions: str) -> bytes:
    offers = [bytes.fromhex(version) for version in versions]
    return b"".join(offers) + bytes(16 - 4 * len(offers))


# --- handshake -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        (["00000405"], "00000405"),
        (["00080805", "00020404", "00000003"], "00000805"),
        (["00020404"], "00000404"),
        (["00090905"], "00000805"),  # 5.9 to 5.0
        (["00000905"], "00000000"),  # 5.9 only
        (["00000003", "00000104"], "00000000"),
        (["00000006"], "00000006"),
        (["00020404", "00080805"], "00000404"),  # the client's order decides
    ],
)
def test_a_version_is_chosen(offers, answer):
    assert handshake.choose(proposals(*offers)).hex() == answer


def test_the_manifest_of_versions():
    answer = handshake.choose(proposals("000001ff", "00080805"))
    assert answer == bytes.fromhex("000001ff 03 00000006 00080805 00000404 00")
    machine = Machine(LIMIT)
    assert machine.receive(judge.MAGIC + proposals("000001ff")) == [Send(answer)]
    assert state_of(machine) is State.CHOOSING
    for byte in bytes.fromhex("00000006"):
        assert machine.receive(bytes((byte,))) == []
    assert machine.receive(b"\x00") == []
    assert state_of(machine) is State.NEGOTIATION
    assert machine.version == (6, 0)


@pytest.mark.parametrize("choice", ["0000000700", "00000905 00", "00000006" + "ff" * 12])
def test_a_choice_that_was_not_offered_ends_it(choice):
    machine = Machine(LIMIT)
    machine.receive(judge.MAGIC + proposals("000001ff"))
    assert machine.receive(bytes.fromhex(choice)) == [Broken(None)]
    assert state_of(machine) is State.DEFUNCT


@pytest.mark.parametrize("data", [b"GARB", b"\x60\x60\xb0\x18", b"\x16\x03\x01", b"\x00"])
def test_something_else_than_bolt(data):
    assert Machine(LIMIT).receive(data) == [Broken(None)]


def test_versions_nobody_speaks():
    events = Machine(LIMIT).receive(judge.MAGIC + proposals("00000003"))
    assert events == [Send(bytes(4)), Broken(None)]


def state_of(machine: Machine) -> State:
    return machine.state


def connected(version: str = "00000805", state: State | None = None) -> Machine:
    machine = Machine(LIMIT)
    assert machine.receive(judge.MAGIC + proposals(version)) == [Send(bytes.fromhex(version))]
    if state is not None:
        machine.succeeded(m.Hello({}))
        machine.succeeded(m.Logon({}))
        machine.state = state
    return machine


def test_bytes_may_come_one_by_one():
    machine = Machine(LIMIT)
    data = judge.MAGIC + proposals("00000805") + judge.message(judge.HELLO, {"user_agent": "x"})
    events = [event for byte in data for event in machine.receive(bytes((byte,)))]
    assert events == [Send(b"\0\0\x08\x05"), Received(m.Hello({"user_agent": "x"}))]


# --- chunks --------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=1, max_size=100_000), max_size=5), st.integers(1, 70_000))
def test_messages_survive_their_chunks(sent, step):
    data = frames(sent)
    assert data == b"".join(map(frame, sent))
    dechunker = Dechunker(1 << 30)
    got = [
        each for at in range(0, len(data), step) for each in dechunker.feed(data[at : at + step])
    ]
    assert got == sent
    assert dechunker.pending == 0


def test_empty_chunks_between_messages_are_a_sign_of_life():
    dechunker = Dechunker(100)
    assert dechunker.feed(b"\0\0\0\0\0\x01a\0\0\0\0\0\x01b\0") == [b"a"]
    assert dechunker.feed(b"\0") == [b"b"]


def test_a_message_above_its_limit_is_refused_before_it_is_there():
    dechunker = Dechunker(100)
    with pytest.raises(RequestTooLarge):
        dechunker.feed(b"\0\x65")


def test_before_log_on_messages_are_small():
    machine = connected()
    data = judge.message(judge.HELLO, {"user_agent": "x" * 70_000})
    [event] = machine.receive(data)
    assert isinstance(event, Broken)
    machine = connected(state=State.READY)
    [event] = machine.receive(judge.message(judge.RUN, "x" * 70_000, {}, {}))
    assert isinstance(event, Received)


# --- states --------------------------------------------------------------------------------

RUN, PULL, DISCARD = m.Run("", {}), m.Pull(-1), m.Discard(-1)
HELLO, LOGON, LOGOFF = m.Hello({}), m.Logon({}), m.Logoff()
BEGIN, COMMIT, ROLLBACK = m.Begin(), m.Commit(), m.Rollback()
ROUTE, TELEMETRY = m.Route({}, []), m.Telemetry(1)
ALL = (
    *(RUN, PULL, DISCARD, HELLO, LOGON, LOGOFF, BEGIN, COMMIT, ROLLBACK, ROUTE, TELEMETRY),
    *(m.Reset(), m.Goodbye()),
)


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        (State.NEGOTIATION, (HELLO,)),
        (State.AUTHENTICATION, (LOGON,)),
        (State.READY, (RUN, BEGIN, LOGOFF, ROUTE, TELEMETRY)),
        (State.STREAMING, (PULL, DISCARD, TELEMETRY)),
        (State.TX_READY, (RUN, COMMIT, ROLLBACK, TELEMETRY)),
        (State.TX_STREAMING, (RUN, PULL, DISCARD, COMMIT, ROLLBACK, TELEMETRY)),
    ],
    ids=lambda each: each.name if isinstance(each, State) else "",
)
def test_what_may_come(state, allowed):
    names = {type(each) for each in allowed}
    for request in ALL:
        machine = connected()
        machine.state = state
        may = type(request) in names or isinstance(request, m.Goodbye)
        if isinstance(request, m.Reset):
            may = state not in (State.NEGOTIATION, State.AUTHENTICATION)
        if may:
            assert machine.admit(request) is Verdict.ACT, request
        else:
            with pytest.raises(OutOfPlace):
                machine.admit(request)


def test_after_a_failure_everything_is_ignored_until_reset():
    machine = connected(state=State.READY)
    assert machine.admit(RUN) is Verdict.ACT
    machine.failed(RUN)
    for request in (RUN, PULL, BEGIN, COMMIT, HELLO, RequestInvalid("x")):
        assert machine.admit(request) is Verdict.IGNORE
    machine.receive(judge.message(judge.RESET))
    assert machine.admit(m.Reset()) is Verdict.ACT
    machine.succeeded(m.Reset())
    assert state_of(machine) is State.READY
    assert machine.admit(RUN) is Verdict.ACT


def test_reset_is_seen_while_something_runs():
    machine = connected(state=State.READY)
    events = machine.receive(
        judge.message(judge.RUN, "x", {}, {})
        + judge.message(judge.PULL, {"n": -1})
        + judge.message(judge.RESET)
    )
    assert [type(event) for event in events] == [Received, Received, Interrupt, Received]
    assert machine.interrupted
    assert machine.admit(RUN) is Verdict.IGNORE
    assert machine.admit(PULL) is Verdict.IGNORE
    machine.succeeded(m.Reset())
    assert not machine.interrupted


def test_a_result_that_reset_took_away_may_still_be_discarded():
    """Drivers send DISCARD when they see ``has_more``, which may be after their RESET."""
    machine = connected(state=State.READY)
    machine.ran()
    machine.receive(judge.message(judge.RESET))
    machine.succeeded(m.Reset())
    assert machine.admit(DISCARD) is Verdict.ACT
    assert machine.taken_away
    assert machine.admit(PULL) is Verdict.IGNORE
    assert machine.admit(RUN) is Verdict.ACT
    with pytest.raises(OutOfPlace):
        machine.admit(DISCARD)


def test_results_have_numbers_within_a_transaction():
    machine = connected(state=State.READY)
    machine.succeeded(BEGIN)
    assert (machine.ran(), machine.ran()) == (0, 1)
    assert state_of(machine) is State.TX_STREAMING
    assert machine.result_of(PULL) == 1
    assert machine.result_of(m.Pull(5, 0)) == 0
    machine.ended(1)
    with pytest.raises(RequestInvalid):
        machine.result_of(PULL)
    machine.ended(0)
    assert state_of(machine) is State.TX_READY
    machine.succeeded(COMMIT)
    assert state_of(machine) is State.READY
    assert machine.ran() == 0
    assert state_of(machine) is State.STREAMING
    machine.ended(0)
    assert state_of(machine) is State.READY


def test_who_fails_to_log_on_is_gone():
    machine = connected()
    machine.succeeded(HELLO)
    assert state_of(machine) is State.AUTHENTICATION
    machine.failed(LOGON)
    assert state_of(machine) is State.DEFUNCT
    machine = connected("00000404")
    machine.succeeded(HELLO)
    assert state_of(machine) is State.READY


def test_a_parameter_that_makes_no_sense_fails_its_statement_only():
    machine = connected(state=State.READY)
    bad = judge.Structure(0x44, (2**62,))
    events = machine.receive(
        judge.message(judge.RUN, "RETURN $d", {"d": bad}, {}) + judge.message(judge.PULL, {"n": -1})
    )
    assert [type(event) for event in events] == [Received, Received]
    assert isinstance(events[0], Received)
    assert isinstance(events[0].request, QueryArgumentError)


# --- anything ------------------------------------------------------------------------------

requests = st.sampled_from(
    [
        judge.message(judge.HELLO, {"user_agent": "x"}),
        judge.message(judge.LOGON, {"scheme": "none"}),
        judge.message(judge.LOGOFF),
        judge.message(judge.RUN, "RETURN 1", {}, {}),
        judge.message(judge.PULL, {"n": 1}),
        judge.message(judge.DISCARD, {"n": -1}),
        judge.message(judge.BEGIN, {}),
        judge.message(judge.COMMIT),
        judge.message(judge.ROLLBACK),
        judge.message(judge.RESET),
        judge.message(judge.GOODBYE),
        judge.message(judge.ROUTE, {}, [], {}),
        judge.message(judge.TELEMETRY, 1),
        b"\0\0",
    ]
)
starts = st.sampled_from(
    [judge.MAGIC + proposals("00000805"), judge.MAGIC + proposals("000001ff"), b""]
)


@given(starts, st.lists(requests | st.binary(max_size=40)), st.lists(st.booleans(), max_size=60))
def test_any_bytes_in_any_state(start, parts, outcomes):
    """Every request gets exactly one verdict; nothing but clear errors comes out; a machine that
    ended stays so and keeps nothing."""
    machine = Machine(4_096)
    fates = iter(outcomes)
    for part in (start, *parts):
        for event in machine.receive(part):
            if isinstance(event, Broken):
                machine.broke()
                break
            if isinstance(event, Received):
                _answer(machine, event.request, next(fates, True))
        assert machine.pending <= 70_000 + len(part)
    if machine.state is State.DEFUNCT:
        assert machine.receive(judge.MAGIC) == []


def _answer(machine: Machine, request: m.Request | Exception, fine: bool) -> None:
    try:
        verdict = machine.admit(request)  # type: ignore[arg-type]
    except OutOfPlace:
        machine.broke()
        return
    if verdict is Verdict.IGNORE:
        return
    if isinstance(request, Exception) or not (fine or isinstance(request, m.Reset)):
        machine.failed(request)  # type: ignore[arg-type]
    elif isinstance(request, m.Run):
        machine.ran()
    elif machine.taken_away and isinstance(request, m.Discard):
        assert state_of(machine) is State.READY
    elif isinstance(request, m.Pull | m.Discard):
        try:
            machine.ended(machine.result_of(request))
        except RequestInvalid:
            machine.failed(request)
    else:
        machine.succeeded(request)
